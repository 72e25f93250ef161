"""The transformer: a plain one, whose every activation can be read by name."""

from __future__ import annotations

import copy
import itertools
import json
import math
import time
from typing import Any

import numpy as np
import plan_oracles as oracle
import plan_strategies as ours
import pytest
import tolerances as tol
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from constructions import UnrolledTransformer, blocks, build, compile_plan
from constructions.architecture import Architecture
from constructions.modules import Transformer
from constructions.weights import Weights
from unroll import (
    ArgumentError,
    Exponential,
    GaussianProcess,
    Kernel,
    Logarithmic,
    Plan,
    Polynomial,
    make_plan,
)
from unroll.score import NoisyCovariance

SPATIAL = np.array([[1.0, 0.3], [0.3, 0.5]])
MEAN = np.random.default_rng(1).standard_normal((6, 2))
GP = GaussianProcess(Exponential(3.0), 6, SPATIAL, MEAN)
CASES = list(itertools.product(["gradient", "chebyshev"], ["softmax", "relu"]))
every_model = pytest.mark.parametrize(("method", "attention"), CASES)


def small_model(method: str = "chebyshev", attention: str = "softmax", **options: Any) -> Any:
    return build(GP, method=method, attention=attention, **{"tol": 1e-2, "t_min": 0.1, **options})


def noisy(n: int, t: float, gp: GaussianProcess = GP) -> Tensor:
    return torch.as_tensor(gp.sample_noisy(n, t, rng=0))


# --- the plain transformer, against loops


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


@every_model
def test_built_weights_run_in_loops_too(method: str, attention: str) -> None:
    model = small_model(method, attention, tol=0.2)
    v = noisy(1, 0.3)
    expected = loop_forward(model.weights(), v[0].numpy(), 0.3)
    with torch.no_grad():
        assert np.abs(model(v, 0.3)[0].numpy() - expected).max() <= 1e3 * tol.TWIN


# --- the forward pass knows nothing


@every_model
def test_random_weights_give_a_wrong_score(method: str, attention: str) -> None:
    model, exact = small_model(method, attention), oracle.SampledError(GP, 0.5)
    with torch.no_grad():
        right = exact(model(torch.as_tensor(exact.inputs), 0.5).numpy())
        generator = torch.Generator().manual_seed(0)
        for parameter in model.parameters():
            if parameter.dtype == torch.float64 and parameter.shape != (2,):
                scale = float(parameter.abs().max()) or 1.0
                parameter.copy_(scale * torch.randn(parameter.shape, generator=generator).double())
        with np.errstate(over="ignore", invalid="ignore"):
            wrong = exact(model(torch.as_tensor(exact.inputs), 0.5).numpy())
    assert right <= 1e-2
    assert not wrong <= 0.5


@every_model
def test_the_plan_is_a_label(method: str, attention: str) -> None:
    model, v = small_model(method, attention), noisy(3, 0.5)
    with torch.no_grad():
        before = model(v, 0.5)
        model.plan = make_plan(GaussianProcess(Logarithmic(9.0, 2.0), 3, [[7.0]]), tol=0.5)
        assert torch.equal(model(v, 0.5), before)
        del model.plan
        assert torch.equal(model(v, 0.5), before)
        del model.stream
        assert torch.equal(model(v, 0.5), before)


