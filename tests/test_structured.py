"""Structured execution: the plain forward pass is the oracle."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tolerances as tol
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from constructions import UnrolledTransformer, build
from constructions.layers import Attention
from constructions.modules import Transformer
from constructions.structured import StructuredTransformer, accelerate, toeplitz
from constructions.structured.model import ScoreAt
from constructions.structured.moment import TimeFeatures
from unroll import (
    ArgumentError,
    DampedCosine,
    Exponential,
    GaussianProcess,
    Kernel,
    Logarithmic,
    Polynomial,
    make_plan,
)

SPATIAL = np.array([[1.0, 0.6], [0.6, 2.0]])
TIMES = torch.tensor([0.3, 0.5, 1.0, 4.5], dtype=torch.float64)
METHODS = [
    ("preconditioned", "softmax"),
    ("preconditioned", "alibi"),
    ("preconditioned", "fourier"),
    ("preconditioned", "relu"),
    ("boundary", None),
    ("spectral", None),
    ("gradient", "softmax"),
    ("chebyshev", "softmax"),
    ("chebyshev", "alibi"),
    ("chebyshev", "fourier"),
    ("chebyshev", "relu"),
]
every_method = pytest.mark.parametrize(("method", "attention"), METHODS)


@functools.cache
def _built(kernel: Kernel, frames: int, mean: bool, channels: int, options: tuple[Any, ...]) -> Any:
    values = np.outer(np.cos(np.arange(frames)), [2.0, 1.0][:channels]) if mean else None
    gp = GaussianProcess(kernel, frames, SPATIAL[:channels, :channels], values)
    return build(gp, **{"tol": 1e-2, "t_min": 0.3, "t_max": 5.0, **dict(options)})


def model_of(
    kernel: Kernel | None = None,
    frames: int = 24,
    *,
    mean: bool = False,
    channels: int = 2,
    **options: Any,
) -> UnrolledTransformer:
    kernel = kernel or Polynomial(4.0, 2.0)
    items = tuple(sorted(options.items()))
    return copy.deepcopy(_built(kernel, frames, mean, channels, items))  # type: ignore[no-any-return]


def noisy(model: Transformer, batch: int = 4, seed: int = 0) -> Tensor:
    a, generator = model.architecture, torch.Generator().manual_seed(seed)
    shape = (batch, a.frames, a.channels)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(model.embed.dtype)


def allowed(model: Transformer) -> float:
    """A few roundings per block, magnified by slopes of ReLU heads."""
    slopes = [
        float(block.attention.output.detach().abs().max())  # type: ignore[union-attr, operator]
        for block in model.blocks
        if isinstance(block.attention, Attention) and block.attention.score == "relu"
    ]
    eps = torch.finfo(model.embed.dtype).eps
    return tol.STRUCTURED * eps * len(model.blocks) * (1 + max(slopes, default=0.0))


def distance(x: Tensor, y: Tensor) -> float:
    return float((x - y).detach().norm() / y.detach().norm())


def assert_equal(fast: StructuredTransformer, seed: int = 0) -> None:
    """One diffusion time in three shapes, several, one sequence, and `at`."""
    plain, v = fast.model, noisy(fast.model, seed=seed)
    with torch.no_grad():
        for t in (0.4, torch.tensor(0.4), TIMES.expand(1, -1)[0], TIMES[:1]):
            expected = plain(v, t)
            assert torch.isfinite(expected).all()
            assert distance(fast(v, t), expected) <= allowed(plain)
            assert torch.equal(fast.at(t)(v), fast(v, t))
        assert distance(fast(v[0], 2.0), plain(v[0], 2.0)) <= allowed(plain)


@pytest.fixture(params=["short", "long"])
def length(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Short sequences as they are, and treated as if they were long."""
    if request.param == "long":
        monkeypatch.setattr(toeplitz, "_LONG", 0)
        monkeypatch.setattr(toeplitz, "_MATRIX", dict.fromkeys(toeplitz._MATRIX, 0))
        monkeypatch.setattr(toeplitz, "_BAND", dict.fromkeys(toeplitz._BAND, 8))
    return str(request.param)


# --- equal to the plain forward pass


