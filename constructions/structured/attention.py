"""From the weights of an attention layer to mixings: heads with one output direction are one.

A layer writes ``sum_h diag(rows_h) T_h (x V) O_h`` with Toeplitz ``T_h``. Heads whose output maps
are multiples of one another, and whose rows are constant, add up to a single Toeplitz matrix
before anything is computed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from constructions.layers import Attention, LinearAttention, TimeState
from constructions.structured.lags import Lags, exponential_slope, read_lags
from constructions.structured.linear import read_linear
from constructions.structured.mixing import Dense, Mixing
from constructions.structured.toeplitz import Exponentials, toeplitz

__all__ = ["Part", "Reader", "digest"]

# Relative spread of denominators that counts as constant: what the roundings of logits leave.
_ROUNDINGS = 64
# Patterns without structure are kept up to this many frames and entries of all heads.
_LONGEST, _MOST = 1024, 1 << 24


@dataclass(frozen=True)
class Part:
    """One mixing and where its result goes.

    Attributes
    ----------
    mixing
        Acts on value channels.
    rows
        What the result is multiplied by, (n,), or None.
    output
        Value channels to the stream, (U, D), float64.
    """

    mixing: Mixing
    rows: Tensor | None
    output: Tensor


class Reader:
    """Reads attention layers, layers with the same weights once.

    Parameters
    ----------
    position
        The position embedding, (n, D).
    """

    def __init__(self, position: Tensor) -> None:
        self.position = position
        self._known: dict[tuple[bytes, bool], list[Part] | None] = {}

    def read(self, layer: Attention | LinearAttention, *, fixed: bool) -> list[Part] | None:
        """The parts of a layer, or None where it has to be run as it stands.

        ``fixed``: queries and keys read the position embedding, or the same as if they did.
        """
        key = digest(layer), fixed
        if key not in self._known:
            position = self.position if fixed else None
            self._known[key] = _read(layer, position, len(self.position))
        return self._known[key]


def digest(module: nn.Module, *, without: str = "") -> bytes:
    """Equal for modules whose weights are equal, but for one name."""
    state = hashlib.blake2b()
    for name, tensor in module.state_dict().items():
        if name != without:
            state.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            state.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return state.digest()


def _read(
    layer: Attention | LinearAttention, position: Tensor | None, frames: int
) -> list[Part] | None:
    if isinstance(layer, LinearAttention):
        mixing = read_linear(layer, position, frames)
        output = layer.output.detach().double()
        return None if mixing is None else [Part(mixing, None, output)]
    if position is None:
        return None
    lags = read_lags(layer, position)
    return _patterns(layer, position) if lags is None else _merged(lags, layer)


def _merged(lags: Lags, layer: Attention) -> list[Part]:
    output, dtype = layer.output.detach().double(), layer.output.dtype
    eps = torch.finfo(dtype).eps
    parts: list[Part] = []
    for direction, heads, weights in _directions(output):
        alone = torch.zeros(len(heads), dtype=torch.bool, device=output.device)
        if lags.rows is not None:
            rows = lags.rows[heads]
            low, high = rows.amin(1), rows.amax(1)
            alone = high - low > _ROUNDINGS * eps * high
            weights = torch.where(alone, weights, weights * rows.mean(1))
        together = torch.nonzero(~alone).flatten()
        if len(together):
            kernel = lags.weighted(heads[together], weights[together])
            sums = _exponentials(lags, heads[together], weights[together], eps)
            parts.append(Part(toeplitz(kernel, dtype, sums), None, direction))
        for k in torch.nonzero(alone).flatten():
            mixing = toeplitz(lags.weighted(heads[k : k + 1], weights[k : k + 1]), dtype)
            parts.append(Part(mixing, rows[k].to(dtype), direction))
    return parts


def _patterns(layer: Attention, position: Tensor) -> list[Part] | None:
    """Patterns that positions decide otherwise, computed once; None where they are too large."""
    frames, heads = len(position), len(layer.output)
    if frames > _LONGEST or heads * frames**2 > _MOST:
        return None
    seen: list[Tensor] = []
    handle = layer.pattern.register_forward_hook(lambda *call: seen.append(call[2]))
    nothing = torch.zeros(1, dtype=torch.float64)
    try:
        time = TimeState(nothing[:, None], nothing, nothing)
        layer(torch.zeros_like(position)[None], position[None], time)
    finally:
        handle.remove()
    pattern = seen[0][0, :, :, :frames].double()
    return [
        Part(
            Dense(torch.einsum("h,hij->ij", weights, pattern[used]), layer.output.dtype),
            None,
            direction,
        )
        for direction, used, weights in _directions(layer.output.detach().double())
    ]


def _directions(output: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Output maps (H, U, D) as directions (U, D), with the heads and weights of each."""
    flat = output.flatten(1)
    pivot = flat.abs().argmax(1, keepdim=True)
    weights = flat.gather(1, pivot)[:, 0]
    used = torch.nonzero(weights).flatten()
    unit = flat[used] / weights[used, None]
    directions, which = torch.unique(unit, dim=0, return_inverse=True)
    groups = [used[which == k] for k in range(len(directions))]
    return [
        (direction.view(output.shape[1:]), heads, weights[heads])
        for direction, heads in zip(directions, groups, strict=True)
    ]


def _exponentials(lags: Lags, heads: Tensor, weights: Tensor, eps: float) -> Exponentials | None:
    """Slopes and weights of heads that are exponentials, all of them."""
    if lags.score != "softmax" or len(lags.logits) == 1 < len(lags.shift) or len(heads) > 64:
        return None
    slopes = [exponential_slope(lags.logits[h], eps) for h in heads]
    found = [slope for slope in slopes if slope is not None]
    if len(found) < len(slopes):
        return None
    centre = (lags.logits.shape[1] - 1) // 2
    at_zero = lags.kernels(heads)[:, centre]
    return weights.new_tensor(found), weights * at_zero
