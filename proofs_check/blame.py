"""Say which block, and which entry of which tensor, a refused model owes its error to."""

from __future__ import annotations

import numpy as np
from flint import arb

from proofs_check.balls import round_up
from proofs_check.saved_model import SavedModel

__all__ = ["blame"]

# Causes that belong to no block.
_WHOLE = (
    "embed",
    "position (mean)",
    "position (modes)",
    "readout",
    "time.spatial",
    "rounding in embed",
    "rounding in readout",
)

_TENSORS = {
    "attention patterns": (
        "attention.query",
        "attention.query_bias",
        "attention.key",
        "attention.key_bias",
        "attention.relative_bias",
        "attention.sink_key",
        "attention.amplitude",
        "attention.turns",
        "attention.output",
    ),
    "rounding in attention": ("attention", "modulation.attention_gate"),
    "rounding in feed_forward": ("feed_forward", "modulation.feed_forward_scale"),
}
"""Cause to the starts of the names of the tensors behind it, where that is not the cause itself."""


def blame(model: SavedModel, arrived: list[dict[str, arb]], frames: dict[int, int]) -> str:
    """A sentence that names the largest cause.

    Parameters
    ----------
    arrived
        For each block, cause to its share of the output's error.
    frames
        Block to the query frame whose attention is worst.
    """
    shares = [{cause: round_up(x) for cause, x in causes.items()} for causes in arrived]
    totals: dict[str, float] = {}
    for causes in shares:
        for cause, share in causes.items():
            totals[cause] = totals.get(cause, 0.0) + share
    worst = max(totals, key=lambda cause: totals[cause])
    if worst in _WHOLE:
        return f"most of it from {worst}"
    k = max(range(len(shares)), key=lambda j: shares[j].get(worst, 0.0))
    starts = _TENSORS.get(worst, (worst,))
    where = f" of frame {frames[k]}" if worst == "attention patterns" else ""
    return f"most of it from block {k}, {worst}{where}{_odd_one_out(model, k, starts)}"


def _odd_one_out(model: SavedModel, k: int, starts: tuple[str, ...]) -> str:
    """The first entry that sets a block apart from the others of its kind, if any does."""
    stride = model.stride
    siblings = [model.block(j) for j in range(k % stride, model.depth, stride) if j != k]
    own = model.block(k)
    if siblings:
        for name, array in own.items():
            if not name.startswith(starts) or any(
                np.array_equal(array, other[name]) for other in siblings
            ):
                continue
            usual = siblings[len(siblings) // 2][name]
            index = tuple(int(i) for i in np.argwhere(array != usual)[0])
            return (
                f": {name}{list(index)} is {array[index]:.9g}, in its siblings {usual[index]:.9g}"
                f"{_reading(model, name, index)}"
            )
    step = model.heard_step(k)
    if step is not None and step != k // (model.depth // model.plan.depth):
        return f": it listens to the time features of step {step}"
    return ""


def _reading(model: SavedModel, name: str, index: tuple[int, ...]) -> str:
    """Which head and channel an entry belongs to."""
    if len(index) == 3 and name in ("attention.query", "attention.output"):
        channel = index[1] if name == "attention.query" else index[2]
        return f" (head {index[0]}, channel {model.channel_name(channel)})"
    if name in ("attention.value", "attention.key", "attention.query", "feed_forward.up"):
        return f" (channel {model.channel_name(index[0])})"
    if name.startswith("modulation.") or name in ("attention.output", "feed_forward.down"):
        return f" (channel {model.channel_name(index[1])})"
    if name.startswith("attention."):
        return f" (head {index[0]})"
    return ""
