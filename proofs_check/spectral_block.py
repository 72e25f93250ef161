"""What the one block of a spectral model computes, in ball arithmetic.

The ideal block writes, in the eigenbasis of ``Sigma``,

    s = -c b - U diag(g - c) U^T b,    b = v - alpha M,    g = 1 / (alpha^2 l_m mu_a + sigma^2),

with orthonormal columns ``U``, a common gate ``c`` where not all modes have a head, else 0. This
file encloses the distance of a saved block from it. Everything is in units of the exact score, as a
share of what reaches it through ``1 / m_t``, ``m_t`` the smallest eigenvalue of ``A_t``: gates are
never larger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat

from proofs_check.arithmetic import growth, largest_factor, roundings
from proofs_check.attention_operator import check_route
from proofs_check.balls import ball_matrix, frobenius, round_up
from proofs_check.ends import Ends
from proofs_check.feed_forward import FeedForward
from proofs_check.gates import Gates, check_unused
from proofs_check.saved_model import SavedModel
from proofs_check.temporal_basis import TemporalBasis
from unroll.rounding import unit_roundoff
from unroll.rounding_direct import GATE_ROUNDINGS

__all__ = ["Sizes", "SpectralBlock", "features"]


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
    noise
        ``e^t_min - 1``.
    largest
        At least ``m_t``.
    """

    data: arb
    mean: arb
    per_mean: arb
    noise: arb
    largest: arb

    @property
    def inputs(self) -> arb:
        """``||V||``."""
        return self.data + self.mean


def features(model: SavedModel, name: str) -> arb_mat:
    """Query or key features of the block, (frames, modes)."""
    picked = model.block(0)[f"attention.{name}"]
    return ball_matrix(model.tensors["position"]) * ball_matrix(picked)


