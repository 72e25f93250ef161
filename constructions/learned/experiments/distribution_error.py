r"""Distribution error against the number of sequences, in every decay regime.

The error is ``(1/2 int E|s_hat - s|^2 dt)^{1/2}``: by Girsanov and Pinsker total variation is at
most a constant times it, and Theorem 2 of the paper says that it falls like ``n^{-1/2}``, is
smaller for faster decay (larger ``nu``, ``p``, ``q``) and for shorter length scales. Networks are
trained for a fixed number of steps, without early stopping. Maximum likelihood over all Kronecker
products and over all covariances, from the same sequences, are the control: their errors must fall
like ``n^{-1/2}``.

Source: arXiv 2407.16134, Theorem 2 and section 5.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, ClassVar

from constructions.learned.baselines import maximum_likelihood
from constructions.learned.experiments.common import (
    Settings,
    data_of,
    errors,
    law_of,
    log_ticks,
    prepare,
    process,
)
from constructions.learned.experiments.findings import falls, slopes_said
from constructions.learned.experiments.table import Table, interval, slope
from unroll.errors import ArgumentError
from unroll.kernels import Exponential, Kernel, Logarithmic, Polynomial

__all__ = ["Config", "evaluate", "figure", "jobs", "prepare", "summary"]

NAME = "distribution_error"

#: Label to kernel.
KERNELS: dict[str, Kernel] = {
    "exponential nu=0.5 l=4": Exponential(4.0, 0.5),
    "exponential nu=1 l=4": Exponential(4.0, 1.0),
    "exponential nu=1.5 l=4": Exponential(4.0, 1.5),
    "exponential nu=1 l=16": Exponential(16.0, 1.0),
    "polynomial p=0.5": Polynomial(4.0, 0.5),
    "polynomial p=2": Polynomial(4.0, 2.0),
    "logarithmic q=1": Logarithmic(4.0, 1.0),
    "logarithmic q=2": Logarithmic(4.0, 2.0),
}
#: What the theory says falls from the first to the second.
ORDERED = {
    "nu from 0.5 to 1": ("exponential nu=0.5 l=4", "exponential nu=1 l=4"),
    "nu from 1 to 1.5": ("exponential nu=1 l=4", "exponential nu=1.5 l=4"),
    "l from 16 to 4": ("exponential nu=1 l=16", "exponential nu=1 l=4"),
    "p from 0.5 to 2": ("polynomial p=0.5", "polynomial p=2"),
    "q from 1 to 2": ("logarithmic q=1", "logarithmic q=2"),
}
_FEWER = (
    "exponential nu=0.5 l=4",
    "exponential nu=1 l=4",
    "exponential nu=1 l=16",
    "polynomial p=0.5",
    "polynomial p=2",
    "logarithmic q=1",
    "logarithmic q=2",
)
MODELS = ("DiT", "kronecker", "unstructured")


@dataclass(frozen=True)
class Config(Settings):
    """Kernels and numbers of sequences."""

    kernels: tuple[str, ...] = tuple(KERNELS)
    sequences: tuple[int, ...] = (64, 256, 1024, 4096)

    SMALL: ClassVar[dict[str, Any]] = {
        "channels": 1,
        "kernels": ("exponential nu=1 l=4", "logarithmic q=1"),
        "sequences": (64, 512),
    }
    STANDARD: ClassVar[dict[str, Any]] = {
        "steps": 4000,  # with fewer the largest n is limited by the training, not by n
        "kernels": _FEWER,
        "sequences": (128, 512, 2048),
    }


def jobs(config: Config) -> list[dict[str, Any]]:
    """One training for each kernel, number and seed, and maximum likelihood."""
    return [
        config.job(
            seed,
            kernels=None,
            sequences=n,
            label=label,
            trains=trains,
            process=process(KERNELS[label], config.frames, config.channels),
        )
        for seed in range(config.seeds)
        for n in config.sequences
        for label in config.kernels
        for trains in ("network", None)
    ]


def evaluate(job: dict[str, Any], model: Any) -> dict[str, Any]:
    """Errors of the network, or of maximum likelihood on the same sequences."""
    law = law_of(job)
    models = {"DiT": model}
    if model is None:
        data, models = data_of(law, job["sequences"], job["seed"]), {}
        for kind in MODELS[1:]:
            with contextlib.suppress(ArgumentError):  # too few sequences
                models[kind] = maximum_likelihood(data, kind)
    found = {name: errors(one, law, job) for name, one in models.items()}
    return {f"{name} {key}": x for name, e in found.items() for key, x in e.items()}


def summary(records: list[dict[str, Any]], config: Config) -> Table:
    """Means and intervals, slopes against n, and orderings."""
    rows: list[dict[str, Any]] = []
    found: list[str] = []
    for label in config.kernels:
        mine = [r for r in records if r["label"] == label]
        for n in config.sequences:
            here = [r for r in mine if r["sequences"] == n]
            if not here:
                continue
            row: dict[str, Any] = {"kernel": label, "n": n}
            for model in MODELS:
                values = [r[f"{model} root"] for r in here if f"{model} root" in r]
                if values:
                    row[model] = interval(values)
            relative = [r["DiT relative"] for r in here if "DiT relative" in r]
            if relative:
                row["DiT relative"] = interval(relative)
            rows.append(row)
        for model in MODELS:
            found += _slope(mine, model, label, config)
    for change, (worse, better) in ORDERED.items():
        for n in (config.sequences[0], config.sequences[-1]):
            pair = [[r for r in rows if (r["kernel"], r["n"]) == (k, n)] for k in (worse, better)]
            if all(p and "DiT" in p[0] for p in pair):
                found.append(
                    falls(f"{change}, n = {n}", pair[0][0]["DiT"], pair[1][0]["DiT"], "the error")
                )
    return Table(NAME, vars(config), rows, found)


def _slope(records: list[dict[str, Any]], model: str, label: str, config: Config) -> list[str]:
    by_seed = []
    for seed in range(config.seeds):
        here = {
            r["sequences"]: r[f"{model} root"]
            for r in records
            if r["seed"] == seed and f"{model} root" in r
        }
        if len(here) == len(config.sequences):
            by_seed.append([here[n] for n in config.sequences])
    if not by_seed:
        return []
    return [slopes_said(f"{label}, {model}, against n", slope(config.sequences, by_seed), -0.5)]


def figure(table: Table, axes: Any) -> None:
    """Error over n, one line for each kernel; maximum likelihood dashed."""
    for label in dict.fromkeys(row["kernel"] for row in table.rows):
        rows = [row for row in table.where(kernel=label) if "DiT" in row]
        n, e = [row["n"] for row in rows], [row["DiT"] for row in rows]
        (line,) = axes.plot(n, [x.mean for x in e], "o-", label=label)
        low, high = [x.low for x in e], [x.high for x in e]
        axes.fill_between(n, low, high, color=line.get_color(), alpha=0.15)
        known = [(row["n"], row["kronecker"].mean) for row in rows if "kronecker" in row]
        axes.plot(*zip(*known, strict=True), "--", color=line.get_color(), lw=0.8)
    axes.set(xscale="log", yscale="log", xlabel="sequences n", ylabel="(Girsanov's bound)$^{1/2}$")
    log_ticks(axes.xaxis, axes.yaxis)
    axes.set_title("trained DiT (solid), maximum likelihood Kronecker (dashed)")
    axes.legend(fontsize=7)
