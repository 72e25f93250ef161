"""Softmax heads for frames at irregular times: a bias for every pair of frames, and sinks.

With ``Gamma_ij = gamma(|tau_i - tau_j|)`` nothing depends on the lag alone, but a softmax head does
not need it to: the bias ``log gamma(|tau_i - tau_j|)`` and sinks that complete every denominator to
``Z`` make it ``Gamma / Z``, exactly. With the bias ``-a |tau_i - tau_j|`` (ALiBi on time stamps) a
head is one exponential; sums of exponentials carry the kernels that are mixtures of them. Both
sinks have the weight ``(Z - D_i) / 2``, with the row sums ``D_i`` of this set of frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import softmax

from unroll.attention.base import Lowering
from unroll.attention.exponential_sum import fit_exponentials_at
from unroll.errors import ArgumentError
from unroll.kernels import Exponential, Kernel
from unroll.validation import finite_array

__all__ = ["Irregular", "IrregularAlibi", "IrregularSoftmax"]

_ZERO_LOGIT = -1e30  # finite in float32 too; softmax turns it into an exact zero
_MOST_LAGS = 1024  # distinct lags that a sum of exponentials is fitted to
_EPS = float(np.finfo(np.float64).eps)


class Irregular(Lowering):
    """What both have in common: heads ``weight_h Z_h softmax(logits_h, sinks_h)``."""

    times: tuple[float, ...]

    def lags(self, frames: int) -> np.ndarray:
        """``|tau_i - tau_j|``, array (frames, frames)."""
        times = np.array(self.times)
        if len(times) != frames:
            raise ArgumentError(
                "times", len(times), f"must be {frames} frame times", "design the lowering anew"
            )
        return np.asarray(np.abs(np.subtract.outer(times, times)))

    def logits(self, kernel: Kernel, frames: int) -> np.ndarray:
        """Biases of every head, array (heads, frames, frames)."""
        raise NotImplementedError

    @property
    def normalizers(self) -> np.ndarray:
        """Softmax normaliser ``Z`` of each head, array (heads,)."""
        raise NotImplementedError

    @property
    def weights(self) -> np.ndarray:
        """What each head is multiplied by besides ``Z``, array (heads,)."""
        raise NotImplementedError

    def sink_logits(self, kernel: Kernel, frames: int) -> np.ndarray:
        """Logit of either sink, array (heads, frames); `ArgumentError` unless ``Z > D_i``."""
        room = self.normalizers[:, None] - np.exp(self.logits(kernel, frames)).sum(axis=2)
        if room.min() <= 0:
            raise ArgumentError(
                "normalizer",
                float(self.normalizers.min()),
                "must exceed every row sum of the kernel",
                "design the lowering anew",
            )
        return np.asarray(np.log(room / 2))

    def autocov(self, kernel: Kernel, frames: int) -> np.ndarray:
        """Irregular frames have no autocovariance by lag: see `operator`."""
        raise ArgumentError(
            "frame_times", "irregular", "have no autocovariance by lag", "use operator()"
        )

    def operator(self, kernel: Kernel, frames: int) -> np.ndarray:
        """The matrix that the heads carry in exact arithmetic."""
        heads = np.exp(self.logits(kernel, frames))
        return np.asarray(np.einsum("h,hij->ij", self.weights, heads))

    def operator_error(self, kernel: Kernel, frames: int) -> float:
        """Largest row sum of what is left, and the rounding of looking."""
        gamma = kernel.autocov(self.lags(frames))
        difference = np.abs(self.operator(kernel, frames) - gamma)
        if not difference.any():
            return 0.0
        heads = np.exp(self.logits(kernel, frames))
        sizes = np.einsum("h,hij->ij", np.abs(self.weights), heads)
        return float((difference + 64 * _EPS * (sizes + gamma)).sum(axis=1).max())

    def carried(self, kernel: Kernel, frames: int, dtype: str) -> np.ndarray:
        """Softmax of the rounded logits, scaled and added up."""
        total = np.zeros((frames, frames), dtype)
        logits = self.logits(kernel, frames).astype(dtype)
        sinks = self.sink_logits(kernel, frames).astype(dtype)
        for scale, own, sink in zip(self.weights * self.normalizers, logits, sinks, strict=True):
            row = np.concatenate([own, sink[:, None], sink[:, None]], axis=1)
            total += softmax(row, axis=1)[:, :frames] * np.dtype(dtype).type(scale)
        return total

    def rounding(self, kernel: Kernel, frames: int, channels: int) -> float:
        """As for regular frames (`unroll.attention.softmax_sink`), with row sums for norms."""
        total = 0.0
        sinks = self.sink_logits(kernel, frames)
        for amplitude, scale, own, sink in zip(
            self.weights, self.normalizers, self.logits(kernel, frames), sinks, strict=True
        ):
            gamma = np.exp(own)
            size = np.where(gamma > 0, np.abs(own), 0.0)
            top = max(0.0, float(sink.max()))
            mean_logit = float((gamma * size).sum(axis=1).max()) / scale
            mean_logit += 2 * float(np.max(np.exp(sink) / scale * np.abs(sink)))
            # the sinks' masses are differences of row sums: frames u, magnified by at most 17
            denominator = 7 * mean_logit + top + 4 + frames + 2 + 18 * frames
            application = frames + 1 + self.heads + channels + 4
            entry = 7 * size + top + 4 + denominator + application
            total += abs(amplitude) * float((gamma * entry).sum(axis=1).max())
        return total

    def norm_bound(self, kernel: Kernel, frames: int) -> float:
        """Largest row sum of absolute values."""
        return float(np.abs(self.operator(kernel, frames)).sum(axis=1).max())


@dataclass(frozen=True)
class IrregularSoftmax(Irregular):
    """One softmax head that is ``Gamma / Z`` for frames at the times ``times``.

    Parameters
    ----------
    times
        Frame times, ascending.
    normalizer
        ``Z``, above every row sum of ``Gamma``.
    """

    times: tuple[float, ...]
    normalizer: float
    name: ClassVar[str] = "irregular softmax"

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", tuple(float(x) for x in self.times))

    @classmethod
    def design(cls, kernel: Kernel, times: np.ndarray) -> IrregularSoftmax:
        """The smallest power of two that is safely above every row sum."""
        _refuse_signed(kernel)
        gamma = kernel.autocov(np.abs(np.subtract.outer(times, times)))
        return cls(tuple(times), _power_above(gamma))

    @property
    def heads(self) -> int:
        """One."""
        return 1

    @property
    def normalizers(self) -> np.ndarray:
        """``Z``."""
        return np.array([self.normalizer])

    @property
    def weights(self) -> np.ndarray:
        """One."""
        return np.ones(1)

    def logits(self, kernel: Kernel, frames: int) -> np.ndarray:
        """``log gamma`` of every pair."""
        return np.maximum(kernel.log_autocov(self.lags(frames)), _ZERO_LOGIT)[None]

    def operator(self, kernel: Kernel, frames: int) -> np.ndarray:
        """``Gamma`` itself."""
        return np.asarray(kernel.autocov(self.lags(frames)))

    def to_dict(self) -> dict[str, Any]:
        """Name and parameters."""
        return {"name": self.name, "times": list(self.times), "normalizer": self.normalizer}


@dataclass(frozen=True)
class IrregularAlibi(Irregular):
    """``gamma ~ sum_m amplitudes_m exp(-slopes_m |tau_i - tau_j|)``, one softmax head each.

    Parameters
    ----------
    times
        Frame times, ascending.
    slopes
        Decay per unit of time, positive.
    amplitudes
        Weight of each exponential.
    sizes
        ``Z`` of each head.
    """

    times: tuple[float, ...]
    slopes: tuple[float, ...]
    amplitudes: tuple[float, ...]
    sizes: tuple[float, ...]
    name: ClassVar[str] = "irregular alibi"

    def __post_init__(self) -> None:
        for field in ("times", "slopes", "amplitudes", "sizes"):
            values = finite_array(field, getattr(self, field))
            object.__setattr__(self, field, tuple(float(x) for x in values))
        if not len(self.slopes) == len(self.amplitudes) == len(self.sizes) > 0:
            raise ArgumentError(
                "slopes", self.slopes, "must have one amplitude and size each", "design it anew"
            )
        if min(*self.slopes, *self.sizes) <= 0:
            raise ArgumentError("slopes", self.slopes, "must be positive", "design it anew")

    @classmethod
    def design(cls, kernel: Kernel, times: np.ndarray, terms: int) -> IrregularAlibi:
        """The best fit found with that many heads; exact for one exponential."""
        _refuse_signed(kernel)
        lags = np.abs(np.subtract.outer(times, times))
        if isinstance(kernel, Exponential) and kernel.exponent == 1 and terms == 1:
            slopes, amplitudes = np.array([1 / kernel.length_scale]), np.ones(1)
        else:
            distinct = np.unique(lags)
            if len(distinct) > _MOST_LAGS:
                chosen = np.linspace(0, len(distinct) - 1, _MOST_LAGS).round().astype(int)
                distinct = distinct[chosen]
            slopes, amplitudes = fit_exponentials_at(distinct, kernel.autocov(distinct), terms)
        sizes = [_power_above(np.exp(-slope * lags)) for slope in slopes]
        return cls(tuple(times), tuple(slopes), tuple(amplitudes), tuple(sizes))

    @property
    def heads(self) -> int:
        """One per exponential."""
        return len(self.slopes)

    @property
    def normalizers(self) -> np.ndarray:
        """``Z`` of each head."""
        return np.array(self.sizes)

    @property
    def weights(self) -> np.ndarray:
        """The amplitudes."""
        return np.array(self.amplitudes)

    def logits(self, kernel: Kernel, frames: int) -> np.ndarray:
        """Linear in the distance of two frames."""
        return np.asarray(-np.array(self.slopes)[:, None, None] * self.lags(frames))

    def to_dict(self) -> dict[str, Any]:
        """Name and parameters."""
        fields = ("times", "slopes", "amplitudes", "sizes")
        return {"name": self.name} | {field: list(getattr(self, field)) for field in fields}


def _refuse_signed(kernel: Kernel) -> None:
    if kernel.signed:
        raise ArgumentError(
            "kernel",
            kernel,
            "has negative values, which need two heads",
            "use regular frame times for it",
        )


def _power_above(matrix: np.ndarray) -> float:
    """The smallest power of two that exceeds every row sum by a sixteenth."""
    return float(2.0 ** math.ceil(math.log2(float(matrix.sum(axis=1).max()) * (1 + 1 / 16))))
