"""The exact error of a preconditioned iteration, without eigenvalues."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, solve_triangular, toeplitz

from unroll.validation import Array

__all__ = ["dense_error"]


def dense_error(
    column: Array, gates: Array, period: int, x: float, step_sizes: Array
) -> tuple[float, float]:
    """Mean squares of the error and of the score, in units in which the signal is 1.

    ``s ~ N(0, A^{-1})`` with ``A = Gamma + x I = L L^T``, and the error is
    ``prod_k (1 - eta_k P A) s``: the squared Frobenius norms of that product times ``L^{-T}`` and
    of ``L^{-T}`` itself.

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
    step_sizes
        Array (steps,).
    """
    frames = len(column)
    noisy = toeplitz(column) + x * np.eye(frames)
    product = toeplitz(np.fft.irfft(gates, period)[:frames]) @ noisy
    root = solve_triangular(cholesky(noisy, lower=True), np.eye(frames), lower=True).T
    error = root
    for eta in step_sizes:
        error = error - eta * (product @ error)
    return float(np.sum(error**2)), float(np.sum(root**2))
