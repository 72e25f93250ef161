"""Linear attention: a circulant, a Toeplitz matrix, or a few matrix products.

Without gates the sum of all heads on sinusoids is a function of the lag, whatever the frequencies.
With a gate of its own for each head it is a circulant, if the frequencies are multiples of one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from constructions.layers import LinearAttention
from constructions.structured.convolution import Circulant
from constructions.structured.mixing import Features, Gates, Mixing, Mixtures
from constructions.structured.toeplitz import toeplitz

__all__ = ["read_linear"]


def read_linear(layer: LinearAttention, position: Tensor | None, frames: int) -> Mixing | None:
    """What a layer of linear attention does along the frames; None if that depends on the stream.

    Parameters
    ----------
    layer
        The layer.
    position
        What queries and keys read, (n, D), if that is the same for all sequences; else None.
    frames
        Length ``n`` of the sequences.
    """
    dtype = layer.output.dtype
    w = {name: p.detach().double() for name, p in layer.named_parameters()}
    amplitude, poles, baseline = w["amplitude"], w.get("poles"), w.get("baseline")
    if layer.turns is None:
        if position is None:
            return None
        return _read_positions(position.double(), w, Gates(amplitude, poles, baseline), dtype)
    turns = w["turns"]
    grid = _grid(turns)
    if poles is None:
        return toeplitz(_cosines(turns, amplitude, grid, frames), dtype)
    if grid is not None and grid[1] >= frames:
        harmonics, period = grid
        return Circulant(harmonics, period, amplitude, poles, baseline, dtype)
    phase = _phases(turns, torch.arange(frames, device=turns.device))
    waves = torch.stack([torch.cos(phase), torch.sin(phase)], dim=-1).flatten(1)
    doubled = Gates(amplitude.repeat_interleave(2), poles.repeat_interleave(2, dim=0), baseline)
    return Features(waves, waves, doubled, dtype)


def _read_positions(
    position: Tensor, w: dict[str, Tensor], gates: Gates, dtype: torch.dtype
) -> Mixing:
    """Queries and keys are mixtures of position channels: of a few, where heads are many."""
    channels = [torch.nonzero(w[name].any(1)).flatten() for name in ("query", "key")]
    (ends, asked), (starts, offered) = (
        (position[:, used], w[name][used])
        for name, used in zip(("query", "key"), channels, strict=True)
    )
    if ends.shape[1] + starts.shape[1] < asked.shape[1]:
        return Mixtures((ends, asked), (starts, offered), gates, dtype)
    return Features(ends @ asked, starts @ offered, gates, dtype)


def _phases(turns: Tensor, frame: Tensor) -> Tensor:
    return 2 * torch.pi * torch.remainder(frame[:, None] * turns, 1.0)


def _grid(turns: Tensor) -> tuple[Tensor, int] | None:
    """Integers ``0 <= m <= C / 2`` and ``C`` with ``turns = m / C`` in float64, or None."""
    smallest = min((turn for turn in turns.tolist() if turn != 0), default=1.0)
    if not 2.0**-31 < smallest <= 1:
        return None
    period = round(1 / smallest)
    harmonics = torch.round(turns * period)
    fits = torch.equal(harmonics / period, turns) and bool((2 * harmonics <= period).all())
    return (harmonics.long(), period) if fits else None


def _cosines(
    turns: Tensor, amplitude: Tensor, grid: tuple[Tensor, int] | None, frames: int
) -> Tensor:
    """``sum_m amplitude_m cos(2 pi turns_m lag)``, (2n - 1,)."""
    if grid is not None and grid[1] >= frames:
        harmonics, period = grid
        spectrum = turns.new_zeros(period // 2 + 1).index_add(0, harmonics, amplitude)
        waves = torch.arange(period // 2 + 1, device=turns.device)
        alone = (2 * waves) % period == 0
        half = torch.fft.irfft(spectrum * torch.where(alone, period, period / 2), period)[:frames]
    else:
        lags = torch.arange(frames, device=turns.device)
        parts = torch.split(lags, max(1, (1 << 22) // len(turns)))
        half = torch.cat([torch.cos(_phases(turns, part)) @ amplitude for part in parts])
    return torch.cat([half[1:].flip(0), half])
