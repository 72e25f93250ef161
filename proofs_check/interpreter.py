"""What a saved block computes, in ball arithmetic.

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

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_mat

from proofs_check.arithmetic import growth, largest_factor, roundings
from proofs_check.attention_operator import AttentionOperator
from proofs_check.balls import ball_matrix, frobenius
from proofs_check.certificate import CertificateError
from proofs_check.gate_bounds import ScaledGates
from proofs_check.gate_network import NetworkGates
from proofs_check.gates import Gate, Gates
from proofs_check.problem_sizes import ProblemSizes
from proofs_check.saved_model import POSITION_CHANNELS, SavedModel
from unroll.rounding import ACTIVATION_ROUNDINGS, unit_roundoff

__all__ = ["Interpreter", "Share"]


@dataclass(frozen=True)
class Share:
    """Part of a block's local error: at most ``factor`` times a norm.

    Attributes
    ----------
    tensor
        Whose doing it is: the start of a tensor's name, or ``"rounding in ..."``.
    of
        What the factor multiplies: ``"iterates"`` (the larger of the two), ``"inputs"`` (V),
        ``"mean"`` (M) or ``"score"`` (the exact score).
    factor
        A ball; only its upper end counts.
    """

    tensor: str
    of: str
    factor: arb


@dataclass(frozen=True)
class _Linear:
    """What the feed-forward layer does with one group of channels: the map ``U`` to the target."""

    norm: arb  # ||U||
    off: arb  # ||U - I||
    size: arb  # norm of the absolute values that add up to U


class Interpreter:
    """Ball arithmetic for the blocks of one saved model; equal blocks are worked out once."""

    def __init__(
        self,
        model: SavedModel,
        gamma: list[arb],
        sizes: ProblemSizes,
        gates: ScaledGates | None = None,
    ) -> None:
        self.model, self.plan, self.sizes = model, model.plan, sizes
        self.momentum = model.plan.method.has_momentum
        self.attention = AttentionOperator(model, gamma)
        self.gates = Gates(model) if gates is None else NetworkGates(model, gates)
        self.unit = unit_roundoff(model.plan.dtype)
        self.worst_frames: dict[int, int] = {}
        self._linear: dict[bytes, dict[str, _Linear]] = {}

    def shares(self, k: int) -> list[Share]:
        """What sets block ``k`` apart from the ideal step that computes iterate ``k + 1``."""
        w = self.model.block(k)
        current, target = self.model.iterate(k), self.model.iterate(k + 1)
        planned = self._planned(current, target)
        self._check_attention(k, w, current, target)
        self._check_modulation(k, w, {"attention_gate": {target}, "feed_forward_scale": {*planned}})
        found = self.attention.read(w, current, target)
        self.worst_frames[k] = found.frame
        listen = w["modulation.listen"]
        table = w["modulation.attention_gate"][:, self.model.channels[target]]
        gate = self.gates.compare(k, listen, table, {"eta*alpha_sq": -1})
        step = self.sizes.attention_gate  # eta alpha^2 is never larger
        reach = self.sizes.upper + found.patterns + found.value + found.output
        shares = [
            Share("attention patterns", "iterates", step * found.patterns),
            Share("attention.value", "iterates", step * found.value),
            Share("attention.output", "iterates", step * found.output),
            Share("modulation.attention_gate", "iterates", gate.deviation * reach),
        ]
        linear = self._feed_forward(k, w, target)
        scales: dict[str, Gate] = {}
        for name, features in planned.items():
            own = w["modulation.feed_forward_scale"][:, self.model.channels[name]]
            scale = scales[name] = self.gates.compare(k, listen, own, features)
            of = {"v": "inputs", "mean": "mean"}.get(name, "iterates")
            factor = scale.deviation * linear[name].norm
            shares.append(Share("modulation.feed_forward_scale", of, factor))
            if not linear[name].off.is_zero():
                factor = self.gates.largest(k, features) * linear[name].off
                shares.append(Share("feed_forward", of, factor))
        return [
            *shares,
            *self._attention_rounding(gate, found.rounding, reach),
            *self._feed_forward_rounding(w, scales, linear, current, target),
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

    # -- what a block may read and write ---------------------------------------------------------

    def _check_attention(self, k: int, w: dict[str, np.ndarray], current: str, target: str) -> None:
        """Values are read from the current iterate only, and written to the target only."""
        stray = w["attention.value"].copy()
        stray[self.model.channels[current]] = 0
        self._none(stray.any(axis=1), f"block {k}: attention.value reads {{}}")
        stray = w["attention.output"].copy()
        stray[:, :, self.model.channels[target]] = 0
        for head in np.flatnonzero(stray.any(axis=(1, 2))):
            where = f"block {k}: attention.output of head {head} writes to {{}}"
            self._none(stray[head].any(axis=0), where)

    def _check_modulation(
        self, k: int, w: dict[str, np.ndarray], used: dict[str, set[str]]
    ) -> None:
        """No gate on a channel where it has nothing to do: zero times infinity is no number."""
        for part, groups in used.items():
            stray = w[f"modulation.{part}"].copy()
            for name in groups:
                stray[:, self.model.channels[name]] = 0
            self._none(stray.any(axis=0), f"block {k}: modulation.{part} acts on {{}}")

    def _none(self, stray: Any, message: str) -> None:
        if stray.any():
            name = self.model.channel_name(int(np.argmax(stray)))
            raise CertificateError(f"{message.format(name)}; the audit does not understand it")

    def _feed_forward(self, k: int, w: dict[str, np.ndarray], target: str) -> dict[str, _Linear]:
        """Group that is read to its linear map.

        ``act(x) - act(-x) = x`` (lemma ``activation_pairs``): the second half of the units must
        mirror the first, without biases.
        """
        up, down = w["feed_forward.up"], w["feed_forward.down"]
        half = up.shape[1] // 2
        for name in ("up_bias", "down_bias"):
            if w[f"feed_forward.{name}"].any():
                raise CertificateError(
                    f"block {k}: feed_forward.{name} is not zero, the layer is not linear"
                )
        mirrored = (up[:, :half] == -up[:, half : 2 * half]).all(axis=0)
        mirrored &= (down[:half] == -down[half : 2 * half]).all(axis=1)
        if up.shape[1] % 2 or not mirrored.all():
            unit = int(np.argmin(mirrored)) if half else 0
            raise CertificateError(
                f"block {k}: feed_forward unit {unit} is not the mirror image of unit "
                f"{unit + half}, the layer is not linear"
            )
        key = up.tobytes() + down.tobytes() + target.encode()
        if key not in self._linear:
            self._linear[key] = self._linear_maps(k, up[:, :half], down[:half], target)
        return self._linear[key]

    def _linear_maps(
        self, k: int, up: np.ndarray, down: np.ndarray, target: str
    ) -> dict[str, _Linear]:
        product, size = (
            (ball_matrix(a) * ball_matrix(b)).tolist()
            for a, b in ((up, down), (np.abs(up), np.abs(down)))
        )
        channels = self.model.channels
        used = {name: s for name, s in channels.items() if name not in POSITION_CHANNELS}
        goal = channels[target]
        for i, row in enumerate(product):
            for j, entry in enumerate(row):
                inside = goal.start <= j < goal.stop
                known = any(s.start <= i < s.stop for s in used.values())
                if not (entry == 0 or (inside and known)):
                    raise CertificateError(
                        f"block {k}: feed_forward writes {self.model.channel_name(i)} to "
                        f"{self.model.channel_name(j)}; the audit does not understand it"
                    )
        maps = {}
        for name, group in used.items():
            part, total = (arb_mat([row[goal] for row in rows[group]]) for rows in (product, size))
            off = frobenius(part - ball_matrix(np.eye(part.nrows())))
            # ||U|| <= 1 + ||U - I||, and so for the absolute values
            excess = frobenius(total - ball_matrix(np.eye(part.nrows())))
            maps[name] = _Linear(1 + off, off, 1 + excess)
        return maps

    # -- rounding --------------------------------------------------------------------------------

    def _attention_rounding(self, gate: Gate, attention: float, reach: arb) -> list[Share]:
        """Attention itself, its gate, their product, and two additions into the stream."""
        size = self.sizes.attention_gate + gate.excess
        count = self.sizes.feature_roundings + gate.roundings + 1 + 2
        factor = size * (arb(attention) + count * reach) * self.unit * arb(growth(count, self.unit))
        return [Share("rounding in attention", "iterates", factor)]

    def _feed_forward_rounding(
        self,
        w: dict[str, np.ndarray],
        scales: dict[str, Gate],
        linear: dict[str, _Linear],
        current: str,
        target: str,
    ) -> list[Share]:
        """Scales, their products, both layers, and two additions into the stream."""
        up, down = w["feed_forward.up"], w["feed_forward.down"]
        # two units of a pair may add in different orders: their difference counts, too
        sizes = self.sizes
        layers: float = 1 + 3 * roundings(up) + roundings(down) + 2
        factors = (float(np.abs(part.astype(np.float64)).sum(axis=0).max()) for part in (up, down))
        if not max(factors) < largest_factor(self.plan.dtype):
            layers = math.inf
        activations = 2 * ACTIVATION_ROUNDINGS[self.plan.activation]
        count = sizes.feature_roundings + layers + activations

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
