"""Exact laws of what samplers return, and how far they are from the data: no Monte Carlo.

The score of a Gaussian is affine, and so is the score of a transformer whose attention depends on
positions alone. A sampler driven by it maps Gaussian noise affinely: its output is Gaussian, and
mean and covariance follow by propagating the affine maps.
"""

from unroll.distribution.affine_score import AffineScore
from unroll.distribution.basis import EigenBasis, eigen_basis
from unroll.distribution.causes import Causes, split_causes
from unroll.distribution.divergences import (
    Relative,
    compare,
    covariance_error,
    kl_divergence,
    wasserstein,
)
from unroll.distribution.law import DenseLaw, EigenLaw, Law
from unroll.distribution.process import data_law, noisy_law, reverse_law
from unroll.distribution.propagation import sampler_law
from unroll.distribution.total_variation import TotalVariation, total_variation

__all__ = [
    "AffineScore",
    "Causes",
    "DenseLaw",
    "EigenBasis",
    "EigenLaw",
    "Law",
    "Relative",
    "TotalVariation",
    "compare",
    "covariance_error",
    "data_law",
    "eigen_basis",
    "kl_divergence",
    "noisy_law",
    "reverse_law",
    "sampler_law",
    "split_causes",
    "total_variation",
    "wasserstein",
]
