"""The same transformer in plain numpy: the readable twin of the torch module.

Shape glossary (row convention, ``y = x @ W``):

- B: batch (sequences, each with its own diffusion time)
- N: frames (tokens), d: channels of a frame
- D: width of the residual stream
- H: heads, P: score channels of a query, U: value channels, S: sinks
- F: hidden units of the feed-forward layer
- Q: time features a block listens to

Nothing here knows about covariances or scores: everything special is in the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import erf, expit, softmax

from constructions.conditioning import NetworkFeatures, feature_set
from constructions.weights import (
    AttentionWeights,
    FeedForwardWeights,
    LinearAttentionWeights,
    Weights,
)
from unroll.methods.gates import resolvent
from unroll.schedules import alpha, sigma_sq

__all__ = [
    "TimeState",
    "activate",
    "attend",
    "attend_linearly",
    "attention_pattern",
    "block",
    "feed_forward",
    "forward",
    "linear_features",
    "project",
    "run",
]


@dataclass(frozen=True)
class TimeState:
    """What the blocks know of the diffusion time: features (B, all features) in the precision of
    the model, ``alpha^2`` and ``sigma^2`` (B,) in float64.
    """

    features: np.ndarray
    alpha_sq: np.ndarray
    sigma_sq: np.ndarray


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
    """Attention pattern of tokens ``p``; sinks, if any, are the last columns.

    Parameters
    ----------
    p
        What queries and keys read, array (B, N, D).

    Returns
    -------
    Array (B, H, N, N + S).
    """
    frames = p.shape[1]
    query = np.einsum("bnd,hdp->bhnp", p, w.query) + w.query_bias[:, None]  # [B, H, N, P]
    key = p @ w.key + w.key_bias  # [B, N, P]
    logits = np.einsum("bhip,bjp->bhij", query, key)  # [B, H, N, N]
    if w.relative_bias is not None:
        longest = (w.relative_bias.shape[1] + 1) // 2
        lag = np.arange(frames) - np.arange(frames)[:, None] + longest - 1  # j - i + N - 1
        logits = logits + w.relative_bias[:, lag]
    if w.pair_bias is not None:
        logits = logits + w.pair_bias[:, :frames, :frames]
    if w.sink_key is not None:
        sinks = np.einsum("bhip,hsp->bhis", query, w.sink_key)
        logits = np.concatenate([logits, sinks], axis=-1)
    return np.asarray(softmax(logits, axis=-1) if score == "softmax" else np.maximum(logits, 0))


def attend(x: np.ndarray, pattern: np.ndarray, w: AttentionWeights) -> np.ndarray:
    """Move values along the pattern and write them, array (B, N, D). The sink's value is zero."""
    value = x @ w.value  # [B, N, U]
    mixed = np.einsum("bhij,bju->bhiu", pattern[..., : x.shape[1]], value)
    return np.asarray(np.einsum("bhiu,hud->bid", mixed, w.output))


def feed_forward(x: np.ndarray, w: FeedForwardWeights, activation: str) -> np.ndarray:
    """Two layers, token by token, array (B, N, D)."""
    return np.asarray(activate(x @ w.up + w.up_bias, activation) @ w.down + w.down_bias)


def linear_features(p: np.ndarray, w: LinearAttentionWeights) -> tuple[np.ndarray, np.ndarray]:
    """Query and key features (B, N, H, 1 or 2) of tokens ``p`` (B, N, D)."""
    if w.turns is not None:
        # whole revolutions are dropped first: exact where the turns are dyadic
        phase = 2 * np.pi * np.remainder(np.arange(p.shape[1])[:, None] * w.turns, 1.0)
        waves = np.stack([np.cos(phase), np.sin(phase)], axis=-1).astype(p.dtype)
        return (np.broadcast_to(waves, (len(p), *waves.shape)),) * 2
    assert w.query is not None
    assert w.key is not None
    return (p @ w.query)[..., None], (p @ w.key)[..., None]


