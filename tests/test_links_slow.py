"""The promise at full size, against an oracle of its own: 64 frames, 4 channels, every regime, both
methods and attentions, tolerances 1e-3 and 1e-6, 52 diffusion times. Run with ``-rP`` or ``-s`` for
the table of bound over measured error."""

from __future__ import annotations

import math
import re
from functools import cache

import numpy as np
import plan_oracles as oracle
import plan_strategies as ours
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_links import check_link_four, check_link_three, time_at

from constructions import build
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
from unroll.refusals import DepthError

pytestmark = pytest.mark.slow

FRAMES, CHANNELS = 64, 4
T_MIN, T_MAX = 0.01, 5.0
KERNELS = {
    "exponential": Exponential(8.0),
    "smooth exponential": Exponential(8.0, 1.5),
    "polynomial": Polynomial(8.0, 2.0),
    "slow polynomial": Polynomial(8.0, 0.5),
    "logarithmic": Logarithmic(8.0, 1.0),
    "circle": CircleExponential(8.0, 1.0, period=2 * FRAMES),
}
#: Largest bound over exact error at t_min. A full spectrum leaves sup norm against rms: sqrt 2 for
#: Chebyshev, whose residual oscillates; more for gradient descent, which errs at the ends alone.
TIGHTNESS = 2.0


@cache
def problem(name: str) -> GaussianProcess:
    rng = np.random.default_rng(3)
    rotation, _ = np.linalg.qr(rng.standard_normal((CHANNELS, CHANNELS)))
    spatial = (rotation * np.geomspace(0.5, 2.0, CHANNELS)) @ rotation.T
    mean = rng.standard_normal((FRAMES, CHANNELS))
    return GaussianProcess(KERNELS[name], FRAMES, (spatial + spatial.T) / 2, mean)


@cache
def draws(name: str) -> list[oracle.SampledError]:
    """Two sequences at each of 52 diffusion times, both ends included."""
    times = np.clip(np.geomspace(T_MIN, T_MAX, 52), T_MIN, T_MAX)
    gp = problem(name)
    return [oracle.SampledError(gp, float(t), 2, seed) for seed, t in enumerate(times)]


@pytest.mark.parametrize("tol", [1e-3, 1e-6])
@pytest.mark.parametrize("attention", ["softmax", "relu"])
@pytest.mark.parametrize("method", ["gradient", "chebyshev"])
@pytest.mark.parametrize("name", KERNELS)
def test_measured_is_below_the_bound_is_below_the_tolerance(
    name: str, method: str, attention: str, tol: float
) -> None:
    plan, refusal = None, None
    try:
        plan = make_plan(problem(name), method=method, attention=attention, tol=tol)
    except DepthError as error:
        refusal = error
    if plan is None:
        assert method == "gradient"
        assert refusal is not None
        assert refusal.depth > 4000
        assert re.search(rf"needs {refusal.depth} layers .* use method='chebyshev'", str(refusal))
        print(f"{name}, {attention}, {tol:g}: gradient descent refused, {refusal.depth} layers")
        return
    assert (plan.t_min, plan.t_max) == (T_MIN, T_MAX)
    model = build(plan)
    # the bound holds for every single sequence: gradient descent, deep, gets one per time
    each = 1 if method == "gradient" else 2
    sampled = draws(name)
    assert len(sampled) == 52
    inputs = torch.as_tensor(np.concatenate([one.inputs[:each] for one in sampled]))
    times = torch.as_tensor(np.repeat([one.t for one in sampled], each))
    with torch.no_grad():
        outputs = model(inputs, times).numpy().reshape(52, each, FRAMES, CHANNELS)
    worst = 0.0
    for one, output in zip(sampled, outputs, strict=True):
        error = float(np.linalg.norm(output - one.scores[:each]))
        relative = error / float(np.linalg.norm(one.scores[:each]))
        assert relative <= plan.budget.total <= tol
        worst = max(worst, relative)
    print(
        f"{name}, {method}, {attention}, {tol:g}: {plan.depth} layers, {plan.heads} heads, "
        f"measured {worst:.3g}, bound {plan.budget.total:.3g}, "
        f"ratio {plan.budget.total / worst:.3f}"
    )


@pytest.mark.parametrize("tol", [1e-3, 1e-6])
@pytest.mark.parametrize("name", KERNELS)
def test_the_bound_is_tight_for_chebyshev(name: str, tol: float) -> None:
    """Exact rms error, no draws: the affine map of the model at t_min."""
    plan = make_plan(problem(name), method="chebyshev", attention="softmax", tol=tol)
    ratio = check_link_four(plan, T_MIN)
    print(f"{name}, {tol:g}: bound / exact error {ratio:.3f}")
    assert 1 <= ratio <= TIGHTNESS


def test_a_deep_model_is_stable() -> None:
    """Six hundred blocks, at the smallest tolerance that guaranteed rounding leaves."""
    gp = problem("slow polynomial")
    with pytest.raises(ArgumentError, match="below the float64 floor"):
        make_plan(gp, method="chebyshev", tol=1e-9)
    plan = make_plan(gp, method="chebyshev", tol=1.3e-9)
    assert plan.depth >= 600
    # so close to the floor the bound is mostly worst-case rounding, so the rate alone is compared
    assert check_link_four(plan, T_MIN) * plan.budget.rate / plan.budget.total <= TIGHTNESS
    check_link_four(plan, T_MAX)


@settings(max_examples=400)
@given(ours.plans(max_frames=24), st.floats(0, 1))
def test_many_random_problems(plan: Plan, where: float) -> None:
    for t in (plan.t_min, time_at(plan, where)):
        check_link_three(plan, t)
        check_link_four(plan, t)


def test_rate_falls_block_by_block_at_full_size() -> None:
    """The exact error of every prefix is below its own rate, and near it."""
    plan = make_plan(problem("exponential"), method="chebyshev", tol=1e-6)
    exact = oracle.ExactError(plan.gp, T_MIN)
    condition = plan.spectrum.condition_number(T_MIN)
    ratios = []
    for k, iterate in enumerate(plan.run(exact.inputs, T_MIN), start=1):
        rate = plan.method.rate(condition, k)
        ratios.append(rate / exact(iterate))
        assert ratios[-1] >= 1 - 1e-9
    assert math.exp(np.mean(np.log(ratios))) <= TIGHTNESS
