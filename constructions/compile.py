"""From a plan to weights, one short call per stage.

One block is one step of

    s_{k+1} = s_k - eta_k (alpha^2 Gamma s_k Sigma + sigma^2 s_k + v - alpha M)
                  + beta_k (s_k - s_{k-1}).

Attention and feed-forward layer read the same stream (a parallel block) and their outputs add up:
attention mixes frames and contributes ``-eta_k alpha^2 Gamma s_k Sigma``, the feed-forward layer
does the frame-wise rest. A method with momentum keeps two iterates, ``s_even`` and ``s_odd``; the
block that computes ``s_{k+1}`` overwrites ``s_{k-1}``, so nothing is ever copied.

======================  =====================================================================
channels                hold
======================  =====================================================================
``s``                   the iterate (methods without momentum)
``s_even``, ``s_odd``   the iterates with even and odd number (methods with momentum)
``v``                   the noisy input, untouched
``mean``                the mean sequence, a position embedding, where there is one
``sink``, ``position``  what the lowering's queries and keys read
======================  =====================================================================
"""

from __future__ import annotations

import numpy as np

from constructions.architecture import Architecture
from constructions.conditioning import PER_STEP, feature_index
from constructions.lowerings import builder
from constructions.stream import ResidualStream
from constructions.weights import (
    AttentionWeights,
    BlockWeights,
    FeedForwardWeights,
    ModulationWeights,
    Weights,
)
from unroll.errors import ArgumentError
from unroll.plan import Plan

__all__ = ["check_fit", "compile_plan", "iterate_channel"]


def compile_plan(plan: Plan) -> Weights:
    """Write every weight of the model that a plan describes, in float64."""
    stream = ResidualStream(_groups(plan))
    parities = [_Step(plan, stream, k) for k in range(2 if plan.method.has_momentum else 1)]
    # Blocks of one parity share their attention and feed-forward weights: compiled once.
    attentions = [step.attention() for step in parities]
    feed_forwards = [step.feed_forward() for step in parities]
    modulations = [step.modulation() for step in parities]

    def block(k: int) -> BlockWeights:
        parity = k % len(parities)
        gate, scale = modulations[parity]
        listen = feature_index(k if plan.method.has_momentum else 0)
        return BlockWeights(
            attentions[parity], feed_forwards[parity], ModulationWeights(listen, gate, scale)
        )

    return Weights(
        architecture=_architecture(plan, stream, attentions[0], feed_forwards[0]),
        embed=stream.write("v", np.eye(plan.gp.channels)),
        position=_positions(plan, stream),
        readout=stream.read(iterate_channel(stream, plan.depth)),
        spectrum=np.array([plan.spectrum.lower, plan.spectrum.upper]),
        blocks=tuple(block(k) for k in range(plan.depth)),
    )


def check_fit(architecture: Architecture, plan: Plan) -> None:
    """`ArgumentError` where an architecture is not the one that the plan compiles to.

    ``scores_from`` may differ: both settings compute the same.
    """
    planned = compile_plan(plan).architecture.to_dict()
    for name, value in architecture.to_dict().items():
        if value != planned[name] and name != "scores_from":
            raise ArgumentError(
                f"architecture.{name}",
                value,
                f"does not fit the plan, which compiles to {planned[name]!r}",
                "use the plan the model was built from, or build it anew",
            )


def iterate_channel(stream: ResidualStream, k: int) -> str:
    """The channels that hold the ``k``-th iterate after ``k`` blocks."""
    if "s" in stream:
        return "s"
    return "s_odd" if k % 2 else "s_even"


def _groups(plan: Plan) -> dict[str, int]:
    channels = plan.gp.channels
    names = ["s_even", "s_odd"] if plan.method.has_momentum else ["s"]
    names += ["v", "mean"] if plan.gp.has_mean else ["v"]
    position: dict[str, int] = builder(plan.lowering).position_groups(plan.lowering)
    return dict.fromkeys(names, channels) | position


