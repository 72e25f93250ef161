"""ALiBi heads: one exponential each, with the bias ``-a |i-j|`` and an attention sink.

Head ``m`` is the softmax head of `constructions.lowerings.softmax_sink` for the kernel
``exp(-a_m |i-j|)``. Its logits are linear in the lag; its sink's logit ``log(Z_m - D_m,i)`` is kept
in the position channel ``sink[m]``. All heads share the value ``s Sigma``; head ``m`` writes it
times ``w_m Z_m``, with the amplitude ``w_m`` of either sign.
"""

from __future__ import annotations

import numpy as np

from constructions.stream import ResidualStream
from constructions.weights import AttentionWeights
from unroll.attention import Alibi
from unroll.gaussian_process import GaussianProcess

__all__ = ["position_groups", "position_values", "write_attention"]


def position_groups(lowering: Alibi) -> dict[str, int]:
    """Position channels: one per head, for its sink's logit."""
    return {"sink": lowering.heads}


def position_values(lowering: Alibi, gp: GaussianProcess) -> dict[str, np.ndarray]:
    """``log(Z_m - D_m,i)``, array (frames, heads)."""
    logits = [head.sink_logits(part, gp.frames) for _, part, head in lowering.parts()]
    return {"sink": np.stack(logits, axis=1)}


def write_attention(
    lowering: Alibi, gp: GaussianProcess, stream: ResidualStream, source: str, target: str
) -> AttentionWeights:
    """The heads that add ``(sum_m w_m E_m) x[source] Sigma`` to ``x[target]``."""
    lags = np.abs(np.arange(1 - gp.frames, gp.frames))
    scale = np.array(lowering.amplitudes) * np.array(lowering.normalizers)
    return AttentionWeights(
        query=stream.read("sink").T[:, :, None],
        query_bias=np.zeros((lowering.heads, 1)),
        key=np.zeros((stream.width, 1)),
        key_bias=np.zeros(1),
        value=stream.read(source) @ gp.spatial_cov,
        output=scale[:, None, None] * stream.write(target, np.eye(gp.channels))[None],
        relative_bias=-np.outer(lowering.slopes, lags),
        sink_key=np.ones((lowering.heads, 1)),
    )
