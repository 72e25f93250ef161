"""The output folder: it appears whole or not at all, and nothing foreign is ever removed."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unroll.errors import ArgumentError

__all__ = ["MANIFEST", "new_folder"]

#: Lists the files of a demo, which are those that a later demo may replace.
MANIFEST = "manifest.json"


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target` that takes its place when the block succeeds.

    Raises
    ------
    ArgumentError
        At once, if `target` exists and is not exactly what an earlier demo left.
    """
    given, target = target, target.resolve()
    _check_replaceable(target, given)
    if not target.parent.is_dir():
        condition = f"folder {given.parent} does not exist"
        raise ArgumentError("--out", str(given), condition, "create it first")
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        work.chmod(0o755)  # mkdtemp gives 0o700, and others may read a report
        yield work
        (work / MANIFEST).write_text(json.dumps({"files": _files(work)}, indent=2) + "\n")
        _check_replaceable(target, given)
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
            target.rename(old / "old")
            work.rename(target)
            shutil.rmtree(old)
        else:
            work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_replaceable(target: Path, given: Path) -> None:
    remedy = "name another folder with --out, or move this one away"
    if not target.exists():
        return
    if not target.is_dir():
        raise ArgumentError("--out", str(given), "is a file", remedy)
    present = _files(target)
    if not present:
        return
    try:
        listed = set(json.loads((target / MANIFEST).read_text())["files"])
    except (OSError, ValueError, KeyError, TypeError):
        condition = "is not empty and not the folder of an earlier demo"
        raise ArgumentError("--out", str(given), condition, remedy) from None
    foreign = sorted(set(present) - listed)
    if foreign:
        condition = f"holds {foreign[0]}, which no demo wrote"
        raise ArgumentError("--out", str(given), condition, remedy)


def _files(folder: Path) -> list[str]:
    """Everything in a folder that is not a folder, by relative path, the manifest excepted."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if (path.is_symlink() or not path.is_dir()) and path != folder / MANIFEST
    )
