"""Unnormalised ReLU attention on a circle embedding: heads that pick out lags.

Frames sit on a circle of circumference ``period >= 2 frames``; the inner product of two
embeddings is a strictly decreasing function ``c_m`` of the lag ``m`` (``cos(2 pi m / period)`` for
one frequency). A head is ``ReLU(c - b)``, so a sum of heads is a piecewise linear function of the
inner product, and two such functions equal ``gamma`` at every lag ``m <= bandwidth`` and vanish
beyond:

* ``trapezoid`` (the paper, arXiv 2407.16134, section 4): a trapezoid that is one at ``c_m`` and
  zero at the other knots takes four heads, ``4 (J+1)`` in all;
* ``knot``: the piecewise linear interpolant of ``gamma`` through the knots takes one head per
  knot, ``J+1`` in all.

The slopes grow like ``period^2`` for one frequency, because the knots crowd at lag zero. With the
first ``F`` odd frequencies weighted by ``1/f^2`` (a truncated triangle wave, still strictly
decreasing: its derivative is a partial sum of a square wave) they grow like ``period^2 / F``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from unroll.attention.base import Lowering
from unroll.kernels import Kernel
from unroll.validation import choice, integer

__all__ = ["ReluLag"]


@dataclass(frozen=True)
class ReluLag(Lowering):
    """ReLU heads that carry lags ``0 .. bandwidth``.

    Parameters
    ----------
    bandwidth
        Largest lag ``J`` that is kept.
    period
        Circumference ``C >= 2 frames`` of the circle, in frames.
    style
        ``"knot"`` or ``"trapezoid"``.
    frequencies
        Number ``F`` of odd harmonics in the embedding, which has ``2 F`` channels.
    """

    bandwidth: int
    period: int
    style: str = "knot"
    frequencies: int = 1
    name: ClassVar[str] = "relu"
    score: ClassVar[str] = "relu"

    def __post_init__(self) -> None:
        integer("bandwidth", self.bandwidth, 0)
        integer("period", self.period, 2 * (self.bandwidth + 1))
        choice("style", self.style, ("knot", "trapezoid"))
        integer("frequencies", self.frequencies, 1)

    @property
    def heads(self) -> int:
        """``J + 1``, or four times as many."""
        return (self.bandwidth + 1) * (1 if self.style == "knot" else 4)

    def autocov(self, kernel: Kernel, frames: int) -> np.ndarray:
        """``gamma`` up to the bandwidth, zero beyond."""
        lags = np.arange(frames)
        return np.where(lags <= self.bandwidth, kernel.autocov(lags), 0.0)

    def harmonics(self) -> tuple[np.ndarray, np.ndarray]:
        """Angular frequencies (F,) and the squared amplitudes (F,), which sum to one."""
        odd = 2 * np.arange(self.frequencies) + 1
        return 2 * np.pi * odd / self.period, odd**-2.0 / np.sum(odd**-2.0)

    def embedding(self, frames: int) -> np.ndarray:
        """Unit vectors ``e_i``, array (frames, 2 F), with ``<e_i, e_j> = c_|i-j|``."""
        frequency, power = self.harmonics()
        angles = np.arange(frames)[:, None] * frequency
        waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
        return np.asarray(waves * np.sqrt(np.tile(power, 2)))

    def knots(self, lags: np.ndarray) -> np.ndarray:
        """``c_m``: the inner product at lag ``m``, strictly decreasing for ``m <= period / 2``."""
        frequency, power = self.harmonics()
        return np.asarray(np.cos(np.multiply.outer(lags, frequency)) @ power)

    def hinges(self, kernel: Kernel) -> tuple[np.ndarray, np.ndarray]:
        """Thresholds ``b`` and weights ``a`` with ``sum_h a_h ReLU(c_m - b_h) = gamma(m)`` for
        ``m <= bandwidth`` and zero at larger lags; two arrays (heads,).
        """
        lags = np.arange(self.bandwidth + 1)
        gamma = kernel.autocov(lags)
        # falls[m] = c_m - c_{m+1}, by a product so that crowded knots keep their digits
        frequency, power = self.harmonics()
        middle = np.multiply.outer(np.arange(-1, self.bandwidth + 1) + 0.5, frequency)
        falls = (2 * np.sin(middle) * np.sin(frequency / 2)) @ power
        falls[0] = falls[1]  # beyond lag 0 there is no knot: mirror the first interval
        upper, lower = falls[:-1], falls[1:]
        centre = self.knots(lags)
        if self.style == "trapezoid":
            third = np.stack([-2 * lower, -lower, upper, 2 * upper], axis=1) / 3
            rise, drop = 3 / lower, 3 / upper
            weights = np.stack([rise, -rise, -drop, drop], axis=1) * gamma[:, None]
            return (centre[:, None] + third).ravel(), weights.ravel()
        slopes = (gamma - np.append(gamma[1:], 0.0)) / lower
        return centre - lower, slopes - np.append(slopes[1:], 0.0)

    def carried(self, kernel: Kernel, frames: int, dtype: str) -> np.ndarray:
        """Hinges of the computed inner products, added up."""
        threshold, weight = (values.astype(dtype) for values in self.hinges(kernel))
        embedding = self.embedding(frames).astype(dtype)
        scores = embedding @ embedding.T
        matrix = np.zeros_like(scores)
        for b, a in zip(threshold, weight, strict=True):
            matrix += a * np.maximum(scores - b, 0)
        return np.asarray(matrix)

    def rounding(self, kernel: Kernel, frames: int, channels: int) -> float:
        """Scores are off by a few roundings, which the slopes magnify; sums add theirs."""
        threshold, weight = self.hinges(kernel)
        knots = self.knots(np.arange(frames))
        score = knots[:, None] - threshold
        # an embedding entry is stored with one rounding and the error of its angle, 3 u pi f; a
        # threshold with one rounding
        frequency, power = self.harmonics()
        angles = 3 * float(power @ frequency) * self.period / 2
        score_error = 2 * (2 * self.frequencies + 1 + 4 + angles)
        active = score >= -score_error * np.finfo(np.float32).eps
        cancellation = np.abs(weight) * np.maximum(score, 0.0)
        # each output channel adds one nonzero product per head; the value map adds its own terms
        application = frames + self.heads + channels + 4
        error = score_error * (active * np.abs(weight)).sum(1) + application * cancellation.sum(1)
        return float(error[0] + 2 * error[1:].sum())

    def to_dict(self) -> dict[str, Any]:
        """Name and parameters."""
        return {
            "name": self.name,
            "bandwidth": self.bandwidth,
            "period": self.period,
            "style": self.style,
            "frequencies": self.frequencies,
        }
