"""ReLU heads that pick out lags: ``gamma(lag)`` as a sum of hinges in ``<e_i, e_j>``.

Frame ``i`` sits at the unit vector ``e_i`` on a circle, kept in the ``position`` channels, and
``<e_i, e_j> = c_|i-j|`` falls strictly with the lag. Head ``h`` has the query ``(e_i, -b_h)``; all
heads share the key ``(e_j, 1)``, so that

    pattern_h(i, j) = ReLU(<e_i, e_j> - b_h),     sum_h a_h pattern_h(i, j) = gamma(|i-j|)

for every lag up to the bandwidth, and zero beyond (`unroll.attention.relu_lag` derives ``a`` and
``b``). All heads share the value ``s Sigma``; head ``h`` writes it times ``a_h``.
"""

from __future__ import annotations

import numpy as np

from constructions.lowerings.base import Route
from constructions.stream import ResidualStream
from constructions.weights import AttentionWeights
from unroll.attention import ReluLag
from unroll.gaussian_process import GaussianProcess

__all__ = ["end_values", "position_groups", "position_values", "write_attention"]


def position_groups(lowering: ReluLag, gp: GaussianProcess) -> dict[str, int]:
    """Position channels: sine and cosine of every frequency."""
    return {"position": 2 * lowering.frequencies}


def position_values(lowering: ReluLag, gp: GaussianProcess) -> dict[str, np.ndarray]:
    """The circle embedding, array (frames, 2 frequencies)."""
    return {"position": lowering.embedding(gp.frames)}


def end_values(lowering: ReluLag, gp: GaussianProcess) -> dict[str, np.ndarray]:
    """Nothing is counted from the last frame."""
    return {}


def write_attention(
    lowering: ReluLag, gp: GaussianProcess, stream: ResidualStream, route: Route
) -> AttentionWeights:
    """The heads that add ``Gamma_J x[source] value`` to ``x[target]``, ``Gamma_J`` the band."""
    threshold, weight = lowering.hinges(gp.kernel)
    to_query = np.pad(stream.read("position"), [(0, 0), (0, 1)])  # last: the threshold's place
    unit = np.eye(to_query.shape[1])[-1]
    return AttentionWeights(
        query=np.repeat(to_query[None], lowering.heads, axis=0),
        query_bias=-threshold[:, None] * unit,
        key=to_query,
        key_bias=unit,
        value=stream.read(route.source) @ route.value,
        output=weight[:, None, None] * stream.write(route.target, np.eye(gp.channels))[None],
    )
