r"""A twist of the preconditioner that takes the coupling of the two ends out of the spectrum.

Outliers live at the ends of the sequence and come in pairs, one even and one odd under reversal,
which differ because the ends feel each other: through the sequence, and around the circle. Gates

    (1 + delta cos(2 pi m N / C)) / (f_m + x)

add ``delta`` times the preconditioner shifted by ``N`` frames to either side, which couples the
ends again: ``N`` is their distance. One number ``delta(x)`` makes the largest even and odd
eigenvalue coincide, so that one step removes both. For the exponential kernel with ``nu = 1`` these
two are all there is besides 1, up to the difference of the circle's kernel and the line's.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial import chebyshev

from unroll.methods.embedding import block_product
from unroll.methods.pencil import half
from unroll.methods.ritz_steps import interpolate, lobatto
from unroll.validation import Array

__all__ = ["fit_twist", "merging_twist", "twisted"]

_LARGEST = 0.9  # gates stay positive
_ITERATIONS = 8
_QUADRATIC = 1e-6  # the square of a change this small is rounding
_PRECISION = 1e-10
_MOST_POINTS = 65


def twisted(gates: Array, delta: Array | float, shift: int, period: int) -> Array:
    """Gates times ``1 + delta cos(2 pi m shift / period)``.

    >>> twisted(np.ones(3), 0.25, shift=2, period=4)
    array([1.25, 0.75, 1.25])
    """
    turns = np.arange(gates.shape[-1]) * shift % period / period
    result: Array = gates * (1.0 + np.asarray(delta)[..., None] * np.cos(2 * np.pi * turns))
    return result


def merging_twist(
    column: Array, symbol: Array, period: int, x: float, start: float = 0.0
) -> float | None:
    """The ``delta`` at which the largest even and odd eigenvalue coincide, by Newton's method.

    With ``P A v = h v``, ``v^T A v = 1`` the derivative of ``h`` by ``delta`` is
    ``(A v)^T P' (A v)``, ``P'`` the shifted preconditioner. ``None`` where there is no such
    ``delta`` of moderate size.
    """
    gates = 1.0 / (symbol + x)
    frames = len(column)
    shifted = twisted(gates, 1.0, frames, period) - gates
    delta = start
    for _ in range(_ITERATIONS):
        mixed = twisted(gates, delta, frames, period)
        parts = [half(column, mixed, period, x, sign) for sign in (1, -1)]
        if not all(len(part.excess) for part in parts):
            return None
        slopes = [float(p.top @ block_product(shifted, period, p.top)) for p in parts]
        change = float(parts[1].excess[0] - parts[0].excess[0]) / (slopes[0] - slopes[1])
        delta += change
        if not abs(delta) <= _LARGEST:
            return None
        if abs(change) <= _QUADRATIC:
            return delta
    return None


def fit_twist(
    column: Array, symbol: Array, period: int, log_range: tuple[float, float]
) -> tuple[float, ...] | None:
    """Chebyshev coefficients of ``delta`` in ``log x``; ``None`` where there is none somewhere."""
    middle, radius = (log_range[0] + log_range[1]) / 2, (log_range[1] - log_range[0]) / 2
    known: dict[float, float] = {}
    series, points = np.zeros(1), 9
    while True:
        for u in lobatto(points):
            if u not in known:
                x, start = math.exp(middle + radius * u), float(chebyshev.chebval(u, series))
                value = merging_twist(column, symbol, period, x, start)
                if value is None:
                    return None
                known[u] = value
        series = interpolate(np.array([[known[u]] for u in lobatto(points)]))[0]
        tail = float(np.sum(np.abs(series[3 * points // 4 :])))
        if tail <= _PRECISION or points >= _MOST_POINTS:
            return tuple(map(float, series))
        points = 2 * points - 1
