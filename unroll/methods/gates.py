"""Functions of the diffusion time that gates are made of, for numpy arrays and torch tensors alike.

Only ``+ - * / **`` and ``log`` are used, so that the same lines run on floats, numpy arrays, torch
tensors and balls: the time embedding of a model evaluates what is planned and proved here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from unroll.methods.base import Array

__all__ = ["chebyshev_series", "log_series", "logarithm", "resolvent"]


def resolvent(alpha_sq: Array, sigma_sq: Array, pole: Array) -> Array:
    """The gate ``1 / (alpha^2 pole + sigma^2)`` of one eigenvalue of the noise-free covariance.

    Parameters
    ----------
    alpha_sq, sigma_sq
        ``alpha_t^2`` and ``sigma_t^2``, scalars or arrays (...,).
    pole
        Eigenvalue of ``Gamma (x) Sigma``, or of a circulant that holds it: a product
        ``lambda mu``. Broadcast against the other two.

    >>> resolvent(0.75, 0.25, 3.0)
    0.4
    """
    return 1.0 / (alpha_sq * pole + sigma_sq)


def logarithm(x: Array) -> Array:
    """The natural logarithm of a float, or of anything that has one (array, tensor, ball).

    >>> logarithm(1.0)
    0.0
    """
    if isinstance(x, float | int):
        return math.log(x)
    if hasattr(x, "log"):
        return x.log()
    return np.log(x)


def chebyshev_series(coefficients: Sequence[Any], u: Array) -> Array:
    """``sum_n c_n T_n(u)`` by Clenshaw's recurrence, which is stable on ``[-1, 1]``.

    Source: C. W. Clenshaw, "A note on the summation of Chebyshev series", Math. Comp. 9 (1955).

    >>> chebyshev_series((1.0, 2.0, 3.0), 0.5)  # 1 + 2 * 0.5 + 3 * (2 * 0.25 - 1)
    0.5
    """
    after = later = 0.0 * u
    for c in reversed(coefficients[1:]):
        after, later = 2.0 * u * after - later + c, after
    return u * after - later + coefficients[0]


def log_series(coefficients: Sequence[Any], log_range: Sequence[Any], x: Array) -> Array:
    """A Chebyshev series in ``log x``; shape of ``x``.

    Parameters
    ----------
    coefficients
        ``c_0, ..., c_{n-1}``.
    log_range
        The ends of the range of ``log x`` that is mapped to ``[-1, 1]``.
    x
        Float, numpy array, torch tensor or ball, positive.
    """
    low, high = log_range
    return chebyshev_series(coefficients, (2.0 * logarithm(x) - (low + high)) / (high - low))
