"""A damped oscillation, gamma(h) = exp(-h/l) cos(2 pi h / P): correlation that changes sign."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from unroll.kernels.alternating import EPS
from unroll.kernels.base import Kernel, lags_of
from unroll.kernels.exponential import Exponential
from unroll.validation import Array, integer, positive

_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class DampedCosine(Kernel):
    r"""gamma(h) = exp(-h/l) cos(2 pi h / P) with l = `length_scale` and P = `period`.

    The real part of a complex Ornstein-Uhlenbeck process: frames half a period apart have opposite
    signs. The symbol is the mean of two Poisson kernels, centred at plus and minus
    omega = 2 pi / P. With a = cosh(1/l), s = sinh(1/l), k = cos(omega) and c = cos(theta)

        f(theta) = 1 + 2 sum_{h>=1} gamma(h) cos(h theta)
                 = s (a - k c) / ((a - k c)^2 - (1 - k^2)(1 - c^2)).

    A period below two frames is seen as a longer one, as of any oscillation that is sampled.

    Parameters
    ----------
    length_scale : float
        l > 0, in frames.
    period : float
        P > 0, in frames.

    Examples
    --------
    >>> kernel = DampedCosine(length_scale=8.0, period=16.0)
    >>> round(float(kernel.autocov(8)), 6)
    -0.367879
    >>> float(kernel.autocov(4))
    0.0
    >>> round(kernel.symbol_min(512), 6), round(kernel.symbol_max(), 6)
    (0.064878, 8.21891)
    """

    regime: ClassVar[str] = "damped_cosine"
    signed: ClassVar[bool] = True
    length_scale: float
    period: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "length_scale", positive("length_scale", self.length_scale))
        object.__setattr__(self, "period", positive("period", self.period))

    def autocov(self, lag: ArrayLike) -> Array:
        """gamma(lag), to full relative accuracy next to its zeros too. Same shape as `lag`."""
        return np.asarray(np.exp(self._log_envelope(lag)) * cosine(lag, self.period))

    def log_autocov(self, lag: ArrayLike) -> Array:
        """log |gamma(lag)|, -inf where the cosine is zero. Same shape as `lag`."""
        with np.errstate(divide="ignore"):
            log_cosine = np.log(np.abs(cosine(lag, self.period)))
        return np.asarray(self._log_envelope(lag) + log_cosine)

    def log_parts(self, lag: ArrayLike) -> tuple[Array, ...]:
        """Logs of the positive and of the negative part, -inf where a part is zero."""
        size, sign = self.log_autocov(lag), cosine(lag, self.period)
        return np.where(sign > 0, size, -np.inf), np.where(sign < 0, size, -np.inf)

    def symbol_min(self, frames: int) -> float:
        """The smaller of f(0) and f(pi), s / (a + |k|), which is the limit of lambda_min.

        For k >= 0 the sign of f(theta) - s / (a + k) is that of (1 + c)(k (a - k) + 1 - c) >= 0.
        """
        integer("frames", frames, 1)
        tanh, angle = self._symbol()
        value = tanh / (math.cos(angle / 2) ** 2 + (math.sin(angle / 2) * tanh) ** 2)
        return value * (1 - 32 * EPS) if value > _TINY else 0.0

    def symbol_max(self) -> float:
        """(coth(1/l) + sqrt(1/s^2 + 1/sin^2 omega)) / 2: the top of the peaks near +-omega.

        Where the two have merged, |k| (a + |k|) >= 2, it is s / (a - |k|), midway between them.
        """
        tanh, angle = self._symbol()
        q, square = math.sin(angle / 2) ** 2, tanh * tanh
        between = q + (1 - q) * square
        merged = square * (1 - q) * (1 + 2 * q) >= q * (3 - 2 * q) * (1 + 64 * EPS)
        if merged and between > _TINY / EPS:
            return tanh / between * (1 + 64 * EPS)
        if 2 * tanh < _TINY or angle < _TINY:
            return math.inf
        coth, cosech = (1 + square) / (2 * tanh), (1 - square) / (2 * tanh)
        return (coth + math.hypot(cosech, 1 / math.sin(angle))) / 2 * (1 + 64 * EPS)

    def tail_bound(self, bandwidth: int, frames: int) -> float:
        """That of the envelope exp(-h/l)."""
        return Exponential(self.length_scale).tail_bound(bandwidth, frames)

    def _log_envelope(self, lag: ArrayLike) -> Array:
        with np.errstate(over="ignore"):
            log_envelope: Array = -lags_of(lag) / self.length_scale
        return log_envelope

    def _symbol(self) -> tuple[float, float]:
        """tanh(1/(2l)), and the angle in [0, pi/2] with |k| = cos(angle)."""
        rest = math.fmod(2.0, self.period)
        rest = min(rest, self.period - rest)
        return math.tanh(0.5 / self.length_scale), math.pi * (rest / self.period)


def cosine(lag: ArrayLike, period: float) -> Array:
    """cos(2 pi lag / period), relative error a few eps, exactly zero where it vanishes.

    The remainders are exact: fmod always, a difference of numbers within a factor 2 as well.

    >>> [float(x) for x in cosine([0.0, 3.0, 6.0, 9e15], 12.0)]
    [1.0, 0.0, -1.0, 1.0]
    """
    lags = np.fmod(lags_of(lag), period)
    lags = np.minimum(lags, period - lags)
    start = np.cos(2 * np.pi * (lags / period))
    middle = np.sin(np.pi / 2 * ((period - 4 * lags) / period))
    end = -np.cos(np.pi * ((period - 2 * lags) / period))
    return np.where(8 * lags <= period, start, np.where(8 * lags <= 3 * period, middle, end))
