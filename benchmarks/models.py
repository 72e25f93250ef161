"""What models cost to build and to store: layers, heads, seconds, bytes, over regime and N."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from benchmarks.ours import CONSTRUCTIONS, GROWTH, T_MAX, T_MIN, TOL
from benchmarks.problem import Problem
from benchmarks.suite import KERNELS
from constructions import build
from unroll import ArgumentError, GaussianProcess, Plan, make_plan

CHANNELS = 4
#: Layers beyond which a model is planned and not built.
MOST_LAYERS = 500


@dataclass(frozen=True)
class ModelCost:
    """One construction on one problem of `CHANNELS` channels.

    Attributes
    ----------
    construction, kernel, frames
        Which one.
    tol
        Relative rms error that was asked for.
    layers, heads
        Blocks, and heads per block.
    bound
        Planned relative rms error.
    plan_seconds, build_seconds
        Seconds to plan, and from the plan to a model.
    parameters, nonzero, size
        Weights, those that are not zero, and bytes of the distinct tensors.
    refused
        Why there is no plan, or no model beyond the plan.
    """

    construction: str
    kernel: str
    frames: int
    tol: float
    layers: int | None = None
    heads: int | None = None
    bound: float | None = None
    plan_seconds: float | None = None
    build_seconds: float | None = None
    parameters: int | None = None
    nonzero: int | None = None
    size: int | None = None
    refused: str | None = None


def model_costs(
    sizes: Sequence[int],
    *,
    kernels: Sequence[str] = ("exponential", "polynomial", "logarithmic"),
    constructions: Mapping[str, Mapping[str, Any]] = CONSTRUCTIONS,
    patience: float = 10.0,
    report: Callable[[str], None] = lambda line: None,
) -> list[ModelCost]:
    """Plan and build every construction at ascending sizes.

    ``patience`` is the largest number of seconds that planning and building may be predicted to
    take, from the size before.
    """
    costs = []
    for kernel in kernels:
        for name, options in constructions.items():
            last: tuple[int, float] | None = None
            for frames in sorted(sizes):
                growth = GROWTH.get(options.get("method", ""), 1.2)
                expected = last[1] * (frames / last[0]) ** growth if last else 0.0
                if expected > patience:
                    refused = f"~{expected:.0f} s"
                    tol = options.get("tol", TOL)
                    costs.append(ModelCost(name, kernel, frames, tol, refused=refused))
                    continue
                report(f"{name}: {kernel}, N = {frames}")
                start = time.process_time()
                costs.append(_cost(name, kernel, frames, options))
                last = frames, time.process_time() - start
    return costs


def _cost(name: str, kernel: str, frames: int, options: Mapping[str, Any]) -> ModelCost:
    spatial_cov = Problem(KERNELS[kernel], 2, CHANNELS).spatial_cov
    gp = GaussianProcess(KERNELS[kernel], frames, spatial_cov)
    base = ModelCost(name, kernel, frames, options.get("tol", TOL))
    start = time.process_time()
    try:
        plan = make_plan(gp, **{"tol": TOL, "t_min": T_MIN, "t_max": T_MAX, **options})
    except ArgumentError as error:
        return replace(base, refused=f"{error.argument} {error.condition}")
    planned = replace(
        base,
        layers=plan.layers,
        heads=plan.heads,
        bound=plan.budget.total,
        plan_seconds=time.process_time() - start,
    )
    if plan.layers > MOST_LAYERS:
        return replace(planned, refused=f"{plan.layers} layers are not built")
    return replace(planned, **_built(plan))


def _built(plan: Plan) -> dict[str, Any]:
    start = time.process_time()
    model = build(plan)
    seconds = time.process_time() - start
    summary = model.summary()
    distinct: dict[int, torch.Tensor] = {x.data_ptr(): x for x in model.state_dict().values()}
    return {
        "build_seconds": seconds,
        "parameters": summary.parameters,
        "nonzero": summary.nonzero,
        "size": sum(x.numel() * x.element_size() for x in distinct.values()),
    }
