"""What attention heads are asked to realise, and how far they may be from it.

A `Lowering` is the part of a plan that turns a temporal covariance into attention heads: a few
numbers, from which the builder derives weights and the prover a bound. It knows nothing about
weights or torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import toeplitz

from unroll.kernels import Kernel

__all__ = ["Lowering", "toeplitz_norm_bound"]


def toeplitz_norm_bound(first_column: np.ndarray) -> float:
    """``|c_0| + 2 sum_{h>0} |c_h|`` bounds the spectral norm of the symmetric Toeplitz matrix."""
    magnitude = np.abs(first_column)
    return float(magnitude[0] + 2 * magnitude[1:].sum())


class Lowering(ABC):
    """How the temporal covariance ``Gamma`` becomes attention heads."""

    name: ClassVar[str]
    score: ClassVar[str] = "softmax"
    """What turns logits into a pattern: ``"softmax"`` or ``"relu"``."""

    @property
    @abstractmethod
    def heads(self) -> int:
        """Attention heads per block."""

    @abstractmethod
    def autocov(self, kernel: Kernel, frames: int) -> np.ndarray:
        """The autocovariance that the heads carry in exact arithmetic, lags ``0 .. frames-1``."""

    @abstractmethod
    def carried(self, kernel: Kernel, frames: int, dtype: str) -> np.ndarray:
        """The matrix (frames, frames) as the heads compute it in floating point of that type."""

    @abstractmethod
    def rounding(self, kernel: Kernel, frames: int, channels: int) -> float:
        """Bound on ``||fl(heads) - heads||_2``, in units of the unit roundoff."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Parameters, JSON-ready, with the lowering's ``name``."""

    def operator(self, kernel: Kernel, frames: int) -> np.ndarray:
        """The matrix (frames, frames) that the heads carry in exact arithmetic."""
        return np.asarray(toeplitz(self.autocov(kernel, frames)))

    def norm_bound(self, kernel: Kernel, frames: int) -> float:
        """Bound on the spectral norm of that matrix with absolute values in place of entries."""
        return toeplitz_norm_bound(self.autocov(kernel, frames))

    def operator_error(self, kernel: Kernel, frames: int) -> float:
        """Bound on ``||heads - Gamma||_2`` in exact arithmetic."""
        difference = self.autocov(kernel, frames) - kernel.autocov(np.arange(frames))
        return toeplitz_norm_bound(difference)
