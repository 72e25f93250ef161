"""One softmax head that is exactly ``Gamma / Z``: relative position bias plus attention sink.

Frame ``j`` offers query ``i`` the logit ``log gamma(|i-j|)``, which is the entry of the relative
position bias; frame keys are zero. The sink is one more, learned key with value zero (as
``add_bias_kv`` of torch's ``MultiheadAttention``, with a zero value) equal to 1, and the query of
frame ``i`` is the number ``log(Z - D_i)`` kept in the position channel ``sink``. So

    softmax denominator of row i = sum_j gamma(|i-j|) + (Z - D_i) = Z,

the pattern on the frames is ``Gamma / Z``, and the output map multiplies by ``Z``, a power of two.
The value map is ``Sigma``: together the head writes ``Gamma s Sigma``.
"""

from __future__ import annotations

import numpy as np

from constructions.stream import ResidualStream
from constructions.weights import AttentionWeights
from unroll.attention import SoftmaxSink
from unroll.gaussian_process import GaussianProcess

__all__ = ["position_groups", "position_values", "write_attention"]


def position_groups(lowering: SoftmaxSink) -> dict[str, int]:
    """Position channels: one, for the sink's logit."""
    return {"sink": 1}


def position_values(lowering: SoftmaxSink, gp: GaussianProcess) -> dict[str, np.ndarray]:
    """``log(Z - D_i)``, array (frames,)."""
    return {"sink": lowering.sink_logits(gp.kernel, gp.frames)}


def write_attention(
    lowering: SoftmaxSink, gp: GaussianProcess, stream: ResidualStream, source: str, target: str
) -> AttentionWeights:
    """The head that adds ``Gamma x[source] Sigma`` to ``x[target]``."""
    lags = np.abs(np.arange(1 - gp.frames, gp.frames))
    return AttentionWeights(
        query=stream.read("sink")[None],
        query_bias=np.zeros((1, 1)),
        key=np.zeros((stream.width, 1)),
        key_bias=np.zeros(1),
        value=stream.read(source) @ gp.spatial_cov,
        output=stream.write(target, lowering.normalizer * np.eye(gp.channels))[None],
        relative_bias=lowering.frame_logits(gp.kernel, gp.frames)[lags][None],
        sink_key=np.ones((1, 1)),
    )
