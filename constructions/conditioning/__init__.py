"""How the diffusion time enters a model: features of ``t`` that its gates are linear in.

Features are exact functions of ``alpha_t`` and ``sigma_t^2`` whose parameters are weights of the
model, or the outputs of a network of ``t``. They are computed in float64 whatever the model's
precision: they cost nothing, and rounding them is then the only error that precision adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from constructions.architecture import Architecture
from constructions.conditioning.eigenmodes import EigenmodeFeatures
from constructions.conditioning.first_order import (
    PER_STEP,
    FirstOrder,
    feature_index,
    feature_names,
    time_features,
)
from constructions.conditioning.inverse_symbol import COMMON, InverseSymbolFeatures, step_index
from constructions.conditioning.mlp import SCALED, NetworkFeatures
from constructions.conditioning.paper import TOKEN_FEATURES, TokenFeatures
from unroll.errors import ArgumentError
from unroll.methods import METHODS

__all__ = [
    "COMMON",
    "PER_STEP",
    "SCALED",
    "TOKEN_FEATURES",
    "FeatureSet",
    "NetworkFeatures",
    "feature_index",
    "feature_names",
    "feature_set",
    "step_index",
    "time_features",
]


class FeatureSet(Protocol):
    """Exact features of the diffusion time, for numpy arrays and torch tensors alike."""

    def shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        """Name to shape of the weights that the features depend on."""

    def count(self, channels: int) -> int:
        """How many features there are."""

    def evaluate(self, weights: Mapping[str, Any], alpha: Any, sigma_sq: Any) -> list[Any]:
        """The features, each of the shape of ``alpha``."""


def feature_set(architecture: Architecture) -> FeatureSet | NetworkFeatures:
    """The features that an architecture names."""
    name, steps = architecture.time_features, architecture.time_steps
    if architecture.conditioning == "mlp":
        return NetworkFeatures(architecture.time_hidden)
    if name in METHODS:
        return FirstOrder(name, steps)
    if name == "preconditioned":
        return InverseSymbolFeatures(steps, architecture.time_terms)
    if name == "paper":
        return TokenFeatures()
    if name == "boundary":
        return EigenmodeFeatures(baseline=False)
    if name == "spectral":
        return EigenmodeFeatures(baseline=architecture.time_terms > 0)
    raise ArgumentError(
        "architecture.time_features", name, "is unknown", "use a method of this library"
    )
