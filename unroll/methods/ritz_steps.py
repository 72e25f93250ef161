"""Step sizes as smooth functions of ``x``: best roots at Chebyshev points, fitted and ordered.

The best roots at single ``x`` (`Outliers.best_roots`) are smooth in ``log x`` as long as each of
them has something to do. A root that only fits rounding errors wanders, and where an even and an
odd outlier cross, sorted roots have kinks. Then some roots are tied to outliers, each followed
through its own half of the spectrum, where eigenvalues do not cross, and the rest is chosen best.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.polynomial import chebyshev

from unroll.methods.outliers import Outliers
from unroll.validation import Array

__all__ = ["Samples", "fit_steps", "interpolate", "lobatto", "stable_order"]

_MOST_POINTS = 129
_PRECISION = 1e-13  # relative errors of the score below it are rounding
_CHOP = 1e-15  # relative size of coefficients that are rounding
_SURELY = 0.1  # errors so far below what is asked for need no close look
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

    def tied_outliers(self, count: int) -> list[tuple[bool, int]]:
        """The largest outliers at the smallest ``x``: (odd, rank in its half)."""
        hardest = self.at(-1.0)
        ranks = [np.cumsum(hardest.odd == odd)[i] - 1 for i, odd in enumerate(hardest.odd)]
        largest = np.argsort(-hardest.excess, kind="stable")[:count]
        return [(bool(hardest.odd[i]), int(ranks[i])) for i in largest]

    def step_sizes(self, u: float, steps: int, tied: list[tuple[bool, int]]) -> Array:
        """Reciprocal roots, some tied to outliers and the others the best; array (steps,).

        Where there are fewer eigenvalues than roots, the largest is repeated: that step magnifies
        nothing.
        """
        spectrum = self.at(u)
        halves = [1.0 + spectrum.excess[spectrum.odd == odd] for odd in (False, True)]
        given = np.array([halves[odd][min(k, len(halves[odd]) - 1)] for odd, k in tied])
        roots = np.concatenate([given, spectrum.best_roots(steps - len(given), given)])
        sizes: Array = 1.0 / np.concatenate([roots, np.full(steps - len(roots), roots.max())])
        return sizes


def lobatto(points: int) -> list[float]:
    """Chebyshev points of the second kind, the ends included: ``2^k + 1`` of them are nested."""
    return [math.sin(math.pi * k / (2 * (points - 1))) for k in range(1 - points, points, 2)]


def fit_steps(samples: Samples, steps: int, enough: float = 0.0) -> tuple[Array, float]:
    """Chebyshev coefficients (steps, n) of the step sizes, and the largest error they leave.

    Tries to leave all roots free, then to tie more and more of them, then to tie two to each of
    the largest, which removes what rounding left of them. The first fit as good as the best steps
    at every point is taken, or with an error of at most `enough`; otherwise the one with the
    smallest error.
    """
    fits = []
    free = [(0, 0), (steps // 2, 0), (steps - 2, 0), (steps - 1, 0), (steps - 2, 1), (steps - 3, 2)]
    for count, twice in dict.fromkeys(free):
        if count < 0 or twice > count:
            continue
        tied = samples.tied_outliers(count)
        tied = tied + tied[:twice]
        series, error, good = _fit(samples, steps, tied, enough)
        fits.append((series, error))
        if good or error <= enough:
            return fits[-1]
    return min(fits, key=lambda fit: fit[1])


def _fit(
    samples: Samples, steps: int, tied: list[tuple[bool, int]], enough: float
) -> tuple[Array, float, bool]:
    """Points are doubled until the interpolant is as good between them as what it interpolates."""
    points = 17
    while True:
        table = np.stack([samples.step_sizes(u, steps, tied) for u in lobatto(points)])
        series = interpolate(table)
        error, good = _compare(samples, steps, tied, series, _between(points, 12))
        if good:
            return series, error, error <= 1.05 * samples.best_error(steps) + _PRECISION
        if 2 * points - 1 >= _MOST_POINTS:
            if error > _SURELY * enough:
                # rounding may show anywhere: look closely
                close = _between(points, points) + _between(2 * points - 1, 2 * points)
                error, _ = _compare(samples, steps, tied, series, close)
            return series, error, False
        points = 2 * points - 1


def _compare(
    samples: Samples, steps: int, tied: list[tuple[bool, int]], series: Array, points: list[float]
) -> tuple[float, bool]:
    """The largest error of fitted steps, and whether they are as good as those they fit."""
    fitted = chebyshev.chebval(np.array(points), series.T).T
    got = np.array([samples.at(u).error(f) for u, f in zip(points, fitted, strict=True)])
    aim = [samples.at(u).error(samples.step_sizes(u, steps, tied)) for u in points]
    good = np.all(got <= 1.05 * np.array(aim) + 0.01 * max(aim) + _PRECISION)
    return float(got.max()), bool(good)


def _between(points: int, most: int) -> list[float]:
    """Some of the points halfway between those of `lobatto`, the outermost among them."""
    halfway = lobatto(2 * points - 1)[1::2]
    chosen = np.linspace(0, len(halfway) - 1, min(most, len(halfway)))
    return [halfway[round(k)] for k in chosen]


def interpolate(table: Array) -> Array:
    """Coefficients (K, n) of the interpolant through values (points, K) at `lobatto`.

    Coefficients at the end that are rounding are left out: ``n <= points``.
    """
    points = len(table)
    weights = np.full(points, 1.0)
    weights[0] = weights[-1] = 0.5
    # discrete orthogonality; the first and the last coefficient count half
    basis = chebyshev.chebvander(np.array(lobatto(points)), points - 1)
    series = 2.0 / (points - 1) * basis.T @ (weights[:, None] * table)
    series[0] /= 2.0
    series[-1] /= 2.0
    size = np.max(np.abs(series) / np.max(np.abs(series), axis=0), axis=1)
    kept: Array = series[: np.flatnonzero(size > _CHOP)[-1] + 1].T
    return kept


def stable_order(step_sizes: Array, eigenvalues: Array) -> tuple[int, ...]:
    """The order of steps that magnifies rounding least.

    A step leaves a rounding error as large as the iterate, and the steps after it act on that
    error: `magnification` over the eigenvalues is made smallest, over all orders for few steps,
    and by exchanging two at a time for more.
    """
    count = len(step_sizes)
    factors = 1.0 - np.outer(step_sizes, eigenvalues)

    def cost(order: tuple[int, ...]) -> float:
        return magnification(factors[list(order)])

    if count <= _EXHAUSTIVE:
        return min(itertools.permutations(range(count)), key=cost)
    # large and small roots in turns: what one step magnifies the next one makes small again
    ranks = [int(k) for k in np.argsort(step_sizes, kind="stable")]
    order = tuple(ranks[k // 2] if k % 2 == 0 else ranks[-1 - k // 2] for k in range(count))
    while True:
        pairs = itertools.combinations(range(count), 2)
        best = min((_exchanged(order, *pair) for pair in pairs), key=cost)
        if cost(best) >= cost(order):
            return order
        order = best


def _exchanged(order: tuple[int, ...], i: int, j: int) -> tuple[int, ...]:
    changed = list(order)
    changed[i], changed[j] = order[j], order[i]
    return tuple(changed)


def magnification(factors: Array) -> float:
    """How many rounding errors the last iterate holds.

    The sum over the steps of ``max |1 - prefix| max |suffix|``, with prefix and suffix the products
    of the factors ``1 - eta_k h`` up to and after the step; factors (steps, eigenvalues), in order.
    """
    prefix = np.cumprod(factors, axis=0)
    suffix = np.cumprod(factors[::-1], axis=0)[::-1]
    after = np.append(np.max(np.abs(suffix[1:]), axis=1), 1.0)
    return float(np.max(np.abs(1.0 - prefix), axis=1) @ after)
