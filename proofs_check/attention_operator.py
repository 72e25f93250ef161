"""The attention of one saved block that carries ``Gamma``, as an operator in balls.

Scores depend on positions alone, so the heads apply a fixed matrix: on sequences (frames,
channels) it is ``sum_h P_h kron (V O_h)``, with ``P_h`` the pattern of head ``h``, ``V`` the value
map and ``O_h`` the output map. The ideal is ``Gamma~ kron W`` for a given channel map ``W``. With
``O_h = c_h I + rest_h`` the distance is at most

    ||sum_h c_h P_h - Gamma~|| ||V|| + ||Gamma~|| ||V - W|| + sum_h ||P_h|| ||V|| ||rest_h||.

Heads of linear attention share one output map, and their patterns are Toeplitz.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat

from proofs_check.arithmetic import growth, largest_factor, roundings, schur
from proofs_check.balls import ball_matrix, frobenius, round_up
from proofs_check.carried import carried_autocov
from proofs_check.certificate import CertificateError
from proofs_check.exponential_sums import doubled
from proofs_check.irregular import carried_table
from proofs_check.saved_model import SavedModel
from proofs_check.score_heads import ScoreHeads, ball_sum, schur_norm
from proofs_check.sinusoids import cosine_columns, feature_roundings, spread
from unroll.rounding import unit_roundoff

__all__ = ["AttentionOperator", "AttentionReading", "check_route"]

# Sums of fewer than 10^5 positive floats, and conversions of balls to floats.
_FLOAT_EVALUATION = 1 + 1e-10


@dataclass(frozen=True)
class AttentionReading:
    """How far attention is from ideal, before its gate.

    Attributes
    ----------
    patterns, value, output
        The three parts of ``||realised - ideal||``.
    frame
        Query frame whose row of the summed patterns is worst.
    rounding
        ``||fl(attention) - attention||`` in units of the unit roundoff.
    """

    patterns: arb
    value: arb
    output: arb
    frame: int
    rounding: float


class AttentionOperator:
    """The attention of the blocks of one model; equal blocks are worked out once.

    Parameters
    ----------
    gamma
        The kernel's ``gamma(0), ..., gamma(frames - 1)``; unused at irregular frame times.
    channel_map
        ``W``, what values are multiplied by.
    """

    def __init__(self, model: SavedModel, gamma: list[arb], channel_map: arb_mat) -> None:
        self.model, self.plan = model, model.plan
        self.unit = unit_roundoff(model.plan.dtype)
        assert self.plan.lowering is not None
        self.frames, self.channel_map = self.plan.gp.frames, channel_map
        if self.plan.gp.frame_times is None:
            self.gamma = carried_autocov(self.plan.lowering, gamma)
            self.norm = doubled(self.gamma)
        else:
            self.table = carried_table(self.plan.gp, self.plan.lowering)
            self.norm = schur_norm(self.table)
        self._read: dict[bytes, AttentionReading] = {}

    def read(self, k: int, current: str, target: str) -> AttentionReading:
        """The distance of a block's attention from ``Gamma~ kron W``.

        Its values must come from ``current`` alone and be written to ``target`` alone.
        """
        w = self.model.block(k)
        check_route(self.model, k, {current}, target)
        value = w["attention.value"][self.model.channels[current]]
        output = w["attention.output"][..., self.model.channels[target]]
        names = [n for n in sorted(w) if n.startswith("attention.")]
        key = b"".join(w[n].tobytes() for n in names if n != "attention.output")
        key += output.tobytes()
        if key not in self._read:
            score = self.model.attention_shape(k)["score"]
            with np.errstate(over="ignore", invalid="ignore"):  # absurd weights: infinite bounds
                if score == "linear":
                    self._read[key] = self._linear(w, value, output)
                else:
                    heads = ScoreHeads(self.model, w, score)
                    self._read[key] = self._work_out(heads, value, output)
        return self._read[key]

    def _work_out(
        self, heads: ScoreHeads, value: np.ndarray, output: np.ndarray
    ) -> AttentionReading:
        n, channels = self.frames, output.shape[2]
        v = frobenius(ball_matrix(value))
        total = [[arb(0)] * n for _ in range(n)]
        stray = arb(0)
        count = n + roundings(value) + roundings(output.reshape(-1, channels))
        rounding, peak = np.zeros((n, n)), 0.0
        for h, own in enumerate(output):
            head = heads.head(h)
            peak = max(peak, float(head.sizes.max()))
            factor, off = _scaled_identity(own)
            for row, more in zip(total, head.pattern, strict=True):
                for j in range(n):
                    row[j] += factor * more[j]
            if not off.is_zero():
                stray += schur_norm(head.pattern) * v * off
            size = round_up(abs(factor) + off)
            if size:
                rounding += size * (head.errors + count * head.sizes)
        difference = [[total[i][j] - self._ideal(i, j) for j in range(n)] for i in range(n)]
        lost = schur(rounding) * growth(count, self.unit)
        return AttentionReading(
            patterns=schur_norm(difference) * v,
            value=self._off_value(value),
            output=stray,
            frame=int(np.argmax([round_up(ball_sum(row)) for row in difference])),
            rounding=self._rounding(value, output, lost, max(1.0, peak) * n),
        )

    def _linear(
        self, w: dict[str, np.ndarray], value: np.ndarray, output: np.ndarray
    ) -> AttentionReading:
        n, turns = self.frames, w["attention.turns"]
        amplitude = w["attention.amplitude"].astype(np.float64)
        balls = [arb(float(a)) for a in amplitude]
        column, squares = cosine_columns(turns, [balls, [a * a for a in balls]], n)
        v = frobenius(ball_matrix(value))
        factor, off = _scaled_identity(output)
        features = feature_roundings(turns, n, self.unit)
        count: float = n + 2 * len(turns) + 1 + roundings(value) + roundings(output)
        count += 2 * math.sqrt(2) * features
        magnified = round_up(spread(amplitude, squares, n) * (abs(factor) + off))
        lost = magnified * count * growth(count, self.unit)
        return AttentionReading(
            patterns=doubled([factor * c - g for c, g in zip(column, self.gamma, strict=True)]) * v,
            value=self._off_value(value),
            output=doubled(column) * v * off,
            frame=n // 2,
            rounding=self._rounding(
                value, output, lost, n * max(1.0, float(np.abs(amplitude).sum()))
            ),
        )

    def _ideal(self, i: int, j: int) -> arb:
        """``Gamma~_ij``."""
        return self.gamma[abs(i - j)] if self.plan.gp.frame_times is None else self.table[i][j]

    def _off_value(self, value: np.ndarray) -> arb:
        off: arb = self.norm * frobenius(ball_matrix(value) - self.channel_map)
        return off

    def _rounding(self, value: np.ndarray, output: np.ndarray, lost: float, peak: float) -> float:
        """Rounding with the value map in front; infinite where numbers may overflow."""
        magnitude = float(np.linalg.norm(np.abs(value.astype(np.float64)), 2))
        factors = magnitude * peak, float(np.abs(output).sum())
        if not max(factors) < largest_factor(self.plan.dtype):
            return math.inf
        lost *= magnitude * _FLOAT_EVALUATION
        return math.inf if math.isnan(lost) else lost


def _scaled_identity(matrix: np.ndarray) -> tuple[arb, arb]:
    """``c`` and ``||matrix - c I||``."""
    factor = arb(float(matrix[0, 0]))
    return factor, frobenius(ball_matrix(matrix) - factor * ball_matrix(np.eye(len(matrix))))


def check_route(model: SavedModel, k: int, sources: set[str], target: str) -> None:
    """Values are read from the ``sources`` only, and written to the target only."""
    w = model.block(k)
    stray = w["attention.value"].copy()
    for name in sources:
        stray[model.channels[name]] = 0
    _none(model, np.asarray(stray.any(axis=1)), f"block {k}: attention.value reads {{}}")
    stray = w["attention.output"].copy()
    stray[..., model.channels[target]] = 0
    for head, own in enumerate(stray if stray.ndim == 3 else stray[None]):
        name = f" of head {head}" if stray.ndim == 3 else ""
        _none(
            model, np.asarray(own.any(axis=0)), f"block {k}: attention.output{name} writes to {{}}"
        )


def _none(model: SavedModel, stray: np.ndarray, message: str) -> None:
    if stray.any():
        name = model.channel_name(int(np.argmax(stray)))
        raise CertificateError(f"{message.format(name)}; the audit does not understand it")
