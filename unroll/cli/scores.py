"""A torch model as a score function of numpy arrays, which is what the samplers take."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from constructions import UnrolledTransformer

__all__ = ["model_iterates", "model_score"]

Array = NDArray[np.float64]


def model_score(model: UnrolledTransformer, batch: int = 256) -> Callable[[Array, float], Array]:
    """``score(v, t)`` for v (n, frames, channels), evaluated `batch` sequences at a time."""

    def score(v: Array, t: float) -> Array:
        with torch.no_grad():
            parts = [model(_tensor(model, v[i : i + batch]), t) for i in range(0, len(v), batch)]
        return np.asarray(torch.cat(parts).double().numpy())

    return score


def model_iterates(model: UnrolledTransformer) -> Callable[[Array, float], list[Array]]:
    """``iterates(v, t)``: the iterate after every block, first to last."""

    def iterates(v: Array, t: float) -> list[Array]:
        return [s.double().numpy() for s in model.iterates(_tensor(model, v), t)]

    return iterates


def _tensor(model: UnrolledTransformer, v: Array) -> torch.Tensor:
    return torch.as_tensor(v, dtype=model.embed.dtype, device=model.embed.device)
