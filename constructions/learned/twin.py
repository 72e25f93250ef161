r"""Hand-built models as networks to train: from random weights, or fine-tuned.

A *twin* has every tensor of a hand-built model, at random: maps are scaled by the square root of
what they add up (their fan-in), what blocks write to the stream also by the square root of the
number of blocks, biases are zero, and poles, which must stay positive, are drawn from the range of
the hand-made ones. What the model knows of the diffusion time stays: its features are functions
of ``t`` with known parameters and are not trained.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor

from constructions.build import build
from constructions.unrolled import UnrolledTransformer
from unroll.errors import ArgumentError
from unroll.plan import Plan
from unroll.validation import integer

__all__ = ["fine_tunable", "twin"]

_BIASES = ("_bias",)
_WRITING = ("attention.output", "feed_forward.down")


def fine_tunable(model: UnrolledTransformer) -> UnrolledTransformer:
    """A copy whose weights are trained from where they are.

    Parameters
    ----------
    model
        A built or loaded model.

    Notes
    -----
    Time features keep their parameters, and so do frequencies: both are exact.
    """
    if not isinstance(model, UnrolledTransformer):
        raise ArgumentError("model", model, "is not an UnrolledTransformer", "build or load one")
    trained = copy.deepcopy(model)
    for name, parameter in trained.named_parameters():
        fixed = name.startswith("time.") or name.endswith(".turns")
        parameter.requires_grad_(not fixed)
    return trained


def twin(
    source: Plan | UnrolledTransformer, *, seed: int, dtype: torch.dtype = torch.float32
) -> UnrolledTransformer:
    """The architecture of a hand-built model with random weights.

    Parameters
    ----------
    source
        A plan, or a model.
    seed
        Of the weights.
    dtype
        Of the weights; time features are computed in float64 whatever it is.
    """
    integer("seed", seed, 0)
    model = fine_tunable(build(source) if isinstance(source, Plan) else source)
    generator = torch.Generator().manual_seed(seed)
    depth = len(model.blocks)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and parameter.is_floating_point():
                parameter.copy_(_drawn(name, parameter, depth, generator))
    return _cast(model, dtype)


def _drawn(name: str, tensor: Tensor, depth: int, generator: torch.Generator) -> Tensor:
    if name.endswith(_BIASES) and not name.endswith("relative_bias"):
        return torch.zeros_like(tensor)
    if name.endswith(".poles"):
        low, high = float(tensor.min()), float(tensor.max())
        low = max(low, 1e-3 * high)
        spread = torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype)
        return low * (high / low) ** spread
    noise = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)
    fan_in = tensor.shape[-2] if tensor.ndim > 1 else 1
    scale = 1 / math.sqrt(fan_in)
    if name.endswith(("position", "position_end", "relative_bias", ".baseline")):
        scale = 1.0 if "position" in name else 0.1
    if name.endswith(_WRITING):
        scale /= math.sqrt(depth)
    if name.endswith(".amplitude"):
        scale = 1 / math.sqrt(len(tensor))
    return scale * noise


def _cast(model: UnrolledTransformer, dtype: torch.dtype) -> UnrolledTransformer:
    """Weights in another precision, time features as they are."""
    time = copy.deepcopy(model.time)
    cast: UnrolledTransformer = model.to(dtype)
    cast.time = time
    for parameter in cast.time.parameters():
        parameter.requires_grad_(False)
    return cast
