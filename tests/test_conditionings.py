"""make_plan(conditioning="mlp"): gates from a network within the budget of a first-order method."""

from __future__ import annotations

import numpy as np
import plan_oracles as oracle
import pytest
from test_links import model_outputs

from constructions import build, compile_plan, summarize, verify
from proofs_check import certify
from unroll import ArgumentError, Exponential, GaussianProcess, Logarithmic, make_plan
from unroll.costs import cost

SPATIAL = [[1.0, 0.6], [0.6, 2.0]]


@pytest.mark.parametrize("activation", ["relu", "silu"])
@pytest.mark.parametrize("method", ["gradient", "neumann", "chebyshev"])
def test_the_promise_is_kept(method: str, activation: str) -> None:
    gp = GaussianProcess(Logarithmic(4.0, 1.0), 10, SPATIAL, np.ones((10, 2)))
    plan = make_plan(gp, method=method, conditioning="mlp", activation=activation, tol=1e-3)
    assert plan.conditioning is not None
    assert 0 < plan.budget.conditioning <= 0.25 * plan.tol
    for t in (plan.t_min, 0.037, 0.9, plan.t_max):
        exact = oracle.ExactError(gp, t)
        assert exact(model_outputs(plan, exact.inputs, t)) <= plan.budget.total <= plan.tol
    assert certify(plan).bound <= plan.tol
    counted, sizes = cost(plan), summarize(compile_plan(plan), plan)
    assert (counted.parameters, counted.flops) == (sizes.parameters, sizes.flops)


def test_float32() -> None:
    gp = GaussianProcess(Exponential(4.0), 10, SPATIAL)
    plan = make_plan(gp, conditioning="mlp", tol=1e-3, dtype="float32")
    assert verify(build(plan), samples=2).passed


def test_exact_is_the_default() -> None:
    gp = GaussianProcess(Exponential(4.0), 10, SPATIAL)
    assert make_plan(gp, conditioning="exact") == make_plan(gp)
    assert make_plan(gp).conditioning is None


def test_refusals() -> None:
    gp = GaussianProcess(Exponential(4.0), 10, SPATIAL)
    for method in ("preconditioned", "spectral"):
        with pytest.raises(ArgumentError, match=r"has no place in method .* at least \d+ hidden"):
            make_plan(gp, method=method, conditioning="mlp")
    with pytest.raises(ArgumentError, match="leaves no choice of method"):
        make_plan(gp, method="auto", conditioning="mlp")
    with pytest.raises(ArgumentError, match="conditioning=fourier: is not a known name"):
        make_plan(gp, conditioning="fourier")
    with pytest.raises(ArgumentError, match="is fixed by preset"):
        make_plan(gp, preset="paper", conditioning="mlp")
