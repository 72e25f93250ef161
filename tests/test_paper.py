"""The paper's own model: the four links, the ranges of what is multiplied, the tail, the plan.

The model is not affine in ``V`` (products by ReLUs, a projected read-out), so errors are measured
over draws. Errors of products are bounded for every sequence of the good event.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import plan_oracles as oracle
import plan_strategies as ours
import pytest
import tolerances as tol
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import eigh
from test_links import mean_size, model_outputs, time_at

from constructions import blocks, build, compile_plan
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
from unroll.paper import plan_paper
from unroll.paper_error import PaperProblem
from unroll.refusals import DepthError

SPATIAL = np.array([[1.0, 0.3], [0.3, 0.5]])
MEAN = 3 * np.random.default_rng(0).standard_normal((8, 2))
places = st.floats(0, 1)

CASES = {
    "exponential": (GaussianProcess(Exponential(2.0), 8, [[1.0]]), 0.1, 0.3),
    "two channels and a mean": (GaussianProcess(Exponential(1.0), 8, SPATIAL, MEAN), 0.05, 0.3),
    "gaussian": (GaussianProcess(Exponential(1.5, 2.0), 12, [[1.0]]), 0.05, 0.3),
    "polynomial": (GaussianProcess(Polynomial(1.0, 2.0), 8, [[1.0]]), 0.1, 0.3),
    "logarithmic": (GaussianProcess(Logarithmic(1.0, 2.0), 6, [[1.0]]), 0.1, 0.5),
    "circle": (GaussianProcess(CircleExponential(1.0, 1.0, period=24), 8, [[1.0]]), 0.1, 0.3),
    "large mean": (GaussianProcess(Exponential(1.0), 4, [[1.0]], np.full((4, 1), 1e4)), 0.2, 0.5),
    "small data": (GaussianProcess(Exponential(1.0), 4, [[1e-6]]), 0.1, 0.3),
    "large data": (GaussianProcess(Exponential(1.0), 2, [[50.0]]), 0.2, 1.5),
    "one number": (GaussianProcess(Exponential(1.0), 1, [[2.0]]), 0.1, 0.3),
}


def planned(name: str, **options: object) -> Plan:
    gp, target, t_min = CASES[name]
    wanted = {"tol": target, "t_min": t_min, "t_max": 5.0} | options
    return plan_paper(gp, **wanted)  # type: ignore[arg-type]


# --- the four links


def check_links(plan: Plan, t: float) -> None:
    sampled = oracle.SampledError(plan.gp, t, 64)
    inputs, weights = sampled.inputs.astype(plan.dtype), build(plan).weights()
    numpy_twin = blocks.forward(weights, inputs, np.full(len(inputs), t))
    torch_twin = model_outputs(plan, inputs, t)
    *_, run = plan.run(inputs.astype(np.float64), t)
    exact, budget = sampled.scores, plan.budget
    # 1: rounding only
    slope = max(np.abs(b.attention.output).max() for b in weights.blocks if b.attention)
    eps = float(np.finfo(plan.dtype).eps)
    size = slope * (1 + mean_size(plan, t))
    assert sampled.distance(torch_twin, numpy_twin) <= tol.LINK_ONE * eps * plan.layers * size
    # 2: products and rounding, for every sequence, in units of the root mean square score
    typical = math.sqrt(np.sum(1 / eigh(oracle.noisy_cov(plan.gp, t), eigvals_only=True)))
    off = np.linalg.norm(numpy_twin - run, axis=(1, 2)) / typical
    assert off.max() <= budget.conditioning + budget.rounding
    # 3: rate and truncation, exactly
    affine = oracle.ExactError(plan.gp, t)
    *_, last = plan.run(affine.inputs, t)
    lower, upper = plan.spectrum.noisy(t)
    rounding = tol.iteration(upper / lower) * plan.gp.frames * (1 + mean_size(plan, t))
    assert affine(last) <= budget.rate + budget.truncation + rounding
    # 4: end to end
    measured = np.linalg.norm(torch_twin - exact) / np.linalg.norm(exact)
    assert measured <= budget.total <= plan.tol


@pytest.mark.parametrize("name", CASES)
def test_all_links(name: str) -> None:
    plan = planned(name)
    for where in (0.0, 0.5, 1.0):
        check_links(plan, time_at(plan, where))


@settings(max_examples=8)
@given(ours.paper_plans(), places)
def test_all_links_of_drawn_problems(plan: Plan, where: float) -> None:
    check_links(plan, plan.t_min)
    check_links(plan, time_at(plan, where))


@settings(max_examples=6)
@given(ours.paper_plans(dtype="float32"), places)
def test_all_links_in_float32(plan: Plan, where: float) -> None:
    check_links(plan, time_at(plan, where))


# --- ranges of what is multiplied


def extreme_inputs(plan: Plan, t: float, seed: int) -> np.ndarray:
    """Sequences at the edge of the good event: eigenvectors, signs of them, random directions."""
    values, vectors = eigh(oracle.noisy_cov(plan.gp, t))
    rng = np.random.default_rng(seed)
    n = len(values)
    directions = np.concatenate([np.eye(n), np.sign(vectors), rng.standard_normal((8, n))])
    assert plan.products is not None
    z = plan.products.quantile * directions / np.linalg.norm(directions, axis=1)[:, None]
    shape = (len(z), plan.gp.frames, plan.gp.channels)
    offset = math.exp(-t / 2) * plan.gp.mean
    return offset + ((z * np.sqrt(values)) @ vectors.T).reshape(shape)


def factors(plan: Plan, v: np.ndarray, t: float) -> Iterator[tuple[str, float, float]]:
    """(name, largest value, range) of everything that the blocks multiply."""
    weights, products = compile_plan(plan), plan.products
    assert products is not None
    stream = weights.architecture.residual_stream()
    states = blocks.run(weights, v, np.full(len(v), t))
    ranges = {"mixed": products.mixed, "s": products.iterate, "gradient": products.gradient}
    for kind, state in zip(weights.architecture.blocks, states, strict=False):
        reads = {"scale_split": ["mixed", "s"], "step_split": ["gradient"]}.get(kind, [])
        for name in reads:
            yield name, float(np.abs(state[..., stream[name]]).max()), ranges[name]
        if kind.endswith("split"):
            for name in ("eta", "alpha", "alpha_sq", "sigma_sq"):
                largest = float(np.abs(state[..., stream[name]]).max())
                yield name, largest, getattr(products, name) * (1 + 8 * tol.EPS)


@settings(max_examples=10)
@given(ours.paper_plans(), places, st.integers(0, 2**32 - 1))
def test_factors_stay_in_their_ranges(plan: Plan, where: float, seed: int) -> None:
    for t in (plan.t_min, time_at(plan, where), plan.t_max):
        for name, largest, allowed in factors(plan, extreme_inputs(plan, t, seed), t):
            assert largest <= allowed, name


def test_ranges_are_not_idle() -> None:
    """Some sequence of the good event comes within a factor of three of each range."""
    plan = planned("exponential", t_max=0.31)
    reached: dict[str, float] = {}
    for t in (plan.t_min, plan.t_max):
        for name, largest, allowed in factors(plan, extreme_inputs(plan, t, 0), t):
            reached[name] = max(reached.get(name, 0.0), largest / allowed)
    assert min(reached.values()) >= 1 / 3


# --- the tail


@settings(max_examples=8)
@given(ours.paper_plans(), places)
def test_the_radius_holds_the_score_of_the_good_event(plan: Plan, where: float) -> None:
    t = time_at(plan, where)
    v = extreme_inputs(plan, t, 0)
    assert plan.products is not None
    sizes = np.linalg.norm(plan.gp.score(v, t), axis=(1, 2))
    assert sizes.max() <= plan.products.radius * (1 + 1e-9)


@pytest.mark.parametrize("factor", [3.0, 1e3, 1e12])
def test_far_inputs_are_projected(factor: float) -> None:
    plan = planned("two channels and a mean")
    assert plan.products is not None
    outputs = model_outputs(plan, factor * extreme_inputs(plan, 0.3, 0), 0.3)
    sizes = np.linalg.norm(outputs, axis=(1, 2))
    assert np.all(sizes <= plan.products.radius * (1 + 64 * tol.EPS))
    assert sizes.max() >= plan.products.radius * (1 - 64 * tol.EPS)


def test_the_tail_is_what_it_is_said_to_be() -> None:
    """A good event that is missed often, so that draws can tell: E[|s|^2; missed] and P(missed)."""
    gp, t = CASES["two channels and a mean"][0], 0.3
    values = eigh(oracle.noisy_cov(gp, t), eigvals_only=True)
    z = np.random.default_rng(1).standard_normal((200_000, len(values)))
    missed = np.linalg.norm(z, axis=1) > 4.5
    scores = np.sum(z**2 / values, axis=1) * missed
    plan = planned("two channels and a mean")
    problem = PaperProblem(gp, plan.lowering, plan.spectrum, plan.spectrum, 0.0, t, 5.0, "float64")  # type: ignore[arg-type]
    radius, tail = problem.tail(4.5)
    size = problem.score_size
    assert size <= math.sqrt(np.sum(1 / values))
    capped = math.sqrt(np.mean(missed)) * radius / size
    lost = math.sqrt(np.mean(scores) / np.sum(1 / values))
    assert tail == pytest.approx(capped + lost, rel=0.02)
    wanted = 1e-4
    assert problem.tail(problem.quantile(wanted))[1] <= wanted
    assert problem.tail(problem.quantile(wanted) / 1.02)[1] > wanted


# --- the plan


@pytest.mark.parametrize("name", CASES)
def test_sizes(name: str) -> None:
    plan = planned(name)
    model, gp = build(plan), plan.gp
    assert plan.products is not None
    steps = plan.depth * (3 + 2 * plan.products.levels)
    assert plan.layers == len(model.blocks) == steps + plan.products.blocks_before
    assert plan.heads == model.architecture.heads == 4 * (plan.bandwidth + 1)  # type: ignore[operator]
    assert model.architecture.width == (9 if gp.has_mean else 8) * gp.channels + 7
    budget = plan.budget
    shares = (budget.rate, budget.truncation, budget.rounding, budget.conditioning, budget.tail)
    assert all(type(share) is float for share in shares)
    assert sum(shares) == pytest.approx(budget.total)
    assert Plan.from_dict(plan.to_dict()) == plan
    assert not plan.serves_shorter


@given(ours.our.log_uniform(0.3, 3.0), st.floats(0.5, 2.0), ours.our.log_uniform(1e-3, 0.3))
@settings(max_examples=20)
def test_the_bandwidth_of_corollary_one(length: float, exponent: float, target: float) -> None:
    """Within its share of a quarter, and no wider than l log(c N / (tol sigma^2))^{1/nu}."""
    gp = GaussianProcess(Exponential(length, exponent), 40, [[1.0]])
    plan = plan_paper(gp, tol=target, t_min=0.5, t_max=5.0, max_layers=10**7)
    assert plan.budget.truncation <= 0.25 * target
    noise = -math.expm1(-0.5)
    logarithm = math.log(2 * 40 * 8 / (target * noise))
    assert plan.bandwidth is not None
    assert plan.bandwidth <= min(39, length * logarithm ** (1 / exponent))


def test_it_is_a_preset() -> None:
    gp, target, t_min = CASES["exponential"]
    plan = make_plan(gp, preset="paper", tol=target, t_min=t_min)
    assert plan == planned("exponential")
    assert plan.products is not None
    with pytest.raises(ArgumentError, match="preset"):
        make_plan(gp, preset="paper", method="chebyshev", tol=target, t_min=t_min)


def test_no_band_is_too_wide_for_a_logarithmic_kernel() -> None:
    """Every lag has its heads: no bandwidth short of the sequence holds the covariance."""
    plan = planned("logarithmic")
    assert plan.bandwidth == plan.gp.frames - 1
    assert plan.budget.truncation == 0


def test_levels_are_chosen_for_the_fewest_blocks() -> None:
    plan = planned("exponential")
    assert plan.products is not None
    problem = PaperProblem(
        plan.gp,
        plan.lowering,
        plan.spectrum,
        plan.spectrum,
        0.0,
        plan.t_min,
        plan.t_max,
        "float64",  # type: ignore[arg-type]
    )
    for levels in range(1, 15):
        cost = problem.cost(levels, plan.products.quantile)
        room = plan.tol * (1 - 1e-6) - cost.total if cost else 0.0
        if room >= plan.tol / 4:
            kappa = plan.spectrum.condition_number(plan.t_min)
            assert plan.method.depth(kappa, room) * (3 + 2 * levels) >= plan.layers


def test_refusals() -> None:
    gp = CASES["exponential"][0]
    with pytest.raises(DepthError, match=r"needs \d+ layers .*steps of .*blocks.*preconditioned"):
        plan_paper(gp, tol=1e-3, t_min=0.01, t_max=5.0, max_layers=100)
    with pytest.raises(ArgumentError, match="indefinite"):
        plan_paper(
            GaussianProcess(Exponential(64.0), 64, [[1.0]]),
            tol=0.1,
            t_min=0.01,
            t_max=5.0,
            bandwidth=8,
        )
    with pytest.raises(ArgumentError, match=r"no room.*float32"):
        plan_paper(gp, tol=1e-5, t_min=0.3, t_max=5.0, dtype="float32")
    with pytest.raises(ArgumentError, match=r"no room.*raise tol"):
        plan_paper(gp, tol=1e-13, t_min=0.3, t_max=5.0)
