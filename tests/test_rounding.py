"""Rounding bounds against models run in float32 and float64, and a reference of 64 bits."""

from __future__ import annotations

import math

import numpy as np
import plan_oracles as oracle
import plan_strategies as ours
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions import build
from unroll import ArgumentError, Exponential, GaussianProcess, Logarithmic, Plan, make_plan
from unroll.attention import ReluLag
from unroll.measured_rounding import measured_rounding
from unroll.methods import get_method
from unroll.rounding import guaranteed_rounding, unit_roundoff
from unroll.spectrum import enclose


def test_unit_roundoff() -> None:
    for dtype, real in (("float32", np.float32), ("float64", np.float64)):
        u = unit_roundoff(dtype)
        assert real(1) + real(u) == real(1)
        assert real(1) + real(u) * real(1.001) > real(1)
    with pytest.raises(ArgumentError, match=r"dtype=float16: .*float32.*float64"):
        unit_roundoff("float16")


def rounding_error(plan: Plan, t: float) -> float:
    """rms distance of the model and its iteration in 64-bit mantissas, relative to the score. The
    model is given the input in its own precision: rounding it is part of the error."""
    measure = oracle.SampledError if plan.gp.has_mean else oracle.ExactError
    exact = measure(plan.gp, t)
    with torch.no_grad():
        inputs = torch.as_tensor(exact.inputs.astype(plan.dtype))
        outputs = build(plan)(inputs, t).double().numpy()
    *_, reference = oracle.reference_iterates(plan, exact.inputs, t)
    return exact.distance(outputs, reference)


def guarantee(plan: Plan) -> float:
    return guaranteed_rounding(
        plan.gp,
        plan.lowering,
        plan.method,
        plan.spectrum,
        plan.depth,
        t_min=plan.t_min,
        t_max=plan.t_max,
        dtype=plan.dtype,
        activation=plan.activation,
    )


@settings(max_examples=30)
@given(ours.plans(), st.floats(0, 1))
def test_guaranteed_rounding_bounds_a_float64_model(plan: Plan, where: float) -> None:
    bound = plan.budget.rounding
    assert bound == guarantee(plan)
    inside = math.exp((1 - where) * math.log(plan.t_min) + where * math.log(plan.t_max))
    for t in (plan.t_min, min(max(inside, plan.t_min), plan.t_max)):
        assert rounding_error(plan, t) <= bound


@settings(max_examples=30)
@given(ours.plans(dtype="float32"), st.floats(0, 1))
def test_guaranteed_rounding_bounds_a_float32_model(plan: Plan, where: float) -> None:
    bound = guarantee(plan)
    inside = math.exp((1 - where) * math.log(plan.t_min) + where * math.log(plan.t_max))
    for t in (plan.t_min, min(max(inside, plan.t_min), plan.t_max)):
        assert rounding_error(plan, t) <= bound


@settings(max_examples=20)
@given(ours.plans(mean_scale=1e6), ours.plans(dtype="float32", mean_scale=1e4))
def test_guaranteed_rounding_pays_for_a_large_mean(double: Plan, single: Plan) -> None:
    for plan in (double, single):
        assert rounding_error(plan, plan.t_min) <= guarantee(plan)


MEAN = 1e5 * np.random.default_rng(0).standard_normal((4, 2))
WELL_CONDITIONED = [
    GaussianProcess(Exponential(0.7), 4, np.eye(2)),
    GaussianProcess(Exponential(0.7), 4, np.eye(2), MEAN),
    GaussianProcess(Logarithmic(2.0, 4.0), 48, [[1.0]]),
]


@pytest.mark.parametrize("gp", WELL_CONDITIONED, ids=["plain", "mean", "many lags"])
@pytest.mark.parametrize("attention", ["softmax", "relu"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_guaranteed_rounding_is_of_the_right_size(
    gp: GaussianProcess, attention: str, dtype: str
) -> None:
    """Each cause (mean, crowded knots, precision) moves error and bound alike: three to four
    orders of magnitude lie between a worst case and what happens."""
    plan = make_plan(gp, method="gradient", attention=attention, tol=0.3, t_min=0.5, dtype=dtype)
    ratio = rounding_error(plan, plan.t_min) / guarantee(plan)
    assert 1e-4 <= ratio <= 1


def test_crowded_knots_are_paid_for() -> None:
    """Slopes of 10^4 magnify the rounding of inner products: softmax would lose a hundredth."""
    gp = GaussianProcess(Logarithmic(2.0, 4.0), 128, [[1.0]])
    options = {"method": "gradient", "tol": 0.3, "t_min": 0.5, "dtype": "float32"}
    relu = make_plan(gp, attention="relu", heads="trapezoid", frequencies=1, **options)
    softmax = make_plan(gp, attention="softmax", **options)
    seen = rounding_error(relu, 0.5)
    assert 100 * rounding_error(softmax, 0.5) <= seen <= guarantee(relu)


def test_no_guarantee_where_errors_are_of_order_one() -> None:
    gp = GaussianProcess(Exponential(50.0, 2.0), 12, np.diag([1.0, 3.0]))
    bound = guaranteed_rounding(
        gp,
        ReluLag(11, 24),
        get_method("chebyshev"),
        enclose(gp.kernel, gp.frames, gp.spatial_cov),
        2000,
        t_min=1e-4,
        t_max=5.0,
        dtype="float32",
        activation="relu",
    )
    assert bound == math.inf


def test_measured_rounding_is_reproducible_and_of_the_size_of_the_models() -> None:
    gp = GaussianProcess(Exponential(2.0), 6, [[2.0, 0.5], [0.5, 1.0]])
    plan = make_plan(gp, tol=1e-3, dtype="float32")
    inputs = (gp, plan.lowering, plan.method, plan.spectrum, plan.depth)
    one, two = (measured_rounding(*inputs, t_min=0.01, t_max=5.0) for _ in range(2))
    assert one == two
    seen = rounding_error(plan, 0.01)
    assert seen <= one <= 100 * seen
    assert one <= guarantee(plan)