@every_method
@pytest.mark.parametrize(
    ("dtype", "mean"), [("float64", False), ("float64", True), ("float32", True)]
)
def test_it_is_the_plain_forward_pass(
    method: str, attention: str | None, dtype: str, mean: bool, length: str
) -> None:
    model = model_of(mean=mean, method=method, attention=attention)
    assert_equal(accelerate(model.to(getattr(torch, dtype))))


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "silu"])
@pytest.mark.parametrize("method", ["preconditioned", "chebyshev"])
def test_other_activations(method: str, activation: str) -> None:
    model = model_of(method=method, attention="softmax", activation=activation)
    fast = accelerate(model)
    assert_equal(fast)
    assert not any("activation" in mechanism for mechanism in fast.mechanisms)


@pytest.mark.parametrize(
    ("kernel", "frames", "options", "mechanism"),
    [
        (Polynomial(4.0, 2.0), 300, {"method": "preconditioned", "attention": "softmax"}, "conv"),
        (Logarithmic(8.0, 1.0), 300, {"method": "chebyshev", "attention": "fourier"}, "conv"),
        (Exponential(4.0), 1100, {"method": "chebyshev", "attention": "alibi"}, "scan"),
        (Exponential(4.0), 1100, {"method": "chebyshev", "attention": "softmax"}, "scan"),
        (Exponential(4.0), 1100, {"method": "chebyshev", "attention": "fourier"}, "scan"),
        (Polynomial(4.0, 4.0), 1100, {"method": "chebyshev", "attention": "alibi"}, "scan"),
        (Exponential(1.0, 2.0), 1100, {"method": "chebyshev", "attention": "relu"}, "band"),
    ],
    ids=str,
)
def test_long_sequences(
    kernel: Kernel, frames: int, options: dict[str, Any], mechanism: str
) -> None:
    fast = accelerate(model_of(kernel, frames, channels=1, tol=0.3, **options))
    assert fast.mechanisms[0].startswith(mechanism)
    v = noisy(fast.model, batch=2)
    with torch.no_grad():
        assert distance(fast(v, 0.5), fast.model(v, 0.5)) <= allowed(fast.model)


@pytest.mark.parametrize(
    ("method", "attention", "short", "long"),
    [
        ("preconditioned", "softmax", {"matrix", "circulant"}, {"convolution", "circulant"}),
        ("preconditioned", "alibi", {"matrix", "circulant"}, {"scan", "circulant"}),
        ("preconditioned", "fourier", {"matrix", "circulant"}, {"convolution", "circulant"}),
        ("chebyshev", "relu", {"matrix"}, {"convolution"}),
        ("boundary", None, {"circulant", "mixtures"}, {"circulant", "mixtures"}),
        ("spectral", None, {"features"}, {"features"}),
    ],
)
def test_structure_is_recognised(
    method: str, attention: str | None, short: set[str], long: set[str], length: str
) -> None:
    fast = model_of(method=method, attention=attention).structured()
    assert set(fast.mechanisms) == (short if length == "short" else long)


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        (Exponential(2.0), {"preset": "paper", "tol": 0.3, "t_min": 0.5}),
        (Exponential(4.0), {"method": "chebyshev", "attention": "relu", "conditioning": "mlp"}),
        (DampedCosine(8.0, 16.0), {"method": "chebyshev", "attention": "softmax"}),
        (DampedCosine(8.0, 16.0), {"method": "preconditioned", "attention": "fourier"}),
    ],
    ids=["paper", "mlp", "two signs", "two signs, fourier"],
)
def test_other_constructions(kernel: Kernel, options: dict[str, Any]) -> None:
    fast = accelerate(model_of(kernel, frames=10, channels=1, **options))
    plain, v = fast.model, noisy(fast.model)
    with torch.no_grad():
        for t in (0.7, TIMES + 0.2):
            assert distance(fast(v, t), plain(v, t)) <= allowed(plain)
            assert torch.equal(fast.at(t)(v), fast(v, t))


def test_irregular_frames_have_no_lags() -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.5, 1.5, 12))
    gp = GaussianProcess(Exponential(4.0), 12, SPATIAL, frame_times=times)
    fast = accelerate(build(gp, method="chebyshev", attention="softmax", tol=1e-2, t_min=0.3))
    assert set(fast.mechanisms) == {"matrix"}
    assert_equal(fast)


