"""ALiBi heads: one exponential each, with the bias ``-a |i-j|`` and attention sinks.

Head ``m`` is the softmax head of `constructions.lowerings.softmax_sink` for the kernel
``exp(-a_m |i-j|)``. Its logits are linear in the lag; the logits of its two sinks are kept in the
position channels ``sink_start[m]`` and ``sink_end[m]``. All heads share the value ``s Sigma``; head
``m`` writes it times ``w_m Z_m``, with the amplitude ``w_m`` of either sign.
"""

from __future__ import annotations

import numpy as np

from constructions.lowerings.base import Route
from constructions.lowerings.softmax_sink import sink_keys
from constructions.stream import ResidualStream
from constructions.weights import AttentionWeights
from unroll.attention import Alibi
from unroll.gaussian_process import GaussianProcess

__all__ = ["end_values", "position_groups", "position_values", "write_attention"]


def position_groups(lowering: Alibi, gp: GaussianProcess) -> dict[str, int]:
    """Position channels: two per head, for the logits of its sinks."""
    return {"sink_start": lowering.heads, "sink_end": lowering.heads}


def position_values(lowering: Alibi, gp: GaussianProcess) -> dict[str, np.ndarray]:
    """Logits of the first sinks, array (frames, heads)."""
    return {"sink_start": _sink_logits(lowering, gp)}


def end_values(lowering: Alibi, gp: GaussianProcess) -> dict[str, np.ndarray]:
    """Logits of the second sinks, by the distance to the last frame."""
    return {"sink_end": _sink_logits(lowering, gp)}


def _sink_logits(lowering: Alibi, gp: GaussianProcess) -> np.ndarray:
    return np.stack([head.sink_logits(part, gp.frames) for _, part, head in lowering.parts()], 1)


def write_attention(
    lowering: Alibi, gp: GaussianProcess, stream: ResidualStream, route: Route
) -> AttentionWeights:
    """The heads that add ``(sum_m w_m E_m) x[source] value`` to ``x[target]``."""
    lags = np.abs(np.arange(1 - gp.frames, gp.frames))
    scale = np.array(lowering.amplitudes) * np.array(lowering.normalizers)
    return AttentionWeights(
        query=np.stack([stream.read("sink_start").T, stream.read("sink_end").T], axis=2),
        query_bias=np.zeros((lowering.heads, 2)),
        key=np.zeros((stream.width, 2)),
        key_bias=np.zeros(2),
        value=stream.read(route.source) @ route.value,
        output=scale[:, None, None] * stream.write(route.target, np.eye(gp.channels))[None],
        relative_bias=-np.outer(lowering.slopes, lags),
        sink_key=sink_keys(lowering.heads),
    )
