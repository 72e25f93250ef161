"""The attention of one saved block, as an operator in balls.

Scores depend on positions alone, so the heads apply a fixed matrix: on sequences (frames,
channels) it is ``sum_h P_h kron (V O_h)``, with ``P_h`` the pattern of head ``h``, ``V`` the value
map and ``O_h`` the output map. The ideal is ``Gamma~ kron Sigma``. With ``O_h = c_h I + rest_h``
the distance is at most

    ||sum_h c_h P_h - Gamma~|| ||V|| + ||Gamma~|| ||V - Sigma|| + sum_h ||P_h|| ||V|| ||rest_h||.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat

from proofs_check.arithmetic import (
    growth,
    largest_factor,
    logit_roundings,
    pattern_roundings,
    roundings,
    schur,
)
from proofs_check.balls import ball_matrix, frobenius, round_up
from proofs_check.carried import carried_autocov
from proofs_check.saved_model import SavedModel
from unroll.rounding import unit_roundoff

__all__ = ["AttentionOperator", "AttentionReading"]

Rows = list[list[arb]]

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


@dataclass(frozen=True)
class _Head:
    """One head's pattern on the frames, and its rounding errors in units of u."""

    pattern: Rows
    sizes: np.ndarray
    errors: np.ndarray


class AttentionOperator:
    """The attention of the blocks of one model; equal blocks are worked out once."""

    def __init__(self, model: SavedModel, gamma: list[arb]) -> None:
        self.model, self.plan = model, model.plan
        self.frames = model.plan.gp.frames
        self.softmax = model.kind["attention"]["score"] == "softmax"
        self.unit = unit_roundoff(model.plan.dtype)
        assert self.plan.lowering is not None
        self.gamma = carried_autocov(self.plan.lowering, gamma)
        self._read: dict[bytes, AttentionReading] = {}

    def read(self, w: dict[str, np.ndarray], current: str, target: str) -> AttentionReading:
        """The distance of a block's attention from ``Gamma~ kron Sigma``.

        Its values must come from ``current`` alone and be written to ``target`` alone.
        """
        value = w["attention.value"][self.model.channels[current]]
        output = w["attention.output"][:, :, self.model.channels[target]]
        names = [n for n in sorted(w) if n.startswith("attention.")]
        key = b"".join(w[n].tobytes() for n in names if n != "attention.output")
        key += output.tobytes()
        if key not in self._read:
            with np.errstate(over="ignore", invalid="ignore"):  # absurd weights: infinite bounds
                self._read[key] = self._work_out(w, value, output)
        return self._read[key]

    def _work_out(
        self, w: dict[str, np.ndarray], value: np.ndarray, output: np.ndarray
    ) -> AttentionReading:
        n, channels = self.frames, output.shape[2]
        position = _positions(self.model)
        keys = _affine(position, w["attention.key"], w["attention.key_bias"])
        v = frobenius(ball_matrix(value))
        total = [[arb(0)] * n for _ in range(n)]
        stray = arb(0)
        count = n + roundings(value) + roundings(output.reshape(-1, channels))
        rounding, peak = np.zeros((n, n)), 0.0
        for h, own in enumerate(output):
            head = self._head(w, h, position, keys)
            peak = max(peak, float(head.sizes.max()))
            factor = arb(float(own[0, 0]))
            rest = ball_matrix(own) - factor * ball_matrix(np.eye(channels))
            for row, more in zip(total, head.pattern, strict=True):
                for j in range(n):
                    row[j] += factor * more[j]
            off = frobenius(rest)
            if not off.is_zero():
                stray += schur_norm(head.pattern) * v * off
            size = round_up(abs(factor) + off)
            if size:
                rounding += size * (head.errors + count * head.sizes)
        difference = [[total[i][j] - self.gamma[abs(i - j)] for j in range(n)] for i in range(n)]
        ideal = 2 * sum((abs(g) for g in self.gamma[:n]), arb(0))
        spatial = ball_matrix(value) - ball_matrix(self.plan.gp.spatial_cov)
        magnitude = float(np.linalg.norm(np.abs(value.astype(np.float64)), 2))
        lost = magnitude * schur(rounding) * growth(count, self.unit) * _FLOAT_EVALUATION
        factors = magnitude * max(1.0, peak) * n, float(np.abs(output).sum())
        if not max(factors) < largest_factor(self.plan.dtype):
            lost = math.inf
        return AttentionReading(
            patterns=schur_norm(difference) * v,
            value=ideal * frobenius(spatial),
            output=stray,
            frame=int(np.argmax([round_up(_total(row)) for row in difference])),
            rounding=math.inf if math.isnan(lost) else lost,
        )

    def _head(self, w: dict[str, np.ndarray], h: int, position: arb_mat, keys: Rows) -> _Head:
        n = self.frames
        query, bias = w["attention.query"][h], w["attention.query_bias"][h]
        queries = _affine(position, query, bias)
        logits = (arb_mat(queries) * arb_mat(keys).transpose()).tolist()

        # magnitudes of the same sums, for their roundings
        p, summed = np.abs(self.model.tensors["position"].astype(np.float64)), 0
        if "position_end" in self.model.tensors:
            end = np.abs(self.model.tensors["position_end"][::-1].astype(np.float64))
            summed = int(((p != 0) & (end != 0)).any())  # the sum rounds where both are there
            p = p + end
        query_size = p @ np.abs(query) + np.abs(bias)
        key_size = p @ np.abs(w["attention.key"]) + np.abs(w["attention.key_bias"])
        count = query.shape[1] + roundings(query, bias) + summed
        key_count = roundings(w["attention.key"], w["attention.key_bias"]) + summed
        sizes, added = query_size @ key_size.T, np.zeros((n, n))
        if "attention.relative_bias" in w:
            table = w["attention.relative_bias"][h].astype(np.float64)
            balls = [arb(float(x)) for x in table]
            logits = [[logits[i][j] + balls[j - i + n - 1] for j in range(n)] for i in range(n)]
            added = np.abs(table)[np.arange(n) - np.arange(n)[:, None] + n - 1]
        errors = logit_roundings(sizes, added, count + key_count, self.unit)

        if self.softmax and "attention.sink_key" in w:
            sink_keys = w["attention.sink_key"][h]  # (S, P)
            for sink_key in sink_keys:
                learned = [arb(float(x)) for x in sink_key]
                for row, q in zip(logits, queries, strict=True):
                    row.append(
                        _total([a * b for a, b in zip(q, learned, strict=True)], signed=True)
                    )
            sink_count = count + roundings(sink_keys.T)
            sink_sizes = query_size @ np.abs(sink_keys).T
            sink_errors = logit_roundings(sink_sizes, 0.0, sink_count, self.unit)
            errors = np.concatenate([errors, sink_errors], axis=1)
        pattern = [_softmax(row) if self.softmax else _relu(row) for row in logits]
        magnitudes = np.array([[float(x.abs_upper()) for x in row] for row in pattern])
        floats = np.array([[float(x) for x in row] for row in logits])
        found = pattern_roundings(
            floats, errors, magnitudes, softmax=self.softmax, dtype=self.plan.dtype
        )
        return _Head([row[:n] for row in pattern], magnitudes[:, :n], found[:, :n])


