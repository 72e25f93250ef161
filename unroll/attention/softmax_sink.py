"""Softmax attention with a relative position bias and attention sinks: ``Gamma / Z``, exactly.

The logits ``log gamma(|i-j|)`` alone give ``D^{-1} Gamma`` with the row sums
``D_i = sum_j gamma(|i-j|)``. Further keys, whose value is zero and whose weights for query ``i``
add up to ``Z - D_i``, make every denominator ``Z``: the head is ``Gamma / Z`` for any positive
kernel and any ``Z > max_i D_i``. ``Z`` is a power of two, so that undoing it costs no rounding.

There are two sinks. In a sequence of ``n <= N`` frames the lags that frame ``i`` has no partner
for are those beyond the first frame and those beyond the last:

    D_i + (c_{N-1} - c_i) + (c_{N-1} - c_{n-1-i}) = 2 c_{N-1} - 1,    c_k = sum_{h <= k} gamma(h).

The first sink stands for the former and depends on the distance to the first frame alone, the
second for the latter and depends on the distance to the last: the same weights are exact for
every sequence of at most ``N`` frames. Each also carries half of ``Z - (2 c_{N-1} - 1)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import toeplitz
from scipy.special import softmax

from unroll.attention.base import Lowering, toeplitz_norm_bound
from unroll.errors import ArgumentError
from unroll.kernels import Kernel
from unroll.validation import positive

__all__ = ["SoftmaxSink", "row_sums"]

# A finite logit, in float32 too, that softmax turns into an exact zero.
_ZERO_LOGIT = -1e30
_EPS = np.finfo(np.float64).eps


def row_sums(kernel: Kernel, frames: int) -> np.ndarray:
    """``D_i = sum_j gamma(|i-j|)``, array (frames,).

    >>> from unroll.kernels import Exponential
    >>> D = row_sums(Exponential(2.0), 3)
    >>> bool(np.allclose(D, Exponential(2.0).matrix(3).sum(axis=1)))
    True
    """
    one_sided = np.cumsum(kernel.autocov(np.arange(frames)))
    return np.asarray(one_sided + one_sided[::-1] - one_sided[0])


@dataclass(frozen=True)
class SoftmaxSink(Lowering):
    """One softmax head with normaliser ``Z`` for every query."""

    normalizer: float
    name: ClassVar[str] = "softmax"

    def __post_init__(self) -> None:
        positive("normalizer", self.normalizer)

    @classmethod
    def design(cls, kernel: Kernel, frames: int) -> SoftmaxSink:
        """The smallest power of two that is safely above the two-sided sum of the kernel."""
        # 1/16 keeps the sinks' logits free of cancellation
        return cls(2.0 ** math.ceil(math.log2(_two_sided(kernel, frames) * (1 + 1 / 16))))

    @property
    def heads(self) -> int:
        """One."""
        return 1

    def autocov(self, kernel: Kernel, frames: int) -> np.ndarray:
        """``gamma`` itself."""
        return kernel.autocov(np.arange(frames))

    def frame_logits(self, kernel: Kernel, frames: int) -> np.ndarray:
        """``log gamma`` at lags ``0 .. frames-1``, cut at -1e30, whose exp is zero anyway."""
        return np.asarray(np.maximum(kernel.log_autocov(np.arange(frames)), _ZERO_LOGIT))

    def sink_logits(self, kernel: Kernel, frames: int) -> np.ndarray:
        """Logit of a sink by the distance to the end it stands for, array (frames,).

        ``log(c_{N-1} - c_k + slack / 2)`` with ``slack = Z - (2 c_{N-1} - 1)``; `ArgumentError`
        unless the slack is positive.
        """
        slack = self.normalizer - _two_sided(kernel, frames)
        if slack <= 0:
            raise ArgumentError(
                "normalizer",
                self.normalizer,
                f"must exceed the two-sided sum {self.normalizer - slack:.6g} of the kernel",
                "use SoftmaxSink.design(kernel, frames)",
            )
        # sums of the lags beyond, smallest terms first
        gamma = kernel.autocov(np.arange(frames))[::-1].astype(np.longdouble)
        missing = np.cumsum(gamma)[::-1].astype(np.float64)
        return np.log(np.append(missing[1:], 0.0) + slack / 2)

    def carried(self, kernel: Kernel, frames: int, dtype: str) -> np.ndarray:
        """Softmax of the rounded logits, times ``Z``."""
        logits = toeplitz(self.frame_logits(kernel, frames)).astype(dtype)
        sink = self.sink_logits(kernel, frames).astype(dtype)[:, None]
        pattern = softmax(np.concatenate([logits, sink, sink[::-1]], axis=1), axis=1)
        return np.asarray(pattern[:, :frames] * np.dtype(dtype).type(self.normalizer))

    def rounding(self, kernel: Kernel, frames: int, channels: int) -> float:
        """Logits are stored with an error in proportion to their size; sums add theirs."""
        gamma = kernel.autocov(np.arange(frames))
        # where gamma underflows to zero, so do its roundings
        log_gamma = np.where(gamma > 0, np.abs(kernel.log_autocov(np.arange(frames))), 0.0)
        sink = self.sink_logits(kernel, frames)
        top = max(0.0, float(sink.max()))  # what softmax subtracts from every logit
        # a logit l is stored with error 6 |l| u (a power or two logarithms, and the type's own),
        # the subtraction adds (|l| + top) u, exp 2 u
        mean_logit = toeplitz_norm_bound(gamma * log_gamma) / self.normalizer
        mean_logit += 2 * float(np.max(np.exp(sink) / self.normalizer * np.abs(sink)))
        # the sinks' masses are running sums, of which an extended type loses nothing
        running = 1 if np.finfo(np.longdouble).eps * frames < _EPS else frames
        denominator = 7 * mean_logit + top + 4 + frames + 2 + running
        application = frames + 2 + channels + 4
        entry = 7 * log_gamma + top + 4 + denominator + application
        return toeplitz_norm_bound(gamma * entry)

    def to_dict(self) -> dict[str, Any]:
        """Name and normaliser."""
        return {"name": self.name, "normalizer": self.normalizer}


def _two_sided(kernel: Kernel, frames: int) -> float:
    """``2 c_{N-1} - 1``: what a frame with partners at every lag would sum up to."""
    return 2 * math.fsum(kernel.autocov(np.arange(frames))) - 1