@every_model
def test_the_forward_pass_touches_no_covariance(
    method: str, attention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, v = small_model(method, attention), noisy(3, 0.5)
    with torch.no_grad():
        before = model(v, 0.5)

    def forbidden(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("the forward pass may not do this")

    for owner, names in (
        (GaussianProcess, ("score", "covariance", "noise_prediction", "denoise")),
        (Kernel, ("autocov", "matrix", "log_autocov")),
        (NoisyCovariance, ("solve_cholesky", "solve_eigen")),
        (Plan, ("run", "to_dict")),
        (np.linalg, ("inv", "solve", "eigh", "cholesky", "lstsq")),
        (torch.linalg, ("inv", "solve", "eigh", "cholesky", "lstsq")),
    ):
        for name in names:
            monkeypatch.setattr(owner, name, forbidden)
    with torch.no_grad():
        assert torch.equal(model(v, 0.5), before)


def test_modules_never_import_the_problem() -> None:
    import constructions.modules as modules

    for name in ("GaussianProcess", "Plan", "Kernel", "make_plan", "alpha", "toeplitz"):
        assert not hasattr(modules, name)


# --- reading activations


@every_model
def test_hook_names_are_complete_and_every_one_can_be_read(method: str, attention: str) -> None:
    model, v = small_model(method, attention), noisy(3, 0.5)
    names, depth = model.hook_names(), model.plan.depth
    kinds = ("stream", "iterate", "attention.pattern", "feed_forward.hidden")
    assert sorted(names) == sorted(f"blocks.{k}.{kind}" for k in range(depth) for kind in kinds)
    traced = model.trace(v, 0.5, "*")
    assert sorted(traced) == sorted(names)
    a = model.architecture
    columns = a.frames + a.sink
    for k in range(depth):
        assert traced[f"blocks.{k}.stream"].shape == (3, 6, a.width)
        assert traced[f"blocks.{k}.iterate"].shape == (3, 6, 2)
        assert traced[f"blocks.{k}.attention.pattern"].shape == (1, a.heads, 6, columns)
        assert traced[f"blocks.{k}.feed_forward.hidden"].shape == (3, 6, a.hidden)


@every_model
def test_iterates_are_those_of_the_plan_and_end_in_the_score(method: str, attention: str) -> None:
    model, v = small_model(method, attention), noisy(3, 0.5)
    iterates = model.iterates(v, 0.5)
    assert len(iterates) == model.plan.depth
    for mine, planned in zip(iterates, model.plan.run(v.numpy(), 0.5), strict=True):
        assert np.linalg.norm(mine.numpy() - planned) <= 1e-9 * np.linalg.norm(planned)
    with torch.no_grad():
        assert torch.equal(iterates[-1], model(v, 0.5))


def test_the_stream_keeps_its_input_and_holds_two_iterates() -> None:
    model, v = small_model("chebyshev"), noisy(3, 0.5)
    traced = model.trace(v, 0.5)
    streams = model.trace(v, 0.5, "blocks.*.stream")
    previous = torch.zeros(3, 6, 2, dtype=torch.float64)
    for k in range(model.plan.depth):
        stream, iterate = streams[f"blocks.{k}.stream"], traced[f"blocks.{k}.iterate"]
        assert torch.equal(model.read(stream, "v"), v)
        assert torch.allclose(model.read(stream, "mean"), torch.as_tensor(MEAN).expand(3, 6, 2))
        now, old = ("s_odd", "s_even") if k % 2 == 0 else ("s_even", "s_odd")
        assert torch.equal(model.read(stream, now), iterate)
        assert torch.equal(model.read(stream, old), previous)
        previous = iterate


def test_trace_takes_names_patterns_and_lists() -> None:
    model, v = small_model(), noisy(2, 0.5)
    assert list(model.trace(v, 0.5, "blocks.0.stream")) == ["blocks.0.stream"]
    several = model.trace(v, 0.5, ["blocks.0.stream", "blocks.1.iterate", "blocks.0.*"])
    assert {"blocks.0.stream", "blocks.1.iterate", "blocks.0.iterate"} < set(several)
    assert all(not tensor.requires_grad for tensor in several.values())
    with pytest.raises(ArgumentError, match=r"names=blocks.x: matches no activation.*hook_names"):
        model.trace(v, 0.5, ["blocks.0.stream", "blocks.x"])


def test_tracing_leaves_no_hooks_behind() -> None:
    model, v = small_model(), noisy(2, 0.5)
    model.trace(v, 0.5, "*")
    with pytest.raises(ArgumentError):
        model.trace(v, 99.0, "*")
    assert not any(module._forward_hooks for module in model.modules())


def test_a_hook_can_change_an_activation() -> None:
    """Ablate the attention of one block: the score of the trace changes from that block on."""
    model, v = small_model(), noisy(2, 0.5)
    before = model.iterates(v, 0.5)
    point = model.get_submodule("blocks.3.attention.pattern")
    handle = point.register_forward_hook(lambda module, inputs, output: 0 * output)
    after = model.iterates(v, 0.5)
    handle.remove()
    assert all(torch.equal(a, b) for a, b in zip(before[:3], after[:3], strict=True))
    assert not torch.allclose(before[3], after[3])
    assert all(torch.equal(a, b) for a, b in zip(before, model.iterates(v, 0.5), strict=True))


@pytest.mark.parametrize("kernel", [Exponential(3.0), Polynomial(8.0, 0.5), Logarithmic(8.0, 1.0)])
@pytest.mark.parametrize("block", [0, 1, 5])
def test_softmax_attention_is_gamma_over_z(kernel: Kernel, block: int) -> None:
    model = build(GaussianProcess(kernel, 6, SPATIAL), tol=1e-2)
    matrix = model.attention_matrix(block)
    assert matrix.shape == (6, 7)
    gamma = oracle.temporal_cov(kernel, 6)
    normalizer = model.plan.lowering.normalizer
    np.testing.assert_allclose(matrix[:, :6] * normalizer, gamma, rtol=64 * tol.EPS)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, rtol=64 * tol.EPS)


@pytest.mark.parametrize("heads", ["knot", "trapezoid"])
def test_relu_attention_adds_up_to_the_band(heads: str) -> None:
    model = build(
        GaussianProcess(Exponential(0.7), 8, SPATIAL), attention="relu", heads=heads, tol=0.1
    )
    bandwidth = model.plan.bandwidth
    assert bandwidth is not None
    assert bandwidth < 7
    weights = model.weights().blocks[1].attention.output
    total = np.zeros((8, 8))
    for head in range(model.plan.heads):
        target = weights[head][:, np.any(weights[head] != 0, axis=0)]
        total += float(target[0, 0]) * model.attention_matrix(1, head)
    for i in range(8):
        for j in range(8):
            wanted = oracle.autocov(Exponential(0.7), abs(i - j)) if abs(i - j) <= bandwidth else 0
            assert abs(total[i, j] - wanted) <= 1e-11


def test_attention_matrix_is_read_only_from_blocks_and_heads_that_exist() -> None:
    model = small_model()
    for block, head, name in ((99, 0, "block"), (-1, 0, "block"), (0, 1, "head"), (0, -1, "head")):
        with pytest.raises(ArgumentError, match=f"^{name}="):
            model.attention_matrix(block, head)


# --- shapes and types


@every_model
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shapes_and_types(method: str, attention: str, dtype: str) -> None:
    model = small_model(method, attention, dtype=dtype)
    kind = getattr(torch, dtype)
    assert {p.dtype for p in model.parameters()} == {kind, torch.float64}
    v = noisy(3, 0.5).to(kind)
    with torch.no_grad():
        batch = model(v, 0.5)
        assert batch.shape == (3, 6, 2)
        assert batch.dtype == kind
        for one in (model(v[1], 0.5), model(v[1], torch.tensor([0.5]))):
            assert one.shape == (6, 2)
            assert torch.allclose(one, batch[1], rtol=1e-4, atol=1e-5)
        t = torch.tensor([0.5, 0.5, 0.5], dtype=torch.float64)
        for times in (t, t.tolist(), t.numpy(), torch.tensor(0.5), torch.tensor([0.5]), 0.5):
            assert torch.equal(model(v, times), batch)
        assert model(v[:0], 0.5).shape == (0, 6, 2)


def test_every_sequence_has_its_own_time() -> None:
    model = small_model()
    v = noisy(4, 0.5)
    times = torch.tensor([0.1, 0.5, 2.0, 5.0], dtype=torch.float64)
    with torch.no_grad():
        together = model(v, times)
        for i, t in enumerate(times):
            assert torch.allclose(model(v[i], float(t)), together[i], rtol=1e-13, atol=1e-14)


def test_a_float32_time_at_the_end_of_the_range_is_inside() -> None:
    model = small_model(t_min=0.1)
    v = noisy(2, 0.5)
    end = torch.tensor(0.1, dtype=torch.float32)
    below = torch.tensor(np.nextafter(np.float32(0.1), np.float32(0)))
    with torch.no_grad():
        at_end = model(v, 0.1)
        assert torch.allclose(model(v, end), at_end, rtol=1e-6)
        assert torch.allclose(model(v, below), at_end, rtol=1e-6)
        with pytest.raises(ArgumentError, match=r"t=.*outside the range"):
            model(v, torch.tensor(0.0999, dtype=torch.float32))
        with pytest.raises(ArgumentError, match=r"t=.*outside the range"):
            model(v, float(below))


@every_model
def test_scores_from_the_stream_equal_scores_from_the_position(method: str, attention: str) -> None:
    model, v = small_model(method, attention), noisy(3, 0.5)
    times = torch.tensor([0.1, 0.5, 5.0], dtype=torch.float64)
    with torch.no_grad():
        shared = model(v, times)
        model.scores_from = "stream"
        own = model(v, times)
        traced = model.trace(v, times, "blocks.1.attention.pattern")
    assert torch.allclose(shared, own, rtol=1e-11, atol=1e-12)
    assert traced["blocks.1.attention.pattern"].shape[0] == 3, "a pattern per sequence"


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "silu"])
@every_model
def test_activations_agree(method: str, attention: str, activation: str) -> None:
    """The feed-forward layer is exactly linear, whatever bends inside it."""
    v = noisy(3, 0.5)
    with torch.no_grad():
        relu = small_model(method, attention)(v, 0.5)
        other = small_model(method, attention, activation=activation)(v, 0.5)
    assert torch.allclose(relu, other, rtol=1e-11, atol=1e-12)
    assert small_model(activation=activation).architecture.activation == activation


