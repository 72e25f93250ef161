"""The four links from weights to the closed form, for preconditioned and direct models.

1. torch module against the numpy blocks: rounding only.
2. numpy blocks against the plan's own run: the estimated rounding.
3. the plan's run against the closed form: rate and truncation, as budgeted.
4. the model against the closed form: measured <= budget <= tol, no slack.
"""

from __future__ import annotations

import numpy as np
import plan_oracles as oracle
import plan_strategies as ours
import pytest
import tolerances as tol
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_links import mean_size, model_outputs, time_at

from constructions import blocks, build, compile_plan, load, verify
from unroll import (
    ArgumentError,
    CircleExponential,
    Exponential,
    GaussianProcess,
    Logarithmic,
    Plan,
    Polynomial,
    make_plan,
)
from unroll.attention import Alibi

KERNELS = {
    "exponential": Exponential(8.0),
    "gaussian": Exponential(1.5, 2.0),
    "polynomial": Polynomial(8.0, 2.0),
    "slow polynomial": Polynomial(8.0, 0.5),
    "logarithmic": Logarithmic(8.0, 1.0),
    "circle": CircleExponential(4.0, 1.0, period=48),
}
WAYS = [
    ("preconditioned", "softmax"),
    ("preconditioned", "fourier"),
    ("preconditioned", "alibi"),
    ("preconditioned", "relu"),
    ("boundary", None),
    ("spectral", None),
]
SPATIAL = np.array([[1.0, 0.6], [0.6, 2.0]])


def problem(name: str, frames: int = 24) -> GaussianProcess:
    mean = np.outer(np.sin(np.arange(frames)), [3.0, -1.0])
    return GaussianProcess(KERNELS[name], frames, SPATIAL, mean)


def planned(name: str, method: str, attention: str | None, **options: object) -> Plan:
    try:
        return make_plan(problem(name), method=method, attention=attention, **options)
    except ArgumentError as refusal:
        if attention == "alibi":  # not a mixture of exponentials, or not close enough to one
            pytest.skip(str(refusal))
        raise


@pytest.mark.parametrize(("method", "attention"), WAYS)
@pytest.mark.parametrize("name", KERNELS)
def test_the_four_links(name: str, method: str, attention: str | None) -> None:
    plan = planned(name, method, attention)
    kappa = plan.spectrum.condition_number(plan.t_min)
    for where in (0.0, 0.4, 1.0):
        t = time_at(plan, where)
        exact = oracle.ExactError(plan.gp, t)
        torch_twin = model_outputs(plan, exact.inputs, t)
        numpy_twin = blocks.forward(compile_plan(plan), exact.inputs, np.full(len(exact.inputs), t))
        *_, run = plan.run(exact.inputs, t)
        rounding = tol.iteration(kappa) * plan.gp.frames * (1 + mean_size(plan, t))
        # exponentials of both signs may cancel
        slope = 1.0
        if isinstance(plan.lowering, Alibi):
            slope = max(1.0, float(np.abs(plan.lowering.amplitudes).sum()))
        if attention == "relu":
            slope = float(np.abs(compile_plan(plan).blocks[0].attention.output).max())
        eps = slope * float(np.finfo(np.float64).eps)
        assert exact.distance(torch_twin, numpy_twin) <= tol.LINK_ONE * eps * plan.layers * kappa
        assert exact.distance(numpy_twin, run) <= slope * rounding
        assert exact(run) <= plan.budget.rate + plan.budget.truncation + rounding
        assert exact(torch_twin) <= plan.budget.total <= plan.tol


@pytest.mark.parametrize(("method", "attention"), WAYS[:2] + WAYS[-2:])
@pytest.mark.parametrize("name", ["exponential", "polynomial", "logarithmic"])
def test_float32(name: str, method: str, attention: str | None) -> None:
    plan = planned(name, method, attention, tol=1e-3, dtype="float32")
    for where in (0.0, 0.5, 1.0):
        t = time_at(plan, where)
        sampled = oracle.SampledError(plan.gp, t)
        assert sampled(model_outputs(plan, sampled.inputs, t)) <= plan.tol


@settings(max_examples=12, deadline=None)
@given(ours.problems(max_frames=10, mean_scale=1.0), st.sampled_from(WAYS[:2] + WAYS[-2:]))
def test_many_problems(gp: GaussianProcess, way: tuple[str, str | None]) -> None:
    plan = make_plan(gp, method=way[0], attention=way[1], tol=1e-6)
    for where in (0.0, 0.7):
        exact = oracle.ExactError(gp, time_at(plan, where))
        assert exact(model_outputs(plan, exact.inputs, exact.t)) <= plan.tol


@pytest.mark.parametrize(("method", "attention"), WAYS[:1] + WAYS[-2:])
def test_few_steps_and_few_blocks(method: str, attention: str | None) -> None:
    """At most six steps (two blocks each) in every regime, one or two blocks for the others."""
    for name in ("exponential", "polynomial", "slow polynomial", "logarithmic"):
        plan = planned(name, method, attention)
        assert plan.layers == (1 if method == "spectral" else 2 * plan.depth)
        assert plan.depth <= 6
        assert len(build(plan).blocks) == plan.layers


