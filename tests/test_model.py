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
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from constructions import UnrolledTransformer, build, compile_plan
from unroll import (
    ArgumentError,
    Exponential,
    GaussianProcess,
    Kernel,
    Logarithmic,
    Plan,
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
