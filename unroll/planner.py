"""From a tolerance to a plan: bandwidth first, then depth, with rounding in the books.

The budget (theory: residual polynomial plus perturbation of the operator) is

    error <= delta_K + (1 + delta_K) e_t / m~_t + rounding,

with ``e_t = alpha_t^2 ||Gamma~ - Gamma|| ||Sigma||`` and ``m~_t >= m_t - e_t > 0`` the smallest
eigenvalue of the operator that the heads carry. Every term is largest at ``t_min``: ``alpha_t^2``
and the condition number fall as ``t`` grows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from scipy.linalg import eigvalsh, toeplitz

from unroll.attention import Lowering, ReluLag, SoftmaxSink
from unroll.errors import ArgumentError
from unroll.gaussian_process import GaussianProcess
from unroll.methods import METHODS, Method, get_method
from unroll.plan import ErrorBudget, Plan
from unroll.rounding import (
    ACTIVATION_ROUNDINGS,
    DTYPES,
    ROUNDING_MODELS,
    guaranteed_rounding,
    measured_rounding,
)
from unroll.schedules import alpha_sq
from unroll.spectrum import Spectrum, enclose, spatial_bounds
from unroll.validation import choice, in_range, integer

__all__ = ["make_plan"]

# Shares of tol: what banding may cost, and what must be left for the rate. Splitting a tolerance
# costs depth only through its logarithm.
_TRUNCATION_SHARE = 0.25
_RATE_SHARE = 0.25
# What is left so that a proof that rounds outward still closes.
_OUTWARD_MARGIN = 1e-6
_SMALLEST_TOL = 1e-300
_SMALLEST_T, _LARGEST_T = 1e-12, 1e3
_FREQUENCIES = (1, 2, 4, 8, 16, 32)


def make_plan(
    gp: GaussianProcess,
    *,
    method: str = "chebyshev",
    attention: str = "softmax",
    tol: float = 1e-6,
    t_min: float = 0.01,
    t_max: float = 5.0,
    dtype: str = "float64",
    activation: str = "relu",
    heads: str = "knot",
    bandwidth: int | None = None,
    frequencies: int | None = None,
    rounding: str | None = None,
    max_layers: int = 4000,
) -> Plan:
    """Choose depth and heads so that the score error stays below ``tol``.

    Parameters
    ----------
    gp
        The problem.
    method
        ``"gradient"``, ``"neumann"`` or ``"chebyshev"``.
    attention
        ``"softmax"`` (one head with an attention sink) or ``"relu"`` (lag heads).
    tol
        Relative root-mean-square score error, ``tol < 1``, uniformly over the range of t.
    t_min, t_max
        Range of the diffusion time, ``1e-12 <= t_min < t_max <= 1000``.
    dtype
        ``"float64"`` or ``"float32"``; ``tol`` must exceed what its rounding allows.
    activation
        Feed-forward activation: ``"relu"``, ``"gelu"``, ``"gelu_tanh"`` or ``"silu"``.
    heads
        For ReLU attention: ``"knot"`` (one head per lag) or ``"trapezoid"`` (the paper's four).
    bandwidth
        For ReLU attention: largest lag that is kept; by default the smallest that ``tol`` allows.
    frequencies
        For ReLU attention: harmonics of the position embedding; by default as few as rounding
        allows.
    rounding
        How rounding is budgeted: ``"guaranteed"`` (a bound, the default for float64) or
        ``"measured"`` (an estimate that cannot be certified, for float32 only and its default,
        because its bound is far above what is seen). See `unroll.rounding`.
    max_layers
        A plan with more blocks than this is refused.

    Raises
    ------
    ArgumentError
        An argument outside its range; a ``tol`` below the rounding floor of ``dtype``; a
        bandwidth that makes the operator indefinite or costs more than ``tol``; too many layers.
    """
    if not isinstance(gp, GaussianProcess):
        raise ArgumentError("gp", gp, "must be a GaussianProcess", "make one first")
    solver = get_method(method)
    choice("attention", attention, ("softmax", "relu"))
    choice("dtype", dtype, DTYPES)
    choice("activation", activation, ACTIVATION_ROUNDINGS)
    choice("heads", heads, ("knot", "trapezoid"))
    rounding = rounding or ("guaranteed" if dtype == "float64" else "measured")
    choice("rounding", rounding, ROUNDING_MODELS)
    if rounding == "measured" and dtype == "float64":
        raise ArgumentError(
            "rounding", rounding, "compares with float64, so it needs float32", "use 'guaranteed'"
        )
    in_range("tol", tol, _SMALLEST_TOL, 1.0, high_open=True)
    # sigma^2 is about t: below this it drowns in the rounding of the covariance itself
    in_range("t_min", t_min, _SMALLEST_T, _LARGEST_T, high_open=True)
    in_range("t_max", t_max, t_min, _LARGEST_T, low_open=True)
    integer("max_layers", max_layers, 1)
    if attention == "softmax" and not (bandwidth is None and frequencies is None):
        raise ArgumentError(
            "attention", attention, "takes no bandwidth or frequencies", "use attention='relu'"
        )
    request = _Request(
        gp=gp,
        solver=solver,
        spectrum=enclose(gp.kernel, gp.frames, gp.spatial_cov),
        tol=tol,
        t_min=t_min,
        t_max=t_max,
        dtype=dtype,
        activation=activation,
        rounding=rounding,
        max_layers=max_layers,
    )
    lowering = (
        SoftmaxSink.design(gp.kernel, gp.frames)
        if attention == "softmax"
        else _relu(request, heads, bandwidth, frequencies)
    )
    solution = request.solve(lowering)
    if solution is None:
        raise _below_floor(request, lowering)
    depth, spectrum, budget = solution
    if budget is None:
        raise _too_deep(request, lowering, depth)
    return Plan(
        gp=gp,
        method_name=method,
        lowering=lowering,
        depth=depth,
        spectrum=spectrum,
        tol=float(tol),
        t_min=float(t_min),
        t_max=float(t_max),
        dtype=dtype,
        activation=activation,
        rounding_model=rounding,
        budget=budget,
    )


@dataclass(frozen=True)
class _Request:
    """What was asked for, with the enclosure of the true spectrum."""

    gp: GaussianProcess
    solver: Method
    spectrum: Spectrum
    tol: float
    t_min: float
    t_max: float
    dtype: str
    activation: str
    rounding: str
    max_layers: int
    measured: dict[Any, float] = field(default_factory=dict, compare=False)

    def perturbation(self, lowering: Lowering) -> tuple[float, float]:
        """``(e, e_t / m~_t)`` at ``t_min``: the operator's error before the diffusion scales it,
        and relative to the smallest eigenvalue that is left (``inf`` where none is left).
        """
        norm = spatial_bounds(self.gp.spatial_cov)[1]
        radius = lowering.operator_error(self.gp.kernel, self.gp.frames) * norm
        radius *= 1 + _OUTWARD_MARGIN
        smallest = self.spectrum.widened(radius).noisy(self.t_min)[0]
        scaled = float(alpha_sq(self.t_min)) * radius
        return radius, scaled / smallest if smallest > 0 else math.inf

    def rounding_error(self, lowering: Lowering, spectrum: Spectrum, depth: int) -> float:
        inputs = (self.gp, lowering, self.solver, spectrum, depth)
        if self.rounding == "guaranteed":
            return guaranteed_rounding(
                *inputs,
                t_min=self.t_min,
                t_max=self.t_max,
                dtype=self.dtype,
                activation=self.activation,
            )
        # rounding errors settle once the iteration has converged: one depth is enough
        key = (lowering, self.solver.name)
        if key not in self.measured:
            self.measured[key] = measured_rounding(*inputs, t_min=self.t_min, dtype=self.dtype)
        return self.measured[key]

    def solve(self, lowering: Lowering) -> tuple[int, Spectrum, ErrorBudget | None] | None:
        """Depth, spectrum and budget; ``None`` where the tolerance leaves no room.

        A depth above ``max_layers`` comes without a budget: counting its roundings would take as
        long as running it.
        """
        radius, relative = self.perturbation(lowering)
        spectrum = self.spectrum.widened(radius)
        if not relative < self.tol:
            return None
        kappa = spectrum.condition_number(self.t_min)
        depth = self.solver.depth(kappa, self.tol)
        while True:
            error = self.rounding_error(lowering, spectrum, min(depth, self.max_layers))
            room = self.tol * (1 - _OUTWARD_MARGIN) - (1 + self.tol) * relative - error
            if room < _RATE_SHARE * self.tol:
                return None
            deeper = self.solver.depth(kappa, room)
            if deeper > self.max_layers:
                return deeper, spectrum, None
            if deeper <= depth:
                rate = self.solver.rate(kappa, depth)
                shares = (rate, (1 + rate) * relative, error)
                return depth, spectrum, ErrorBudget(*map(float, shares))
            depth = deeper


def _relu(request: _Request, style: str, bandwidth: int | None, frequencies: int | None) -> ReluLag:
    """The narrowest band within its share of the tolerance, then the fewest frequencies."""
    frames = request.gp.frames
    lowering = ReluLag(bandwidth=frames - 1, period=2 * frames, style=style)
    if bandwidth is None:
        narrow, wide = 0, frames - 1  # truncation falls as the band widens: bisect
        while narrow < wide:
            middle = (narrow + wide) // 2
            relative = request.perturbation(replace(lowering, bandwidth=middle))[1]
            fits = relative * (1 + request.tol) <= _TRUNCATION_SHARE * request.tol
            narrow, wide = (narrow, middle) if fits else (middle + 1, wide)
        lowering = replace(lowering, bandwidth=narrow)
    else:
        integer("bandwidth", bandwidth, 0)
        lowering = replace(lowering, bandwidth=min(bandwidth, frames - 1))
        _check_band(request, lowering)
    if frequencies is not None:
        return replace(lowering, frequencies=integer("frequencies", frequencies, 1))
    candidates = [replace(lowering, frequencies=f) for f in _FREQUENCIES]
    fitting = (c for c in candidates if request.solve(c) is not None)
    # where none fits, the one with the smallest rounding error states the floor
    return next(fitting, None) or min(
        candidates, key=lambda c: c.rounding(request.gp.kernel, frames, request.gp.channels)
    )


def _check_band(request: _Request, lowering: ReluLag) -> None:
    """Refuse a band that costs the operator its definiteness, or the model its tolerance."""
    gp, relative = request.gp, request.perturbation(lowering)[1]
    if relative * (1 + request.tol) < (1 - _RATE_SHARE) * request.tol:
        return
    wider = f"use a bandwidth above {lowering.bandwidth}, or none to have it chosen"
    if math.isfinite(relative):
        cost = f"costs a relative score error of {relative:.3g}, more than tol={request.tol:g}"
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


def _below_floor(request: _Request, lowering: Lowering) -> ArgumentError:
    """Say how small a tolerance the arithmetic allows."""
    floor = _floor(request, lowering)
    kappa = request.spectrum.condition_number(request.t_min)
    advice = [f"tol >= {floor:.2g}"] if floor < 1 else []
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


def _floor(request: _Request, lowering: Lowering) -> float:
    """The smallest feasible tolerance to 2 %, or 1 where there is none."""
    low, high = math.log(request.tol), 0.0
    while high - low > 0.02:
        middle = (low + high) / 2
        solution = replace(request, tol=math.exp(middle)).solve(lowering)
        feasible = solution is not None and solution[2] is not None
        low, high = (low, middle) if feasible else (middle, high)
    return math.exp(high)


def _too_deep(request: _Request, lowering: Lowering, depth: int) -> ArgumentError:
    """Say how many layers it would take, and which method takes fewer."""
    kappa = request.spectrum.condition_number(request.t_min)
    alternatives = {
        name: solution[0]
        for name, solver in METHODS.items()
        if (solution := replace(request, solver=solver).solve(lowering)) and solution[2]
    }
    best = min(alternatives, key=lambda name: alternatives[name], default=None)
    remedy = f"use method={best!r} ({alternatives[best]} layers) or " if best else ""
    return ArgumentError(
        "method",
        request.solver.name,
        f"needs {depth} layers for tol={request.tol:g} at condition number {kappa:.4g}, more than "
        f"max_layers={request.max_layers}",
        f"{remedy}raise t_min, tol or max_layers",
    )
