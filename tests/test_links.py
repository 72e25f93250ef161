"""Four links from weights to the closed form, so that a failure names its layer.

1. torch module against the numpy blocks: rounding only.
2. numpy blocks against the plan's iteration: the lowering's rounding.
3. the plan's iteration against the closed form: rate and truncation, as budgeted.
4. the model against the closed form: measured <= budget <= tol, no slack.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import plan_oracles as oracle
import plan_strategies as ours
import pytest
import tolerances as tol
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from constructions import blocks, build, compile_plan
from unroll import (
    ArgumentError,
    CircleExponential,
    Exponential,
    GaussianProcess,
    Kernel,
    Logarithmic,
    Plan,
    Polynomial,
    make_plan,
)
from unroll.attention import SoftmaxSink

times_in_range = st.floats(0, 1)


def time_at(plan: Plan, where: float) -> float:
    """A diffusion time of the plan's range, by its place in the logarithm; both ends are hit."""
    inside = math.exp((1 - where) * math.log(plan.t_min) + where * math.log(plan.t_max))
    return min(max(inside, plan.t_min), plan.t_max)


def mean_size(plan: Plan, t: float) -> float:
    """||alpha M||, relative to the rms of V - alpha M."""
    spread = float(np.trace(oracle.noisy_cov(plan.gp, t)))
    return math.exp(-t / 2) * float(np.linalg.norm(plan.gp.mean)) / math.sqrt(spread)


def model_outputs(plan: Plan, inputs: np.ndarray, t: float) -> np.ndarray:
    with torch.no_grad():
        outputs = build(plan)(torch.as_tensor(inputs.astype(plan.dtype)), t)
    return outputs.double().numpy()


# --- link 1


def check_link_one(plan: Plan, t: float) -> None:
    """c eps depth, times what magnifies a rounding: the slope of the ReLU heads and the mean."""
    sampled = oracle.SampledError(plan.gp, t, 8)
    inputs, weights = sampled.inputs.astype(plan.dtype), build(plan).weights()
    numpy_twin = blocks.forward(weights, inputs, np.full(8, t))
    assert numpy_twin.dtype == plan.dtype
    torch_twin = model_outputs(plan, inputs, t)
    slope = 1.0
    if plan.attention == "relu":
        slope = max(1.0, float(np.abs(weights.blocks[0].attention.output).max()))
    eps = float(np.finfo(plan.dtype).eps)
    allowed = tol.LINK_ONE * eps * plan.depth * slope * (1 + mean_size(plan, t))
    assert sampled.distance(torch_twin, numpy_twin) <= allowed


@settings(max_examples=30)
@given(ours.plans(), times_in_range)
def test_link_one_float64(plan: Plan, where: float) -> None:
    check_link_one(plan, time_at(plan, where))


@settings(max_examples=30)
@given(ours.plans(dtype="float32"), times_in_range)
def test_link_one_float32(plan: Plan, where: float) -> None:
    check_link_one(plan, time_at(plan, where))


# --- link 2


@settings(max_examples=30)
@given(ours.plans(), times_in_range)
def test_link_two_float64(plan: Plan, where: float) -> None:
    t = time_at(plan, where)
    sampled = oracle.SampledError(plan.gp, t, 16)
    twin = blocks.forward(compile_plan(plan), sampled.inputs, np.full(16, t))
    *_, iterate = plan.run(sampled.inputs, t)
    assert sampled.distance(twin, iterate) <= plan.budget.rounding


@settings(max_examples=30)
@given(ours.plans(dtype="float32"), times_in_range)
def test_link_two_float32(plan: Plan, where: float) -> None:
    t = time_at(plan, where)
    sampled = oracle.SampledError(plan.gp, t, 16)
    inputs = sampled.inputs.astype(np.float32)
    twin = blocks.forward(build(plan).weights(), inputs, np.full(16, t))
    *_, iterate = plan.run(sampled.inputs, t)
    assert sampled.distance(twin, iterate) <= plan.budget.rounding


# --- link 3


def check_link_three(plan: Plan, t: float) -> None:
    """Every iterate, at its own rate for the spectrum at t; the last within the budget."""
    exact = oracle.ExactError(plan.gp, t)
    lower, upper = plan.spectrum.noisy(t)
    condition = upper / lower
    rounding = tol.iteration(condition) * plan.gp.frames * (1 + mean_size(plan, t))
    for k, iterate in enumerate(plan.run(exact.inputs, t), start=1):
        error = exact(iterate)
        rate = plan.method.rate(condition, k)
        # (1 + delta) e / m with the rate of this iterate
        truncation = plan.budget.truncation * (1 + rate) / (1 + plan.budget.rate)
        assert error <= rate + truncation + rounding
    assert error <= plan.budget.rate + plan.budget.truncation + rounding


@settings(max_examples=40)
@given(ours.plans(), times_in_range)
def test_link_three(plan: Plan, where: float) -> None:
    check_link_three(plan, plan.t_min)
    check_link_three(plan, time_at(plan, where))


@settings(max_examples=30)
@given(ours.plans())
def test_the_rate_is_attained_at_both_ends_of_the_spectrum(plan: Plan) -> None:
    """Give the iteration a problem of one number, whose eigenvalue is an end of the interval that
    the step sizes are chosen for: no smaller bound would hold."""
    for end in (plan.spectrum.lower, plan.spectrum.upper):
        if end <= 1e-9:
            continue
        one = GaussianProcess(Exponential(1.0), 1, [[end]])
        witness = replace(plan, gp=one, lowering=SoftmaxSink.design(one.kernel, 1))
        exact = oracle.ExactError(one, plan.t_min)
        *_, last = witness.run(exact.inputs, plan.t_min)
        lower, upper = plan.spectrum.noisy(plan.t_min)
        assert abs(exact(last) - plan.budget.rate) <= tol.iteration(upper / lower)


