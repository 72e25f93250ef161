"""Softmax heads for frames at irregular times: a bias for every pair of frames.

As `constructions.lowerings.softmax_sink`, but the bias is a table over pairs and not over lags, and
the logits of the sinks belong to one set of frames: ``log((Z - D_i) / 2)`` each. The first sink's
is kept in the position channels ``sink_start``, the second's in ``sink_end``, last frame first.
"""

from __future__ import annotations

import numpy as np

from constructions.lowerings.base import Route
from constructions.lowerings.softmax_sink import sink_keys
from constructions.stream import ResidualStream
from constructions.weights import AttentionWeights
from unroll.attention import Irregular
from unroll.gaussian_process import GaussianProcess

__all__ = ["end_values", "position_groups", "position_values", "write_attention"]


def position_groups(lowering: Irregular, gp: GaussianProcess) -> dict[str, int]:
    """Position channels: one per head and sink, for its logit."""
    return {"sink_start": lowering.heads, "sink_end": lowering.heads}


def position_values(lowering: Irregular, gp: GaussianProcess) -> dict[str, np.ndarray]:
    """Logits of the first sinks, array (frames, heads)."""
    return {"sink_start": lowering.sink_logits(gp.kernel, gp.frames).T}


def end_values(lowering: Irregular, gp: GaussianProcess) -> dict[str, np.ndarray]:
    """Logits of the second sinks, the last frame's first."""
    return {"sink_end": lowering.sink_logits(gp.kernel, gp.frames).T[::-1]}


def write_attention(
    lowering: Irregular, gp: GaussianProcess, stream: ResidualStream, route: Route
) -> AttentionWeights:
    """The heads that add ``Gamma x[source] value`` to ``x[target]``."""
    scale, heads = lowering.weights * lowering.normalizers, lowering.heads
    return AttentionWeights(
        query=np.stack([stream.read("sink_start").T, stream.read("sink_end").T], axis=2),
        query_bias=np.zeros((heads, 2)),
        key=np.zeros((stream.width, 2)),
        key_bias=np.zeros(2),
        value=stream.read(route.source) @ route.value,
        output=scale[:, None, None] * stream.write(route.target, np.eye(gp.channels))[None],
        pair_bias=lowering.logits(gp.kernel, gp.frames),
        sink_key=sink_keys(heads),
    )
