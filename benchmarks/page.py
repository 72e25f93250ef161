"""The page of tables and figures beside the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.grouping import Entry, groups, of_group, sizes_of, title
from benchmarks.plots import draw
from benchmarks.tables import group_tables, summary
from benchmarks.words import megabytes, seconds, short, size_heading
from unroll.report import Block, Figure, Heading, Table, Text, to_markdown


def write_page(stored: Entry, folder: Path, name: str) -> Path:
    """Write ``name.md`` and its figures ``name-*.png``; return the page."""
    figures = []
    for channels, dtype, t in dict.fromkeys(key[1:] for key in groups(stored)):
        path = f"{name}-{dtype}-d{channels}-t{t:g}.png"
        draw(stored, channels, dtype, t, folder / path)
        what = f"Seconds over N for d = {channels}, {dtype}, t = {t:g}"
        figures.append(Figure(path, f"{what}. Hollow markers have errors above 2e-6."))
    page = folder / f"{name}.md"
    page.write_text(to_markdown(_blocks(stored, figures)), encoding="utf-8")
    return page


def _blocks(stored: Entry, figures: list[Figure]) -> Iterator[Block]:
    yield Heading("Benchmarks", 1)
    machine = ", ".join(f"{name} {value}" for name, value in stored["machine"].items())
    yield Text(
        f"CPU seconds of one score of {stored['batch']} sequences, in one thread. {machine}."
    )
    yield summary(stored)
    yield from figures
    for key in groups(stored):
        yield Heading(title(stored, key))
        yield from group_tables(of_group(stored, key), stored["batch"])
    if stored["models"]:
        yield Heading("Models")
        yield from model_tables(stored["models"])


def model_tables(costs: list[Entry]) -> Iterator[Table]:
    """Layers and heads; seconds and bytes."""
    sizes = sizes_of(costs)
    pairs = list(dict.fromkeys((cost["kernel"], cost["construction"]) for cost in costs))
    found = {(c["kernel"], c["construction"], c["frames"]): c for c in costs}

    def table(cell: Callable[[Entry], str], caption: str) -> Table:
        rows = [
            [kernel, name, *(cell(found[kernel, name, frames]) for frames in sizes)]
            for kernel, name in pairs
        ]
        return Table(["regime", "construction", *map(size_heading, sizes)], rows, caption, left=2)

    def shape(cost: Entry) -> str:
        if cost["layers"] is None:
            return f"*{short(cost['refused'])}*"
        return f"{cost['layers']} × {cost['heads']}"

    def building(cost: Entry) -> str:
        if cost["size"] is None:
            return f"*{short(cost['refused'])}*"
        total = cost["plan_seconds"] + cost["build_seconds"]
        return f"{seconds(total)}, {megabytes(cost['size'])}"

    yield table(shape, "Layers × heads per layer for relative error 1e-6 on t in [0.01, 5].")
    yield table(building, "Seconds to plan and build, and bytes of the weights, shared ones once.")
