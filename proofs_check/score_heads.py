"""Softmax and ReLU heads of a saved block, in balls: pattern, magnitudes and rounding errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat

from proofs_check.arithmetic import logit_roundings, pattern_roundings, roundings
from proofs_check.balls import ball_matrix, round_up
from proofs_check.saved_model import SavedModel
from unroll.rounding import unit_roundoff

__all__ = ["Head", "Rows", "ScoreHeads", "ball_sum", "schur_norm"]

Rows = list[list[arb]]


@dataclass(frozen=True)
class Head:
    """One head's pattern on the frames, and its rounding errors in units of u."""

    pattern: Rows
    sizes: np.ndarray
    errors: np.ndarray


class ScoreHeads:
    """The heads of one block."""

    def __init__(self, model: SavedModel, w: dict[str, np.ndarray], score: str) -> None:
        self.model, self.w = model, w
        self.softmax, self.dtype = score == "softmax", model.plan.dtype
        self.unit = unit_roundoff(self.dtype)
        self.position = _positions(model)
        self.keys = _affine(self.position, w["attention.key"], w["attention.key_bias"])

    def head(self, h: int) -> Head:
        """Head number ``h``."""
        w, n = self.w, len(self.keys)
        query, bias = w["attention.query"][h], w["attention.query_bias"][h]
        queries = _affine(self.position, query, bias)
        logits = (arb_mat(queries) * arb_mat(self.keys).transpose()).tolist()

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
        bias = _bias(w, h, n)
        if bias is not None:
            logits = [
                [logit + arb(float(b)) for logit, b in zip(*rows, strict=True)]
                for rows in zip(logits, bias, strict=True)
            ]
            added = np.abs(bias)
        errors = logit_roundings(sizes, added, count + key_count, self.unit)

        if self.softmax and "attention.sink_key" in w:
            sink_keys = w["attention.sink_key"][h]  # (S, P)
            for sink_key in sink_keys:
                learned = [arb(float(x)) for x in sink_key]
                for row, q in zip(logits, queries, strict=True):
                    row.append(sum((a * b for a, b in zip(q, learned, strict=True)), arb(0)))
            sink_count = count + roundings(sink_keys.T)
            sink_sizes = query_size @ np.abs(sink_keys).T
            sink_errors = logit_roundings(sink_sizes, 0.0, sink_count, self.unit)
            errors = np.concatenate([errors, sink_errors], axis=1)
        pattern = [_softmax(row) if self.softmax else _relu(row) for row in logits]
        magnitudes = np.array([[float(x.abs_upper()) for x in row] for row in pattern])
        floats = np.array([[float(x) for x in row] for row in logits])
        found = pattern_roundings(
            floats, errors, magnitudes, softmax=self.softmax, dtype=self.dtype
        )
        return Head([row[:n] for row in pattern], magnitudes[:, :n], found[:, :n])


def _bias(w: dict[str, np.ndarray], h: int, n: int) -> np.ndarray | None:
    """What is added to the logits of one head, array (n, n)."""
    if "attention.pair_bias" in w:
        return np.asarray(w["attention.pair_bias"][h], dtype=np.float64)
    if "attention.relative_bias" in w:
        table = w["attention.relative_bias"][h].astype(np.float64)
        return np.asarray(table[np.arange(n) - np.arange(n)[:, None] + n - 1])
    return None


def schur_norm(rows: Rows) -> arb:
    """``sqrt(||.||_1 ||.||_inf)``, a bound of the spectral norm."""
    columns = zip(*rows, strict=True)
    largest = [max(round_up(ball_sum(line)) for line in lines) for lines in (rows, columns)]
    return (arb(largest[0]) * arb(largest[1])).sqrt()


def ball_sum(line: list[arb] | tuple[arb, ...]) -> arb:
    """Sum of absolute values."""
    return sum((abs(x) for x in line), arb(0))


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
