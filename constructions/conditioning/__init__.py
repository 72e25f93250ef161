"""How the diffusion time enters a model."""

from constructions.conditioning.exact import (
    PER_STEP,
    feature_index,
    feature_names,
    time_features,
)

__all__ = ["PER_STEP", "feature_index", "feature_names", "time_features"]