def schur_norm(rows: Rows) -> arb:
    """``sqrt(||.||_1 ||.||_inf)``, a bound of the spectral norm."""
    columns = zip(*rows, strict=True)
    largest = [max(round_up(_total(line)) for line in lines) for lines in (rows, columns)]
    return (arb(largest[0]) * arb(largest[1])).sqrt()


def _total(line: list[arb] | tuple[arb, ...], *, signed: bool = False) -> arb:
    return sum(line if signed else (abs(x) for x in line), arb(0))


def _positions(model: SavedModel) -> arb_mat:
    """The position embedding, counted from both ends."""
    position = ball_matrix(model.tensors["position"])
    if "position_end" in model.tensors:
        position += ball_matrix(model.tensors["position_end"][::-1])
    return position


def _affine(position: arb_mat, weights: np.ndarray, bias: np.ndarray) -> Rows:
    product = (position * ball_matrix(weights)).tolist()
    return [[x + arb(float(b)) for x, b in zip(row, bias, strict=True)] for row in product]


def _softmax(logits: list[arb]) -> list[arb]:
    weights = [entry.exp() for entry in logits]
    normalizer = sum(weights, arb(0))
    return [x / normalizer for x in weights]


def _relu(logits: list[arb]) -> list[arb]:
    return [entry.max(arb(0)) for entry in logits]
