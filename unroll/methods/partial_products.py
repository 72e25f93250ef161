r"""How errors survive in a preconditioned iteration: products of its later factors.

Step ``k`` is ``s <- s - eta_k P (A s + b)``. A local error in the residual of step ``j`` arrives,
in the ``k``-th iterate, through ``prod_{j<l<k} (I - eta_l P A) eta_j P``, one in the iterate itself
through the product alone. With ``h`` the eigenvalues of ``P A`` and ``m, L`` the ends of the
spectrum of ``A`` their norms are at most (lemma ``preconditioned_arrival``)

    max_h |eta_j h prod_l (1 - eta_l h)| / m,        max_h |prod_l (1 - eta_l h)| sqrt(L / m).

The maxima are taken here, over ``h`` and over ``x``, of which step sizes and the largest ``h`` are
functions: on small cells, with what the factors can be at most on each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from unroll.validation import Array

__all__ = ["PartialProducts", "partial_products"]

_CELLS = 512  # of x
_LEVELS = 48  # of h
_OUTWARD = 1e-12  # relative; far above the rounding of a few products


@dataclass(frozen=True)
class PartialProducts:
    """Bounds that hold for every ``x`` of the range.

    Attributes
    ----------
    plain
        Array (K+1, K+1); entry ``[j, k]`` bounds ``prod_{j <= l < k} |1 - eta_l h|``.
    led
        Array (K, K+1); entry ``[j, k]``, ``j < k``, bounds
        ``|eta_j| h prod_{j < l < k} |1 - eta_l h|``.
    step
        Array (K,); bounds ``|eta_j|``.
    largest
        Bounds ``h``.
    """

    plain: Array
    led: Array
    step: Array
    largest: float


def partial_products(
    series: Sequence[Sequence[float]], smallest: float, largest: Callable[[float, float], float]
) -> PartialProducts:
    """The products over a range of ``x``, mapped to ``u = cos(phi)`` in ``[-1, 1]``.

    Parameters
    ----------
    series
        Chebyshev coefficients in ``u`` of every step size.
    smallest
        At most the smallest ``h``.
    largest
        ``(u_low, u_high)`` to a number that no ``h`` of that part of the range exceeds.
    """
    edges = np.linspace(0.0, math.pi, _CELLS + 1)
    middles, half = (edges[:-1] + edges[1:]) / 2, edges[1] / 2 * (1 + _OUTWARD)
    low, high = [], []
    for row in series:
        orders = np.arange(len(row))
        values = np.cos(np.outer(middles, orders)) @ np.asarray(row)
        size = np.abs(np.asarray(row))
        # |d/dphi cos(n phi)| <= n; and rounding, of angles n phi and sums
        radius = half * float(orders @ size) + 1e-14 * float((orders + len(row)) @ size)
        low.append(values - radius)
        high.append(values + radius)
    tops = np.array([largest(math.cos(b), math.cos(a)) for a, b in pairwise(edges)])
    shares = np.arange(_LEVELS + 1) / _LEVELS
    wide = np.maximum(tops, smallest)[:, None]
    ends = smallest * (wide / smallest) ** shares if smallest > 0 else wide * shares
    bottom, top = ends[:, :-1] * (1 - _OUTWARD), ends[:, 1:] * (1 + _OUTWARD)

    def bound(eta: Array, other: Array) -> tuple[Array, Array]:
        """``|1 - eta h|`` and ``|eta| h`` on every cell: both are extreme at its corners."""
        corners = [e[:, None] * h for e in (eta, other) for h in (bottom, top)]
        product = np.max(np.abs(corners), axis=0)
        factor = np.max([np.abs(1 - corner) for corner in corners], axis=0)
        return factor * (1 + _OUTWARD) + _OUTWARD * (1 + product), product * (1 + _OUTWARD)

    pairs = [bound(a, b) for a, b in zip(low, high, strict=True)]
    count = len(pairs)
    plain, led = np.ones((count + 1, count + 1)), np.zeros((count, count + 1))
    for j in range(count):
        running, leading = np.ones_like(bottom), pairs[j][1]
        for k in range(j, count):
            if k > j:
                leading = leading * pairs[k][0] * (1 + _OUTWARD)
            running = running * pairs[k][0] * (1 + _OUTWARD)
            plain[j, k + 1], led[j, k + 1] = running.max(), leading.max()
    step = np.array([np.max(np.abs([a, b])) for a, b in zip(low, high, strict=True)])
    return PartialProducts(plain, led, step, float(tops.max()))
