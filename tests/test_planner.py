"""Plans: the budget is kept, nothing is wasted, and refusals state true numbers."""

from __future__ import annotations

import math
import re
import time
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import plan_oracles as oracle
import plan_strategies as ours
import pytest
import scipy.linalg
import strategies as our
import tolerances as tol
from hypothesis import given, settings

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

REGIMES = [Exponential(8.0), Exponential(4.0, 1.5), Polynomial(8.0, 2.0), Logarithmic(8.0, 1.0)]
SPATIAL = np.array([[1.0, 0.3], [0.3, 0.5]])
SMALL = GaussianProcess(Exponential(3.0), 6, SPATIAL)


def spatial(channels: int, condition: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.standard_normal((channels, channels)))
    matrix = (rotation * np.geomspace(1, condition, channels)) @ rotation.T
    return (matrix + matrix.T) / 2


def smallest_depth(plan: Plan) -> int:
    """The first depth whose exact rms error is within `tol` at 12 diffusion times: the residual
    polynomial on the eigenvalues of A_t, weighted with 1 / eigenvalue."""
    gp, residual = plan.gp, oracle.RESIDUALS[plan.method_name]
    gammas = scipy.linalg.eigvalsh(oracle.temporal_cov(gp.kernel, gp.frames))
    values = np.multiply.outer(gammas, scipy.linalg.eigvalsh(gp.spatial_cov)).ravel()

    def reached(t: float, depth: int) -> bool:
        x = math.exp(-t) * values - math.expm1(-t)
        squares = residual(x, *plan.spectrum.noisy(t), depth) ** 2
        return math.sqrt(np.sum(squares / x) / np.sum(1 / x)) <= plan.tol

    times = [float(t) for t in np.geomspace(plan.t_min, plan.t_max, 12)]
    return next(depth for depth in count(1) if all(reached(t, depth) for t in times))


# --- the budget


@given(ours.plans())
def test_the_budget_is_within_the_tolerance(plan: Plan) -> None:
    budget = plan.budget
    assert budget.total <= plan.tol
    assert budget.total == budget.rate + budget.truncation + budget.rounding
    assert min(budget.rate, budget.truncation) >= 0
    assert budget.rounding > 0
    lower, upper = plan.spectrum.noisy(plan.t_min)
    assert 0 < lower <= upper
    assert budget.rate == plan.method.rate(upper / lower, plan.depth)
    assert plan.depth >= 1


@given(ours.plans())
def test_the_operator_that_is_carried_is_inside_the_spectrum(plan: Plan) -> None:
    column = plan.lowering.autocov(plan.gp.kernel, plan.gp.frames)
    dense = np.kron(scipy.linalg.toeplitz(column), plan.gp.spatial_cov)
    values = scipy.linalg.eigvalsh(dense)
    slack = tol.eigenvalue(len(dense), values[-1])
    assert plan.spectrum.lower <= values[0] + slack
    assert values[-1] - slack <= plan.spectrum.upper


@given(ours.plans())
def test_truncation_is_budgeted_as_the_theory_says(plan: Plan) -> None:
    """(1 + delta) e_t / m~_t at t_min, e_t = alpha^2 2 T_N(J) ||Sigma||, m~ = m - e."""
    gp = plan.gp
    bandwidth = gp.frames if plan.bandwidth is None else plan.bandwidth
    tail = sum(abs(oracle.autocov(gp.kernel, k)) for k in range(bandwidth + 1, gp.frames))
    error = math.exp(-plan.t_min) * 2 * tail * float(scipy.linalg.eigvalsh(gp.spatial_cov)[-1])
    smallest = scipy.linalg.eigvalsh(oracle.noisy_cov(gp, plan.t_min))[0]
    # the plan knows a lower bound of the smallest eigenvalue, and so budgets more
    assert (1 + plan.budget.rate) * error / smallest <= plan.budget.truncation * (1 + 1e-9) + 1e-300
    lower, _ = plan.spectrum.noisy(plan.t_min)
    exactly = (1 + plan.budget.rate) * error / lower
    assert plan.budget.truncation == pytest.approx(exactly, rel=1e-5, abs=1e-300)


