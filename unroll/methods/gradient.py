"""Gradient descent on the score's quadratic, which is also its Neumann series.

With ``A = c (I - R)`` the truncated Neumann series for ``A^{-1}`` is ``c^{-1} sum_{k<K} R^k``, and
``s_K = -c^{-1} sum_{k<K} R^k b`` obeys ``s_{K+1} = R s_K - b / c = s_K - (A s_K + b) / c``:
gradient descent from zero with step size ``1 / c``. The step ``1 / c = 2 / (lower + upper)`` makes
``||R||`` smallest. This is the iteration of Fu et al., arXiv 2407.16134, Theorem 1.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from unroll.methods.base import Array, Method

__all__ = ["GradientDescent", "NeumannSeries"]


class GradientDescent(Method):
    """``s_{k+1} = s_k - eta (A s_k + b)`` with ``eta = 2 / (lower + upper)``.

    >>> round(GradientDescent().rate(condition_number=9.0, depth=1), 12)
    0.8
    """

    name: ClassVar[str] = "gradient"
    has_momentum: ClassVar[bool] = False

    def step_size(self, k: int, lower: Array, upper: Array) -> Array:
        """The same for every ``k``."""
        return 2.0 / (lower + upper)

    def momentum(self, k: int, lower: Array, upper: Array) -> Array:
        """None."""
        return 0.0 * lower

    def rate(self, condition_number: float, depth: int) -> float:
        """``((kappa - 1) / (kappa + 1))^K``."""
        return ((condition_number - 1) / (condition_number + 1)) ** depth

    def depth(self, condition_number: float, tol: float) -> int:
        """The smallest sufficient depth."""
        if condition_number <= 1.0 or tol >= 1.0:
            return 1
        # log((kappa-1)/(kappa+1)) = -2 artanh(1/kappa), without the cancellation
        return max(1, math.ceil(math.log(1 / tol) / (2 * math.atanh(1 / condition_number))))

    def error_weights(self, condition_number: float, depth: int) -> np.ndarray:
        """``((kappa - 1) / (kappa + 1))^(K - 1 - j)``."""
        contraction = self.rate(condition_number, 1)
        return contraction ** np.arange(depth - 1.0, -1.0, -1.0)

    def step_bound(self) -> float:
        """``2 upper / (lower + upper) <= 2``."""
        return 2.0


class NeumannSeries(GradientDescent):
    """The same iteration under its other name: partial sums of ``-c^{-1} sum_k R^k b``."""

    name: ClassVar[str] = "neumann"
