"""Run the notebooks: `NN_name.py` (percent format, the source) to `NN_name.ipynb` with its outputs.

python notebooks/run.py            run all and write the .ipynb files
python notebooks/run.py --check    run all, write nothing, and fail where an .ipynb is stale
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).resolve().parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def main() -> int:
    """Run every notebook; 1 if one fails or is stale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, report stale files")
    check = parser.parse_args().check
    failed = False
    for source in sorted(FOLDER.glob("[0-9]*.py")):
        started = time.monotonic()
        target = source.with_suffix(".ipynb")
        try:
            notebook = execute(source)
        except CellExecutionError as error:
            print(f"{source.name}: {error}", file=sys.stderr)
            failed = True
            continue
        if check and not (target.exists() and cells(nbformat.read(target, 4)) == cells(notebook)):
            print(f"{target.name} is stale: run `make notebooks`", file=sys.stderr)
            failed = True
        if not check:
            nbformat.write(notebook, target)
        print(f"{source.stem}: {time.monotonic() - started:.0f} s")
    return int(failed)


def execute(source: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs, and nothing in it that changes from run to run by itself."""
    notebook = jupytext.read(source)
    notebook.metadata = nbformat.from_dict(METADATA)
    NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": FOLDER}}, record_timing=False
    ).execute()
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        cell.metadata = nbformat.from_dict({})
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def cells(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """Kind and source of every cell."""
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


if __name__ == "__main__":
    sys.exit(main())