@pytest.mark.parametrize("attention", ["softmax", "alibi", "fourier", "relu"])
def test_shorter_sequences(attention: str, length: str) -> None:
    model = model_of(method="chebyshev", attention=attention, mean=True)
    fast, v = accelerate(model), noisy(model)
    sequences = [v[0], v[1, :7], v[2, :1], v[3, :7]]
    with torch.no_grad():
        expected = model.score_sequences(sequences, TIMES)
        for one, other in zip(fast.score_sequences(sequences, TIMES), expected, strict=True):
            assert one.shape == other.shape
            assert distance(one, other) <= allowed(model)


def test_queries_and_keys_may_read_the_stream() -> None:
    for attention in ("softmax", "relu"):
        model = model_of(method="chebyshev", attention=attention)
        model.scores_from = "stream"
        fast = accelerate(model)
        assert set(fast.mechanisms) == {"matrix"}  # what they read is never written
        assert_equal(fast)
        with torch.no_grad():
            model.blocks[0].attention.key.normal_()  # type: ignore[union-attr, operator]
        assert fast.mechanisms[0] == "attention"
        assert_equal(fast)


def test_queries_that_read_what_was_written_are_not_positions() -> None:
    """One hidden unit of the first block writes to the channels that later queries read."""
    model = model_of(method="chebyshev", attention="softmax")
    model.scores_from = "stream"
    with torch.no_grad():
        model.blocks[0].feed_forward.down[:, model.stream["sink_start"]] = 0.1  # type: ignore[union-attr, operator, index]
    fast = accelerate(model)
    assert fast.mechanisms[0].startswith("matrix")
    assert fast.mechanisms[1].startswith("attention")
    assert_equal(fast)


def test_the_plan_is_not_looked_at() -> None:
    model = model_of(method="preconditioned", attention="softmax")
    v, t = noisy(model), 0.4
    with torch.no_grad():
        before = accelerate(model)(v, t)
        model.plan = make_plan(GaussianProcess(Logarithmic(9.0, 2.0), 3, [[7.0]]), tol=0.5)
        assert torch.equal(accelerate(model)(v, t), before)
        del model.plan
        assert torch.equal(accelerate(model)(v, t), before)


# --- other weights are another function


def tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in model.named_parameters():
        if tensor.numel():
            yield name, tensor


@pytest.mark.parametrize("length", ["long"], indirect=True)
@pytest.mark.parametrize(("method", "attention"), [*METHODS[:6], METHODS[-1]])
def test_every_weight_counts(method: str, attention: str | None, length: str) -> None:
    """One entry of every tensor is changed: the result changes as that of the plain model."""
    tolerance = (
        1e-4 if method in ("boundary", "preconditioned") else 0.3
    )  # several steps, few blocks
    model = model_of(method=method, attention=attention, mean=True, tol=tolerance)
    assert method in ("boundary", "spectral") or len(model.blocks) >= 4
    fast, v, rng = accelerate(model), noisy(model), np.random.default_rng(0)
    seen, earlier = set(), len(model.blocks) - 2
    for name, tensor in tensors(model):
        kind = name.split(".", 2)[-1] if name.startswith("blocks") else name
        if name.startswith("blocks") and int(name.split(".")[1]) < earlier:
            continue
        with torch.no_grad():
            before, old = model(v, TIMES), tensor.clone()
            flat, used = tensor.view(-1), torch.nonzero(tensor.view(-1)).flatten().numpy()
            for k in [rng.integers(tensor.numel()), *used[rng.permutation(len(used))[:1]]]:
                flat[int(k)] += 1e-3 * (1 + float(flat[int(k)].abs()))
            plain, structured = model(v, TIMES), fast(v, TIMES)
            assert distance(structured, plain) <= 4 * allowed(model), name
            if distance(plain, before) > 1e-6:
                seen.add(kind)
                assert distance(structured, before) > 0.5 * distance(plain, before)
            tensor.copy_(old)
    assert {"embed", "readout", "attention.value", "attention.output"} <= seen
    scores = {"query", "key_bias", "query_bias", "relative_bias", "sink_key"}
    if attention in ("softmax", "alibi"):
        assert {f"attention.{name}" for name in scores} <= seen
    with torch.no_grad():
        assert distance(fast(v, TIMES), model(v, TIMES)) <= allowed(model)