def test_trapezoids_agree_with_knots() -> None:
    v = noisy(3, 0.5)
    with torch.no_grad():
        knots, trapezoids = (
            small_model(attention="relu", heads=heads)(v, 0.5) for heads in ("knot", "trapezoid")
        )
    assert torch.allclose(knots, trapezoids, rtol=1e-10, atol=1e-11)


# --- an ordinary module


def test_gradients_reach_every_weight_that_matters() -> None:
    model = small_model()
    model(noisy(3, 0.5), 0.5).square().sum().backward()
    silent = {name for name, p in model.named_parameters() if p.grad is None}
    assert silent == set()
    for name in ("embed", "position", "readout", "time.spectrum"):
        assert model.get_parameter(name).grad.abs().max() > 0


def test_copies_and_state_dicts() -> None:
    model, v = small_model(), noisy(3, 0.5)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        twin.embed.zero_()
        assert not torch.equal(twin(v, 0.5), model(v, 0.5))
        twin.load_state_dict(model.state_dict())
        assert torch.equal(twin(v, 0.5), model(v, 0.5))
        assert torch.equal(twin.train()(v, 0.5), twin.eval()(v, 0.5))
    assert isinstance(twin, UnrolledTransformer)


def test_models_do_not_share_weights() -> None:
    one, two = small_model(), small_model()
    with torch.no_grad():
        one.embed.zero_()
        one.blocks[0].attention.value.zero_()
    assert two.embed.abs().max() > 0
    assert two.blocks[0].attention.value.abs().max() > 0
    assert one.blocks[2].attention.value.abs().max() > 0, "blocks of one parity neither"


