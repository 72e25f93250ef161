"""What every recipe writes: linear feed-forward layers, gates by name, position embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from constructions.architecture import AttentionShape, BlockShape
from constructions.lowerings import builder
from constructions.stream import ResidualStream
from constructions.weights import (
    AttentionWeights,
    BlockWeights,
    FeedForwardWeights,
    LinearAttentionWeights,
)
from unroll.plan import Plan

__all__ = [
    "block_shape",
    "circulant_amplitudes",
    "copy_layer",
    "gate_table",
    "position_groups",
    "positions",
]


def circulant_amplitudes(period: int) -> np.ndarray:
    """``1 / C`` for the frequencies 0 and ``C / 2``, twice that for those that come in pairs."""
    amplitudes = np.full(period // 2 + 1, 2 / period)
    amplitudes[0] /= 2
    if period % 2 == 0:
        amplitudes[-1] /= 2
    return amplitudes


def copy_layer(stream: ResidualStream, sources: Sequence[str], target: str) -> FeedForwardWeights:
    """Adds the sum of the groups ``sources``, each as it is read, to ``target``.

    Exactly linear, because ``act(x) - act(-x) = x`` for ReLU, GELU and SiLU: every channel that is
    read takes two hidden units.
    """
    read = np.concatenate([stream.read(name) for name in sources], axis=1)
    write = stream.write(target, np.tile(np.eye(stream.size(target)), (len(sources), 1)))
    return FeedForwardWeights(
        up=np.concatenate([read, -read], axis=1),
        up_bias=np.zeros(2 * read.shape[1]),
        down=np.concatenate([write, -write]),
        down_bias=np.zeros(stream.width),
    )


def gate_table(
    stream: ResidualStream,
    features: Sequence[str],
    entries: Mapping[tuple[str, str], float | np.ndarray],
) -> np.ndarray:
    """A gate as a linear map of time features, array (features, width).

    ``entries`` maps (feature, channel group) to a coefficient, one number or one per channel.
    """
    table = np.zeros((len(features), stream.width))
    for (feature, group), coefficient in entries.items():
        table[features.index(feature), stream[group]] += coefficient
    return table


def position_groups(plan: Plan) -> dict[str, int]:
    """Position channels that the lowering needs."""
    if plan.lowering is None:
        return {}
    groups: dict[str, int] = builder(plan.lowering).position_groups(plan.lowering, plan.gp)
    return groups


def positions(
    plan: Plan, stream: ResidualStream, **values: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Position embeddings counted from the first and, where there are any, from the last frame."""
    frames, ends = plan.gp.frames, {}
    if plan.lowering is not None:
        lowering = builder(plan.lowering)
        values = values | lowering.position_values(plan.lowering, plan.gp)
        ends = lowering.end_values(plan.lowering, plan.gp)
    return stream.place(frames, **values), stream.place(frames, **ends) if ends else None


def block_shape(block: BlockWeights, score: str) -> BlockShape:
    """The shape that the weights of a block have; ``score`` is that of its attention."""
    layer = block.feed_forward
    return BlockShape(
        attention=_attention_shape(block.attention, score),
        hidden=0 if layer is None else layer.up.shape[1],
        listens=0 if block.modulation is None else len(block.modulation.listen),
    )


def _attention_shape(
    w: AttentionWeights | LinearAttentionWeights | None, score: str
) -> AttentionShape | None:
    if w is None:
        return None
    if isinstance(w, LinearAttentionWeights):
        return AttentionShape(
            score=score,
            heads=len(w.amplitude),
            score_channels=1 if w.turns is None else 2,
            value_channels=w.value.shape[1],
            sinusoids=w.turns is not None,
            gated=w.poles is not None,
            baseline=w.baseline is not None,
        )
    heads, _, score_channels = w.query.shape
    return AttentionShape(
        score=score,
        heads=heads,
        score_channels=score_channels,
        value_channels=w.value.shape[1],
        relative_bias=w.relative_bias is not None,
        pair_bias=w.pair_bias is not None,
        sinks=0 if w.sink_key is None else w.sink_key.shape[1],
    )
