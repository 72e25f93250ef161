"""Time features of first-order iterations: what the gates of such a model are linear in.

Fu et al. (arXiv 2407.16134, section 4) hand the network ``phi(t) = (eta_t, alpha_t, alpha_t^2,
sigma_t^2)`` as input features. Here the feature vector is

    (1;  eta_k, eta_k alpha, eta_k alpha^2, eta_k sigma^2, beta_k  for every step k),

and a block *listens* to the constant and to the five features of its own step. The coefficients
come from the method, for a spectrum whose two ends are weights of the model. They are computed in
float64 whatever the model's precision: they cost nothing, and rounding them is then the only
error they add.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from unroll.methods import get_method

__all__ = ["PER_STEP", "FirstOrder", "feature_index", "feature_names", "time_features"]

PER_STEP = ("eta", "eta*alpha", "eta*alpha_sq", "eta*sigma_sq", "beta")


def time_features(
    method: str, steps: int, lower: Any, upper: Any, alpha: Any, sigma_sq: Any
) -> list[Any]:
    """The features in order, for numpy arrays and torch tensors alike.

    Parameters
    ----------
    method
        Name of the method whose coefficients are wanted.
    steps
        Number of steps with features of their own.
    lower, upper
        Ends of the spectrum of ``Gamma kron Sigma``, scalars.
    alpha, sigma_sq
        ``alpha_t`` and ``sigma_t^2``, arrays of one shape.

    Returns
    -------
    ``1 + 5 steps`` arrays of that shape.
    """
    solver = get_method(method)
    alpha_sq = alpha * alpha
    smallest, largest = alpha_sq * lower + sigma_sq, alpha_sq * upper + sigma_sq
    features = [0 * alpha + 1]
    for k in range(steps):
        eta = solver.step_size(k, smallest, largest)
        beta = solver.momentum(k, smallest, largest)
        features += [eta, eta * alpha, eta * alpha_sq, eta * sigma_sq, beta]
    return features


def feature_names(steps: int) -> list[str]:
    """One name per feature, such as ``"eta*alpha_sq[3]"``."""
    return ["1"] + [f"{name}[{k}]" for k in range(steps) for name in PER_STEP]


def feature_index(step: int) -> np.ndarray:
    """Where the constant and the features of one step stand, in the order ``1, *PER_STEP``."""
    first = 1 + len(PER_STEP) * step
    return np.array([0, *range(first, first + len(PER_STEP))])


class FirstOrder:
    """The features as a `constructions.conditioning.FeatureSet`: one weight, the spectrum."""

    def __init__(self, method: str, steps: int) -> None:
        self.method, self.steps = method, steps

    def shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        """Ends of the spectrum of ``Gamma kron Sigma``."""
        return {"spectrum": (2,)}

    def count(self, channels: int) -> int:
        """The constant and five per step."""
        return 1 + len(PER_STEP) * self.steps

    def evaluate(self, weights: Mapping[str, Any], alpha: Any, sigma_sq: Any) -> list[Any]:
        """The features at diffusion times given by ``alpha_t`` and ``sigma_t^2``."""
        lower, upper = weights["spectrum"]
        return time_features(self.method, self.steps, lower, upper, alpha, sigma_sq)
