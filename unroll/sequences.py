"""Sequences in files: `.npy` of shape (n, frames, channels), or `.csv` with one row per frame.

The CSV has a header ``sequence,frame,CHANNEL,...`` and then, in any order, one row for every frame
of every sequence: the sequence's label (any text), the frame's number (0, 1, 2, ...), and one
number per channel.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unroll.errors import ArgumentError

__all__ = ["Sequences", "read_sequences"]

Array = NDArray[np.float64]

_CSV_REMEDY = "give a CSV with header sequence,frame,CHANNEL,... and one row per frame"


@dataclass(frozen=True)
class Sequences:
    """Sequences with the names they had in their file.

    Parameters
    ----------
    x : ndarray of shape (n, frames, channels)
        The values, in the file's units.
    labels : tuple of n str
        One label per sequence, in order of appearance.
    channels : tuple of str
        One name per channel.
    """

    x: Array
    labels: tuple[str, ...]
    channels: tuple[str, ...]


def read_sequences(path: str | Path) -> Sequences:
    """Read sequences from a `.npy` or `.csv` file.

    Raises
    ------
    ArgumentError
        The file cannot be read, is of neither format, is incomplete, or holds a NaN or infinite
        number. The message names the first line at fault.
    """
    path = Path(path)
    try:
        return _read(path)
    except OSError as error:
        condition = f"cannot be read ({error.strerror or error})"
        raise ArgumentError("DATA", str(path), condition, "give a .npy or .csv file") from None


def _read(path: Path) -> Sequences:
    if path.suffix == ".csv":
        sequences = read_table(path)
        holes = np.argwhere(np.isnan(sequences.x).any(axis=-1))
        if len(holes):
            i, frame = holes[0]
            condition = f"sequence {sequences.labels[i]!r} has no row for frame {frame}"
            raise ArgumentError("DATA", str(path), condition, "give every sequence the same frames")
        return sequences
    if path.suffix == ".npy":
        return _read_npy(path)
    condition = f"is neither .npy nor .csv but {path.suffix or 'without suffix'}"
    raise ArgumentError("DATA", str(path), condition, "give one of those")


def read_table(path: Path) -> Sequences:
    """Read the CSV format described above; a frame without a row is NaN in every channel."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        try:
            header = [cell.strip() for cell in next(rows, [])]
            channels = tuple(header[2:])
            if header[:2] != ["sequence", "frame"] or not channels or "" in channels:
                condition = f"header is {','.join(header) or 'missing'}"
                raise ArgumentError("DATA", str(path), condition, _CSV_REMEDY)
            cells = {}
            for row in rows:
                if not row:
                    continue
                key, values = _parse_row(path, rows.line_num, row, len(channels))
                if key in cells:
                    condition = f"line {rows.line_num} gives frame {key[1]} of {key[0]!r} again"
                    raise ArgumentError("DATA", str(path), condition, "give each frame one row")
                cells[key] = values
        except (UnicodeDecodeError, csv.Error) as error:
            raise ArgumentError(
                "DATA", str(path), f"is not a CSV file ({error})", _CSV_REMEDY
            ) from None
    if not cells:
        raise ArgumentError("DATA", str(path), "holds no rows", _CSV_REMEDY)
    labels = {label: i for i, label in enumerate(dict.fromkeys(label for label, _ in cells))}
    numbers = {frame for _, frame in cells}
    frames = 1 + max(numbers)
    if len(numbers) < frames:
        missing = next(i for i in range(frames) if i not in numbers)
        condition = f"frames go up to {frames - 1}, but no sequence has frame {missing}"
        raise ArgumentError("DATA", str(path), condition, "number the frames 0, 1, 2, ...")
    x = np.full((len(labels), frames, len(channels)), np.nan)
    for (label, frame), values in cells.items():
        x[labels[label], frame] = values
    return Sequences(x, tuple(labels), channels)


def _parse_row(
    path: Path, line: int, row: list[str], channels: int
) -> tuple[tuple[str, int], list[float]]:
    """One row as ((label, frame), values)."""
    if len(row) != channels + 2:
        condition = f"line {line} has {len(row)} cells where the header has {channels + 2}"
        raise ArgumentError("DATA", str(path), condition, "give every row the header's columns")
    try:
        frame = int(row[1])
    except ValueError:
        frame = -1
    if frame < 0:
        condition = f"line {line} has frame {row[1]!r}"
        raise ArgumentError("DATA", str(path), condition, "number the frames 0, 1, 2, ...")
    try:
        values = [float(cell) for cell in row[2:]]
    except ValueError:
        values = [np.nan]
    if not np.all(np.isfinite(values)):
        condition = f"line {line} holds a cell that is not a finite number"
        raise ArgumentError("DATA", str(path), condition, "fill or drop what is missing")
    return (row[0].strip(), frame), values


def _read_npy(path: Path) -> Sequences:
    """Read an array of shape (n, frames, channels); arrays of Python objects are refused."""
    remedy = "save an array of shape (n, frames, channels) with numpy.save"
    try:
        x = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):
        raise ArgumentError("DATA", str(path), "is not a .npy file of numbers", remedy) from None
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "fiu" or x.ndim != 3 or 0 in x.shape:
        found = f"{x.dtype} of shape {x.shape}" if isinstance(x, np.ndarray) else "an archive"
        raise ArgumentError("DATA", str(path), f"holds {found}", remedy)
    x = x.astype(np.float64)
    if not np.all(np.isfinite(x)):
        i, frame, channel = np.argwhere(~np.isfinite(x))[0]
        condition = f"entry [{i}, {frame}, {channel}] is not finite"
        raise ArgumentError("DATA", str(path), condition, "fill or drop what is missing")
    labels = tuple(str(i) for i in range(x.shape[0]))
    return Sequences(x, labels, tuple(f"channel {a}" for a in range(x.shape[2])))
