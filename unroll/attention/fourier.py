"""Linear attention on sinusoidal position features: a circulant that holds ``Gamma``, exactly.

The symmetric circulant of size ``C >= 2 N - 2`` with first row ``gamma(min(k, C-k))`` has ``Gamma``
as its leading block, and real eigenvalues ``f_0, ..., f_{C/2}``; so

    gamma(h) = sum_m w_m cos(2 pi m h / C),    w_m = f_m / C times 2 for 0 < m < C/2,

at every lag ``h < N``: one head of linear attention per frequency, whose query and key features
are ``(cos, sin)(2 pi m i / C)`` and whose amplitude is ``w_m``, of either sign. ``C`` is a power of
two, so that ``m / C`` is an exact binary fraction and whole revolutions drop without a rounding.

Source: Dietrich & Newsam, SIAM J. Sci. Comput. 18 (1997), for the embedding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from unroll.attention.base import Lowering
from unroll.errors import ArgumentError
from unroll.kernels import CircleExponential, Kernel
from unroll.validation import integer

__all__ = ["Fourier"]


@dataclass(frozen=True)
class Fourier(Lowering):
    """One head per frequency ``m / period``, ``0 <= m <= period / 2``.

    Parameters
    ----------
    period
        Size ``C`` of the circulant, even.
    """

    period: int
    name: ClassVar[str] = "fourier"
    score: ClassVar[str] = "linear"

    def __post_init__(self) -> None:
        integer("period", self.period, 2)
        if self.period % 2:
            raise ArgumentError("period", self.period, "must be even", "use Fourier.design")

    @classmethod
    def design(cls, kernel: Kernel, frames: int) -> Fourier:
        """The smallest power of two that holds every lag; the kernel's own circle if it has one."""
        if isinstance(kernel, CircleExponential) and kernel.period % 2 == 0:
            return cls(int(kernel.period))
        return cls(max(2, 1 << (2 * frames - 3).bit_length() if frames > 1 else 2))

    @property
    def heads(self) -> int:
        """One per frequency."""
        return self.period // 2 + 1

    def turns(self) -> np.ndarray:
        """Revolutions per frame of every head, array (heads,)."""
        return np.arange(self.heads) / self.period

    def amplitudes(self, kernel: Kernel, frames: int) -> np.ndarray:
        """``w_m`` of the module docstring, array (heads,)."""
        self._check(frames)
        half = kernel.autocov(np.arange(self.heads))
        weights = np.fft.irfft(half, n=self.period)[: self.heads]  # a real and even sequence
        weights[1:-1] *= 2
        return np.asarray(weights)

    def autocov(self, kernel: Kernel, frames: int) -> np.ndarray:
        """``gamma`` itself."""
        self._check(frames)
        return kernel.autocov(np.arange(frames))

    def carried(self, kernel: Kernel, frames: int, dtype: str) -> np.ndarray:
        """Inner products of the rounded features."""
        turns = np.remainder(np.arange(frames)[:, None] * self.turns(), 1.0)
        waves = np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], axis=-1)
        features = waves.astype(dtype).reshape(frames, -1)
        weights = np.repeat(self.amplitudes(kernel, frames).astype(dtype), 2)
        return np.asarray((features * weights) @ features.T)

    def rounding(self, kernel: Kernel, frames: int, channels: int) -> float:
        """Features are off by their angle's rounding, amplitudes by the transform's; sums add.

        The absolute values of a head's two features have the norm ``frames`` at most, so that a
        head magnifies relative errors by ``frames |w_m|``.
        """
        weights = np.abs(self.amplitudes(kernel, frames))
        angle = 2 * np.pi * 2 + 3  # an angle below 2 pi, rounded twice; cosine; the type itself
        dyadic = self.period & (self.period - 1) == 0
        if not dyadic:  # m / C rounds, and grows with the frame
            angle += 2 * np.pi * frames / 2
        transform = (
            8 * np.log2(self.period) * float(np.linalg.norm(weights)) * np.sqrt(len(weights))
        )
        count = 2 * angle + frames + 2 * self.heads + channels + 6
        return float(frames * (count * weights.sum() + transform))

    def to_dict(self) -> dict[str, Any]:
        """Name and period."""
        return {"name": self.name, "period": self.period}

    def _check(self, frames: int) -> None:
        if self.period < 2 * frames - 2:
            raise ArgumentError(
                "period",
                self.period,
                f"must be at least 2 * frames - 2 = {2 * frames - 2} to hold every lag",
                "use Fourier.design(kernel, frames)",
            )
