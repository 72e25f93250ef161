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

A kernel with negative values takes two such heads, one for its positive and one for its negative
part, ``gamma = gamma_+ - gamma_-``, each with its own normaliser and sinks; the output map of the
second is negative.
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
_LEAST_SUM = 2.0**-100  # of a negative part that has all but underflown
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
    """One softmax head, or two for a kernel with negative values.

    Parameters
    ----------
    normalizer
        ``Z`` of the head that carries the kernel, or its positive part.
    negative
        ``Z`` of the head that carries the negative part; ``None`` where there is none.
    """

    normalizer: float
    negative: float | None = None
    name: ClassVar[str] = "softmax"

    def __post_init__(self) -> None:
        positive("normalizer", self.normalizer)
        if self.negative is not None:
            positive("negative", self.negative)

    @classmethod
    def design(cls, kernel: Kernel, frames: int) -> SoftmaxSink:
        """The smallest powers of two that are safely above the two-sided sums."""
        parts = kernel.log_parts(np.arange(frames))
        sums = [_two_sided(np.exp(part)) for part in parts if part.max() > -np.inf]
        # 1/16 keeps the sinks' logits free of cancellation
        return cls(*(2.0 ** math.ceil(math.log2(max(x, _LEAST_SUM) * (1 + 1 / 16))) for x in sums))

    @property
    def heads(self) -> int:
        """One, or two."""
        return len(self.scales)

    @property
    def scales(self) -> tuple[float, ...]:
        """What the output map of each head multiplies by: ``Z``, and ``-Z`` of the second."""
        return (self.normalizer,) if self.negative is None else (self.normalizer, -self.negative)

    def autocov(self, kernel: Kernel, frames: int) -> np.ndarray:
        """``gamma`` itself."""
        return kernel.autocov(np.arange(frames))

    def frame_logits(self, kernel: Kernel, frames: int, head: int = 0) -> np.ndarray:
        """Log of the part of ``gamma`` that a head carries, at lags ``0 .. frames-1``.

        It is cut at -1e30, whose exp is zero anyway.
        """
        return np.asarray(np.maximum(self._parts(kernel, frames)[head], _ZERO_LOGIT))

    def sink_logits(self, kernel: Kernel, frames: int, head: int = 0) -> np.ndarray:
        """Logit of a sink by the distance to the end it stands for, array (frames,).

        ``log(c_{N-1} - c_k + slack / 2)`` with ``slack = Z - (2 c_{N-1} - c_0)``; `ArgumentError`
        unless the slack is positive.
        """
        gamma, scale = np.exp(self._parts(kernel, frames)[head]), abs(self.scales[head])
        slack = scale - _two_sided(gamma)
        if slack <= 0:
            raise ArgumentError(
                ("normalizer", "negative")[head],
                scale,
                f"must exceed the two-sided sum {scale - slack:.6g} of the kernel",
                "use SoftmaxSink.design(kernel, frames)",
            )
        # sums of the lags beyond, smallest terms first
        missing = np.cumsum(gamma[::-1].astype(np.longdouble))[::-1].astype(np.float64)
        return np.log(np.append(missing[1:], 0.0) + slack / 2)

    def _parts(self, kernel: Kernel, frames: int) -> tuple[np.ndarray, ...]:
        """The logs of ``gamma``, or of its two parts; `ArgumentError` unless each has a head."""
        parts = kernel.log_parts(np.arange(frames))
        if self.negative is None and len(parts) == 2 and parts[1].max() > -np.inf:
            condition = "there is no head for the negative values of the kernel"
            remedy = "use SoftmaxSink.design(kernel, frames)"
            raise ArgumentError("negative", self.negative, condition, remedy)
        if self.negative is not None and len(parts) == 1:
            condition, remedy = "the kernel has no negative values", "give None"
            raise ArgumentError("negative", self.negative, condition, remedy)
        return parts

    def carried(self, kernel: Kernel, frames: int, dtype: str) -> np.ndarray:
        """Softmax of the rounded logits, times ``Z``; the second head is subtracted."""
        total = np.zeros((frames, frames), dtype)
        for head, scale in enumerate(self.scales):
            logits = toeplitz(self.frame_logits(kernel, frames, head)).astype(dtype)
            sink = self.sink_logits(kernel, frames, head).astype(dtype)[:, None]
            pattern = softmax(np.concatenate([logits, sink, sink[::-1]], axis=1), axis=1)
            total += pattern[:, :frames] * np.dtype(dtype).type(scale)
        return total

    def rounding(self, kernel: Kernel, frames: int, channels: int) -> float:
        """Logits are stored with an error in proportion to their size; sums add theirs."""
        return sum(self._head_rounding(kernel, frames, channels, h) for h in range(self.heads))

    def _head_rounding(self, kernel: Kernel, frames: int, channels: int, head: int) -> float:
        log_gamma = self._parts(kernel, frames)[head]
        gamma = np.exp(log_gamma)
        # where gamma underflows to zero, so do its roundings
        log_gamma = np.where(gamma > 0, np.abs(log_gamma), 0.0)
        sink = self.sink_logits(kernel, frames, head)
        top = max(0.0, float(sink.max()))  # what softmax subtracts from every logit
        # a logit l is stored with error 6 |l| u (a power or two logarithms, and the type's own),
        # the subtraction adds (|l| + top) u, exp 2 u
        scale = abs(self.scales[head])
        mean_logit = toeplitz_norm_bound(gamma * log_gamma) / scale
        mean_logit += 2 * float(np.max(np.exp(sink) / scale * np.abs(sink)))
        # the sinks' masses are running sums, of which an extended type loses nothing
        running = 1 if np.finfo(np.longdouble).eps * frames < _EPS else frames
        denominator = 7 * mean_logit + top + 4 + frames + 2 + running
        application = frames + 1 + self.heads + channels + 4
        entry = 7 * log_gamma + top + 4 + denominator + application
        return toeplitz_norm_bound(gamma * entry)

    def to_dict(self) -> dict[str, Any]:
        """Name and normalisers."""
        document: dict[str, Any] = {"name": self.name, "normalizer": self.normalizer}
        return document if self.negative is None else document | {"negative": self.negative}


def _two_sided(gamma: np.ndarray) -> float:
    """``2 c_{N-1} - c_0``: what a frame with partners at every lag would sum up to."""
    return 2 * math.fsum(gamma) - float(gamma[0])
