"""What the values of a block that reads ``V - alpha M`` of the embedding hold, in balls.

Errors are in units of the exact score, as a share of what reaches it through ``1 / m_t``, ``m_t``
the smallest eigenvalue of ``A_t``.
"""

from __future__ import annotations

import math

import numpy as np
from flint import arb, arb_mat

from proofs_check.arithmetic import growth, roundings
from proofs_check.balls import ball_matrix, frobenius
from proofs_check.ends import Ends
from proofs_check.gates import Gates
from proofs_check.saved_model import SavedModel
from proofs_check.share import Causes, charge
from proofs_check.spectral_sizes import Sizes
from unroll.rounding import unit_roundoff

__all__ = ["BlockInputs"]


class BlockInputs:
    """The values of one block."""

    def __init__(self, model: SavedModel, k: int, ends: Ends, sizes: Sizes, gates: Gates) -> None:
        self.model, self.k, self.ends, self.sizes, self.gates = model, k, ends, sizes, gates
        self.w, self.channels = model.block(k), model.channels
        self.unit = unit_roundoff(model.plan.dtype)
        self.groups = ["v", "mean"] if "mean" in self.channels else ["v"]

    def stored(self) -> Causes:
        """Errors of what the embedding holds of V and of the mean."""
        sizes, ends = self.sizes, self.ends
        count = 1 + roundings(self.model.tensors["embed"])  # V is rounded to its precision first
        return {
            "embed": ends.embed * sizes.inputs,
            "position (mean)": ends.mean * sizes.per_mean,
            "rounding in embed": self.lost(count) * (1 + ends.embed_size) * sizes.inputs,
        }

    def read(self) -> tuple[Causes, arb]:
        """Errors of what values read, and its size."""
        sizes, causes = self.sizes, self.stored()
        moved = sum(causes.values(), arb(0))
        for group in self.groups:
            part = ball_matrix(self.w["attention.value"][self.channels[group]])
            off = frobenius(part - ball_matrix(np.eye(part.nrows())))
            planned = {"1": 1} if group == "v" else {"alpha": -1}
            scale = self.gates.compare(self.k, self.table("attention_scale", group), planned)
            # where alpha M is wanted, a deviation counts against M
            factor = scale.deviation if group == "v" else scale.deviation * sizes.stretched
            count = roundings(self.w["attention.value"]) + scale.roundings + 4
            size = moved + (sizes.inputs if group == "v" else sizes.mean)
            spread = 1 + frobenius(abs_off(self.w["attention.value"][self.channels[group]]))
            lost = self.lost(count) * spread * (1 + scale.excess * sizes.stretched)
            charge(
                causes,
                {
                    "attention.value": off * (1 + factor) * size,
                    "modulation.attention_scale": factor * size,
                    "rounding in attention": lost * size,
                },
            )
        return causes, sizes.data + sum(causes.values(), arb(0))

    def table(self, part: str, group: str) -> np.ndarray:
        """The gates of a layer on a channel group."""
        return self.w[f"modulation.{part}"][:, self.channels[group]]

    def lost(self, count: float) -> arb:
        """Relative error of so many roundings."""
        factor = count * self.unit * growth(count, self.unit)
        return arb(math.nextafter(factor, math.inf)) if math.isfinite(factor) else arb("inf")


def abs_off(matrix: np.ndarray) -> arb_mat:
    """Absolute values, less the identity."""
    return ball_matrix(np.abs(matrix)) - ball_matrix(np.eye(len(matrix)))
