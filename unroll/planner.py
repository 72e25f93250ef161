"""From a tolerance to a plan: heads first, then depth, with rounding in the books."""

from __future__ import annotations

from typing import Any

from unroll.attention import LOWERINGS
from unroll.boundary_plans import plan_boundary
from unroll.candidates import best_plan
from unroll.direct_plans import plan_direct, plan_preconditioned
from unroll.errors import ArgumentError
from unroll.gate_design import no_network
from unroll.gaussian_process import GaussianProcess
from unroll.lowering_choice import choose_lowering
from unroll.methods import METHODS, get_method
from unroll.paper import plan_paper
from unroll.plan import METHOD_NAMES, Plan
from unroll.refusals import below_floor, too_deep
from unroll.request import Request
from unroll.rounding import ACTIVATION_ROUNDINGS, DTYPES, ROUNDING_MODELS
from unroll.spectrum import enclose_process
from unroll.validation import choice, in_range, integer

__all__ = ["make_plan"]

_SMALLEST_TOL = 1e-300
_SMALLEST_T, _LARGEST_T = 1e-12, 1e3


def make_plan(
    gp: GaussianProcess,
    *,
    method: str | None = None,
    attention: str | None = None,
    tol: float = 1e-6,
    t_min: float = 0.01,
    t_max: float = 5.0,
    dtype: str = "float64",
    activation: str | None = None,
    heads: str | None = None,
    bandwidth: int | None = None,
    frequencies: int | None = None,
    rounding: str | None = None,
    max_layers: int = 4000,
    objective: str | None = None,
    preset: str | None = None,
    conditioning: str | None = None,
) -> Plan:
    """Choose depth and heads so that the score error stays below ``tol``.

    Parameters
    ----------
    gp
        The problem.
    method
        ``"gradient"``, ``"neumann"`` or ``"chebyshev"`` (the default); ``"preconditioned"`` (a
        handful of steps, two layers each), ``"boundary"`` (two layers, for a circulant and for
        the ends) or ``"spectral"`` (one layer, a head per eigenmode);
        ``"auto"`` picks the method and the attention that are best by ``objective``
        (`unroll.candidates`).
    attention
        ``"softmax"`` (one head with attention sinks, the default), ``"relu"`` (lag heads),
        ``"alibi"`` (a softmax head with a linear bias per exponential; for kernels that are close
        to a sum of exponentials) or ``"fourier"`` (linear attention, a head per frequency).
        ``"boundary"`` and ``"spectral"`` have heads of their own and take none.
    tol
        Relative root-mean-square score error, ``tol < 1``, uniformly over the range of t.
    t_min, t_max
        Range of the diffusion time, ``1e-12 <= t_min < t_max <= 1000``.
    dtype
        ``"float64"`` or ``"float32"``; ``tol`` must exceed what its rounding allows.
    activation
        Feed-forward activation: ``"relu"`` (the default), ``"gelu"``, ``"gelu_tanh"`` or
        ``"silu"``.
    heads
        For ReLU attention: ``"knot"`` (one head per lag, the default) or ``"trapezoid"`` (the
        paper's four).
    bandwidth
        For ReLU attention: largest lag that is kept; by default the smallest that ``tol`` allows.
    frequencies
        For ReLU attention: harmonics of the position embedding; by default as few as rounding
        allows.
    rounding
        How rounding is budgeted: ``"guaranteed"`` (a bound, the default in float64) or
        ``"measured"`` (an estimate, and the default, for float32, where the bound is far above what
        is seen). For the methods of a few layers the estimate is there in float64 too:
        it is the default where the bound does not fit into ``tol`` with the same number of steps.
        See `unroll.rounding`.
    max_layers
        A plan with more blocks than this is refused.
    objective
        For ``method="auto"``: ``"depth"`` (the default), ``"heads"``, ``"parameters"`` or
        ``"flops"``.
    conditioning
        How the diffusion time reaches the gates of a first-order method: ``"exact"`` (functions of
        ``t`` with known parameters, the default) or ``"mlp"`` (a network of ``t`` with explicit
        weights, `unroll.gate_design`).
    preset
        ``"paper"``: the model of Fu et al. as they construct it (`unroll.paper`). It fixes method,
        attention, activation and how the diffusion time enters.

    Raises
    ------
    ArgumentError
        An argument outside its range; a ``tol`` below the rounding floor of ``dtype``; a
        bandwidth that makes the operator indefinite or costs more than ``tol``; a kernel that sums
        of exponentials do not reach; too many layers.
    """
    if not isinstance(gp, GaussianProcess):
        raise ArgumentError("gp", gp, "must be a GaussianProcess", "make one first")
    if preset is not None:
        choice("preset", preset, ("paper",))
        fixed = {
            "method": method,
            "attention": attention,
            "activation": activation,
            "heads": heads,
            "frequencies": frequencies,
            "rounding": rounding,
            "objective": objective,
            "conditioning": conditioning,
        }
        for name, value in fixed.items():
            if value is not None:
                raise ArgumentError(
                    name, value, f"is fixed by preset={preset!r}", "leave one of the two out"
                )
    method = "chebyshev" if method is None else method
    activation = "relu" if activation is None else activation
    choice("method", method, (*METHOD_NAMES, "auto"))
    conditioning = choice(
        "conditioning", "exact" if conditioning is None else conditioning, ("exact", "mlp")
    )
    if conditioning == "mlp" and method == "auto":
        raise ArgumentError("conditioning", "mlp", "leaves no choice of method", "name the method")
    choice("dtype", dtype, DTYPES)
    choice("activation", activation, ACTIVATION_ROUNDINGS)
    first_order = method in METHODS
    if rounding is None and first_order:
        rounding = "guaranteed" if dtype == "float64" else "measured"
    if rounding is not None:
        choice("rounding", rounding, ROUNDING_MODELS)
    if first_order and rounding == "measured" and dtype == "float64":
        raise ArgumentError(
            "rounding", rounding, "compares with float64, so it needs float32", "use 'guaranteed'"
        )
    if method == "auto" and rounding is not None:
        raise ArgumentError("rounding", rounding, "leaves no choice of method", "name the method")
    in_range("tol", tol, _SMALLEST_TOL, 1.0, high_open=True)
    # sigma^2 is about t: below this it drowns in the rounding of the covariance itself
    in_range("t_min", t_min, _SMALLEST_T, _LARGEST_T, high_open=True)
    in_range("t_max", t_max, t_min, _LARGEST_T, low_open=True)
    integer("max_layers", max_layers, 1)
    common: dict[str, Any] = {
        "tol": float(tol),
        "t_min": float(t_min),
        "t_max": float(t_max),
        "dtype": dtype,
        "activation": activation,
        "max_layers": max_layers,
    }
    if gp.frame_times is not None and (preset or method == "auto"):
        raise ArgumentError(
            "frame_times", "irregular", "leave no choice of construction", "name the method"
        )
    if preset == "paper":
        del common["activation"]
        return plan_paper(gp, bandwidth=bandwidth, **common)
    relu: dict[str, Any] = {
        "heads": "knot" if heads is None else heads,
        "bandwidth": bandwidth,
        "frequencies": frequencies,
    }
    if method == "auto":
        return best_plan(gp, attention=attention, objective=objective or "depth", **common)
    if objective is not None:
        raise ArgumentError("objective", objective, "belongs to method='auto'", "leave it out")
    if method in ("boundary", "spectral") and attention is not None:
        raise ArgumentError(
            "attention", attention, f"has no place in method {method!r}", "leave it out"
        )
    attention = choice("attention", "softmax" if attention is None else attention, LOWERINGS)
    if gp.frame_times is not None and not first_order:
        raise ArgumentError(
            "method", method, "needs regular frame times", "use a first-order method"
        )
    spectrum = enclose_process(gp)
    if conditioning == "mlp" and not first_order:
        gates = gp.frames * gp.channels
        raise no_network(method, gates, spectrum, common["t_min"], common["t_max"], common["tol"])
    if method == "boundary":
        return plan_boundary(gp, spectrum, rounding, **common)
    if method == "spectral":
        return plan_direct(gp, spectrum, rounding, **common)
    if method == "preconditioned":
        return plan_preconditioned(gp, spectrum, rounding, attention, relu, **common)
    assert rounding is not None
    request = Request(
        gp=gp,
        solver=get_method(method),
        spectrum=spectrum,
        rounding=rounding,
        conditioning=conditioning,
        **common,
    )
    lowering = choose_lowering(request, attention, **relu)
    solution = request.solve(lowering)
    if solution is None:
        raise below_floor(request, lowering)
    depth, widened, budget = solution
    if budget is None:
        raise too_deep(request, lowering, depth)
    return request.plan(
        method_name=method,
        lowering=lowering,
        depth=depth,
        spectrum=widened,
        budget=budget,
        conditioning=request.gates(widened).network,
    )
