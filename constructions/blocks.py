"""The same transformer in plain numpy: the readable twin of the torch module.

Shape glossary (row convention, ``y = x @ W``):

- B: batch (sequences, each with its own diffusion time)
- N: frames (tokens), d: channels of a frame
- D: width of the residual stream
- H: heads, P: score channels of a query, U: value channels
- F: hidden units of the feed-forward layer
- Q: time features a block listens to

Nothing here knows about covariances or scores: everything special is in the weights.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import erf, expit, softmax

from constructions.conditioning import time_features
from constructions.weights import AttentionWeights, BlockWeights, FeedForwardWeights, Weights
from unroll.schedules import alpha, sigma_sq

__all__ = ["activate", "attend", "attention_pattern", "block", "feed_forward", "forward", "run"]


def activate(x: np.ndarray, name: str) -> np.ndarray:
    """ReLU, GELU (by erf or tanh) or SiLU, elementwise."""
    real = x.dtype.type
    if name == "relu":
        return np.asarray(np.maximum(x, 0))
    if name == "gelu":
        return np.asarray(x * (1 + erf(x / real(np.sqrt(2)))) / 2)
    if name == "gelu_tanh":
        cubic = x + real(0.044715) * x**3
        return np.asarray(x * (1 + np.tanh(real(np.sqrt(2 / np.pi)) * cubic)) / 2)
    return np.asarray(x * expit(x))


def attention_pattern(p: np.ndarray, w: AttentionWeights, score: str) -> np.ndarray:
    """Attention pattern of tokens ``p``; the sink, if any, is the last column.

    Parameters
    ----------
    p
        What queries and keys read, array (B, N, D).

    Returns
    -------
    Array (B, H, N, N) or (B, H, N, N + 1).
    """
    frames = p.shape[1]
    query = np.einsum("bnd,hdp->bhnp", p, w.query) + w.query_bias[:, None]  # [B, H, N, P]
    key = p @ w.key + w.key_bias  # [B, N, P]
    logits = np.einsum("bhip,bjp->bhij", query, key)  # [B, H, N, N]
    if w.relative_bias is not None:
        lag = np.arange(frames) - np.arange(frames)[:, None] + frames - 1  # j - i + N - 1
        logits = logits + w.relative_bias[:, lag]
    if w.sink_key is not None:
        sink = np.einsum("bhip,hp->bhi", query, w.sink_key)[..., None]
        logits = np.concatenate([logits, sink], axis=-1)
    return np.asarray(softmax(logits, axis=-1) if score == "softmax" else np.maximum(logits, 0))


def attend(x: np.ndarray, pattern: np.ndarray, w: AttentionWeights) -> np.ndarray:
    """Move values along the pattern and write them, array (B, N, D). The sink's value is zero."""
    value = x @ w.value  # [B, N, U]
    mixed = np.einsum("bhij,bju->bhiu", pattern[..., : x.shape[1]], value)
    return np.asarray(np.einsum("bhiu,hud->bid", mixed, w.output))


def feed_forward(x: np.ndarray, w: FeedForwardWeights, activation: str) -> np.ndarray:
    """Two layers, token by token, array (B, N, D)."""
    return np.asarray(activate(x @ w.up + w.up_bias, activation) @ w.down + w.down_bias)


def block(
    x: np.ndarray, features: np.ndarray, w: BlockWeights, weights: Weights
) -> tuple[np.ndarray, np.ndarray]:
    """One parallel block; returns the stream (B, N, D) and the attention pattern."""
    heard = features[:, w.modulation.listen]  # [B, Q]
    gate = (heard @ w.modulation.attention_gate)[:, None]  # [B, 1, D]
    scale = (heard @ w.modulation.feed_forward_scale)[:, None]
    shared = weights.architecture.scores_from == "position"
    pattern = attention_pattern(
        weights.position[None] if shared else x, w.attention, weights.architecture.score
    )
    attended = attend(x, np.broadcast_to(pattern, (len(x), *pattern.shape[1:])), w.attention)
    fed = feed_forward(scale * x, w.feed_forward, weights.architecture.activation)
    return x + gate * attended + fed, pattern


def run(weights: Weights, v: np.ndarray, t: np.ndarray) -> Iterator[np.ndarray]:
    """The residual stream after the embedding and after every block, arrays (B, N, D).

    Parameters
    ----------
    v
        Noisy sequences, array (B, N, d), in the precision wanted.
    t
        Diffusion times, array (B,).
    """
    times = np.asarray(t, dtype=np.float64)
    architecture = weights.architecture
    features = np.stack(
        time_features(
            architecture.time_features,
            architecture.time_steps,
            weights.spectrum[0],
            weights.spectrum[1],
            alpha(times),
            sigma_sq(times),
        ),
        axis=-1,
    ).astype(v.dtype)  # [B, features]
    x = v @ weights.embed + weights.position
    yield x
    for w in weights.blocks:
        x, _ = block(x, features, w, weights)
        yield x


def forward(weights: Weights, v: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The score that the weights compute, array (B, N, d)."""
    for x in run(weights, v, t):
        last = x
    return np.asarray(last @ weights.readout)
