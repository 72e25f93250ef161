r"""A convolutional network over frames, conditioned on the diffusion time: the usual rival.

Levels of half the length each, joined by skip connections; blocks of two convolutions with
GroupNorm and SiLU, shifted and scaled by the time embedding. Any number of frames: odd lengths are
rounded up on the way down and cut on the way up.

Source: Ho, Jain & Abbeel, "Denoising diffusion probabilistic models", NeurIPS 2020, in one
dimension and without attention.
"""

from __future__ import annotations

import torch
import torch.nn.functional as f
from torch import Tensor, nn

from constructions.learned.network import ScoreNetwork, TimeFeatures
from unroll.errors import ArgumentError
from unroll.validation import integer

__all__ = ["UNet1d"]

_GROUPS = 8


class _Block(nn.Module):
    """Two convolutions of width 3 around a residual connection."""

    def __init__(self, inputs: int, outputs: int, time: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv1d(outputs, outputs, 3, padding=1)
        self.norms = nn.ModuleList(nn.GroupNorm(_GROUPS, outputs) for _ in range(2))
        self.modulation = nn.Linear(time, 2 * outputs)
        self.skip = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.modulation(f.silu(time))[..., None].chunk(2, dim=1)
        hidden = f.silu(self.norms[0](self.first(x)) * (1 + scale) + shift)
        total: Tensor = self.skip(x) + f.silu(self.norms[1](self.second(hidden)))
        return total


class UNet1d(ScoreNetwork):
    """The network.

    Parameters
    ----------
    frames, channels
        Shape of a sequence.
    width
        Channels at full length, a multiple of 8; doubled at every level.
    levels
        How often the length is halved.
    seed
        Of the initial weights.
    """

    def __init__(
        self, frames: int, channels: int, *, width: int = 32, levels: int = 2, seed: int = 0
    ) -> None:
        super().__init__(frames, channels)
        integer("levels", levels, 0)
        if integer("width", width, _GROUPS) % _GROUPS:
            raise ArgumentError("width", width, f"must be a multiple of {_GROUPS}", "round it")
        sizes = [width * 2**k for k in range(levels + 1)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.embed = nn.Conv1d(channels, width, 3, padding=1)
            self.time = TimeFeatures(width)
            self.down = nn.ModuleList(
                _Block(max(a, width), a, width) if k == 0 else _Block(sizes[k - 1], a, width)
                for k, a in enumerate(sizes)
            )
            self.up = nn.ModuleList(
                _Block(sizes[k + 1] + sizes[k], sizes[k], width) for k in reversed(range(levels))
            )
            self.readout = nn.Conv1d(width, channels, 3, padding=1)
            nn.init.zeros_(self.readout.weight)
            assert self.readout.bias is not None
            nn.init.zeros_(self.readout.bias)

    def noise(self, v: Tensor, t: Tensor) -> Tensor:
        """The predicted noise."""
        time, x = self.time(t), self.embed(v.transpose(1, 2))
        kept = []
        for k, block in enumerate(self.down):
            if k:
                x = f.avg_pool1d(x, 2, ceil_mode=True)
            x = block(x, time)
            kept.append(x)
        for block in self.up:
            kept.pop()
            wider = x.repeat_interleave(2, dim=-1)[..., : kept[-1].shape[-1]]
            x = block(torch.cat([wider, kept[-1]], dim=1), time)
        predicted: Tensor = self.readout(x)
        return predicted.transpose(1, 2)
