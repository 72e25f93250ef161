"""What training finds: networks that learn the score from sequences, baselines, and errors.

Everything is called as ``score = model(v, t)``: trained networks, hand-built models, exact laws.
"""

from constructions.learned.baselines import KINDS, constructed_from_fit, maximum_likelihood
from constructions.learned.dit import DiT
from constructions.learned.errors import (
    Estimate,
    GeneratedCovariance,
    generated,
    generated_covariance_error,
    girsanov,
    score_error,
)
from constructions.learned.network import ScoreNetwork
from constructions.learned.together import train_together
from constructions.learned.training import TrainConfig, Trained, denoising_loss, train
from constructions.learned.truth import GaussianLaw, Law, MixtureLaw
from constructions.learned.twin import fine_tunable, twin
from constructions.learned.unet import UNet1d

__all__ = [
    "KINDS",
    "DiT",
    "Estimate",
    "GaussianLaw",
    "GeneratedCovariance",
    "Law",
    "MixtureLaw",
    "ScoreNetwork",
    "TrainConfig",
    "Trained",
    "UNet1d",
    "constructed_from_fit",
    "denoising_loss",
    "fine_tunable",
    "generated",
    "generated_covariance_error",
    "girsanov",
    "maximum_likelihood",
    "score_error",
    "train",
    "train_together",
    "twin",
]
