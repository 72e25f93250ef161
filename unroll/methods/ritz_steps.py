"""Step sizes as smooth functions of ``x``: best roots at Chebyshev points, fitted and ordered."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.polynomial import chebyshev

from unroll.methods.outliers import Outliers
from unroll.validation import Array

__all__ = ["Samples", "fit_series", "lobatto", "stable_order"]

_PRECISION = 1e-13  # errors below this are rounding; roots that only lower them are noise
_SMALLEST_TAIL = 1e-12  # relative; coefficients below it are dropped
_EXHAUSTIVE = 6  # all orders of up to so many steps are tried


class Samples:
    """The spectrum at Chebyshev points of ``y = log x``, computed once and kept.

    Parameters
    ----------
    outliers
        ``x -> Outliers``.
    log_range
        Ends of the range of ``y``.
    """

    def __init__(self, outliers: Callable[[float], Outliers], log_range: tuple[float, float]):
        self._outliers = outliers
        self._known: dict[float, Outliers] = {}
        self.log_range = log_range

    def at(self, u: float) -> Outliers:
        """The spectrum at ``u`` in ``[-1, 1]``, the range of ``y`` mapped."""
        if u not in self._known:
            self._known[u] = self._outliers(self.noise(u))
        return self._known[u]

    def noise(self, u: float) -> float:
        """The ``x`` at ``u``."""
        low, high = self.log_range
        return math.exp((low + high) / 2 + (high - low) / 2 * u)

    def best_error(self, steps: int, points: int = 9) -> float:
        """The largest error, over a few points, of the best step sizes at each."""
        spectra = [self.at(u) for u in lobatto(points)]
        return max(s.error(1 / s.best_roots(steps)) for s in spectra)

    def useful_steps(self, steps: int, points: int = 9) -> int:
        """The first number of steps, up to `steps`, that reaches working precision everywhere."""
        for fewer in range(1, steps):
            if self.best_error(fewer, points) <= _PRECISION:
                return fewer
        return steps

    def best_step_sizes(self, u: float, steps: int) -> Array:
        """Reciprocals of the best roots, the largest root first; array (steps,).

        Where there are fewer eigenvalues than steps, the largest root is repeated: that step
        magnifies nothing.
        """
        roots = self.at(u).best_roots(steps)[::-1]
        filled = np.concatenate([roots, np.full(steps - len(roots), roots[0])])
        sizes: Array = 1.0 / filled
        return sizes


def lobatto(points: int) -> list[float]:
    """Chebyshev points of the second kind, the ends included: ``2^k + 1`` of them are nested."""
    return [math.cos(math.pi * k / (points - 1)) for k in range(points)]


def fit_series(values: Callable[[float], Array], most: int = 129) -> Array:
    """Chebyshev coefficients (K, n) of a function with K components on ``[-1, 1]``.

    Points are doubled until the last eighth of the coefficients is negligible, then negligible
    ones are dropped (J. Aurentz & L. Trefethen, "Chopping a Chebyshev series", ACM TOMS 43, 2017,
    do so with more care). Where rounding in the values prevents that, all of them stay.
    """
    points = 9
    while True:
        table = np.stack([values(u) for u in lobatto(points)])
        series = _interpolate(table)
        size = np.max(np.abs(series) / np.min(np.abs(table), axis=0)[:, None], axis=0)
        if np.max(size[-(points // 8) :]) <= _SMALLEST_TAIL or points >= most:
            break
        points = 2 * points - 1
    kept = np.flatnonzero(size > _SMALLEST_TAIL)
    return series[:, : kept[-1] + 1]


def _interpolate(table: Array) -> Array:
    """Coefficients (K, points) of the interpolant through values (points, K) at `lobatto`."""
    points = len(table)
    u = np.array(lobatto(points))
    weights = np.full(points, 1.0)
    weights[0] = weights[-1] = 0.5
    # discrete orthogonality; the first and the last coefficient count half
    series = 2.0 / (points - 1) * chebyshev.chebvander(u, points - 1).T @ (weights[:, None] * table)
    series[0] /= 2.0
    series[-1] /= 2.0
    transposed: Array = series.T
    return transposed


def stable_order(step_sizes: Array, largest: float) -> tuple[int, ...]:
    """The order of steps that magnifies rounding least.

    A step leaves a rounding error as large as the iterate, and the steps after it act on that
    error: the sum over the steps of ``max |1 - prefix| max |suffix|`` over ``[1, largest]``, with
    prefix and suffix the products of the factors ``1 - eta_k h`` up to and after the step, is made
    smallest: over all orders for few steps, greedily from the last step on for more.
    """
    count = len(step_sizes)
    points = np.concatenate([np.geomspace(1.0, max(largest, 1.0), 33), 1.0 / step_sizes])
    points = points[(points >= 1.0) & (points <= largest)] if largest > 1.0 else np.ones(1)
    factors = 1.0 - np.outer(step_sizes, points)
    if count <= _EXHAUSTIVE:
        orders = itertools.permutations(range(count))
        return min(orders, key=lambda order: _magnification(factors[list(order)]))
    chosen: list[int] = []
    suffix = np.ones(len(points))
    while len(chosen) < count:
        rest = [k for k in range(count) if k not in chosen]
        best = min(rest, key=lambda k: float(np.max(np.abs(suffix * factors[k]))))
        suffix = suffix * factors[best]
        chosen.insert(0, best)
    return tuple(chosen)


def _magnification(factors: Array) -> float:
    prefix = np.cumprod(factors, axis=0)
    suffix = np.cumprod(factors[::-1], axis=0)[::-1]
    after = np.append(np.max(np.abs(suffix[1:]), axis=1), 1.0)
    return float(np.max(np.abs(1.0 - prefix), axis=1) @ after)
