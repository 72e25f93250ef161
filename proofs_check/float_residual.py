r"""The preconditioned system ``A P`` in float64, less the identity, to the last digit.

``A`` and ``P`` commute with the reversal of the sequence: both are taken apart into their even and
odd halves, Toeplitz plus Hankel matrices. ``A P - I`` is small where the preconditioner is good, a
difference of large numbers; so both factors are split into 21 leading bits and a rest. The products
of leading parts are sums of integers below ``2^53``, exact in any order, and the rest contributes
rounding errors of its own size only.

Source: K. Ozaki, T. Ogita, S. Oishi & S. M. Rump, "Error-free transformations of matrix
multiplication by using fast routines of matrix multiplication", Numer. Algorithms 59 (2012).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb

from proofs_check.float_matrices import UNIT, gamma

__all__ = ["Half", "halves", "reversal_half"]

_BITS = 21  # two sums of two such numbers, multiplied and added up 2^9 times, stay below 2^53
LARGEST_HALF = 512


@dataclass(frozen=True)
class Half:
    """``A P`` on the sequences with ``v[::-1] = sign v``, in an orthonormal basis.

    Attributes
    ----------
    noisy
        ``A``, every entry off by a few roundings of what it is the sum of.
    excess
        ``A P - I``.
    error
        Frobenius norm of what the latter is off by.
    size
        At least the norm of the absolute values of ``A``.
    """

    noisy: np.ndarray
    excess: np.ndarray
    error: float
    size: float

    def top(self) -> float:
        """At least every eigenvalue of ``A P``: the eighth root of ``tr (A P - I)^8``, plus 1.

        The eigenvalues are real, so that even powers bound them.
        """
        n = len(self.excess)
        square = self.excess @ self.excess
        fourth = square @ square
        norm = float(np.linalg.norm(self.excess)) * (1 + 1e-6)
        lost = 8 * (gamma(n * n) + self.error / max(norm, 1e-300)) * (norm + self.error) ** 8
        trace = float(np.sum(fourth * fourth.T)) + lost
        return 1 + float(max(trace, 0.0) ** 0.125) * (1 + 1e-9)


def halves(column: Sequence[arb], row: Sequence[arb]) -> list[Half]:
    """Both halves, from first columns of ``A`` and ``P``; at most 1024 frames."""
    a, a_rest, a_size = _split(column)
    p, p_rest, p_size = _split(row)
    mixed = a_size * _norm(p_rest) + _norm(a_rest) * p_size
    found = []
    for sign in (1, -1):
        first, second, other, rest = (reversal_half(v, sign) for v in (a, a_rest, p, p_rest))
        n = len(first)
        if n == 0:
            continue
        main = first @ other - np.eye(n)
        tail = first @ rest + second @ other + second @ rest
        excess = main + tail
        error = 4 * UNIT * float(np.linalg.norm(excess) + np.linalg.norm(tail))
        error += gamma(n + 8) * math.sqrt(n) * mixed * (1 + 1e-6)
        noisy = first + second
        if len(column) % 2 and sign > 0:  # an orthonormal basis scales the middle frame
            for matrix in (noisy, excess):
                matrix[-1] /= math.sqrt(2)
                matrix[:, -1] *= math.sqrt(2)
            error *= math.sqrt(2)
        error += 4 * UNIT * float(np.linalg.norm(excess))
        found.append(Half(noisy, excess, error * (1 + 1e-6), a_size))
    return found


def reversal_half(column: np.ndarray, sign: int) -> np.ndarray:
    """A symmetric Toeplitz matrix on the first half of sequences with ``v[::-1] = sign v``."""
    n = len(column)
    half = n // 2
    i, j = np.arange(half)[:, None], np.arange(half)
    matrix = column[np.abs(i - j)] + sign * column[n - 1 - i - j]
    if n % 2 and sign > 0:
        beside = column[half - np.arange(half)]
        matrix = np.block([[matrix, beside[:, None]], [2 * beside, column[:1]]])
    return np.asarray(matrix)


def _split(column: Sequence[arb]) -> tuple[np.ndarray, np.ndarray, float]:
    """Leading bits, the rest, and a bound of the norm of the absolute values."""
    floats = np.array([float(c) for c in column])
    unit = 2.0 ** (math.ceil(math.log2(float(np.abs(floats).max()))) - _BITS)
    leading = np.rint(floats / unit) * unit
    rest = np.array([float(c - arb(x)) for c, x in zip(column, leading, strict=True)])
    return leading, rest, _norm(floats)


def _norm(column: np.ndarray) -> float:
    """The largest row sum of absolute values of the Toeplitz matrix, at most."""
    sizes = np.abs(column)
    return float(sizes[0] + 2 * sizes[1:].sum()) * (1 + 1e-9)
