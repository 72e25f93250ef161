"""Norms of input and mean of a spectral model, uniformly in t."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from flint import arb

from proofs_check.balls import ball_matrix, frobenius
from proofs_check.saved_model import SavedModel

__all__ = ["Sizes"]


@dataclass(frozen=True)
class Sizes:
    """Norms over ``m_t S``, for every t.

    Attributes
    ----------
    data
        ``||V - alpha M||``.
    mean
        ``alpha ||M||``.
    per_mean
        ``alpha`` times a unit of the mean's norm.
    noise, smallest
        ``n = e^t - 1`` and ``m_t / alpha^2`` at ``t_min``.
    largest
        At least ``m_t``.
    stretched
        ``1 / alpha`` at most.
    """

    data: arb
    mean: arb
    per_mean: arb
    noise: arb
    smallest: arb
    largest: arb
    stretched: arb

    @property
    def inputs(self) -> arb:
        """``||V||``."""
        return self.data + self.mean

    @property
    def stretched_mean(self) -> arb:
        """``||M||`` without ``alpha``."""
        return self.mean * self.stretched

    @classmethod
    def of(cls, model: SavedModel, smallest: arb) -> Sizes:
        """Given a number below ``m_t / alpha^2`` at ``t_min``.

        ``||V - alpha M|| <= (tr(A) / (N d)) S`` and ``||M|| alpha sqrt(tr A) / (N d) S`` (lemma
        ``iterate_sizes``); over ``m_t`` both fall with t, or stay below 1.
        """
        gp, noise = model.plan.gp, arb(model.plan.t_min).expm1()
        variance = sum((arb(float(x)) for x in np.diag(gp.spatial_cov)), arb(0)) / gp.channels
        per_mean = (noise + variance).sqrt() / smallest / math.sqrt(gp.frames * gp.channels)
        return cls(
            data=((noise + variance) / smallest).max(arb(1)),
            mean=frobenius(ball_matrix(gp.mean)) * per_mean,
            per_mean=per_mean,
            noise=noise,
            smallest=smallest,
            largest=(smallest - noise).max(arb(1)),
            stretched=(arb(model.plan.t_max) / 2).exp(),
        )
