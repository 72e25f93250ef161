"""Fourier heads: linear attention whose features are cosine and sine of the frame's index.

Head ``m`` has the pattern ``w_m cos(2 pi m (i-j) / C)``; together they are ``Gamma``
(`unroll.attention.fourier`). The features need no position channels: the layer computes them from
its frequencies, as sinusoidal position embeddings do (Vaswani et al., arXiv 1706.03762).
"""

from __future__ import annotations

import numpy as np

from constructions.lowerings.base import Route
from constructions.stream import ResidualStream
from constructions.weights import LinearAttentionWeights
from unroll.attention import Fourier
from unroll.gaussian_process import GaussianProcess

__all__ = ["end_values", "position_groups", "position_values", "write_attention"]


def position_groups(lowering: Fourier, gp: GaussianProcess) -> dict[str, int]:
    """None."""
    return {}


def position_values(lowering: Fourier, gp: GaussianProcess) -> dict[str, np.ndarray]:
    """None."""
    return {}


def end_values(lowering: Fourier, gp: GaussianProcess) -> dict[str, np.ndarray]:
    """None."""
    return {}


def write_attention(
    lowering: Fourier, gp: GaussianProcess, stream: ResidualStream, route: Route
) -> LinearAttentionWeights:
    """The heads that add ``Gamma x[source] value`` to ``x[target]``."""
    return LinearAttentionWeights(
        amplitude=lowering.amplitudes(gp.kernel, gp.frames),
        value=stream.read(route.source) @ route.value,
        output=stream.write(route.target, np.eye(gp.channels)),
        turns=lowering.turns(),
    )
