"""The numbers of the README are those that the code gives today."""

import json
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d[\d,]*\.?\d*(?:e[-+]\d+)?")

#: Measured errors come from sampled sequences; another BLAS changes their last printed digit.
PRINTED_DIGIT = 0.06


@pytest.fixture(scope="module")
def measure() -> dict:
    return runpy.run_path(str(ROOT / "notebooks" / "readme.py"))


def between(mark: str) -> str:
    return README.split(f"<!-- {mark} -->\n")[1].split(f"\n<!-- end {mark} -->")[0]


def assert_same_text(found: str, stated: str) -> None:
    assert NUMBER.sub("#", found) == NUMBER.sub("#", stated)
    pairs = zip(NUMBER.findall(found), NUMBER.findall(stated), strict=True)
    for new, old in ((float(a.replace(",", "")), float(b.replace(",", ""))) for a, b in pairs):
        assert new == pytest.approx(old, rel=PRINTED_DIGIT if 0 < old < 1e-3 else 1e-12)


def test_example_prints_what_is_shown(measure):
    assert_same_text(f"```\n{measure['example'](README)}```", between("example"))


@pytest.mark.parametrize("line", [1, 2, 3])
def test_table(measure, line):
    stated = between("numbers").splitlines()[1 + line]
    assert_same_text(measure["row"](list(measure["KERNELS"])[line - 1]), stated)


def test_speed_is_that_of_the_stored_benchmark(measure):
    """And the errors stored beside the seconds are as small as promised. Seconds themselves are
    measured by the benchmark alone: a timed test would fail on a busy machine."""
    assert measure["speed"]() == between("speed")
    stored = json.loads((ROOT / "benchmarks" / "results" / "quick.json").read_text())
    ours = [entry for entry in stored["results"] if entry["method"] == "ours" and entry["error"]]
    assert len(ours) >= 12
    assert all(entry["error"] <= 1e-6 for entry in ours)


def test_what_was_trained_is_the_stored_experiment(measure):
    assert measure["architectures"]() == between("architectures")


def test_every_linked_file_exists():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert (ROOT / target).exists(), target
