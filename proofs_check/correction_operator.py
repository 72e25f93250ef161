"""The attention of a correction block: the preconditioner as gated Fourier heads, in balls.

Head ``m`` should have the pattern ``w_m cos(2 pi m (i-j) / C)`` and, in channel ``a``, the gate
``1 / (alpha^2 f_m mu_a + sigma^2)``. What differs is measured in three parts:

* patterns: amplitudes and frequencies, as the norm of a Toeplitz matrix for each head;
* poles: a relative change of the gates, ``|pole - f mu| / (pole + n)`` with ``n = e^t - 1``, and so
  of the quadratic form of ``P``;
* value and output map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb

from proofs_check.arithmetic import growth, largest_factor, roundings
from proofs_check.balls import ball_matrix, frobenius
from proofs_check.exponential_sums import doubled
from proofs_check.saved_model import SavedModel
from proofs_check.sinusoids import feature_roundings
from unroll.rounding import unit_roundoff
from unroll.rounding_direct import GATE_ROUNDINGS

__all__ = ["CorrectionOperator", "CorrectionReading"]


@dataclass(frozen=True)
class CorrectionReading:
    """How far the heads are from the preconditioner.

    Attributes
    ----------
    turns, amplitude
        Norms of what they move patterns by, for gates of at most one.
    poles
        Relative change of the gates.
    value, output
        Distances of these maps from the identity.
    features
        ``||F||_F max |a|^{1/2}``.
    before, after
        Roundings, as a relative error in units of 1, of what the gates filter and of the rest.
    smallest_pole
        Of those found and those wanted.
    """

    turns: arb
    amplitude: arb
    poles: arb
    value: arb
    output: arb
    features: arb
    before: arb
    after: arb
    smallest_pole: arb


class CorrectionOperator:
    """The correction blocks of one model; equal blocks are worked out once."""

    def __init__(
        self,
        model: SavedModel,
        mu: list[arb],
        noise: arb,
        symbol: Sequence[float],
        period: int,
        source: str = "r",
        sign: int = 1,
    ) -> None:
        self.model, self.noise, self.source, self.sign = model, noise, source, sign
        self.unit = unit_roundoff(model.plan.dtype)
        self.period = period
        self.wanted = [[arb(f) * m for m in mu] for f in symbol]
        self._read: dict[bytes, CorrectionReading] = {}

    def read(self, k: int) -> CorrectionReading:
        """The heads of block ``k``, whose route is checked elsewhere."""
        w = self.model.block(k)
        key = b"".join(w[n].tobytes() for n in sorted(w) if n.startswith("attention."))
        if key not in self._read:
            with np.errstate(over="ignore", invalid="ignore"):  # absurd weights: infinite bounds
                self._read[key] = self._work_out(w)
        return self._read[key]

    def _work_out(self, w: dict[str, np.ndarray]) -> CorrectionReading:
        channels, n = self.model.channels, self.model.plan.gp.frames
        amplitude, turns = w["attention.amplitude"].astype(np.float64), w["attention.turns"]
        value = w["attention.value"][channels[self.source]]
        output = w["attention.output"][:, channels["s"]]
        poles, smallest = self._poles(w["attention.poles"])
        heads = int(np.count_nonzero(amplitude))
        features = arb(n * heads).sqrt() * arb(float(np.abs(amplitude).max())).sqrt()
        waves = math.sqrt(2) * feature_roundings(turns, n, self.unit)
        gate = 3 + GATE_ROUNDINGS * 2.0**-53 / self.unit
        before = n + waves + gate + roundings(w["attention.value"]) + 4
        after = 2 * heads + waves + roundings(w["attention.output"]) + 4
        identity = np.eye(len(value))
        sizes = [frobenius(ball_matrix(np.abs(x)) - ball_matrix(identity)) for x in (value, output)]
        sums = (
            float(np.abs(value).sum()),
            float(np.abs(output).sum()),
            float(np.abs(amplitude).sum()),
        )
        if not max(sums) < largest_factor(self.model.plan.dtype):
            before = math.inf
        lost = [arb(count * self.unit * growth(count, self.unit)) for count in (before, after)]
        magnified = (1 + sizes[0]) * (1 + sizes[1]) * (1 + 1e-9)
        return CorrectionReading(
            turns=self._turns(turns, amplitude),
            amplitude=n * self._amplitudes(amplitude),
            poles=poles,
            value=frobenius(ball_matrix(value) - ball_matrix(identity)),
            output=frobenius(ball_matrix(output) - ball_matrix(identity)),
            features=features,
            before=lost[0] * magnified,
            after=lost[1] * magnified,
            smallest_pole=smallest,
        )

    def _poles(self, table: np.ndarray) -> tuple[arb, arb]:
        worst, smallest = arb(0), self.wanted[0][0]
        for row, wanted in zip(table, self.wanted, strict=True):
            for pole, exact in zip(row, wanted, strict=True):
                found = arb(float(pole))
                smallest = smallest.min(found).min(exact)
                denominator = found + self.noise
                moved = abs(found - exact) / denominator if denominator > 0 else arb("inf")
                worst = worst.max(moved)
        return worst, smallest

    def _amplitudes(self, amplitude: np.ndarray) -> arb:
        """Sum of what amplitudes are off by: a wave is at most ``frames`` in norm."""
        total = arb(0)
        for m, a in enumerate(amplitude):
            single = m == 0 or 2 * m == self.period
            wanted = self.sign * arb(1 if single else 2) / self.period
            total += abs(arb(float(a)) - wanted)
        return total

    def _turns(self, turns: np.ndarray, amplitude: np.ndarray) -> arb:
        n, total = self.model.plan.gp.frames, arb(0)
        for m, (turn, a) in enumerate(zip(turns, amplitude, strict=True)):
            found, wanted = arb(float(turn)), arb(m) / self.period
            if (found - wanted) == 0:
                continue
            column = []
            for lag in range(n):
                both = ((2 * rate * lag).cos_pi() for rate in (found, wanted))
                column.append(next(both) - next(both))
            total += abs(arb(float(a))) * doubled(column)
        return total
