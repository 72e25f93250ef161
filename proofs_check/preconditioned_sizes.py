"""Norms of everything in a preconditioned model, uniformly in t.

In units of ``alpha^2`` with ``n = e^t - 1`` the eigenvalues of ``A`` lie in ``[n + l, n + U]``.
Scores are in units of the exact one ``S``, residuals and inputs of ``(n + l) S``; all quotients are
largest at ``t_min``, because ``l`` is at most the mean variance ``v`` and the poles of gates are
taken for at most ``l``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from flint import arb

from proofs_check.balls import ball_matrix, frobenius
from proofs_check.saved_model import SavedModel

__all__ = ["PreconditionedSizes"]


@dataclass(frozen=True)
class PreconditionedSizes:
    """Sizes that hold for every t.

    Attributes
    ----------
    noise
        ``n`` at ``t_min``.
    smallest, largest
        ``n + l``, ``n + U`` there.
    over
        ``1 / m_t`` at most, without units of ``alpha^2``.
    data, mean, per_mean
        ``||V - alpha M||``, ``alpha ||M||`` and ``alpha`` times a unit of the mean.
    stretched
        ``1 / alpha``.
    """

    noise: arb
    smallest: arb
    largest: arb
    over: arb
    data: arb
    mean: arb
    per_mean: arb
    stretched: arb

    @classmethod
    def of(cls, model: SavedModel, lower: arb, upper: arb) -> PreconditionedSizes:
        """For an operator with eigenvalues in ``[lower, upper]``."""
        gp, plan = model.plan.gp, model.plan
        noise = arb(plan.t_min).expm1()
        smallest = noise + lower
        variance = sum((arb(float(x)) for x in np.diag(gp.spatial_cov)), arb(0)) / gp.channels
        per_mean = (noise + variance).sqrt() / smallest / math.sqrt(gp.frames * gp.channels)
        ends = (1 + (-arb(t)).exp() * (lower - 1) for t in (plan.t_min, plan.t_max))
        return cls(
            noise=noise,
            smallest=smallest,
            largest=noise + upper,
            over=1 / next(ends).min(next(ends)),
            data=((noise + variance) / smallest).max(arb(1)),
            mean=frobenius(ball_matrix(gp.mean)) * per_mean,
            per_mean=per_mean,
            stretched=(arb(plan.t_max) / 2).exp(),
        )

    @property
    def inputs(self) -> arb:
        """``||V||``."""
        return self.data + self.mean

    @property
    def root(self) -> arb:
        """``sqrt(L / m)``."""
        return (self.largest / self.smallest).sqrt()

    @property
    def noise_share(self) -> arb:
        """``sigma^2 / m_t`` at most."""
        share: arb = (self.noise / self.smallest).max(arb(1))
        return share

    def gain(self, pole: arb) -> arb:
        """``(n + l) / (n + p)`` for the smallest pole ``p`` of a gate."""
        bottom = pole.min(self.smallest - self.noise) + self.noise
        return self.smallest / bottom if bottom > 0 else arb("inf")
