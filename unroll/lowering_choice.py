"""Which heads carry ``Gamma``: as few as the tolerance allows."""

from __future__ import annotations

import math
from dataclasses import replace

from unroll.attention import (
    Alibi,
    Fourier,
    IrregularAlibi,
    IrregularSoftmax,
    Lowering,
    ReluLag,
    SoftmaxSink,
)
from unroll.errors import ArgumentError
from unroll.refusals import check_band, no_exponentials
from unroll.request import Demand
from unroll.validation import choice, integer

__all__ = ["choose_lowering"]

# Shares of tol that a band or a sum of exponentials may cost: what is aimed at, and what is taken
# where more exponentials do not help.
_TRUNCATION_SHARE, _LARGEST_TRUNCATION = 0.25, 0.7
_MOST_EXPONENTIALS = 20
_FREQUENCIES = (1, 2, 4, 8, 16, 32)


def choose_lowering(
    demand: Demand,
    attention: str,
    *,
    heads: str = "knot",
    bandwidth: int | None = None,
    frequencies: int | None = None,
) -> Lowering:
    """The lowering of that name with the fewest heads that keep within their share of ``tol``.

    ``heads``, ``bandwidth`` and ``frequencies`` are those of `unroll.make_plan`, for ReLU heads.
    """
    choice("heads", heads, ("knot", "trapezoid"))
    if attention != "relu" and not (bandwidth is None and frequencies is None):
        raise ArgumentError(
            "attention", attention, "takes no bandwidth or frequencies", "use attention='relu'"
        )
    kernel, frames, times = demand.gp.kernel, demand.gp.frames, demand.gp.frame_times
    if times is not None:
        if attention not in ("softmax", "alibi"):
            raise ArgumentError(
                "attention", attention, "needs regular frame times", "use 'softmax' or 'alibi'"
            )
        if attention == "softmax":
            return IrregularSoftmax.design(kernel, times)
    if attention == "softmax":
        return SoftmaxSink.design(kernel, frames)
    if attention == "fourier":
        return Fourier.design(kernel, frames)
    if attention == "alibi":
        return _alibi(demand)
    return _relu(demand, heads, bandwidth, frequencies)


def _alibi(demand: Demand) -> Lowering:
    """As few exponentials as stay within their share of the tolerance."""
    best: tuple[float, Lowering | None] = (math.inf, None)
    gp = demand.gp
    for terms in range(1, min(_MOST_EXPONENTIALS, demand.gp.frames) + 1):
        lowering: Lowering = (
            Alibi.design(gp.kernel, gp.frames, terms)
            if gp.frame_times is None
            else IrregularAlibi.design(gp.kernel, gp.frame_times, terms)
        )
        cost = demand.perturbation(lowering)[1] * (1 + demand.tol)
        if cost <= _TRUNCATION_SHARE * demand.tol:
            return lowering
        if cost < best[0]:
            best = (cost, lowering)
    if best[1] is None or best[0] > _LARGEST_TRUNCATION * demand.tol:
        raise no_exponentials(demand, _MOST_EXPONENTIALS, best[0])
    return best[1]


def _relu(demand: Demand, style: str, bandwidth: int | None, frequencies: int | None) -> ReluLag:
    """The narrowest band within its share of the tolerance, then the fewest frequencies."""
    frames = demand.gp.frames
    lowering = ReluLag(bandwidth=frames - 1, period=2 * frames, style=style)
    if bandwidth is None:
        narrow, wide = 0, frames - 1  # truncation falls as the band widens: bisect
        while narrow < wide:
            middle = (narrow + wide) // 2
            relative = demand.perturbation(replace(lowering, bandwidth=middle))[1]
            fits = relative * (1 + demand.tol) <= _TRUNCATION_SHARE * demand.tol
            narrow, wide = (narrow, middle) if fits else (middle + 1, wide)
        lowering = replace(lowering, bandwidth=narrow)
    else:
        integer("bandwidth", bandwidth, 0)
        lowering = replace(lowering, bandwidth=min(bandwidth, frames - 1))
        check_band(demand, lowering)
    if frequencies is not None:
        return replace(lowering, frequencies=integer("frequencies", frequencies, 1))
    candidates = [replace(lowering, frequencies=f) for f in _FREQUENCIES]
    fitting = (c for c in candidates if demand.fits(c))
    # where none fits, the one with the smallest rounding error states the floor
    return next(fitting, None) or min(
        candidates, key=lambda c: c.rounding(demand.gp.kernel, frames, demand.gp.channels)
    )
