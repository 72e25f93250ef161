"""The preconditioned iteration: two blocks are one step of

    r_k = alpha^2 Gamma s_k diag(mu) + sigma^2 s_k + v - alpha M,    s_{k+1} = s_k - eta_k P_t r_k,

in the eigenbasis of ``Sigma = Q diag(mu) Q^T``: the embedding multiplies by ``Q``, the read-out by
``Q^T``. A *residual* block computes ``r``: the lowering's heads carry ``Gamma``. A *correction*
block applies the inverse-symbol preconditioner, one head of linear attention per frequency ``m``
with the gate ``1 / (alpha^2 f_m mu_a + sigma^2)`` in channel ``a``, and its feed-forward layer
clears ``r``.

==============================  =================================================================
channels                        hold, in the eigenbasis of ``Sigma``
==============================  =================================================================
``s``                           the iterate
``r``                           the residual, zero after a correction
``v``                           the noisy input, untouched
``mean``                        the mean sequence, a position embedding, where there is one
``sink_start``, ``sink_end``,   what the lowering's queries and keys read
``position``
==============================  =================================================================
"""

from __future__ import annotations

import numpy as np

from constructions.architecture import Architecture
from constructions.compile.common import (
    block_shape,
    circulant_amplitudes,
    copy_layer,
    gate_table,
    position_groups,
    positions,
)
from constructions.conditioning import COMMON, step_index
from constructions.lowerings import Route, builder
from constructions.stream import ResidualStream
from constructions.weights import (
    BlockWeights,
    LinearAttentionWeights,
    ModulationWeights,
    Weights,
)
from unroll.plan import Plan

__all__ = ["compile_preconditioned"]


def compile_preconditioned(plan: Plan) -> Weights:
    """Write every weight of a model that iterates with the inverse-symbol preconditioner."""
    gp, preconditioner = plan.gp, plan.preconditioner
    assert preconditioner is not None
    assert plan.lowering is not None
    mu, rotation = np.linalg.eigh(gp.spatial_cov)  # noisy_cov would form Gamma
    names = ["s", "r", "v", "mean"] if gp.has_mean else ["s", "r", "v"]
    stream = ResidualStream(dict.fromkeys(names, gp.channels) | position_groups(plan))
    residual = _residual(plan, stream, mu)
    correction = _correction(plan, stream, mu)

    def corrected(k: int) -> BlockWeights:
        gates = vars(correction.modulation) | {"listen": step_index(k, gp.channels)}
        return BlockWeights(
            correction.attention, correction.feed_forward, ModulationWeights(**gates)
        )

    mean = {"mean": gp.mean @ rotation} if gp.has_mean else {}
    position, position_end = positions(plan, stream, **mean)
    steps = np.array(preconditioner.roots)
    return Weights(
        architecture=Architecture(
            frames=gp.frames,
            channels=gp.channels,
            stream=stream.to_dict(),
            kinds={
                "residual": block_shape(residual, plan.lowering.score),
                "correction": block_shape(correction, "linear"),
            },
            blocks=("residual", "correction") * plan.depth,
            two_ended=position_end is not None,
            activation=plan.activation,
            time_features="preconditioned",
            time_steps=plan.depth,
            time_terms=steps.shape[1],
            t_min=plan.t_min,
            t_max=plan.t_max,
            dtype=plan.dtype,
        ),
        embed=stream.write("v", rotation),
        position=position,
        position_end=position_end,
        readout=stream.read("s") @ rotation.T,
        time={"spatial": mu, "log_range": np.array(preconditioner.log_range), "steps": steps},
        blocks=tuple(b for k in range(plan.depth) for b in (residual, corrected(k))),
    )


def _residual(plan: Plan, stream: ResidualStream, mu: np.ndarray) -> BlockWeights:
    """``r`` gains ``alpha^2 Gamma s diag(mu)`` from the heads and the rest from the other layer."""
    scales: dict[tuple[str, str], float] = {("sigma_sq", "s"): 1.0, ("1", "v"): 1.0}
    if plan.gp.has_mean:
        scales["alpha", "mean"] = -1.0
    assert plan.lowering is not None
    heads = builder(plan.lowering).write_attention(
        plan.lowering, plan.gp, stream, Route("s", "r", np.diag(mu))
    )
    linear = isinstance(heads, LinearAttentionWeights)
    return BlockWeights(
        attention=heads,
        feed_forward=copy_layer(stream, [group for _, group in scales], "r"),
        modulation=ModulationWeights(
            listen=np.arange(len(COMMON)),
            attention_scale=gate_table(stream, COMMON, {("1", "s"): 1.0}) if linear else None,
            attention_gate=gate_table(stream, COMMON, {("alpha_sq", "r"): 1.0}),
            feed_forward_scale=gate_table(stream, COMMON, scales),
        ),
    )


def _correction(plan: Plan, stream: ResidualStream, mu: np.ndarray) -> BlockWeights:
    """``s`` gains ``-eta P r``, ``r`` loses itself."""
    channels, preconditioner = plan.gp.channels, plan.preconditioner
    assert preconditioner is not None
    features = [*COMMON, *(f"eta[{a}]" for a in range(channels))]
    steps = {(f"eta[{a}]", "s"): -np.eye(channels)[a] for a in range(channels)}
    return BlockWeights(
        attention=LinearAttentionWeights(
            amplitude=circulant_amplitudes(preconditioner.period),
            value=stream.read("r"),
            output=stream.write("s", np.eye(channels)),
            turns=np.arange(len(preconditioner.symbol)) / preconditioner.period,
            poles=np.outer(preconditioner.symbol, mu),
        ),
        feed_forward=copy_layer(stream, ["r"], "r"),
        modulation=ModulationWeights(
            listen=step_index(0, channels),
            attention_scale=gate_table(stream, features, {("1", "r"): 1.0}),
            attention_gate=gate_table(stream, features, steps),
            feed_forward_scale=gate_table(stream, features, {("1", "r"): -1.0}),
        ),
    )
