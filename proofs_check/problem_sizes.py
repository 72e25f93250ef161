"""Norms of everything in a model, in units of the exact score ``S = ||s||`` (root mean square).

With ``A = A_t``, ``m~ <= eig(A~) <= L~`` for the operator that the heads carry, and the lemmas
``iterate_sizes`` and ``step_bounds``, for every t in ``[t_min, t_max]``:

* ``||s_k|| <= (1 + delta_k)(1 + e_t / m~) S``, both factors largest at ``t_min``;
* ``||V - alpha M|| = sqrt(tr A) <= tr(A) / (N d) S``, because ``S >= N d / sqrt(tr A)``, and
  ``tr(A) / (N d) = 1 + alpha^2 (tr(Sigma) / d - 1) <= max(1, tr(Sigma) / d)``;
* ``eta alpha^2 <= step / U`` for eigenvalues of ``Gamma~ kron Sigma`` at most ``U``;
* ``eta ||V - alpha M|| <= step S`` and ``eta alpha ||M|| <= step mu S``, with
  ``mu^2 = ||M||^2 / (N d) / (exp(t) - 1 + tr(Sigma) / d)``, largest at ``t_min``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from flint import arb

from proofs_check.balls import ball_matrix, frobenius, round_up
from proofs_check.certificate import noisy
from proofs_check.gate_bounds import ScaledGates
from proofs_check.saved_model import SavedModel
from unroll.rounding import unit_roundoff

__all__ = ["ProblemSizes"]


@dataclass(frozen=True)
class ProblemSizes:
    """Sizes that hold for every t of the range, and what the embedding makes of V and M.

    Attributes
    ----------
    condition_number
        Of the operator that the heads carry, at ``t_min``.
    upper
        Largest eigenvalue of ``Gamma~ kron Sigma``.
    step
        ``eta`` times the largest eigenvalue of ``A~``.
    attention_gate
        ``eta alpha^2``.
    band
        ``e_t / m~``: what the heads leave out.
    inputs, mean
        ``||V||`` and ``||M||`` as the stream holds them.
    gated_input, gated_mean
        ``eta ||V||`` and ``eta alpha ||M||`` as the stream holds them.
    embed_error, mean_error
        ``eta ||V' - V||`` and ``eta alpha ||M' - M||`` for what the stream holds.
    feature_roundings
        Roundings of a time feature: some of float64, one of the model's precision.
    """

    condition_number: arb
    upper: arb
    step: float
    attention_gate: arb
    band: arb
    inputs: arb
    mean: arb
    gated_input: arb
    gated_mean: arb
    embed_error: arb
    mean_error: arb
    feature_roundings: float

    @classmethod
    def of(
        cls,
        model: SavedModel,
        band_error: arb,
        embed: arb,
        mean: arb,
        gates: ScaledGates | None = None,
    ) -> ProblemSizes:
        """Sizes for a model whose embedding is off by ``embed`` and whose mean is by ``mean``.

        Gates from a network, off by ``x``, make iterates and gated inputs larger by ``1 + x``.
        """
        plan = model.plan
        lower, upper = (arb(x) for x in model.spectrum)
        t = arb(plan.t_min)
        smallest, largest = noisy(t, lower, upper)
        step = plan.method.step_bound()
        gp = plan.gp
        entries = gp.frames * gp.channels
        variance = sum((arb(float(x)) for x in np.diag(gp.spatial_cov)), arb(0)) / gp.channels
        average = variance.max(arb(1))
        known = frobenius(ball_matrix(gp.mean)) / arb(entries).sqrt()
        stray = mean / arb(entries).sqrt()
        gain = step / (t.expm1() + variance).sqrt()
        kappa = largest / smallest if gates is None else gates.condition_number
        band = band_error / (t.expm1() + lower)
        u = unit_roundoff(plan.dtype)
        double = 64 + 8 * plan.t_max + 4 * math.sqrt(round_up(kappa))
        # 1 + a (lower - 1) loses digits only where lower is negative
        double *= round_up((t.expm1() + abs(lower)) / (t.expm1() + lower))
        features = 1 + double * unit_roundoff("float64") / u
        strayed, beside = gain * stray, arb(0)
        if gates is not None:
            features = 1.0  # the network's own rounding is part of x
            beside = step * gates.error  # eta |C alpha - E| ||M||
            strayed = step * gates.sizes[2] / gates.upper * stray * average.sqrt()
            step = round_up(step * (1 + gates.error))
            gain *= 1 + gates.error
            band += gates.error * (1 + band)
        return cls(
            condition_number=kappa,
            upper=upper,
            step=step,
            attention_gate=step / upper,
            band=band,
            inputs=(1 + embed) * (average + known * average.sqrt()),
            mean=(known + stray) * average.sqrt(),
            gated_input=(1 + embed) * (step + gain * known),
            gated_mean=gain * known + beside + strayed,
            embed_error=embed * (step + gain * known),
            mean_error=strayed,
            feature_roundings=features,
        )
