"""The lowerings: what the heads carry, and how far rounding and bands may lead them from Gamma."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import plan_oracles as oracle
import pytest
import scipy.linalg
import strategies as our
import tolerances as tol
from hypothesis import given, settings
from hypothesis import strategies as st

from unroll import ArgumentError, Exponential, Kernel, Logarithmic, Polynomial
from unroll.attention import (
    LOWERINGS,
    Lowering,
    ReluLag,
    SoftmaxSink,
    lowering_from_dict,
    row_sums,
    toeplitz_norm_bound,
)

DTYPES = ("float32", "float64")
FRAMES = 16


def roundoff(dtype: str) -> float:
    return float(np.finfo(dtype).eps) / 2


@st.composite
def relu_lags(draw: st.DrawFn, frames: int = FRAMES) -> ReluLag:
    return ReluLag(
        bandwidth=draw(st.integers(0, frames - 1)),
        period=draw(st.integers(2 * frames, 5 * frames)),
        style=draw(st.sampled_from(["knot", "trapezoid"])),
        frequencies=draw(st.sampled_from([1, 2, 4, 8, 32])),
    )


def banded(kernel: Kernel, frames: int, bandwidth: int) -> np.ndarray:
    matrix = oracle.temporal_cov(kernel, frames)
    for i in range(frames):
        for j in range(frames):
            if abs(i - j) > bandwidth:
                matrix[i, j] = 0.0
    return matrix


# --- ReLU lag heads


@given(relu_lags())
def test_embedding_is_on_the_sphere_and_inner_products_fall(lowering: ReluLag) -> None:
    embedding = lowering.embedding(FRAMES)
    assert embedding.shape == (FRAMES, 2 * lowering.frequencies)
    knots = lowering.knots(np.arange(FRAMES + 1))
    for i in range(FRAMES):
        for j in range(FRAMES):
            product = math.fsum(a * b for a, b in zip(embedding[i], embedding[j], strict=True))
            assert abs(product - knots[abs(i - j)]) <= tol.FORMULA * lowering.frequencies
    assert knots[0] == pytest.approx(1.0, rel=tol.FORMULA)
    assert np.all(np.diff(knots) < 0)


@settings(max_examples=30)
@given(our.kernels(FRAMES), relu_lags())
def test_hinges_are_gamma_at_every_lag_at_fifty_digits(kernel: Kernel, lowering: ReluLag) -> None:
    """sum_h a_h ReLU(c_m - b_h) with exact knots c_m and the float64 numbers a and b. What is left
    is their own rounding: |a_h| times that of a threshold, a few units."""
    threshold, weight = lowering.hinges(kernel)
    assert len(threshold) == len(weight) == lowering.heads
    with mp.workdps(50):
        odd = [2 * f + 1 for f in range(lowering.frequencies)]
        total = mp.fsum(mp.mpf(1) / f**2 for f in odd)
        for lag in range(FRAMES):
            knot = (
                mp.fsum(mp.cos(2 * mp.pi * f * lag / lowering.period) / f**2 for f in odd) / total
            )
            terms = [
                mp.mpf(a) * max(knot - mp.mpf(b), 0) for a, b in zip(weight, threshold, strict=True)
            ]
            wanted = oracle.autocov(kernel, lag) if lag <= lowering.bandwidth else 0.0
            near = threshold <= float(knot) + 1e-9
            allowed = 16 * tol.EPS * float(np.sum(np.abs(weight[near]))) + tol.FORMULA
            assert abs(mp.fsum(terms) - wanted) <= allowed


@given(our.kernels(FRAMES), relu_lags())
def test_a_trapezoid_picks_out_one_lag(kernel: Kernel, lowering: ReluLag) -> None:
    trapezoid = ReluLag(lowering.bandwidth, lowering.period, "trapezoid", lowering.frequencies)
    threshold, weight = trapezoid.hinges(kernel)
    assert trapezoid.heads == 4 * (trapezoid.bandwidth + 1)
    knots = trapezoid.knots(np.arange(FRAMES))
    for lag in range(trapezoid.bandwidth + 1):
        four = slice(4 * lag, 4 * lag + 4)
        for other in range(FRAMES):
            value = float(np.maximum(knots[other] - threshold[four], 0) @ weight[four])
            wanted = oracle.autocov(kernel, lag) if other == lag else 0.0
            slack = 16 * tol.EPS * float(np.sum(np.abs(weight[four])))
            assert abs(value - wanted) <= slack + tol.FORMULA


@given(our.kernels(FRAMES), relu_lags())
def test_relu_autocov_is_the_band(kernel: Kernel, lowering: ReluLag) -> None:
    expected = banded(kernel, FRAMES, lowering.bandwidth)[0]
    np.testing.assert_allclose(lowering.autocov(kernel, FRAMES), expected, rtol=1e-12, atol=1e-300)


@given(our.kernels(FRAMES), relu_lags())
def test_operator_error_bounds_the_norm(kernel: Kernel, lowering: ReluLag) -> None:
    difference = oracle.temporal_cov(kernel, FRAMES) - banded(kernel, FRAMES, lowering.bandwidth)
    actual = float(np.abs(scipy.linalg.eigvalsh(difference)).max())
    bound = lowering.operator_error(kernel, FRAMES)
    assert actual <= bound * (1 + tol.SUMMATION)
    tail = sum(oracle.autocov(kernel, k) for k in range(lowering.bandwidth + 1, FRAMES))
    assert bound == pytest.approx(2 * tail, rel=1e-12, abs=1e-300)


@given(our.kernels(FRAMES))
def test_operator_error_is_zero_where_all_lags_are_carried(kernel: Kernel) -> None:
    assert ReluLag(FRAMES - 1, 2 * FRAMES).operator_error(kernel, FRAMES) == 0.0
    assert SoftmaxSink.design(kernel, FRAMES).operator_error(kernel, FRAMES) == 0.0


def test_more_frequencies_have_smaller_slopes() -> None:
    """Slopes fall like 1 / F, and with them what float32 loses."""
    kernel, frames = Exponential(8.0), 256
    exact = oracle.temporal_cov(kernel, frames)
    one, many = (ReluLag(frames - 1, 2 * frames, frequencies=f) for f in (1, 32))
    slopes = [float(np.abs(low.hinges(kernel)[1]).max()) for low in (one, many)]
    assert slopes[1] <= slopes[0] / 16
    losses = [np.abs(low.carried(kernel, frames, "float32") - exact).max() for low in (one, many)]
    assert losses[0] >= 1e-4, "one frequency crowds the knots at lag zero"
    assert losses[1] <= losses[0] / 4


# --- softmax with a sink


@given(our.kernels(FRAMES), st.integers(1, FRAMES))
def test_row_sums(kernel: Kernel, frames: int) -> None:
    expected = [math.fsum(row) for row in oracle.temporal_cov(kernel, frames)]
    np.testing.assert_allclose(row_sums(kernel, frames), expected, rtol=tol.SUMMATION)


@given(our.kernels(FRAMES), st.integers(1, FRAMES))
def test_every_denominator_is_the_normalizer(kernel: Kernel, frames: int) -> None:
    lowering = SoftmaxSink.design(kernel, frames)
    assert math.frexp(lowering.normalizer)[0] == 0.5, "a power of two"
    logits, gamma = lowering.sink_logits(kernel, frames), oracle.temporal_cov(kernel, frames)
    two_sided = 2 * math.fsum(gamma[0]) - 1
    for length in range(1, frames + 1):  # the same logits serve every shorter sequence
        for i in range(length):
            sinks = math.exp(logits[i]) + math.exp(logits[length - 1 - i])
            denominator = sinks + math.fsum(gamma[i, :length])
            assert denominator == pytest.approx(lowering.normalizer, rel=tol.SUMMATION)
            # a sixteenth of the whole is left for each pair of sinks
            assert sinks >= two_sided / 17
    assert lowering.normalizer <= 2 * (1 + 1 / 16) * two_sided * (1 + tol.SUMMATION)


def test_too_small_a_normalizer_is_refused() -> None:
    with pytest.raises(
        ArgumentError, match=r"normalizer=2.0: must exceed .* two-sided sum .*design"
    ):
        SoftmaxSink(2.0).sink_logits(Exponential(8.0), 16)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "kernel", [Exponential(1e-200, 2.0), Exponential(1e-200), Polynomial(1e-200, 9.0)]
)
def test_a_kernel_that_underflows_is_the_identity(kernel: Kernel, dtype: str) -> None:
    lowering = SoftmaxSink.design(kernel, 4)
    assert np.all(np.isfinite(lowering.frame_logits(kernel, 4).astype(dtype)))
    carried = lowering.carried(kernel, 4, dtype)
    bound = lowering.rounding(kernel, 4, 1)
    assert math.isfinite(bound)
    assert np.abs(carried - np.eye(4)).max() <= bound * roundoff(dtype)


# --- rounding


def applied(lowering: Lowering, kernel: Kernel, x: np.ndarray) -> np.ndarray:
    """Heads as attention computes them in the precision of `x`, one after the other: scores from
    queries and keys, pattern times values, weighted sum over heads."""
    frames, dtype = len(x), x.dtype
    if isinstance(lowering, SoftmaxSink):
        logits = scipy.linalg.toeplitz(lowering.frame_logits(kernel, frames)).astype(dtype)
        sink = lowering.sink_logits(kernel, frames).astype(dtype)
        out = np.empty_like(x)
        for i in range(frames):
            row = np.concatenate([logits[i], [sink[i], sink[frames - 1 - i]]])
            row = np.exp(row - row.max())
            out[i] = (row / row.sum())[:frames] @ x
        return out * dtype.type(lowering.normalizer)
    assert isinstance(lowering, ReluLag)
    threshold, weight = (values.astype(dtype) for values in lowering.hinges(kernel))
    embedding = lowering.embedding(frames).astype(dtype)
    key = np.append(embedding, np.ones((frames, 1), dtype), axis=1)
    total = np.zeros_like(x)
    for b, a in zip(threshold, weight, strict=True):
        query = np.append(embedding, np.full((frames, 1), -b, dtype), axis=1)
        total += a * (np.maximum(query @ key.T, 0) @ x)
    return total


def check_rounding(lowering: Lowering, kernel: Kernel, dtype: str, seed: int) -> float:
    """Measured over bounded error, for the heads applied to a worst-ish vector and their matrix."""
    rng = np.random.default_rng(seed)
    gamma = banded(kernel, FRAMES, getattr(lowering, "bandwidth", FRAMES))
    bound = lowering.rounding(kernel, FRAMES, 1) * roundoff(dtype)
    # in float64 the reference itself is rounded
    bound += tol.solve(FRAMES, 1.0) * float(np.linalg.norm(gamma, 2))
    carried = lowering.carried(kernel, FRAMES, dtype).astype(np.float64)
    worst = float(np.linalg.norm(carried - gamma, 2))
    for signs in (rng.choice([-1.0, 1.0], FRAMES), rng.standard_normal(FRAMES), np.ones(FRAMES)):
        x = signs.astype(dtype)[:, None]
        difference = applied(lowering, kernel, x) - gamma @ x.astype(np.float64)
        worst = max(worst, float(np.linalg.norm(difference) / np.linalg.norm(x)))
    return worst / bound


seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=40)
@given(our.kernels(FRAMES), relu_lags(), seeds)
def test_relu_rounding_bound(dtype: str, kernel: Kernel, lowering: ReluLag, seed: int) -> None:
    assert check_rounding(lowering, kernel, dtype, seed) <= 1


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=40)
@given(our.kernels(FRAMES), seeds)
def test_softmax_rounding_bound(dtype: str, kernel: Kernel, seed: int) -> None:
    assert check_rounding(SoftmaxSink.design(kernel, FRAMES), kernel, dtype, seed) <= 1


@pytest.mark.parametrize(
    "lowering",
    [
        ReluLag(15, 32),
        ReluLag(15, 32, "trapezoid"),
        ReluLag(15, 32, frequencies=8),
        SoftmaxSink.design(Logarithmic(8.0, 1.0), FRAMES),
    ],
    ids=str,
)
def test_rounding_bound_is_of_the_right_size(lowering: Lowering) -> None:
    """Every operation is charged its worst case and all signs alike: some hundreds to thousands."""
    ratio = max(check_rounding(lowering, Logarithmic(8.0, 1.0), "float32", s) for s in range(5))
    assert 2e-4 <= ratio <= 1


def adversary(lowering: Lowering, kernel: Kernel, frames: int) -> np.ndarray:
    """What rounding may do, in units of the roundoff, all signs against us: thresholds and logits
    stored one rounding off, sums of n terms that lose n / 2 roundings of each. Softmax suffers
    both twice, in the numerator and in the denominator.
    """
    column = np.zeros(frames)
    if isinstance(lowering, SoftmaxSink):
        row = oracle.temporal_cov(kernel, frames)[frames // 2]
        logit = math.fsum(row * np.abs(np.log(row))) / lowering.normalizer
        denominator = logit + (frames + 1) / 2
    for lag in range(frames):
        if isinstance(lowering, ReluLag):
            knot = float(lowering.knots(np.array([lag]))[0])
            for b, a in zip(*lowering.hinges(kernel), strict=True):
                if knot > b:
                    terms = (frames + lowering.heads) / 2
                    column[lag] += abs(a) * (abs(b) + terms * (knot - b))
        else:
            gamma = oracle.autocov(kernel, lag)
            column[lag] = gamma * (abs(math.log(gamma)) + denominator + frames / 2)
    return scipy.linalg.toeplitz(column)


@pytest.mark.parametrize(
    "lowering",
    [
        ReluLag(99, 200),
        ReluLag(99, 200, "trapezoid"),
        ReluLag(99, 200, frequencies=32),
        SoftmaxSink.design(Logarithmic(8.0, 1.0), 100),
    ],
    ids=str,
)
def test_rounding_bound_covers_an_adversary(lowering: Lowering) -> None:
    kernel, frames = Logarithmic(8.0, 1.0), 100
    loss = float(np.linalg.norm(adversary(lowering, kernel, frames), 2))
    assert loss <= lowering.rounding(kernel, frames, 1) <= 100 * loss


# --- the registry


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=20))
def test_toeplitz_norm_bound(column: list[float]) -> None:
    norm = np.linalg.norm(scipy.linalg.toeplitz(column), 2)
    bound = toeplitz_norm_bound(np.array(column))
    assert norm <= bound * (1 + tol.SUMMATION) + 1e-300
    assert bound == pytest.approx(abs(column[0]) + 2 * sum(abs(c) for c in column[1:]))


@pytest.mark.parametrize(
    "lowering", [ReluLag(3, 16, "trapezoid", 4), ReluLag(0, 2), SoftmaxSink(16.0)], ids=str
)
def test_documents_round_trip(lowering: Lowering) -> None:
    document = lowering.to_dict()
    assert lowering_from_dict(document) == lowering
    assert document["name"] == lowering.name
    assert LOWERINGS[lowering.name] is type(lowering)


@pytest.mark.parametrize(
    "document",
    [
        {"name": "fourier"},
        {},
        {"name": "relu"},
        {"name": "relu", "bandwidth": 3, "period": 16, "sharpness": 100},
        {"name": "relu", "bandwidth": -1, "period": 16},
        {"name": "relu", "bandwidth": 8, "period": 16},
        {"name": "relu", "bandwidth": 3, "period": 16, "style": "triangle"},
        {"name": "relu", "bandwidth": 3, "period": 16, "frequencies": 0},
        {"name": "softmax"},
        {"name": "softmax", "normalizer": "x"},
        {"name": "softmax", "normalizer": -1.0},
        {"name": "softmax", "normalizer": math.nan},
    ],
    ids=str,
)
def test_foreign_documents_are_refused(document: dict[str, object]) -> None:
    with pytest.raises(ArgumentError) as caught:
        lowering_from_dict(document)
    assert "\n" not in str(caught.value)
