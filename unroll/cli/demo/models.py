"""The demo's models: every method with every attention, built, measured and saved."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constructions import Summary, UnrolledTransformer, Verification, build, verify
from constructions.compile import iterate_channel
from unroll.cli.demo.measure import rms_errors
from unroll.cli.output import progress_bar
from unroll.cli.scores import model_iterates
from unroll.errors import ArgumentError
from unroll.gaussian_process import GaussianProcess
from unroll.plan import Plan
from unroll.planner import make_plan
from unroll.refusals import DepthError

__all__ = ["Built", "ModelSettings", "build_all", "layer_errors", "realised_temporal_cov"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ModelSettings:
    """What the models are asked for.

    Attributes
    ----------
    tol, t_min, t_max
        Accuracy and range of the diffusion time. The range is wide because the models are to be
        sampled with: unit noise at t_max and a stop at t_min are two approximations of a sampler.
    max_layers
        Where a method needs more blocks it gets a shorter range, the longest that is affordable.
    fine_tol
        One more model (Chebyshev, softmax) shows the price of accuracy.
    """

    tol: float = 1e-3
    t_min: float = 1e-4
    t_max: float = 10.0
    max_layers: int = 2000
    fine_tol: float = 1e-6


@dataclass(frozen=True)
class Built:
    """A model with what was measured on it.

    `refused` is the planner's reason where the whole range was refused and a shorter one taken;
    `seconds` is the time from plan to module; `path` is where it was saved.
    """

    model: UnrolledTransformer
    summary: Summary
    verification: Verification
    seconds: float
    refused: str | None
    path: str

    @property
    def plan(self) -> Plan:
        """What the model was built from."""
        return self.model.plan

    @property
    def name(self) -> str:
        """Such as "chebyshev, softmax"."""
        return f"{self.plan.method_name}, {self.plan.attention}"

    def to_dict(self) -> dict[str, Any]:
        """Numbers for `numbers.json`."""
        return {
            "method": self.plan.method_name,
            "attention": self.plan.attention,
            "tol": self.plan.tol,
            "t_min": self.plan.t_min,
            "t_max": self.plan.t_max,
            "layers": self.plan.depth,
            "heads": self.plan.heads,
            "parameters": self.summary.parameters,
            "bound": self.plan.budget.total,
            "relative_error": self.verification.worst,
            "passed": self.verification.passed,
            "build_seconds": self.seconds,
            "refused": self.refused,
        }


def build_all(
    gp: GaussianProcess, settings: ModelSettings, folder: Path, label: str, show: bool
) -> list[Built]:
    """Build, verify and save the models; `folder` gets one subfolder each."""
    requests = [
        {"method": method, "attention": attention, "tol": settings.tol}
        for method in ("gradient", "chebyshev")
        for attention in ("softmax", "relu")
    ] + [{"method": "chebyshev", "attention": "softmax", "tol": settings.fine_tol}]
    done = []
    for request in requests:
        name = f"{request['method']}-{request['attention']}-{request['tol']:g}"
        started = time.perf_counter()
        plan, refused = affordable_plan(gp, settings, **request)
        model = build(plan)
        seconds = time.perf_counter() - started
        with progress_bar(1, f"{label}: verify {name}", show) as bar:

            def advance(part: int, total: int, bar: Any = bar) -> None:
                bar.total = total
                bar.update(part - bar.n)

            found = verify(model, progress=advance)
        model.save(folder / name)
        done.append(Built(model, model.summary(), found, seconds, refused, f"models/{name}"))
    return done


def affordable_plan(
    gp: GaussianProcess, settings: ModelSettings, **request: Any
) -> tuple[Plan, str | None]:
    """A plan for the whole range, or for the longest that ends in 1, 2 or 5 and is affordable."""
    refused = None
    for t_min in _times(settings.t_min):
        try:
            plan = make_plan(
                gp, t_min=t_min, t_max=settings.t_max, max_layers=settings.max_layers, **request
            )
        except DepthError as error:
            refused = refused or str(error)
        else:
            return plan, refused
    raise ArgumentError("max_layers", settings.max_layers, refused or "", "allow more layers")


def _times(start: float) -> Iterator[float]:
    """`start`, and then 1, 2, 5, 10, ... times the power of ten below it, up to 1."""
    yield start
    decade = 10.0 ** np.floor(np.log10(start))
    while decade < 1:
        for digit in (1, 2, 5):
            if (t := float(f"{digit * decade:.1g}")) > start:
                yield t
        decade *= 10


def layer_errors(built: Built, t: float) -> tuple[Array, Array]:
    """Error after each block, without sampling noise, and the theoretical rate."""
    plan = built.plan
    measured = rms_errors(plan.gp, model_iterates(built.model), t)
    kappa = plan.spectrum.condition_number(t)
    return measured, np.array([plan.method.rate(kappa, k + 1) for k in range(plan.depth)])


def realised_temporal_cov(model: UnrolledTransformer) -> Array:
    """Gamma as the heads of block 0 carry it, from patterns and weights alone.

    Head h adds ``pattern_h x value output_h`` to the target: summed over heads, the entries that
    lead from channel 0 of the iterate to channel 0 of the next are ``Gamma_ij Sigma_00``.
    """
    attention = model.weights().blocks[0].attention
    assert attention is not None
    source = model.stream[iterate_channel(model.stream, 0)].start
    target = model.stream[iterate_channel(model.stream, 1)].start
    per_head = attention.output[:, :, target] @ attention.value[source]
    frames, heads = model.architecture.frames, model.architecture.heads
    patterns = np.stack([model.attention_matrix(head=h)[:, :frames] for h in range(heads)])
    gamma: Array = np.einsum("h,hij->ij", per_head, patterns) / model.plan.gp.spatial_cov[0, 0]
    return gamma
