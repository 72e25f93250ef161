"""From a tolerance to a plan: bandwidth first, then depth, with rounding in the books.

The budget (theory: residual polynomial plus perturbation of the operator) is

    error <= delta_K + (1 + delta_K) e_t / m~_t + rounding,

with ``e_t = alpha_t^2 ||Gamma~ - Gamma|| ||Sigma||`` and ``m~_t >= m_t - e_t > 0`` the smallest
eigenvalue of the operator that the heads carry. Every term is largest at ``t_min``: ``alpha_t^2``
and the condition number fall as ``t`` grows.
"""

from __future__ import annotations

import math
from dataclasses import replace

from unroll.attention import LOWERINGS, Alibi, Fourier, Lowering, ReluLag, SoftmaxSink
from unroll.errors import ArgumentError
from unroll.gaussian_process import GaussianProcess
from unroll.methods import get_method
from unroll.plan import Plan
from unroll.refusals import below_floor, check_band, no_exponentials, too_deep
from unroll.request import Request
from unroll.rounding import ACTIVATION_ROUNDINGS, DTYPES, ROUNDING_MODELS
from unroll.spectrum import enclose
from unroll.validation import choice, in_range, integer

__all__ = ["make_plan"]

# Shares of tol that a band or a sum of exponentials may cost: what is aimed at, and what is taken
# where more exponentials do not help.
_TRUNCATION_SHARE, _LARGEST_TRUNCATION = 0.25, 0.7
_SMALLEST_TOL = 1e-300
_SMALLEST_T, _LARGEST_T = 1e-12, 1e3
_MOST_EXPONENTIALS = 20
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
        ``"softmax"`` (one head with an attention sink), ``"relu"`` (lag heads) or ``"alibi"`` (a
        softmax head with a linear bias per exponential; for kernels that are close to a sum of
        exponentials).
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
        bandwidth that makes the operator indefinite or costs more than ``tol``; a kernel that sums
        of exponentials do not reach; too many layers.
    """
    if not isinstance(gp, GaussianProcess):
        raise ArgumentError("gp", gp, "must be a GaussianProcess", "make one first")
    solver = get_method(method)
    choice("attention", attention, LOWERINGS)
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
    if attention != "relu" and not (bandwidth is None and frequencies is None):
        raise ArgumentError(
            "attention", attention, "takes no bandwidth or frequencies", "use attention='relu'"
        )
    request = Request(
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
    lowering: Lowering
    if attention == "fourier":
        lowering = Fourier.design(gp.kernel, gp.frames)
    elif attention == "softmax":
        lowering = SoftmaxSink.design(gp.kernel, gp.frames)
    elif attention == "alibi":
        lowering = _alibi(request)
    else:
        lowering = _relu(request, heads, bandwidth, frequencies)
    solution = request.solve(lowering)
    if solution is None:
        raise below_floor(request, lowering)
    depth, spectrum, budget = solution
    if budget is None:
        raise too_deep(request, lowering, depth)
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


def _alibi(request: Request) -> Alibi:
    """As few exponentials as stay within their share of the tolerance."""
    best: tuple[float, Alibi | None] = (math.inf, None)
    for terms in range(1, min(_MOST_EXPONENTIALS, request.gp.frames) + 1):
        lowering = Alibi.design(request.gp.kernel, request.gp.frames, terms)
        cost = request.perturbation(lowering)[1] * (1 + request.tol)
        if cost <= _TRUNCATION_SHARE * request.tol:
            return lowering
        if cost < best[0]:
            best = (cost, lowering)
    if best[1] is None or best[0] > _LARGEST_TRUNCATION * request.tol:
        raise no_exponentials(request, _MOST_EXPONENTIALS, best[0])
    return best[1]


def _relu(request: Request, style: str, bandwidth: int | None, frequencies: int | None) -> ReluLag:
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
        check_band(request, lowering)
    if frequencies is not None:
        return replace(lowering, frequencies=integer("frequencies", frequencies, 1))
    candidates = [replace(lowering, frequencies=f) for f in _FREQUENCIES]
    fitting = (c for c in candidates if request.solve(c) is not None)
    # where none fits, the one with the smallest rounding error states the floor
    return next(fitting, None) or min(
        candidates, key=lambda c: c.rounding(request.gp.kernel, frames, request.gp.channels)
    )
