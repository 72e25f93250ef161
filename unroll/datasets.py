"""The bundled real data: two sets of temperature sequences, ready for a stationary process.

Each set is a table in `unroll/data` (its README gives source and licence), read as it is. A
stationary process has no seasons, so `load` subtracts a *cycle* (annual harmonics, and a trend in
the daily set, fitted by least squares to the training sequences alone) and divides by the standard
deviation of what remains there: diffusion starts from unit noise. Sequences in these *standard
units* are what is modelled; `Dataset.anomalies` turns them into degrees away from the cycle.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unroll import validation
from unroll.sequences import Sequences, read_table

__all__ = ["Dataset", "load", "names"]

Array = NDArray[np.float64]

_FOLDER = Path(__file__).parent / "data"
_DAYS_PER_YEAR = 365.2425


@dataclass(frozen=True)
class Dataset:
    """Sequences split into a part to fit and a part to judge the fit by.

    Parameters
    ----------
    name, title, source : str
        Short name, a line for people, and where the numbers come from.
    frame_unit, unit : str
        What one frame is (``"hour"``), and the unit of the values (``"°F"``).
    channels : tuple of str
        One name per channel.
    starts : ndarray of shape (n,)
        First day of each sequence, in days since the first sequence.
    blocks : ndarray of int, shape (n,)
        Sequences of one block depend on each other; different blocks are nearly independent.
    recorded, cycle : ndarray of shape (n, frames, channels)
        The values in the table (holes filled), and the seasonal cycle subtracted from them.
    scale : ndarray of shape (channels,)
        Standard deviation of the training anomalies.
    filled : int
        How many frames had no row in the table and were interpolated between their neighbours.
    held_out : ndarray of bool, shape (n,)
        Marks the sequences that neither the cycle nor a fit may see.
    caveat : str
        What a reader should know before believing a fit.
    """

    name: str
    title: str
    source: str
    frame_unit: str
    unit: str
    channels: tuple[str, ...]
    starts: Array
    blocks: NDArray[np.int_]
    recorded: Array
    cycle: Array
    scale: Array
    filled: int
    held_out: NDArray[np.bool_]
    caveat: str

    @property
    def frames(self) -> int:
        """Frames of one sequence."""
        return int(self.recorded.shape[1])

    @property
    def x(self) -> Array:
        """What is modelled, (recorded - cycle) / scale, shape (n, frames, channels)."""
        return (self.recorded - self.cycle) / self.scale

    @property
    def train(self) -> Array:
        """The part of `x` to fit, shape (m, frames, channels)."""
        return self.x[~self.held_out]

    @property
    def test(self) -> Array:
        """The part of `x` that is held out, shape (n - m, frames, channels)."""
        return self.x[self.held_out]

    def anomalies(self, x: Array) -> Array:
        """Sequences in standard units, in degrees away from the cycle."""
        return x * self.scale


def names() -> tuple[str, ...]:
    """Names that `load` accepts."""
    return tuple(_LOADERS)


def load(name: str) -> Dataset:
    """Read a bundled data set.

    >>> load("hourly").train.shape, load("hourly").channels
    ((295, 24, 2), ('seattle', 'san_francisco'))
    >>> load("daily").train.shape, load("daily").channels
    ((24, 48, 2), ('maximum', 'minimum'))
    """
    return _LOADERS[validation.choice("name", name, _LOADERS)]()


def _hourly() -> Dataset:
    table = read_table(_FOLDER / "hourly-temperatures.csv")
    recorded, filled = _fill(table.x)
    starts = _days(table)
    held_out = (starts // 7) % 5 == 4  # whole weeks: neighbouring days are nearly copies
    # Nights warm up later in spring than afternoons do: each hour has its own cycle.
    years = np.broadcast_to(starts[:, None], recorded.shape[:2]) / _DAYS_PER_YEAR
    per_frame = [
        _cycle(years[:, [i]], recorded[:, [i]], ~held_out) for i in range(recorded.shape[1])
    ]
    cycle = np.concatenate(per_frame, axis=1)
    return Dataset(
        name="hourly",
        title="Hourly temperature normals of Seattle and San Francisco",
        source="NOAA, by way of vega_datasets (`seattle-temps`, `sf-temps`); public domain",
        frame_unit="hour",
        unit="°F",
        channels=table.channels,
        starts=starts,
        blocks=(starts // 35).astype(int),
        recorded=recorded,
        cycle=cycle,
        scale=_scale(recorded - cycle, ~held_out),
        filled=filled,
        held_out=held_out,
        caveat=(
            "The package calls these the temperatures of 2010; they are NOAA's hourly climate "
            "normals, averages over thirty years. Neighbouring days are nearly copies, so the 365 "
            "sequences carry far less information than 365 independent ones: likelihoods compare "
            "the regimes, but their differences look more certain than they are."
        ),
    )


def _daily() -> Dataset:
    table = read_table(_FOLDER / "daily-temperatures.csv")
    recorded, filled = _fill(table.x)
    starts = _days(table)
    held_out = np.arange(len(starts)) % 5 == 4
    years = (starts[:, None] + np.arange(recorded.shape[1])) / _DAYS_PER_YEAR
    # These four years warmed by 0.85 °C (maximum) and 0.6 °C (minimum) a year. Left in the data,
    # that would look like weather that is remembered for months.
    cycle = _cycle(years, recorded, ~held_out, trend=True)
    return Dataset(
        name="daily",
        title="Daily temperature extremes of Seattle, 2012 to 2015",
        source="NOAA, by way of vega_datasets (`seattle-weather`); public domain",
        frame_unit="day",
        unit="°C",
        channels=table.channels,
        starts=starts,
        blocks=np.arange(len(starts)),
        recorded=recorded,
        cycle=cycle,
        scale=_scale(recorded - cycle, ~held_out),
        filled=filled,
        held_out=held_out,
        caveat=(
            "Consecutive windows of 48 days; weather forgets itself in about a week, so they are "
            "close to independent. The model gives maximum and minimum one temporal kernel; in the "
            "data the minimum remembers a little longer."
        ),
    )


_LOADERS = {"hourly": _hourly, "daily": _daily}


def _days(table: Sequences) -> Array:
    """First day of each sequence (its label is an ISO date), counted from the first sequence."""
    first = date.fromisoformat(table.labels[0])
    return np.array([float((date.fromisoformat(label) - first).days) for label in table.labels])


def _fill(x: Array) -> tuple[Array, int]:
    """Interpolate linearly over missing frames, the sequences laid end to end."""
    flat = x.reshape(-1, x.shape[-1])
    missing = np.isnan(flat).any(axis=1)
    at = np.arange(len(flat))
    columns = [np.interp(at, at[~missing], column[~missing]) for column in flat.T]
    return np.stack(columns, axis=-1).reshape(x.shape), int(missing.sum())


def _cycle(
    years: Array, x: Array, train: NDArray[np.bool_], *, harmonics: int = 2, trend: bool = False
) -> Array:
    """Constant, annual harmonics and possibly a linear trend of `x` (n, frames, channels).

    Two harmonics at `years` (n, frames): the first alone leaves the skew of the seasons (a slow
    spring, a quick autumn) in the data, and that is no fluctuation.
    """
    angle = 2 * np.pi * years[..., None] * np.arange(1, harmonics + 1)
    powers = years[..., None] ** np.arange(2 if trend else 1)
    design = np.concatenate([powers, np.cos(angle), np.sin(angle)], axis=-1)
    columns = design.shape[-1]
    coefficients, *_ = np.linalg.lstsq(
        design[train].reshape(-1, columns), x[train].reshape(-1, x.shape[-1]), rcond=None
    )
    return np.asarray(design @ coefficients)


def _scale(anomalies: Array, train: NDArray[np.bool_]) -> Array:
    """Standard deviation per channel of the training part."""
    return np.asarray(anomalies[train].std(axis=(0, 1)))
