r"""The inverse of ``Gamma + x I``, applied by FFT, without an ``N^3`` factorisation.

The inverse of a symmetric Toeplitz matrix follows from its own first column ``u``,

    A^{-1} = (L(u) L(u)^T - L(w) L(w)^T) / u_0,    w = (0, u_{N-1}, ..., u_1),

with ``L(u)`` the lower triangular Toeplitz matrix with the first column ``u``. That column is
solved for by conjugate gradients, preconditioned with the inverse symbol.

Source: I. Gohberg & A. Semencul (1972); G. Golub & C. Van Loan, *Matrix Computations*, 4th ed.,
sections 4.7 and 11.5.
"""

from __future__ import annotations

import numpy as np

from unroll.methods.embedding import block_product, toeplitz_symbol
from unroll.validation import Array

__all__ = ["ToeplitzInverse"]

_MOST_ITERATIONS = 200
_CONVERGED = 1e-15


class ToeplitzInverse:
    """``A = toeplitz(column) + x I`` and its inverse.

    Parameters
    ----------
    column
        ``gamma(0), ..., gamma(N - 1)``.
    x
        ``> 0``.
    gates, period
        Eigenvalues, array (period // 2 + 1,), of a circulant whose leading block is close to the
        inverse.
    """

    def __init__(self, column: Array, x: float, gates: Array, period: int) -> None:
        self.frames = len(column)
        self._period, symbol = toeplitz_symbol(column)
        self._symbol = symbol + x
        first = self._first_column(gates, period)
        second = np.zeros_like(first)
        second[1:] = first[:0:-1]
        self._size = self._period
        pair = np.stack([first, second]) / np.sqrt(first[0])
        self._spectra = np.fft.rfft(pair, self._size)
        places = np.arange(self.frames)
        #: ``tr A^{-1}``: entry ``u_k^2`` is met ``N - k`` times on the diagonal, ``w_k^2`` too.
        self.trace = float((pair[0] ** 2 - pair[1] ** 2) @ (self.frames - places))

    def product(self, vectors: Array) -> Array:
        """``A`` times vectors (..., frames)."""
        return block_product(self._symbol, self._period, vectors)

    def solve(self, vectors: Array) -> Array:
        """``A^{-1}`` times vectors (..., frames)."""
        waves = np.fft.rfft(vectors, self._size)[..., None, :]
        upper = np.fft.irfft(self._spectra.conj() * waves, self._size)[..., : self.frames]
        lower = np.fft.rfft(upper, self._size) * self._spectra
        result: Array = np.fft.irfft(lower[..., 0, :] - lower[..., 1, :], self._size)
        return result[..., : self.frames]

    def _first_column(self, gates: Array, period: int) -> Array:
        """Conjugate gradients for the first unit vector."""
        residual = np.zeros(self.frames)
        residual[0] = 1.0
        solution = np.zeros(self.frames)
        direction = corrected = block_product(gates, period, residual)
        size = float(residual @ corrected)
        for _ in range(_MOST_ITERATIONS):
            image = self.product(direction)
            step = size / float(direction @ image)
            solution = solution + step * direction
            residual = residual - step * image
            corrected = block_product(gates, period, residual)
            size, before = float(residual @ corrected), size
            if np.linalg.norm(residual) <= _CONVERGED:
                break
            direction = corrected + size / before * direction
        return solution
