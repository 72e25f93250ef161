r"""Total variation of Gaussian laws: the value, and bounds from below and above.

The value. With L = log dp/dq and M(s) = E_p e^{-sL}, the integral of p^{1-s} q^s, min(1, e^{-L}) is
a contour integral of e^{-sL} / (s (1-s)) between the poles, and so

    TV = 1 - E_p min(1, e^{-L}) = (1/pi) Im Int (1 - M(s)) / (s (1-s)) ds,

from 1/2 upwards. In the coordinates of `Relative` (x = excess, d = shift, g = `minus_log`)

    log M(s) = -1/2 sum_i [ (1-s) g(x_i) - g((1-s) x_i) + s (1-s) d_i^2 / (1 + (1-s) x_i) ],

which is analytic off the real axis and, far out, falls like e^{-s c} with the number c of
`_far_slope`: the path leans to the side where it falls, and the trapezoidal rule in log|s - 1/2| is
then accurate to rounding, relative to TV, however close the laws are.

The bounds are theorems: from above Pinsker's inequality in both orders and, with the Bhattacharyya
coefficient B = M(1/2), sqrt(1 - B^2); from below 1 - B, the exact distance of one-dimensional
projections, and min(1, |x|_2)/200.

Sources: A. Tsybakov, Introduction to Nonparametric Estimation, section 2.4 (B, Pinsker);
L. Devroye, A. Mehrabian & T. Reddad, arXiv 1810.08693, Theorem 1.1 (min(1, |x|_2)/100 for equal
means; half of it for any means, since TV(P x P, Q x Q) <= 2 TV(P, Q) and differences of independent
copies have equal means). The value: own derivation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from unroll.distribution.divergences import Relative, compare, minus_log
from unroll.distribution.law import Law
from unroll.validation import Array

__all__ = ["TotalVariation", "total_variation"]

# A dyadic step: numpy.arange rounds others, and their sum with them.
_STEP, _LEAN, _DECAY = 1 / 32, math.pi / 6, 38.0
_CHUNK = 2**18
_ROUNDING = 1e-14


@dataclass(frozen=True)
class TotalVariation:
    """sup_A |p(A) - q(A)|.

    Attributes
    ----------
    value : float
        By quadrature; relative accuracy about 1e-10.
    lower, upper : float
        Bounds, ``lower <= TV <= upper``.
    lower_by, upper_by : str
        Which theorem gave them.
    """

    value: float
    lower: float
    upper: float
    lower_by: str
    upper_by: str


def total_variation(p: Law, q: Law) -> TotalVariation:
    """Total variation distance of two laws; raises as `compare` does."""
    pair = compare(p, q)
    affinity = math.exp(float(_log_integral(pair, np.array([0.5 + 0j]))[0].real))
    below = {
        "Hellinger": 1 - affinity,
        "projection": _projections(pair),
        "Devroye-Mehrabian-Reddad": min(1.0, float(np.linalg.norm(pair.excess))) / 200,
    }
    above = {
        "Pinsker": math.sqrt(min(pair.kl_from_p, pair.kl_from_q) / 2),
        "Bhattacharyya": math.sqrt(max(1 - affinity**2, 0.0)) + _ROUNDING,
        "trivial": 1.0,
    }
    lower_by, upper_by = max(below, key=below.__getitem__), min(above, key=above.__getitem__)
    lower = max(below[lower_by] - _ROUNDING, 0.0)
    return TotalVariation(_value(pair), lower, above[upper_by], lower_by, upper_by)


def _value(pair: Relative) -> float:
    """The contour integral."""
    size = math.hypot(float(np.linalg.norm(pair.excess)), float(np.linalg.norm(pair.shift)))
    if size == 0.0:
        return 0.0
    direction = np.exp(1j * (math.pi / 2 - math.copysign(_LEAN, _far_slope(pair))))
    end = max(-math.log(size), 0.0) + _DECAY
    places = np.exp(np.arange(-_DECAY, end, _STEP)) * direction
    total = 0.0
    chunk = max(1, _CHUNK // len(pair.excess))
    for start in range(0, len(places), chunk):
        s = 0.5 + places[start : start + chunk]
        integrand = (
            -np.expm1(_log_integral(pair, s)) / (s * (1 - s)) * places[start : start + chunk]
        )
        total += float(np.sum(integrand.imag))
    return min(max(total * _STEP / math.pi, 0.0), 1.0)


def _log_integral(pair: Relative, s: Array) -> Array:
    """log M(s) for complex s (n,)."""
    other = (1 - s)[:, None]
    x, d = pair.excess, pair.shift
    terms = (
        other * minus_log(x) - minus_log(other * x) + (1 - other) * other * d**2 / (1 + other * x)
    )
    return np.asarray(-np.sum(terms, axis=1) / 2)


def _far_slope(pair: Relative) -> float:
    """c with log M(s) ~ -c s: what decides to which side the path leans."""
    moved = (pair.shift != 0) & (pair.excess != 0)
    shifts = pair.shift[moved] ** 2 / pair.excess[moved]
    return float(np.sum(np.log1p(pair.excess)) + np.sum(shifts)) / 2


def _projections(pair: Relative) -> float:
    """The largest distance in a few directions: widest ratio, largest shift, the means."""
    x, d = pair.excess, pair.shift
    lines = {int(np.argmax(np.abs(np.log1p(x)))), int(np.argmax(np.abs(d)))}
    found = [_line(float(d[i]), float(x[i])) for i in lines]
    norm = float(np.linalg.norm(d))
    if norm > 0:
        found.append(_line(norm, float(np.sum((d / norm) ** 2 * x))))
    return max(found)


def _line(d: float, x: float) -> float:
    """The distance of N(0, 1) and N(d, 1 + x): the densities cross at the roots of a quadratic."""
    ratio = 1 + x
    if abs(x) < 1e-12:
        # any set bounds the distance from below: here, the half-line beyond the middle
        return abs(float(ndtr(d / 2) - ndtr(-d / (2 * math.sqrt(ratio)))))
    a, b, c = -x / ratio, -2 * d / ratio, d * d / ratio + math.log1p(x)
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    ends = sorted(((-b - root) / (2 * a), (-b + root) / (2 * a)))
    low, high = (ndtr(end) - ndtr((end - d) / math.sqrt(ratio)) for end in ends)
    return abs(float(high - low))
