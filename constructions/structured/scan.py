r"""Sums of exponentials as two-sided scans over chunks: ``O(N)``, for any number of heads.

    y_i = sum_j k(|i - j|) x_j,    k(h) = sum_m w_m exp(-a_m h).

Inside a chunk of ``c`` frames this is one matrix for all heads. What reaches a chunk from before
it is one number per head, ``sum_j exp(-a_m (distance of j to the chunk)) x_j``, and likewise from
behind: *states* that obey ``G_q = S_{q-1} + exp(-a_m c) G_{q-1}`` with the chunk's own ``S_q``.
That recurrence is the same problem at a ``c``-th of the length, and is solved the same way.

Source: chunked linear recurrences as in gated linear attention (Yang et al., arXiv 2312.06635).
"""

from __future__ import annotations

import torch
from torch import Tensor

from constructions.structured.channels import Factor, times
from constructions.structured.mixing import Mixing

__all__ = ["CHUNK", "Scan"]

#: Frames of a chunk. Measured with 1 to 12 exponentials, float32 and float64: 32 to 128 are within
#: a third of each other, 64 is the best on average.
CHUNK = 64
#: Chunks whose states are carried by one matrix per head, and the step of the recursion above.
_MOST, _STEP = 32, 16


class Scan(Mixing):
    """``sum_m weights_m exp(-slopes_m |i - j|)``.

    Parameters
    ----------
    slopes, weights
        Tensors (M,), float64; slopes are positive.
    frames
        Length of the sequences.
    """

    name = "scan"

    def __init__(self, slopes: Tensor, weights: Tensor, frames: int, dtype: torch.dtype) -> None:
        self._tail, chunks = -frames % CHUNK, -(-frames // CHUNK)
        frame = torch.arange(CHUNK, dtype=torch.float64, device=slopes.device)
        lag = (frame[:, None] - frame).abs()
        decay = torch.exp(-slopes[:, None] * frame)  # [M, c]
        local = (weights[:, None, None] * torch.exp(-slopes[:, None, None] * lag)).sum(0)
        self._local = local.to(dtype)
        # states forward, to the last frame of the chunk, and backward, to the first
        self._collect = torch.cat([decay.flip(1), decay]).to(dtype)  # [2M, c]
        onward = weights[:, None] * decay * torch.exp(-slopes[:, None])
        self._spread = torch.cat([onward, onward.flip(1)]).T.to(dtype).contiguous()  # [c, 2M]
        self._carry = Carry(slopes * CHUNK, chunks, dtype)

    @property
    def dtype(self) -> torch.dtype:
        """Of the matrices."""
        return self._local.dtype

    def apply(self, x: Tensor, prepared: Factor | None) -> Tensor:
        """Four matrix products and the carrying of the states."""
        padded = torch.nn.functional.pad(x, (0, self._tail)) if self._tail else x
        chunks = padded.reshape(-1, CHUNK)
        states = self._collect @ chunks.T  # [2M, B U chunks]
        carried = self._carry(states.view(len(states), -1, padded.shape[-1] // CHUNK))
        mixed = torch.addmm(chunks @ self._local, carried.flatten(1).T, self._spread.T)
        mixed = mixed.view(padded.shape)[..., : x.shape[-1]]
        return times(prepared, mixed)


class Carry:
    """``G_q = S_{q-1} + decay G_{q-1}`` for the first half of the heads, mirrored for the second.

    Parameters
    ----------
    slopes
        ``-log decay`` of each pair of heads, (M,).
    length
        Number of states in a row.
    """

    def __init__(self, slopes: Tensor, length: int, dtype: torch.dtype) -> None:
        self._step = length if length <= _MOST else _STEP
        self._tail = -length % self._step
        place = torch.arange(self._step, dtype=torch.float64, device=slopes.device)
        gap = place - place[:, None] - 1  # [from, to]
        earlier = torch.where(gap >= 0, torch.exp(-slopes[:, None, None] * gap.clamp(min=0)), 0.0)
        self._within = torch.cat([earlier, earlier.transpose(1, 2)]).to(dtype)  # [2M, step, step]
        self._above: Carry | None = None
        if length > _MOST:
            decay = torch.exp(-slopes[:, None] * place)
            totals = torch.cat([decay.flip(1), decay])[:, :, None]
            self._within = torch.cat([self._within, totals.to(dtype)], dim=2)
            self._onward = torch.cat([decay, decay.flip(1)]).to(dtype)[:, None, None, :]
            self._above = Carry(slopes * self._step, -(-length // self._step), dtype)

    def __call__(self, states: Tensor) -> Tensor:
        """Tensor (2M, rows, length) of the same shape."""
        heads, rows, length = states.shape
        if self._above is None:
            return torch.bmm(states, self._within)
        padded = torch.nn.functional.pad(states, (0, self._tail)) if self._tail else states
        local = torch.bmm(padded.reshape(heads, -1, self._step), self._within)
        local = local.view(heads, rows, -1, self._step + 1)
        above = self._above(local[..., -1])
        carried = torch.addcmul(local[..., :-1], above[..., None], self._onward)
        return carried.flatten(2)[..., :length]
