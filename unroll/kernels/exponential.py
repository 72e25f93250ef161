"""Exponential decay, gamma(h) = exp(-(h/l)^nu)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from unroll.kernels.alternating import EPS, euler, moment_sequence
from unroll.kernels.base import Kernel, _band, lags_of, round_up
from unroll.validation import Array, in_range, integer, positive


@dataclass(frozen=True)
class Exponential(Kernel):
    r"""gamma(h) = exp(-(h/l)^nu) with l = `length_scale` and nu = `exponent`.

    nu = 1 is the Laplace (Ornstein-Uhlenbeck) kernel, nu = 2 the Gaussian one. With nu = 2 the
    matrix is positive definite but, from l of about 3 on, singular to float64 precision.

    Parameters
    ----------
    length_scale : float
        l > 0, in frames. The paper (arXiv 2407.16134, Section 3) writes exp(-h^nu / ell):
        l = ell^(1/nu).
    exponent : float
        0 < nu <= 2.

    Examples
    --------
    >>> kernel = Exponential(length_scale=8.0)
    >>> round(float(kernel.autocov(8)), 6)
    0.367879
    >>> round(kernel.symbol_min(512), 6)
    0.062419
    """

    regime: ClassVar[str] = "exponential"
    length_scale: float
    exponent: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "length_scale", positive("length_scale", self.length_scale))
        exponent = in_range("exponent", self.exponent, 0, 2, low_open=True)
        object.__setattr__(self, "exponent", exponent)

    def log_autocov(self, lag: ArrayLike) -> Array:
        """log gamma(lag), finite where gamma itself underflows. Same shape as `lag`."""
        with np.errstate(over="ignore"):
            log_gamma: Array = -((lags_of(lag) / self.length_scale) ** self.exponent)
        return log_gamma

    def _log_step(self, lag: Array) -> Array:
        """log gamma(k+1) - log gamma(k), without cancellation at large k."""
        one = np.maximum(lag, 1)
        with np.errstate(over="ignore"):
            power = (one / self.length_scale) ** self.exponent
            later = -power * np.expm1(self.exponent * np.log1p(1 / one))
        return np.where(lag == 0, -power, later)

    def symbol_min(self, frames: int) -> float:
        """Lower bound on lambda_min; independent of `frames`, and its limit (theory: f(pi)).

        nu = 1: tanh(1/(2l)). nu = 2: a theta function, by Poisson summation a sum of positive
        terms. nu < 1: accelerated alternating series. 1 < nu < 2: Euler's transform.
        """
        integer("frames", frames, 1)
        if self.exponent == 1:
            return math.tanh(0.5 / self.length_scale) * (1 - 16 * EPS)
        if self.exponent == 2 and self.length_scale >= 1:
            return _gaussian_symbol(self.length_scale)
        if self.exponent < 1:
            return moment_sequence(self.log_autocov, self._log_step)
        return euler(self.log_autocov, self._log_step, self._difference_sum)

    def _difference_sum(self, start: int, order: int) -> float:
        r"""Bound on the sum over k >= start of |m-th difference of gamma at k|, for nu > 1.

        On Re z^nu >= 0 (a sector that holds the disc about x of radius c x,
        c = sin(pi / (2 nu))), |gamma(z) - 1| <= |z/l|^nu. Cauchy's estimate gives
        |gamma^(m)(x)| <= m! ((1+c) x / l)^nu / (c x)^m, decreasing in x, and bounds the
        difference at k by its value at x = k; the sum over k by first term and integral.
        """
        nu, c = self.exponent, math.sin(math.pi / (2 * self.exponent))
        log_front = (
            math.lgamma(order + 1)
            + nu * (math.log1p(c) - math.log(self.length_scale))
            - order * math.log(c)
            + (nu - order) * math.log(start)
        )
        front = math.exp(min(log_front, 700.0))
        return front * (1 + start / (order - nu - 1)) * (1 + 1e-10)

    def tail_bound(self, bandwidth: int, frames: int) -> float:
        """nu = 1: e^{-(J+1)/l} / (1 - e^{-1/l}); else (l/nu) Gamma(1/nu, (J/l)^nu)."""
        bandwidth, frames = _band(bandwidth, frames)
        if bandwidth >= frames - 1:
            return 0.0
        length, nu = self.length_scale, self.exponent
        if nu == 1:
            first = (bandwidth + 1) / length
            bound = round_up(math.exp(-first) / -math.expm1(-1 / length), first)
        else:
            # scipy's incomplete gamma function is good to about 1e-13 relative here.
            with np.errstate(over="ignore", invalid="ignore"):
                start = np.float64(bandwidth / length) ** nu
                upper = special.gamma(1 / nu) * special.gammaincc(1 / nu, start)
            bound = round_up(float(length / nu * upper) * (1 + 1e-11), 0.0)
        return self._shortest_bound(bound, bandwidth, frames)


def _gaussian_symbol(length_scale: float) -> float:
    """f(pi) of exp(-(h/l)^2), l >= 1: 2 l sqrt(pi) sum_{m>=0} exp(-(l pi (2m+1) / 2)^2)."""
    if length_scale > 17:  # below the smallest normal number
        return 0.0
    exponents = (length_scale * math.pi * (2 * np.arange(8) + 1) / 2) ** 2
    terms = np.exp(-exponents) * (1 - 16 * EPS * (1 + exponents))
    # The terms left out are positive: dropping them is safe.
    return 2 * length_scale * math.sqrt(math.pi) * math.fsum(terms[terms > 0]) * (1 - 16 * EPS)
