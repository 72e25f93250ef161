"""Time features of the preconditioned iteration.

The feature vector is

    (1, alpha, alpha^2, sigma^2;  eta_k(x_a) for every step k and spatial eigenvalue mu_a),

with ``x_a = sigma^2 / (alpha^2 mu_a)``, the one number on which everything about a channel of the
eigenbasis depends. The step sizes ``eta_k`` are Chebyshev series in ``log x``; their coefficients
are weights of the model, as are the ``mu_a``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from unroll.methods.gates import chebyshev_series, logarithm

__all__ = ["COMMON", "InverseSymbolFeatures", "step_index"]

COMMON = ("1", "alpha", "alpha_sq", "sigma_sq")


class InverseSymbolFeatures:
    """The features as a `constructions.conditioning.FeatureSet`."""

    def __init__(self, steps: int, terms: int) -> None:
        self.steps, self.terms = steps, terms

    def shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        """Spatial eigenvalues, range of ``log x``, and the coefficients of every step size."""
        return {
            "spatial": (channels,),
            "log_range": (2,),
            "steps": (self.steps, self.terms),
        }

    def count(self, channels: int) -> int:
        """Four, and one per step and channel."""
        return len(COMMON) + self.steps * channels

    def evaluate(self, weights: Mapping[str, Any], alpha: Any, sigma_sq: Any) -> list[Any]:
        """The features at diffusion times given by ``alpha_t`` and ``sigma_t^2``."""
        alpha_sq = alpha * alpha
        features = [0 * alpha + 1, alpha, alpha_sq, sigma_sq]
        low, high = weights["log_range"]
        places = [
            (2 * logarithm(sigma_sq / (alpha_sq * mu)) - low - high) / (high - low)
            for mu in weights["spatial"]
        ]
        for k in range(self.steps):
            features += [chebyshev_series(weights["steps"][k], u) for u in places]
        return features


def step_index(step: int, channels: int) -> np.ndarray:
    """Where the common features and the step sizes of one step stand."""
    common = len(COMMON)
    return np.array(
        [*range(common), *range(common + step * channels, common + (step + 1) * channels)]
    )
