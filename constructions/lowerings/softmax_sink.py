"""A softmax head that is exactly ``Gamma / Z``: relative position bias plus attention sinks.

Frame ``j`` offers query ``i`` the logit ``log gamma(|i-j|)``, which is the entry of the relative
position bias; frame keys are zero. The sinks are two more, learned keys with value zero (as
``add_bias_kv`` of torch's ``MultiheadAttention``, with a zero value). The query of frame ``i``
holds two numbers, kept in the position channels ``sink_start`` (counted from the first frame) and
``sink_end`` (counted from the last); the keys of the sinks pick one each, and their weights add up
to ``Z - D_i`` (`unroll.attention.softmax_sink`). So

    softmax denominator of row i = sum_j gamma(|i-j|) + (Z - D_i) = Z,

the pattern on the frames is ``Gamma / Z``, and the output map multiplies by ``Z``, a power of two.
The value map is ``Sigma``: together the head writes ``Gamma s Sigma``.

A kernel with negative values takes two such heads, one for its positive and one for its negative
part; the output map of the second multiplies by minus its own ``Z``.
"""

from __future__ import annotations

import numpy as np

from constructions.lowerings.base import Route
from constructions.stream import ResidualStream
from constructions.weights import AttentionWeights
from unroll.attention import SoftmaxSink
from unroll.gaussian_process import GaussianProcess

__all__ = ["end_values", "position_groups", "position_values", "sink_keys", "write_attention"]


def position_groups(lowering: SoftmaxSink, gp: GaussianProcess) -> dict[str, int]:
    """Position channels: one per head and sink, for its logit."""
    return {"sink_start": lowering.heads, "sink_end": lowering.heads}


def position_values(lowering: SoftmaxSink, gp: GaussianProcess) -> dict[str, np.ndarray]:
    """Logits of the first sinks, array (frames, heads)."""
    return {"sink_start": _sink_logits(lowering, gp)}


def end_values(lowering: SoftmaxSink, gp: GaussianProcess) -> dict[str, np.ndarray]:
    """Logits of the second sinks, by the distance to the last frame."""
    return {"sink_end": _sink_logits(lowering, gp)}


def _sink_logits(lowering: SoftmaxSink, gp: GaussianProcess) -> np.ndarray:
    heads = range(lowering.heads)
    return np.stack([lowering.sink_logits(gp.kernel, gp.frames, h) for h in heads], axis=1)


def sink_keys(heads: int) -> np.ndarray:
    """Unit keys (heads, 2, 2): the first sink reads the start, the second the end."""
    return np.tile(np.eye(2), (heads, 1, 1))


def write_attention(
    lowering: SoftmaxSink, gp: GaussianProcess, stream: ResidualStream, route: Route
) -> AttentionWeights:
    """The heads that add ``Gamma x[source] value`` to ``x[target]``."""
    lags, heads = np.abs(np.arange(1 - gp.frames, gp.frames)), lowering.heads
    logits = [lowering.frame_logits(gp.kernel, gp.frames, h)[lags] for h in range(heads)]
    scale = np.array(lowering.scales)
    return AttentionWeights(
        query=np.stack([stream.read("sink_start").T, stream.read("sink_end").T], axis=2),
        query_bias=np.zeros((heads, 2)),
        key=np.zeros((stream.width, 2)),
        key_bias=np.zeros(2),
        value=stream.read(route.source) @ route.value,
        output=scale[:, None, None] * stream.write(route.target, np.eye(gp.channels))[None],
        relative_bias=np.stack(logits),
        sink_key=sink_keys(heads),
    )
