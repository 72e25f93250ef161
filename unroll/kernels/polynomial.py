"""Polynomial decay, gamma(h) = (1 + h/l)^(-p)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from unroll.kernels.alternating import moment_sequence
from unroll.kernels.base import Kernel, _band, lags_of, round_up
from unroll.validation import Array, integer, positive


@dataclass(frozen=True)
class Polynomial(Kernel):
    """gamma(h) = (1 + h/l)^(-p) with l = `length_scale` and p = `power`.

    Parameters
    ----------
    length_scale : float
        l > 0, in frames.
    power : float
        p > 0. For p <= 1 the lags are not summable: the tails grow with the number of frames.

    Examples
    --------
    >>> kernel = Polynomial(length_scale=8.0, power=0.5)
    >>> float(kernel.autocov(24))
    0.5
    >>> round(kernel.symbol_min(512), 6)
    0.031101
    """

    regime: ClassVar[str] = "polynomial"
    length_scale: float
    power: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "length_scale", positive("length_scale", self.length_scale))
        object.__setattr__(self, "power", positive("power", self.power))

    def log_autocov(self, lag: ArrayLike) -> Array:
        """log gamma(lag), finite where gamma itself underflows. Same shape as `lag`."""
        with np.errstate(over="ignore"):
            return -self.power * np.log1p(lags_of(lag) / self.length_scale)

    def _log_step(self, lag: Array) -> Array:
        """log gamma(k+1) - log gamma(k) = -p log(1 + 1/(l+k))."""
        with np.errstate(over="ignore"):
            return -self.power * np.log1p(1 / (self.length_scale + lag))

    def symbol_min(self, frames: int) -> float:
        """Lower bound on lambda_min; independent of `frames`, and its limit (theory: f(pi))."""
        integer("frames", frames, 1)
        return moment_sequence(self.log_autocov, self._log_step)

    def tail_bound(self, bandwidth: int, frames: int) -> float:
        """The integral of gamma from J to N-1 (p <= 1) or to infinity (p > 1)."""
        bandwidth, frames = _band(bandwidth, frames)
        if bandwidth >= frames - 1:
            return 0.0
        length, p = self.length_scale, self.power
        start, stop = math.log1p(bandwidth / length), math.log1p((frames - 1) / length)
        if p > 1:
            bound = length / (p - 1) * math.exp((1 - p) * start)
        elif p == 1:
            bound = length * math.log1p((frames - 1 - bandwidth) / (length + bandwidth))
        else:
            # (1 + (N-1)/l)^{1-p} - (1 + J/l)^{1-p}, kept accurate for p near 1 and J near N.
            gap = math.log1p((frames - 1 - bandwidth) / (length + bandwidth))
            with np.errstate(over="ignore", invalid="ignore"):
                rise = float(np.expm1((1 - p) * gap)) / (1 - p)
                bound = float(length * np.exp((1 - p) * start) * rise)
        return self._shortest_bound(round_up(bound, (1 - p) * stop), bandwidth, frames)
