"""What the blocks of a preconditioned model compute, in ball arithmetic.

A *residual* block should add ``alpha^2 Gamma~ s diag(mu) + sigma^2 s + v - alpha M`` to ``r``, a
*correction* block ``-eta_k P r`` to ``s`` and ``-r`` to ``r``. This file encloses the distance of
saved blocks from that, and of the computed from the exact result, as shares of local errors
(`proofs_check.preconditioned_propagation` says what they multiply).
"""

from __future__ import annotations

from flint import arb, arb_mat

from proofs_check.arithmetic import growth, roundings
from proofs_check.attention_operator import AttentionOperator, check_route
from proofs_check.correction_operator import CorrectionOperator
from proofs_check.ends import Ends
from proofs_check.feed_forward import FeedForward
from proofs_check.gates import Gate, Gates, check_unused
from proofs_check.preconditioned_sizes import PreconditionedSizes
from proofs_check.saved_model import SavedModel
from proofs_check.share import Share
from unroll.methods.partial_products import PartialProducts
from unroll.rounding import unit_roundoff
from unroll.rounding_preconditioned import series_roundings

__all__ = ["PreconditionedBlocks"]

_COMMON = 16.0  # roundings in float64 of alpha, alpha^2, sigma^2


class PreconditionedBlocks:
    """Ball arithmetic for the blocks of one saved model."""

    def __init__(
        self,
        model: SavedModel,
        gamma: list[arb],
        mu: list[arb],
        ends: Ends,
        sizes: PreconditionedSizes,
        products: PartialProducts,
    ) -> None:
        self.model, self.ends, self.sizes, self.products = model, ends, sizes, products
        self.channels, self.unit = model.channels, unit_roundoff(model.plan.dtype)
        d = len(mu)
        spatial = arb_mat([[mu[a] if a == b else 0 for b in range(d)] for a in range(d)])
        self.attention = AttentionOperator(model, gamma, spatial)
        design = model.plan.preconditioner
        assert design is not None
        self.correct = CorrectionOperator(model, mu, sizes.noise, design.symbol, design.period)
        self.gates, self.feed_forward = Gates(model), FeedForward(model)
        self.worst_frames: dict[int, int] = {}

    def residual(self, step: int) -> list[Share]:
        """Local errors of the residual of a step, over ``m_t``."""
        k, sizes = 2 * step, self.sizes
        planned = {"s": {"sigma_sq": 1}, "v": {"1": 1}}
        if "mean" in self.channels:
            planned["mean"] = {"alpha": -1}
        used = {"attention_gate": {"r"}, "feed_forward_scale": {*planned}}
        w = self.model.block(k)
        if "modulation.attention_scale" in w:
            used["attention_scale"] = {"s"}
        check_unused(self.model, k, used)
        found = self.attention.read(k, "s", "r")
        self.worst_frames[k] = found.frame
        gate = self._compare(k, "attention_gate", "r", {"alpha_sq": 1})
        share = 1 / sizes.smallest  # alpha^2 / m_t
        full = share + gate.excess * sizes.over
        reach = (sizes.largest - sizes.noise) + found.patterns + found.value + found.output
        shares = [
            Share("attention patterns", "iterates", share * found.patterns),
            Share("attention.value", "iterates", share * found.value),
            Share("attention.output", "iterates", share * found.output),
            Share("modulation.attention_gate", "iterates", gate.deviation * sizes.over * reach),
        ]
        count = 2 + _COMMON * 2.0**-53 / self.unit + gate.roundings + 3
        if "modulation.attention_scale" in w:
            read = self._compare(k, "attention_scale", "s", {"1": 1})
            shares.append(
                Share("modulation.attention_scale", "iterates", full * reach * read.deviation)
            )
            full, count = full * (1 + read.excess), count + read.roundings
        lost = full * (arb(found.rounding) * self.unit + self._lost(count) * reach)
        shares.append(Share("rounding in attention", "iterates", lost * (1 + self._lost(count))))
        return shares + self._sum(k, planned)

    def _sum(self, k: int, planned: dict[str, dict[str, int]]) -> list[Share]:
        """The feed-forward layer of a residual block, and what it reads of the embedding."""
        sizes, linear = self.sizes, self.feed_forward.read(k, "r")
        shares = []
        for group, features in planned.items():
            scale = self._compare(k, "feed_forward_scale", group, features)
            # what a planned scale and a deviation of it multiply, over m_t S
            full, unplanned, of = {
                "s": (sizes.noise_share, sizes.over, "iterates"),
                "v": (sizes.inputs, sizes.inputs, "score"),
                "mean": (sizes.mean, sizes.mean * sizes.stretched, "score"),
            }[group]
            norm, deviation = linear[group].norm, scale.deviation * unplanned
            total = full + scale.excess * unplanned
            count = 2 + _COMMON * 2.0**-53 / self.unit + scale.roundings
            count += self.feed_forward.roundings(k)
            shares += [
                Share("modulation.feed_forward_scale", of, deviation * norm),
                Share("feed_forward", of, full * linear[group].off),
                Share(
                    "rounding in feed_forward", of, self._lost(count) * linear[group].size * total
                ),
            ]
            if group == "v":
                embed = self.model.tensors["embed"]
                count = 1 + roundings(embed)  # V is rounded to the model's precision first
                size = 1 + self.ends.embed_size
                shares += [
                    Share("embed", of, self.ends.embed * norm * total),
                    Share("rounding in embed", of, self._lost(count) * size * norm * total),
                ]
            if group == "mean":
                moved = self.ends.mean * sizes.per_mean * (1 + scale.deviation * sizes.stretched)
                shares.append(Share("position (mean)", of, moved * norm))
        return shares

    def correction(self, step: int, spatial: arb) -> tuple[list[Share], list[Share]]:
        """Local errors of an iterate, and what is left of the residual.

        ``spatial`` is what wrong eigenvalues of ``Sigma`` in the time features move the step size
        by.
        """
        k, sizes, products = 2 * step + 1, self.sizes, self.products
        check_unused(
            self.model,
            k,
            {"attention_gate": {"s"}, "attention_scale": {"r"}, "feed_forward_scale": {"r"}},
        )
        check_route(self.model, k, {"r"}, "s")
        found = self.correct.read(k)
        d = self.model.plan.gp.channels
        planned = [{f"eta[{a}]": -1} for a in range(d)]
        gate = self._compare(k, "attention_gate", "s", planned, step)
        read = self._compare(k, "attention_scale", "r", {"1": 1}, step)
        eta = arb(float(products.step[step]))
        moved = gate.deviation + spatial
        size = eta + gate.excess + spatial
        gain = sizes.gain(found.smallest_pole)
        off = (found.turns + found.amplitude) * gain
        # h of the preconditioner found: its quadratic form has changed by so much at most
        h = arb(products.largest) * (1 + found.poles) + off * sizes.largest / sizes.smallest
        through = (gain * h).sqrt()
        taken = (1 + read.deviation) * (1 + found.value)
        written = taken * (1 + found.output)
        steps = self.model.tensors["time.steps"][step]
        ends = tuple(float(x) for x in self.model.tensors["time.log_range"])
        rough = series_roundings(steps, (ends[0], ends[1])) * 2.0**-53  # absolute
        gates = arb(rough) + (size * self._lost(gate.roundings + 3))
        stray = [
            Share("attention.turns", "residual", size * found.turns * gain * written),
            Share("attention.amplitude", "residual", size * found.amplitude * gain * written),
            Share("attention.output", "white", size * through * taken * found.output),
            Share("modulation.attention_gate", "white", gate.deviation * through * written),
            Share("time.spatial", "white", spatial * through * written),
            Share(
                "rounding in attention",
                "white",
                (size * found.after * found.features + gates) * through * written,
            ),
            Share("rounding in attention", "iterates", 4 * self._lost(1)),
            Share("attention.poles", "filtered white", (eta + moved) * h * found.poles * written),
            Share("attention.value", "filtered", size * through * found.value),
            Share(
                "modulation.attention_scale",
                "filtered",
                size * through * (1 + found.value) * read.deviation,
            ),
            Share(
                "rounding in attention",
                "filtered",
                size * through * written * found.before * found.features
                + size * through * written * self._lost(read.roundings + 1) * (1 + read.excess),
            ),
        ]
        return stray, self._clearing(k)

    def _clearing(self, k: int) -> list[Share]:
        """What the feed-forward layer of a correction block leaves of ``r``."""
        linear = self.feed_forward.read(k, "r")["r"]
        scale = self._compare(k, "feed_forward_scale", "r", {"1": -1})
        # and one for what is left, when the next residual is added to it
        count = 2 + scale.roundings + self.feed_forward.roundings(k)
        return [
            Share("modulation.feed_forward_scale", "residual", scale.deviation * linear.norm),
            Share("feed_forward", "residual", linear.off),
            Share(
                "rounding in feed_forward",
                "residual",
                self._lost(count) * linear.size * (1 + scale.excess),
            ),
        ]

    def _compare(
        self, k: int, part: str, group: str, planned: object, step: int | None = None
    ) -> Gate:
        table = self.model.block(k)[f"modulation.{part}"][:, self.channels[group]]
        return self.gates.compare(k, table, planned, k // 2 if step is None else step)  # type: ignore[arg-type]

    def _lost(self, count: float) -> arb:
        """Relative error of so many roundings."""
        lost: arb = arb(count) * self.unit * arb(growth(count, self.unit))
        return lost
