"""The paper's own model (arXiv 2407.16134, section 4), from a tolerance.

Gradient descent; ReLU attention with four heads per lag on a circle; a band of lags; the functions
``(eta_t, alpha_t, alpha_t^2, sigma_t^2)`` of the diffusion time as token coordinates, multiplied by
ReLU layers (`unroll.relu_product`); a read-out projected onto a ball. The budget is

    error <= delta_K + (1 + delta_K) e_t / m_t + products + rounding + tail

with the last three from `unroll.paper_error`.

**Bandwidth** (Corollary 1 of the paper). For ``gamma(h) = exp(-(h/l)^nu)`` the lags beyond ``J``
add up to at most ``N gamma(J+1)``, and a band with ``2 N gamma(J+1) alpha^2 ||Sigma|| = e`` costs
``(1 + delta) e / (m - e)``. It costs at most ``theta (1 + tol)`` for

    J + 1 >= l (log (2 N alpha^2 ||Sigma|| (1 + theta) / (theta m)))^{1/nu},

which is the paper's ``J = O(l (log N / (eps sigma))^{1/nu})`` because ``m >= sigma^2``. Other
kernels take the smallest ``J`` whose tail is small enough; where no tail is, as for logarithmic
kernels, that is ``N - 1``: every lag has its heads.

**Levels and depth.** More levels leave more of the tolerance to the rate: the number of blocks,
``K (3 + 2 m)``, is made smallest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from unroll.attention import ReluLag
from unroll.errors import ArgumentError
from unroll.gaussian_process import GaussianProcess
from unroll.kernels import Exponential
from unroll.lowering_choice import choose_lowering
from unroll.methods import GradientDescent
from unroll.paper_error import PaperCost, PaperProblem
from unroll.plan import ErrorBudget, Plan
from unroll.refusals import DepthError
from unroll.relu_product import ReluProducts
from unroll.request import Demand
from unroll.schedules import alpha_sq
from unroll.spectrum import enclose, spatial_bounds

__all__ = ["corollary_bandwidth", "plan_paper"]

_BAND_SHARE, _TAIL_SHARE = 0.25, 0.01
_MOST_LEVELS = 48  # beyond, a tooth has no digits left in double precision


@dataclass(frozen=True)
class _PaperDemand(Demand):
    """A demand on the paper's model."""

    def fits(self, lowering: object) -> bool:
        """The embedding is the paper's, with one frequency: there is no choice."""
        return True


def plan_paper(
    gp: GaussianProcess,
    *,
    tol: float,
    t_min: float,
    t_max: float,
    dtype: str = "float64",
    bandwidth: int | None = None,
    max_layers: int = 4000,
) -> Plan:
    """The paper's model with the fewest blocks; arguments as those of `unroll.make_plan`.

    Raises
    ------
    ArgumentError
        ``tol`` leaves no room besides truncation and rounding, a bandwidth that was asked for
        makes the operator indefinite or costs too much, or there are more layers than allowed.
    """
    demand = _PaperDemand(
        gp=gp,
        spectrum=enclose(gp.kernel, gp.frames, gp.spatial_cov),
        tol=tol,
        t_min=t_min,
        t_max=t_max,
        dtype=dtype,
        activation="relu",
        rounding="guaranteed",
        max_layers=max_layers,
    )
    if bandwidth is None and isinstance(gp.kernel, Exponential):
        bandwidth = corollary_bandwidth(demand)
    lowering = choose_lowering(
        demand, "relu", heads="trapezoid", bandwidth=bandwidth, frequencies=1
    )
    assert isinstance(lowering, ReluLag)
    radius, relative = demand.perturbation(lowering)
    carried = demand.spectrum.widened(radius)
    problem = PaperProblem(gp, lowering, demand.spectrum, carried, relative, t_min, t_max, dtype)
    quantile = problem.quantile(_TAIL_SHARE * tol)
    kappa = carried.condition_number(t_min)
    best: tuple[int, int, PaperCost] | None = None
    least, shallowest = math.inf, GradientDescent().depth(kappa, tol)
    for levels in range(1, _MOST_LEVELS + 1):
        cost = problem.cost(levels, quantile)
        if cost is None:
            continue
        if best is not None and cost.products.layers(shallowest) >= best[0]:
            break  # more levels only help through the depth
        least = min(least, cost.total)
        if (room := demand.room(relative, cost.total)) is not None:
            depth = GradientDescent().depth(kappa, room)
            layers = cost.products.layers(depth)
            if best is None or layers < best[0]:
                best = layers, depth, cost
    if best is None:
        raise _no_room(demand, relative, least)
    layers, depth, cost = best
    if layers > max_layers:
        raise _too_deep(demand, layers, depth, cost.products)
    rate = GradientDescent().rate(kappa, depth)
    shares = (rate, (1 + rate) * relative, cost.rounding, cost.conditioning, cost.tail)
    return demand.plan(
        method_name="gradient",
        lowering=lowering,
        depth=depth,
        spectrum=carried,
        budget=ErrorBudget(*map(float, shares)),
        products=cost.products,
    )


def corollary_bandwidth(demand: Demand) -> int:
    """The paper's bandwidth for ``exp(-(h/l)^nu)``, at most ``frames - 1``: see the module."""
    gp, kernel = demand.gp, demand.gp.kernel
    assert isinstance(kernel, Exponential)
    theta = _BAND_SHARE * demand.tol / (1 + demand.tol)
    smallest = float(demand.spectrum.noisy(demand.t_min)[0])
    signal = float(alpha_sq(demand.t_min)) * spatial_bounds(gp.spatial_cov)[1]
    ratio = 2 * gp.frames * signal * (1 + theta) / (theta * smallest)
    reach = float(kernel.length_scale * max(math.log(ratio), 0.0) ** (1 / kernel.exponent))
    return min(max(math.ceil(reach) - 1, 0), gp.frames - 1)


def _no_room(demand: Demand, relative: float, least: float) -> ArgumentError:
    remedy = "raise tol or t_min"
    if demand.dtype == "float32":
        remedy += ", or use dtype='float64'"
    kappa = demand.spectrum.condition_number(demand.t_min)
    cost = f"cost at least {least:.2g}" if least < 1 else "leave nothing of the score"
    return ArgumentError(
        "tol",
        demand.tol,
        f"leaves no room in the paper's model at condition number {kappa:.4g}: the band costs "
        f"{relative:.2g}, products and {demand.dtype} rounding {cost}",
        remedy,
    )


def _too_deep(demand: Demand, layers: int, steps: int, products: ReluProducts) -> DepthError:
    kappa = demand.spectrum.condition_number(demand.t_min)
    return DepthError(
        layers,
        "preset",
        "paper",
        f"needs {layers} layers for tol={demand.tol:g} at condition number {kappa:.4g} ({steps} "
        f"steps of {products.blocks_per_step} blocks), more than max_layers={demand.max_layers}",
        "use method='preconditioned', which takes a handful, or raise t_min, tol or max_layers",
    )