def randomize(model: Transformer, seed: int, scores_from: str) -> None:
    generator = torch.Generator().manual_seed(seed)
    model.scores_from = scores_from
    with torch.no_grad():
        for name, tensor in tensors(model):
            if name.startswith("time."):
                continue
            scale = 0.2 if tensor.ndim > 1 or name.endswith(("bias", "turns")) else 1.0
            tensor.copy_(scale * torch.randn(tensor.shape, generator=generator))
            if name.endswith(("poles", "baseline", "turns", "radius")):
                tensor.abs_()


@pytest.mark.parametrize("scores_from", ["position", "stream"])
@every_method
def test_random_weights(method: str, attention: str | None, scores_from: str, length: str) -> None:
    """Nothing is left of the structure, and the result is still the plain one."""
    model = model_of(frames=6, method=method, attention=attention, mean=True, tol=0.3)
    randomize(model, seed=1, scores_from=scores_from)
    fast, v = accelerate(model), noisy(model)
    with torch.no_grad():
        for t in (0.4, TIMES):
            expected = model(v, t)
            assert torch.isfinite(expected).all()
            assert distance(fast(v, t), expected) <= tol.TWIN


def test_changes_in_place_are_seen_and_others_on_request() -> None:
    model = model_of(method="chebyshev", attention="softmax")
    fast, v = accelerate(model), noisy(model)
    with torch.no_grad():
        model.readout.mul_(2.0)
        assert distance(fast(v, 0.4), model(v, 0.4)) <= allowed(model)
        model.load_state_dict(model.state_dict() | {"readout": 1.01 * model.readout})
        assert distance(fast(v, 0.4), model(v, 0.4)) <= allowed(model)
        model.readout.data = 2.0 * model.readout.data
        fast.refresh()
        assert distance(fast(v, 0.4), model(v, 0.4)) <= allowed(model)
        model.float()
        assert distance(fast(v.float(), 0.4), model(v.float(), 0.4)) <= allowed(model)
        fast.double()
        assert distance(fast(v, 0.4), model(v, 0.4)) <= allowed(model)


# --- diffusion times


@every_method
def test_time_features(method: str, attention: str | None) -> None:
    """One number, several at once, and the plain embedding."""
    embedding = model_of(method=method, attention=attention).time
    features = TimeFeatures(embedding)
    assert features.constant == 0
    expected = embedding(TIMES, torch.float64)
    several = features.at(TIMES)
    for name, shape in (("features", (4, -1)), ("alpha_sq", (4,)), ("sigma_sq", (4,))):
        torch.testing.assert_close(
            getattr(several, name).reshape(shape), getattr(expected, name), rtol=1e-13, atol=0.0
        )
    for t, row in zip(TIMES, expected.features.detach().numpy(), strict=True):
        np.testing.assert_allclose(features.at(float(t)).features, row, rtol=1e-12)


@pytest.mark.parametrize("method", ["chebyshev", "preconditioned"])
def test_time_weights_without_a_meaning_give_nan(method: str) -> None:
    model = model_of(method=method, attention="softmax")
    fast, v = accelerate(model), noisy(model)
    weight = model.time.spectrum if method == "chebyshev" else model.time.spatial
    with torch.no_grad():
        weight.neg_()  # type: ignore[operator]
        assert torch.isnan(model(v, 0.4)).any()
        assert torch.isnan(fast(v, 0.4)).any()


# --- gradients


