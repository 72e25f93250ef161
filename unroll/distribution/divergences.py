r"""Kullback-Leibler divergence and Wasserstein distance of Gaussian laws, without cancellation.

Everything about a pair (p, q) that divergences see is in coordinates where p = N(0, I) and
q = N(delta, diag(1 + x)). The x_i are eigenvalues of L^{-1} (C_q - C_p) L^{-T}, L L^T = C_p: taking
the difference first keeps their *relative* accuracy when the laws are close. In terms of
g(x) = x - log(1+x) = x^2/2 - ..., evaluated without subtracting,

    KL(q | p) = (sum g(x_i) + delta_i^2) / 2,
    KL(p | q) = (sum g(-x_i/(1+x_i)) + delta_i^2/(1+x_i)) / 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cholesky, eigh, solve_triangular, svd

from unroll.distribution.law import EigenLaw, Law
from unroll.errors import ArgumentError
from unroll.validation import Array

__all__ = ["Relative", "compare", "covariance_error", "kl_divergence", "minus_log", "wasserstein"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_NODES, _WEIGHTS = (_NODES + 1) / 2, _WEIGHTS / 2


def minus_log(x: Any) -> Any:
    """x - log(1 + x) for real x > -1 or complex x, to full relative accuracy also near 0.

    x^2 times the integral of u / (1 + x u) over 0 < u < 1, for |x| <= 1/2 by 12 Gauss points:
    exact to rounding.

    >>> float(minus_log(1e-12) / 1e-24)
    0.49999999999966...
    """
    values = np.asarray(x)
    near = np.abs(values) <= 0.5
    small, large = np.where(near, values, 0.0), np.where(near, 0.0, values)
    series = sum(w * u / (1 + small * u) for u, w in zip(_NODES, _WEIGHTS, strict=True))
    return np.where(near, small * small * series, large - np.log1p(large))


@dataclass(frozen=True, eq=False)
class Relative:
    """q seen from p: p = N(0, I) and q = N(shift, diag(1 + excess)).

    Attributes
    ----------
    excess : array (N d,)
        Relative variance errors x, above -1.
    shift : array (N d,)
        Mean differences in standard deviations of p.
    """

    excess: Array
    shift: Array

    @property
    def kl_from_p(self) -> float:
        """KL(p | q) in nats."""
        ratio = 1.0 + self.excess
        terms = minus_log(-self.excess / ratio) + self.shift**2 / ratio
        return float(np.sum(terms) / 2)

    @property
    def kl_from_q(self) -> float:
        """KL(q | p) in nats."""
        return float(np.sum(minus_log(self.excess) + self.shift**2) / 2)


def compare(p: Law, q: Law) -> Relative:
    """q seen from p.

    Raises
    ------
    ArgumentError
        Laws of different shapes; or a covariance that is singular to float64 precision, where
        neither divergence nor total variation can be told.
    """
    _same_shape(p, q)
    if isinstance(p, EigenLaw) and isinstance(q, EigenLaw) and p.basis.same(q.basis):
        before, after = p.coefficient_variances, q.coefficient_variances
        for name, values in (("p", before), ("q", after)):
            if values.min() <= values.size * np.finfo(float).eps * values.max():
                raise _singular(name, values)
        excess = (after - before) / before
        shift = (q.coefficient_means - p.coefficient_means) / np.sqrt(before)
        return Relative(excess.reshape(-1), shift.reshape(-1))
    first, second = p.covariance(), q.covariance()
    try:
        root = cholesky(first, lower=True)
    except LinAlgError:
        raise _singular("p", first) from None
    rounding = len(first) * np.finfo(float).eps
    if np.diag(root).min() ** 2 <= rounding * np.diag(first).max():  # a pivot of pure rounding
        raise _singular("p", first)
    half = solve_triangular(root, second - first, lower=True)
    change = solve_triangular(root, half.T, lower=True)
    excess, vectors = eigh((change + change.T) / 2)
    if excess[0] <= rounding - 1.0:
        raise _singular("q", second)
    shift = vectors.T @ solve_triangular(root, (q.mean - p.mean).reshape(-1), lower=True)
    return Relative(excess, shift)


def kl_divergence(p: Law, q: Law) -> float:
    """KL(p | q) in nats; raises as `compare` does."""
    return compare(p, q).kl_from_p


def wasserstein(p: Law, q: Law) -> float:
    """The 2-Wasserstein distance, in units of the data.

    W2^2 = |m_p - m_q|^2 + min_O |L_p - L_q O|_F^2 over orthogonal O, which is attained at the polar
    factor of L_q^T L_p: no difference of traces, so distances far below the root of the rounding
    error are resolved. Laws with one eigenbasis: the sum of squared differences of the standard
    deviations. Source: R. Bhatia, T. Jain & Y. Lim, "On the Bures-Wasserstein distance between
    positive definite matrices", arXiv 1712.01504, Theorem 1.
    """
    _same_shape(p, q)
    if isinstance(p, EigenLaw) and isinstance(q, EigenLaw) and p.basis.same(q.basis):
        first, second = p.coefficient_variances, q.coefficient_variances
        total = np.sqrt(first) + np.sqrt(second)
        spread = np.divide(first - second, total, out=np.zeros_like(total), where=total > 0)
        offset = p.coefficient_means - q.coefficient_means
        return float(np.sqrt(np.sum(spread**2) + np.sum(offset**2)))
    left, right = p.root(), q.root()
    u, _, v = svd(right.T @ left)
    spread = left - right @ (u @ v)
    return float(np.sqrt(np.sum(spread**2) + np.sum((p.mean - q.mean) ** 2)))


def covariance_error(p: Law, q: Law) -> float:
    """``|C_q - C_p|_F / |C_p|_F``."""
    _same_shape(p, q)
    if isinstance(p, EigenLaw) and isinstance(q, EigenLaw) and p.basis.same(q.basis):
        first, second = p.coefficient_variances, q.coefficient_variances
    else:
        first, second = p.covariance(), q.covariance()
    return float(np.linalg.norm(second - first) / np.linalg.norm(first))


def _same_shape(p: Law, q: Law) -> None:
    if (p.frames, p.channels) != (q.frames, q.channels):
        condition = f"is {q}, not of the shape of {p}"
        raise ArgumentError("q", q, condition, "compare laws of sequences of one shape")


def _singular(name: str, covariance: Array) -> ArgumentError:
    condition = "has a covariance that is singular to float64 precision"
    remedy = "compare noisy laws (at t_min, without denoising), or use wasserstein"
    return ArgumentError(name, covariance, condition, remedy)
