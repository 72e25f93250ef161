"""A generic transformer in torch. Everything special about a model is in its weights.

Embed, parallel blocks of attention and feed-forward layer with residual connections and adaLN
gates, read out: `constructions.blocks` is the same computation in numpy and holds the shape
glossary. The forward pass computes no covariance, solves nothing and sees no plan: with other
weights it is another function.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from constructions.architecture import Architecture
from constructions.conditioning import PER_STEP, time_features
from unroll.errors import ArgumentError

__all__ = ["Attention", "Block", "FeedForward", "HookPoint", "TimeEmbedding", "Transformer"]


class HookPoint(nn.Identity):
    """An activation with a name: register a forward hook here to read or to change it."""


class TimeEmbedding(nn.Module):
    """The time features of `constructions.conditioning.exact`, computed in float64."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.method, self.steps = architecture.time_features, architecture.time_steps
        self.spectrum = _parameter(2, dtype=torch.float64)

    def forward(self, t: Tensor, dtype: torch.dtype) -> Tensor:
        """Features (B, 1 + 5 steps) of the diffusion times ``t`` (B,)."""
        t, (lower, upper) = t.double(), self.spectrum.double()
        alpha, sigma_sq = torch.exp(-t / 2), -torch.expm1(-t)
        features = time_features(self.method, self.steps, lower, upper, alpha, sigma_sq)
        return torch.stack(features, dim=-1).to(dtype)


class Attention(nn.Module):
    """Multi-query attention with optional relative position bias and attention sink."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        heads, width, frames = architecture.heads, architecture.width, architecture.frames
        score_channels, value_channels = architecture.score_channels, architecture.value_channels
        dtype = _dtype(architecture)
        self.score = architecture.score
        self.query = _parameter(heads, width, score_channels, dtype=dtype)
        self.query_bias = _parameter(heads, score_channels, dtype=dtype)
        self.key = _parameter(width, score_channels, dtype=dtype)
        self.key_bias = _parameter(score_channels, dtype=dtype)
        self.value = _parameter(width, value_channels, dtype=dtype)
        self.output = _parameter(heads, value_channels, width, dtype=dtype)
        if architecture.relative_bias:
            self.relative_bias = _parameter(heads, 2 * frames - 1, dtype=dtype)
        else:
            self.register_parameter("relative_bias", None)
        if architecture.sink:
            self.sink_key = _parameter(heads, score_channels, dtype=dtype)
        else:
            self.register_parameter("sink_key", None)
        self.pattern = HookPoint()

    def forward(self, x: Tensor, p: Tensor) -> Tensor:
        """Attend from tokens ``x`` (B, N, D) with queries and keys read from ``p`` (B or 1, N, D).

        Returns what the heads write, (B, N, D).
        """
        frames = x.shape[1]
        query = torch.einsum("bnd,hdp->bhnp", p, self.query) + self.query_bias[:, None]
        key = p @ self.key + self.key_bias
        logits = torch.einsum("bhip,bjp->bhij", query, key)
        if self.relative_bias is not None:
            frame = torch.arange(frames, device=x.device)
            logits = logits + self.relative_bias[:, frame - frame[:, None] + frames - 1]
        if self.sink_key is not None:
            sink = torch.einsum("bhip,hp->bhi", query, self.sink_key)
            logits = torch.cat([logits, sink[..., None]], dim=-1)
        scores = torch.softmax(logits, dim=-1) if self.score == "softmax" else torch.relu(logits)
        pattern = self.pattern(scores)[..., :frames]  # the sink's value is zero
        value = x @ self.value
        if len(pattern) == 1:  # one pattern for the whole batch: a single matrix product
            mixed = torch.einsum("hij,bju->bhiu", pattern[0], value)
        else:
            mixed = torch.einsum("bhij,bju->bhiu", pattern, value)
        written: Tensor = torch.einsum("bhiu,hud->bid", mixed, self.output)
        return written


class FeedForward(nn.Module):
    """Two layers with an activation between them, token by token."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        width, hidden, dtype = architecture.width, architecture.hidden, _dtype(architecture)
        self.up, self.up_bias = (
            _parameter(width, hidden, dtype=dtype),
            _parameter(hidden, dtype=dtype),
        )
        self.down, self.down_bias = (
            _parameter(hidden, width, dtype=dtype),
            _parameter(width, dtype=dtype),
        )
        self.activation = _activation(architecture.activation)
        self.hidden = HookPoint()

    def forward(self, x: Tensor) -> Tensor:
        """What the layer writes, (B, N, D)."""
        hidden: Tensor = self.hidden(self.activation(x @ self.up + self.up_bias))
        return hidden @ self.down + self.down_bias


class Modulation(nn.Module):
    """adaLN: attention gate and feed-forward scale, linear in the features it listens to."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        shape, dtype = (architecture.listens, architecture.width), _dtype(architecture)
        self.listen: Tensor
        self.register_buffer("listen", torch.zeros(architecture.listens, dtype=torch.int64))
        self.attention_gate = _parameter(*shape, dtype=dtype)
        self.feed_forward_scale = _parameter(*shape, dtype=dtype)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Gate and scale, each (B, 1, D)."""
        heard = features[:, self.listen]
        return (heard @ self.attention_gate)[:, None], (heard @ self.feed_forward_scale)[:, None]


