"""One data set from end to end: fit, models, samples, with every number kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unroll import datasets
from unroll.cli.demo.measure import autocorrelation
from unroll.cli.demo.models import Built, ModelSettings, build_all, layer_errors
from unroll.cli.demo.sampling import SampleStudy, study_samples
from unroll.cli.output import progress_bar
from unroll.fit_report import FitReport
from unroll.fitting import fit
from unroll.gaussian_process import GaussianProcess

__all__ = ["Settings", "Study", "study"]

Array = NDArray[np.float64]

_REGIMES = ("exponential", "polynomial", "logarithmic")


@dataclass(frozen=True)
class Settings:
    """Sizes of the demo."""

    models: ModelSettings = field(default_factory=ModelSettings)
    samples: int = 1000
    steps: int = 50
    seed: int = 0


@dataclass(frozen=True)
class HeldOut:
    """Log-likelihood of one regime on the sequences no fit has seen, in nats per sequence.

    `behind` is the mean amount by which the chosen regime is better, and `error` its standard
    error over independent blocks of sequences.
    """

    mean: float
    behind: float
    error: float


@dataclass(frozen=True)
class Study:
    """Everything measured on one data set.

    `layer_errors` maps t to name to (measured, rate) per layer.
    """

    data: datasets.Dataset
    report: FitReport
    held_out: dict[str, HeldOut]
    autocorrelation: tuple[Array, Array]
    built: list[Built]
    layer_errors: dict[float, dict[str, tuple[Array, Array]]]
    sampled: SampleStudy

    @property
    def gp(self) -> GaussianProcess:
        """The fitted process, in standard units."""
        return self.report.gp

    def pick(self, method: str, attention: str) -> Built:
        """The model of that kind at the common tolerance."""
        return next(
            b for b in self.built if (b.plan.method_name, b.plan.attention) == (method, attention)
        )

    def to_dict(self) -> dict[str, Any]:
        """Numbers for `numbers.json`."""
        return {
            "fit": self.report.to_dict(),
            "held_out": {name: vars(value) for name, value in self.held_out.items()},
            "models": [built.to_dict() for built in self.built],
            "samples": self.sampled.to_dict(),
        }


def study(name: str, settings: Settings, folder: Path, show: bool) -> Study:
    """Run one data set; `folder` gets gp.json, the models and the samples."""
    data = datasets.load(name)
    with progress_bar(len(_REGIMES), f"{name}: fit", show) as bar:
        report = fit(
            data.train, _REGIMES, held_out=0.0, mean=False, progress=lambda line: bar.update()
        )
    folder.mkdir()
    report.gp.save(folder / "gp.json")
    built = build_all(report.gp, settings.models, folder / "models", name, show)
    by_kind = {(b.plan.method_name, b.plan.attention): b for b in reversed(built)}
    pair = [by_kind[method, "softmax"] for method in ("gradient", "chebyshev")]
    with progress_bar(4, f"{name}: error by layer", show) as bar:
        errors: dict[float, dict[str, tuple[Array, Array]]] = {}
        for t in (max(b.plan.t_min for b in pair), 1.0):
            errors[t] = {}
            for b in pair:
                errors[t][b.plan.method_name] = layer_errors(b, t)
                bar.update()
    sampler = by_kind["chebyshev", "softmax"].model
    # Data sets get independent noise, whichever of them are run.
    seed = [settings.seed, 1 + datasets.names().index(name)]
    sampled = study_samples(sampler, settings.samples, settings.steps, seed, name, show)
    np.save(folder / "samples.npy", sampled.samples)
    return Study(
        data=data,
        report=report,
        held_out=_held_out(report, data),
        autocorrelation=autocorrelation(data.train, data.blocks[~data.held_out]),
        built=built,
        layer_errors=errors,
        sampled=sampled,
    )


def _held_out(report: FitReport, data: datasets.Dataset) -> dict[str, HeldOut]:
    values = {c.regime: c.gp.log_likelihood(data.test) for c in report.candidates}
    best = values[report.chosen.regime]
    blocks = data.blocks[data.held_out]
    found = {}
    for regime, value in values.items():
        behind = np.array([(best - value)[blocks == b].mean() for b in np.unique(blocks)])
        error = behind.std(ddof=1) / np.sqrt(len(behind))
        found[regime] = HeldOut(float(value.mean()), float(behind.mean()), float(error))
    return found
