r"""Rank-one heads that correct the inverse symbol at the ends of a sequence, in balls.

Head ``h`` adds ``rho_h v_h v_h^T / (x + p_h)`` to the preconditioner ``P`` of a channel, with
``v_h = W c_h`` for a few vectors ``W`` that all heads share: at one ``x`` the sum is ``W G W^T``
with a small matrix ``G``. Its terms cancel, so ``G`` is summed in balls; what is left is of the
size of what it corrects, and float64 is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat

from proofs_check.balls import toeplitz_apply
from proofs_check.float_matrices import UNIT, gamma
from proofs_check.float_residual import Half

__all__ = ["BoundaryClaim", "BoundaryHeads"]


@dataclass(frozen=True)
class BoundaryClaim:
    """What a plan says of both blocks, for a spatial eigenvalue of 1.

    Attributes
    ----------
    period, symbol
        Of the circulant: poles of the Fourier heads.
    ends, read
        Arrays (frames, rank) and (rank, heads), ``W`` and ``c_h``.
    poles, amplitudes
        ``p_h`` and ``rho_h``.
    """

    period: int
    symbol: Sequence[float]
    ends: np.ndarray
    read: np.ndarray
    poles: Sequence[float]
    amplitudes: Sequence[float]


@dataclass(frozen=True)
class BoundaryHeads:
    """The heads of one problem.

    Attributes
    ----------
    ends
        ``W``, (frames, rank).
    images
        ``Gamma W``.
    read
        ``c_h``, (rank, heads).
    poles, amplitudes
        ``p_h`` and ``rho_h``.
    lengths, forms
        ``|v_h|^2`` and ``v_h^T Gamma v_h``.
    """

    ends: arb_mat
    images: arb_mat
    read: arb_mat
    poles: list[arb]
    amplitudes: list[arb]
    lengths: list[arb]
    forms: list[arb]

    @classmethod
    def of(
        cls,
        column: list[arb],
        ends: arb_mat,
        read: arb_mat,
        poles: list[arb],
        amplitudes: list[arb],
    ) -> BoundaryHeads:
        """For the covariance with this first column."""
        images = arb_mat(
            [toeplitz_apply(column, list(row)) for row in ends.transpose().tolist()]
        ).transpose()
        lengths, forms = (_diagonal(read, ends.transpose() * other) for other in (ends, images))
        return cls(ends, images, read, poles, amplitudes, lengths, forms)

    def size(self, low: float, high: float) -> arb:
        """At least ``sum_h |rho_h| v_h^T A v_h / (x + p_h)`` for ``x`` in ``[low, high]``.

        A quotient ``(a + x b) / (x + p)`` is largest at one of the ends.
        """
        total = arb(0)
        for p, rho, b, a in zip(self.poles, self.amplitudes, self.lengths, self.forms, strict=True):
            ends = ((a + arb(x) * b) / (arb(x) + p) for x in (low, high))
            total += abs(rho) * next(ends).max(next(ends))
        return total

    def share(self, smallest: arb, noise: arb, mu: arb) -> arb:
        """At least ``sum_h |rho_h| |v_h|^2 (n + l) / (n + p_h mu)`` for every ``n`` from ``noise``
        on, ``smallest`` being ``noise + l``: the norm of the heads, over that of ``A^{-1}``.
        """
        total = arb(0)
        for p, rho, b in zip(self.poles, self.amplitudes, self.lengths, strict=True):
            total += abs(rho) * b * (smallest / (noise + p * mu)).max(arb(1))
        return total

    def middle(self, x: arb) -> arb_mat:
        """``G``."""
        weights = [rho / (x + p) for rho, p in zip(self.amplitudes, self.poles, strict=True)]
        rows = self.read.tolist()
        scaled = arb_mat([[c * w for c, w in zip(row, weights, strict=True)] for row in rows])
        return scaled * self.read.transpose()

    def residual(self, x: arb, parts: list[Half]) -> list[tuple[Half, np.ndarray, float]]:
        """For each half of the system its rows of ``A (P + W G W^T) - I``, and what they are off
        by.
        """
        noisy = self.images + x * self.ends
        left, right = (_reversal_halves(m) for m in (noisy, self.ends))
        middle = _floats(self.middle(x))
        found = []
        for k, (part, (image, missed)) in enumerate(zip(parts, left, strict=True)):
            blocks, error = [], part.error
            size = float(np.linalg.norm(image)) * float(np.linalg.norm(middle[0]))
            for j, (vectors, lacking) in enumerate(right):
                norm = float(np.linalg.norm(vectors))
                block = image @ middle[0] @ vectors.T
                # two products, and what the three factors were rounded by
                error += 2 * gamma(len(middle[0]) + 4) * size * norm
                error += missed * float(np.linalg.norm(middle[0])) * norm
                error += float(np.linalg.norm(image)) * middle[1] * norm + size * lacking
                if j == k:
                    block = block + part.excess
                    error += 2 * UNIT * float(np.linalg.norm(block))
                blocks.append(block)
            found.append((part, np.hstack(blocks), error * (1 + 1e-6)))
        return found


def _diagonal(read: arb_mat, square: arb_mat) -> list[arb]:
    """``c_h^T S c_h`` for every head."""
    image = (square * read).tolist()
    columns = zip(*read.tolist(), strict=True), zip(*image, strict=True)
    return [
        sum((c * y for c, y in zip(one, other, strict=True)), arb(0))
        for one, other in zip(*columns, strict=True)
    ]


def _floats(matrix: arb_mat) -> tuple[np.ndarray, float]:
    """The midpoints, rounded, and at least the Frobenius norm of what that loses."""
    rows = matrix.tolist()
    floats = np.array([[float(x) for x in row] for row in rows])
    radii = np.array([[float(x.rad()) for x in row] for row in rows])
    return floats, (float(np.linalg.norm(radii)) + 2 * UNIT * float(np.linalg.norm(floats))) * 1.01


def _reversal_halves(matrix: arb_mat) -> list[tuple[np.ndarray, float]]:
    """Rows in the orthonormal basis of the sequences that are even, and odd, under reversal."""
    rows, root = matrix.tolist(), arb(2).sqrt()
    n = len(rows)
    found = []
    for sign in (1, -1):
        half = [
            [(x + sign * y) / root for x, y in zip(rows[i], rows[n - 1 - i], strict=True)]
            for i in range(n // 2)
        ]
        if n % 2 and sign > 0:
            half.append(rows[n // 2])
        if half:
            found.append(_floats(arb_mat(half)))
    return found