class Block(nn.Module):
    """A parallel block: ``x + gate * attention(x) + feed_forward(scale * x)``."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.attention = Attention(architecture)
        self.feed_forward = FeedForward(architecture)
        self.modulation = Modulation(architecture)
        self.stream = HookPoint()

    def forward(self, x: Tensor, p: Tensor, features: Tensor) -> Tensor:
        """The residual stream after the block, (B, N, D)."""
        gate, scale = self.modulation(features)
        written = gate * self.attention(x, p) + self.feed_forward(scale * x)
        after: Tensor = self.stream(x + written)
        return after


class Transformer(nn.Module):
    """Noisy sequences and a diffusion time in, one vector per frame out.

    Parameters
    ----------
    architecture
        Sizes and switches. Parameters are left uninitialised: load weights into them.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.scores_from = architecture.scores_from
        width, dtype = architecture.width, _dtype(architecture)
        self.embed = _parameter(architecture.channels, width, dtype=dtype)
        self.position = _parameter(architecture.frames, width, dtype=dtype)
        self.time = TimeEmbedding(architecture)
        self.blocks = nn.ModuleList(Block(architecture) for _ in range(architecture.depth))
        self.readout = _parameter(width, architecture.channels, dtype=dtype)

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Copy named tensors into parameters and buffers; all names and shapes must match.

        What ``load_state_dict`` does, in time linear in the depth instead of quadratic.
        """
        own = dict(self.named_parameters()) | dict(self.named_buffers())
        missing, foreign = sorted(own.keys() - tensors), sorted(tensors.keys() - own)
        if missing or foreign:
            raise ArgumentError(
                "weights",
                (missing or foreign)[0],
                "is missing" if missing else "does not belong to this architecture",
                "use the weights that were saved with this architecture",
            )
        for name, tensor in tensors.items():
            if tensor.shape != own[name].shape or tensor.dtype != own[name].dtype:
                raise ArgumentError(
                    "weights",
                    name,
                    f"has shape {tuple(tensor.shape)} and type {tensor.dtype}, not "
                    f"{tuple(own[name].shape)} and {own[name].dtype}",
                    "use the weights that were saved with this architecture",
                )
        features = 1 + len(PER_STEP) * self.architecture.time_steps
        for name, tensor in tensors.items():
            if name.endswith(".listen") and not ((tensor >= 0) & (tensor < features)).all():
                raise ArgumentError(
                    "weights",
                    name,
                    f"names a time feature outside 0 .. {features - 1}",
                    "use the weights that were saved with this architecture",
                )
        with torch.no_grad():
            for name, tensor in tensors.items():
                own[name].copy_(tensor)

    def forward(self, v: Tensor, t: Tensor | float) -> Tensor:
        """The score of noisy sequences.

        Parameters
        ----------
        v
            Tensor (batch, frames, channels), or (frames, channels) for one sequence.
        t
            Diffusion time, scalar or tensor (batch,), inside ``[t_min, t_max]``.

        Returns
        -------
        Tensor of the shape of ``v``.

        Raises
        ------
        ArgumentError
            Wrong shape or type, NaN or infinite entries, or ``t`` outside the range.
        """
        batch, times = self._check(v, t)
        features = self.time(times, batch.dtype)
        x = batch @ self.embed + self.position
        for block in self.blocks:
            p = self.position[None] if self.scores_from == "position" else x
            x = block(x, p, features)
        return (x @ self.readout).reshape(v.shape)

    def _check(self, v: Any, t: Any) -> tuple[Tensor, Tensor]:
        a, dtype = self.architecture, self.embed.dtype
        if not isinstance(v, Tensor):
            raise ArgumentError(
                "v", type(v).__name__, "must be a torch tensor", "use torch.as_tensor(v)"
            )
        if v.dtype != dtype:
            raise ArgumentError(
                "v", str(v.dtype), f"must have the model's dtype {dtype}", f"use v.to({dtype})"
            )
        if v.ndim not in (2, 3) or tuple(v.shape[-2:]) != (a.frames, a.channels):
            raise ArgumentError(
                "v",
                tuple(v.shape),
                f"must have shape (batch, frames={a.frames}, channels={a.channels})",
                "reshape it, frames before channels",
            )
        if not torch.isfinite(v).all():
            raise ArgumentError("v", "tensor", "contains NaN or infinite entries", "clean the data")
        batch = v.reshape(-1, a.frames, a.channels)
        try:
            times = torch.as_tensor(t, dtype=torch.float64, device=v.device)
        except (TypeError, ValueError, RuntimeError):
            raise ArgumentError("t", t, "must be a number or a tensor", "give one t each") from None
        if times.ndim > 1 or (times.ndim == 1 and len(times) not in (1, len(batch))):
            raise ArgumentError(
                "t",
                tuple(times.shape),
                f"must be a scalar or of shape ({len(batch)},)",
                "reshape t",
            )
        outside = ~((times >= a.t_min) & (times <= a.t_max))
        # a float32 t stands for every real number that rounds to it
        slack = 2e-7 if isinstance(t, Tensor) and t.dtype != torch.float64 else 0.0
        clamped = times.clamp(a.t_min, a.t_max)
        if (outside & ~((times - clamped).abs() <= slack * clamped)).any():
            raise ArgumentError(
                "t",
                times[outside].reshape(-1)[0].item(),
                f"is outside the range [{a.t_min:g}, {a.t_max:g}] of the model",
                "stay inside it, or build a model with a wider range",
            )
        return batch, clamped.expand(len(batch))


def _parameter(*shape: int, dtype: torch.dtype) -> nn.Parameter:
    return nn.Parameter(torch.empty(*shape, dtype=dtype))


def _dtype(architecture: Architecture) -> torch.dtype:
    return torch.float32 if architecture.dtype == "float32" else torch.float64


def _activation(name: str) -> nn.Module:
    if name == "relu":
        return nn.ReLU()
    if name == "silu":
        return nn.SiLU()
    return nn.GELU(approximate="tanh" if name == "gelu_tanh" else "none")
