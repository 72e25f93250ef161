"""Frames at irregular times: softmax heads for any kernel, ALiBi heads on time stamps."""

from __future__ import annotations

import numpy as np
import plan_oracles as oracle
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_links import model_outputs

from constructions import blocks, build, compile_plan, load, summarize, verify
from proofs_check import CertificateError, audit, certify
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
from unroll.costs import cost

SPATIAL = np.array([[1.0, 0.6], [0.6, 2.0]])
TIMES = np.array([0.0, 0.3, 1.7, 2.0, 5.5, 9.1, 9.4, 12.0, 20.0, 21.5])
MEAN = np.outer(np.sin(TIMES), [3.0, -1.0])
KERNELS = [Exponential(3.0), Exponential(2.0, 1.5), Polynomial(4.0, 2.0), Logarithmic(4.0, 1.0)]


def process(kernel: Kernel, times: np.ndarray = TIMES) -> GaussianProcess:
    return GaussianProcess(kernel, len(times), SPATIAL, MEAN[: len(times)], frame_times=times)


def dense(gp: GaussianProcess, t: float) -> np.ndarray:
    """A_t, entry by entry, from the formulas of the regimes."""
    times = gp.frame_times
    assert times is not None
    gamma = [[oracle.autocov(gp.kernel, abs(a - b)) for b in times] for a in times]
    clean = np.kron(gamma, gp.spatial_cov)
    return np.exp(-t) * clean - np.expm1(-t) * np.eye(len(clean))


def exact_error(plan: Plan, t: float) -> float:
    """Relative rms error of the model over V ~ p_t, without draws."""
    gp = plan.gp
    values, vectors = np.linalg.eigh(dense(gp, t))
    root = (vectors * np.sqrt(values)) @ vectors.T
    offset = np.exp(-t / 2) * gp.mean
    inputs = np.concatenate([offset[None], offset + root.reshape(-1, gp.frames, gp.channels)])
    outputs = model_outputs(plan, inputs, t).reshape(len(inputs), -1)
    linear = outputs[1:] - outputs[0] + (vectors / np.sqrt(values)) @ vectors.T
    return float(np.sqrt((np.sum(linear**2) + np.sum(outputs[0] ** 2)) / np.sum(1 / values)))


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_the_process_is_the_definition(kernel: Kernel) -> None:
    gp = process(kernel)
    v = gp.sample_noisy(3, 0.2, rng=0)
    expected = -np.linalg.solve(
        dense(gp, 0.2), (v - np.exp(-0.1) * gp.mean).reshape(3, -1).T
    ).T.reshape(v.shape)
    for solver in ("cholesky", "eigen"):
        assert np.allclose(gp.score(v, 0.2, solver=solver), expected, rtol=1e-10)
    assert GaussianProcess.from_dict(gp.to_dict()) == gp
    regular = GaussianProcess(kernel, 10, SPATIAL, frame_times=np.arange(10.0))
    assert np.array_equal(regular.temporal_cov, GaussianProcess(kernel, 10, SPATIAL).temporal_cov)


@pytest.mark.parametrize("attention", ["softmax", "alibi"])
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("method", ["chebyshev", "gradient"])
def test_the_promise_is_kept(kernel: Kernel, attention: str, method: str) -> None:
    gp = process(kernel)
    options = {"method": method, "attention": attention, "tol": 1e-4, "t_min": 0.05}
    if attention == "alibi" and kernel == KERNELS[1]:  # no mixture of exponentials
        with pytest.raises(ArgumentError, match="exponentials"):
            make_plan(gp, **options)
        return
    plan = make_plan(gp, **options)
    for t in (0.05, 0.4, 5.0):
        assert exact_error(plan, t) <= plan.budget.total <= plan.tol
    weights = compile_plan(plan)
    v = gp.sample_noisy(3, 0.4, rng=1)
    with torch.no_grad():
        twin = build(plan)(torch.as_tensor(v), 0.4).numpy()
    assert np.allclose(blocks.forward(weights, v, np.full(3, 0.4)), twin, rtol=1e-9)
    *_, run = plan.run(v, 0.4)
    assert np.linalg.norm(run - twin) <= plan.budget.rounding * np.linalg.norm(run)
    assert Plan.from_dict(plan.to_dict()).to_dict() == plan.to_dict()
    sizes, counted = summarize(weights, plan), cost(plan)
    assert counted is not None
    assert (counted.parameters, counted.flops) == (sizes.parameters, sizes.flops)


def test_one_alibi_head_on_time_stamps() -> None:
    """The exponential regime with exponent one: a bias linear in the distance, exactly."""
    plan = make_plan(process(Exponential(3.0)), attention="alibi", tol=1e-6)
    assert plan.heads == 1
    bias = compile_plan(plan).blocks[0].attention.pair_bias
    assert np.allclose(bias[0], -np.abs(np.subtract.outer(TIMES, TIMES)) / 3)
    pattern = build(plan).attention_matrix()
    gamma = process(Exponential(3.0)).temporal_cov
    assert np.allclose(pattern[:, :10] * plan.lowering.sizes[0], gamma, rtol=1e-12)
    assert np.allclose(pattern.sum(axis=1), 1.0)


@settings(max_examples=15)
@given(st.lists(st.floats(0.05, 30.0), min_size=1, max_size=8), st.sampled_from(KERNELS))
def test_any_times(gaps: list[float], kernel: Kernel) -> None:
    gp = process(kernel, np.cumsum(gaps))
    plan = make_plan(gp, tol=1e-3, t_min=0.1)
    assert exact_error(plan, 0.1) <= plan.budget.total <= 1e-3


def test_saved_verified_and_tampered_with(tmp_path_factory: pytest.TempPathFactory) -> None:
    model, path = build(process(KERNELS[2]), tol=1e-4), tmp_path_factory.mktemp("m") / "model"
    model.save(path)
    again = load(path)
    assert np.array_equal(again.plan.gp.frame_times, TIMES)
    assert verify(again, samples=2).passed
    with torch.no_grad():
        again.blocks[3].attention.pair_bias[0, 2, 5] += 1e-2
    found = verify(again, samples=2)
    assert not found.passed
    assert found.first_divergence.startswith("block 3 ")
    again.save(path)
    assert certify(model.plan).bound <= model.plan.tol
    with pytest.raises(CertificateError, match="block 3, attention patterns of frame 2"):
        audit(path)


def test_bad_input() -> None:
    for times, fault in (
        ([0.0, 1.0], r"must have shape \(3,\)"),
        ([0.0, 2.0, 2.0], "must ascend, but frame 2 is not after frame 1"),
        ([0.0, np.nan, 2.0], "NaN"),
    ):
        with pytest.raises(ArgumentError, match=f"frame_times=.*{fault}"):
            GaussianProcess(KERNELS[0], 3, [[1.0]], frame_times=times)
    gp = process(KERNELS[0])
    for attention in ("relu", "fourier"):
        with pytest.raises(ArgumentError, match="needs regular frame times"):
            make_plan(gp, attention=attention)
    for method in ("preconditioned", "spectral"):
        with pytest.raises(ArgumentError, match="needs regular frame times"):
            make_plan(gp, method=method)
    for options in ({"method": "auto"}, {"preset": "paper"}):
        with pytest.raises(ArgumentError, match="leave no choice of construction"):
            make_plan(gp, **options)
    with pytest.raises(ArgumentError, match="not served"):
        build(gp, tol=1e-2).score_sequences([torch.zeros(3, 2, dtype=torch.float64)], 0.1)