class SpectralBlock:
    """Ball arithmetic for the block."""

    def __init__(self, model: SavedModel, ends: Ends, sizes: Sizes, frames: TemporalBasis) -> None:
        self.model, self.ends, self.sizes, self.frames = model, ends, sizes, frames
        self.w, self.channels = model.block(0), model.channels
        self.unit = unit_roundoff(model.plan.dtype)
        self.floor = "attention.baseline" in self.w
        self.groups = ["v", "mean"] if "mean" in self.channels else ["v"]
        used = {"attention_scale": {*self.groups}, "attention_gate": {"s"}}
        if self.floor:
            used["feed_forward_scale"] = {*self.groups}
        check_unused(model, 0, used)
        check_route(model, 0, {*self.groups}, "s")
        self.gates, self.feed_forward = Gates(model), FeedForward(model)
        self.reach = arb(2 if self.floor else 1)  # |g - c| <= g + c
        picked = self.w["attention.key"].copy()
        picked[self.channels["modes"]] -= np.eye(picked.shape[1], dtype=picked.dtype)
        self.vectors = "attention.key" if picked.any() else "position (modes)"
        """The tensor that is to blame for wrong eigenvectors."""

    def errors(self, poles: list[list[arb]], baseline: list[arb]) -> dict[str, arb]:
        """Cause to its share of the output's error, for what the block should gate by."""
        inputs, taken = self._inputs()
        operator = self._operator(poles, baseline)
        output = ball_matrix(self.w["attention.output"][:, self.channels["s"]])
        off = frobenius(output - ball_matrix(np.eye(output.nrows())))
        gate = self.gates.compare(0, self._table("attention_gate", "s"), {"1": 1})
        written = (1 + off) * (1 + gate.deviation)
        causes = {name: x * self.reach * written for name, x in inputs.items()}
        for name, x in operator.items():
            causes[name] = causes.get(name, arb(0)) + x * taken * written
        causes["attention.output"] = self.reach * taken * off * (1 + gate.deviation)
        causes["modulation.attention_gate"] = self.reach * taken * gate.deviation
        bent = 1 + sum(operator.values(), arb(0)) / self.reach
        causes["rounding in attention"] = self._attention_rounding(taken, bent * written)
        if self.floor:
            for name, x in self._layer().items():
                causes[name] = causes.get(name, arb(0)) + x
        return causes

    def _table(self, part: str, group: str) -> np.ndarray:
        return self.w[f"modulation.{part}"][:, self.channels[group]]

    def _inputs(self) -> tuple[dict[str, arb], arb]:
        """Errors of what values read, and its size."""
        sizes, ends = self.sizes, self.ends
        causes = {"embed": ends.embed * sizes.inputs}
        causes["position (mean)"] = ends.mean * sizes.per_mean
        embed = self.model.tensors["embed"][:, self.channels["v"]]
        count = 1 + roundings(embed)  # V is rounded to the model's precision first
        magnified = arb(max(1.0, float(np.linalg.norm(embed.astype(np.float64)))))
        causes["rounding in attention"] = self._lost(count) * magnified * sizes.inputs
        size = sum(causes.values(), sizes.inputs + sizes.mean)
        stretched = (arb(self.model.plan.t_max) / 2).exp()
        for group in self.groups:
            part = ball_matrix(self.w["attention.value"][self.channels[group]])
            off = frobenius(part - ball_matrix(np.eye(part.nrows())))
            planned = {"1": 1} if group == "v" else {"alpha": -1}
            scale = self.gates.compare(0, self._table("attention_scale", group), planned)
            # where alpha M is wanted, a deviation counts against M
            factor = scale.deviation if group == "v" else scale.deviation * stretched
            count = roundings(self.w["attention.value"]) + scale.roundings + 4
            for name, x in (
                ("attention.value", off * (1 + factor)),
                ("modulation.attention_scale", factor),
                ("rounding in attention", self._lost(count) * (1 + off) * (1 + scale.excess)),
            ):
                causes[name] = causes.get(name, arb(0)) + x * size
        return causes, sizes.data + sum(causes.values(), arb(0))

    def _operator(self, poles: list[list[arb]], baseline: list[arb]) -> dict[str, arb]:
        """Errors of ``U diag(g - c) U^T`` times ``m_t``."""
        w, skew = self.w, self.frames.skew
        query, key = (features(self.model, name) for name in ("query", "key"))
        causes = {self.vectors: skew * (2 + skew) * self.reach}
        off = frobenius(query - key)
        causes["attention.query"] = off * (1 + skew) * self.reach
        size = (1 + skew) * (1 + skew + off)
        amplitudes = [abs(arb(float(a)) + 1) for a in w["attention.amplitude"]]
        causes["attention.amplitude"] = max(amplitudes, key=float) * size * self.reach
        size *= 1 + max(amplitudes, key=float)
        table = w["attention.poles"]
        worst = arb(0)
        for row, wanted in zip(table, poles, strict=True):
            for pole, exact in zip(row, wanted, strict=True):
                worst = worst.max(self._moved(arb(float(pole)), exact))
        causes["attention.poles"] = worst * size
        if self.floor:
            pairs = zip(w["attention.baseline"], baseline, strict=True)
            moved = [self._moved(arb(float(pole)), exact) for pole, exact in pairs]
            causes["attention.baseline"] = max(moved, key=float) * size
        return causes

    def _moved(self, pole: arb, exact: arb) -> arb:
        """Relative change of a gate, whose denominator falls with t as ``alpha^2 (pole + n)``."""
        denominator = pole + self.sizes.noise
        return abs(pole - exact) / denominator if denominator > 0 else arb("inf")

    def _layer(self) -> dict[str, arb]:
        """Errors of the feed-forward layer that serves the modes without a head."""
        causes: dict[str, arb] = {}
        linear, sizes = self.feed_forward.read(0, "s"), self.sizes
        count = self.feed_forward.roundings(0) + GATE_ROUNDINGS * 2.0**-53 / self.unit + 3
        stretched = (arb(self.model.plan.t_max) / 2).exp()
        d = self.model.plan.gp.channels
        for group in self.groups:
            name, sign = ("gate", -1) if group == "v" else ("alpha*gate", 1)
            planned = [{f"{name}[{a}]": sign} for a in range(d)]
            scale = self.gates.compare(0, self._table("feed_forward_scale", group), planned)
            size = sizes.inputs if group == "v" else sizes.mean
            deviation = scale.deviation * sizes.largest
            excess = scale.excess * sizes.largest
            if group == "mean":
                deviation, excess = deviation * stretched, excess * stretched
            stored = self.ends.embed if group == "v" else arb(0)
            total = count + scale.roundings
            for cause, x in (
                ("modulation.feed_forward_scale", deviation * linear[group].norm),
                ("feed_forward", linear[group].off),
                ("embed", stored * (1 + deviation) * linear[group].norm),
                ("rounding in feed_forward", self._lost(total) * linear[group].size * (1 + excess)),
            ):
                causes[cause] = causes.get(cause, arb(0)) + x * size
        strayed = self.ends.mean * sizes.per_mean
        causes["position (mean)"] = strayed * (linear["mean"].norm if "mean" in linear else 1)
        return causes

    def _attention_rounding(self, taken: arb, bent: arb) -> arb:
        """Features, both sums, gates and amplitudes, output map, and two additions."""
        w = self.w
        position = np.abs(self.model.tensors["position"].astype(np.float64))
        query, key = (position @ np.abs(w[f"attention.{n}"]) for n in ("query", "key"))
        picked = sum(roundings(w[f"attention.{name}"]) for name in ("query", "key"))
        gates = 2 * (3 + GATE_ROUNDINGS * 2.0**-53 / self.unit)
        count = len(key) + key.shape[1] + picked + gates + roundings(w["attention.output"])
        count += roundings(w["modulation.attention_gate"]) + 6
        spread = arb(max(float(np.linalg.norm(query)), float(np.linalg.norm(key)), 1.0))
        factors = (w[f"attention.{name}"] for name in ("query", "key", "value", "output"))
        amplitude = float(np.abs(w["attention.amplitude"]).sum())
        largest = max(amplitude, *(float(np.abs(x).sum()) for x in factors))
        if not largest < largest_factor(self.model.plan.dtype):
            return arb("inf")
        lost: arb = self._lost(count) * spread * self.reach * taken * bent * (1 + 1e-10)
        return lost

    def _lost(self, count: float) -> arb:
        """Relative error of so many roundings."""
        factor = count * self.unit * growth(count, self.unit)
        return arb(math.nextafter(factor, math.inf)) if math.isfinite(factor) else arb("inf")

    def written(self, causes: dict[str, arb]) -> arb:
        """Size of the score found, in units of the exact one."""
        total: arb = 2 + sum((arb(round_up(x)) for x in causes.values()), arb(0))
        return total
