"""Softmax attention with a relative position bias and an attention sink: ``Gamma / Z``, exactly.

The logits ``log gamma(|i-j|)`` alone give ``D^{-1} Gamma`` with the row sums
``D_i = sum_j gamma(|i-j|)``. One more key, whose value is zero and whose logit for query ``i`` is
``log(Z - D_i)``, makes every denominator ``Z``: the head is ``Gamma / Z`` for any positive kernel
and any ``Z > max_i D_i``. ``Z`` is a power of two, so that undoing it costs no rounding.
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
        """The smallest power of two that is safely above every row sum."""
        largest = float(row_sums(kernel, frames).max())
        # 1/16 keeps the sink's logit log(Z - D_i) free of cancellation
        return cls(2.0 ** math.ceil(math.log2(largest * (1 + 1 / 16))))

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
        """``log(Z - D_i)``, array (frames,); `ArgumentError` unless ``Z`` exceeds every ``D_i``."""
        room = self.normalizer - row_sums(kernel, frames)
        if room.min() <= 0:
            raise ArgumentError(
                "normalizer",
                self.normalizer,
                f"must exceed the largest row sum {self.normalizer - room.min():.6g} of Gamma",
                "use SoftmaxSink.design(kernel, frames)",
            )
        return np.log(room)

    def carried(self, kernel: Kernel, frames: int, dtype: str) -> np.ndarray:
        """Softmax of the rounded logits, times ``Z``."""
        logits = toeplitz(self.frame_logits(kernel, frames)).astype(dtype)
        sink = self.sink_logits(kernel, frames).astype(dtype)[:, None]
        pattern = softmax(np.concatenate([logits, sink], axis=1), axis=1)
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
        mean_logit = toeplitz_norm_bound(gamma * log_gamma)
        mean_logit = mean_logit / self.normalizer + float(
            np.max(np.exp(sink) / self.normalizer * np.abs(sink))
        )
        denominator = 7 * mean_logit + top + 4 + frames + 1
        application = frames + 1 + channels + 4
        entry = 7 * log_gamma + top + 4 + denominator + application
        return toeplitz_norm_bound(gamma * entry)

    def to_dict(self) -> dict[str, Any]:
        """Name and normaliser."""
        return {"name": self.name, "normalizer": self.normalizer}
