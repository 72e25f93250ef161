"""What the one block of a spectral model computes, in ball arithmetic.

The ideal block writes, in the eigenbasis of ``Sigma``,

    s = -c b - U diag(g - c) U^T b,    b = v - alpha M,    g = 1 / (alpha^2 l_m mu_a + sigma^2),

with orthonormal columns ``U``, a common gate ``c`` where not all modes have a head, else 0. This
file encloses the distance of a saved block from it. Everything is in units of the exact score, as a
share of what reaches it through ``1 / m_t``, ``m_t`` the smallest eigenvalue of ``A_t``: gates are
never larger.
"""

from __future__ import annotations

import numpy as np
from flint import arb, arb_mat

from proofs_check.arithmetic import largest_factor, roundings
from proofs_check.attention_operator import check_route
from proofs_check.balls import ball_matrix, frobenius, largest, round_up
from proofs_check.block_inputs import BlockInputs
from proofs_check.ends import Ends
from proofs_check.feed_forward import FeedForward
from proofs_check.gates import Gates, check_unused
from proofs_check.saved_model import SavedModel
from proofs_check.share import Causes, charge
from proofs_check.spectral_sizes import Sizes
from proofs_check.temporal_basis import TemporalBasis
from unroll.rounding import unit_roundoff
from unroll.rounding_direct import GATE_ROUNDINGS

__all__ = ["SpectralBlock", "features", "vectors_name"]


def vectors_name(model: SavedModel) -> str:
    """The tensor that is to blame for wrong eigenvectors: positions, or what picks them."""
    picked = model.block(0)["attention.key"].copy()
    picked[model.channels["modes"]] -= np.eye(picked.shape[1], dtype=picked.dtype)
    return "attention.key" if picked.any() else "position (modes)"


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
        self.gates, self.feed_forward = Gates(model), FeedForward(model)
        self.inputs = BlockInputs(model, 0, ends, sizes, self.gates)
        self.groups = self.inputs.groups
        used = {"attention_scale": {*self.groups}, "attention_gate": {"s"}}
        if self.floor:
            used["feed_forward_scale"] = {*self.groups}
        check_unused(model, 0, used)
        check_route(model, 0, {*self.groups}, "s")
        # the gate of the modes without a head, over 1 / m_t; and |g - c| <= g + c
        self.shared = largest([arb(0), *(self._relative(x) for x in self._baseline())])
        self.reach = 1 + self.shared
        self.vectors = vectors_name(model)

    def _baseline(self) -> list[arb]:
        """What the feed-forward layer and the heads take the other modes for."""
        arrays = (self.model.tensors.get("time.baseline"), self.w.get("attention.baseline"))
        return [arb(float(x)) for array in arrays if array is not None for x in array]

    def _relative(self, pole: arb) -> arb:
        """A gate over ``1 / m_t``: largest at ``t_min`` or below 1."""
        bottom = pole + self.sizes.noise
        return (self.sizes.smallest / bottom).max(arb(1)) if bottom > 0 else arb("inf")

    def errors(self, poles: list[list[arb]], baseline: list[arb]) -> Causes:
        """Cause to its share of the output's error, for what the block should gate by."""
        inputs, taken = self.inputs.read()
        operator = self._operator(poles, baseline)
        output = ball_matrix(self.w["attention.output"][:, self.channels["s"]])
        off = frobenius(output - ball_matrix(np.eye(output.nrows())))
        gate = self.gates.compare(0, self.inputs.table("attention_gate", "s"), {"1": 1})
        written = (1 + off) * (1 + gate.deviation)
        causes: Causes = {}
        charge(causes, {name: x * self.reach * written for name, x in inputs.items()})
        charge(causes, {name: x * taken * written for name, x in operator.items()})
        charge(causes, {"attention.output": self.reach * taken * off * (1 + gate.deviation)})
        charge(causes, {"modulation.attention_gate": self.reach * taken * gate.deviation})
        bent = (1 + sum(operator.values(), arb(0)) / self.reach) * written
        charge(causes, {"rounding in attention": self._attention_rounding(taken, bent)})
        if self.floor:
            charge(causes, self._layer())
        return causes

    def _operator(self, poles: list[list[arb]], baseline: list[arb]) -> dict[str, arb]:
        """Errors of ``U diag(g - c) U^T`` times ``m_t``."""
        w, skew = self.w, self.frames.skew
        query, key = (features(self.model, name) for name in ("query", "key"))
        causes = {self.vectors: skew * (2 + skew) * self.reach}
        off = frobenius(query - key)
        causes["attention.query"] = off * (1 + skew) * self.reach
        size = (1 + skew) * (1 + skew + off)
        amplitudes = [abs(arb(float(a)) + 1) for a in w["attention.amplitude"]]
        causes["attention.amplitude"] = largest(amplitudes) * size * self.reach
        size *= 1 + largest(amplitudes)
        table = w["attention.poles"]
        worst = arb(0)
        for row, wanted in zip(table, poles, strict=True):
            for pole, exact in zip(row, wanted, strict=True):
                worst = worst.max(self._moved(arb(float(pole)), exact))
        causes["attention.poles"] = worst * size
        if self.floor:
            pairs = zip(w["attention.baseline"], baseline, strict=True)
            moved = [self._moved(arb(float(pole)), exact) for pole, exact in pairs]
            causes["attention.baseline"] = largest(moved) * size
        return causes

    def _moved(self, pole: arb, exact: arb) -> arb:
        """Relative change of a gate, whose denominator falls with t as ``alpha^2 (pole + n)``."""
        denominator = pole + self.sizes.noise
        return abs(pole - exact) / denominator if denominator > 0 else arb("inf")

    def _layer(self) -> Causes:
        """Errors of the feed-forward layer that serves the modes without a head."""
        causes: Causes = {}
        linear, sizes = self.feed_forward.read(0, "s"), self.sizes
        count = self.feed_forward.roundings(0) + GATE_ROUNDINGS * 2.0**-53 / self.unit + 3
        for group in self.groups:
            name, sign = ("gate", -1) if group == "v" else ("alpha*gate", 1)
            channels = range(self.model.plan.gp.channels)
            planned = [{f"{name}[{a}]": sign} for a in channels]
            scale = self.gates.compare(0, self.inputs.table("feed_forward_scale", group), planned)
            # a deviation multiplies V, or M without alpha, and is no share of 1 / m_t
            full, raw = (
                (sizes.inputs, sizes.inputs) if group == "v" else (sizes.mean, sizes.stretched_mean)
            )
            off, excess = scale.deviation * sizes.largest, scale.excess * sizes.largest
            full *= self.shared
            total = full + excess * raw
            lost = self.inputs.lost(count + scale.roundings)
            grown = linear[group].norm * (1 + off * sizes.stretched)
            own = {"v": ("embed", "rounding in embed"), "mean": ("position (mean)",)}[group]
            charge(
                causes,
                {
                    "modulation.feed_forward_scale": off * raw * linear[group].norm,
                    "feed_forward": linear[group].off * full,
                    "rounding in feed_forward": lost * linear[group].size * total,
                },
            )
            charge(causes, {cause: self.inputs.stored()[cause] * grown for cause in own})
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
        lost: arb = self.inputs.lost(count) * spread * self.reach * taken * bent * (1 + 1e-10)
        return lost

    def written(self, causes: dict[str, arb]) -> arb:
        """Size of the score found, in units of the exact one."""
        total: arb = 2 + sum((arb(round_up(x)) for x in causes.values()), arb(0))
        return total
