"""DiT against UNet against maximum likelihood against hand-built, on the same sequences.

*constructed* is the hand-built model of the fitted kernel; *twin* has the architecture of a
hand-built Chebyshev model and random weights; *fine-tuned* starts from the hand-built weights of a
kernel with half the length scale and is trained; *untuned* are these weights before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from constructions.build import build
from constructions.learned.baselines import KINDS, constructed_from_fit, maximum_likelihood
from constructions.learned.experiments.common import (
    Settings,
    data_of,
    errors,
    law_of,
    log_ticks,
    network,
    process,
    process_of,
)
from constructions.learned.experiments.table import Table, interval
from constructions.learned.twin import fine_tunable, twin
from constructions.learned.unet import UNet1d
from constructions.unrolled import UnrolledTransformer
from unroll.gaussian_process import GaussianProcess
from unroll.kernels import Exponential, Kernel, Logarithmic

__all__ = ["Config", "evaluate", "figure", "jobs", "prepare", "summary"]

NAME = "architectures"
KERNELS: dict[str, Kernel] = {
    "exponential": Exponential(4.0),
    "logarithmic": Logarithmic(4.0, 1.0),
}
NETWORKS, HAND_BUILT = ("DiT", "UNet"), ("twin", "fine-tuned")
TRAINED = (*NETWORKS, *HAND_BUILT)
OTHERS = ("constructed", "untuned", *KINDS)
_TOL = 0.05  # of the Chebyshev models: a few blocks


@dataclass(frozen=True)
class Config(Settings):
    """Kernels, models and the number of sequences."""

    sequences: int = 512
    kernels: tuple[str, ...] = tuple(KERNELS)

    SMALL: ClassVar[dict[str, Any]] = {"t_min": 0.1, "sequences": 256, "kernels": ("exponential",)}
    STANDARD: ClassVar[dict[str, Any]] = {"kernels": ("exponential",)}


def jobs(config: Config) -> list[dict[str, Any]]:
    """One for each model that is trained, kernel and seed; the others together."""
    return [
        config.job(
            seed,
            kernels=None,
            sequences=config.sequences,
            label=label,
            model=model,
            trains=_trains(model),
            learning_rate=1e-4 if model == "fine-tuned" else 1e-3,
            process=process(KERNELS[label], config.frames, config.channels),
        )
        for seed in range(config.seeds)
        for label in config.kernels
        for model in (*TRAINED, "others")
    ]


def _trains(model: str) -> str | None:
    if model in NETWORKS:
        return "network"
    return "hand-built" if model in HAND_BUILT else None


def prepare(job: dict[str, Any]) -> tuple[Any, np.ndarray]:
    """A model to train, and its data."""
    law = law_of(job)
    data = data_of(law, job["sequences"], job["seed"])
    if job["model"] == "DiT":
        return network(job, law.frames, law.channels), data
    if job["model"] == "UNet":
        return UNet1d(law.frames, law.channels, seed=job["seed"]), data
    if job["model"] == "twin":
        return twin(_hand_built(job, 1.0), seed=job["seed"]), data
    return fine_tunable(_hand_built(job, 0.5)), data


def evaluate(job: dict[str, Any], model: Any) -> dict[str, Any]:
    """Errors by model."""
    law = law_of(job)
    if model is not None:
        return {job["model"]: errors(model, law, job)}
    data = data_of(law, job["sequences"], job["seed"])
    span = {"t_min": job["t_min"], "t_max": job["t_max"]}
    found: dict[str, Any] = {kind: maximum_likelihood(data, kind) for kind in KINDS}
    found["constructed"] = constructed_from_fit(data, **span)
    found["untuned"] = _hand_built(job, 0.5)
    return {name: errors(one, law, job) for name, one in found.items()}


def _hand_built(job: dict[str, Any], stretched: float) -> UnrolledTransformer:
    """A Chebyshev model of the process with another length scale."""
    gp = process_of(job["process"])
    kernel = type(gp.kernel)(**(vars_of(gp.kernel) | {"length_scale": 4.0 * stretched}))
    problem = GaussianProcess(kernel, gp.frames, gp.spatial_cov)
    return build(problem, method="chebyshev", tol=_TOL, t_min=job["t_min"], t_max=job["t_max"])


def vars_of(kernel: Kernel) -> dict[str, Any]:
    """The parameters of a kernel."""
    names = ("length_scale", "exponent", "power")
    return {name: getattr(kernel, name) for name in names if hasattr(kernel, name)}


def summary(records: list[dict[str, Any]], config: Config) -> Table:
    """Means and intervals, the best first."""
    rows: list[dict[str, Any]] = []
    found: list[str] = []
    for label in config.kernels:
        here = [r for r in records if r["label"] == label]
        own: list[dict[str, Any]] = []
        for model in (*TRAINED, *OTHERS):
            values = [r[model] for r in here if model in r]
            if values:
                own.append(
                    {
                        "kernel": label,
                        "model": model,
                        "root": interval([e["root"] for e in values]),
                        "relative": interval([e["relative"] for e in values]),
                        "at t_min": interval([e["at_t_min"] for e in values]),
                    }
                )
        own.sort(key=lambda row: float(row["root"].mean))
        rows += own
        best = [row for row in own if row["model"] in TRAINED][:1]
        for row in best:
            ratio = row["root"].mean / own[0]["root"].mean
            found.append(
                f"{label}: of the trained models {row['model']} is best, {ratio:.2g} times the "
                f"error of {own[0]['model']}"
            )
    return Table(NAME, vars(config), rows, found)


def figure(table: Table, axes: Any) -> None:
    """Errors by model, a colour for each kernel."""
    labels = list(dict.fromkeys(row["kernel"] for row in table.rows))
    models = [row["model"] for row in table.where(kernel=labels[0])]
    for k, label in enumerate(labels):
        rows = {row["model"]: row["root"] for row in table.where(kernel=label)}
        y = [models.index(m) + 0.2 * k for m in models if m in rows]
        e = [rows[m] for m in models if m in rows]
        spread = [[x.mean - x.low for x in e], [x.high - x.mean for x in e]]
        axes.errorbar([x.mean for x in e], y, xerr=spread, fmt="o", label=label)
    axes.set_yticks(range(len(models)), models)
    axes.set(xscale="log", xlabel="(Girsanov's bound)$^{1/2}$")
    log_ticks(axes.xaxis)
    axes.set_title("models on the same sequences")
    axes.legend(loc="lower right")