@pytest.mark.parametrize(("method", "attention"), [*METHODS[:6], METHODS[-1]])
def test_gradients_of_sequences_and_times(method: str, attention: str | None, length: str) -> None:
    model = model_of(frames=5, method=method, attention=attention, mean=True, tol=0.3)
    fast = accelerate(model)
    v, t = noisy(model, batch=2).requires_grad_(), TIMES[1:3].clone().requires_grad_()
    assert torch.autograd.gradcheck(fast, (v, t))
    assert torch.autograd.gradcheck(lambda v, t: fast(v, t), (v, t[0].detach().requires_grad_()))
    assert torch.autograd.gradcheck(lambda v: fast(v, 0.4), (v,))
    ours = torch.autograd.grad(fast(v, t).square().sum(), (v, t))
    plain = torch.autograd.grad(model(v, t).square().sum(), (v, t))
    for one, other in zip(ours, plain, strict=True):
        assert distance(one, other) <= 10 * allowed(model)


# --- cost


class Largest(TorchDispatchMode):
    """The largest tensor that any operation returns."""

    entries = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, Tensor) and not func._schema.name.endswith("unfold"):
                self.entries = max(self.entries, tensor.untyped_storage().nbytes() // 8)
        return result


@pytest.mark.parametrize("attention", ["softmax", "alibi", "fourier"])
def test_memory_is_linear_in_the_frames(attention: str) -> None:
    frames, batch = 8192, 4
    model = model_of(
        Exponential(4.0), frames, channels=1, method="preconditioned", attention=attention
    )
    accelerate(model)  # once per process, a block is allocated and freed
    with torch.no_grad(), Largest() as largest:
        accelerate(model)(noisy(model, batch), 0.4)
    assert frames <= largest.entries <= 8 * batch * frames
    assert all(tensor.numel() <= 8 * frames for tensor in model.parameters())


def test_equal_blocks_are_read_once_and_what_is_not_read_is_not_computed() -> None:
    model = model_of(method="preconditioned", attention="softmax")
    program = accelerate(model).program(24)
    assert len(program.kinds) == 2 < len(model.blocks)
    assert "r" not in program._steps[-1].live


def test_large_batches_run_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(method="preconditioned", attention="softmax")
    fast, v = accelerate(model), noisy(model, batch=7)
    with torch.no_grad():
        whole = fast(v, 0.4)
        monkeypatch.setattr("constructions.structured.model._BYTES", 2 * 24 * 2 * 8)
        assert distance(fast(v, 0.4), whole) <= tol.TWIN
        assert fast(v[:0], 0.4).shape == (0, 24, 2)


# --- bad input


def test_bad_input_is_refused_as_by_the_plain_model() -> None:
    model = model_of(method="chebyshev", attention="softmax")
    fast, v = accelerate(model), noisy(model)
    bad = [
        (v.float(), 0.4),
        (v[:, :5], 0.4),
        (v[0, 0], 0.4),
        (v * float("nan"), 0.4),
        (v, 99.0),
        (v, float("nan")),
        (v, TIMES[:2]),
        (v, "now"),
        (v.numpy(), 0.4),
    ]
    for sequences, t in bad:
        with pytest.raises(ArgumentError) as plain:
            model(sequences, t)
        with pytest.raises(ArgumentError) as ours:
            fast(sequences, t)
        assert str(ours.value) == str(plain.value)
    with pytest.raises(ArgumentError, match="outside the range"):
        fast.at(99.0)
    at = fast.at(TIMES)
    assert isinstance(at, ScoreAt)
    with pytest.raises(ArgumentError, match="t="):
        at(v[:3])
    with pytest.raises(ArgumentError, match="NaN"):
        at(v * float("nan"))
    with pytest.raises(ArgumentError, match="is not a Transformer"):
        accelerate(nn.Linear(1, 1))  # type: ignore[arg-type]


def test_sequences_of_other_lengths_need_a_plan() -> None:
    model = model_of(method="chebyshev", attention="softmax")
    plain = Transformer(model.architecture)
    plain.load_state_dict(model.state_dict())
    with pytest.raises(ArgumentError, match="is not an UnrolledTransformer"):
        accelerate(plain).score_sequences([noisy(model)[0]], 0.4)
    assert_equal(accelerate(plain))


def test_values_that_are_finite_but_huge_are_no_error() -> None:
    model = model_of(method="chebyshev", attention="softmax", dtype="float32", tol=0.1)
    v = torch.full((1, 24, 2), 3e37, dtype=torch.float32)
    v[0, ::2] *= 0.5
    with torch.no_grad():
        assert accelerate(model)(v, 4.0).shape == v.shape
