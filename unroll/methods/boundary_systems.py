r"""What the inverse symbol lacks at the ends of a sequence, over a range of noise.

With ``A = Gamma + x I`` and the inverse symbol ``P`` the correction ``D = A^{-1} - P`` lives at the
ends: its singular values fall fast, and nearly the same few vectors serve every ``x``. Both
matrices commute with the reversal of the sequence, so even and odd vectors are sought apart.

Sequences drawn from ``N(0, A)`` by circulant embedding, times ``D``, show the vectors that matter
for the root-mean-square error (a randomised range finder); products are FFTs, so the work grows
like ``N log N``. All that is asked later is answered by the triangular factor of
``A^{1/2} [D Q, Q]``, a small matrix for every ``x``, with no difference of large numbers.

Source: N. Halko, P. Martinsson & J. Tropp, "Finding structure with randomness", SIAM Review 53
(2011).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from unroll.kernels import Kernel
from unroll.methods.embedding import block_product
from unroll.methods.ritz_steps import lobatto
from unroll.methods.toeplitz_inverse import ToeplitzInverse
from unroll.validation import Array

__all__ = ["BoundarySystems", "Half", "mirrored"]

_POINTS = 65  # of the fit; as many less one lie between them
_MOST = 32  # vectors of one parity
_SEQUENCES = 12
_DRAWS = 16  # sequences that measure what all these vectors miss


@dataclass(frozen=True)
class Half:
    """The even or odd sequences at all points.

    Attributes
    ----------
    sign
        1 for even, -1 for odd.
    vectors
        ``Q``, orthonormal columns, array (frames, m), the most useful first.
    sizes
        How much of the correction each of them carries, array (m,): singular values, relative to
        the root mean square of the score.
    corrected, plain
        Arrays (points, 2 m, m): ``A^{1/2} D Q`` and ``A^{1/2} Q`` in an orthonormal basis, over
        ``||A^{-1/2}||``.
    missed
        Array (points,): root mean square of what lies outside ``Q``, relative.
    """

    sign: int
    vectors: Array
    sizes: Array
    corrected: Array
    plain: Array
    missed: Array


class BoundarySystems:
    """Corrections of one problem at points of ``log x``.

    Parameters
    ----------
    kernel, frames
        The temporal covariance.
    log_range
        Ends of the range of ``log x``.
    period, symbol
        The circulant that holds it.

    Attributes
    ----------
    x
        The noise at all points; the even entries are for fitting, the odd ones lie between.
    """

    def __init__(
        self,
        kernel: Kernel,
        frames: int,
        log_range: tuple[float, float],
        period: int,
        symbol: Array,
    ) -> None:
        self.frames, self.period, self.symbol = frames, period, symbol
        self.column = kernel.autocov(np.arange(frames))
        low, high = log_range
        # points and those between them: Lobatto points of twice the degree
        self.x = np.exp((low + high) / 2 + (high - low) / 2 * np.array(lobatto(2 * _POINTS - 1)))

    @cached_property
    def halves(self) -> list[Half]:
        """Even and, where there are any, odd sequences."""
        bases = self._bases()
        factors: list[list[tuple[Array, Array]]] = [[] for _ in bases]
        missed: list[list[float]] = [[] for _ in bases]
        rng = np.random.default_rng(1)
        for x in self.x:
            inverse = self.inverse(float(x))
            drawn = self._drawn(inverse, float(x), _DRAWS, rng)
            for k, (sign, q) in enumerate(bases):
                factors[k].append(self._factor(inverse, float(x), q))
                own = (drawn + sign * drawn[:, ::-1]) / 2
                outside = own - (own @ q) @ q.T
                missed[k].append(float(np.linalg.norm(outside)) / math.sqrt(_DRAWS))
        return [
            self._sorted(sign, q, *factors[k], missed=np.array(missed[k]))
            for k, (sign, q) in enumerate(bases)
        ]

    def inverse(self, x: float) -> ToeplitzInverse:
        """``A^{-1}``."""
        return ToeplitzInverse(self.column, x, self.gates(x), self.period)

    def gates(self, x: float) -> Array:
        """Eigenvalues of the circulant of ``P``."""
        return 1.0 / (self.symbol + x)

    def correction(self, inverse: ToeplitzInverse, x: float, rows: Array) -> Array:
        """``D`` times vectors (..., frames)."""
        return inverse.solve(rows) - block_product(self.gates(x), self.period, rows)

    def _drawn(
        self, inverse: ToeplitzInverse, x: float, count: int, rng: np.random.Generator
    ) -> Array:
        """``D z / ||A^{-1/2}||`` with ``z`` from ``N(0, A)``, array (count, frames)."""
        white = rng.standard_normal((count, self.period))
        waves = np.fft.rfft(white) * np.sqrt(self.symbol + x)
        z = np.fft.irfft(waves, self.period)[:, : self.frames]
        return self.correction(inverse, x, z) / math.sqrt(inverse.trace)

    def _bases(self) -> list[tuple[int, Array]]:
        n = self.frames
        signs = [1, -1] if n > 1 else [1]
        if (n + 1) // 2 <= _MOST:
            counts = {1: (n + 1) // 2, -1: n // 2}
            return [(sign, _normal(mirrored(np.eye(counts[sign]), n, sign))) for sign in signs]
        rng = np.random.default_rng(0)
        drawn = []
        for x in self.x[::4]:
            drawn.append(self._drawn(self.inverse(float(x)), float(x), _SEQUENCES, rng))
        rows = np.vstack(drawn)
        found = []
        for sign in signs:
            own = (rows + sign * rows[:, ::-1])[:, : (n + 1) // 2]
            vectors = np.linalg.svd(own, full_matrices=False)[2][:_MOST]
            found.append((sign, np.linalg.qr(mirrored(vectors.T, n, sign))[0]))
        return found

    def _factor(self, inverse: ToeplitzInverse, x: float, q: Array) -> tuple[Array, Array]:
        """The triangular factor of ``A^{1/2} [D Q, Q] / ||A^{-1/2}||``, in two parts.

        ``|A^{1/2} y|^2`` is the sum of ``(f_m + x) |y_m|^2`` over the period.
        """
        rows = np.vstack([self.correction(inverse, x, q.T), q.T])
        waves = np.fft.rfft(rows, self.period) * np.sqrt(self.symbol + x)
        waves[:, 1 : (self.period + 1) // 2] *= math.sqrt(2)
        tall = np.hstack([waves.real, waves.imag]).T / math.sqrt(self.period * inverse.trace)
        triangle = np.asarray(np.linalg.qr(tall, mode="r"))
        m = q.shape[1]
        return triangle[:, :m], triangle[:, m:]

    def _sorted(self, sign: int, q: Array, *factors: tuple[Array, Array], missed: Array) -> Half:
        """With the vectors that carry most of the correction first."""
        corrected = np.stack([d for d, _ in factors])
        plain = np.stack([p for _, p in factors])
        m = q.shape[1]
        _, sizes, rotation = np.linalg.svd(corrected.reshape(-1, m), full_matrices=False)
        turn = rotation.T
        scale = math.sqrt(len(self.x))
        return Half(sign, q @ turn, sizes / scale, corrected @ turn, plain @ turn, missed)


def _normal(columns: Array) -> Array:
    result: Array = columns / np.linalg.norm(columns, axis=0)
    return result


def mirrored(halves: Array, frames: int, sign: int) -> Array:
    """Columns (frames, m), even or odd under reversal, from their first halves.

    The middle row of odd sequences of odd length, which is zero, is left out of the halves or not.

    >>> mirrored(np.array([[1.0], [2.0]]), 3, 1).ravel()
    array([1., 2., 1.])
    """
    half = frames // 2
    middle = np.zeros((frames % 2, halves.shape[1]))
    if sign > 0 and frames % 2:
        middle = halves[half : half + 1]
    return np.vstack([halves[:half], middle, sign * halves[:half][::-1]])
