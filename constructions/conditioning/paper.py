"""Time features of the paper's model, ``phi(t) = (eta_t, alpha_t, alpha_t^2, sigma_t^2)``.

They are token coordinates, as in Fu et al. (arXiv 2407.16134, section 4), and no gate reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unroll.methods import GradientDescent

__all__ = ["TOKEN_FEATURES", "TokenFeatures"]

TOKEN_FEATURES = ("eta", "alpha", "alpha_sq", "sigma_sq")


class TokenFeatures:
    """The features as a `constructions.conditioning.FeatureSet`: one weight, the spectrum."""

    def shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        """Ends of the spectrum of ``Gamma kron Sigma``."""
        return {"spectrum": (2,)}

    def count(self, channels: int) -> int:
        """Four."""
        return len(TOKEN_FEATURES)

    def evaluate(self, weights: Mapping[str, Any], alpha: Any, sigma_sq: Any) -> list[Any]:
        """The features at diffusion times given by ``alpha_t`` and ``sigma_t^2``."""
        lower, upper = weights["spectrum"]
        alpha_sq = alpha * alpha
        smallest, largest = alpha_sq * lower + sigma_sq, alpha_sq * upper + sigma_sq
        return [GradientDescent().step_size(0, smallest, largest), alpha, alpha_sq, sigma_sq]