@given(ours.plans())
def test_one_block_less_would_not_do(plan: Plan) -> None:
    if plan.depth == 1:
        return
    lower, upper = plan.spectrum.noisy(plan.t_min)
    rate = plan.method.rate(upper / lower, plan.depth - 1)
    # truncation is charged (1 + tol) times before the rate is known
    relative = plan.budget.truncation / (1 + plan.budget.rate)
    shallow = rate + (1 + plan.tol) * relative + plan.budget.rounding
    # room is kept for a proof that rounds outward
    assert shallow > plan.tol * (1 - 1e-5)


@pytest.mark.parametrize("kernel", REGIMES, ids=str)
@pytest.mark.parametrize(("frames", "channels"), [(1, 1), (16, 2), (64, 4)])
@pytest.mark.parametrize("target", [1e-3, 1e-6])
def test_chebyshev_depth_is_hardly_above_what_is_needed(
    kernel: Kernel, frames: int, channels: int, target: float
) -> None:
    gp = GaussianProcess(kernel, frames, spatial(channels, 4.0))
    plan = make_plan(gp, method="chebyshev", tol=target)
    assert plan.depth <= 1.25 * smallest_depth(plan)


@settings(max_examples=25)
@given(ours.plans(methods=("chebyshev",)))
def test_chebyshev_depth_on_random_problems(plan: Plan) -> None:
    needed = smallest_depth(replace(plan, tol=plan.tol - plan.budget.truncation))
    # the bound holds for the worst eigenvalue, which may be one of all that the error averages
    lower, upper = plan.spectrum.noisy(plan.t_min)
    alone = plan.tol / math.sqrt(plan.gp.frames * plan.gp.channels)
    shared = (plan.method.depth(upper / lower, target) for target in (alone, plan.tol))
    assert plan.depth <= max(1.25 * needed, needed + 2 + next(shared) - next(shared))


@pytest.mark.parametrize("kernel", [*REGIMES, Exponential(30.0, 2.0)], ids=str)
def test_the_range_of_t_is_hardest_at_its_start(kernel: Kernel) -> None:
    gp = GaussianProcess(kernel, 16, SPATIAL)
    depths = [make_plan(gp, t_min=t, tol=1e-4).depth for t in (0.01, 0.03, 0.1, 0.3, 1.0)]
    assert depths == sorted(depths, reverse=True)
    assert make_plan(gp, t_min=0.1, t_max=0.2, tol=1e-4).depth == depths[2]


# --- extremes


@pytest.mark.parametrize("attention", ["softmax", "relu"])
@pytest.mark.parametrize(
    "kernel",
    [
        Exponential(1e-200, 2.0),
        Exponential(1e-3),
        Exponential(1e200),
        Exponential(50.0, 2.0),
        Polynomial(1e-200, 2.0),
        Polynomial(1e200, 2.0),
        Polynomial(3.0, 1e5),
        Polynomial(3.0, 1e-5),
        Logarithmic(1e-200, 2.0),
        Logarithmic(1e200, 2.0),
    ],
    ids=str,
)
@pytest.mark.parametrize("frames", [1, 2, 9])
def test_extreme_kernels_are_planned(kernel: Kernel, frames: int, attention: str) -> None:
    gp = GaussianProcess(kernel, frames, [[3.0]])
    plan = make_plan(gp, attention=attention, tol=1e-6)
    exact = oracle.ExactError(gp, plan.t_min)
    *_, score = plan.run(exact.inputs, plan.t_min)
    assert exact(score) <= plan.budget.total <= 1e-6


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e6, 1e12])
def test_extreme_scales_of_the_data(scale: float) -> None:
    gp = GaussianProcess(Exponential(8.0), 8, scale * SPATIAL)
    plan = make_plan(gp, tol=1e-4)
    exact = oracle.ExactError(gp, plan.t_min)
    *_, score = plan.run(exact.inputs, plan.t_min)
    assert exact(score) <= plan.budget.total <= 1e-4


# --- refusals


def refused(gp: GaussianProcess, **options: Any) -> ArgumentError:
    with pytest.raises(ArgumentError) as caught:
        make_plan(gp, **options)
    assert "\n" not in str(caught.value)
    return caught.value


