"""What a block's modulation does over the whole range of t, in balls.

A gate is linear in the time features that its block listens to. The planned gates have
coefficients 1 and -1 on features of the block's own step; anything else is compared with them
feature by feature, and the difference is bounded over ``[t_min, t_max]`` by subdivision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb

from proofs_check.arithmetic import roundings
from proofs_check.balls import maximum
from proofs_check.certificate import CertificateError
from proofs_check.saved_model import SavedModel
from proofs_check.time_features import time_features_of

__all__ = ["Gate", "Gates", "Planned", "check_unused"]

# How sharp a maximum over t need be: it is a bound in any case.
_GAP, _MOST_PIECES = 0.05, 256

Terms = Sequence[tuple[int, float]]
"""Feature number and coefficient."""

Planned = Mapping[str, int]
"""Feature name, ``"1"`` for the constant, to its coefficient."""


@dataclass(frozen=True)
class Gate:
    """The gates of some channels, compared with what they should be; the worst over them and t.

    Attributes
    ----------
    deviation
        ``|gate - planned gate|``.
    excess
        Sum of the absolute values of its terms, zero for the planned gate: how much may cancel.
    roundings
        How many roundings its sum commits.
    """

    deviation: arb
    excess: arb
    roundings: int


class Gates:
    """The gates of one saved model."""

    def __init__(self, model: SavedModel) -> None:
        self.model, self.plan = model, model.plan
        self.features = time_features_of(model)
        self._bounds: dict[tuple[bool, tuple[tuple[int, float], ...]], arb] = {}

    def compare(
        self,
        k: int,
        table: np.ndarray,
        planned: Planned | Sequence[Planned],
        step: int | None = None,
    ) -> Gate:
        """Compare the gates ``table`` (features, channels) of block ``k`` with the planned ones.

        ``planned`` is one gate for all channels, or one for each; ``step`` is the step whose
        features they are, by default ``k``.
        """
        step = k if step is None else step
        listen = self.model.block(k)["modulation.listen"]
        for q in listen[(listen < 0) | (listen >= self.features.count)]:
            raise CertificateError(f"block {k}: modulation.listen names time feature {q}, not one")
        gates = [planned] * table.shape[1] if isinstance(planned, Mapping) else planned
        own = np.array(self.features.own(step))[: len(listen)]
        deviation = excess = arb(0)
        seen = {
            (tuple(float(x) for x in heard), tuple(self._terms(step, gate)))
            for heard, gate in zip(table.T, gates, strict=True)
        }
        for heard, wanted in seen:
            column = np.zeros(len(own))
            for q, x in wanted:
                column[np.flatnonzero(own == q)] = x
            if np.array_equal(listen, own) and np.array_equal(heard, column):
                continue
            terms = [(int(q), x) for q, x in zip(listen, heard, strict=True) if x]
            deviation = deviation.max(self._bound([*terms, *((q, -x) for q, x in wanted)]))
            excess = excess.max(self._bound(terms, signed=False))
        return Gate(deviation, excess, roundings(table))

    def largest(self, planned: Planned, step: int) -> arb:
        """Largest ``|planned gate|`` of a step over t."""
        return self._bound(self._terms(step, planned))

    def _terms(self, step: int, planned: Planned) -> list[tuple[int, float]]:
        return [(self.features.number(n, step), float(x)) for n, x in planned.items()]

    def _bound(self, terms: Terms, *, signed: bool = True) -> arb:
        """Maximum over t of ``|sum_q x_q phi_q(t)|``, or of ``sum_q |x_q| |phi_q(t)|``."""
        key = signed, tuple(terms)
        if key not in self._bounds:
            # coefficients of one feature add up exactly here; balls of functions would not cancel
            coefficients: dict[int, arb] = {}
            for q, x in terms:
                coefficients[q] = coefficients.get(q, arb(0)) + (arb(x) if signed else abs(arb(x)))

            def value(t: arb) -> arb:
                parts = [x * self.features.value(q, t) for q, x in coefficients.items()]
                return abs(sum(parts, arb(0))) if signed else sum((abs(p) for p in parts), arb(0))

            low, high = self.plan.t_min, self.plan.t_max
            self._bounds[key] = maximum(value, low, high, _GAP, _MOST_PIECES)
        return self._bounds[key]


def check_unused(model: SavedModel, k: int, used: Mapping[str, set[str]]) -> None:
    """No gate on a channel where it has nothing to do: zero times infinity is no number."""
    for part, groups in used.items():
        stray = model.block(k)[f"modulation.{part}"].copy()
        for name in groups:
            stray[:, model.channels[name]] = 0
        acts = stray.any(axis=0)
        if acts.any():
            name = model.channel_name(int(np.argmax(acts)))
            raise CertificateError(
                f"block {k}: modulation.{part} acts on {name}; the audit does not understand it"
            )
