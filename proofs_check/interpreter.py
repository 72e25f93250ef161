"""What a block of a first-order model computes, in ball arithmetic.

A block is ``x -> x + gate(t) * attention(x) + feed_forward(scale(t) * x)``. With scores that depend
on positions alone it is linear in the iterates, the input and the mean; this file finds that
linear map and encloses its distance from the ideal step

    target += -eta alpha^2 Gamma~ current Sigma
              + (1 + beta - eta sigma^2) current - (1 + beta) previous - eta v + eta alpha M

(without the terms in ``1 + beta`` for methods without momentum), and the distance of the computed
from the exact result. Anything that is not of this form, such as a head that writes into another
channel, is refused by name.
"""

from __future__ import annotations

from flint import arb

from proofs_check.arithmetic import growth, roundings
from proofs_check.attention_operator import AttentionOperator
from proofs_check.balls import ball_matrix
from proofs_check.feed_forward import FeedForward, LinearMap
from proofs_check.gate_bounds import ScaledGates
from proofs_check.gate_network import NetworkGates
from proofs_check.gates import Gate, Gates, check_unused
from proofs_check.problem_sizes import ProblemSizes
from proofs_check.saved_model import SavedModel
from proofs_check.share import Share
from unroll.rounding import unit_roundoff

__all__ = ["Interpreter"]


class Interpreter:
    """Ball arithmetic for the blocks of one saved model."""

    def __init__(
        self,
        model: SavedModel,
        gamma: list[arb],
        sizes: ProblemSizes,
        network: ScaledGates | None = None,
    ) -> None:
        self.model, self.plan, self.sizes = model, model.plan, sizes
        self.momentum = model.plan.method.has_momentum
        spatial = ball_matrix(model.plan.gp.spatial_cov)
        self.attention = AttentionOperator(model, gamma, spatial)
        self.feed_forward = FeedForward(model)
        self.gates = Gates(model) if network is None else NetworkGates(model, network)
        self.unit = unit_roundoff(model.plan.dtype)
        self.worst_frames: dict[int, int] = {}

    def shares(self, k: int) -> list[Share]:
        """What sets block ``k`` apart from the ideal step that computes iterate ``k + 1``."""
        w, channels = self.model.block(k), self.model.channels
        current, target = self.model.iterate(k), self.model.iterate(k + 1)
        planned = self._planned(current, target)
        used = {"attention_gate": {target}, "feed_forward_scale": {*planned}}
        if "modulation.attention_scale" in w:
            used["attention_scale"] = {current}
        check_unused(self.model, k, used)
        found = self.attention.read(k, current, target)
        self.worst_frames[k] = found.frame
        table = w["modulation.attention_gate"][:, channels[target]]
        gate = self.gates.compare(k, table, {"eta*alpha_sq": -1})
        step = self.sizes.attention_gate  # eta alpha^2 is never larger
        reach = self.sizes.upper + found.patterns + found.value + found.output
        shares = [
            Share("attention patterns", "iterates", step * found.patterns),
            Share("attention.value", "iterates", step * found.value),
            Share("attention.output", "iterates", step * found.output),
            Share("modulation.attention_gate", "iterates", gate.deviation * reach),
        ]
        read: Gate | None = None
        if "modulation.attention_scale" in w:
            own = w["modulation.attention_scale"][:, channels[current]]
            read = self.gates.compare(k, own, {"1": 1})
            factor = (step + gate.deviation) * reach * read.deviation
            shares.append(Share("modulation.attention_scale", "iterates", factor))
        linear = self.feed_forward.read(k, target)
        scales: dict[str, Gate] = {}
        for name, features in planned.items():
            own = w["modulation.feed_forward_scale"][:, channels[name]]
            scale = scales[name] = self.gates.compare(k, own, features)
            of = {"v": "inputs", "mean": "mean"}.get(name, "iterates")
            factor = scale.deviation * linear[name].norm
            shares.append(Share("modulation.feed_forward_scale", of, factor))
            if not linear[name].off.is_zero():
                factor = self.gates.largest(features, k) * linear[name].off
                shares.append(Share("feed_forward", of, factor))
        return [
            *shares,
            *self._attention_rounding(gate, read, found.rounding, reach),
            *self._feed_forward_rounding(k, scales, linear, current, target),
        ]

    def _planned(self, current: str, target: str) -> dict[str, dict[str, int]]:
        """Group that is read to its scale, as coefficients of time features."""
        planned = {current: {"eta*sigma_sq": -1}, "v": {"eta": -1}}
        if self.momentum:
            planned[current] |= {"1": 1, "beta": 1}
            planned[target] = {"1": -1, "beta": -1}
        if self.plan.gp.has_mean:
            planned["mean"] = {"eta*alpha": 1}
        return planned

    # -- rounding --------------------------------------------------------------------------------

    def _attention_rounding(
        self, gate: Gate, read: Gate | None, attention: float, reach: arb
    ) -> list[Share]:
        """Attention itself, its gate, their product, and two additions into the stream."""
        size = self.sizes.attention_gate + gate.excess
        count: float = self.sizes.feature_roundings + gate.roundings + 1 + 2
        if read is not None:  # what values read is scaled by a constant first
            size *= 1 + read.excess
            count += read.roundings
        factor = size * (arb(attention) + count * reach) * self.unit * arb(growth(count, self.unit))
        return [Share("rounding in attention", "iterates", factor)]

    def _feed_forward_rounding(
        self,
        k: int,
        scales: dict[str, Gate],
        linear: dict[str, LinearMap],
        current: str,
        target: str,
    ) -> list[Share]:
        """Scales, their products, both layers, and two additions into the stream."""
        sizes = self.sizes
        count = sizes.feature_roundings + self.feed_forward.roundings(k)

        def share(name: str, of: str, planned: arb, extra: int = 0) -> list[Share]:
            total = count + scales[name].roundings + extra
            unit = total * self.unit * arb(growth(total, self.unit)) * linear[name].size
            own = {"v": "inputs", "mean": "mean"}.get(name, "iterates")
            return [
                Share("rounding in feed_forward", of, unit * planned),
                Share("rounding in feed_forward", own, unit * scales[name].excess),
            ]

        stream = Share("rounding in feed_forward", "iterates", arb(self.unit))  # old value
        # the planned scales are 1 + beta - eta sigma^2, -1 - beta, -eta and eta alpha
        shares = [stream]
        shares += share(current, "iterates", arb(sizes.step + (2 if self.momentum else 0)))
        if self.momentum:
            shares += share(target, "iterates", arb(2))
        # V is rounded to the model's precision, and by the embedding
        embedding = 1 + roundings(self.model.tensors["embed"])
        shares += share("v", "score", sizes.gated_input, embedding)
        if self.plan.gp.has_mean:
            shares += share("mean", "score", sizes.gated_mean)
        return shares
