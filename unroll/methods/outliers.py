r"""Eigenvalues of the preconditioned system, and how much of the error each of them carries.

With ``A = Gamma + x I`` and the preconditioner ``P``, let ``P A v_i = h_i v_i``,
``v_i^T A v_j = delta_ij``. Then ``A^{-1} = sum_i v_i v_i^T``, and an error ``e = -r(P A) s`` with
``s ~ N(0, A^{-1})`` has the relative mean square

    E|e|^2 / E|s|^2 = sum_i w_i r(h_i)^2 / sum_i w_i,    w_i = |v_i|^2.

All but a few ``h_i`` are 1 to working accuracy. Long sequences therefore need no ``N^3``
eigendecomposition: Lanczos in the inner product of ``A`` finds the outliers, once among the
sequences that are even under reversal and once among the odd ones (the two families are nearly
degenerate, and a Krylov space sees a repeated eigenvalue once); the traces of ``P`` and ``P A``
know what is left.

Source: G. Golub & C. Van Loan, *Matrix Computations*, 4th ed., sections 10.3 (reorthogonalised
Lanczos) and 8.7 (symmetric-definite pencils).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, eigh_tridiagonal, solve_triangular, toeplitz

from unroll.methods.embedding import block_product, toeplitz_symbol
from unroll.validation import Array

__all__ = ["Outliers", "dense_outliers", "find_outliers", "lanczos_outliers"]

_DENSE = 128  # up to this size the dense eigendecomposition is as fast
_KRYLOV = 40
_BULK = 1e-12  # eigenvalues this close to 1 are rounding


@dataclass(frozen=True)
class Outliers:
    """Eigenvalues ``1 + excess_i`` of ``P A`` with the weights ``w_i``.

    Attributes
    ----------
    excess, weights
        Arrays of one length. The last entry may stand for all eigenvalues close to 1.
    remainder
        ``trace(P A) - N`` less the excess listed: what was missed, and rounding.
    """

    excess: Array
    weights: Array
    remainder: float

    def error(self, step_sizes: Array) -> float:
        """Relative root-mean-square error that is left after steps of these sizes."""
        factors = 1.0 - np.outer(step_sizes, 1.0 + self.excess)
        left = self.weights @ np.prod(factors, axis=0) ** 2
        return float(np.sqrt(left / self.weights.sum()))

    def best_roots(self, steps: int) -> Array:
        """Roots ``1 < h_1 < ... < h_K`` of the residual polynomial with the smallest error.

        The minimiser of ``sum_i w_i r(h_i)^2`` under ``r(0) = 1`` is orthogonal to all lower
        degrees for the masses ``h_i w_i``: its roots are their Gauss nodes. At most as many as
        there are eigenvalues.
        """
        z = self.excess
        vector = np.sqrt((1.0 + z) * self.weights)
        basis = [vector / np.linalg.norm(vector)]
        diagonal: list[float] = []
        beside: list[float] = []
        for _ in range(steps):
            product = z * basis[-1]
            diagonal.append(float(product @ basis[-1]))
            for _ in range(2):
                for previous in basis:
                    product = product - (previous @ product) * previous
            size = float(np.linalg.norm(product))
            if size < 1e-300:
                break
            beside.append(size)
            basis.append(product / size)
        nodes = eigh_tridiagonal(diagonal, beside[: len(diagonal) - 1], eigvals_only=True)
        return np.asarray(1.0 + nodes)


def find_outliers(column: Array, gates: Array, period: int, x: float) -> Outliers:
    """Spectrum of ``P (Gamma + x I)``, dense for short sequences and by Lanczos for long ones.

    Parameters
    ----------
    column
        ``gamma(0), ..., gamma(N - 1)``.
    gates
        Eigenvalues of the circulant of ``P``, array (period // 2 + 1,).
    period
        Its period.
    x
        ``> 0``, the noise in units of the signal.
    """
    find = dense_outliers if len(column) <= _DENSE else lanczos_outliers
    return find(column, gates, period, x)


def dense_outliers(column: Array, gates: Array, period: int, x: float) -> Outliers:
    """All eigenvalues, by a Cholesky factor of ``A`` and one eigendecomposition."""
    frames = len(column)
    noisy = toeplitz(column) + x * np.eye(frames)
    preconditioner = toeplitz(np.fft.irfft(gates, period)[:frames])
    factor = cholesky(noisy, lower=True)
    values, vectors = np.linalg.eigh(factor.T @ preconditioner @ factor)
    weights = np.sum(solve_triangular(factor, vectors, lower=True, trans="T") ** 2, axis=0)
    return Outliers(values - 1.0, weights, 0.0)


def lanczos_outliers(column: Array, gates: Array, period: int, x: float) -> Outliers:
    """The outliers by Lanczos, and one entry for all eigenvalues close to 1."""
    frames = len(column)
    found = [_one_parity(column, gates, period, x, sign) for sign in (1.0, -1.0)]
    excess, weights = (np.concatenate(parts) for parts in zip(*found, strict=True))
    far = np.abs(excess) > _BULK
    excess, weights = excess[far], weights[far]
    row = np.fft.irfft(gates, period)[:frames]
    counts = 2.0 * (frames - np.arange(frames))
    counts[0] = frames
    trace = float(counts @ (row * column)) + x * frames * row[0]
    remainder = trace - frames - float(excess.sum())
    mean = max(remainder, 0.0) / max(frames - len(excess), 1)
    # trace(P) = sum h_i w_i gives the weight that is left for the eigenvalues close to 1
    bulk = frames * row[0] - float((1.0 + excess) @ weights)
    return Outliers(
        np.append(excess, mean), np.append(weights, max(bulk, 0.0) / (1.0 + mean)), remainder
    )


def _one_parity(
    column: Array, gates: Array, period: int, x: float, sign: float
) -> tuple[Array, Array]:
    """Excess and weights of the eigenvectors with ``v[::-1] = sign v``."""
    frames = len(column)
    own_period, symbol = toeplitz_symbol(column)

    def noisy(vector: Array) -> Array:
        return block_product(symbol, own_period, vector) + x * vector

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
        image = noisy(vector)
        size = float(vector @ image)
        size = np.sqrt(size) if size > 0.0 else 0.0
        if k and size <= _BULK:  # the Krylov space is exhausted: the rest is rounding
            break
        beside.append(size)
        basis[k], images[k] = vector / size, image / size
        vector = block_product(gates, period, images[k])
        diagonal.append(float(vector @ images[k]) - 1.0)
    excess, coordinates = eigh_tridiagonal(diagonal, beside[1:])
    return excess, np.sum((coordinates.T @ basis[: len(diagonal)]) ** 2, axis=1)
