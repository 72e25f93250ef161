"""What the feed-forward layer of a saved block does: one linear map for each group it reads.

``act(x) - act(-x) = x`` (lemma ``activation_pair``): the second half of the units must mirror the
first, without biases. Anything else is refused by name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat

from proofs_check.arithmetic import largest_factor, roundings
from proofs_check.balls import ball_matrix, frobenius
from proofs_check.certificate import CertificateError
from proofs_check.saved_model import POSITION_CHANNELS, SavedModel
from unroll.rounding import ACTIVATION_ROUNDINGS

__all__ = ["FeedForward", "LinearMap"]


@dataclass(frozen=True)
class LinearMap:
    """What the layer does with one group of channels: the map ``U`` to the target."""

    norm: arb  # ||U||
    off: arb  # ||U - I||
    size: arb  # norm of the absolute values that add up to U


class FeedForward:
    """The feed-forward layers of one saved model; equal layers are worked out once."""

    def __init__(self, model: SavedModel) -> None:
        self.model = model
        self._known: dict[bytes, dict[str, LinearMap]] = {}

    def read(self, k: int, target: str) -> dict[str, LinearMap]:
        """Group that is read to its linear map, for a layer that writes to ``target`` only."""
        w = self.model.block(k)
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
        if key not in self._known:
            self._known[key] = self._maps(k, up[:, :half], down[:half], target)
        return self._known[key]

    def _maps(self, k: int, up: np.ndarray, down: np.ndarray, target: str) -> dict[str, LinearMap]:
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
            maps[name] = LinearMap(1 + off, off, 1 + excess)
        return maps

    def roundings(self, k: int) -> float:
        """Roundings of a term on its way through both layers and two additions into the stream."""
        w = self.model.block(k)
        up, down = w["feed_forward.up"], w["feed_forward.down"]
        factors = (float(np.abs(part.astype(np.float64)).sum(axis=0).max()) for part in (up, down))
        if not max(factors) < largest_factor(self.model.plan.dtype):
            return math.inf
        # two units of a pair may add in different orders: their difference counts, too
        layers = 1 + 3 * roundings(up) + roundings(down) + 2
        return layers + 2 * ACTIVATION_ROUNDINGS[self.model.plan.activation]
