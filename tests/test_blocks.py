"""The plain transformer, number by number: torch and numpy twins against loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tolerances as tol
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions import blocks, build
from constructions.architecture import Architecture, AttentionShape, BlockShape
from constructions.modules import Transformer
from constructions.weights import (
    AttentionWeights,
    BlockWeights,
    LinearAttentionWeights,
    Weights,
)
from unroll import Exponential, GaussianProcess


def loop_features(architecture: Architecture, spectrum: np.ndarray, t: float) -> list[float]:
    """1, then (eta, eta alpha, eta alpha^2, eta sigma^2, beta) for every step."""
    alpha, noise = math.exp(-t / 2), 1 - math.exp(-t)
    lower, upper = (alpha**2 * end + noise for end in spectrum)
    theta, delta = (upper + lower) / 2, (upper - lower) / 2
    features = [1.0]
    for k in range(architecture.time_steps):
        eta, beta = 1 / theta, 0.0
        if architecture.time_features == "chebyshev" and k > 0:
            angle = math.acosh(theta / delta)
            before, here, after = (math.cosh(n * angle) for n in (k - 1, k, k + 1))
            eta, beta = 2 * here / (delta * after), before / after
        features += [eta, eta * alpha, eta * alpha**2, eta * noise, beta]
    return features


def loop_activation(x: float, name: str) -> float:
    if name == "relu":
        return max(x, 0.0)
    if name == "silu":
        return x / (1 + math.exp(-x))
    if name == "gelu":
        return x * (1 + math.erf(x / math.sqrt(2))) / 2
    return x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


def loop_attention(
    weights: Weights, w: AttentionWeights, x: list[list[float]], p: list[list[float]], score: str
) -> list[list[float]]:
    """What softmax or ReLU heads write, frame by frame."""
    a = weights.architecture
    frames, width = range(a.frames), range(a.width)
    heads, _, scores = w.query.shape
    written = [[0.0] * a.width for _ in frames]
    for head in range(heads):
        for i in frames:
            query = [
                sum(p[i][d] * w.query[head, d, s] for d in width) + w.query_bias[head, s]
                for s in range(scores)
            ]
            logits = []
            for j in frames:
                key = [
                    sum(p[j][d] * w.key[d, s] for d in width) + w.key_bias[s] for s in range(scores)
                ]
                logit = sum(q * k for q, k in zip(query, key, strict=True))
                if w.relative_bias is not None:
                    logit += w.relative_bias[head, j - i + a.frames - 1]
                logits.append(logit)
            for sink in [] if w.sink_key is None else w.sink_key[head]:
                logits.append(sum(q * k for q, k in zip(query, sink, strict=True)))
            if score == "softmax":
                powers = [math.exp(logit) for logit in logits]
                pattern = [power / sum(powers) for power in powers]
            else:
                pattern = [max(logit, 0.0) for logit in logits]
            for j in frames:
                for u in range(w.value.shape[1]):
                    value = pattern[j] * sum(x[j][d] * w.value[d, u] for d in width)
                    for d in width:
                        written[i][d] += value * w.output[head, u, d]
    return written


def loop_linear_attention(
    weights: Weights,
    w: LinearAttentionWeights,
    x: list[list[float]],
    p: list[list[float]],
    t: float,
) -> list[list[float]]:
    """What heads of linear attention write, pattern entry by pattern entry."""
    a = weights.architecture
    frames, width = range(a.frames), range(a.width)
    written = [[0.0] * a.width for _ in frames]
    for head, amplitude in enumerate(w.amplitude):
        for u in range(w.value.shape[1]):
            gate = 1.0
            if w.poles is not None:
                gate = 1 / (math.exp(-t) * w.poles[head, u] - math.expm1(-t))
            if w.baseline is not None:
                gate -= 1 / (math.exp(-t) * w.baseline[u] - math.expm1(-t))
            for i in frames:
                for j in frames:
                    if w.turns is not None:
                        pattern = math.cos(2 * math.pi * w.turns[head] * (i - j))
                    else:
                        query = sum(p[i][d] * w.query[d, head] for d in width)
                        pattern = query * sum(p[j][d] * w.key[d, head] for d in width)
                    value = sum(x[j][d] * w.value[d, u] for d in width)
                    for d in width:
                        moved = amplitude * gate * pattern * value
                        written[i][d] += moved * w.output[u, d]
    return written


def loop_forward(weights: Weights, v: np.ndarray, t: float) -> np.ndarray:
    """One sequence through the definition of the architecture, number by number."""
    a = weights.architecture
    frames, width = range(a.frames), range(a.width)
    features = loop_features(a, weights.time["spectrum"], t)
    position = [[float(weights.position[i, d]) for d in width] for i in frames]
    if weights.position_end is not None:
        for i in frames:
            for d in width:
                position[i][d] += weights.position_end[a.frames - 1 - i, d]
    x = [
        [
            sum(v[i, c] * weights.embed[c, d] for c in range(a.channels)) + position[i][d]
            for d in width
        ]
        for i in frames
    ]
    for k, block in enumerate(weights.blocks):
        w, layer, listen = block.attention, block.feed_forward, block.modulation.listen
        heard = [features[int(index)] for index in listen]

        def factor(
            name: str, block: BlockWeights = block, heard: list[float] = heard
        ) -> list[float]:
            table = getattr(block.modulation, name)
            return [sum(h * table[q, d] for q, h in enumerate(heard)) for d in width]

        p = position if a.scores_from == "position" else x
        following = [list(row) for row in x]
        if w is not None:
            read = x
            if isinstance(w, LinearAttentionWeights):
                scale = factor("attention_scale")
                read = [[scale[d] * row[d] for d in width] for row in x]
                written = loop_linear_attention(weights, w, read, p, t)
            else:
                written = loop_attention(weights, w, read, p, a.shape(k).attention.score)
            gate = factor("attention_gate")
            for i in frames:
                for d in width:
                    following[i][d] += gate[d] * written[i][d]
        if layer is not None:
            scale, units = factor("feed_forward_scale"), range(layer.up.shape[1])
            for i in frames:
                hidden = [
                    loop_activation(
                        sum(scale[d] * x[i][d] * layer.up[d, h] for d in width) + layer.up_bias[h],
                        a.activation,
                    )
                    for h in units
                ]
                for d in width:
                    following[i][d] += layer.down_bias[d]
                    following[i][d] += sum(hidden[h] * layer.down[h, d] for h in units)
        x = following
    return np.array(
        [
            [sum(x[i][d] * weights.readout[d, c] for d in width) for c in range(a.channels)]
            for i in frames
        ]
    )


@st.composite
def attention_shapes(draw: st.DrawFn) -> AttentionShape:
    score = draw(st.sampled_from(["softmax", "relu", "linear"]))
    heads, values = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    if score != "linear":
        return AttentionShape(
            score=score,
            heads=heads,
            score_channels=draw(st.integers(1, 2)),
            value_channels=values,
            relative_bias=draw(st.booleans()),
            sinks=draw(st.integers(0, 2)),
        )
    sinusoids, gated = draw(st.booleans()), draw(st.booleans())
    return AttentionShape(
        score=score,
        heads=heads,
        score_channels=2 if sinusoids else 1,
        value_channels=values,
        sinusoids=sinusoids,
        gated=gated,
        baseline=gated and draw(st.booleans()),
    )


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    kinds = {
        name: BlockShape(
            attention=draw(st.none() | attention_shapes()),
            hidden=draw(st.integers(0, 4)),
            listens=draw(st.integers(1, 4)),
        )
        for name in ("one", "two")
    }
    return Architecture(
        frames=draw(st.integers(1, 4)),
        channels=draw(st.integers(1, 2)),
        stream={"a": draw(st.integers(1, 2)), "b": draw(st.integers(1, 2))},
        kinds=kinds,
        blocks=tuple(draw(st.lists(st.sampled_from(["one", "two"]), min_size=1, max_size=3))),
        two_ended=draw(st.booleans()),
        activation=draw(st.sampled_from(["relu", "gelu", "gelu_tanh", "silu"])),
        time_features=draw(st.sampled_from(["gradient", "chebyshev"])),
        time_steps=draw(st.integers(1, 3)),
        t_min=0.01,
        t_max=5.0,
        dtype="float64",
        scores_from=draw(st.sampled_from(["stream", "position"])),
    )


def random_transformer(architecture: Architecture, seed: int) -> tuple[Transformer, Weights]:
    """Every weight drawn; nothing about the model is special."""
    model, rng = Transformer(architecture), np.random.default_rng(seed)
    tensors = {}
    for name, own in model.state_dict().items():
        if name.endswith("listen"):
            drawn = torch.as_tensor(rng.integers(0, 1 + 5 * architecture.time_steps, own.shape))
        elif name == "time.spectrum":
            drawn = torch.tensor([0.1, 3.0], dtype=torch.float64)
        elif name.endswith(("poles", "baseline")):
            drawn = torch.as_tensor(rng.uniform(0.1, 3.0, tuple(own.shape)))
        else:
            drawn = torch.as_tensor(rng.standard_normal(tuple(own.shape)) / 2)
        tensors[name] = drawn
    model.load_tensors(tensors)
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    return model, Weights.from_tensors(architecture, state)


@settings(max_examples=40)
@given(architectures(), st.integers(0, 2**32 - 1), st.floats(0.01, 5.0))
def test_random_weights_in_torch_numpy_and_loops(
    architecture: Architecture, seed: int, t: float
) -> None:
    model, weights = random_transformer(architecture, seed)
    v = np.random.default_rng(seed).standard_normal((2, architecture.frames, architecture.channels))
    with torch.no_grad():
        in_torch = model(torch.as_tensor(v), t).numpy()
    in_numpy = blocks.forward(weights, v, np.full(2, t))
    for i in range(2):
        expected = loop_forward(weights, v[i], t)
        size = max(1.0, float(np.abs(expected).max()))
        assert np.abs(in_torch[i] - expected).max() <= tol.TWIN * size
        assert np.abs(in_numpy[i] - expected).max() <= tol.TWIN * size


@pytest.mark.parametrize("attention", ["softmax", "relu", "alibi", "fourier"])
@pytest.mark.parametrize("method", ["gradient", "chebyshev"])
def test_built_weights_run_in_loops_too(method: str, attention: str) -> None:
    gp = GaussianProcess(Exponential(3.0), 5, [[1.0, 0.3], [0.3, 0.5]], np.ones((5, 2)))
    model = build(gp, method=method, attention=attention, tol=0.2, t_min=0.1)
    v = gp.sample_noisy(1, 0.3, rng=0)
    expected = loop_forward(model.weights(), v[0], 0.3)
    with torch.no_grad():
        found = model(torch.as_tensor(v), 0.3)[0].numpy()
    assert np.abs(found - expected).max() <= tol.TWIN * np.abs(expected).max()
