"""First-order iterations: one block is one step of

    s_{k+1} = s_k - eta_k (alpha^2 Gamma s_k Sigma + sigma^2 s_k + v - alpha M)
                  + beta_k (s_k - s_{k-1}).

Attention and feed-forward layer read the same stream (a parallel block) and their outputs add up:
attention mixes frames and contributes ``-eta_k alpha^2 Gamma s_k Sigma``, the feed-forward layer
does the frame-wise rest. A method with momentum keeps two iterates, ``s_even`` and ``s_odd``; the
block that computes ``s_{k+1}`` overwrites ``s_{k-1}``, so nothing is ever copied.

==============================  =================================================================
channels                        hold
==============================  =================================================================
``s``                           the iterate (methods without momentum)
``s_even``, ``s_odd``           the iterates with even and odd number (methods with momentum)
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
    copy_layer,
    gate_table,
    position_groups,
    positions,
)
from constructions.conditioning import PER_STEP, feature_index
from constructions.lowerings import Route, builder
from constructions.stream import ResidualStream
from constructions.weights import BlockWeights, LinearAttentionWeights, ModulationWeights, Weights
from unroll.plan import Plan

__all__ = ["compile_first_order", "iterate_channel"]

_FEATURES = ("1", *PER_STEP)


def compile_first_order(plan: Plan) -> Weights:
    """Write every weight of a gradient, Neumann or Chebyshev model."""
    assert plan.lowering is not None
    stream = ResidualStream(_groups(plan))
    # Blocks of one parity share their attention and feed-forward weights: compiled once.
    kinds = [_step(plan, stream, k) for k in range(2 if plan.method.has_momentum else 1)]

    def block(k: int) -> BlockWeights:
        kind = kinds[k % len(kinds)]
        listen = feature_index(k if plan.method.has_momentum else 0)
        gates = vars(kind.modulation) | {"listen": listen}
        return BlockWeights(kind.attention, kind.feed_forward, ModulationWeights(**gates))

    mean = {"mean": plan.gp.mean} if plan.gp.has_mean else {}
    position, position_end = positions(plan, stream, **mean)
    return Weights(
        architecture=Architecture(
            frames=plan.gp.frames,
            channels=plan.gp.channels,
            stream=stream.to_dict(),
            kinds={"step": block_shape(kinds[0], plan.lowering.score)},
            blocks=("step",) * plan.depth,
            two_ended=position_end is not None,
            activation=plan.activation,
            time_features=plan.method_name,
            time_steps=plan.depth if plan.method.has_momentum else 1,
            t_min=plan.t_min,
            t_max=plan.t_max,
            dtype=plan.dtype,
        ),
        embed=stream.write("v", np.eye(plan.gp.channels)),
        position=position,
        position_end=position_end,
        readout=stream.read(iterate_channel(stream, plan.depth)),
        time={"spectrum": np.array([plan.spectrum.lower, plan.spectrum.upper])},
        blocks=tuple(block(k) for k in range(plan.depth)),
    )


def iterate_channel(stream: ResidualStream, k: int) -> str:
    """The channels that hold the ``k``-th iterate."""
    if "s" in stream:
        return "s"
    return "s_odd" if k % 2 else "s_even"


def _groups(plan: Plan) -> dict[str, int]:
    names = ["s_even", "s_odd"] if plan.method.has_momentum else ["s"]
    names += ["v", "mean"] if plan.gp.has_mean else ["v"]
    return dict.fromkeys(names, plan.gp.channels) | position_groups(plan)


def _step(plan: Plan, stream: ResidualStream, k: int) -> BlockWeights:
    """The block that reads iterate ``k`` and writes iterate ``k + 1``.

    The target starts at ``s_{k-1}`` (momentum) or ``s_k`` (none), and gains

        momentum:  (1 + beta - eta sigma^2) s_k - (1 + beta) s_{k-1} - eta v + eta alpha M
        none:      -eta sigma^2 s_k - eta v + eta alpha M

    from the feed-forward layer, whose scales these are, and ``-eta alpha^2 Gamma s_k Sigma`` from
    the heads.
    """
    current, target = iterate_channel(stream, k), iterate_channel(stream, k + 1)
    scales: dict[tuple[str, str], float] = {
        ("eta*sigma_sq", current): -1.0,
        ("eta", "v"): -1.0,
    }
    if plan.gp.has_mean:
        scales["eta*alpha", "mean"] = 1.0
    if plan.method.has_momentum:
        for name in ("1", "beta"):
            scales[name, current] = 1.0
            scales[name, target] = -1.0
    assert plan.lowering is not None
    heads = builder(plan.lowering).write_attention(
        plan.lowering, plan.gp, stream, Route(current, target, plan.gp.spatial_cov)
    )
    linear = isinstance(heads, LinearAttentionWeights)
    sources = dict.fromkeys(group for _, group in scales)
    return BlockWeights(
        attention=heads,
        feed_forward=copy_layer(stream, [*sources], target),
        modulation=ModulationWeights(
            listen=feature_index(k),
            attention_scale=gate_table(stream, _FEATURES, {("1", current): 1.0})
            if linear
            else None,
            attention_gate=gate_table(stream, _FEATURES, {("eta*alpha_sq", target): -1.0}),
            feed_forward_scale=gate_table(stream, _FEATURES, scales),
        ),
    )
