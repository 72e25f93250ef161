"""Logarithmic decay, gamma(h) = (1 + log(1 + h/l))^(-q)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from unroll.kernels.alternating import EPS, ROUNDING, moment_sequence
from unroll.kernels.base import Kernel, _band, lags_of, round_up
from unroll.validation import Array, integer, positive


@dataclass(frozen=True)
class Logarithmic(Kernel):
    """gamma(h) = (1 + log(1 + h/l))^(-q) with l = `length_scale` and q = `power`.

    So slow that no bandwidth short of the whole sequence holds the covariance: see
    `tail_floor`.

    Parameters
    ----------
    length_scale : float
        l > 0, in frames.
    power : float
        q > 0.

    Examples
    --------
    >>> kernel = Logarithmic(length_scale=8.0, power=1.0)
    >>> round(kernel.symbol_min(512), 6)
    0.061437
    """

    regime: ClassVar[str] = "logarithmic"
    length_scale: float
    power: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "length_scale", positive("length_scale", self.length_scale))
        object.__setattr__(self, "power", positive("power", self.power))

    def log_autocov(self, lag: ArrayLike) -> Array:
        """log gamma(lag), finite where gamma itself underflows. Same shape as `lag`."""
        with np.errstate(over="ignore"):
            return -self.power * np.log1p(np.log1p(lags_of(lag) / self.length_scale))

    def _log_step(self, lag: Array) -> Array:
        """log gamma(k+1) - log gamma(k), without cancellation at large k."""
        with np.errstate(over="ignore"):
            rise = np.log1p(1 / (self.length_scale + lag))
            step: Array = -self.power * np.log1p(rise / (1 + np.log1p(lag / self.length_scale)))
        return step

    def symbol_min(self, frames: int) -> float:
        """Lower bound on lambda_min; independent of `frames`, and its limit (theory: f(pi))."""
        integer("frames", frames, 1)
        return moment_sequence(self.log_autocov, self._log_step)

    def tail_bound(self, bandwidth: int, frames: int) -> float:
        """Blocks of lags whose length doubles, in each the chord lies above the convex gamma.

        A block of the lags a .. b has at most (b - a + 1) (gamma(a) + gamma(b)) / 2.
        """
        bandwidth, frames = _band(bandwidth, frames)
        total, first = 0.0, bandwidth + 1
        while first < frames:
            last = min(2 * first, frames - 1)
            ends = self.autocov(np.array([first, last]))
            total += (last - first + 1) * float(ends[0] + ends[1]) / 2
            first = last + 1
        if bandwidth >= frames - 1:
            return 0.0
        deepest = float(self.log_autocov(frames - 1))
        return round_up(total, deepest)

    def tail_floor(self, bandwidth: int, frames: int) -> float:
        """Lower bound (N-1-J) gamma(N-1) on `tail_sum`: why truncation fails in this regime.

        A tail below delta needs J >= N - 1 - delta (1 + log(1 + (N-1)/l))^q.
        """
        bandwidth, frames = _band(bandwidth, frames)
        last = float(self.log_autocov(frames - 1))
        slack = 1 - ROUNDING * EPS * (1 + abs(last))
        return max(0, frames - 1 - bandwidth) * math.exp(last) * slack
