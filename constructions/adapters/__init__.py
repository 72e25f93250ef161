"""Hand-built models in the conventions of others: numpy scores, diffusers schedulers."""

from constructions.adapters.score import affine_score, score_function

__all__ = ["affine_score", "score_function"]