def stated(pattern: str, error: ArgumentError) -> float:
    found = re.search(pattern, str(error))
    assert found, str(error)
    return float(found[1])


def test_too_many_layers_state_how_many_and_who_needs_fewer() -> None:
    gp = GaussianProcess(Logarithmic(8.0, 1.0), 64, spatial(4, 4.0))
    options: dict[str, Any] = {"method": "gradient", "tol": 1e-6}
    error = refused(gp, **options)
    assert (error.argument, error.value) == ("method", "gradient")
    layers = int(stated(r"needs (\d+) layers", error))
    assert layers > 4000
    fewer = int(stated(r"method='chebyshev' \((\d+) layers\)", error))
    assert make_plan(gp, method="chebyshev", tol=1e-6).depth == fewer
    assert make_plan(gp, **options, max_layers=layers).depth == layers
    again = refused(gp, **options, max_layers=layers - 1)
    assert int(stated(r"needs (\d+) layers", again)) == layers


@given(ours.problems(), our.log_uniform(1e-6, 1e-2))
def test_max_layers_is_sharp(gp: GaussianProcess, target: float) -> None:
    depth = make_plan(gp, tol=target, t_min=0.1).depth
    assert make_plan(gp, tol=target, t_min=0.1, max_layers=depth).depth == depth
    if depth > 1:
        error = refused(gp, tol=target, t_min=0.1, max_layers=depth - 1)
        assert int(stated(r"needs (\d+) layers", error)) == depth


@pytest.mark.parametrize(
    ("dtype", "attention"), [("float64", "softmax"), ("float64", "relu"), ("float32", "softmax")]
)
@pytest.mark.parametrize("target", [1e-3, 1e-300])
def test_refusals_are_quick_however_hopeless(attention: str, dtype: str, target: float) -> None:
    gp = GaussianProcess(Exponential(50.0, 2.0), 12, SPATIAL)
    start = time.process_time()
    for method in ("gradient", "chebyshev"):
        refused(gp, method=method, attention=attention, tol=target, t_min=1e-12, dtype=dtype)
    assert time.process_time() - start < 20


