"""`verify` notices: random weights, one perturbed weight anywhere, swapped blocks, NaN."""

from __future__ import annotations

import itertools
import json
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import plan_oracles as oracle
import plan_strategies as ours
import pytest
import tolerances as tol
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions import UnrolledTransformer, build, verify
from unroll import ArgumentError, Exponential, GaussianProcess, Logarithmic, Plan, make_plan

SPATIAL = np.array([[1.0, 0.3], [0.3, 0.5]])
GP = GaussianProcess(Exponential(3.0), 5, SPATIAL, np.random.default_rng(1).standard_normal((5, 2)))
CASES = list(
    itertools.product(["gradient", "chebyshev"], ["softmax", "relu"], ["float32", "float64"])
)
every_case = pytest.mark.parametrize(("method", "attention", "dtype"), CASES)
FEW = {"times": [0.1, 1.0, 5.0], "samples": 2}


def small_model(**options: Any) -> UnrolledTransformer:
    return build(GP, **{"tol": 0.1, "t_min": 0.1, **options})


MODELS = {case: small_model(method=case[0], attention=case[1], dtype=case[2]) for case in CASES}


# --- sound models pass


@every_case
def test_built_models_pass(method: str, attention: str, dtype: str) -> None:
    report = verify(MODELS[method, attention, dtype])
    assert report.passed
    assert report.first_divergence is None
    assert report.worst == report.relative_error.max() <= report.tol == 0.1
    assert report.block_deviation.shape == (MODELS[method, attention, dtype].plan.depth,)
    assert np.all(report.block_deviation <= report.allowed_deviation)


@settings(max_examples=25)
@given(ours.plans())
def test_random_float64_models_pass(plan: Plan) -> None:
    report = verify(build(plan), times=[plan.t_min, plan.t_max], samples=64)
    assert report.passed, report.first_divergence


@settings(max_examples=25)
@given(ours.plans(dtype="float32"))
def test_random_float32_models_pass(plan: Plan) -> None:
    report = verify(build(plan), times=[plan.t_min, plan.t_max], samples=64)
    assert report.passed, report.first_divergence


@pytest.mark.parametrize(
    "gp",
    [
        GaussianProcess(Exponential(2.0, 2.0), 40, [[1.0]]),
        GaussianProcess(Exponential(8.0), 4, 1e-50 * SPATIAL),
        GaussianProcess(Exponential(1e200), 4, SPATIAL),
    ],
    ids=["heads", "values", "biases"],
)
@pytest.mark.parametrize("attention", ["softmax", "relu"])
def test_weights_that_underflow_in_float32_are_as_planned(
    gp: GaussianProcess, attention: str
) -> None:
    band = {"bandwidth": gp.frames - 1} if attention == "relu" else {}
    model = build(gp, attention=attention, tol=0.1, dtype="float32", **band)
    report = verify(model, **FEW)
    assert report.passed, report.first_divergence


# --- what it measures


def test_relative_error_is_the_exact_one_within_its_standard_error() -> None:
    model = small_model(tol=1e-2)
    times = np.array([0.1, 0.15, 0.3])
    report = verify(model, times=times, samples=400, rng=7)
    assert np.array_equal(report.times, times)
    for t, error, standard in zip(times, report.relative_error, report.standard_error, strict=True):
        exact = oracle.ExactError(GP, float(t))
        with torch.no_grad():
            expected = exact(model(torch.as_tensor(exact.inputs), float(t)).numpy())
        assert abs(error - expected) <= tol.SIGMAS * standard
        assert 0 < standard < 0.2 * error


def test_standard_error_is_the_spread_of_repeated_measurements() -> None:
    model = small_model(tol=0.5)
    repeats = [verify(model, times=[0.1], samples=100, rng=seed) for seed in range(100)]
    spread = np.std([report.relative_error[0] for report in repeats], ddof=1)
    stated = np.mean([report.standard_error[0] for report in repeats])
    # a standard deviation from 100 draws is known to 7 %
    assert abs(stated / spread - 1) <= 5 * 0.07


def test_standard_error_shrinks_with_the_samples() -> None:
    model = small_model()
    few, many = (verify(model, times=[0.1], samples=n, rng=0) for n in (50, 5000))
    assert 5 <= few.standard_error[0] / many.standard_error[0] <= 20
    assert math.isnan(verify(model, times=[0.1], samples=1).standard_error[0])


