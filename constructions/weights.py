"""The weights of a model as plain arrays: what compiling produces and the numpy twin runs.

Shapes: D stream width, H heads, P score channels, U value channels, N frames, d channels of a
frame, S sinks, F hidden units, Q time features a block listens to, T time features in all. Row
convention: ``y = x @ W``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from constructions.architecture import Architecture, BlockShape

__all__ = [
    "AttentionWeights",
    "BlockWeights",
    "FeedForwardWeights",
    "LinearAttentionWeights",
    "ModulationWeights",
    "Weights",
]


_OPTIONAL = ("position_end", "time_embed", "radius")


@dataclass(frozen=True)
class AttentionWeights:
    """One multi-query attention layer with softmax or ReLU scores."""

    query: np.ndarray  # (H, D, P)
    query_bias: np.ndarray  # (H, P)
    key: np.ndarray  # (D, P)
    key_bias: np.ndarray  # (P,)
    value: np.ndarray  # (D, U)
    output: np.ndarray  # (H, U, D)
    relative_bias: np.ndarray | None = None  # (H, 2N-1), entry j - i + N - 1
    pair_bias: np.ndarray | None = None  # (H, N, N)
    sink_key: np.ndarray | None = None  # (H, S, P)


@dataclass(frozen=True)
class LinearAttentionWeights:
    """One layer of linear attention: no softmax, so keys and values are summed first.

    Head ``h`` has the pattern ``amplitude_h <f_ih, g_jh>``. The features ``f``, ``g`` are one
    number per head, read from the position embedding (``query``, ``key``), or cosine and sine of
    ``2 pi turns_h i`` (``turns``).
    """

    amplitude: np.ndarray  # (H,)
    value: np.ndarray  # (D, U)
    output: np.ndarray  # (U, D)
    query: np.ndarray | None = None  # (D, H)
    key: np.ndarray | None = None  # (D, H)
    turns: np.ndarray | None = None  # (H,), always float64: revolutions per frame
    poles: np.ndarray | None = None  # (H, U), gates 1 / (alpha^2 pole + sigma^2)
    baseline: np.ndarray | None = None  # (U,), the pole of the gate that is subtracted


@dataclass(frozen=True)
class FeedForwardWeights:
    """Two layers with an activation between them."""

    up: np.ndarray  # (D, F)
    up_bias: np.ndarray  # (F,)
    down: np.ndarray  # (F, D)
    down_bias: np.ndarray  # (D,)


@dataclass(frozen=True)
class ModulationWeights:
    """adaLN: a block's gates and scales are linear in the time features it listens to."""

    listen: np.ndarray  # (Q,), integers
    attention_scale: np.ndarray | None = None  # (Q, D), multiplies what values read
    attention_gate: np.ndarray | None = None  # (Q, D), multiplies what attention writes
    feed_forward_scale: np.ndarray | None = None  # (Q, D), what the feed-forward layer reads


@dataclass(frozen=True)
class BlockWeights:
    """One block: an attention layer and a feed-forward layer side by side, or one of them."""

    attention: AttentionWeights | LinearAttentionWeights | None
    feed_forward: FeedForwardWeights | None
    modulation: ModulationWeights | None


@dataclass(frozen=True)
class Weights:
    """A whole model. Blocks may be one and the same object many times over."""

    architecture: Architecture
    embed: np.ndarray  # (d, D)
    position: np.ndarray  # (N, D)
    readout: np.ndarray  # (D, d)
    time: dict[str, np.ndarray]  # always float64: the time features are computed in it
    blocks: tuple[BlockWeights, ...]
    position_end: np.ndarray | None = field(default=None)  # (N, D), row r: r frames from the last
    time_embed: np.ndarray | None = None  # (T, D), adds time features to every token
    radius: np.ndarray | None = None  # (), outputs are projected onto a ball of that radius

    def tensors(self) -> dict[str, np.ndarray]:
        """Flat names, those of the torch module's ``state_dict``, to arrays."""
        flat = {"embed": self.embed, "position": self.position, "readout": self.readout}
        for name in _OPTIONAL:
            if (array := getattr(self, name)) is not None:
                flat[name] = array
        flat |= {f"time.{name}": value for name, value in self.time.items()}
        for k, block in enumerate(self.blocks):
            for name, value in block_tensors(block):
                flat[f"blocks.{k}.{name}"] = value
        return flat

    @classmethod
    def from_tensors(cls, architecture: Architecture, flat: dict[str, np.ndarray]) -> Weights:
        """The inverse of `tensors`, for the numpy twin of a saved model."""

        def block(k: int) -> BlockWeights:
            prefix, shape = f"blocks.{k}.", architecture.shape(k)
            parts: dict[str, dict[str, np.ndarray]] = {}
            for name, value in flat.items():
                if name.startswith(prefix):
                    part, _, entry = name[len(prefix) :].partition(".")
                    parts.setdefault(part, {})[entry] = value
            return BlockWeights(
                _attention(shape, parts),
                FeedForwardWeights(**parts["feed_forward"]) if shape.hidden else None,
                ModulationWeights(**parts["modulation"]) if shape.listens else None,
            )

        return cls(
            architecture,
            flat["embed"],
            flat["position"],
            flat["readout"],
            {name[5:]: value for name, value in flat.items() if name.startswith("time.")},
            tuple(block(k) for k in range(architecture.depth)),
            *map(flat.get, _OPTIONAL),
        )


def block_tensors(block: BlockWeights) -> Iterator[tuple[str, np.ndarray]]:
    """Names inside a block, such as ``attention.query``, with their arrays."""
    for part in ("attention", "feed_forward", "modulation"):
        layer = getattr(block, part)
        for name, value in vars(layer).items() if layer is not None else ():
            if value is not None:
                yield f"{part}.{name}", value


def _attention(
    shape: BlockShape, parts: dict[str, dict[str, np.ndarray]]
) -> AttentionWeights | LinearAttentionWeights | None:
    if shape.attention is None:
        return None
    if shape.attention.score == "linear":
        return LinearAttentionWeights(**parts["attention"])
    return AttentionWeights(**parts["attention"])
