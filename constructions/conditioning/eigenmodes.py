"""Time features of the direct method: ``(1, alpha)``, and with a baseline its gate per channel.

The baseline serves the eigenmodes that have no head of their own by a multiple of the identity,
``1 / (alpha^2 lbar mu_a + sigma^2)`` in channel ``a`` of the eigenbasis of ``Sigma``: the features
are that gate, and ``alpha`` times it for the mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unroll.methods.gates import resolvent

__all__ = ["EigenmodeFeatures"]


class EigenmodeFeatures:
    """The features as a `constructions.conditioning.FeatureSet`."""

    def __init__(self, *, baseline: bool) -> None:
        self.baseline = baseline

    def shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        """The baseline's poles, where there is one."""
        return {"baseline": (channels,)} if self.baseline else {}

    def count(self, channels: int) -> int:
        """Two, and two per channel with a baseline."""
        return 2 + (2 * channels if self.baseline else 0)

    def evaluate(self, weights: Mapping[str, Any], alpha: Any, sigma_sq: Any) -> list[Any]:
        """The features at diffusion times given by ``alpha_t`` and ``sigma_t^2``."""
        features = [0 * alpha + 1, alpha]
        if self.baseline:
            gates = [resolvent(alpha * alpha, sigma_sq, pole) for pole in weights["baseline"]]
            features += gates + [alpha * gate for gate in gates]
        return features
