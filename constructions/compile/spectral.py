"""The direct method: one block, one head per eigenmode.

With ``Gamma = U diag(lambda) U^T`` and ``Sigma = Q diag(mu) Q^T`` the score is, in the eigenbasis
of ``Sigma`` (the embedding multiplies by ``Q``, the read-out by ``Q^T``),

    s = - sum_m u_m u_m^T (v - alpha M) g_m,    g_ma = 1 / (alpha^2 lambda_m mu_a + sigma^2):

a rank-one head of linear attention per mode, whose query and key are the position channel that
holds ``u_m``, gated by ``g``. Where only the largest eigenvalues have a head, the others share the
gate ``c_a = 1 / (alpha^2 lbar mu_a + sigma^2)``: the feed-forward layer writes ``-c (v - alpha M)``
and the heads are gated by ``g - c``.

=============  ===================================================================
channels       hold
=============  ===================================================================
``s``          the score, in the eigenbasis of ``Sigma``
``v``          the noisy input, in that basis
``mean``       the mean sequence in that basis, where there is one
``modes``      the eigenvectors ``u_m``, a position embedding
=============  ===================================================================
"""

from __future__ import annotations

import numpy as np

from constructions.architecture import Architecture
from constructions.compile.common import block_shape, copy_layer, gate_table, positions
from constructions.stream import ResidualStream
from constructions.weights import (
    BlockWeights,
    LinearAttentionWeights,
    ModulationWeights,
    Weights,
)
from unroll.methods.eigenmodes import temporal_modes
from unroll.plan import Plan

__all__ = ["compile_spectral"]


def compile_spectral(plan: Plan) -> Weights:
    """Write every weight of the one-block model."""
    gp, modes = plan.gp, plan.modes
    assert modes is not None
    mu, rotation = gp.noisy_cov.spatial_eigen
    kept = len(modes.values)
    vectors = temporal_modes(gp.kernel, gp.frames)[1][:, :kept]
    names = ["s", "v", "mean"] if gp.has_mean else ["s", "v"]
    stream = ResidualStream(dict.fromkeys(names, gp.channels) | {"modes": kept})
    mean = {"mean": gp.mean @ rotation} if gp.has_mean else {}
    block = _direct(plan, stream, mu)
    return Weights(
        architecture=Architecture(
            frames=gp.frames,
            channels=gp.channels,
            stream=stream.to_dict(),
            kinds={"direct": block_shape(block, "linear")},
            blocks=("direct",),
            two_ended=False,
            activation=plan.activation,
            time_features="spectral",
            time_steps=1,
            time_terms=0 if modes.floor is None else 1,
            t_min=plan.t_min,
            t_max=plan.t_max,
            dtype=plan.dtype,
        ),
        embed=stream.write("v", rotation),
        position=positions(plan, stream, modes=vectors, **mean)[0],
        readout=stream.read("s") @ rotation.T,
        time={} if modes.floor is None else {"baseline": modes.floor * mu},
        blocks=(block,),
    )


def _direct(plan: Plan, stream: ResidualStream, mu: np.ndarray) -> BlockWeights:
    channels, modes = plan.gp.channels, plan.modes
    assert modes is not None
    sources = ["v", "mean"] if plan.gp.has_mean else ["v"]
    features = ["1", "alpha"]
    scales: dict[tuple[str, str], np.ndarray] = {}
    if modes.floor is not None:
        for a, unit in enumerate(np.eye(channels)):
            scales[f"gate[{a}]", "v"] = -unit
            scales[f"alpha*gate[{a}]", "mean"] = unit
        features += [f"gate[{a}]" for a in range(channels)]
        features += [f"alpha*gate[{a}]" for a in range(channels)]
    read: dict[tuple[str, str], float | np.ndarray] = {("1", "v"): 1.0}
    if plan.gp.has_mean:
        read["alpha", "mean"] = -1.0
    floor = modes.floor is not None
    return BlockWeights(
        attention=LinearAttentionWeights(
            amplitude=-np.ones(len(modes.values)),
            value=np.sum([stream.read(name) for name in sources], axis=0),
            output=stream.write("s", np.eye(channels)),
            query=stream.read("modes"),
            key=stream.read("modes"),
            poles=np.outer(modes.values, mu),
            baseline=modes.floor * mu if modes.floor is not None else None,
        ),
        feed_forward=copy_layer(stream, sources, "s") if floor else None,
        modulation=ModulationWeights(
            listen=np.arange(len(features)),
            attention_scale=gate_table(stream, features, read),
            attention_gate=gate_table(stream, features, {("1", "s"): 1.0}),
            feed_forward_scale=gate_table(
                stream, features, {k: x for k, x in scales.items() if k[1] in stream}
            )
            if floor
            else None,
        ),
    )
