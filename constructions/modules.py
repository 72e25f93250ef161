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

from constructions.architecture import Architecture, BlockShape
from constructions.layers import (
    Attention,
    FeedForward,
    HookPoint,
    LinearAttention,
    Modulation,
    TimeEmbedding,
    TimeState,
    parameter,
    precision,
)
from unroll.errors import ArgumentError

__all__ = ["Block", "HookPoint", "Transformer"]


class Block(nn.Module):
    """A parallel block: ``x + gate * attention(scale * x) + feed_forward(scale * x)``."""

    def __init__(self, shape: BlockShape, architecture: Architecture) -> None:
        super().__init__()
        self.attention: nn.Module | None = None
        if shape.attention is not None:
            layer = LinearAttention if shape.attention.score == "linear" else Attention
            self.attention = layer(shape.attention, architecture)
        self.feed_forward = FeedForward(shape, architecture) if shape.hidden else None
        self.modulation = Modulation(shape, architecture)
        self.stream = HookPoint()

    def forward(self, x: Tensor, p: Tensor, time: TimeState) -> Tensor:
        """The residual stream after the block, (B, N, D)."""
        scaled, written = self.modulation.scaled, torch.zeros_like(x)
        if self.attention is not None:
            attended = self.attention(scaled(x, "attention_scale", time), p, time)
            written = scaled(attended, "attention_gate", time)
        if self.feed_forward is not None:
            read = scaled(x, "feed_forward_scale", time)
            written = written + self.feed_forward(read)
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
        width, dtype = architecture.width, precision(architecture)
        self.embed = parameter(architecture.channels, width, dtype=dtype)
        self.position = parameter(architecture.frames, width, dtype=dtype)
        self.position_end: nn.Parameter | None
        self.register_parameter(
            "position_end",
            parameter(architecture.frames, width, dtype=dtype) if architecture.two_ended else None,
        )
        self.time = TimeEmbedding(architecture)
        features = self.time.feature_set.count(architecture.channels)
        self.time_embed: nn.Parameter | None
        self.radius: nn.Parameter | None
        self.register_parameter(
            "time_embed",
            parameter(features, width, dtype=dtype) if architecture.time_tokens else None,
        )
        self.register_parameter("radius", parameter(dtype=dtype) if architecture.clipped else None)
        self.blocks = nn.ModuleList(
            Block(architecture.shape(k), architecture) for k in range(architecture.depth)
        )
        self.readout = parameter(width, architecture.channels, dtype=dtype)

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
        features = self.time.feature_set.count(self.architecture.channels)
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
        return self._run(batch, times).reshape(v.shape)

    def _run(self, v: Tensor, times: Tensor) -> Tensor:
        """The forward pass proper, for checked sequences (B, n, d) of at most N frames."""
        time = self.time(times, v.dtype)
        position = self.position[: v.shape[1]]
        if self.position_end is not None:
            position = position + self.position_end[: v.shape[1]].flip(0)
        x = v @ self.embed + position
        if self.time_embed is not None:
            x = x + (time.features @ self.time_embed)[:, None]
        for block in self.blocks:
            x = block(x, position[None] if self.scores_from == "position" else x, time)
        readout: Tensor = x @ self.readout
        if self.radius is not None:  # the nearest point in a ball
            size = torch.linalg.vector_norm(readout, dim=(1, 2), keepdim=True)
            readout = readout * (self.radius / torch.maximum(size, self.radius))
        return readout

    def _check(self, v: Any, t: Any, *, shorter: bool = False) -> tuple[Tensor, Tensor]:
        a, dtype = self.architecture, self.embed.dtype
        if not isinstance(v, Tensor):
            raise ArgumentError(
                "v", type(v).__name__, "must be a torch tensor", "use torch.as_tensor(v)"
            )
        if v.dtype != dtype:
            raise ArgumentError(
                "v", str(v.dtype), f"must have the model's dtype {dtype}", f"use v.to({dtype})"
            )
        frames = v.shape[-2] if shorter else a.frames
        if v.ndim not in (2, 3) or tuple(v.shape[-2:]) != (frames, a.channels):
            raise ArgumentError(
                "v",
                tuple(v.shape),
                f"must have shape (batch, frames={frames}, channels={a.channels})",
                "reshape it, frames before channels",
            )
        if not torch.isfinite(v).all():
            raise ArgumentError("v", "tensor", "contains NaN or infinite entries", "clean the data")
        batch = v.reshape(-1, frames, a.channels)
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
