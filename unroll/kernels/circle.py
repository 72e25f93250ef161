"""The paper's own kernel: exponential decay in the chord distance on a circle."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from unroll.errors import ArgumentError
from unroll.kernels.alternating import EPS, ROUNDING
from unroll.kernels.base import Kernel, _band, lags_of, round_up
from unroll.validation import Array, in_range, integer, positive


@dataclass(frozen=True)
class CircleExponential(Kernel):
    r"""gamma(h) = exp(-(chord(h)/l)^nu), chord(h) = 2 r sin(pi h / C).

    Frame i sits at e_i = r (sin 2 pi i / C, cos 2 pi i / C); the chord is the distance of two
    frames on the circle. Source: arXiv 2407.16134, Section 3, which writes
    exp(-chord^nu / ell); `from_paper` takes its parameters.

    Parameters
    ----------
    length_scale : float
        l > 0, in the unit of the chord.
    exponent : float
        0 < nu <= 2.
    period : int
        C, the number of places on the circle; at least 2 * frames.
    radius : float, optional
        r > 0. Default C / (2 pi): the chord of a small lag is the lag itself.

    Examples
    --------
    >>> kernel = CircleExponential(8.0, 1.0, period=256)
    >>> round(float(kernel.autocov(8)), 3)
    0.368
    """

    regime: ClassVar[str] = "circle_exponential"
    length_scale: float
    exponent: float = 1.0
    period: int = field(kw_only=True)
    radius: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "length_scale", positive("length_scale", self.length_scale))
        exponent = in_range("exponent", self.exponent, 0, 2, low_open=True)
        object.__setattr__(self, "exponent", exponent)
        remedy = "give the number of places on the circle, at least 2 * frames"
        object.__setattr__(self, "period", integer("period", self.period, 2, remedy))
        radius = self.period / (2 * math.pi) if self.radius is None else self.radius
        object.__setattr__(self, "radius", positive("radius", radius))

    @classmethod
    def from_paper(cls, ell: float, nu: float, radius: float, period: int) -> CircleExponential:
        """The kernel exp(-chord^nu / ell) of the paper: length_scale = ell^(1/nu)."""
        ell, nu = positive("ell", ell), in_range("nu", nu, 0, 2, low_open=True)
        return cls(ell ** (1 / nu), nu, period=period, radius=radius)

    def log_autocov(self, lag: ArrayLike) -> Array:
        """log gamma(lag), finite where gamma itself underflows. Same shape as `lag`."""
        lags = np.mod(lags_of(lag), self.period)
        lags = np.minimum(lags, self.period - lags)
        assert self.radius is not None
        chord = 2 * self.radius * np.sin(np.pi * lags / self.period)
        with np.errstate(over="ignore"):
            log_gamma: Array = -((chord / self.length_scale) ** self.exponent)
        return log_gamma

    def matrix(self, frames: int) -> Array:
        """Gamma_ij = gamma(|i - j|), shape (frames, frames); needs period >= 2 * frames."""
        self.check_frames(frames)
        return super().matrix(frames)

    def symbol_min(self, frames: int) -> float:
        """Smallest eigenvalue of the circulant of size `period`, less the error of the transform.

        `matrix(n)` is a leading block of that circulant for every n <= period / 2, so its
        eigenvalues interlace.
        """
        self.check_frames(frames)
        log_gamma = self.log_autocov(np.arange(self.period))
        gamma = np.exp(log_gamma)
        smallest = float(np.min(np.fft.rfft(gamma).real))
        # Each eigenvalue: rounding of the entries, then of the transform (Higham, "Accuracy and
        # Stability of Numerical Algorithms", Theorem 24.2, with room for lengths that are no
        # power of 2): a few eps * log2(C) * sqrt(C) * ||gamma||_2.
        depth = np.abs(np.where(gamma > 0, log_gamma, 0.0))
        entries = ROUNDING * EPS * math.fsum(gamma * (1 + depth))
        norm = math.sqrt(self.period) * float(np.linalg.norm(gamma))
        transform = 16 * EPS * (1 + math.log2(self.period)) * norm
        return max(0.0, smallest - entries - transform)

    def tail_sum(self, bandwidth: int, frames: int) -> float:
        """The finite sum of gamma over the lags J < k < N; needs period >= 2 * frames."""
        self.check_frames(frames)
        return super().tail_sum(bandwidth, frames)

    def tail_bound(self, bandwidth: int, frames: int) -> float:
        """The finite sum itself, rounded upwards: the chord has no simpler closed form."""
        bandwidth, frames = _band(bandwidth, frames)
        total = self.tail_sum(bandwidth, frames)
        if bandwidth >= frames - 1:
            return 0.0
        deepest = float(self.log_autocov(frames - 1))
        return round_up(total, deepest)

    def check_frames(self, frames: int) -> None:
        """The circle must hold twice as many frames."""
        integer("frames", frames, 1)
        if self.period < 2 * frames:
            condition = f"must be at least 2 * frames = {2 * frames}"
            raise ArgumentError("period", self.period, condition, "give a larger period")
