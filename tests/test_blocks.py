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
from constructions.architecture import Architecture
from constructions.modules import Transformer
from constructions.weights import Weights
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


def loop_forward(weights: Weights, v: np.ndarray, t: float) -> np.ndarray:
    """One sequence through the definition of the architecture, number by number."""
    a = weights.architecture
    frames, width = range(a.frames), range(a.width)
    features = loop_features(a, weights.spectrum, t)
    x = [
        [
            sum(v[i, c] * weights.embed[c, d] for c in range(a.channels)) + weights.position[i, d]
            for d in width
        ]
        for i in frames
    ]
    for block in weights.blocks:
        w, layer, listen = block.attention, block.feed_forward, block.modulation.listen
        heard = [features[int(index)] for index in listen]
        gate, scale = (
            [sum(h * m[q, d] for q, h in enumerate(heard)) for d in width]
            for m in (block.modulation.attention_gate, block.modulation.feed_forward_scale)
        )
        p = weights.position if a.scores_from == "position" else x
        written = [[0.0] * a.width for _ in frames]
        for head in range(a.heads):
            for i in frames:
                query = [
                    sum(p[i][d] * w.query[head, d, s] for d in width) + w.query_bias[head, s]
                    for s in range(a.score_channels)
                ]
                logits = []
                for j in frames:
                    key = [
                        sum(p[j][d] * w.key[d, s] for d in width) + w.key_bias[s]
                        for s in range(a.score_channels)
                    ]
                    logit = sum(q * k for q, k in zip(query, key, strict=True))
                    if w.relative_bias is not None:
                        logit += w.relative_bias[head, j - i + a.frames - 1]
                    logits.append(logit)
                if w.sink_key is not None:
                    logits.append(sum(q * k for q, k in zip(query, w.sink_key[head], strict=True)))
                if a.score == "softmax":
                    powers = [math.exp(logit) for logit in logits]
                    pattern = [power / sum(powers) for power in powers]
                else:
                    pattern = [max(logit, 0.0) for logit in logits]
                for j in frames:
                    for u in range(a.value_channels):
                        value = pattern[j] * sum(x[j][d] * w.value[d, u] for d in width)
                        for d in width:
                            written[i][d] += value * w.output[head, u, d]
        following = []
        for i in frames:
            hidden = [
                loop_activation(
                    sum(scale[d] * x[i][d] * layer.up[d, h] for d in width) + layer.up_bias[h],
                    a.activation,
                )
                for h in range(a.hidden)
            ]
            following.append(
                [
                    x[i][d]
                    + gate[d] * written[i][d]
                    + sum(hidden[h] * layer.down[h, d] for h in range(a.hidden))
                    + layer.down_bias[d]
                    for d in width
                ]
            )
        x = following
    return np.array(
        [
            [sum(x[i][d] * weights.readout[d, c] for d in width) for c in range(a.channels)]
            for i in frames
        ]
    )


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    steps = draw(st.integers(1, 3))
    return Architecture(
        frames=draw(st.integers(1, 4)),
        channels=draw(st.integers(1, 2)),
        stream={"a": draw(st.integers(1, 2)), "b": draw(st.integers(1, 2))},
        depth=draw(st.integers(1, 2)),
        heads=draw(st.integers(1, 3)),
        score_channels=draw(st.integers(1, 2)),
        value_channels=draw(st.integers(1, 3)),
        score=draw(st.sampled_from(["softmax", "relu"])),
        relative_bias=draw(st.booleans()),
        sink=draw(st.booleans()),
        hidden=draw(st.integers(1, 4)),
        activation=draw(st.sampled_from(["relu", "gelu", "gelu_tanh", "silu"])),
        time_features=draw(st.sampled_from(["gradient", "chebyshev"])),
        time_steps=steps,
        listens=draw(st.integers(1, 4)),
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


@pytest.mark.parametrize("attention", ["softmax", "relu"])
@pytest.mark.parametrize("method", ["gradient", "chebyshev"])
def test_built_weights_run_in_loops_too(method: str, attention: str) -> None:
    gp = GaussianProcess(Exponential(3.0), 5, [[1.0, 0.3], [0.3, 0.5]], np.ones((5, 2)))
    model = build(gp, method=method, attention=attention, tol=0.2, t_min=0.1)
    v = gp.sample_noisy(1, 0.3, rng=0)
    expected = loop_forward(model.weights(), v[0], 0.3)
    with torch.no_grad():
        found = model(torch.as_tensor(v), 0.3)[0].numpy()
    assert np.abs(found - expected).max() <= tol.TWIN * np.abs(expected).max()