@pytest.mark.parametrize(("method", "attention"), WAYS)
def test_the_forward_pass_knows_nothing(method: str, attention: str | None) -> None:
    """Noise of a percent in any tensor makes the model another one, and verify says so."""
    model = build(planned("polynomial", method, attention, tol=1e-4))
    assert verify(model, samples=2).passed
    v = torch.as_tensor(model.plan.gp.sample_noisy(4, t=0.05, rng=1))
    with torch.no_grad():
        before = model(v, 0.05)
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point() or not tensor.any():
            continue
        kept = tensor.clone()
        tensor.mul_(1 + 0.01 * torch.rand(tensor.shape, dtype=tensor.dtype, generator=_generator()))
        with torch.no_grad():
            moved = (model(v, 0.05) - before).norm() / before.norm()
        checked = verify(model, times=[0.05], samples=1)
        assert not checked.passed, name
        tensor.copy_(kept)
        if name in ("embed", "readout"):
            assert moved > 1e-3, name
    assert verify(model, samples=2).passed


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("method", "attention"), WAYS)
def test_saved_and_loaded(
    method: str, attention: str | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plan = planned("exponential", method, attention)
    model, path = build(plan), tmp_path_factory.mktemp("m") / "model"
    model.save(path)
    again = load(path)
    assert again.plan.to_dict() == plan.to_dict()
    v = torch.as_tensor(plan.gp.sample_noisy(3, t=0.3, rng=0))
    assert torch.equal(model(v, 0.3), again(v, 0.3))


def test_hooks_of_linear_attention() -> None:
    """Iterates by block; a head's pattern put together; the state where no pattern is formed."""
    plan = planned("polynomial", "preconditioned", "softmax")
    model = build(plan)
    names = model.hook_names()
    assert "blocks.0.attention.pattern" in names
    assert "blocks.1.attention.state" in names
    assert [n for n in names if n.endswith("iterate")] == [
        f"blocks.{2 * k + 1}.iterate" for k in range(plan.depth)
    ]
    v = plan.gp.sample_noisy(2, t=0.1, rng=0)
    for found, wanted in zip(
        model.iterates(torch.as_tensor(v), 0.1), plan.run(v, 0.1), strict=True
    ):
        assert np.linalg.norm(found.numpy() - wanted) <= 1e-9 * np.linalg.norm(wanted)
    assert plan.preconditioner is not None
    period = plan.preconditioner.period
    lags = np.subtract.outer(np.arange(24), np.arange(24))
    for head, weight in ((0, 1 / period), (5, 2 / period), (period // 2, 1 / period)):
        pattern = weight * np.cos(2 * np.pi * head * lags / period)
        assert np.abs(model.attention_matrix(1, head) - pattern).max() <= 1e-14
    with pytest.raises(ArgumentError, match="head="):
        model.attention_matrix(1, period)


def test_the_patterns_of_fourier_heads_add_up_to_gamma() -> None:
    plan = planned("logarithmic", "chebyshev", "fourier", tol=1e-2)
    model = build(plan)
    heads = range(model.architecture.heads)
    total = sum(model.attention_matrix(head=h) for h in heads)
    assert np.abs(total - oracle.temporal_cov(plan.gp.kernel, 24)).max() <= 1e-13


def test_refusals() -> None:
    gp = problem("exponential")
    with pytest.raises(ArgumentError, match="has no place in method 'spectral'"):
        make_plan(gp, method="spectral", attention="softmax")
    with pytest.raises(ArgumentError, match="has no place in method 'boundary'"):
        make_plan(gp, method="boundary", attention="fourier")
    with pytest.raises(ArgumentError, match="needs 2 layers"):
        make_plan(gp, method="boundary", max_layers=1)
    with pytest.raises(
        ArgumentError, match=r"out of reach of method 'boundary'.* method='spectral'"
    ):
        make_plan(GaussianProcess(Exponential(3.0, 2.0), 40, SPATIAL), method="boundary", tol=1e-10)
    with pytest.raises(ArgumentError, match=r"rounding=guaranteed: leaves no choice of method"):
        make_plan(gp, method="auto", rounding="guaranteed")
    with pytest.raises(ArgumentError, match="leaves no room in float32"):
        make_plan(gp, method="preconditioned", dtype="float32", tol=1e-9)
    for direct in ("spectral", "boundary"):
        with pytest.raises(ArgumentError, match="leaves no room in float32"):
            make_plan(gp, method=direct, dtype="float32", tol=1e-7)
    with pytest.raises(ArgumentError, match=r"needs \d+ layers"):
        make_plan(gp, method="preconditioned", max_layers=3)
    with pytest.raises(ArgumentError, match="belongs to method='auto'"):
        make_plan(gp, objective="heads")
