"""Kernels with negative lobes: values, both ends of the spectrum, two softmax heads, proofs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
import plan_oracles as oracle
import pytest
import scipy.linalg
import strategies as our
import tolerances as tol
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from constructions import build, load, verify
from proofs_check import CertificateError, audit, certify
from proofs_check.balls import autocov_balls, precision
from proofs_check.enclosures import _temporal_top as proved_top
from proofs_check.enclosures import temporal_bottom as proved_bottom
from proofs_check.symbol_ends import symbol_maximum, symbol_minimum
from unroll import (
    ArgumentError,
    DampedCosine,
    Exponential,
    GaussianProcess,
    Plan,
    fit,
    kernel_from_dict,
    make_plan,
)
from unroll.attention import ReluLag, SoftmaxSink, lowering_from_dict
from unroll.cli import run
from unroll.spectrum import temporal_bounds

SPATIAL = np.array([[1.0, 0.6], [0.6, 2.0]])
FRAMES = 12
EXAMPLES = [
    DampedCosine(8.0, 16.0),
    DampedCosine(3.0, 4.0),  # every other lag is zero
    DampedCosine(4.0, 2.0),  # signs alternate
    DampedCosine(2.0, 2.7),
    DampedCosine(20.0, 7.0),
    DampedCosine(6.0, 200.0),  # no negative value within the frames
]
every_example = pytest.mark.parametrize("kernel", EXAMPLES, ids=str)


def exact(kernel: DampedCosine, lag: int) -> mp.mpf:
    """gamma at one lag from its definition."""
    turns = Fraction(lag) / Fraction(kernel.period)
    turns -= math.floor(turns)
    wave = mp.cospi(2 * mp.mpf(turns.numerator) / turns.denominator)
    return mp.exp(-lag / mp.mpf(kernel.length_scale)) * wave


def vanishes(kernel: DampedCosine, lag: int) -> bool:
    quarters = 4 * Fraction(lag) / Fraction(kernel.period)
    return quarters.denominator == 1 and quarters % 2 == 1


# --- values


@given(our.damped_cosines(), st.integers(0, 200))
def test_autocov_to_full_relative_accuracy(kernel: DampedCosine, lag: int) -> None:
    if vanishes(kernel, lag):
        assert kernel.autocov(lag) == 0.0
        assert kernel.log_autocov(lag) == -math.inf
        return
    with mp.workdps(60):
        value = exact(kernel, lag)
        size = 1 + lag / kernel.length_scale
        assert abs(kernel.autocov(lag) - value) <= tol.FORMULA * size * abs(value) + 1e-320
        allowed = tol.FORMULA * (1 + abs(mp.log(abs(value))))
        assert abs(kernel.log_autocov(lag) - mp.log(abs(value))) <= allowed


@given(our.damped_cosines(), st.integers(1, 40))
def test_the_parts_make_up_the_kernel(kernel: DampedCosine, frames: int) -> None:
    gamma = [oracle.autocov(kernel, lag) for lag in range(frames)]
    plus, minus = (np.exp(part) for part in kernel.log_parts(np.arange(frames)))
    slack = tol.FORMULA * np.array([1 + lag / kernel.length_scale for lag in range(frames)])
    assert np.all(np.abs(plus - np.maximum(gamma, 0)) <= slack * np.abs(gamma) + 1e-300)
    assert np.all(np.abs(minus - np.maximum(-np.array(gamma), 0)) <= slack * np.abs(gamma) + 1e-300)
    assert not np.any((plus > 0) & (minus > 0))


def test_a_positive_kernel_has_one_part() -> None:
    kernel = Exponential(3.0)
    (only,) = kernel.log_parts([0.0, 6.0])
    np.testing.assert_array_equal(only, kernel.log_autocov([0.0, 6.0]))
    assert not kernel.signed
    assert kernel.symbol_max() == math.inf


@given(our.damped_cosines(), st.integers(0, 40), st.integers(1, 64))
def test_tails_are_those_of_absolute_values(
    kernel: DampedCosine, bandwidth: int, frames: int
) -> None:
    total = math.fsum(abs(oracle.autocov(kernel, k)) for k in range(bandwidth + 1, frames))
    assert kernel.tail_sum(bandwidth, frames) == pytest.approx(total, rel=1e-10, abs=1e-300)
    assert total <= kernel.tail_bound(bandwidth, frames) * (1 + tol.SUMMATION)


# --- both ends of the symbol, and of the spectrum


def symbol(kernel: DampedCosine, angles: np.ndarray) -> np.ndarray:
    """f(theta) by summation until nothing is left."""
    lags = np.arange(1, int(50 * kernel.length_scale) + 2)
    gamma = np.array([oracle.autocov(kernel, int(lag)) for lag in lags])
    return 1 + 2 * np.cos(np.outer(angles, lags)) @ gamma


@settings(max_examples=40)
@given(our.damped_cosines(20.0))
@example(DampedCosine(8.0, 2.0))
@example(DampedCosine(8.0, 1.0))
@example(DampedCosine(8.0, 4.0))
@example(DampedCosine(8.0, 80.0))  # the peaks at +-omega are about to merge
@example(DampedCosine(8.0, 90.0))
def test_ends_of_the_symbol(kernel: DampedCosine) -> None:
    omega = 2 * math.pi / kernel.period
    angles = np.concatenate([np.linspace(0, math.pi, 601), np.linspace(0, 1, 301) * omega])
    values = symbol(kernel, angles)
    rounding = 1e-13 * (1 + 2 * kernel.length_scale)
    lower, upper = kernel.symbol_min(9), kernel.symbol_max()
    assert lower <= values.min() + rounding
    assert values.max() <= upper + rounding
    assert lower >= (1 - 1e-13) * values.min() - rounding, "both ends of [0, pi] are looked at"
    # a grid that is fine against the width 1/l of a peak sees most of it
    assert upper <= 1.001 * values.max() + rounding


@given(our.damped_cosines(), st.integers(1, 40))
def test_eigenvalues_are_enclosed(kernel: DampedCosine, frames: int) -> None:
    values = scipy.linalg.eigvalsh(oracle.temporal_cov(kernel, frames))
    slack = tol.eigenvalue(frames, values[-1])
    assert kernel.symbol_min(frames) <= values[0] + slack
    assert values[-1] <= kernel.symbol_max() + slack
    lower, upper = temporal_bounds(kernel, frames)
    assert lower <= values[0] + slack
    assert upper >= values[-1] - slack
    # short sequences: the computed eigenvalues themselves
    assert lower >= values[0] - 4 * slack
    assert upper <= values[-1] + 4 * slack


@every_example
def test_long_sequences_come_close_to_both_ends(kernel: DampedCosine) -> None:
    frames = 65 if kernel.period > 100 else 600
    values = scipy.linalg.eigvalsh(kernel.matrix(frames))
    lower, upper = temporal_bounds(kernel, frames)
    assert lower <= values[0] + tol.eigenvalue(frames, values[-1])
    assert upper >= values[-1] - tol.eigenvalue(frames, values[-1])
    assert values[0] <= 1.01 * lower
    assert upper <= 1.02 * values[-1], "|Gamma| alone would give a quarter more"


@settings(max_examples=40)
@given(our.damped_cosines(), st.integers(1, 12))
def test_proved_ends(kernel: DampedCosine, frames: int) -> None:
    """Against eigenvalues at sixty digits; and never tighter than what plans claim."""
    with precision(), mp.workdps(60):
        gamma = autocov_balls(kernel, frames)
        for lag in range(frames):
            assert gamma[lag].contains(0) == vanishes(kernel, lag)
            if vanishes(kernel, lag):
                assert gamma[lag].is_zero()
            else:
                found = mp.mpf(gamma[lag].mid().str(70, radius=False))
                assert abs(found / exact(kernel, lag) - 1) <= mp.mpf(10) ** -50
        matrix = mp.matrix(frames, frames)
        for i in range(frames):
            for j in range(frames):
                matrix[i, j] = exact(kernel, abs(i - j))
        values = sorted(mp.eigsy(matrix, eigvals_only=True))
        bottom, top = proved_bottom(kernel, gamma), proved_top(kernel, gamma)
        slack = mp.mpf(10) ** -50
        for low in (symbol_minimum(kernel), bottom):
            assert mp.mpf(low.lower().mid().str(60, radius=False)) <= values[0] + slack
        for high in (symbol_maximum(kernel), top):
            assert not mp.mpf(high.upper().mid().str(60, radius=False)) < values[-1] - slack
        lower, upper = temporal_bounds(kernel, frames)
        assert lower <= bottom
        assert upper >= top


# --- two softmax heads


@given(our.damped_cosines(), st.integers(1, 24))
def test_a_head_for_each_sign(kernel: DampedCosine, frames: int) -> None:
    gamma = [oracle.autocov(kernel, lag) for lag in range(frames)]
    lowering = SoftmaxSink.design(kernel, frames)
    negative = [lag for lag in range(frames) if exact(kernel, lag) < 0]
    assert lowering.heads == (2 if any(gamma[lag] for lag in negative) else lowering.heads)
    assert lowering.heads == 1 or negative
    assert lowering.operator_error(kernel, frames) == 0.0
    assert lowering_from_dict(json.loads(json.dumps(lowering.to_dict()))) == lowering
    for head, sign in enumerate((1, -1)[: lowering.heads]):
        part = [max(sign * value, 0.0) for value in gamma]
        normalizer = abs(lowering.scales[head])
        assert math.frexp(normalizer)[0] == 0.5, "a power of two"
        sinks = np.exp(lowering.sink_logits(kernel, frames, head))
        for n in {1, (frames + 1) // 2, frames}:  # sequences of every length
            for i in range(n):
                row = math.fsum(part[abs(i - j)] for j in range(n))
                denominator = row + sinks[i] + sinks[n - 1 - i]
                assert denominator == pytest.approx(normalizer, rel=tol.SUMMATION)


def applied(lowering: SoftmaxSink, kernel: DampedCosine, x: np.ndarray) -> np.ndarray:
    """Both heads in the precision of `x`, row by row."""
    frames, dtype = len(x), x.dtype
    out = np.zeros_like(x)
    for head, scale in enumerate(lowering.scales):
        logits = scipy.linalg.toeplitz(lowering.frame_logits(kernel, frames, head)).astype(dtype)
        sink = lowering.sink_logits(kernel, frames, head).astype(dtype)
        for i in range(frames):
            row = np.concatenate([logits[i], [sink[i], sink[frames - 1 - i]]])
            row = np.exp(row - row.max())
            out[i] += ((row / row.sum())[:frames] @ x) * dtype.type(scale)
    return out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@settings(max_examples=30)
@given(our.damped_cosines(), st.integers(0, 2**32 - 1))
def test_rounding_bound_of_two_heads(dtype: str, kernel: DampedCosine, seed: int) -> None:
    lowering, gamma = SoftmaxSink.design(kernel, FRAMES), oracle.temporal_cov(kernel, FRAMES)
    bound = lowering.rounding(kernel, FRAMES, 1) * float(np.finfo(dtype).eps) / 2
    bound += tol.solve(FRAMES, 1.0) * float(np.linalg.norm(gamma, 2))
    assert np.linalg.norm(lowering.carried(kernel, FRAMES, dtype) - gamma, 2) <= bound
    x = np.random.default_rng(seed).standard_normal((FRAMES, 1)).astype(dtype)
    error = np.linalg.norm(applied(lowering, kernel, x) - gamma @ x.astype(np.float64))
    assert error <= bound * np.linalg.norm(x)


@settings(max_examples=20)
@given(our.damped_cosines(), st.sampled_from(["knot", "trapezoid"]), st.integers(1, FRAMES))
def test_relu_heads_carry_any_values(kernel: DampedCosine, style: str, lags: int) -> None:
    lowering = ReluLag(lags - 1, 2 * FRAMES, style)
    gamma = oracle.temporal_cov(kernel, FRAMES)
    distance = np.abs(np.subtract.outer(np.arange(FRAMES), np.arange(FRAMES)))
    gamma[distance >= lags] = 0
    bound = lowering.rounding(kernel, FRAMES, 1) * tol.EPS / 2
    error = np.linalg.norm(lowering.carried(kernel, FRAMES, "float64") - gamma, 2)
    assert error <= bound + tol.solve(FRAMES, 1.0) * float(np.linalg.norm(gamma, 2))


# --- models and their proofs


def plan_for(kernel: DampedCosine, frames: int = FRAMES, **options: Any) -> Plan:
    mean = np.linspace(-1, 1, 2 * frames).reshape(frames, 2)
    gp = GaussianProcess(kernel, frames, SPATIAL, mean)
    return make_plan(gp, **{"tol": 1e-4, "t_min": 0.05, **options})


def measured(plan: Plan, t: float) -> float:
    found = oracle.ExactError(plan.gp, t)
    with torch.no_grad():
        inputs = torch.as_tensor(found.inputs.astype(plan.dtype))
        return found(build(plan)(inputs, t).double().numpy())


@pytest.mark.parametrize("method", ["gradient", "chebyshev"])
@pytest.mark.parametrize("attention", ["softmax", "relu"])
@every_example
def test_measured_below_proved_below_tolerance(
    kernel: DampedCosine, attention: str, method: str
) -> None:
    t_min = 0.1 if method == "chebyshev" else 0.5
    plan = plan_for(kernel, method=method, attention=attention, tol=1e-3, t_min=t_min)
    proved = certify(plan)
    assert proved.regime == "damped_cosine"
    assert proved.terms["truncation"] == 0.0 or attention == "relu"
    for t in (plan.t_min, 0.7):
        assert measured(plan, t) <= proved.bound <= plan.tol
    assert measured(plan, plan.t_min) >= 0.01 * proved.bound


def test_long_sequences_are_certified_by_the_ends_of_the_symbol() -> None:
    plan = plan_for(DampedCosine(8.0, 16.0), 100)
    assert plan.heads == 2
    assert certify(plan).bound <= plan.tol
    gamma = plan.gp.temporal_cov
    spatial = scipy.linalg.eigvalsh(SPATIAL)[-1]
    assert plan.spectrum.upper <= 1.05 * scipy.linalg.eigvalsh(gamma)[-1] * spatial
    assert plan.spectrum.upper <= 0.9 * scipy.linalg.eigvalsh(np.abs(gamma))[-1] * spatial


@pytest.mark.parametrize("attention", ["softmax", "relu"])
def test_audit_of_saved_weights(tmp_path: Path, attention: str) -> None:
    plan = plan_for(DampedCosine(3.0, 5.0), 8, attention=attention, tol=1e-3)
    model = build(plan)
    model.save(tmp_path / "model")
    assert measured(plan, plan.t_min) <= audit(tmp_path / "model").bound <= plan.tol
    assert verify(load(tmp_path / "model")).passed


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("attention.output", lambda w: -w),
        ("attention.relative_bias", lambda w: w[::-1]),
        ("attention.relative_bias", lambda w: w * 1.01),
    ],
)
def test_audit_refuses_wrong_heads(
    tmp_path: Path, name: str, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    build(plan_for(DampedCosine(3.0, 5.0), 8, tol=1e-3)).save(tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    tensors = load_file(path)
    (key,) = [k for k in tensors if k.endswith(f".3.{name}")]
    changed = tensors[key].copy()
    changed[-1] = change(tensors[key])[-1]  # the second head
    assert not np.array_equal(changed, tensors[key])
    save_file(tensors | {key: changed}, path)
    with pytest.raises(CertificateError, match="block 3"):
        audit(tmp_path / "model")


@every_example
def test_shorter_sequences_by_the_same_weights(kernel: DampedCosine) -> None:
    gp = GaussianProcess(kernel, FRAMES, SPATIAL)
    model = build(gp, tol=1e-5, t_min=0.05)
    t, rng = 0.2, np.random.default_rng(0)
    sequences = [rng.standard_normal((n, 2)) for n in (1, 3, 7, FRAMES)]
    with torch.no_grad():
        scores = model.score_sequences([torch.as_tensor(v) for v in sequences], t)
    for v, score in zip(sequences, scores, strict=True):
        wanted = GaussianProcess(kernel, len(v), SPATIAL).score(v, t)
        assert np.linalg.norm(score.numpy() - wanted) <= 1e-4 * np.linalg.norm(wanted)


def test_float32_is_planned_with_measured_rounding() -> None:
    plan = plan_for(DampedCosine(4.0, 6.0), dtype="float32", tol=1e-3)
    assert measured(plan, plan.t_min) <= plan.tol
    with pytest.raises(CertificateError, match="exceeds tol"):
        certify(plan)


# --- refusals, files, commands


def test_mechanisms_that_cannot_carry_it_say_so() -> None:
    kernel = DampedCosine(4.0, 6.0)
    with pytest.raises(ArgumentError, match=r"attention=alibi: .*do not oscillate.*softmax"):
        plan_for(kernel, attention="alibi")
    with pytest.raises(ArgumentError, match=r"negative=None: .*no head .*design"):
        SoftmaxSink(64.0).carried(kernel, FRAMES, "float64")
    with pytest.raises(ArgumentError, match=r"negative=4\.0: .*no negative values"):
        SoftmaxSink(64.0, 4.0).sink_logits(Exponential(3.0), FRAMES, 1)
    with pytest.raises(ArgumentError, match=r"negative=0\.25: must exceed the two-sided sum"):
        SoftmaxSink(64.0, 0.25).sink_logits(kernel, FRAMES, 1)
    with pytest.raises(ArgumentError, match=r"negative=-1\.0"):
        SoftmaxSink(64.0, -1.0)
    plan = plan_for(kernel)
    with pytest.raises(ArgumentError, match="no head for the negative values"):
        certify(replace(plan, lowering=replace(plan.lowering, negative=None)))


def test_dictionaries_and_files(tmp_path: Path) -> None:
    document = {"regime": "damped_cosine", "length_scale": 8.0, "period": 16.0}
    assert kernel_from_dict(document) == DampedCosine(8.0, 16.0)
    assert DampedCosine(8.0, 16.0).to_dict() == document
    gp = GaussianProcess(DampedCosine(8.0, 16.0), FRAMES, SPATIAL)
    gp.save(tmp_path / "gp.json")
    assert GaussianProcess.load(tmp_path / "gp.json") == gp
    with pytest.raises(ArgumentError, match=r"missing: period; .* takes length_scale, period"):
        kernel_from_dict({"regime": "damped_cosine", "length_scale": 8.0})
    plan = plan_for(DampedCosine(8.0, 16.0))
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))).to_dict() == plan.to_dict()


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = GaussianProcess(DampedCosine(6.0, 5.0), 8, SPATIAL)
    np.save(tmp_path / "data.npy", truth.sample(200, rng=0))
    gp, model = str(tmp_path / "gp.json"), str(tmp_path / "model")
    fitted = ["fit", str(tmp_path / "data.npy"), "--out", gp, "--regime", "damped_cosine"]
    assert run([*fitted, "--regime", "exponential", "--no-mean"]) == 0
    assert json.loads(Path(gp).read_text())["kernel"]["regime"] == "damped_cosine"
    capsys.readouterr()
    request = ["--tol", "1e-3", "--t-min", "0.1"]
    assert run(["plan", gp, *request, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["plans"]
    reasons = {row["attention"]: row["reason"] for row in rows if row["method"] == "chebyshev"}
    assert "do not oscillate" in reasons["alibi"]
    assert not reasons["softmax"]
    assert not reasons["relu"]
    assert run(["build", gp, *request, "--out", model]) == 0
    assert run(["verify", model]) == 0
    assert run(["certify", model]) == 0


# --- fitting


@pytest.mark.parametrize(
    "truth", [DampedCosine(5.0, 6.0), DampedCosine(30.0, 3.3), DampedCosine(2.0, 9.0)], ids=str
)
def test_the_fit_finds_it_where_asked(truth: DampedCosine) -> None:
    x = GaussianProcess(truth, 24, SPATIAL).sample(300, rng=1)
    report = fit(x, ("exponential", "damped_cosine"), held_out=0.0, mean=False)
    assert report.chosen.regime == "damped_cosine"
    found = report.gp.kernel
    assert isinstance(found, DampedCosine)
    assert found.period == pytest.approx(truth.period, rel=0.05)
    assert found.length_scale == pytest.approx(truth.length_scale, rel=0.1)
    # no other period is more likely: the search did not stop in a side lobe
    best = report.gp.log_likelihood(x).sum()
    for period in np.geomspace(2.0, 50.0, 60):
        other = GaussianProcess(DampedCosine(found.length_scale, period), 24, report.gp.spatial_cov)
        assert other.log_likelihood(x).sum() <= best + 1e-6
    assert "damped_cosine" not in {one.regime for one in fit(x[:20], held_out=0.0).candidates}
