"""Time features and gates in balls: what a block's modulation does over the whole range of t.

A gate is linear in the time features that its block listens to. The planned gates have
coefficients 1 and -1 on the features of the block's own step; anything else is compared with them
feature by feature, and the difference is bounded over ``[t_min, t_max]`` by subdivision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb

from proofs_check.arithmetic import roundings
from proofs_check.balls import maximum
from proofs_check.certificate import CertificateError, noisy
from proofs_check.saved_model import TIME_FEATURES, SavedModel

__all__ = ["Gate", "Gates"]

# Place of each feature among those of a step; the constant stands before all steps.
_FEATURES = {"eta": 0, "eta*alpha": 1, "eta*alpha_sq": 2, "eta*sigma_sq": 3, "beta": 4}

# How sharp a maximum over t need be: it is a bound in any case.
_GAP, _MOST_PIECES = 0.05, 256

Terms = Sequence[tuple[int, float]]
"""Feature number and coefficient."""


@dataclass(frozen=True)
class Gate:
    """One gate, compared with what it should be; the worst over channels and t.

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
        self.plan = model.plan
        self.momentum = model.plan.method.has_momentum
        self.steps = int(model.architecture["time_steps"])
        self.lower, self.upper = (arb(float(x)) for x in model.tensors["time.spectrum"])
        self._bounds: dict[tuple[bool, tuple[tuple[int, float], ...]], arb] = {}

    def compare(
        self, k: int, listen: np.ndarray, table: np.ndarray, planned: Mapping[str, int]
    ) -> Gate:
        """Compare the gates ``table`` (features, channels) of block ``k`` with the planned one.

        ``planned`` maps feature names, ``"1"`` for the constant, to coefficients.
        """
        for q in listen[(listen < 0) | (listen > TIME_FEATURES * self.steps)]:
            raise CertificateError(f"block {k}: modulation.listen names time feature {q}, not one")
        wanted = self._terms(k, planned)
        own = np.array([0, *range(self._first(k), self._first(k) + TIME_FEATURES)])
        column = np.zeros(len(own))
        for q, x in wanted:
            column[np.flatnonzero(own == q)] = x
        deviation = excess = arb(0)
        for heard in {tuple(float(x) for x in c) for c in table.T}:
            if np.array_equal(listen, own) and np.array_equal(heard, column):
                continue
            terms = [(int(q), x) for q, x in zip(listen, heard, strict=True) if x]
            deviation = deviation.max(self._bound([*terms, *((q, -x) for q, x in wanted)]))
            excess = excess.max(self._bound(terms, signed=False))
        return Gate(deviation, excess, roundings(table))

    def largest(self, k: int, planned: Mapping[str, int]) -> arb:
        """Largest ``|planned gate|`` of block ``k`` over t."""
        return self._bound(self._terms(k, planned))

    def _first(self, k: int) -> int:
        """Number of the first feature that block ``k`` should listen to."""
        return 1 + TIME_FEATURES * (k if self.momentum else 0)

    def _terms(self, k: int, planned: Mapping[str, int]) -> list[tuple[int, float]]:
        first = self._first(k)
        return [(0 if n == "1" else first + _FEATURES[n], float(x)) for n, x in planned.items()]

    def _bound(self, terms: Terms, *, signed: bool = True) -> arb:
        """Maximum over t of ``|sum_q x_q phi_q(t)|``, or of ``sum_q |x_q| |phi_q(t)|``."""
        key = signed, tuple(terms)
        if key not in self._bounds:
            # coefficients of one feature add up exactly here; balls of functions would not cancel
            coefficients: dict[int, arb] = {}
            for q, x in terms:
                coefficients[q] = coefficients.get(q, arb(0)) + (arb(x) if signed else abs(arb(x)))

            def value(t: arb) -> arb:
                parts = [x * self.feature(q, t) for q, x in coefficients.items()]
                return abs(sum(parts, arb(0))) if signed else sum((abs(p) for p in parts), arb(0))

            low, high = self.plan.t_min, self.plan.t_max
            self._bounds[key] = maximum(value, low, high, _GAP, _MOST_PIECES)
        return self._bounds[key]

    def feature(self, q: int, t: arb) -> arb:
        """Time feature number ``q`` at ``t``, by the definition of the format."""
        if q == 0:
            return arb(1)
        step, place = divmod(q - 1, TIME_FEATURES)
        lower, upper = noisy(t, self.lower, self.upper)
        if self.momentum and step > 0:
            scale = (lower.sqrt() + upper.sqrt()) ** 2
            z2 = ((upper - lower) / scale) ** 2
            eta = 4 / scale * (1 + z2**step) / (1 + z2 ** (step + 1))
            beta = z2 * (1 + z2 ** (step - 1)) / (1 + z2 ** (step + 1))
        else:
            eta, beta = 2 / (lower + upper), arb(0)
        alpha_sq = (-t).exp()
        sigma_sq = -((-t).expm1())
        feature: arb = (eta, eta * alpha_sq.sqrt(), eta * alpha_sq, eta * sigma_sq, beta)[place]
        return feature
