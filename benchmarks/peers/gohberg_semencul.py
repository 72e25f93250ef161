r"""One Levinson solve per t, then FFTs: the Gohberg-Semencul formula.

The inverse of a symmetric Toeplitz matrix follows from its own first column x,

    A^{-1} = (L(x) L(x)^T - L(y) L(y)^T) / x_0,    y = (0, x_{N-1}, ..., x_1),

with L(x) the lower triangular Toeplitz matrix with first column x. Source: Gohberg and Semencul
(1972); Golub and Van Loan, Matrix Computations, section 4.7.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import solve_toeplitz

from benchmarks.method import Method
from unroll.validation import Array


class GohbergSemencul(Method):
    """`setup` is one recursion per mu, in float64; `solve` is six FFTs of length 2 N."""

    name = "Gohberg-Semencul"
    growth = (1.0, 2.0)

    def setup(self, t: float) -> None:
        """Spectra of x and y."""
        frames = self.problem.frames
        self._size = next_fast_len(2 * frames - 1, real=True)
        unit = np.zeros(frames)
        unit[0] = 1.0
        columns = self.problem.columns(t)
        first = np.stack([solve_toeplitz(column, unit, check_finite=False) for column in columns])
        shifted = np.zeros_like(first)
        shifted[:, 1:] = first[:, :0:-1]
        # one array (2, channels, 1, frequencies), scaled so that the products need no x_0
        pair = np.stack([first, shifted]) / np.sqrt(first[:, :1])
        spectra = rfft(pair, self._size)[:, :, None, :]
        self._spectra = spectra.astype(np.result_type(self.problem.dtype, np.complex64))

    def solve(self, v: Array) -> Array:
        """Transposed triangular products, then triangular ones, in the frequency domain."""
        frames = self.problem.frames
        x = rfft(self.rotate(v), self._size)
        upper = irfft(self._spectra.conj() * x, self._size)[..., :frames]
        lower = rfft(upper, self._size) * self._spectra
        result = irfft(lower[1] - lower[0], self._size)[..., :frames]
        return self.rotate_back(np.ascontiguousarray(result))
