"""Feed-forward layers whose hidden units cancel in pairs are linear, whatever the activation.

A pair with opposite weights, biases and outputs writes ``(act(z) - act(-z)) d = z d``: for ReLU
without a rounding, for GELU and SiLU up to a few. What has no partner stays an activation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from constructions.layers import FeedForward

__all__ = ["Reading", "read_feed_forward"]


@dataclass(frozen=True)
class Reading:
    """``x linear + constant + activation(x up + up_bias) down``, float64.

    Attributes
    ----------
    pairs_up, pairs_down
        Factors of the linear map, (D, pairs) and (pairs, D).
    constant
        (D,).
    up, up_bias, down
        The hidden units without a partner; None where there are none.
    activation
        Theirs.
    """

    pairs_up: Tensor
    pairs_down: Tensor
    constant: Tensor
    rest: tuple[Tensor, Tensor, Tensor] | None
    activation: nn.Module


def read_feed_forward(layer: FeedForward) -> Reading:
    """Match hidden units with their mirror images."""
    w = {name: p.detach().double() + 0.0 for name, p in layer.named_parameters()}  # no -0.0
    units = torch.cat([w["up"].T, w["up_bias"][:, None], w["down"]], dim=1).cpu().numpy()
    mirrored = -units + 0.0
    waiting: dict[bytes, list[int]] = {}
    pairs, silent = [], []
    for k, unit in enumerate(units):
        partners = waiting.get(mirrored[k].tobytes())
        if not w["down"][k].any():
            silent.append(k)
        elif partners:
            pairs.append((partners.pop(), k))
        else:
            waiting.setdefault(unit.tobytes(), []).append(k)
    matched = {k for pair in pairs for k in pair}
    left = [k for k in range(len(units)) if k not in matched and k not in silent]
    first = [k for k, _ in pairs]
    up, bias, down = w["up"], w["up_bias"], w["down"]
    rest = (up[:, left], bias[left], down[left]) if left else None
    constant = w["down_bias"] + bias[first] @ down[first]
    return Reading(up[:, first], down[first], constant, rest, layer.activation)