def attend_linearly(
    x: np.ndarray, p: np.ndarray, w: LinearAttentionWeights, time: TimeState
) -> np.ndarray:
    """Sum keys times values over frames, scale, read with queries; array (B, N, D)."""
    query, key = linear_features(p, w)
    scale = np.broadcast_to(w.amplitude[:, None], (len(x), len(w.amplitude), w.value.shape[1]))
    if w.poles is not None:
        alpha_sq, sigma_sq = time.alpha_sq[:, None, None], time.sigma_sq[:, None, None]
        gate = resolvent(alpha_sq, sigma_sq, w.poles)
        if w.baseline is not None:
            gate = gate - resolvent(alpha_sq, sigma_sq, w.baseline)
        scale = scale * gate.astype(x.dtype)
    state = np.einsum("bnhp,bnu->bhpu", np.broadcast_to(key, (len(x), *key.shape[1:])), x @ w.value)
    state = state * scale[:, :, None]
    return np.asarray(
        np.einsum("bnhp,bhpu->bnu", np.broadcast_to(query, (len(x), *query.shape[1:])), state)
        @ w.output
    )


def block(
    x: np.ndarray, time: TimeState, k: int, weights: Weights
) -> tuple[np.ndarray, np.ndarray | None]:
    """One parallel block; returns the stream (B, N, D) and the attention pattern, if formed.

    What a block has no table for is neither scaled nor gated.
    """
    w, shape = weights.blocks[k], weights.architecture

    def scaled(x: np.ndarray, name: str) -> np.ndarray:
        table = getattr(w.modulation, name, None)  # (Q, D)
        if w.modulation is None or table is None:
            return x
        heard = time.features[:, w.modulation.listen]  # [B, Q]
        return np.asarray((heard @ table)[:, None] * x)

    p = _position(weights, x.shape[1])[None] if shape.scores_from == "position" else x
    written, pattern = np.zeros_like(x), None
    if w.attention is not None:
        if isinstance(w.attention, LinearAttentionWeights):
            attended = attend_linearly(scaled(x, "attention_scale"), p, w.attention, time)
        else:
            attention_shape = shape.shape(k).attention
            assert attention_shape is not None
            pattern = attention_pattern(p, w.attention, attention_shape.score)
            attended = attend(
                x, np.broadcast_to(pattern, (len(x), *pattern.shape[1:])), w.attention
            )
        written = written + scaled(attended, "attention_gate")
    if w.feed_forward is not None:
        read = scaled(x, "feed_forward_scale")
        written = written + feed_forward(read, w.feed_forward, shape.activation)
    return x + written, pattern


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
    a, noise = alpha(times), sigma_sq(times)
    kind, activation = feature_set(weights.architecture), weights.architecture.activation
    if isinstance(kind, NetworkFeatures):
        features = kind.run(weights.time, times, lambda x: activate(x, activation))
    else:
        features = kind.evaluate(weights.time, a, noise)
    time = TimeState(np.stack(features, axis=-1).astype(v.dtype), a * a, noise)
    x = v @ weights.embed + _position(weights, v.shape[1])
    if weights.time_embed is not None:
        x = x + (time.features @ weights.time_embed)[:, None]
    yield x
    for k in range(weights.architecture.depth):
        x, _ = block(x, time, k, weights)
        yield x


def _position(weights: Weights, frames: int) -> np.ndarray:
    """Position embedding (frames, D), counted from both ends."""
    position = weights.position[:frames]
    if weights.position_end is not None:
        position = position + weights.position_end[:frames][::-1]
    return np.asarray(position)


def forward(weights: Weights, v: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The score that the weights compute, array (B, N, d)."""
    for x in run(weights, v, t):
        last = x
    return project(last @ weights.readout, weights.radius)


def project(x: np.ndarray, radius: np.ndarray | None) -> np.ndarray:
    """The nearest points to sequences ``x`` (B, N, d) in a ball; all space without a radius."""
    if radius is None:
        return x
    size = np.sqrt(np.sum(x * x, axis=(1, 2), keepdims=True))
    return np.asarray(x * (radius / np.maximum(size, radius)))
