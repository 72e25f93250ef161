r"""Certified lower bounds on the symbol at pi, f(pi) = 1 + 2 sum_{k>=1} (-1)^k gamma(k).

All kernels of the library are gamma(h) = phi(h^2) with phi completely monotone, so f is smallest
at pi and lambda_min(Gamma_N) >= f(pi) for every N. Written with the first differences
a_k = gamma(k) - gamma(k+1) > 0,

    f(pi) = sum_{k>=0} (-1)^k a_k,

nothing large cancels: the a_k are computed to full *relative* accuracy with expm1, and the sum
loses little. Two accelerations, each with a proved truncation error:

* `moment_sequence`: gamma(0), gamma(1), ... are the moments of a measure on [0, 1] (gamma
  completely monotone in the lag), hence so are the a_k. Algorithm 1 of H. Cohen, F. Rodriguez
  Villegas, D. Zagier, "Convergence acceleration of alternating series", Experiment. Math. 9 (2000),
  has |S - S_n| <= |S| / d_n, d_n = ((3 + sqrt 8)^n + (3 - sqrt 8)^n) / 2.
* `euler`: a_k = -int_k^{k+1} gamma', and gamma has bounded derivatives away from 0. Direct sum to
  k = K, Euler's transform of r steps behind it; the remainder is
  2^{-r} sum_{k>=K} (-1)^k (r-th difference of a)_k.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from unroll.validation import Array

EPS = float(np.finfo(np.float64).eps)

#: Relative rounding error of one a_k is below ROUNDING * eps * (1 + |log gamma(k)|): a power, a
#: logarithm, an expm1 and an exp, each within 4 ulp, conditioned by at most 1 or |log gamma|.
ROUNDING = 32.0

_MOMENT_TERMS = 26  # d_26 > 2^65
EULER_START = 128
EULER_STEPS = 24

LogFunction = Callable[[Array], Array]


@cache
def _moment_weights(terms: int) -> tuple[tuple[float, ...], float]:
    """Weights w_k of Algorithm 1, S_n = sum_k (-1)^k w_k a_k, and d_n; exact integers inside."""
    # d_n is the Chebyshev polynomial T_n(3), an integer.
    previous, d = 1, 3
    for _ in range(terms - 1):
        previous, d = d, 6 * d - previous
    weights, b, c = [], -1, -d
    for k in range(terms):
        c = b - c
        weights.append((-1) ** k * c / d)
        b = b * 2 * (k + terms) * (k - terms) // ((2 * k + 1) * (k + 1))
    return tuple(weights), float(d)


@cache
def _euler_weights(steps: int) -> tuple[float, ...]:
    """Weights 2^{-r} sum_{j>i} C(r, j) of the terms i = 0 .. r-1 in Euler's transform."""
    return tuple(
        sum(math.comb(steps, j) for j in range(i + 1, steps + 1)) / 2**steps for i in range(steps)
    )


def _signed_sum(
    weights: Array, log_autocov: LogFunction, log_step: LogFunction
) -> tuple[float, float]:
    """Sum of (-1)^k w_k a_k over k = 0 .. len(w)-1, and a bound on its rounding error."""
    lags = np.arange(len(weights), dtype=np.float64)
    log_gamma = log_autocov(lags)
    gamma = np.exp(log_gamma)
    terms = weights * gamma * -np.expm1(log_step(lags))
    signs = np.where(lags % 2 == 0, 1.0, -1.0)
    value = math.fsum(signs * terms)
    # Where gamma underflows, the lost term is below the smallest normal number.
    sizes = np.where(gamma > 0, terms * (1 + np.abs(np.where(gamma > 0, log_gamma, 0.0))), 0.0)
    lost = len(weights) * float(np.finfo(np.float64).tiny)
    return value, ROUNDING * EPS * math.fsum(sizes) + lost


def moment_sequence(log_autocov: LogFunction, log_step: LogFunction) -> float:
    """Lower bound on f(pi) for gamma completely monotone in the lag, within about 1e-13 of it.

    Parameters
    ----------
    log_autocov : callable
        log gamma(k) at an array of lags.
    log_step : callable
        log gamma(k+1) - log gamma(k), to full relative accuracy.
    """
    weights, d = _moment_weights(_MOMENT_TERMS)
    value, rounding = _signed_sum(np.array(weights), log_autocov, log_step)
    # |f - value| <= f / d + rounding, and f <= 1.
    return max(0.0, (value - rounding) / (1 + 1 / d) * (1 - 4 * EPS))


def euler(
    log_autocov: LogFunction, log_step: LogFunction, remainder: Callable[[int, int], float]
) -> float:
    """Lower bound on f(pi) for gamma with a bound on its differences.

    Parameters
    ----------
    log_autocov, log_step : callable
        As in `moment_sequence`.
    remainder : callable
        `remainder(K, m)` is at least sum_{k>=K} |m-th difference of gamma at k|.
    """
    start, steps = EULER_START, EULER_STEPS
    weights = np.concatenate([np.ones(start), _euler_weights(steps)])
    value, rounding = _signed_sum(weights, log_autocov, log_step)
    # The r-th difference of a is the (r+1)-th of gamma. Cruder, and better for short kernels:
    # each difference at most doubles the l1 norm, and sum_{k>=K} a_k = gamma(K).
    tail = float(np.exp(log_autocov(np.array([float(start)]))[0]))
    truncation = min(2.0**-steps * remainder(start, steps + 1), tail)
    return max(0.0, (value - rounding - 2 * truncation) * (1 - 4 * EPS))
