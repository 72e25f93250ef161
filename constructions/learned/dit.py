r"""A small standard diffusion transformer over frames: softmax attention, adaLN-Zero, GELU.

A frame is a token. Blocks are ``x <- x + g_1 MHA(LN(x) (1 + c_1) + b_1)`` and the same with a
multilayer perceptron; scales, shifts and gates are linear in an embedding of the diffusion time,
and zero at first.

Source: Peebles & Xie, "Scalable diffusion models with transformers", ICCV 2023.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as f
from torch import Tensor, nn

from constructions.learned.network import ScoreNetwork, TimeFeatures
from unroll.errors import ArgumentError
from unroll.validation import choice, integer

__all__ = ["DiT"]


class _Attention(nn.Module):
    """Softmax attention; queries and keys may be made of something else than values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key = nn.Linear(width, 2 * width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def scores(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys (batch, heads, frames, width / heads)."""
        query, key = self.query_key(x).chunk(2, dim=-1)
        return self._split(query), self._split(key)

    def maps(self, x: Tensor) -> Tensor:
        """Attention weights (batch, heads, frames, frames)."""
        query, key = self.scores(x)
        logits = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        return torch.softmax(logits, dim=-1)

    def forward(self, x: Tensor, asked: Tensor) -> Tensor:
        """What is written: values read ``x``, queries and keys ``asked``."""
        mixed = self.maps(asked) @ self._split(self.value(x))
        written: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return written

    def _split(self, x: Tensor) -> Tensor:
        split: Tensor = x.view(*x.shape[:-1], self.heads, -1).transpose(1, 2)
        return split


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.attention = _Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, mlp_ratio * width), nn.GELU(), nn.Linear(mlp_ratio * width, width)
        )
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, time: Tensor, places: Tensor | None) -> Tensor:
        shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = self._modulated(time)
        read = _normal(x) * (1 + scale) + shift
        x = x + gate * self.attention(read, read if places is None else places)
        after: Tensor = x + gate_mlp * self.mlp(_normal(x) * (1 + scale_mlp) + shift_mlp)
        return after

    def maps(self, x: Tensor, time: Tensor, places: Tensor | None) -> Tensor:
        shift, scale, *_ = self._modulated(time)
        return self.attention.maps(_normal(x) * (1 + scale) + shift if places is None else places)

    def _modulated(self, time: Tensor) -> tuple[Tensor, ...]:
        parts: Tensor = self.modulation(f.silu(time))
        return parts[:, None].chunk(6, dim=-1)


class DiT(ScoreNetwork):
    """The network.

    Parameters
    ----------
    frames, channels
        Shape of a sequence.
    width
        Channels of the residual stream, a multiple of ``heads``.
    depth, heads
        Blocks, and attention heads in each.
    mlp_ratio
        Hidden units of the perceptrons, over ``width``.
    positions
        ``"sinusoidal"`` or ``"learned"`` embeddings.
    content
        False: queries and keys see positions only, so that attention maps cannot depend on the
        sequence (a control).
    seed
        Of the initial weights.
    """

    def __init__(
        self,
        frames: int,
        channels: int,
        *,
        width: int = 64,
        depth: int = 4,
        heads: int = 4,
        mlp_ratio: int = 4,
        positions: str = "sinusoidal",
        content: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(frames, channels)
        integer("depth", depth, 1)
        choice("positions", positions, ("sinusoidal", "learned"))
        if integer("width", width, 2) % integer("heads", heads, 1) or width % 2:
            condition = f"must be even and a multiple of heads={heads}"
            raise ArgumentError("width", width, condition, "change one of the two")
        self.content = content
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.embed = nn.Linear(channels, width)
            self.time = TimeFeatures(width)
            self.blocks = nn.ModuleList(_Block(width, heads, mlp_ratio) for _ in range(depth))
            self.modulation = nn.Linear(width, 2 * width)
            self.readout = nn.Linear(width, channels)
            if positions == "learned":
                self.position = nn.Parameter(0.02 * torch.randn(frames, width))
            else:
                self.register_buffer("position", _sinusoids(frames, width))
            for layer in (self.modulation, self.readout):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)

    def noise(self, v: Tensor, t: Tensor) -> Tensor:
        """The predicted noise."""
        x, time, places = self._enter(v, t)
        for block in self.blocks:
            x = block(x, time, places)
        shift, scale = self.modulation(f.silu(time))[:, None].chunk(2, dim=-1)
        predicted: Tensor = self.readout(_normal(x) * (1 + scale) + shift)
        return predicted

    def attention_maps(self, v: Tensor, t: Tensor | float) -> Tensor:
        """Attention weights (depth, batch, heads, frames, frames)."""
        x, time, places = self._enter(v, self.checked(v, t))
        maps = []
        for block in self.blocks:
            assert isinstance(block, _Block)  # lists of modules have no type of their items
            maps.append(block.maps(x, time, places))
            x = block(x, time, places)
        return torch.stack([m.expand(len(v), -1, -1, -1) for m in maps])

    def residual_stream(self, v: Tensor, t: Tensor | float) -> Tensor:
        """The stream (depth + 1, batch, frames, width): before the first block, after each."""
        x, time, places = self._enter(v, self.checked(v, t))
        states = [x]
        for block in self.blocks:
            states.append(block(states[-1], time, places))
        return torch.stack(states)

    def _enter(self, v: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        places = None if self.content else _normal(self.position)[None]
        return self.embed(v) + self.position, self.time(t), places


def _normal(x: Tensor) -> Tensor:
    return f.layer_norm(x, x.shape[-1:])


def _sinusoids(frames: int, width: int) -> Tensor:
    """Vaswani et al., "Attention is all you need", section 3.5."""
    turns = 10_000.0 ** (-torch.arange(0, width, 2) / width)
    phases = torch.arange(frames)[:, None] * turns
    return torch.cat([torch.sin(phases), torch.cos(phases)], dim=-1)
