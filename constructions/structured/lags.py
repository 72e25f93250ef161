r"""Attention whose scores depend on positions alone, read off the weights.

Softmax with keys that are the same at every frame, or ReLU and softmax with logits that are a
function of the lag:

    pattern_h(i, j) = rows_h(i) kernel_h(j - i),

``diag`` times Toeplitz. With ``b`` the relative bias and ``r_h(i)`` what the query contributes
alike at every key,

    softmax:  kernel = exp(b - max b),   1 / rows(i) = sum_j kernel(j - i) + sum_sinks exp(...)
    ReLU:     kernel = max(b + r, 0),    rows = 1    (r the same at every frame)

Nothing is taken on trust: positions are multiplied out and compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from constructions.layers import Attention

__all__ = ["Lags", "exponential_slope", "read_lags"]

# Roundings allowed where a score is compared along a diagonal: of embeddings and their angles.
_ROUNDINGS = 16
# The product with a kernel is as accurate as its largest entries; a row whose denominator is this
# much smaller than their sum is left to the plain layer.
_AMPLIFICATION = 64.0
_UNDERSTOOD = {
    *("query", "query_bias", "key", "key_bias", "value", "output", "relative_bias", "sink_key")
}
_BYTES = 1 << 25  # working memory of one comparison


@dataclass(frozen=True)
class Lags:
    """Heads as functions of the lag, float64.

    Attributes
    ----------
    score
        ``"softmax"`` or ``"relu"``.
    logits
        Logits without what is constant in the lag; (H, 2n - 1), or (1, 2n - 1) for all heads.
    shift
        What is added to the logits of a head, (H,).
    rows
        Factors (H, n); None where they are all one.
    """

    score: str
    logits: Tensor
    shift: Tensor
    rows: Tensor | None

    def kernels(self, heads: Tensor) -> Tensor:
        """Kernels of some heads, (heads, 2n - 1), entry ``j - i + n - 1``."""
        logits = self.logits if len(self.logits) == 1 else self.logits[heads]
        shifted = logits + self.shift[heads, None]
        return torch.exp(shifted) if self.score == "softmax" else torch.relu(shifted)

    def weighted(self, heads: Tensor, weights: Tensor) -> Tensor:
        """``sum_h weights_h kernel_h``, (2n - 1,), without holding all kernels."""
        chunk = max(1, _BYTES // (8 * self.logits.shape[1]))
        parts = [
            weights[k : k + chunk] @ self.kernels(heads[k : k + chunk])
            for k in range(0, len(heads), chunk)
        ]
        return torch.stack(parts).sum(0)


def read_lags(layer: Attention, position: Tensor) -> Lags | None:
    """The structure of a layer that reads the positions (n, D), or None."""
    if layer.pair_bias is not None:  # of pairs of frames, not of lags
        return None
    w = {name: p.detach().double() for name, p in layer.named_parameters()}
    if not w.keys() <= _UNDERSTOOD:
        return None
    position = position.double()
    frames = len(position)
    keys = position @ w["key"] + w["key_bias"]  # [n, P]
    moving = (keys != keys[0]).any(0)
    shared = torch.zeros(2 * frames - 1, dtype=torch.float64, device=keys.device)
    if moving.any():
        found = _shared(w, position, keys, moving, torch.finfo(layer.key.dtype).eps)
        if found is None:
            return None
        shared = found
    logits = shared[None]
    if layer.relative_bias is not None:
        centre = layer.frames - 1
        logits = logits + w["relative_bias"][:, centre - frames + 1 : centre + frames]
    still = torch.where(moving, 0.0, keys[0])
    alike = _contracted(w, position, still.expand(len(w["query"]), -1))  # [H, n or 1]
    if layer.score == "relu":
        constant = torch.equal(alike, alike[:, :1].expand_as(alike))
        return Lags("relu", logits, alike[:, 0], None) if constant else None
    return _softmax(layer, w, position, logits, alike)


def _contracted(w: dict[str, Tensor], position: Tensor, keys: Tensor) -> Tensor:
    """``<q_hi, keys_h>``, (H, n), or (H, 1) where no query depends on the frame."""
    reads = torch.einsum("hdp,hp->hd", w["query"], keys)
    constant = (w["query_bias"] * keys).sum(1, keepdim=True)
    return reads @ position.T + constant if reads.any() else constant


def _softmax(
    layer: Attention, w: dict[str, Tensor], position: Tensor, logits: Tensor, alike: Tensor
) -> Lags | None:
    frames, heads = len(position), len(w["query"])
    peak = logits.max(1, keepdim=True).values
    kernels = torch.exp(logits - peak)
    # outwards from lag zero: nothing cancels
    after, before = kernels[:, frames - 1 :].cumsum(1), kernels[:, : frames - 1].flip(1).cumsum(1)
    denominator = after.flip(1)
    denominator[:, 1:] += before
    denominator = denominator.expand(heads, -1).clone()
    if layer.sink_key is not None:
        for sink in w["sink_key"].unbind(1):
            denominator += torch.exp(_contracted(w, position, sink) - alike - peak)
    total = kernels.sum(1, keepdim=True)
    if not bool((total <= _AMPLIFICATION * denominator).all()) or torch.isinf(denominator).any():
        return None
    return Lags("softmax", logits, -peak.flatten().expand(heads), 1 / denominator)


def _shared(
    w: dict[str, Tensor], position: Tensor, keys: Tensor, moving: Tensor, eps: float
) -> Tensor | None:
    """The score of keys that move, by lag (2n - 1,); None unless the lag decides all heads."""
    query, bias = w["query"][:, :, moving], w["query_bias"][:, moving]
    if not (torch.equal(query, query[:1].expand_as(query)) and (bias == bias[0]).all()):
        return None
    queries, keys = position @ query[0] + bias[0], keys[:, moving]
    frames = len(queries)
    by_lag = torch.cat([(queries @ keys[0]).flip(0), (keys @ queries[0])[1:]])
    allowed = _ROUNDINGS * eps * float(queries.abs().amax(0) @ keys.abs().amax(0))
    chunk = max(1, _BYTES // (8 * frames))
    for first in range(0, frames, chunk):
        scores = queries[first : first + chunk] @ keys.T
        # row i of the Toeplitz matrix starts at entry n - 1 - i
        starts = slice(frames - first - len(scores), frames - first)
        rows = by_lag.unfold(0, frames, 1)[starts].flip(0)
        if not bool(((scores - rows).abs() <= allowed).all()):
            return None
    return by_lag


def exponential_slope(logits: Tensor, eps: float) -> float | None:
    """``a > 0`` if the logits (2n - 1,) are ``-a |lag|`` plus a constant, up to rounding."""
    frames = (len(logits) + 1) // 2
    if frames < 2:
        return None
    lags = torch.arange(1 - frames, frames, device=logits.device).abs()
    top = logits[frames - 1]
    slope = (top - logits[-1]) / (frames - 1)
    allowed = 4 * eps * (logits.abs() + top.abs())
    linear = ((top - slope * lags - logits).abs() <= allowed).all()
    return float(slope) if bool(linear) and slope > 0 else None
