r"""What trained score networks share: they predict the noise, and know the diffusion time.

A sequence ``V_t = alpha_t X + sigma_t Z`` goes in, the score comes out: networks predict ``Z`` and
return ``-Z / sigma_t``, so that targets have unit size at every diffusion time. The time enters as
sinusoids of ``log t``.

Source: Ho, Jain & Abbeel, "Denoising diffusion probabilistic models", NeurIPS 2020 (noise
prediction); Peebles & Xie, "Scalable diffusion models with transformers", ICCV 2023.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from unroll.errors import ArgumentError
from unroll.validation import integer

__all__ = ["ScoreNetwork", "TimeFeatures", "noise_scale", "signal_scale"]

_OCTAVES = 8


def signal_scale(t: Tensor) -> Tensor:
    """``alpha_t = exp(-t / 2)``."""
    return torch.exp(-t / 2)


def noise_scale(t: Tensor) -> Tensor:
    """``sigma_t = (1 - exp(-t))^{1/2}``."""
    return torch.sqrt(-torch.expm1(-t))


class TimeFeatures(nn.Module):
    """Sinusoids of ``log t`` through two linear layers, (batch,) to (batch, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # log t spans about ten between 1e-3 and 10
        turns = 2 * math.pi / 16.0 * 2.0 ** (torch.arange(2 * _OCTAVES) / 2)
        self.turns: Tensor
        self.register_buffer("turns", turns)
        self.layers = nn.Sequential(
            nn.Linear(4 * _OCTAVES, width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, t: Tensor) -> Tensor:
        """Features of diffusion times."""
        phases = torch.log(t)[:, None].to(self.turns.dtype) * self.turns
        embedded: Tensor = self.layers(torch.cat([torch.cos(phases), torch.sin(phases)], dim=-1))
        return embedded


class ScoreNetwork(nn.Module, ABC):
    """A network ``score = model(v, t)``.

    Attributes
    ----------
    frames, channels
        Shape of a sequence.
    """

    def __init__(self, frames: int, channels: int) -> None:
        super().__init__()
        self.frames = integer("frames", frames, 1)
        self.channels = integer("channels", channels, 1)

    @abstractmethod
    def noise(self, v: Tensor, t: Tensor) -> Tensor:
        """The predicted noise (batch, frames, channels), for times (batch,)."""

    def forward(self, v: Tensor, t: Tensor | float) -> Tensor:
        """The score.

        Parameters
        ----------
        v
            Noisy sequences (batch, frames, channels).
        t
            Diffusion time, scalar or (batch,), positive.

        Raises
        ------
        ArgumentError
            A shape that does not fit; a time that is not positive.
        """
        return self.score(v, self.checked(v, t))

    def score(self, v: Tensor, t: Tensor) -> Tensor:
        """The same for times (batch,) in float64, unchecked: it can be vectorised."""
        return -self.noise(v, t) / noise_scale(t).to(v.dtype)[:, None, None]

    def checked(self, v: Tensor, t: Tensor | float) -> Tensor:
        """Diffusion times as (batch,), in float64."""
        if v.ndim != 3 or v.shape[1:] != (self.frames, self.channels):
            raise ArgumentError(
                "v",
                tuple(v.shape),
                f"must be (batch, {self.frames}, {self.channels})",
                "give sequences as rows of frames",
            )
        times = torch.as_tensor(t, dtype=torch.float64, device=v.device)
        if times.ndim > 1 or (times.ndim == 1 and len(times) != len(v)):
            raise ArgumentError("t", tuple(times.shape), f"must be () or ({len(v)},)", "reshape t")
        if not bool(((times > 0) & torch.isfinite(times)).all()):
            raise ArgumentError("t", t, "must be positive and finite", "give a diffusion time")
        return times.expand(len(v))
