"""What the two blocks of a boundary model compute, in ball arithmetic.

In the eigenbasis of ``Sigma``, for ``b = v - alpha M``, the first block writes ``-P b`` with gated
Fourier heads, the second adds ``-sum_h rho_h g_h v_h v_h^T b`` with rank-one heads whose vectors,
poles and amplitudes are what the weights say. This file encloses the distance of saved blocks from
that, as shares of the exact score; whether the sum is a good inverse is another question
(`proofs_check.boundary_rate`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import arb, arb_mat

from proofs_check.arithmetic import largest_factor, roundings
from proofs_check.attention_operator import check_route
from proofs_check.balls import ball_matrix, frobenius, smallest
from proofs_check.block_inputs import BlockInputs
from proofs_check.boundary_heads import BoundaryHeads
from proofs_check.certificate import CertificateError
from proofs_check.correction_operator import CorrectionOperator
from proofs_check.ends import Ends
from proofs_check.gates import Gates, check_unused
from proofs_check.saved_model import SavedModel
from proofs_check.share import Causes, charge
from proofs_check.spectral_sizes import Sizes
from unroll.rounding import unit_roundoff
from unroll.rounding_direct import GATE_ROUNDINGS

__all__ = ["BoundaryBlocks", "RankOne"]


class RankOne:
    """The rank-one heads that the second block holds.

    Attributes
    ----------
    ends, read
        Arrays (frames, rank) and (rank, heads).
    poles, amplitudes
        ``p_h``, for a spatial eigenvalue of 1, and ``rho_h``.
    """

    def __init__(self, model: SavedModel, mu: list[arb]) -> None:
        w, group = model.block(1), model.channels["ends"]
        for name in ("query", "key"):
            stray = w[f"attention.{name}"].copy()
            stray[group] = 0
            if stray.any():
                where = model.channel_name(int(np.argmax(stray.any(axis=1))))
                raise CertificateError(
                    f"block 1: attention.{name} reads {where}; the audit does not understand it"
                )
        self.ends = ball_matrix(model.tensors["position"][:, group])
        self.read = ball_matrix(w["attention.key"][group])
        # of the channel where a rounded product is closest to the number itself
        a = max(range(len(mu)), key=lambda i: float(mu[i]))
        self.poles = [arb((arb(float(row[a])) / mu[a]).mid()) for row in w["attention.poles"]]
        self.amplitudes = [-arb(float(x)) for x in w["attention.amplitude"]]


class BoundaryBlocks:
    """Ball arithmetic for both blocks of one saved model."""

    def __init__(
        self,
        model: SavedModel,
        circulant: tuple[int, Sequence[float]],
        mu: list[arb],
        ends: Ends,
        sizes: Sizes,
    ) -> None:
        self.model, self.mu, self.sizes = model, mu, sizes
        self.channels, self.unit = model.channels, unit_roundoff(model.plan.dtype)
        self.gates = Gates(model)
        self.inputs = [BlockInputs(model, k, ends, sizes, self.gates) for k in (0, 1)]
        period, symbol = circulant
        self.correct = CorrectionOperator(
            model, mu, sizes.noise, symbol, period, source="v", sign=-1
        )
        for k in (0, 1):
            groups = {*self.inputs[k].groups}
            check_unused(model, k, {"attention_scale": groups, "attention_gate": {"s"}})
            check_route(model, k, groups, "s")

    def circulant(self) -> Causes:
        """Cause to its share of the output's error, for the first block."""
        found, sizes = self.correct.read(0), self.sizes
        bottom = found.smallest_pole + sizes.noise
        gain = (sizes.smallest / bottom).max(arb(1)) if bottom > 0 else arb("inf")
        moved = {
            "attention.turns": found.turns * gain,
            "attention.amplitude": found.amplitude * gain,
            "attention.poles": found.poles * gain,
        }
        # ||F diag(a g)||, of which F diag(|a|) F^T is the identity, nearly
        filtered = found.features * gain * (1 + found.turns + found.amplitude)
        return self._causes(0, gain, moved, (found.before + found.after) * filtered, found.output)

    def rank_one(self, heads: BoundaryHeads) -> Causes:
        """The same for the second."""
        w, sizes = self.model.block(1), self.sizes
        group = self.channels["ends"]
        position = self.model.tensors["position"][:, group].astype(np.float64)
        query, key = (w[f"attention.{name}"][group] for name in ("query", "key"))
        off = _columns(ball_matrix(position) * ball_matrix(query - key))
        least = smallest(self.mu)
        poles = asked = reach = arb(0)
        for h, (p, rho, length) in enumerate(
            zip(heads.poles, heads.amplitudes, heads.lengths, strict=True)
        ):
            gate = abs(rho) * (sizes.smallest / (sizes.noise + p * least)).max(arb(1))
            change = arb(0)
            for pole, mu in zip(w["attention.poles"][h], self.mu, strict=True):
                bottom = arb(float(pole)) + sizes.noise
                moved = abs(arb(float(pole)) - p * mu) / bottom if bottom > 0 else arb("inf")
                change = change.max(moved)
            reach += gate * length
            poles += gate * length * change
            asked += gate * (1 + change) * off[h] * length.sqrt()
        grown = 1 + poles / reach if reach > 0 else arb(1)
        rounding = self._feature_rounding(heads, position, query, key) * grown
        output = w["attention.output"][:, self.channels["s"]]
        written = frobenius(ball_matrix(output) - ball_matrix(np.eye(len(output))))
        return self._causes(
            1, reach, {"attention.poles": poles, "attention.query": asked}, rounding, written
        )

    def _feature_rounding(
        self, heads: BoundaryHeads, position: np.ndarray, query: np.ndarray, key: np.ndarray
    ) -> arb:
        """Features, both sums, gates, amplitudes: absolute values of all that is summed count."""
        w, sizes = self.model.block(1), self.sizes
        factors = [w[f"attention.{name}"] for name in ("value", "output", "amplitude")]
        largest = max(float(np.abs(x).sum()) for x in (*factors, query, key, position))
        if not largest < largest_factor(self.model.plan.dtype):
            return arb("inf")
        lengths = [np.linalg.norm(np.abs(position) @ np.abs(x), axis=0) for x in (query, key)]
        least, total = smallest(self.mu), arb(0)
        for p, rho, size in zip(
            heads.poles, heads.amplitudes, lengths[0] * lengths[1], strict=True
        ):
            gate = (sizes.smallest / (sizes.noise + p * least)).max(arb(1))
            total += abs(rho) * gate * arb(float(size)) * (1 + 1e-10)
        count = sum(roundings(x) for x in (query, key, w["attention.output"]))
        count += sum(query.shape) + len(position)
        gates = 2 * (3 + GATE_ROUNDINGS * 2.0**-53 / self.unit)
        return total * self.inputs[1].lost(count + gates)

    def _causes(self, k: int, norm: arb, moved: Causes, rounding: arb, output: arb) -> Causes:
        """For attention whose norm should be ``norm``, over that of ``A^{-1}``."""
        inputs, taken = self.inputs[k].read()
        table = self.inputs[k].table("attention_gate", "s")
        gate = self.gates.compare(k, table, {"1": 1})
        written = (1 + output) * (1 + gate.deviation)
        whole = (norm + sum(moved.values(), arb(0))) * taken
        causes: Causes = {}
        charge(causes, {name: x * norm * written for name, x in inputs.items()})
        charge(causes, {name: x * taken * written for name, x in moved.items()})
        charge(causes, {"attention.output": whole * output * (1 + gate.deviation)})
        charge(causes, {"modulation.attention_gate": whole * gate.deviation})
        # the product with the gate, and two additions into the stream
        added = self.inputs[k].lost(roundings(table) + 6) * whole * (1 + gate.excess)
        charge(causes, {"rounding in attention": (rounding * taken + added) * written})
        return causes


def _columns(matrix: arb_mat) -> list[arb]:
    """At least the lengths of the columns."""
    return [
        sum((x.abs_upper() ** 2 for x in column), arb(0)).sqrt()
        for column in zip(*matrix.tolist(), strict=True)
    ]
