"""Costs without weights, every construction side by side, the frontier, and the best of all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from constructions import compile_plan, summarize
from unroll import ArgumentError, Exponential, GaussianProcess, Logarithmic, make_plan
from unroll.attention import LOWERINGS
from unroll.candidates import OBJECTIVES, Candidate, candidates, frontier
from unroll.costs import Cost, cost
from unroll.methods.eigenmodes import Eigenmodes

SPATIAL = [[1.0, 0.6], [0.6, 2.0]]
MEAN = np.outer(np.arange(12.0), [1.0, -1.0])


@pytest.mark.parametrize("mean", [None, MEAN], ids=["centred", "mean"])
def test_costs_are_what_the_weights_count(mean: np.ndarray | None) -> None:
    gp = GaussianProcess(Logarithmic(4.0, 1.0), 12, SPATIAL, mean)
    rows = candidates(gp, tol=1e-3, t_min=0.05, max_layers=20_000)
    assert len(rows) == (2 * 2 + 1) * len(LOWERINGS) + 3  # two methods know two conditionings
    assert rows[-1].conditioning == "products"
    plans = [row.plan for row in rows if row.plan is not None]
    assert len(plans) == len(rows)
    direct = plans[-2]
    plans.append(replace(direct, modes=Eigenmodes.design(gp.kernel, 12)))
    plans.append(replace(direct, modes=Eigenmodes.design(gp.kernel, 12, 3)))
    for plan in plans:
        counted, weights = cost(plan), compile_plan(plan)
        summary = summarize(weights, plan)
        assert counted.layers == summary.blocks
        assert counted.heads == summary.heads
        assert counted.width == summary.token_dimension
        assert counted.flops == summary.flops
        floats = [x for x in weights.tensors().values() if x.dtype.kind == "f"]
        assert counted.parameters == summary.parameters == sum(x.size for x in floats)
        assert counted.memory > 8 * counted.parameters


def one(layers: int, heads: int, parameters: int, flops: int) -> Candidate:
    sizes = Cost(layers, heads, 1, parameters, flops, 1)
    return Candidate("m", "a", "exact", None, sizes, layers, None)


def test_the_frontier_of_a_few_points() -> None:
    """Worked out by hand: the third is beaten by the first, the fourth equals the first."""
    rows = [one(1, 9, 5, 5), one(9, 1, 5, 5), one(1, 9, 5, 6), one(1, 9, 5, 5)]
    refused = replace(one(0, 0, 0, 0), reason="too deep")
    assert [row in frontier([*rows, refused]) for row in rows] == [True, True, False, True]
    assert refused not in frontier([*rows, refused])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_auto_is_the_smallest(objective: str) -> None:
    gp = GaussianProcess(Exponential(4.0), 12, SPATIAL)
    rows = candidates(gp, tol=1e-4)
    plan = make_plan(gp, method="auto", objective=objective, tol=1e-4)
    sizes = [row.cost for row in rows if row.reason is None]
    least = min(getattr(one, OBJECTIVES[objective]) for one in sizes)
    assert getattr(cost(plan), OBJECTIVES[objective]) == least
    names = {(row.method, row.attention) for row in frontier(rows)}
    assert (plan.method_name, plan.attention) in names


def test_auto_within_one_attention() -> None:
    gp = GaussianProcess(Exponential(4.0), 12, SPATIAL)
    plan = make_plan(gp, method="auto", attention="relu", tol=1e-4)
    assert (plan.method_name, plan.attention) == ("preconditioned", "relu")


def test_rows_that_are_refused_say_why() -> None:
    gp = GaussianProcess(Exponential(4.0), 12, SPATIAL)
    rows = candidates(gp, tol=1e-3, max_layers=10)
    refused = [row for row in rows if row.reason]
    assert {row.method for row in refused} == {"gradient", "chebyshev"}
    for row in refused:
        assert row.layers is not None
        assert row.layers > 10
        assert "max_layers=10" in str(row.reason)
    assert make_plan(gp, method="auto", tol=1e-3, max_layers=10).layers <= 10
    with pytest.raises(ArgumentError, match="finds no construction"):
        make_plan(gp, method="auto", tol=1e-15, dtype="float32", max_layers=50)
    with pytest.raises(ArgumentError, match="objective=speed"):
        make_plan(gp, method="auto", objective="speed")
