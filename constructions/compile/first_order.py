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
from constructions.conditioning import PER_STEP, SCALED, feature_index
from constructions.lowerings import Route, builder
from constructions.stream import ResidualStream
from constructions.weights import (
    AttentionWeights,
    BlockWeights,
    FeedForwardWeights,
    LinearAttentionWeights,
    ModulationWeights,
    Weights,
)
from unroll.plan import Plan
from unroll.spectrum import Spectrum

__all__ = ["compile_first_order", "iterate_channel"]

_FEATURES = ("1", *PER_STEP)


def compile_first_order(plan: Plan) -> Weights:
    """Write every weight of a gradient, Neumann or Chebyshev model."""
    assert plan.lowering is not None
    stream = ResidualStream(_groups(plan))
    # Blocks of one parity share their attention and feed-forward weights: compiled once.
    momentum, network = plan.method.has_momentum, plan.conditioning
    layers = [_layers(plan, stream, k) for k in range(2 if momentum else 1)]
    scaled = None if network is None else plan.scaled_spectrum
    gates = [_modulation(plan, stream, k, scaled) for k in range(plan.depth if momentum else 1)]
    blocks = [
        BlockWeights(*layers[k % len(layers)], gates[k % len(gates)]) for k in range(plan.depth)
    ]
    mean = {"mean": plan.gp.mean} if plan.gp.has_mean else {}
    position, position_end = positions(plan, stream, **mean)
    return Weights(
        architecture=Architecture(
            frames=plan.gp.frames,
            channels=plan.gp.channels,
            stream=stream.to_dict(),
            kinds={"step": block_shape(blocks[0], plan.lowering.score)},
            blocks=("step",) * plan.depth,
            two_ended=position_end is not None,
            activation=plan.activation,
            time_features=plan.method_name,
            time_steps=plan.depth if momentum and network is None else 1,
            t_min=plan.t_min,
            t_max=plan.t_max,
            dtype=plan.dtype,
            conditioning="exact" if network is None else "mlp",
            time_hidden=0 if network is None else network.units,
        ),
        embed=stream.write("v", np.eye(plan.gp.channels)),
        position=position,
        position_end=position_end,
        readout=stream.read(iterate_channel(stream, plan.depth)),
        time={"spectrum": np.array([plan.spectrum.lower, plan.spectrum.upper])}
        if network is None
        else network.layers(),
        blocks=tuple(blocks),
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


def _layers(
    plan: Plan, stream: ResidualStream, k: int
) -> tuple[AttentionWeights | LinearAttentionWeights, FeedForwardWeights]:
    """The layers of the block that reads iterate ``k`` and writes iterate ``k + 1``."""
    current, target = iterate_channel(stream, k), iterate_channel(stream, k + 1)
    assert plan.lowering is not None
    heads = builder(plan.lowering).write_attention(
        plan.lowering, plan.gp, stream, Route(current, target, plan.gp.spatial_cov)
    )
    sources = dict.fromkeys(group for _, group in _scales(plan, current, target))
    return heads, copy_layer(stream, [*sources], target)


def _scales(plan: Plan, current: str, target: str) -> dict[tuple[str, str], float]:
    """What the feed-forward layer reads: (feature, channel group) to a coefficient.

    The target starts at ``s_{k-1}`` (momentum) or ``s_k`` (none), and gains

        momentum:  (1 + beta - eta sigma^2) s_k - (1 + beta) s_{k-1} - eta v + eta alpha M
        none:      -eta sigma^2 s_k - eta v + eta alpha M

    from the feed-forward layer, whose scales these are, and ``-eta alpha^2 Gamma s_k Sigma`` from
    the heads.
    """
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
    return scales


def _modulation(
    plan: Plan, stream: ResidualStream, k: int, scaled: Spectrum | None
) -> ModulationWeights:
    """Gates of block ``k``: linear in the features of its step or, with step sizes and momenta for
    the spectrum ``scaled``, in the outputs of a network.
    """
    current, target = iterate_channel(stream, k), iterate_channel(stream, k + 1)
    features: tuple[str, ...] = _FEATURES
    words = {name: (name, 1.0) for name in features}
    listen = feature_index(k)
    if scaled is not None:
        features, listen = ("1", *SCALED), np.arange(1 + len(SCALED))
        eta = float(plan.method.step_size(k, scaled.lower, scaled.upper))
        beta = float(plan.method.momentum(k, scaled.lower, scaled.upper))
        words = {"1": ("1", 1.0), "beta": ("1", beta)}
        words |= {n.replace("scale", "eta"): (n, eta) for n in SCALED}

    def table(entries: dict[tuple[str, str], float]) -> np.ndarray:
        combined: dict[tuple[str, str], float] = {}
        for (name, group), coefficient in entries.items():
            feature, factor = words[name]
            combined[feature, group] = combined.get((feature, group), 0.0) + factor * coefficient
        return gate_table(stream, features, combined)

    return ModulationWeights(
        listen=listen,
        attention_scale=table({("1", current): 1.0})
        if plan.lowering is not None and plan.lowering.score == "linear"
        else None,
        attention_gate=table({("eta*alpha_sq", target): -1.0}),
        feed_forward_scale=table(_scales(plan, current, target)),
    )
