"""Chebyshev semi-iteration: no polynomial of the same degree has a smaller maximum.

The residual polynomial is ``r_K(x) = T_K((theta - x) / delta) / T_K(theta / delta)`` with
``theta = (upper + lower) / 2`` and ``delta = (upper - lower) / 2``. Two forms produce it:

* three terms, with momentum. Every prefix is itself the optimal polynomial of its degree, all
  intermediate residuals are at most one, and rounding errors grow no faster than ``O(kappa)``:
  the form that models use;
* ``K`` gradient steps whose step sizes are the reciprocal roots of ``T_K``, in Leja order, which
  keeps the partial products of moderate size (Reichel, "The application of Leja points to
  Richardson iteration", 1991): no momentum, but only the last iterate means anything.

Source: Golub & Varga, "Chebyshev semi-iterative methods", Numer. Math. 3 (1961); Saad, *Iterative
Methods for Sparse Linear Systems*, 2nd ed., section 12.3.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from unroll.methods.base import Array, Method

__all__ = ["Chebyshev", "leja_step_sizes"]


class Chebyshev(Method):
    """The three-term form, with ``z = (sqrt(upper)-sqrt(lower)) / (sqrt(upper)+sqrt(lower))``:

    ``eta_0 = 2 / (lower + upper)``, ``beta_0 = 0`` and, for ``k >= 1``,
    ``eta_k = 4 / (sqrt(lower)+sqrt(upper))^2 * (1+z^{2k}) / (1+z^{2k+2})``,
    ``beta_k = z^2 (1+z^{2k-2}) / (1+z^{2k+2})``.

    >>> round(Chebyshev().rate(condition_number=9.0, depth=1), 12)
    0.8
    """

    name: ClassVar[str] = "chebyshev"
    has_momentum: ClassVar[bool] = True

    def step_size(self, k: int, lower: Array, upper: Array) -> Array:
        """``eta_k`` of the class docstring."""
        if k == 0:
            return 2.0 / (lower + upper)
        z2, scale = _rate_squared(lower, upper)
        return 4.0 / scale * (1.0 + z2**k) / (1.0 + z2 ** (k + 1))

    def momentum(self, k: int, lower: Array, upper: Array) -> Array:
        """``beta_k`` of the class docstring."""
        z2, _ = _rate_squared(lower, upper)
        if k == 0:
            return 0.0 * z2
        return z2 * (1.0 + z2 ** (k - 1)) / (1.0 + z2 ** (k + 1))

    def rate(self, condition_number: float, depth: int) -> float:
        """``2 z^K / (1 + z^{2K})``, the smallest possible for polynomials of degree ``K``."""
        z = _ratio(condition_number)
        return 2 * z**depth / (1 + z ** (2 * depth))

    def depth(self, condition_number: float, tol: float) -> int:
        """The smallest sufficient depth."""
        if condition_number <= 1.0 or tol >= 1.0:
            return 1
        # T_K(cosh a) = cosh(K a) with a = -log z = 2 artanh(1/sqrt(kappa)), either without loss
        if condition_number < 2.0:
            angle = -math.log(_ratio(condition_number))
        else:
            angle = 2 * math.atanh(1 / math.sqrt(condition_number))
        return max(1, math.ceil(math.acosh(1 / tol) / angle))

    def error_weights(self, condition_number: float, depth: int) -> np.ndarray:
        """``(K - j) T_{j+1}(y) / T_K(y)``, ``y = theta / delta``.

        ``e_K = sum_j U_{K-1-j}(x) T_{j+1}(y) / T_K(y) xi_j``, and ``|U_n| <= n + 1`` on the
        spectrum.
        """
        z = _ratio(condition_number)
        j = np.arange(float(depth))
        ratio = z ** (depth - 1 - j) * (1 + z ** (2 * j + 2)) / (1 + z ** (2.0 * depth))
        return np.asarray((depth - j) * ratio)

    def step_bound(self) -> float:
        """``eta_k upper = (1+z)^2 (1+z^{2k}) / (1+z^{2k+2}) <= 4``.

        Because ``(1+z)^2 <= 2 (1+z^2)`` and ``z^2 + z^{2k} <= 1 + z^{2k+2}``; the latter also gives
        ``beta_k <= 1``.
        """
        return 4.0


def _ratio(condition_number: float) -> float:
    """``z`` of the class docstring, also where the condition number is 1 but for rounding."""
    return (condition_number - 1) / (1 + math.sqrt(condition_number)) ** 2


def _rate_squared(lower: Array, upper: Array) -> tuple[Array, Array]:
    """``z^2`` and ``(sqrt(lower)+sqrt(upper))^2``, stable where the two bounds meet."""
    scale = (lower**0.5 + upper**0.5) ** 2
    return ((upper - lower) / scale) ** 2, scale


def leja_step_sizes(lower: float, upper: float, depth: int) -> np.ndarray:
    """Step sizes ``1 / x_k`` over the roots of the Chebyshev residual polynomial, Leja-ordered.

    Parameters
    ----------
    lower, upper
        ``0 < lower <= upper``: bounds of the spectrum.
    depth
        Degree of the polynomial.

    Returns
    -------
    Array (depth,). Gradient descent with these steps ends where `Chebyshev` ends.
    """
    angles = (np.arange(depth) + 0.5) * np.pi / depth
    roots = (upper + lower) / 2 + (upper - lower) / 2 * np.cos(angles)
    order = [0]
    log_distance = np.zeros(depth)
    with np.errstate(divide="ignore"):  # log 0 = -inf marks the points already taken
        for _ in range(depth - 1):
            log_distance += np.log(np.abs(np.cos(angles) - np.cos(angles[order[-1]])))
            order.append(int(np.argmax(log_distance)))
    return 1 / roots[order]
