"""Seconds over N on log axes: a column per kernel, a row per kind of score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from benchmarks.grouping import groups, of_group, sizes_of
from benchmarks.tables import BASELINE, SAME_ERROR
from benchmarks.words import regime

ROWS = {"new_t": "new t, set-up included", "further": "further score, same t"}
INK, FAINT = "#1c2733", "#93a1ad"
#: Ours is thick and black, its variants thin and broken.
DASHES = ("-", "--", ":")
#: Okabe and Ito's colours, which stay apart for the colour-blind.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d3b", "#7f7f7f")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def draw(stored: dict[str, Any], channels: int, dtype: str, t: float, path: Path) -> None:
    """Write a PNG of all kernels at one d, dtype and t."""
    keys = [key for key in groups(stored) if key[1:] == (channels, dtype, t)]
    names = list(dict.fromkeys(entry["method"] for entry in stored["results"]))
    ours = [name for name in names if name.startswith(BASELINE)]
    peers = [name for name in names if name not in ours]
    styles = {name: ("black", "o", dash) for name, dash in zip(ours, DASHES, strict=False)}
    for index, name in enumerate(peers):
        styles[name] = (COLORS[index % len(COLORS)], MARKERS[index % len(MARKERS)], "-")
    figure = Figure(figsize=(1.6 + 3.2 * len(keys), 6.6), layout="constrained", dpi=140)
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(keys), sharex=True, sharey=True, squeeze=False)
    lines: dict[str, Any] = {}
    for column, key in enumerate(keys):
        for row, kind in enumerate(ROWS):
            axis: Axes = axes[row][column]
            for name, entries in of_group(stored, key).items():
                line = _line(axis, name, entries, kind, styles)
                if line is not None:
                    lines.setdefault(name, line)
            _dress(axis, sizes_of(stored["results"]))
            if row == 0:
                axis.set_title(regime(stored["kernels"][key[0]]), loc="left", fontsize=9.5)
            else:
                axis.set_xlabel("frames N")
            if column == 0:
                axis.set_ylabel(f"seconds\n{ROWS[kind]}")
    order = [name for name in [*ours, *peers] if name in lines]
    figure.legend(
        [lines[name] for name in order], order, loc="outside right upper", frameon=False, fontsize=9
    )
    figure.suptitle(
        f"One score of {stored['batch']} sequences, {channels} channel{'s' * (channels > 1)}, "
        f"{dtype}, t = {t:g}",
        x=0.01,
        ha="left",
        fontsize=11,
        color=INK,
    )
    figure.savefig(path)


def _line(
    axis: Axes,
    name: str,
    entries: dict[int, dict[str, Any]],
    kind: str,
    styles: dict[str, tuple[str, str, str]],
) -> Any:
    """One method; markers are hollow where its error is larger than the target."""
    points = [(frames, e[kind]["median"], e["error"]) for frames, e in entries.items() if e[kind]]
    if not points:
        return None
    color, marker, dash = styles[name]
    ours = name == BASELINE
    (line,) = axis.plot(
        [frames for frames, *_ in points],
        [seconds for _, seconds, _ in points],
        color=color,
        marker=marker,
        linestyle=dash,
        markersize=5 if ours else 4,
        linewidth=2.6 if ours else 1.2,
        zorder=3 if ours else 2,
    )
    for frames, seconds, error in points:
        if error > SAME_ERROR * 1e-6:
            axis.plot(frames, seconds, marker, color=color, markerfacecolor="white", zorder=4)
    return line


def _dress(axis: Axes, sizes: list[int]) -> None:
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xticks(sizes, [str(size) for size in sizes])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.grid(True, color="#e4e9ee")
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(FAINT)
