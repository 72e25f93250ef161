r"""Off the assumptions: sequences that are not stationary, or not Gaussian.

Four departures of growing strength ``c`` from a Gaussian process, each with a score in closed form:

* ``variance``: frame ``i`` is scaled by ``exp(c (i / (N - 1) - 1/2))``;
* ``warp``: the kernel is that of the times ``i + c N / (2 pi) sin(pi i / (N - 1))``;
* ``means``: a mixture of two Gaussians with means ``+-c`` and the same covariance;
* ``scales``: a mixture of two Gaussians with covariances ``e^{+-c}`` times the same one.

Strength 0 is the control. Compared are the hand-built model of the fitted stationary kernel, a
trained DiT, and maximum likelihood over all covariances (which is right for the first two).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from constructions.learned.baselines import constructed_from_fit, maximum_likelihood
from constructions.learned.experiments.common import (
    Settings,
    data_of,
    errors,
    log_ticks,
    network,
    spatial,
)
from constructions.learned.experiments.table import Table, interval
from constructions.learned.truth import GaussianLaw, Law, MixtureLaw
from unroll.kernels import Exponential

__all__ = ["Config", "departed", "evaluate", "figure", "jobs", "prepare", "summary"]

NAME = "off_assumptions"
DEPARTURES = ("variance", "warp", "means", "scales")
MODELS = ("DiT", "constructed", "unstructured")


@dataclass(frozen=True)
class Config(Settings):
    """Departures, strengths and the number of sequences."""

    sequences: int = 2048
    length_scale: float = 4.0
    strengths: tuple[float, ...] = (0.0, 0.75, 1.5)
    departures: tuple[str, ...] = DEPARTURES

    SMALL: ClassVar[dict[str, Any]] = {
        "channels": 1,
        "sequences": 512,
        "strengths": (0.0, 1.5),
        "departures": ("variance", "means"),
    }


def departed(name: str, strength: float, frames: int, channels: int, length: float) -> Law:
    """The law of sequences with one departure."""
    kernel, sigma = Exponential(length), spatial(channels)
    places, centre = np.arange(frames, dtype=np.float64), np.zeros((frames, channels))
    share = places / max(1, frames - 1)
    if name == "warp":
        places = places + strength * frames / (2 * math.pi) * np.sin(math.pi * share)
    temporal = kernel.autocov(np.abs(np.subtract.outer(places, places)))
    if name == "variance":
        grown = np.exp(strength * (share - 0.5))
        temporal = temporal * np.outer(grown, grown)
    covariance = np.kron(temporal, sigma)
    if name == "means":
        parts = [GaussianLaw(centre + sign * strength, covariance) for sign in (1, -1)]
    elif name == "scales":
        parts = [GaussianLaw(centre, math.exp(sign * strength) * covariance) for sign in (1, -1)]
    else:
        return GaussianLaw(centre, covariance)
    return MixtureLaw(parts, [0.5, 0.5])


def jobs(config: Config) -> list[dict[str, Any]]:
    """One training for each departure, strength and seed; one control for all of them."""
    return [
        config.job(
            seed,
            strengths=None,
            departures=None,
            departure=name,
            strength=strength,
            trains=trains,
        )
        for seed in range(config.seeds)
        for strength in config.strengths
        for name in (config.departures if strength else config.departures[:1])
        for trains in ("network", None)
    ]


def prepare(job: dict[str, Any]) -> tuple[Any, np.ndarray]:
    """A network and its data."""
    law = _law(job)
    data = data_of(law, job["sequences"], job["seed"])
    return network(job, law.frames, law.channels), data


def evaluate(job: dict[str, Any], model: Any) -> dict[str, Any]:
    """Errors of the network, or of the others on the same sequences."""
    law = _law(job)
    if model is not None:
        return {"DiT": errors(model, law, job)}
    data = data_of(law, job["sequences"], job["seed"])
    span = {"t_min": job["t_min"], "t_max": job["t_max"]}
    models: dict[str, Any] = {
        "constructed": constructed_from_fit(data, regimes="exponential", **span),
        "unstructured": maximum_likelihood(data, "unstructured"),
    }
    return {name: errors(one, law, job) for name, one in models.items()}


def _law(job: dict[str, Any]) -> Law:
    shape = job["frames"], job["channels"], job["length_scale"]
    return departed(job["departure"], job["strength"], *shape)


def summary(records: list[dict[str, Any]], config: Config) -> Table:
    """Means and intervals by departure and strength; where the network overtakes."""
    rows: list[dict[str, Any]] = []
    found: list[str] = []
    for name in config.departures:
        for strength in config.strengths:
            wanted = name if strength else config.departures[0]
            here = [r for r in records if (r["departure"], r["strength"]) == (wanted, strength)]
            if here:
                row: dict[str, Any] = {"departure": name, "strength": strength}
                known = {m: [r[m]["root"] for r in here if m in r] for m in MODELS}
                if all(known.values()):
                    rows.append(row | {m: interval(values) for m, values in known.items()})
        mine = [row for row in rows if row["departure"] == name]
        first = [r["strength"] for r in mine if r["DiT"].high < r["constructed"].low]
        if mine:
            found.append(
                f"{name}: error of the constructed model grows {_growth(mine, 'constructed')}, of "
                f"the network {_growth(mine, 'DiT')}; the network is better "
                + (f"from strength {first[0]} on" if first else "at no strength")
            )
    return Table(NAME, vars(config), rows, found)


def _growth(rows: list[dict[str, Any]], model: str) -> str:
    return f"{rows[-1][model].mean / rows[0][model].mean:.2g}-fold"


def figure(table: Table, axes: Any) -> None:
    """Error over the strength: a colour for each departure, a line style for each model."""
    styles = dict(zip(MODELS, ("-o", "--s", ":^"), strict=True))
    for k, name in enumerate(dict.fromkeys(row["departure"] for row in table.rows)):
        rows = table.where(departure=name)
        for model, style in styles.items():
            y = [row[model].mean for row in rows]
            axes.plot([r["strength"] for r in rows], y, style, ms=4, color=f"C{k}")
        axes.plot([], [], "-", color=f"C{k}", label=name)
    for model, style in styles.items():
        axes.plot([], [], style, ms=4, color="0.3", label=model)
    axes.set(yscale="log", xlabel="strength", ylabel="(Girsanov's bound)$^{1/2}$")
    log_ticks(axes.yaxis)
    axes.set_title("off the assumptions")
    axes.legend(fontsize=8)
