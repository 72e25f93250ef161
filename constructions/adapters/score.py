"""A torch model as a score of numpy arrays, which is what samplers and exact laws take."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from constructions.modules import Transformer
from unroll.distribution import AffineScore
from unroll.validation import Array, instance, integer

__all__ = ["affine_score", "score_function"]

# What rounding may leave of "affine", relative: measured below 1e-5 and 1e-13.
_RTOL = {torch.float32: 1e-3, torch.float64: 1e-9}


def score_function(model: Transformer, batch: int = 256) -> Callable[[Array, float], Array]:
    """``score(v, t)`` for arrays v (n, frames, channels), `batch` sequences at a time."""
    instance("model", model, Transformer, "build or load one")
    integer("batch", batch, 1)

    def score(v: Array, t: float) -> Array:
        tensor = torch.as_tensor(v, dtype=model.embed.dtype, device=model.embed.device)
        with torch.no_grad():
            parts = [model(tensor[i : i + batch], t) for i in range(0, len(tensor), batch)]
        return np.asarray(torch.cat(parts).double().cpu().numpy())

    score.__qualname__ = type(model).__name__  # what messages call it
    return score


def affine_score(model: Transformer, *, batch: int = 256, remember: int = 4) -> AffineScore:
    """The affine maps of a model, one per diffusion time; see `unroll.distribution.AffineScore`.

    Raises
    ------
    ArgumentError
        When a map is asked for: the model is not affine in the sequence.
    """
    score = score_function(model, batch)
    shape = model.architecture
    rtol = _RTOL[model.embed.dtype]
    return AffineScore(score, shape.frames, shape.channels, rtol=rtol, remember=remember)
