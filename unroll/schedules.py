"""The forward process dX = -X dt / 2 + dW: V_t = alpha(t) X + sigma(t) Z.

Source: the paper (arXiv 2407.16134), Section 2. Scalars in give a float, arrays an array.

>>> alpha_sq(0.5) + sigma_sq(0.5)
1.0
>>> sigma_sq(1e-20)
1e-20
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unroll.errors import ArgumentError
from unroll.validation import Array, finite_array


def _times(t: ArrayLike) -> Array:
    times = finite_array("t", t, "give a diffusion time t >= 0")
    if np.any(times < 0):
        raise ArgumentError("t", t, "diffusion time must not be negative", "give t >= 0")
    return times


def _same_kind(result: Array, t: ArrayLike) -> Any:
    return float(result) if np.ndim(t) == 0 else result


def alpha(t: ArrayLike) -> Any:
    """Signal factor exp(-t/2), for t >= 0."""
    return _same_kind(np.exp(-_times(t) / 2), t)


def alpha_sq(t: ArrayLike) -> Any:
    """Square of the signal factor, exp(-t)."""
    return _same_kind(np.exp(-_times(t)), t)


def sigma_sq(t: ArrayLike) -> Any:
    """Noise variance 1 - exp(-t), without cancellation at small t."""
    return _same_kind(-np.expm1(-_times(t)), t)


def sigma(t: ArrayLike) -> Any:
    """Noise standard deviation, the root of `sigma_sq`."""
    return _same_kind(np.sqrt(-np.expm1(-_times(t))), t)
