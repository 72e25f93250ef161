"""Tables of results: means over seeds with confidence intervals, saved with their origin."""

from __future__ import annotations

import json
import math
import os
import platform
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from unroll.errors import ArgumentError

__all__ = ["Interval", "Table", "interval", "slope"]

FORMAT = "experiment-table/1"
_LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % confidence interval.

    Attributes
    ----------
    mean, low, high
        NaN ends where there is a single value.
    count
        Number of values.
    """

    mean: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        if math.isnan(self.low):
            return f"{self.mean:.3g}"
        return f"{self.mean:.3g} [{self.low:.3g}, {self.high:.3g}]"

    @property
    def half(self) -> float:
        """Half the width."""
        return (self.high - self.low) / 2


def interval(values: Iterable[float]) -> Interval:
    """Student's interval of the mean of independent values.

    >>> interval([1.0, 2.0, 3.0]).mean
    2.0
    """
    x = np.asarray(list(values), dtype=np.float64)
    if len(x) == 0:
        raise ArgumentError("values", [], "must not be empty", "run the experiment first")
    mean = float(x.mean())
    if len(x) == 1:
        return Interval(mean, math.nan, math.nan, 1)
    half = float(stats.t.ppf((1 + _LEVEL) / 2, len(x) - 1) * stats.sem(x))
    return Interval(mean, mean - half, mean + half, len(x))


def slope(x: Sequence[float], by_seed: Sequence[Sequence[float]]) -> Interval:
    """Slope of ``log y`` against ``log x``: one regression for each seed, then their interval.

    Parameters
    ----------
    x
        Positive numbers, at least two different ones.
    by_seed
        For each seed, ``y`` at every ``x``.

    >>> slope([1, 2, 4], [[8, 4, 2]]).mean
    -1.0
    """
    log_x = np.log(np.asarray(x, dtype=np.float64))
    slopes = [float(np.polyfit(log_x, np.log(np.asarray(y)), 1)[0]) for y in by_seed]
    found = interval(slopes)
    return Interval(round(found.mean, 12), found.low, found.high, found.count)


@dataclass
class Table:
    """Rows of named values.

    Attributes
    ----------
    name, config
        Of the experiment.
    rows
        Plain values and `Interval`.
    findings
        Sentences, computed from the rows.
    origin
        Versions and the device that measured.
    """

    name: str
    config: dict[str, Any]
    rows: list[dict[str, Any]]
    findings: list[str] = field(default_factory=list)
    origin: dict[str, str] = field(default_factory=dict)

    def where(self, **values: Any) -> list[dict[str, Any]]:
        """The rows with these values."""
        return [row for row in self.rows if all(row.get(k) == v for k, v in values.items())]

    def save(self, path: str | Path) -> None:
        """Write JSON; what was there stays until all of it is written."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "format": FORMAT,
            "name": self.name,
            "origin": self.origin,
            "config": self.config,
            "findings": self.findings,
        }
        lines = json.dumps(document, indent=1)[:-2]
        rows = ",\n  ".join(json.dumps(_plain(row)) for row in self.rows)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f'{lines},\n "rows": [\n  {rows}\n ]\n}}\n')
        os.replace(temporary, path)

    @classmethod
    def load(cls, path: str | Path) -> Table:
        """Read what `save` wrote."""
        try:
            document = json.loads(Path(path).read_text("utf-8"))
            if document["format"] != FORMAT:
                raise ValueError("another format")
            rows = [{k: _restored(v) for k, v in row.items()} for row in document["rows"]]
            return cls(
                document["name"],
                document["config"],
                rows,
                document["findings"],
                document["origin"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArgumentError(
                "path", str(path), f"is not a saved table ({error})", "run the experiment anew"
            ) from error

    def markdown(self) -> str:
        """As a page: a table, then what was found."""
        names = list(dict.fromkeys(k for row in self.rows for k in row if not _long(row[k])))
        lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
        for row in self.rows:
            lines.append("| " + " | ".join(_shown(row.get(name, "")) for name in names) + " |")
        return "\n".join([*lines, "", *(f"- {finding}" for finding in self.findings)])


def origin(device: str) -> dict[str, str]:
    """What measured: versions, and the kind of device."""
    name = torch.cuda.get_device_name() if device.startswith("cuda") else "CPU"
    return {
        "device": name,
        "python": platform.python_version(),
        "torch": torch.__version__.split("+")[0],
        "numpy": np.__version__,
    }


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    result = {}
    for name, value in row.items():
        if isinstance(value, Interval):
            ends = [None if math.isnan(x) else x for x in (value.low, value.high)]
            result[name] = {"mean": value.mean, "interval": ends, "count": value.count}
        else:
            result[name] = value
    return result


def _restored(value: Any) -> Any:
    if isinstance(value, dict) and "interval" in value:
        low, high = (math.nan if x is None else x for x in value["interval"])
        return Interval(value["mean"], low, high, value["count"])
    return value


def _long(value: Any) -> bool:
    """Curves are for figures."""
    return isinstance(value, list)


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
