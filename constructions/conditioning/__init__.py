"""How the diffusion time enters a model: features of ``t`` that its gates are linear in.

Features are exact functions of ``alpha_t`` and ``sigma_t^2`` whose parameters are weights of the
model. They are computed in float64 whatever the model's precision: they cost nothing, and rounding
them is then the only error they add.
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
from constructions.conditioning.paper import TOKEN_FEATURES, TokenFeatures
from unroll.errors import ArgumentError
from unroll.methods import METHODS

__all__ = [
    "COMMON",
    "PER_STEP",
    "TOKEN_FEATURES",
    "FeatureSet",
    "feature_index",
    "feature_names",
    "feature_set",
    "step_index",
    "time_features",
]


class FeatureSet(Protocol):
    """Features of the diffusion time, for numpy arrays and torch tensors alike."""

    def shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        """Name to shape of the weights that the features depend on."""

    def count(self, channels: int) -> int:
        """How many features there are."""

    def evaluate(self, weights: Mapping[str, Any], alpha: Any, sigma_sq: Any) -> list[Any]:
        """The features, each of the shape of ``alpha``."""


def feature_set(architecture: Architecture) -> FeatureSet:
    """The features that an architecture names."""
    name, steps = architecture.time_features, architecture.time_steps
    if name in METHODS:
        return FirstOrder(name, steps)
    if name == "preconditioned":
        return InverseSymbolFeatures(steps, architecture.time_terms)
    if name == "paper":
        return TokenFeatures()
    if name == "spectral":
        return EigenmodeFeatures(baseline=architecture.time_terms > 0)
    raise ArgumentError(
        "architecture.time_features", name, "is unknown", "use a method of this library"
    )