def _positions(plan: Plan, stream: ResidualStream) -> np.ndarray:
    values = builder(plan.lowering).position_values(plan.lowering, plan.gp)
    return stream.place(**values, **({"mean": plan.gp.mean} if plan.gp.has_mean else {}))


def _architecture(
    plan: Plan, stream: ResidualStream, attention: AttentionWeights, layer: FeedForwardWeights
) -> Architecture:
    heads, _, score_channels = attention.query.shape
    return Architecture(
        frames=plan.gp.frames,
        channels=plan.gp.channels,
        stream=stream.to_dict(),
        depth=plan.depth,
        heads=heads,
        score_channels=score_channels,
        value_channels=attention.value.shape[1],
        score=plan.lowering.score,
        relative_bias=attention.relative_bias is not None,
        sink=attention.sink_key is not None,
        hidden=layer.up.shape[1],
        activation=plan.activation,
        time_features=plan.method_name,
        time_steps=plan.depth if plan.method.has_momentum else 1,
        listens=1 + len(PER_STEP),
        t_min=plan.t_min,
        t_max=plan.t_max,
        dtype=plan.dtype,
    )


class _Step:
    """The block that reads iterate ``k`` and writes iterate ``k + 1``."""

    def __init__(self, plan: Plan, stream: ResidualStream, k: int) -> None:
        self.plan, self.stream = plan, stream
        self.current = iterate_channel(stream, k)
        self.target = iterate_channel(stream, k + 1)

    def attention(self) -> AttentionWeights:
        """Adds ``Gamma current Sigma`` to the target; the gate scales it by ``-eta alpha^2``."""
        lowering = self.plan.lowering
        heads: AttentionWeights = builder(lowering).write_attention(
            lowering, self.plan.gp, self.stream, self.current, self.target
        )
        return heads

    def feed_forward(self) -> FeedForwardWeights:
        """Adds the sum of the groups it reads, each already scaled, to the target.

        Exactly linear, because ``act(x) - act(-x) = x`` for ReLU, GELU and SiLU: every channel
        that is read takes two hidden units.
        """
        groups = dict.fromkeys([self.current, self.target, "v"])
        groups |= {"mean": None} if self.plan.gp.has_mean else {}
        read = np.concatenate([self.stream.read(name) for name in groups], axis=1)
        copies = np.tile(np.eye(self.plan.gp.channels), (len(groups), 1))
        write = self.stream.write(self.target, copies)
        return FeedForwardWeights(
            up=np.concatenate([read, -read], axis=1),
            up_bias=np.zeros(2 * read.shape[1]),
            down=np.concatenate([write, -write]),
            down_bias=np.zeros(self.stream.width),
        )

    def modulation(self) -> tuple[np.ndarray, np.ndarray]:
        """Attention gate and feed-forward scale as linear maps of the time features.

        The target starts at ``s_{k-1}`` (momentum) or ``s_k`` (none), and gains

            momentum:  (1 + beta - eta sigma^2) s_k - (1 + beta) s_{k-1} - eta v + eta alpha M
            none:      -eta sigma^2 s_k - eta v + eta alpha M.
        """
        features = {name: i for i, name in enumerate(("1", *PER_STEP))}
        gate = np.zeros((len(features), self.stream.width))
        scale = np.zeros_like(gate)
        gate[features["eta*alpha_sq"], self.stream[self.target]] = -1.0
        scale[features["eta*sigma_sq"], self.stream[self.current]] = -1.0
        scale[features["eta"], self.stream["v"]] = -1.0
        if self.plan.gp.has_mean:
            scale[features["eta*alpha"], self.stream["mean"]] = 1.0
        if self.plan.method.has_momentum:
            for name in ("1", "beta"):
                scale[features[name], self.stream[self.current]] = 1.0
                scale[features[name], self.stream[self.target]] = -1.0
        return gate, scale
