"""The import rule: `constructions -> unroll <- proofs_check`; only `unroll/cli` sees all three."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("unroll", "constructions", "proofs_check")
#: What each package may import of the three, and whether it may import torch.
ALLOWED = {
    "unroll": ({"unroll"}, False),
    "constructions": ({"unroll", "constructions"}, True),
    "proofs_check": ({"unroll", "proofs_check"}, False),
}


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Line and top-level name of every import statement, wherever it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import; write it in full"
            yield node.lineno, (node.module or "").split(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "import_module",
            "importlib.import_module",
            "__import__",
        ):
            name = ast.unparse(node.args[0])
            yield node.lineno, name.lstrip("f").strip("'\"").split(".")[0]


def violations(package: str, source: str, *, cli: bool = False) -> list[str]:
    """Imports that the rule forbids."""
    packages, torch = ALLOWED[package]
    return [
        f"line {line}: {name}"
        for line, name in imported(source)
        if (name in PACKAGES and name not in packages and not cli)
        or (name == "torch" and not torch and not cli)
    ]


FILES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_file_keeps_the_rule(file: Path) -> None:
    parts = file.relative_to(ROOT).parts
    assert violations(parts[0], file.read_text("utf-8"), cli=parts[:2] == ("unroll", "cli")) == []


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("unroll", "import torch"),
        ("unroll", "def f():\n    from constructions.stream import ResidualStream"),
        ("constructions", "if True:\n    import proofs_check.lemma as lemma"),
        ("proofs_check", "from constructions import load"),
        ("proofs_check", "import importlib\nimportlib.import_module('constructions.compile')"),
    ],
)
def test_rule_can_fail(package: str, source: str) -> None:
    assert violations(package, source)


def test_cli_may_see_all_three() -> None:
    assert violations("unroll", "import torch, constructions, proofs_check", cli=True) == []


def test_every_package_is_checked() -> None:
    assert {file.relative_to(ROOT).parts[0] for file in FILES} == set(PACKAGES)
