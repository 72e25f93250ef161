r"""The rate of the preconditioned iteration, for every diffusion time and channel at once.

In channel ``a`` of the eigenbasis of ``Sigma`` everything depends on ``x = (e^t - 1) / mu_a``, and
the relative mean square error

    e(x) = tr(r(P A)^2 A^{-1}) / tr(A^{-1}),      r(h) = prod_k (1 - eta_k h),

is an analytic function of ``y = log x`` in the strip ``|Im y| < pi``. There, with ``w = |x|`` and
``phi`` the argument of ``x``, lemma ``preconditioned_analytic`` bounds it by

    sec(phi/2)^2 prod_k (1 + |eta_k| sec(phi/2) h_max(w))^2,

so that its values at Chebyshev points of the range of ``y`` say how large it is anywhere
(`proofs_check.chebyshev_interpolant`). The mean over channels is not larger than the worst of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from flint import arb

from proofs_check import lemmas
from proofs_check.balls import round_up
from proofs_check.certificate import CertificateError
from proofs_check.chebyshev_interpolant import (
    chebyshev_angles,
    polynomial_maximum,
    truncation,
)
from proofs_check.enclose import enclose
from proofs_check.float_error import relative_square
from proofs_check.preconditioned_spectrum import PreconditionedSpectrum, round_down
from proofs_check.step_sizes import StepSizes
from unroll.methods.partial_products import PartialProducts, partial_products

__all__ = ["MOST_FRAMES", "check_size", "largest_root", "products", "rate", "surroundings"]

MOST_FRAMES = 1024  # what `proofs_check.float_residual` multiplies exactly
_MINUTES = 5  # that these take; the work grows with the third power
_SHARE = 1e-4  # of the squared tolerance, for what interpolation leaves
_MOST_POINTS = 4000


def products(spectrum: PreconditionedSpectrum, steps: StepSizes) -> PartialProducts:
    """How local errors survive, over the whole range."""
    middle, half = (steps.low + steps.high) / 2, (steps.high - steps.low) / 2

    def largest(first: float, last: float) -> float:
        """Of the part of the range between two cosines."""
        ends = (middle + half * u for u in (first - 1e-12, last + 1e-12))
        return spectrum.largest(*(math.exp(y) for y in ends))

    # midpoints of balls: their radii are far below the outward rounding of the products
    series = [[float(c) for c in row] for row in steps.series]
    return partial_products(series, round_down(spectrum.smallest(math.exp(steps.low))), largest)


def check_size(frames: int, method: str = "preconditioned") -> None:
    """`CertificateError` where a proof would take too long."""
    if frames > MOST_FRAMES:
        minutes = _MINUTES * (frames / MOST_FRAMES) ** 3
        raise CertificateError(
            f"frames={frames}: the rate of the {method} method is proved up to {MOST_FRAMES} "
            f"frames, these would take some {minutes:.0f} minutes; use a first-order method, whose "
            "certificate takes seconds"
        )


def rate(
    spectrum: PreconditionedSpectrum, steps: StepSizes, later: Sequence[float], tol: float
) -> arb:
    """At least the relative root-mean-square error, for every ``x`` of the range.

    Parameters
    ----------
    later
        `PartialProducts.plain` from the step after each to the last.
    tol
        What interpolation leaves is kept far below it.

    Raises
    ------
    CertificateError
        The step sizes are too rough.
    """

    def value(angle: arb) -> arb:
        parts = spectrum.halves(steps.x(angle))
        return relative_square(parts, steps.at(angle), later)

    found = largest_root(
        (steps.high - steps.low) / 2, value, lambda rho: _size(spectrum, steps, rho), tol
    )
    if found is None:
        raise CertificateError("time.steps: step sizes are too rough for a proof of their rate")
    return found


def largest_root(
    half: float, value: Callable[[arb], arb], size: Callable[[arb], arb], tol: float
) -> arb | None:
    """At least the root of a nonnegative function of ``y = log x`` on a range, analytic around it.

    Parameters
    ----------
    half
        Half the length of the range.
    value
        The function at ``cos(angle)``, ``[-1, 1]`` being the range.
    size
        ``M`` of the ellipse whose half axes add up to ``rho``.
    tol
        What interpolation leaves is kept far below it.

    Returns
    -------
    ``None`` where that takes too many points.
    """
    degree, rho, top = _ellipse(half, size, _SHARE * tol**2)
    if degree >= _MOST_POINTS:
        return None
    values = [value(angle) for angle in chebyshev_angles(degree + 1)]
    worst = polynomial_maximum(values) + truncation(degree, rho, top)
    return arb(worst.upper()).sqrt()


def _ellipse(half: float, size: Callable[[arb], arb], target: float) -> tuple[int, arb, arb]:
    """The degree that leaves ``target``, and ``rho`` and ``M`` of the ellipse that shows it."""
    best: tuple[float, arb, arb] = (math.inf, arb(2), arb(1))
    for width in (0.02, 0.05, 0.1, 0.15, *(0.2 + 0.1 * i for i in range(26))):
        slope = width / half
        rho = arb(slope + math.sqrt(1 + slope**2))
        found = size(rho)
        if not found.is_finite():
            break
        needed = float((4 * found / (rho - 1) / target).log() / rho.log())
        if needed < best[0]:
            best = needed, rho, found
    degree = max(1, math.ceil(best[0])) if math.isfinite(best[0]) else _MOST_POINTS
    return degree, best[1], best[2]


def _size(spectrum: PreconditionedSpectrum, steps: StepSizes, rho: arb) -> arb:
    """``M``: at least the modulus of the relative mean square error in the ellipse."""
    around = surroundings(steps.low, steps.high, rho)
    if around is None:
        return arb("inf")
    phi, low, high = around
    top = arb(spectrum.largest(low, high))
    lemma = lemmas.get("preconditioned_analytic")
    symbols = {symbol.name: symbol for symbol in lemma.bound.free_symbols}
    total = enclose(lemma.also["score"], {symbols["phi"]: phi})
    for eta in steps.sizes(rho):
        values = {symbols["phi"]: phi, symbols["eta"]: eta, symbols["h"]: top}
        total *= enclose(lemma.also["factor"], values)
    return total**2


def surroundings(low: float, high: float, rho: arb) -> tuple[arb, float, float] | None:
    """The largest ``|Im y|`` in the ellipse around ``[low, high]``, and the ends of ``|x|``;
    ``None`` where it comes too close to the negative axis.
    """
    half, middle = (arb(high) - low) / 2, (arb(high) + low) / 2
    reach, phi = half * (rho + 1 / rho) / 2, half * (rho - 1 / rho) / 2
    if not phi < 3:
        return None
    ends = [round_up((middle + sign * reach).exp()) for sign in (-1, 1)]
    return phi, ends[0] * (1 - 1e-9), ends[1]
