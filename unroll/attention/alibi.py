"""ALiBi heads: softmax attention with a bias linear in the lag, one exponential per head.

A softmax head with the bias ``-a |i-j|`` and an attention sink is the kernel ``exp(-a |i-j|) / Z``
(`unroll.attention.softmax_sink`): the exponential regime with exponent one is a single head (Press,
Smith & Lewis, arXiv 2108.12409, for the bias). Other kernels are sums of exponentials, a head each;
the output map carries the amplitude, which may be negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from unroll.attention.base import Lowering, toeplitz_norm_bound
from unroll.attention.exponential_sum import fit_exponentials
from unroll.attention.softmax_sink import SoftmaxSink
from unroll.errors import ArgumentError
from unroll.kernels import Exponential, Kernel
from unroll.validation import finite_array

__all__ = ["Alibi"]


@dataclass(frozen=True)
class Alibi(Lowering):
    """``gamma(h) ~ sum_m amplitudes_m exp(-slopes_m h)``, one softmax head with a sink each.

    Parameters
    ----------
    slopes
        Decay per frame, positive: the slopes of the linear biases.
    amplitudes
        Weight of each exponential.
    normalizers
        Softmax normaliser ``Z`` of each head, above every row sum of its exponential.
    """

    slopes: tuple[float, ...]
    amplitudes: tuple[float, ...]
    normalizers: tuple[float, ...]
    name: ClassVar[str] = "alibi"

    def __post_init__(self) -> None:
        for field in ("slopes", "amplitudes", "normalizers"):
            values = finite_array(field, getattr(self, field))
            if values.shape != (len(self.slopes),) or len(values) == 0:
                raise ArgumentError(field, values, "must have one entry per head", "design it anew")
            if field != "amplitudes" and (values <= 0).any():
                raise ArgumentError(field, values, "must be positive", "design it anew")
            object.__setattr__(self, field, tuple(float(x) for x in values))

    @classmethod
    def design(cls, kernel: Kernel, frames: int, terms: int) -> Alibi:
        """The best fit found with that many heads; exact for one exponential.

        `ArgumentError` for a kernel with negative values: decaying exponentials do not oscillate.
        """
        if kernel.signed:
            raise ArgumentError(
                "attention",
                cls.name,
                f"is made of decaying exponentials, which do not oscillate as {kernel} does",
                "use attention='softmax', which carries it in two heads, or 'fourier'",
            )
        if isinstance(kernel, Exponential) and kernel.exponent == 1 and terms == 1:
            slopes, amplitudes = np.array([1 / kernel.length_scale]), np.ones(1)
        else:
            slopes, amplitudes = fit_exponentials(kernel.autocov(np.arange(frames)), terms)
        normalizers = [
            SoftmaxSink.design(Exponential(1 / slope), frames).normalizer for slope in slopes
        ]
        return cls(tuple(slopes), tuple(amplitudes), tuple(normalizers))

    @property
    def heads(self) -> int:
        """One per exponential."""
        return len(self.slopes)

    def parts(self) -> list[tuple[float, Exponential, SoftmaxSink]]:
        """Each head as amplitude, kernel and softmax lowering."""
        return [
            (amplitude, Exponential(1 / slope), SoftmaxSink(normalizer))
            for slope, amplitude, normalizer in zip(
                self.slopes, self.amplitudes, self.normalizers, strict=True
            )
        ]

    def autocov(self, kernel: Kernel, frames: int) -> np.ndarray:
        """The sum of the exponentials."""
        decay = np.exp(-np.outer(np.arange(frames), self.slopes))
        return np.asarray(decay @ np.array(self.amplitudes))

    def operator_error(self, kernel: Kernel, frames: int) -> float:
        """What the sum leaves at every lag, and the rounding of looking."""
        lags = np.arange(frames)
        gamma, log_gamma = kernel.autocov(lags), np.abs(kernel.log_autocov(lags))
        sizes = np.exp(-np.outer(lags, self.slopes)) @ np.abs(self.amplitudes)
        looked = sizes + gamma * (1 + np.where(gamma > 0, log_gamma, 0.0))
        rounding = 8 * np.finfo(np.float64).eps * toeplitz_norm_bound(looked)
        return super().operator_error(kernel, frames) + float(rounding)

    def carried(self, kernel: Kernel, frames: int, dtype: str) -> np.ndarray:
        """Each head as it computes, weighted and added up."""
        real = np.dtype(dtype).type
        heads = [real(w) * head.carried(part, frames, dtype) for w, part, head in self.parts()]
        return np.asarray(sum(heads))

    def rounding(self, kernel: Kernel, frames: int, channels: int) -> float:
        """Each head's, weighted, and one more addition per head."""
        total = 0.0
        for amplitude, part, head in self.parts():
            column = part.autocov(np.arange(frames))
            size = float(column[0] + 2 * column[1:].sum())
            total += abs(amplitude) * (head.rounding(part, frames, channels) + self.heads * size)
        return total

    def to_dict(self) -> dict[str, Any]:
        """Name and parameters."""
        return {
            "name": self.name,
            "slopes": list(self.slopes),
            "amplitudes": list(self.amplitudes),
            "normalizers": list(self.normalizers),
        }
