"""How the diffusion time enters a model."""

from constructions.conditioning.exact import feature_index, feature_names, time_features

__all__ = ["feature_index", "feature_names", "time_features"]
