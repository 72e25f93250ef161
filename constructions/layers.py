"""The layers of the transformer in torch: attention, linear attention, feed-forward, gates, time.

`constructions.blocks` is the same computation in numpy and holds the shape glossary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from constructions.architecture import Architecture, AttentionShape, BlockShape
from constructions.conditioning import NetworkFeatures, feature_set
from unroll.methods.gates import resolvent

__all__ = [
    "Attention",
    "FeedForward",
    "HookPoint",
    "LinearAttention",
    "Modulation",
    "TimeEmbedding",
    "TimeState",
    "parameter",
    "precision",
]


class HookPoint(nn.Identity):
    """An activation with a name: register a forward hook here to read or to change it."""


def parameter(*shape: int, dtype: torch.dtype) -> nn.Parameter:
    """An uninitialised parameter: weights are loaded into it."""
    return nn.Parameter(torch.empty(shape, dtype=dtype))


def precision(architecture: Architecture) -> torch.dtype:
    """The torch type of an architecture's weights."""
    return torch.float32 if architecture.dtype == "float32" else torch.float64


@dataclass(frozen=True)
class TimeState:
    """What the blocks know of the diffusion time: features (B, features) in the model's type, and
    ``alpha^2`` and ``sigma^2`` (B,) in float64.
    """

    features: Tensor
    alpha_sq: Tensor
    sigma_sq: Tensor


