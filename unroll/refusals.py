"""Why there is no plan: each refusal names the number that stands in the way and what to change."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from scipy.linalg import eigvalsh, toeplitz

from unroll.attention import Lowering, ReluLag
from unroll.errors import ArgumentError
from unroll.methods import METHODS
from unroll.request import RATE_SHARE, Demand, Request
from unroll.rounding import unit_roundoff
from unroll.spectrum import Spectrum, spatial_bounds

__all__ = [
    "DepthError",
    "below_floor",
    "check_band",
    "no_exponentials",
    "room_is_gone",
    "too_deep",
]


class DepthError(ArgumentError):
    """A plan would have more layers than allowed; ``depth`` says how many."""

    def __init__(self, depth: int, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.args = (depth, *self.args)  # so that it survives pickling
        self.depth = depth


def check_band(request: Demand, lowering: ReluLag) -> None:
    """Refuse a band that costs the operator its definiteness, or the model its tolerance."""
    gp, relative = request.gp, request.perturbation(lowering)[1]
    if relative * (1 + request.tol) < (1 - RATE_SHARE) * request.tol:
        return
    wider = f"use a bandwidth above {lowering.bandwidth}, or none to have it chosen"
    if math.isfinite(relative):
        cost = (
            f"costs a relative score error of {relative:.3g}, more than its share of "
            f"tol={request.tol:g}"
        )
        raise ArgumentError("bandwidth", lowering.bandwidth, cost, wider)
    column = lowering.autocov(gp.kernel, gp.frames)
    temporal = float(eigvalsh(toeplitz(column), subset_by_index=[0, 0])[0])
    spatial = spatial_bounds(gp.spatial_cov)
    bottom = temporal * (spatial[1] if temporal < 0 else spatial[0])
    smallest = Spectrum(bottom, request.spectrum.upper).noisy(request.t_min)[0]
    verdict = "is indefinite" if smallest <= 0 else "cannot be shown to be positive definite"
    raise ArgumentError(
        "bandwidth",
        lowering.bandwidth,
        f"the banded operator {verdict} (smallest eigenvalue {smallest:.3g} at t={request.t_min:g})"
        " and the iteration may diverge",
        wider,
    )


def no_exponentials(request: Demand, terms: int, cost: float) -> ArgumentError:
    """Say how close sums of exponentials come, and which attention needs none."""
    reached = (
        f"leave a relative score error of {cost:.2g}, too much for tol={request.tol:g}"
        if math.isfinite(cost)
        else "leave an operator that cannot be shown to be positive definite"
    )
    return ArgumentError(
        "attention",
        "alibi",
        f"{terms} exponentials fitted to {request.gp.kernel} {reached}",
        "use attention='softmax', which carries any kernel in one head, or a larger tol",
    )


def below_floor(request: Request, lowering: Lowering) -> ArgumentError:
    """Say how small a tolerance the arithmetic allows."""
    floor = _floor(request, lowering)
    advised = min(1.06 * floor, 0.99)  # so that the number still works when it is printed short
    kappa = request.spectrum.condition_number(request.t_min)
    advice = [f"tol >= {advised:.2g}"] if floor < 1 else []
    if request.dtype == "float32":
        advice.append("dtype='float64'")
    if request.rounding == "guaranteed" and request.dtype == "float32":
        measured = _floor(replace(request, rounding="measured"), lowering)
        advice.append(f"rounding='measured' (an estimate, not a bound: floor {measured:.2g})")
    advice.append(f"t_min above {request.t_min:g}")
    return ArgumentError(
        "tol",
        request.tol,
        f"is below the {request.dtype} floor of {floor:.2g} ({request.rounding} rounding): "
        f"errors grow with the condition number {kappa:.4g} (method {request.solver.name!r}, "
        f"attention {lowering.name!r})",
        "use " + ", or ".join(advice),
    )


def room_is_gone(request: Demand, method: str, truncation: float, rounding: float) -> ArgumentError:
    """Say what truncation and rounding leave of the tolerance for methods that need few steps."""
    kappa = request.spectrum.condition_number(request.t_min)
    least = 1.06 * (truncation + rounding) / (1 - RATE_SHARE)
    advice = f"use tol >= {least:.2g}, " if least < 1 else "use "
    if request.dtype == "float32":
        advice += "dtype='float64', "
    if request.rounding == "guaranteed":
        advice += "rounding='measured' (an estimate, not a bound), "
    return ArgumentError(
        "tol",
        request.tol,
        f"leaves no room in {request.dtype}: rounding costs {rounding:.2g} ({request.rounding}), "
        f"truncation {truncation:.2g} (condition number {kappa:.4g}, method {method!r})",
        f"{advice}or t_min above {request.t_min:g}",
    )


def _floor(request: Request, lowering: Lowering) -> float:
    """The smallest feasible tolerance to 2 %, or 1 where there is none."""
    low, high = math.log(max(request.tol, unit_roundoff(request.dtype))), 0.0
    while high - low > 0.02:
        middle = (low + high) / 2
        solution = replace(request, tol=math.exp(middle)).solve(lowering)
        feasible = solution is not None and solution[2] is not None
        low, high = (low, middle) if feasible else (middle, high)
    return math.exp(high)


def too_deep(request: Request, lowering: Lowering, depth: int) -> DepthError:
    """Say how many layers it would take, and which method takes fewer."""
    kappa = request.spectrum.condition_number(request.t_min)
    alternatives = {
        name: solution[0]
        for name, solver in METHODS.items()
        if (solution := replace(request, solver=solver).solve(lowering)) and solution[2]
    }
    best = min(alternatives, key=lambda name: alternatives[name], default=None)
    remedy = f"use method={best!r} ({alternatives[best]} layers) or " if best else ""
    return DepthError(
        depth,
        "method",
        request.solver.name,
        f"needs {depth} layers for tol={request.tol:g} at condition number {kappa:.4g}, more than "
        f"max_layers={request.max_layers}",
        f"{remedy}raise t_min, tol or max_layers",
    )
