"""Ball arithmetic beyond single expressions: kernels, matrices, maxima over an interval.

A ball is python-flint's ``arb``: a midpoint and a radius that is rounded outward by every
operation, so that a result contains the exact value. Floats enter as the binary numbers they are.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import reduce
from typing import Any

import flint
import numpy as np
from flint import arb, arb_mat

from proofs_check.enclose import ball
from unroll.kernels import (
    CircleExponential,
    DampedCosine,
    Exponential,
    Kernel,
    Logarithmic,
    Polynomial,
)

__all__ = [
    "autocov_ball",
    "autocov_balls",
    "ball_matrix",
    "frobenius",
    "is_positive_definite",
    "largest",
    "maximum",
    "precision",
    "round_up",
    "smallest",
    "toeplitz_apply",
]

# Elimination in ball arithmetic loses up to about eight bits a row; 64 rows need this much.
PRECISION_BITS = 640


def precision(bits: int = PRECISION_BITS) -> AbstractContextManager[Any]:
    """Context manager: ball arithmetic with ``bits`` bits of midpoint."""
    context: AbstractContextManager[Any] = flint.ctx.workprec(bits)
    return context


def round_up(value: arb) -> float:
    """A float that is at least every number in the ball; ``inf`` where there is none."""
    if value == 0:
        return 0.0
    top = float(value.upper())
    return math.nextafter(top, math.inf) if math.isfinite(top) else math.inf


def maximum(
    function: Callable[[arb], arb],
    low: float,
    high: float,
    relative_gap: float = 1e-8,
    most_pieces: int = 4096,
) -> arb:
    """An upper bound of a function on ``[low, high]``, by subdivision.

    ``function`` maps a ball of arguments to a ball containing all values; pieces are split until
    the largest upper bound is within ``relative_gap`` of a value that is attained, or until there
    are ``most_pieces``. Returns that upper bound as an exact ball (not finite where the function is
    not bounded on a piece).
    """

    def piece(a: float, b: float) -> tuple[float, float, float]:
        return -round_up(function(arb(a).union(arb(b)))), a, b

    heap = [piece(low, high)]
    attained = max(float(function(arb(x)).lower()) for x in (low, high))
    for _ in range(most_pieces):
        bound, a, b = heap[0]
        middle = math.sqrt(a * b) if a > 0 else (a + b) / 2
        if -bound <= attained * (1 + relative_gap) or not a < middle < b:
            break
        heapq.heappop(heap)
        attained = max(attained, float(function(arb(middle)).lower()))
        for half in (piece(a, middle), piece(middle, b)):
            heapq.heappush(heap, half)
    return arb(-heap[0][0])


def largest(values: Iterable[arb]) -> arb:
    """A ball that contains the largest number, whichever of the balls holds it.

    >>> float(largest([arb(1), arb(3), arb(2)]))
    3.0
    """
    return reduce(arb.max, values)


def smallest(values: Iterable[arb]) -> arb:
    """A ball that contains the smallest number."""
    return reduce(arb.min, values)


def autocov_balls(kernel: Kernel, count: int) -> list[arb]:
    """``gamma(0), ..., gamma(count - 1)`` from the kernel's parameters, by its definition."""
    return [autocov_ball(kernel, arb(lag)) for lag in range(count)]


def autocov_ball(kernel: Kernel, lag: arb) -> arb:
    """``gamma(lag)``, by definition, for a lag that need not be whole."""
    if lag == 0:
        return arb(1)
    ratio = _distance(kernel, lag) / ball(kernel.length_scale)  # type: ignore[attr-defined]
    if isinstance(kernel, DampedCosine):
        # cos_pi is exactly zero where it should be: those keys get no weight at all
        return (-ratio).exp() * arb.cos_pi(2 * lag / ball(kernel.period))
    if isinstance(kernel, Exponential | CircleExponential):
        return (-((ratio.log() * ball(kernel.exponent)).exp())).exp()
    if isinstance(kernel, Polynomial):
        return (-(1 + ratio).log() * ball(kernel.power)).exp()
    if isinstance(kernel, Logarithmic):
        return (-(1 + (1 + ratio).log()).log() * ball(kernel.power)).exp()
    raise TypeError(f"kernel={kernel!r}: has no definition here; add one to autocov_ball")


def _distance(kernel: Kernel, lag: arb) -> arb:
    """The lag itself, or the chord of the circle that carries the frames."""
    if not isinstance(kernel, CircleExponential):
        return lag
    circumference = ball(float(kernel.period))
    radius = circumference / (2 * arb.pi()) if kernel.radius is None else ball(float(kernel.radius))
    return 2 * radius * (arb.pi() * lag / circumference).sin()


def ball_matrix(array: np.ndarray) -> arb_mat:
    """A float matrix as exact balls."""
    return arb_mat([[arb(float(x)) for x in row] for row in array])


def is_positive_definite(matrix: arb_mat) -> bool:
    """Whether every symmetric matrix in the ball is shown positive definite, by LDL^T."""
    rows = matrix.tolist()
    n = len(rows)
    for k in range(n):
        pivot = rows[k][k]
        if not pivot > 0:
            return False
        for i in range(k + 1, n):
            factor = rows[i][k] / pivot
            for j in range(i, n):
                rows[j][i] = rows[j][i] - factor * rows[j][k]
                rows[i][j] = rows[j][i]
    return True


def toeplitz_apply(column: Sequence[arb], vector: Sequence[arb]) -> list[arb]:
    """Symmetric Toeplitz matrix times vector, through one product of polynomials."""
    n = len(column)
    symbol = flint.arb_poly([*column[:0:-1], *column])
    product = symbol * flint.arb_poly(list(vector))
    return [product[n - 1 + i] for i in range(n)]


def frobenius(matrix: arb_mat) -> arb:
    """At least the Frobenius norm of every matrix in the ball, which bounds its spectral norm."""
    total = arb(0)
    for entry in matrix.entries():
        total += entry.abs_upper() ** 2  # a ball around zero would have no square root
    return total.sqrt()
