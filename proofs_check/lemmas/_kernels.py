"""The three decay regimes for the lemmas: formulas for the proofs, loops for the measurements.

The measurements work with mpmath alone and never look at the formulas.
"""

from __future__ import annotations

import itertools
from typing import Any

import mpmath
import sympy

from proofs_check.step import Parameters, Range
from proofs_check.symbols import ell, h, nu, power

EXPONENTIAL = sympy.exp(-((h / ell) ** nu))
POLYNOMIAL = (1 + h / ell) ** (-power)
LOGARITHMIC = (1 + sympy.log(1 + h / ell)) ** (-power)

DIGITS = 40

RANGES = {
    "regime": Range(0, 2, integer=True),
    "ell": Range(0.3, 16.0),
    "shape": Range(0.2, 2.0),
}
"""Regime 0, 1, 2 is exponential, polynomial, logarithmic; `shape` is nu or the power."""


def kernel(parameters: Parameters, lag: Any) -> mpmath.mpf:
    """gamma(lag) at the working precision."""
    scaled = abs(mpmath.mpf(lag)) / mpmath.mpf(parameters["ell"])
    shape = mpmath.mpf(parameters["shape"])
    if parameters["regime"] == 0:
        return mpmath.exp(-(scaled**shape))
    base = 1 + scaled if parameters["regime"] == 1 else 1 + mpmath.log(1 + scaled)
    return base**-shape


def gram(parameters: Parameters, size: int) -> mpmath.matrix:
    """The matrix Gamma_N, entry by entry."""
    matrix = mpmath.matrix(size, size)
    for i in range(size):
        for j in range(size):
            matrix[i, j] = kernel(parameters, i - j)
    return matrix


def eigenvalues(matrix: mpmath.matrix) -> list[mpmath.mpf]:
    """Eigenvalues of a symmetric matrix, in ascending order."""
    return sorted(mpmath.eigsy(matrix, eigvals_only=True))


def symbol_at_pi(parameters: Parameters) -> mpmath.mpf:
    """f(pi) = 1 + 2 sum_{k>=1} (-1)^k gamma(k), about as precise as the working precision.

    Where gamma decays fast the sum itself; elsewhere partial sums from lag 60 on, averaged until
    one is left.
    """
    total = mpmath.mpf(1)
    if parameters["regime"] == 0 and parameters["shape"] > 1:
        lag, size = 1, mpmath.mpf(1)
        while size > mpmath.eps:
            size = kernel(parameters, lag)
            total += 2 * (-1) ** lag * size
            lag += 1
        return total
    rounds = mpmath.mp.prec + 20
    partial_sums = []
    for lag in range(1, 60 + rounds):
        total += 2 * (-1) ** lag * kernel(parameters, lag)
        partial_sums.append(total)
    averages = partial_sums[-rounds:]
    while len(averages) > 1:
        averages = [(a + b) / 2 for a, b in itertools.pairwise(averages)]
    return averages[0]


def grid(parameters: Parameters) -> Parameters:
    """Floats rounded to multiples of 1/16, whose exact powers sympy can evaluate quickly."""
    return {
        name: (round(value * 16) or 1) / 16 if isinstance(value, float) else value
        for name, value in parameters.items()
    }