def test_block_deviation_is_the_distance_to_the_plan() -> None:
    """A known error: scale what the last block writes, and only that."""
    model = small_model(method="gradient")
    last = model.plan.depth - 1
    with torch.no_grad():
        model.blocks[last].feed_forward.down[:] *= 1.5
    deviation = verify(model, **FEW).block_deviation
    assert deviation[last] > 1e-3
    assert np.all(deviation[:last] <= 1e-12)


def test_default_times_hold_both_ends_and_fifty_between() -> None:
    for t_min, t_max in ((0.1, 5.0), (0.3, 0.7), (1e-3, 1.0 / 3.0)):
        report = verify(small_model(t_min=t_min, t_max=t_max, tol=0.3))
        assert len(report.times) == 52
        assert (report.times[0], report.times[-1]) == (t_min, t_max)
        assert np.all(np.diff(report.times) > 0)


def test_draws_are_reproducible_and_generators_are_taken() -> None:
    model = small_model()
    one, two = (verify(model, times=[0.1], rng=5).relative_error for _ in range(2))
    other = verify(model, times=[0.1], rng=np.random.default_rng(5)).relative_error
    assert np.array_equal(one, two)
    assert np.array_equal(one, other)
    assert not np.array_equal(one, verify(model, times=[0.1], rng=6).relative_error)


def test_progress_counts_up_to_the_end() -> None:
    calls: list[tuple[int, int]] = []
    verify(small_model(), times=[0.1, 1.0], samples=3, progress=lambda *call: calls.append(call))
    assert calls[-1] == (6, 6)
    assert calls == sorted(calls)
    assert {total for _, total in calls} == {6}


def test_verifying_changes_nothing() -> None:
    model = small_model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    verify(model, **FEW)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert not any(module._forward_hooks for module in model.modules())


def test_the_document_is_json() -> None:
    model = small_model()
    document = json.loads(json.dumps(verify(model, **FEW).to_dict(), allow_nan=False))
    assert document["passed"] is True
    assert document["relative_error"] == max(document["relative_errors"])
    assert document["times"] == [0.1, 1.0, 5.0]
    with torch.no_grad():
        model.embed.fill_(math.nan)
    broken = verify(model, times=[0.1], samples=1)
    document = json.loads(json.dumps(broken.to_dict(), allow_nan=False))
    assert document["relative_error"] is None
    assert document["passed"] is False


def test_an_error_above_the_promise_fails() -> None:
    """The weights are as planned; the promise is not kept."""
    model = small_model(tol=0.1)
    model.plan = replace(model.plan, tol=1e-4)
    report = verify(model, **FEW)
    assert report.first_divergence is None
    assert not report.passed
    assert report.worst > 1e-4


# --- broken models fail


def floating(model: UnrolledTransformer) -> list[str]:
    return [name for name, x in model.state_dict().items() if x.dtype.is_floating_point]


def perturb(model: UnrolledTransformer, name: str, entry: int, factor: float) -> None:
    """One weight, by a relative 1e-3; a zero, by as much of the largest of its tensor."""
    with torch.no_grad():
        flat = model.state_dict()[name].view(-1)
        value = float(flat[entry])
        scale = abs(value) or float(flat.abs().max()) or 1.0
        flat[entry] = value + factor * scale


def check_noticed(model: UnrolledTransformer, name: str) -> None:
    report = verify(model, **FEW)
    assert not report.passed
    sentence = report.first_divergence
    assert sentence is not None
    assert "\n" not in sentence
    if not sentence.startswith(name):
        found = re.match(r"block (\d+) leaves its reference", sentence)
        assert found, sentence
        if name.startswith("blocks."):
            # never a block before the perturbed one
            assert int(found[1]) >= int(name.split(".")[1])


@settings(max_examples=60)
@given(st.data())
def test_one_perturbed_weight_is_noticed(data: st.DataObject) -> None:
    model = MODELS[data.draw(st.sampled_from(CASES))]
    name = data.draw(st.sampled_from(floating(model)))
    tensor = model.state_dict()[name]
    entry = data.draw(st.integers(0, tensor.numel() - 1))
    before = tensor.clone()
    perturb(model, name, entry, data.draw(st.sampled_from([1e-3, -1e-3])))
    try:
        check_noticed(model, name)
    finally:
        with torch.no_grad():
            tensor.copy_(before)


@pytest.mark.parametrize("place", ["embed", "position", "readout", "time.spectrum"])
@every_case
def test_a_perturbed_end_is_noticed(method: str, attention: str, dtype: str, place: str) -> None:
    model = small_model(method=method, attention=attention, dtype=dtype)
    tensor = model.state_dict()[place]
    perturb(model, place, int(tensor.abs().argmax()), 1e-3)
    check_noticed(model, place)


