"""The boundary-corrected inverse symbol: two blocks, one pass, no feed-forward layer.

In the eigenbasis of ``Sigma = Q diag(mu) Q^T`` (the embedding multiplies by ``Q``, the read-out by
``Q^T``) the score is, with ``b = v - alpha M``,

    s_a = - P_a b_a - sum_h rho_h w_h w_h^T b_a / (alpha^2 p_h mu_a + sigma^2),    w_h = W c_h.

The *circulant* block holds ``P``, a head of linear attention per frequency ``m`` with the gate
``1 / (alpha^2 f_m mu_a + sigma^2)``. The *ends* block holds the rest, a head of rank one per pole:
its query and its key are the same mixture ``c_h`` of a few position channels ``W``. Both read ``v``
and the mean, which nothing overwrites.

==========  ====================================================================
channels    hold
==========  ====================================================================
``s``       the score, in the eigenbasis of ``Sigma``
``v``       the noisy input, in that basis
``mean``    the mean sequence in that basis, where there is one
``ends``    the vectors ``W``, a position embedding that lives at both ends
==========  ====================================================================
"""

from __future__ import annotations

import numpy as np

from constructions.architecture import Architecture
from constructions.compile.common import (
    block_shape,
    circulant_amplitudes,
    gate_table,
    positions,
)
from constructions.stream import ResidualStream
from constructions.weights import (
    BlockWeights,
    LinearAttentionWeights,
    ModulationWeights,
    Weights,
)
from unroll.plan import Plan

__all__ = ["compile_boundary"]

_FEATURES = ("1", "alpha")


def compile_boundary(plan: Plan) -> Weights:
    """Write every weight of the two-block model."""
    gp, boundary = plan.gp, plan.boundary
    assert boundary is not None
    mu, rotation = np.linalg.eigh(gp.spatial_cov)  # noisy_cov would form Gamma
    names = ["s", "v", "mean"] if gp.has_mean else ["s", "v"]
    stream = ResidualStream(dict.fromkeys(names, gp.channels) | {"ends": boundary.rank})
    mean = {"mean": gp.mean @ rotation} if gp.has_mean else {}
    circulant, ends = _circulant(plan, stream, mu), _ends(plan, stream, mu)
    return Weights(
        architecture=Architecture(
            frames=gp.frames,
            channels=gp.channels,
            stream=stream.to_dict(),
            kinds={
                "circulant": block_shape(circulant, "linear"),
                "ends": block_shape(ends, "linear"),
            },
            blocks=("circulant", "ends"),
            two_ended=False,
            activation=plan.activation,
            time_features="boundary",
            time_steps=1,
            time_terms=0,
            t_min=plan.t_min,
            t_max=plan.t_max,
            dtype=plan.dtype,
        ),
        embed=stream.write("v", rotation),
        position=positions(plan, stream, ends=boundary.ends, **mean)[0],
        readout=stream.read("s") @ rotation.T,
        time={},
        blocks=(circulant, ends),
    )


def _circulant(plan: Plan, stream: ResidualStream, mu: np.ndarray) -> BlockWeights:
    boundary = plan.boundary
    assert boundary is not None
    return BlockWeights(
        attention=LinearAttentionWeights(
            amplitude=-circulant_amplitudes(boundary.period),
            value=_value(plan, stream),
            output=stream.write("s", np.eye(plan.gp.channels)),
            turns=np.arange(len(boundary.symbol)) / boundary.period,
            poles=np.outer(boundary.symbol, mu),
        ),
        feed_forward=None,
        modulation=_modulation(plan, stream),
    )


def _ends(plan: Plan, stream: ResidualStream, mu: np.ndarray) -> BlockWeights:
    boundary = plan.boundary
    assert boundary is not None
    mixtures = stream.read("ends") @ boundary.arrays()["read"]
    return BlockWeights(
        attention=LinearAttentionWeights(
            amplitude=-np.array(boundary.amplitudes),
            value=_value(plan, stream),
            output=stream.write("s", np.eye(plan.gp.channels)),
            query=mixtures,
            key=mixtures,
            poles=np.outer(boundary.poles, mu),
        ),
        feed_forward=None,
        modulation=_modulation(plan, stream),
    )


def _sources(plan: Plan) -> list[str]:
    return ["v", "mean"] if plan.gp.has_mean else ["v"]


def _value(plan: Plan, stream: ResidualStream) -> np.ndarray:
    """``v``, and the mean where there is one; gates make it ``v - alpha M``."""
    total: np.ndarray = np.sum([stream.read(name) for name in _sources(plan)], axis=0)
    return total


def _modulation(plan: Plan, stream: ResidualStream) -> ModulationWeights:
    read: dict[tuple[str, str], float] = {("1", "v"): 1.0}
    if plan.gp.has_mean:
        read["alpha", "mean"] = -1.0
    return ModulationWeights(
        listen=np.arange(len(_FEATURES)),
        attention_scale=gate_table(stream, _FEATURES, read),
        attention_gate=gate_table(stream, _FEATURES, {("1", "s"): 1.0}),
    )