@pytest.mark.parametrize("attention", ["softmax", "relu"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_tolerance_below_the_floor_is_refused_with_the_floor(dtype: str, attention: str) -> None:
    options: dict[str, Any] = {"dtype": dtype, "attention": attention, "rounding": "guaranteed"}
    error = refused(SMALL, tol=1e-15, **options)
    assert (error.argument, error.value) == ("tol", 1e-15)
    assert f"below the {dtype} floor" in error.condition
    assert "condition number" in error.condition
    floor = stated(r"use tol >= ([0-9.e+-]+)", error)
    assert make_plan(SMALL, tol=1.05 * floor, **options).budget.total <= 1.05 * floor
    assert refused(SMALL, tol=0.9 * floor, **options).argument == "tol"
    if dtype == "float32":
        assert "dtype='float64'" in error.remedy
        assert "rounding='measured'" in error.remedy
        assert make_plan(SMALL, tol=floor / 10, attention=attention).dtype == "float64"


def test_float32_defaults_to_measured_rounding_and_float64_to_a_guarantee() -> None:
    assert make_plan(SMALL, tol=1e-3).rounding_model == "guaranteed"
    plan = make_plan(SMALL, tol=1e-3, dtype="float32")
    assert plan.rounding_model == "measured"
    assert 2.0**-24 <= plan.budget.rounding <= 1e-5
    error = refused(SMALL, tol=1e-3, rounding="measured")
    assert error.argument == "rounding"


def test_float32_floor_names_float64() -> None:
    error = refused(SMALL, tol=1e-9, dtype="float32")
    assert error.argument == "tol"
    assert "float32 floor" in error.condition
    assert "dtype='float64'" in error.remedy
    assert make_plan(SMALL, tol=1e-9, dtype="float64").budget.total <= 1e-9


# --- bands


def test_the_band_is_the_narrowest_within_its_share() -> None:
    gp = GaussianProcess(Exponential(2.0), 64, SPATIAL)
    plan = make_plan(gp, attention="relu", tol=1e-4)
    assert plan.bandwidth is not None
    assert 0 < plan.bandwidth < 63
    assert plan.heads == plan.bandwidth + 1
    assert plan.budget.truncation <= 0.25 * plan.tol

    def cost(bandwidth: int) -> float:
        """Of the true spectrum: the plan knows a lower bound, so it may be one lag more careful."""
        tail = sum(oracle.autocov(gp.kernel, lag) for lag in range(bandwidth + 1, 64))
        error = math.exp(-0.01) * 2 * tail * float(scipy.linalg.eigvalsh(SPATIAL)[-1])
        return error / (scipy.linalg.eigvalsh(oracle.noisy_cov(gp, 0.01))[0] - error)

    assert cost(plan.bandwidth) <= 0.25 * plan.tol < cost(plan.bandwidth - 2)


def test_slow_kernels_keep_every_lag() -> None:
    """Theory, section 2: no bandwidth o(N) works for the logarithmic kernel."""
    gp = GaussianProcess(Logarithmic(8.0, 1.0), 64, SPATIAL)
    assert make_plan(gp, attention="relu", tol=1e-3).bandwidth == 63


@pytest.mark.parametrize("bandwidth", [4, 8, 16, 32])
def test_a_band_that_makes_the_operator_indefinite_is_refused(bandwidth: int) -> None:
    gp = GaussianProcess(Exponential(64.0), 64, np.eye(3))
    options: dict[str, Any] = {"attention": "relu", "t_min": 1.0, "tol": 0.1}
    error = refused(gp, bandwidth=bandwidth, **options)
    assert (error.argument, error.value) == ("bandwidth", bandwidth)
    column = [oracle.autocov(gp.kernel, lag) if lag <= bandwidth else 0.0 for lag in range(64)]
    smallest = scipy.linalg.eigvalsh(scipy.linalg.toeplitz(column))[0]
    noisy = math.exp(-1.0) * smallest - math.expm1(-1.0)
    assert noisy < 0, "theory: indefinite at J = 4 ... 32"
    assert "is indefinite" in error.condition
    assert stated(r"smallest eigenvalue (\S+) at t", error) == pytest.approx(noisy, rel=1e-2)
    assert make_plan(gp, **options).bandwidth == 63


def test_a_band_that_costs_more_than_the_tolerance_says_how_much() -> None:
    gp = GaussianProcess(Exponential(1.0), 32, SPATIAL)
    error = refused(gp, attention="relu", bandwidth=8, tol=1e-4, t_min=0.1)
    assert error.argument == "bandwidth"
    cost = stated(r"costs a relative score error of (\S+),", error)
    assert 1e-4 < cost < 0.1
    assert make_plan(gp, attention="relu", bandwidth=8, tol=2 * cost, t_min=0.1).bandwidth == 8


def test_a_band_that_cannot_be_shown_definite_does_not_claim_to_be_indefinite() -> None:
    gp = GaussianProcess(Exponential(3.0), 6, SPATIAL)
    error = refused(gp, attention="relu", bandwidth=0)
    assert "cannot be shown to be positive definite" in error.condition


def test_a_given_band_may_exceed_the_sequence() -> None:
    assert make_plan(SMALL, attention="relu", bandwidth=100).bandwidth == 5


@pytest.mark.parametrize("frequencies", [1, 2, 32, 100])
def test_given_frequencies_are_used(frequencies: int) -> None:
    plan = make_plan(SMALL, attention="relu", frequencies=frequencies)
    assert plan.lowering.to_dict()["frequencies"] == frequencies


def test_frequencies_are_added_only_where_rounding_asks_for_them() -> None:
    gp = GaussianProcess(Exponential(8.0), 64, SPATIAL)
    few = make_plan(gp, attention="relu", tol=1e-3)
    assert few.lowering.to_dict()["frequencies"] == 1
    options: dict[str, Any] = {"attention": "relu", "dtype": "float32", "t_min": 0.1}
    error = refused(gp, tol=1e-12, **options)
    floor = stated(r"tol >= ([0-9.e+-]+)", error)
    more = make_plan(gp, tol=1.2 * floor, **options)
    assert more.lowering.to_dict()["frequencies"] > 1
