"""The plan as a value: documents, equality, and its iteration in numpy."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import plan_oracles as oracle
import plan_strategies as ours
import pytest
import tolerances as tol
from hypothesis import given, settings
from hypothesis import strategies as st

from unroll import ArgumentError, ErrorBudget, Exponential, GaussianProcess, Plan, make_plan

SPATIAL = np.array([[1.0, 0.3], [0.3, 0.5]])
SMALL = GaussianProcess(Exponential(3.0), 6, SPATIAL)

# --- the value


@given(ours.plans(), ours.plans(dtype="float32"))
def test_documents_round_trip_through_json(double: Plan, single: Plan) -> None:
    for plan in (double, single):
        text = json.dumps(plan.to_dict(), allow_nan=False)
        assert Plan.from_dict(json.loads(text)) == plan


def test_plans_are_frozen() -> None:
    plan = make_plan(SMALL)
    with pytest.raises(FrozenInstanceError):
        plan.depth = 3  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        plan.budget.rate = 0.0  # type: ignore[misc]


def test_equal_requests_give_equal_plans() -> None:
    for options in ({}, {"attention": "relu"}, {"dtype": "float32", "tol": 1e-3}):
        assert make_plan(SMALL, **options) == make_plan(SMALL, **options)


CHANGES: dict[str, Any] = {
    "depth": ["x", -3, 0, 2.5, None],
    "tol": ["a", -1.0, math.nan],
    "t_min": [9.0, -1.0, "x"],
    "t_max": [1e-9, math.inf],
    "dtype": ["float16", 3],
    "activation": ["tanh", None],
    "rounding_model": ["typical"],
    "method": ["newton", ["gradient"], None],
    "spectrum": [{"lower": 5.0, "upper": 1.0}, {"lower": "a", "upper": 1.0}, {"lower": 0.1}, 3],
    "budget": [{"rate": 1e-3}, None],
    "lowering": [{"name": "fourier-transform"}, 3, {"name": "softmax", "normalizer": "x"}],
    "problem": [None, {}, {"kernel": {"regime": "linear"}, "frames": 3, "spatial_cov": [[1.0]]}],
    "surprise": [1],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in CHANGES.items() for value in values]
)
def test_foreign_documents_are_refused(name: str, value: Any) -> None:
    document = {**make_plan(SMALL, tol=1e-3).to_dict(), name: value}
    with pytest.raises(ArgumentError) as caught:
        Plan.from_dict(document)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", list(make_plan(SMALL, tol=1e-3).to_dict()))
def test_incomplete_documents_are_refused(missing: str) -> None:
    document = make_plan(SMALL, tol=1e-3).to_dict()
    del document[missing]
    with pytest.raises(ArgumentError):
        Plan.from_dict(document)


@pytest.mark.parametrize("document", [None, [], 3, "plan", {}])
def test_what_is_no_document_is_refused(document: Any) -> None:
    with pytest.raises(ArgumentError):
        Plan.from_dict(document)


def test_total_of_a_budget() -> None:
    assert ErrorBudget(1.0, 2.0, 4.0).total == 7.0


# --- running


@settings(max_examples=20)
@given(ours.plans(), st.integers(0, 2**32 - 1))
def test_run_yields_one_iterate_per_block(plan: Plan, seed: int) -> None:
    v = np.random.default_rng(seed).standard_normal((3, plan.gp.frames, plan.gp.channels))
    times = np.array([plan.t_min, 1.0, plan.t_max])
    iterates = list(plan.run(v, times))
    assert len(iterates) == plan.depth
    for i, t in enumerate(times):
        alone = list(plan.run(v[i], float(t)))
        assert alone[-1].shape == v[i].shape
        reference = list(oracle.reference_iterates(plan, v[i], float(t)))
        for mine, batched, wanted in zip(alone, iterates, reference, strict=True):
            lower, upper = plan.spectrum.noisy(float(t))
            allowed = tol.iteration(upper / lower) * float(np.linalg.norm(reference[-1]))
            scale = 1 + float(np.linalg.norm(plan.gp.mean) / (1e-9 + np.linalg.norm(v[i])))
            assert np.linalg.norm(mine - wanted) <= plan.gp.frames * scale * allowed
            assert np.linalg.norm(mine - batched[i]) <= plan.gp.frames * scale * allowed


def test_run_with_the_exact_operator_ignores_the_band() -> None:
    gp = GaussianProcess(Exponential(0.5), 16, SPATIAL)
    plan = make_plan(gp, attention="relu", tol=1e-2)
    assert plan.bandwidth is not None
    assert plan.bandwidth < 15
    exact = oracle.ExactError(gp, 0.01)
    *_, carried = plan.run(exact.inputs, 0.01)
    *_, full = plan.run(exact.inputs, 0.01, exact_operator=True)
    assert exact(full) <= plan.budget.rate
    assert exact.distance(carried, full) > 1e-2 * plan.budget.truncation


def test_run_takes_a_scalar_t_for_a_batch() -> None:
    plan = make_plan(SMALL, tol=1e-2)
    v = SMALL.sample_noisy(4, 0.5)
    *_, one = plan.run(v, 0.5)
    *_, many = plan.run(v, np.full(4, 0.5))
    np.testing.assert_allclose(one, many, rtol=1e-13)