@every_case
def test_the_first_and_the_last_block_are_watched(method: str, attention: str, dtype: str) -> None:
    """An error in the first block is contracted away by the later ones and hardly shows in the
    score; one in the last has no later block to show in."""
    depth = MODELS[method, attention, dtype].plan.depth
    for k in (0, depth - 1):
        model = small_model(method=method, attention=attention, dtype=dtype)
        name = f"blocks.{k}.attention.value"
        tensor = model.state_dict()[name]
        perturb(model, name, int(tensor.abs().argmax()), 1e-3)
        check_noticed(model, name)


@every_case
def test_random_weights_are_noticed(method: str, attention: str, dtype: str) -> None:
    model = small_model(method=method, attention=attention, dtype=dtype)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name in floating(model):
            tensor = model.state_dict()[name]
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
        # eigenvalues are not negative: what is wrong shall be the weights and not a square root
        model.time.spectrum.abs_()
    report = verify(model)
    assert not report.passed
    assert report.first_divergence is not None
    assert report.first_divergence.startswith("block 0 ")


@pytest.mark.parametrize(("one", "two"), [(0, 1), (2, 5), (3, 7), (4, 6)])
@pytest.mark.parametrize("attention", ["softmax", "relu"])
def test_swapped_chebyshev_blocks_are_noticed(attention: str, one: int, two: int) -> None:
    model = small_model(attention=attention, tol=1e-3)
    children = list(model.blocks)
    children[one], children[two] = children[two], children[one]
    model.blocks = torch.nn.ModuleList(children)
    check_noticed(model, f"blocks.{one}.")


def test_swapped_gradient_blocks_are_the_same_model() -> None:
    model = small_model(method="gradient")
    children = list(model.blocks)
    children[0], children[3] = children[3], children[0]
    model.blocks = torch.nn.ModuleList(children)
    assert verify(model, **FEW).passed


@pytest.mark.parametrize("block", [0, 3, -1])
def test_a_block_that_listens_to_another_step_is_noticed(block: int) -> None:
    model = small_model(tol=1e-3)
    listen = model.blocks[block].modulation.listen
    with torch.no_grad():
        listen[-1] = listen[-1] - 1 if block else listen[-1] + 5
    report = verify(model, **FEW)
    assert not report.passed
    assert report.first_divergence is not None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300, 1e150])
@pytest.mark.parametrize(
    "place", ["embed", "blocks.2.attention.value", "blocks.1.feed_forward.down"]
)
def test_weights_out_of_all_proportion(place: str, value: float) -> None:
    model = small_model()
    with torch.no_grad():
        model.state_dict()[place].view(-1)[0] = value
    report = verify(model, **FEW)
    assert not report.passed
    assert report.first_divergence is not None
    block = int(place.split(".")[1]) if "." in place else 0
    assert report.first_divergence.startswith(f"block {block} leaves its reference")
    json.dumps(report.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    "other",
    [
        make_plan(GP, tol=0.1, t_min=0.1, attention="relu"),
        make_plan(GP, tol=0.1, t_min=0.1, method="gradient"),
        make_plan(GP, tol=1e-3, t_min=0.1),
        make_plan(GP, tol=0.1, t_min=0.2),
        make_plan(GP, tol=0.1, t_min=0.1, dtype="float32"),
        make_plan(GaussianProcess(Exponential(3.0), 6, SPATIAL), tol=0.1, t_min=0.1),
        make_plan(GaussianProcess(Exponential(3.0), 5, [[1.0]]), tol=0.1, t_min=0.1),
    ],
    ids=["attention", "method", "depth", "range", "dtype", "frames", "channels"],
)
def test_a_plan_of_another_shape_is_refused(other: Plan) -> None:
    model = small_model()
    model.plan = other
    with pytest.raises(ArgumentError, match=r"^architecture\.\w+="):
        verify(model)


def test_a_plan_of_another_problem_is_noticed() -> None:
    """Same sizes, other numbers."""
    model = small_model()
    for kernel, cov in ((Logarithmic(3.0, 1.0), SPATIAL), (Exponential(3.0), 1.01 * SPATIAL)):
        gp = GaussianProcess(kernel, 5, cov, GP.mean)
        model.plan = replace(make_plan(GP, tol=0.1, t_min=0.1), gp=gp)
        assert not verify(model, **FEW).passed
