"""Tables of one group of cases, and the summary over all: who is how much slower than ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.grouping import Entries, Entry, groups, of_group, sizes_of, title
from benchmarks.ours import OURS
from benchmarks.peers import PEERS
from benchmarks.words import number, seconds, size_heading
from unroll.report import Table

BASELINE = OURS[0].name
GENERAL = {method.name for method in PEERS if method.general}
#: Errors up to so many times the target, or our own error, count as equal.
SAME_ERROR = 2.0


def summary(stored: Entry) -> Table:
    """Per group and N: the fastest peers, as multiples of our seconds."""
    sizes = sizes_of(stored["results"])
    rows = []
    for key in groups(stored):
        entries = of_group(stored, key)
        for what, column, names in (
            ("new t, any general method", "new_t", GENERAL),
            ("further, any method", "further", set(entries) - {BASELINE}),
        ):
            cells = [fastest(entries, frames, column, names) for frames in sizes]
            texts = [f"{number(cell[1])} ({cell[0]})" if cell else "" for cell in cells]
            rows.append([title(stored, key), what, *texts])
    caption = (
        "The fastest peer's seconds over ours (above 1 we are faster), among those as accurate. "
        "General: methods that take any kernel."
    )
    return Table(["problem", "against", *map(size_heading, sizes)], rows, caption, left=2)


def fastest(
    entries: Entries, frames: int, column: str, names: set[str]
) -> tuple[str, float] | None:
    """The fastest of the named methods that is as accurate as ours, and its seconds over ours."""
    at = {name: row[frames] for name, row in entries.items() if frames in row}
    ours = at.get(BASELINE)
    if not ours or not ours[column]:
        return None
    allowed = SAME_ERROR * max(ours["error"], 1e-6)
    rivals = [
        (at[name][column]["median"] / ours[column]["median"], name)
        for name in names & set(at)
        if at[name][column] and at[name]["error"] <= allowed
    ]
    return (min(rivals)[1], min(rivals)[0]) if rivals else None


def group_tables(entries: Entries, batch: int) -> Iterator[Table]:
    """Seconds twice, memory, errors."""
    yield timing(entries, "new_t", "Seconds of a score at a new t, set-up included")
    yield timing(entries, "further", "Seconds of a further score at the same t")
    yield memory(entries, batch)
    yield errors(entries)


def timing(entries: Entries, column: str, caption: str) -> Table:
    """Ours in seconds, the others as multiples of it; larger errors in parentheses."""

    def cell(name: str, entry: Entry) -> str:
        if entry[column] is None:
            return f"*{entry['skipped']}*"
        ours = entries.get(BASELINE, {}).get(entry["frames"], {}).get(column)
        median = entry[column]["median"]
        relative = name != BASELINE and ours is not None
        text = f"{number(median / ours['median'])}×" if relative and ours else seconds(median)
        return f"{text} ({entry['error']:.0e})" if entry["error"] > SAME_ERROR * 1e-6 else text

    caption += f": {BASELINE} in seconds, the others as multiples; measured error where above 2e-6."
    return _table(entries, cell, caption)


def memory(entries: Entries, batch: int) -> Table:
    """Working memory in multiples of the sequences."""

    def cell(name: str, entry: Entry) -> str:
        if entry["bytes_score"] is None:
            return ""
        itemsize = 8 if entry["dtype"] == "float64" else 4
        size = itemsize * batch * entry["frames"] * entry["channels"]
        return f"{number(entry['bytes_score'] / size)}×"

    caption = "Memory held while scoring at a new t, as a multiple of the sequences themselves."
    return _table(entries, cell, caption)


def errors(entries: Entries) -> Table:
    """Measured errors, what was chosen to get them, and seconds spent once."""

    def cell(name: str, entry: Entry) -> str:
        if entry["error"] is None:
            return ""
        parts = [f"{entry['error']:.1e}", entry["note"]]
        if entry["constructor"] > 1e-3:
            parts.append(f"once {seconds(entry['constructor'])}")
        return ", ".join(filter(None, parts))

    caption = "Measured relative rms error, settings, and seconds spent once for all t, above 1 ms."
    return _table(entries, cell, caption)


def _table(entries: Entries, cell: Callable[[str, Entry], str], caption: str) -> Table:
    sizes = sizes_of([entry for row in entries.values() for entry in row.values()])
    rows = [
        [name, *(cell(name, row[frames]) if frames in row else "" for frames in sizes)]
        for name, row in entries.items()
    ]
    return Table(["method", *map(size_heading, sizes)], rows, caption)