class TimeEmbedding(nn.Module):
    """The time features of `constructions.conditioning`, computed in float64: exact functions of
    the diffusion time, or the outputs of a network.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.activation = _activation(architecture.activation)
        self.feature_set = feature_set(architecture)
        self.names = list(self.feature_set.shapes(architecture.channels))
        for name, shape in self.feature_set.shapes(architecture.channels).items():
            self.register_parameter(name, parameter(*shape, dtype=torch.float64))

    def forward(self, t: Tensor, dtype: torch.dtype) -> TimeState:
        """Features of the diffusion times ``t`` (B,)."""
        t = t.double()
        alpha, sigma_sq = torch.exp(-t / 2), -torch.expm1(-t)
        weights = {name: self.get_parameter(name).double() for name in self.names}
        if isinstance(self.feature_set, NetworkFeatures):
            features = self.feature_set.run(weights, t, self.activation)
        else:
            features = self.feature_set.evaluate(weights, alpha, sigma_sq)
        return TimeState(torch.stack(features, dim=-1).to(dtype), alpha * alpha, sigma_sq)


class Attention(nn.Module):
    """Multi-query attention with optional relative position bias and attention sinks."""

    def __init__(self, shape: AttentionShape, architecture: Architecture) -> None:
        super().__init__()
        heads, width, frames = shape.heads, architecture.width, architecture.frames
        score_channels, value_channels = shape.score_channels, shape.value_channels
        dtype = precision(architecture)
        self.score, self.frames = shape.score, frames
        self.relative_bias: nn.Parameter | None
        self.pair_bias: nn.Parameter | None
        self.sink_key: nn.Parameter | None
        self.query = parameter(heads, width, score_channels, dtype=dtype)
        self.query_bias = parameter(heads, score_channels, dtype=dtype)
        self.key = parameter(width, score_channels, dtype=dtype)
        self.key_bias = parameter(score_channels, dtype=dtype)
        self.value = parameter(width, value_channels, dtype=dtype)
        self.output = parameter(heads, value_channels, width, dtype=dtype)
        self.register_parameter(
            "relative_bias",
            parameter(heads, 2 * frames - 1, dtype=dtype) if shape.relative_bias else None,
        )
        self.register_parameter(
            "pair_bias",
            parameter(heads, frames, frames, dtype=dtype) if shape.pair_bias else None,
        )
        self.register_parameter(
            "sink_key",
            parameter(heads, shape.sinks, score_channels, dtype=dtype) if shape.sinks else None,
        )
        self.pattern = HookPoint()

    def forward(self, x: Tensor, p: Tensor, time: TimeState) -> Tensor:
        """Attend from tokens ``x`` (B, N, D) with queries and keys read from ``p`` (B or 1, N, D).

        Returns what the heads write, (B, N, D).
        """
        frames = x.shape[1]
        query = torch.einsum("bnd,hdp->bhnp", p, self.query) + self.query_bias[:, None]
        key = p @ self.key + self.key_bias
        logits = torch.einsum("bhip,bjp->bhij", query, key)
        if self.relative_bias is not None:
            frame = torch.arange(frames, device=x.device)
            logits = logits + self.relative_bias[:, frame - frame[:, None] + self.frames - 1]
        if self.pair_bias is not None:
            logits = logits + self.pair_bias[:, :frames, :frames]
        if self.sink_key is not None:
            sinks = torch.einsum("bhip,hsp->bhis", query, self.sink_key)
            logits = torch.cat([logits, sinks], dim=-1)
        scores = torch.softmax(logits, dim=-1) if self.score == "softmax" else torch.relu(logits)
        pattern = self.pattern(scores)[..., :frames]  # the sinks' values are zero
        value = x @ self.value
        if len(pattern) == 1:  # one pattern for the whole batch: a single matrix product
            mixed = torch.einsum("hij,bju->bhiu", pattern[0], value)
        else:
            mixed = torch.einsum("bhij,bju->bhiu", pattern, value)
        written: Tensor = torch.einsum("bhiu,hud->bid", mixed, self.output)
        return written


class LinearAttention(nn.Module):
    """Linear attention: keys and values are summed over frames before queries read the sum.

    The features of a head are one number read from the position embedding, or cosine and sine of
    the frame's index at the head's own frequency. A gate ``1 / (alpha^2 pole + sigma^2)`` may scale
    what a head carries in a value channel.
    """

    def __init__(self, shape: AttentionShape, architecture: Architecture) -> None:
        super().__init__()
        heads, width, values = shape.heads, architecture.width, shape.value_channels
        dtype = precision(architecture)
        self.query: nn.Parameter | None
        self.key: nn.Parameter | None
        self.turns: nn.Parameter | None
        self.poles: nn.Parameter | None
        self.baseline: nn.Parameter | None
        self.amplitude = parameter(heads, dtype=dtype)
        self.value = parameter(width, values, dtype=dtype)
        self.output = parameter(values, width, dtype=dtype)
        read = None if shape.sinusoids else (width, heads)
        for name in ("query", "key"):
            self.register_parameter(name, parameter(*read, dtype=dtype) if read else None)
        self.register_parameter(
            "turns", parameter(heads, dtype=torch.float64) if shape.sinusoids else None
        )
        self.register_parameter(
            "poles", parameter(heads, values, dtype=dtype) if shape.gated else None
        )
        self.register_parameter(
            "baseline", parameter(values, dtype=dtype) if shape.baseline else None
        )
        self.state = HookPoint()

    def features(self, p: Tensor) -> tuple[Tensor, Tensor]:
        """Query and key features (B or 1, N, H, 1 or 2) for position embeddings ``p``."""
        if self.turns is not None:
            frame = torch.arange(p.shape[1], dtype=torch.float64, device=p.device)
            # whole revolutions are dropped first: exact where the turns are dyadic
            phase = 2 * torch.pi * torch.remainder(frame[:, None] * self.turns, 1.0)
            waves = torch.stack([torch.cos(phase), torch.sin(phase)], dim=-1).to(p.dtype)[None]
            return waves, waves
        assert self.query is not None
        assert self.key is not None
        return (p @ self.query)[..., None], (p @ self.key)[..., None]

    def weight(self, time: TimeState) -> Tensor:
        """What scales each head and value channel, (B or 1, H, U or 1)."""
        if self.poles is None:
            return self.amplitude[None, :, None]
        alpha_sq, sigma_sq = time.alpha_sq[:, None, None], time.sigma_sq[:, None, None]
        gate = resolvent(alpha_sq, sigma_sq, self.poles)
        if self.baseline is not None:
            gate = gate - resolvent(alpha_sq, sigma_sq, self.baseline)
        weight: Tensor = self.amplitude[:, None] * gate.to(self.amplitude.dtype)
        return weight

    def forward(self, x: Tensor, p: Tensor, time: TimeState) -> Tensor:
        """Attend from tokens ``x`` (B, N, D) with features of ``p`` (B or 1, N, D)."""
        query, key = self.features(p)
        value = x @ self.value
        if len(key) == 1:
            state = torch.einsum("nhp,bnu->bhpu", key[0], value)
        else:
            state = torch.einsum("bnhp,bnu->bhpu", key, value)
        state = self.state(state * self.weight(time)[:, :, None])
        if len(query) == 1:
            mixed = torch.einsum("nhp,bhpu->bnu", query[0], state)
        else:
            mixed = torch.einsum("bnhp,bhpu->bnu", query, state)
        written: Tensor = mixed @ self.output
        return written


class FeedForward(nn.Module):
    """Two layers with an activation between them, token by token."""

    def __init__(self, shape: BlockShape, architecture: Architecture) -> None:
        super().__init__()
        width, hidden, dtype = architecture.width, shape.hidden, precision(architecture)
        self.up, self.up_bias = (
            parameter(width, hidden, dtype=dtype),
            parameter(hidden, dtype=dtype),
        )
        self.down = parameter(hidden, width, dtype=dtype)
        self.down_bias = parameter(width, dtype=dtype)
        self.activation = _activation(architecture.activation)
        self.hidden = HookPoint()

    def forward(self, x: Tensor) -> Tensor:
        """What the layer writes, (B, N, D)."""
        hidden: Tensor = self.hidden(self.activation(x @ self.up + self.up_bias))
        return hidden @ self.down + self.down_bias


class Modulation(nn.Module):
    """adaLN: scales of what is read and gates of what is written, linear in time features.

    A block that listens to none has no scales and no gates.
    """

    def __init__(self, shape: BlockShape, architecture: Architecture) -> None:
        super().__init__()
        table, dtype = (shape.listens, architecture.width), precision(architecture)
        self.listen: Tensor
        if shape.listens:
            self.register_buffer("listen", torch.zeros(shape.listens, dtype=torch.int64))
        attention = shape.attention
        gated = shape.listens > 0
        used = {
            "attention_scale": gated and attention is not None and attention.score == "linear",
            "attention_gate": gated and attention is not None,
            "feed_forward_scale": gated and shape.hidden > 0,
        }
        for name, present in used.items():
            self.register_parameter(name, parameter(*table, dtype=dtype) if present else None)

    def scaled(self, x: Tensor, name: str, time: TimeState) -> Tensor:
        """``x`` times the scale or gate of that name (B, 1, D), where there is one."""
        if getattr(self, name, None) is None:
            return x
        heard = time.features[:, self.listen]
        return (heard @ self.get_parameter(name))[:, None] * x


def _activation(name: str) -> nn.Module:
    if name == "relu":
        return nn.ReLU()
    if name == "silu":
        return nn.SiLU()
    return nn.GELU(approximate="tanh" if name == "gelu_tanh" else "none")
