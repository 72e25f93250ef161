r"""The preconditioned system ``P (Gamma + x I)``, one half at a time.

Both matrices are Toeplitz, so they commute with the reversal of the sequence: eigenvectors are even
or odd under it. The halves are solved apart, because the two ends of a long sequence give each
outlier twice, nearly degenerate, once even and once odd: a dense solver would mix the two, and a
Krylov space would see them once.

Eigenvectors are normalised by ``v^T A v = 1``, ``A = Gamma + x I``. Short sequences are solved
densely. For long ones Lanczos in the inner product of ``A`` finds the outliers without an ``N^3``
eigendecomposition, by FFT products and full reorthogonalisation.

Source: G. Golub & C. Van Loan, *Matrix Computations*, 4th ed., sections 8.7 (symmetric-definite
pencils) and 10.3 (Lanczos); centrosymmetric matrices: A. Andrew, Linear Algebra Appl. 7 (1973).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, eigh_tridiagonal, solve_triangular, toeplitz

from unroll.methods.embedding import block_product, toeplitz_symbol
from unroll.validation import Array

__all__ = ["Half", "dense_half", "half", "lanczos_half"]

_DENSE = 128  # up to this size the dense eigendecomposition is as fast
_KRYLOV = 32  # all outliers converge in fewer steps; the rest is a good mean of the others
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Half:
    """Eigenvalues ``1 + excess_i``, largest first, of one half.

    Attributes
    ----------
    excess, weights
        Arrays of one length; ``weights_i = |v_i|^2``.
    top
        ``A v`` for the eigenvector of the largest, array (frames,).
    """

    excess: Array
    weights: Array
    top: Array


def half(column: Array, gates: Array, period: int, x: float, sign: int) -> Half:
    """Dense for short sequences, by Lanczos for long ones.

    Parameters
    ----------
    column
        ``gamma(0), ..., gamma(N - 1)``.
    gates
        Eigenvalues of the circulant of ``P``, array (period // 2 + 1,).
    period
        Its period.
    x
        ``> 0``.
    sign
        1 for eigenvectors that are even under reversal, -1 for odd ones.
    """
    solve = dense_half if len(column) <= _DENSE else lanczos_half
    return solve(column, gates, period, x, sign)


def dense_half(column: Array, gates: Array, period: int, x: float, sign: int) -> Half:
    """All eigenvalues, by a Cholesky factor of the half of ``A`` and one eigendecomposition."""
    frames = len(column)
    basis = _basis(frames, sign)
    if basis.shape[1] == 0:
        return Half(np.empty(0), np.empty(0), np.zeros(frames))
    noisy = basis.T @ (toeplitz(column) + x * np.eye(frames)) @ basis
    inverse = basis.T @ toeplitz(np.fft.irfft(gates, period)[:frames]) @ basis
    factor = cholesky(noisy, lower=True)
    values, vectors = np.linalg.eigh(factor.T @ inverse @ factor)
    values, vectors = values[::-1], vectors[:, ::-1]
    weights = np.sum(solve_triangular(factor, vectors, lower=True, trans="T") ** 2, axis=0)
    return Half(values - 1.0, weights, basis @ (factor @ vectors[:, 0]))


def _basis(frames: int, sign: int) -> Array:
    """Orthonormal basis of the even or odd sequences, array (frames, about half)."""
    count = (frames + 1) // 2 if sign > 0 else frames // 2
    basis = np.zeros((frames, count))
    for k in range(count):
        basis[k, k] += 1.0
        basis[frames - 1 - k, k] += sign
    normal: Array = basis / np.linalg.norm(basis, axis=0)
    return normal


def lanczos_half(column: Array, gates: Array, period: int, x: float, sign: int) -> Half:
    """The largest eigenvalues; the smallest ones listed stand for many that are close to 1."""
    frames = len(column)
    own_period, symbol = toeplitz_symbol(column)
    # outliers live at the ends of the sequence: so does the start, and all of them are in it
    noise = np.random.default_rng(0).standard_normal(frames)
    vector = block_product(gates, period, noise / (1.0 + np.arange(frames)))
    most = min(_KRYLOV, (frames + 1) // 2 if sign > 0 else frames // 2)
    basis, images = np.empty((most, frames)), np.empty((most, frames))
    diagonal: list[float] = []
    beside: list[float] = []
    for k in range(most):
        for _ in range(2):
            vector = (vector + sign * vector[::-1]) / 2.0
            vector = vector - (images[:k] @ vector) @ basis[:k]
        image = block_product(symbol, own_period, vector) + x * vector
        size = max(float(vector @ image), 0.0) ** 0.5
        if k and size <= _ROUNDING:  # the Krylov space is exhausted
            break
        beside.append(size)
        basis[k], images[k] = vector / size, image / size
        vector = block_product(gates, period, images[k])
        diagonal.append(float(vector @ images[k]) - 1.0)
    excess, coordinates = eigh_tridiagonal(diagonal, beside[1:])
    excess, coordinates = excess[::-1], coordinates[:, ::-1]
    count = len(diagonal)
    weights = np.sum((coordinates.T @ basis[:count]) ** 2, axis=1)
    return Half(excess, weights, coordinates[:, 0] @ images[:count])
