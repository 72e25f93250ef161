"""Circulants that hold a Toeplitz matrix: period, eigenvalues, and products by FFT.

A symmetric circulant of period ``C`` has the first row ``c(min(k, C - k))`` and the eigenvalues
``f_m = sum_k c_k cos(2 pi m k / C)``, ``m = 0 ... C/2`` (the others repeat them). Its leading
``N x N`` block is Toeplitz, and is ``Gamma`` if ``c = gamma`` up to the lag ``N - 1 <= C / 2``.

Source: C. Dietrich & G. Newsam, "Fast and exact simulation of stationary Gaussian processes
through circulant embedding of the covariance matrix", SIAM J. Sci. Comput. 18 (1997).
"""

from __future__ import annotations

import numpy as np

from unroll.kernels import CircleExponential, Kernel
from unroll.validation import Array, integer

__all__ = ["block_product", "embed", "toeplitz_symbol"]

_DOUBLINGS = 3
_ROUNDING = 1e-13  # negative eigenvalues this small, against the largest, are rounding


def embed(kernel: Kernel, frames: int, *, longer: int = 1) -> tuple[int, Array]:
    """Period and eigenvalues of a circulant that holds ``Gamma``.

    Parameters
    ----------
    kernel
        The temporal kernel; the circle kernel keeps its own period.
    frames
        ``N >= 1``.
    longer
        Power of two that the smallest period is multiplied with; a circle cannot be longer.

    Returns
    -------
    period
        ``C``, the smallest power of two from ``2 N longer`` on whose circulant is positive
        semidefinite, but at most ``2^3`` times the first: powers of two make ``m / C``, and so the
        position features, exact.
    symbol
        ``f_0, ..., f_{C/2}``; negative eigenvalues are set to 0.

    >>> from unroll import Exponential
    >>> period, symbol = embed(Exponential(8.0, 1.0), frames=48)
    >>> period, len(symbol)
    (128, 65)
    """
    frames = integer("frames", frames, 1)
    if isinstance(kernel, CircleExponential):
        kernel.tail_sum(frames - 1, frames)  # refuses a circle that is too small
        return kernel.period, np.maximum(_symbol(kernel, kernel.period), 0.0)
    period = longer * (2 << (frames - 1).bit_length())
    symbol = _symbol(kernel, period)
    for _ in range(_DOUBLINGS):
        if symbol.min() >= -_ROUNDING * symbol.max():
            break
        larger = _symbol(kernel, 2 * period)
        period, symbol = 2 * period, larger
    return period, np.maximum(symbol, 0.0)


def _symbol(kernel: Kernel, period: int) -> Array:
    lags = np.arange(period)
    values: Array = np.fft.rfft(kernel.autocov(np.minimum(lags, period - lags))).real
    return values


def toeplitz_symbol(column: Array) -> tuple[int, Array]:
    """Period and eigenvalues of a circulant whose leading block is ``toeplitz(column)``.

    Signs do not matter here: the circulant only carries products.
    """
    frames = len(column)
    period = 2 << (frames - 1).bit_length()
    row = np.zeros(period)
    row[:frames] = column
    row[period - frames + 1 :] = column[:0:-1]
    values: Array = np.fft.rfft(row).real
    return period, values


def block_product(symbol: Array, period: int, vectors: Array) -> Array:
    """The leading block of a circulant times vectors.

    Parameters
    ----------
    symbol
        Eigenvalues ``(..., period // 2 + 1)``, broadcast against the vectors.
    period
        Period of the circulant.
    vectors
        Array (..., frames), ``frames <= period``.
    """
    frames = vectors.shape[-1]
    product = np.fft.irfft(np.fft.rfft(vectors, period, axis=-1) * symbol, period, axis=-1)
    result: Array = product[..., :frames]
    return result