# --- link 4


def check_link_four(plan: Plan, t: float) -> float:
    exact = oracle.ExactError(plan.gp, t)
    measured = exact(model_outputs(plan, exact.inputs, t))
    assert measured <= plan.budget.total <= plan.tol
    return plan.budget.total / max(measured, 1e-300)


@settings(max_examples=40)
@given(ours.plans(), times_in_range)
def test_link_four_float64(plan: Plan, where: float) -> None:
    check_link_four(plan, plan.t_min)
    check_link_four(plan, time_at(plan, where))


@settings(max_examples=40)
@given(ours.plans(dtype="float32"), times_in_range)
def test_link_four_float32(plan: Plan, where: float) -> None:
    """Measured rounding is an estimate and does not enter a bound: the promise is `tol`."""
    for t in (plan.t_min, time_at(plan, where)):
        sampled = oracle.SampledError(plan.gp, t)
        assert sampled(model_outputs(plan, sampled.inputs, t)) <= plan.tol


@settings(max_examples=20)
@given(ours.problems(max_frames=4), ours.options(dtype="float32"), times_in_range)
def test_link_four_float32_guaranteed(
    gp: GaussianProcess, options: dict[str, object], where: float
) -> None:
    try:
        plan = make_plan(gp, **{**options, "rounding": "guaranteed"})  # type: ignore[arg-type]
    except ArgumentError:
        reject()
    check_link_four(plan, plan.t_min)
    check_link_four(plan, time_at(plan, where))


RNG = np.random.default_rng(0)
SPATIAL = np.array([[1.0, 0.3], [0.3, 0.5]])
EXTREMES = {
    "one number": GaussianProcess(Exponential(8.0), 1, [[2.0]]),
    "one frame": GaussianProcess(Logarithmic(8.0, 1.0), 1, SPATIAL, [[5.0, -3.0]]),
    "one channel": GaussianProcess(Polynomial(8.0, 2.0), 12, [[0.1]]),
    "no memory": GaussianProcess(Exponential(1e-200, 2.0), 6, SPATIAL),
    "endless memory": GaussianProcess(Exponential(1e200), 6, SPATIAL),
    "singular": GaussianProcess(Exponential(20.0, 2.0), 12, SPATIAL),
    "mean": GaussianProcess(Exponential(4.0), 8, SPATIAL, RNG.standard_normal((8, 2))),
    "large mean": GaussianProcess(Exponential(4.0), 8, SPATIAL, 1e4 * RNG.standard_normal((8, 2))),
    "small data": GaussianProcess(Exponential(4.0), 8, 1e-12 * SPATIAL),
    "large data": GaussianProcess(Exponential(4.0), 8, 1e6 * SPATIAL),
    "circle": GaussianProcess(CircleExponential(4.0, 1.5, period=24), 12, SPATIAL),
}


@pytest.mark.parametrize("attention", ["softmax", "relu"])
@pytest.mark.parametrize("method", ["gradient", "chebyshev"])
@pytest.mark.parametrize("name", EXTREMES)
def test_all_links_at_the_extremes(name: str, method: str, attention: str) -> None:
    gp = EXTREMES[name]
    target, t_min = (1e-2, 0.3) if method == "gradient" else (1e-5, 0.01)
    if name == "large data" and method == "gradient":
        t_min = 1.0
    plan = make_plan(gp, method=method, attention=attention, tol=target, t_min=t_min)
    for t in (t_min, 5.0):
        check_link_one(plan, t)
        check_link_three(plan, t)
        if name == "large mean":
            sampled = oracle.SampledError(gp, t)
            measured = sampled(model_outputs(plan, sampled.inputs, t))
            assert measured <= plan.budget.total <= plan.tol
        else:
            check_link_four(plan, t)


@pytest.mark.parametrize("method", ["gradient", "chebyshev"])
@pytest.mark.parametrize(
    "kernel",
    [Exponential(8.0), Exponential(8.0, 0.5), Polynomial(8.0, 2.0), Logarithmic(8.0, 1.0)],
    ids=str,
)
def test_all_links_with_sums_of_exponentials(kernel: Kernel, method: str) -> None:
    gp = GaussianProcess(kernel, 12, SPATIAL, RNG.standard_normal((12, 2)))
    plan = make_plan(gp, method=method, attention="alibi", tol=1e-4, t_min=0.3)
    for t in (0.3, 5.0):
        check_link_one(plan, t)
        check_link_three(plan, t)
        check_link_four(plan, t)


@pytest.mark.parametrize("attention", ["softmax", "relu"])
@pytest.mark.parametrize("method", ["gradient", "chebyshev"])
def test_bound_over_measured_is_near_one(method: str, attention: str) -> None:
    """Tightness where the spectrum is full: the bound is within a factor of three."""
    plan = make_plan(
        GaussianProcess(Exponential(4.0), 16, SPATIAL),
        method=method,
        attention=attention,
        tol=1e-3,
        t_min=0.1,
    )
    assert 1 <= check_link_four(plan, 0.1) <= 3
