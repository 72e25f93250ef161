"""The diffusion time as layers see it here: plain numbers where all sequences share it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from constructions.conditioning import COMMON, NetworkFeatures
from constructions.conditioning.inverse_symbol import InverseSymbolFeatures
from constructions.layers import TimeEmbedding, TimeState

__all__ = ["Moment", "TimeFeatures"]


@dataclass(frozen=True)
class Moment:
    """Everything in double precision.

    Attributes
    ----------
    features
        Time features: array (features,) for one diffusion time, tensor (M, features) for several.
    alpha_sq, sigma_sq
        ``alpha_t^2`` and ``sigma_t^2``: numbers, or tensors (M, 1, 1).
    memo
        What several blocks compute alike.
    """

    features: np.ndarray | Tensor
    alpha_sq: float | Tensor
    sigma_sq: float | Tensor
    memo: dict[int, Tensor] = field(default_factory=dict)

    @property
    def rows(self) -> int | None:
        """How many diffusion times there are; None for one that is a number."""
        return self.features.shape[0] if isinstance(self.features, Tensor) else None

    def table(self, like: Tensor) -> Tensor:
        """The features as a tensor (1 or M, features) in double precision, next to ``like``."""
        if isinstance(self.features, Tensor):
            return self.features
        return torch.as_tensor(self.features, device=like.device)[None]

    def state(self, batch: int, like: Tensor) -> TimeState:
        """The same for plain layers, for sequences like ``like``."""
        squares = (
            torch.as_tensor(x, dtype=torch.float64, device=like.device).reshape(-1).expand(batch)
            for x in (self.alpha_sq, self.sigma_sq)
        )
        return TimeState(self.table(like).to(like.dtype).expand(batch, -1), *squares)


class TimeFeatures:
    """What a `TimeEmbedding` computes, from the same lines but in fewer calls.

    Attributes
    ----------
    constant
        Index of the feature that is one at every diffusion time, if there is one.
    """

    def __init__(self, embedding: TimeEmbedding) -> None:
        self._set, self._activation = embedding.feature_set, embedding.activation
        self._tensors = {
            name: embedding.get_parameter(name).detach().double() for name in embedding.names
        }
        self._numbers: dict[str, Any] = {name: w.tolist() for name, w in self._tensors.items()}
        # most sets begin with it
        starts = {float(np.asarray(self.at(t).features)[0]) for t in (0.25, 0.5, 1.0)}
        self.constant = 0 if starts == {1.0} else None

    def at(self, t: float | Tensor) -> Moment:
        """One diffusion time as a number, or several (M,) as a tensor."""
        if isinstance(t, Tensor):
            t = t.double()
            alpha, sigma_sq = torch.exp(-t / 2), -torch.expm1(-t)
            features = torch.stack(self._evaluate(t, alpha, sigma_sq), dim=-1)
            return Moment(features, (alpha * alpha)[:, None, None], sigma_sq[:, None, None])
        root, noise = math.exp(-t / 2), -math.expm1(-t)
        return Moment(self._row(t, root, noise), root * root, noise)

    def _row(self, t: float, alpha: float, noise: float) -> np.ndarray:
        """The features of one diffusion time, (features,)."""
        if not isinstance(self._set, NetworkFeatures):
            try:
                row = np.array(self._set.evaluate(self._numbers, alpha, noise))
            except (ArithmeticError, ValueError):
                pass
            else:
                if row.dtype == np.float64:
                    return row
        # a network; or weights that no model has, for which tensors give NaN and numbers an error
        device = next(iter(self._tensors.values())).device if self._tensors else None
        moments = torch.tensor([[t], [alpha], [noise]], dtype=torch.float64, device=device)
        return torch.cat(self._evaluate(*moments)).cpu().numpy()

    def _evaluate(self, t: Tensor, alpha: Tensor, sigma_sq: Tensor) -> list[Tensor]:
        if isinstance(self._set, NetworkFeatures):
            return self._set.run(self._tensors, t, self._activation)
        if not isinstance(self._set, InverseSymbolFeatures):
            return self._set.evaluate(self._tensors, alpha, sigma_sq)
        # the step sizes of all steps in all channels are one series, its coefficients tables
        steps, mu = self._tensors["steps"], self._tensors["spatial"]
        stacked: dict[str, Any] = {
            "spatial": [mu[:, None]],
            "log_range": self._tensors["log_range"],
            "steps": [list(steps.T[:, :, None, None])],
        }
        series = InverseSymbolFeatures(1, steps.shape[1])
        *common, sizes = series.evaluate(stacked, alpha, sigma_sq)
        assert len(common) == len(COMMON)
        return [*common, *sizes.flatten(0, 1)]