def test_the_global_dtype_is_left_alone() -> None:
    small_model(dtype="float32")
    small_model()
    assert torch.get_default_dtype() == torch.float32


def test_repeated_blocks_are_compiled_once() -> None:
    chebyshev = compile_plan(make_plan(GP, tol=1e-3)).blocks
    assert len({id(b.attention) for b in chebyshev}) == 2
    assert len({id(b.feed_forward) for b in chebyshev}) == 2
    gradient = compile_plan(make_plan(GP, method="gradient", tol=1e-2, t_min=0.1)).blocks
    assert len({id(b.attention) for b in gradient}) == 1


def test_building_a_large_model_takes_seconds() -> None:
    rng = np.random.default_rng(0)
    root = rng.standard_normal((8, 8))
    gp = GaussianProcess(Exponential(8.0), 256, root @ root.T + np.eye(8))
    start = time.process_time()
    model = build(gp, method="chebyshev", attention="softmax", tol=1e-6)
    assert time.process_time() - start < 20
    assert model.plan.depth == len(model.blocks) > 100


# --- summary


@every_model
def test_summary_counts(method: str, attention: str) -> None:
    model = small_model(method, attention)
    summary = model.summary()
    weights = list(model.parameters())
    assert summary.parameters == sum(p.numel() for p in weights)
    assert summary.nonzero == sum(int((p != 0).sum()) for p in weights)
    assert summary.blocks == model.plan.depth
    assert summary.heads == model.plan.heads
    assert summary.token_dimension == model.position.shape[1]
    assert (summary.tol, summary.bound) == (model.plan.tol, model.plan.budget.total)
    assert sum(summary.stream.values()) == summary.token_dimension
    largest = 0.0
    for name, p in model.named_parameters():
        if name != "time.spectrum":
            matrices = p.detach().reshape(-1, *p.shape[-2:]) if p.ndim > 2 else p.detach()[None]
            largest = max(largest, max(float(torch.linalg.norm(m)) for m in matrices))
    assert summary.weight_norm == pytest.approx(largest, rel=1e-12)
    text = str(summary)
    for word in (method, attention, f"{summary.parameters:,}", "blocks L", "heads per block M"):
        assert word in text
    assert json.loads(json.dumps(summary.to_dict()))["blocks"] == model.plan.depth


@settings(max_examples=20)
@given(ours.plans(), st.integers(0, 2**32 - 1))
def test_the_output_range_holds(plan: Plan, seed: int) -> None:
    """||model(v, t)|| <= R while ||v - alpha M|| <= sqrt(N d); the worst direction included."""
    model, gp = build(plan), plan.gp
    radius = model.summary().output_range
    _, vectors = np.linalg.eigh(oracle.noisy_cov(gp, plan.t_min))
    random = np.random.default_rng(seed).standard_normal((3, gp.frames * gp.channels))
    directions = np.concatenate([vectors[:, :1].T, vectors[:, -1:].T, random])
    directions *= math.sqrt(gp.frames * gp.channels) / np.linalg.norm(directions, axis=1)[:, None]
    v = math.exp(-plan.t_min / 2) * gp.mean + directions.reshape(-1, gp.frames, gp.channels)
    with torch.no_grad():
        outputs = model(torch.as_tensor(v), plan.t_min).numpy()
    assert np.linalg.norm(outputs, axis=(1, 2)).max() <= radius * (1 + 1e-9)
