"""Certificates: no measured error above its bound, no bound far above, no claim without proof."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from typing import Any

import mpmath as mp
import numpy as np
import plan_oracles as oracle
import plan_strategies as ours
import pytest
import scipy.linalg
import strategies as our
import torch
from flint import arb, arb_mat
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

from constructions import build
from proofs_check import CertificateError, certify, certify_first_order, symbol_ends
from proofs_check import enclosures as enclosing
from proofs_check.balls import (
    autocov_balls,
    ball_matrix,
    frobenius,
    is_positive_definite,
    maximum,
    precision,
    round_up,
    toeplitz_apply,
)
from proofs_check.certificate import Certificate
from proofs_check.enclosures import enclose_operator, temporal_top
from proofs_check.symbol_ends import symbol_minimum
from unroll import (
    ArgumentError,
    CircleExponential,
    Exponential,
    GaussianProcess,
    Kernel,
    Logarithmic,
    Plan,
    Polynomial,
    make_plan,
)
from unroll.attention import ReluLag, SoftmaxSink
from unroll.methods import METHODS
from unroll.spectrum import Spectrum

REGIMES = [
    Exponential(4.0),
    Exponential(4.0, 0.5),
    Exponential(4.0, 1.5),
    Exponential(1.5, 2.0),
    Polynomial(4.0, 2.0),
    Polynomial(4.0, 0.5),
    Logarithmic(4.0, 1.0),
    CircleExponential(4.0, 1.0, period=200),
]
every_regime = pytest.mark.parametrize("kernel", REGIMES, ids=repr)
every_method = pytest.mark.parametrize("method", METHODS)


def measured(plan: Plan, t: float) -> float:
    """Exact relative rms error of the model that is built from a plan."""
    exact = oracle.ExactError(plan.gp, t)
    with torch.no_grad():
        inputs = torch.as_tensor(exact.inputs.astype(plan.dtype))
        return exact(build(plan)(inputs, t).double().numpy())


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans over all regimes, methods and attentions, from one frame and one channel up."""
    gp, options = draw(ours.problems(max_frames=10)), draw(ours.options())
    if options["attention"] == "softmax" and draw(st.integers(0, 3)) == 0:
        options |= {"attention": "alibi", "tol": max(options["tol"], 1e-4)}
    try:
        return make_plan(gp, **options)
    except ArgumentError:  # too deep, below the floor, or no sum of exponentials
        reject()


def check_soundness(plan: Plan, where: float) -> None:
    bound = certify(plan)
    assert bound.bound <= plan.tol
    spaced = float(np.clip(plan.t_min ** (1 - where) * plan.t_max**where, plan.t_min, plan.t_max))
    for t in (plan.t_min, spaced, plan.t_max):
        assert measured(plan, t) <= bound.bound


# --- soundness


@settings(max_examples=40)
@given(plans(), st.floats(0, 1))
def test_no_measured_error_is_above_its_certificate(plan: Plan, where: float) -> None:
    check_soundness(plan, where)


@pytest.mark.slow
@settings(max_examples=2000)
@given(plans(), st.floats(0, 1))
def test_no_measured_error_is_above_its_certificate_in_two_thousand(
    plan: Plan, where: float
) -> None:
    check_soundness(plan, where)


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("attention", ["softmax", "relu", "alibi", "fourier"])
@every_method
def test_smallest_sequences(frames: int, attention: str, method: str) -> None:
    gp = GaussianProcess(Exponential(2.0), frames, [[2.0]], np.full((frames, 1), 3.0))
    check_soundness(make_plan(gp, method=method, attention=attention, tol=1e-3), 0.4)


def test_float32_with_its_guaranteed_rounding() -> None:
    gp = GaussianProcess(Exponential(1.0), 6, [[1.0, 0.3], [0.3, 0.8]], np.ones((6, 2)))
    for attention in ("softmax", "relu"):
        options: dict[str, Any] = {"attention": attention, "dtype": "float32", "t_min": 0.3}
        plan = make_plan(gp, tol=0.02, rounding="guaranteed", **options)
        check_soundness(plan, 0.5)
        assert certify(plan).terms["rounding"] > 1e-5  # the bound is no formality here


# --- tightness


@every_method
def test_two_eigenvalues_attain_the_rate(method: str) -> None:
    """The residual polynomial is as large at both ends of the spectrum as anywhere between."""
    gp = GaussianProcess(Exponential(1.0), 1, [[0.2, 0.0], [0.0, 5.0]])
    plan = make_plan(gp, method=method, tol=1e-3, t_min=0.01)
    bound = certify(plan)
    seen = measured(plan, plan.t_min)
    # `maximum` stops within 1e-8 of what is attained
    assert seen <= bound.bound <= seen * (1 + 2e-8)


@every_regime
@every_method
def test_tightness_where_the_rate_dominates(
    kernel: Kernel, method: str, record_property: Any
) -> None:
    tol = 1e-2 if method != "chebyshev" else 1e-6
    gp = GaussianProcess(kernel, 16, [[1.0, 0.4], [0.4, 0.7]])
    plan = make_plan(gp, method=method, tol=tol, t_min=0.05)
    bound = certify(plan)
    ratio = bound.bound / measured(plan, plan.t_min)
    record_property("certificate/measured", ratio)
    assert 1 <= ratio <= 3
    assert bound.terms["rate"] > 0.99 * bound.bound


def test_truncation_is_needed_and_not_far_above_what_is_seen() -> None:
    """Deep enough that the band is the only error left."""
    gp = GaussianProcess(Exponential(0.4), 2, [[1.0]])
    short = make_plan(gp, attention="relu", bandwidth=0, tol=0.6, t_min=0.5)
    plan = replace(short, depth=60)
    bound, seen = certify(plan), measured(plan, plan.t_min)
    assert bound.terms["rate"] < 1e-9 < 1e-3 < seen <= bound.bound < 3 * seen


def test_a_sum_of_exponentials_is_charged_for_what_it_leaves() -> None:
    gp = GaussianProcess(Exponential(4.0, 0.5), 8, [[1.0]])
    plan = make_plan(gp, attention="alibi", tol=0.05, t_min=0.1)
    plan = replace(plan, depth=200)
    bound, seen = certify(plan), measured(plan, plan.t_min)
    assert bound.terms["rate"] < 1e-6 * seen < seen <= bound.terms["truncation"] * (1 + 1e-9)


# --- claims just outside


@every_regime
@pytest.mark.parametrize("frames", [8, 100])
@pytest.mark.parametrize("side", ["lower", "upper"])
def test_a_spectrum_shrunk_by_a_millionth_is_refused(
    kernel: Kernel, frames: int, side: str
) -> None:
    gp = GaussianProcess(kernel, frames, [[1.0, 0.4], [0.4, 0.7]])
    plan = make_plan(gp, tol=1e-3, t_min=0.05)
    certify(plan)
    if side == "lower":
        claim = replace(plan.spectrum, lower=plan.spectrum.lower * (1 + 1e-6))
    else:
        top = scipy.linalg.eigvalsh(oracle.temporal_cov(kernel, frames))[-1]
        top *= scipy.linalg.eigvalsh(gp.spatial_cov)[-1]
        claim = replace(plan.spectrum, upper=float(top) * (1 - 1e-6))
    with pytest.raises(CertificateError, match=r"spectrum=.*not shown to contain"):
        certify(replace(plan, spectrum=claim))


@every_method
def test_one_block_too_few_is_refused(method: str) -> None:
    gp = GaussianProcess(Polynomial(4.0, 1.0), 12, [[1.0]])
    plan = make_plan(gp, method=method, tol=1e-3, t_min=0.05)
    with pytest.raises(CertificateError, match=r"bound=0\.001\d*: exceeds tol=0\.001, .*rate"):
        certify(replace(plan, depth=plan.depth - 1))


def test_a_tolerance_just_below_the_bound_is_refused() -> None:
    plan = make_plan(GaussianProcess(Exponential(3.0), 9, [[1.0]]), tol=1e-3)
    bound = certify(plan).bound
    assert certify(replace(plan, tol=bound)).bound == bound
    with pytest.raises(CertificateError, match="exceeds tol"):
        certify(replace(plan, tol=math.nextafter(bound, 0)))


def test_a_longer_range_of_t_is_not_covered() -> None:
    plan = make_plan(GaussianProcess(Exponential(3.0), 9, [[1.0]]), tol=1e-3, t_min=0.1)
    certify(replace(plan, t_max=100.0))  # large t is easy
    with pytest.raises(CertificateError, match=r"most of it rate"):
        certify(replace(plan, t_min=0.09))


def test_heads_that_do_not_carry_the_kernel_are_refused() -> None:
    """On a circle that is too small, long lags look like short ones; below its row sums, a
    normaliser leaves nothing for the sink."""
    gp = GaussianProcess(Exponential(0.5), 12, [[1.0]])
    plan = make_plan(gp, attention="relu", tol=1e-2, t_min=0.1)
    assert isinstance(plan.lowering, ReluLag)
    small = replace(plan.lowering, period=2 * (plan.lowering.bandwidth + 1))
    assert measured(replace(plan, lowering=small), 0.1) > 0.1
    with pytest.raises(ArgumentError, match=r"period=\d+: is below 2 \* frames = 24"):
        certify(replace(plan, lowering=small))
    plan = make_plan(gp, tol=1e-2, t_min=0.1)
    with pytest.raises(ArgumentError, match=r"normalizer=1\.0: must exceed the two-sided sum"):
        certify(replace(plan, lowering=SoftmaxSink(1.0)))


def test_measured_rounding_is_refused_with_a_hint() -> None:
    gp = GaussianProcess(Exponential(8.0), 24, [[1.0]])
    plan = make_plan(gp, tol=1e-3, dtype="float32")
    with pytest.raises(CertificateError, match=r"rounding was measured, not bounded: use float64"):
        certify(plan)


def test_a_spectrum_that_is_negative_with_the_noise_is_refused() -> None:
    """In floats the smallest eigenvalue is above zero, in exact arithmetic it is not."""
    plan = make_plan(GaussianProcess(Exponential(3.0), 5, [[1.0]]), tol=0.5, t_min=0.5)
    lowest = -math.expm1(0.5)
    while Spectrum(lowest, 9.0).noisy(0.5)[0] <= 0:
        lowest = math.nextafter(lowest, 0)
    claim = replace(plan, spectrum=Spectrum(lowest, 9.0))
    with pytest.raises(CertificateError):
        certify(claim)


# --- what is added to the plan's rounding bound


def iterate_errors(kappa: float, depth: int, per_size: float, constant: float) -> list[float]:
    """``E_k = sum_j w_kj (per_size (1 + delta_{j-1} + max(E_j, E_{j-1})) + constant)``, with
    ``w_kj = (k-j) T_{j+1}(y) / T_k(y)`` from hyperbolic cosines."""
    angle = math.acosh((kappa + 1) / (kappa - 1))
    errors, local = [0.0], []
    for k in range(1, depth + 1):
        size = 1 + 1 / math.cosh(max(k - 2, 0) * angle)
        local.append(per_size * (size + max(errors[-2:])) + constant)
        weights = [(k - j) * math.cosh((j + 1) * angle) / math.cosh(k * angle) for j in range(k)]
        errors.append(float(np.dot(weights, local)))
    return errors


@given(
    our.log_uniform(1.0001, 1e3),
    st.integers(1, 40),
    our.log_uniform(1e-6, 0.5),
    st.floats(0, 1),
)
def test_earlier_iterates_may_be_off_by_more_than_the_last(
    kappa: float, depth: int, size: float, share: float
) -> None:
    gp = GaussianProcess(Exponential(3.0), 2, [[1.0]])
    plan = make_plan(gp, tol=0.5)
    errors = iterate_errors(kappa, depth, size, share * size)
    angle = math.acosh((kappa + 1) / (kappa - 1))
    sizes = [1 + 1 / math.cosh(max(k - 1, 0) * angle) for k in range(depth)]
    weights = [
        (depth - j) * math.cosh((j + 1) * angle) / math.cosh(depth * angle) for j in range(depth)
    ]
    total = float(np.dot(weights, [size * (s + share) for s in sizes]))
    if total >= 0.9:
        return
    with pytest.MonkeyPatch.context() as patch, precision():
        patch.setattr(
            certify_first_order, "guaranteed_rounding", lambda *a, **k: total / (1 - total)
        )
        raised = round_up(certify_first_order._rounding(plan))
    assert errors[-1] <= raised <= 2 * total / (1 - total) * (1 + 1e-9)


def test_rounding_that_does_not_close_is_refused() -> None:
    plan = make_plan(GaussianProcess(Exponential(3.0), 2, [[1.0]]), tol=0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certify_first_order, "guaranteed_rounding", lambda *a, **k: math.inf)
        with pytest.raises(CertificateError, match=r"bound=inf.*rounding"):
            certify(plan)


# --- enclosures


def exact_eigenvalues(kernel: Kernel, frames: int) -> tuple[mp.mpf, mp.mpf]:
    """Smallest and largest eigenvalue of Gamma, with 60 digits."""
    with mp.workdps(60):
        column = [mp_autocov(kernel, lag) for lag in range(frames)]
        matrix = mp.matrix(frames, frames)
        for i in range(frames):
            for j in range(frames):
                matrix[i, j] = column[abs(i - j)]
        values = mp.eigsy(matrix, eigvals_only=True)
        return min(values), max(values)


def mp_autocov(kernel: Kernel, lag: int) -> mp.mpf:
    """gamma(lag) from the formulas of the regimes, in the working precision of mpmath."""
    distance, length = mp.mpf(lag), mp.mpf(kernel.length_scale)  # type: ignore[attr-defined]
    if isinstance(kernel, CircleExponential):
        assert kernel.radius is not None
        distance = 2 * mp.mpf(kernel.radius) * mp.sin(mp.pi * lag / kernel.period)
    if isinstance(kernel, Exponential | CircleExponential):
        return mp.exp(-((distance / length) ** mp.mpf(kernel.exponent)))
    base = 1 + distance / length
    if isinstance(kernel, Logarithmic):
        base = 1 + mp.log(base)
    return base ** -mp.mpf(kernel.power)  # type: ignore[attr-defined]


def exact(x: arb) -> mp.mpf:
    """A point ball as mpmath number."""
    with mp.workdps(250):
        return mp.mpf(x.mid().str(220, radius=False))


@given(our.kernels(5), st.integers(1, 5))
def test_enclosures_contain_the_eigenvalues(kernel: Kernel, frames: int) -> None:
    low, high = exact_eigenvalues(kernel, frames)
    with precision(), mp.workdps(60):
        gamma = autocov_balls(kernel, frames)
        bottom = enclosing.temporal_bottom(kernel, gamma)
        top = temporal_top(gamma)
        slack = mp.mpf(10) ** -55  # of the eigenvalues themselves
        assert exact(symbol_minimum(kernel).lower()) <= low + slack
        assert exact(bottom.lower()) <= low + slack
        assert exact(top.upper()) >= high - slack
        # and are sharp: rounding of the candidate below, forty power steps above (slow when all
        # eigenvalues are close to one another)
        assert exact(bottom.lower()) >= low - 1e-12 * high
        assert exact(top.upper()) <= high * mp.mpf("1.05")


@every_regime
def test_long_sequences_are_enclosed(kernel: Kernel) -> None:
    gp = GaussianProcess(kernel, 100, [[2.0, 0.3], [0.3, 1.0]])
    plan = make_plan(gp, tol=0.1)
    with precision():
        found = enclose_operator(gp, plan.lowering)
    values = scipy.linalg.eigvalsh(
        np.kron(oracle.temporal_cov(kernel, 100), np.asarray(gp.spatial_cov))
    )
    assert float(found.lower) <= values[0] + 1e-12
    assert float(found.upper) >= values[-1] - 1e-10
    assert 0 < float(found.lower) >= 0.9 * values[0]
    assert float(found.upper) <= values[-1] * 1.01


@given(
    st.one_of(
        st.builds(Exponential, our.log_uniform(0.05, 30.0), st.floats(0.2, 2.0)),
        st.builds(Polynomial, our.log_uniform(0.05, 30.0), our.log_uniform(0.1, 8.0)),
        st.builds(Logarithmic, our.log_uniform(0.05, 30.0), our.log_uniform(0.1, 8.0)),
    )
)
@example(Exponential(4.0, 1.0))
@example(Exponential(4.0, 1.995))
@example(Exponential(3.0, 2.0))
@settings(max_examples=15)
def test_symbol_minimum_is_the_alternating_sum(kernel: Kernel) -> None:
    with mp.workdps(50), precision():
        if isinstance(kernel, Exponential) and kernel.exponent > 0.9:
            lags = math.ceil(kernel.length_scale * 90 ** (1 / kernel.exponent)) + 2
            value = 1 + 2 * mp.fsum((-1) ** k * mp_autocov(kernel, k) for k in range(1, lags))
        else:
            series = mp.nsum(lambda k: (-1) ** int(k) * mp_autocov(kernel, int(k)), [0, mp.inf])
            value = 2 * series - 1
        found = symbol_minimum(kernel)
        assert exact(found.lower()) <= value + mp.mpf(10) ** -30
        assert exact(found.upper()) >= value * (1 - mp.mpf(10) ** -12) - mp.mpf(10) ** -30


@pytest.mark.parametrize(
    ("length", "exponent"), [(0.7, 1.3), (8.0, 1.5), (30.0, 1.01), (90.0, 1.999)]
)
def test_eulers_transform_agrees_with_the_plain_sum(length: float, exponent: float) -> None:
    kernel = Exponential(length, exponent)
    last = math.ceil(length * 98 ** (1 / exponent)) + 1
    with precision():
        plain, euler = symbol_ends._alternating(kernel, last), symbol_ends._euler(kernel)
        assert plain.overlaps(euler)
        assert euler.rad() < 1e-20


@pytest.mark.parametrize(
    "kernel",
    [
        Exponential(0.05, 2.0),
        Exponential(0.5, 2.0),
        Exponential(1.0, 2.0),
        Exponential(40.0, 2.0),
        Exponential(1e6, 1.5),
        CircleExponential(100.0, 2.0, period=200),
        CircleExponential(8.0, 1.0, period=5000),
        Polynomial(1e-200, 1.0),
        Logarithmic(1.0, 500.0),
    ],
    ids=repr,
)
def test_extreme_kernels_are_certified(kernel: Kernel) -> None:
    """Once refused, or an hour's work: short Gaussians, wide circles, very long kernels."""
    certify(make_plan(GaussianProcess(kernel, 100, [[1.0]]), tol=0.1, t_min=0.1))


@pytest.mark.parametrize("period", [2, 3, 7, 24])
def test_the_smallest_eigenvalue_of_a_circulant(period: int) -> None:
    kernel = CircleExponential(3.0, 1.3, period=period)
    row = [oracle.autocov(kernel, lag) for lag in range(period)]
    smallest = np.linalg.eigvalsh(scipy.linalg.circulant(row))[0]
    with precision():
        assert float(symbol_minimum(kernel)) == pytest.approx(smallest, rel=1e-12)


def test_a_band_is_charged_to_both_ends() -> None:
    gp = GaussianProcess(Exponential(1.0), 12, [[2.0]])
    with precision():
        whole = enclose_operator(gp, ReluLag(bandwidth=11, period=24))
        band = enclose_operator(gp, ReluLag(bandwidth=3, period=24))
        dropped = 2 * 2.0 * sum(math.exp(-lag) for lag in range(4, 12))
        assert float(whole.band_error) == 0
        assert float(band.band_error) == pytest.approx(dropped)
        assert float(whole.lower - band.lower) == pytest.approx(dropped)
        assert float(band.upper - whole.upper) == pytest.approx(dropped)


def test_large_problems_take_seconds() -> None:
    gp = GaussianProcess(Exponential(8.0), 1024, [[1.0, 0.3], [0.3, 1.0]])
    plan = make_plan(gp, tol=1e-4, attention="relu")
    start = time.perf_counter()
    certify(plan)
    assert time.perf_counter() - start < 10


# --- ball arithmetic


@given(our.kernels(12), st.integers(0, 23))
def test_autocovariances_in_balls(kernel: Kernel, lag: int) -> None:
    with precision(200), mp.workdps(80):
        value = mp_autocov(kernel, lag) if lag else mp.mpf(1)
        found = autocov_balls(kernel, lag + 1)[lag]
        assert abs(exact(found) - value) <= exact(found.rad()) + abs(value) * mp.mpf(10) ** -70


@given(st.floats(0.011, 4.9), our.log_uniform(1e-3, 10.0))
def test_maximum_finds_an_interior_maximum(peak: float, width: float) -> None:
    def bump(t: arb) -> arb:
        return (-(((t - peak) / width) ** 2)).exp()

    with precision(128):
        found = round_up(maximum(bump, 0.01, 5.0))
    assert 1 <= found <= 1 + 1e-6


def test_maximum_looks_at_intervals() -> None:
    """Points would do for a smooth function, and prove nothing."""
    seen: list[arb] = []

    def function(t: arb) -> arb:
        seen.append(t)
        return t * (1 - t)

    maximum(function, 0.25, 2.0)
    wide = [t for t in seen if t.rad() > 0]
    assert any(float(t.lower()) <= 0.25 and float(t.upper()) >= 2.0 for t in wide)


def test_maximum_of_an_unbounded_function_is_infinite() -> None:
    assert not math.isfinite(round_up(maximum(lambda t: 1 / (t - 0.37) ** 2, 0.01, 5.0)))
    assert not math.isfinite(round_up(maximum(lambda t: (t - 1).sqrt(), 0.01, 5.0)))


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=5), st.floats(0.01, 1), st.floats(0.1, 4))
def test_maximum_is_an_upper_bound(coefficients: list[float], low: float, length: float) -> None:
    high = low + length
    found = round_up(
        maximum(lambda t: sum((c * t**i for i, c in enumerate(coefficients)), arb(0)), low, high)
    )
    grid = np.linspace(low, high, 300)
    assert found >= np.polyval(coefficients[::-1], grid).max() - 1e-12


def test_round_up() -> None:
    third = arb(1) / 3
    assert round_up(third) > 1 / 3 or round_up(third) == math.nextafter(1 / 3, 1)
    assert arb(round_up(third)) > third
    assert round_up(arb(0)) == 0.0
    assert round_up(arb("nan")) == math.inf == round_up(arb("inf"))
    assert round_up(arb(1, 0.5)) >= 1.5


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_definiteness_is_decided_to_the_last_digits(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-8, 9, (size, size)).astype(float)
    matrix = matrix + matrix.T
    with mp.workdps(50), precision():
        smallest = min(mp.eigsy(mp.matrix(matrix.tolist()), eigvals_only=True))
        for shift, expected in ((mp.mpf(10) ** -30, True), (-(mp.mpf(10) ** -30), False)):
            moved = arb_mat(size, size, [0] * size**2)
            place = arb(mp.nstr(smallest - shift, 45))
            moved = ball_matrix(matrix) - place * ball_matrix(np.eye(size))
            assert is_positive_definite(moved) is expected


def test_what_is_not_decided_is_not_definite() -> None:
    assert is_positive_definite(arb_mat([[arb(2, 1)]]))
    for undecided in (arb(0), arb(1e-3, 1e-2), arb("nan")):
        assert not is_positive_definite(arb_mat([[undecided]]))
        assert not is_positive_definite(arb_mat([[1, 0], [0, undecided]]))


@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_toeplitz_product_and_norm(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    column, vector = rng.standard_normal(size), rng.standard_normal(size)
    found = toeplitz_apply([arb(x) for x in column], [arb(x) for x in vector])
    for i in range(size):
        expected = sum(column[abs(i - j)] * vector[j] for j in range(size))
        assert float(found[i]) == pytest.approx(expected, abs=1e-12)
    matrix = scipy.linalg.toeplitz(column)
    norm = round_up(frobenius(ball_matrix(matrix)))
    assert np.linalg.norm(matrix) <= norm <= np.linalg.norm(matrix) * (1 + 1e-9)


def test_norms_of_balls_around_zero() -> None:
    around = arb_mat([[arb(0, 1e-20)]])
    assert 1e-20 <= round_up(frobenius(around)) < 2e-20


# --- the certificate as a value


def test_a_certificate_says_what_it_rests_on() -> None:
    gp = GaussianProcess(Logarithmic(4.0, 1.0), 6, [[1.0]])
    found = certify(make_plan(gp, tol=1e-3))
    assert isinstance(found, Certificate)
    document = json.loads(json.dumps(found.to_dict()))
    assert document["bound"] == found.bound
    assert document["tol"] == 1e-3
    assert set(document["terms"]) == {"rate", "truncation", "rounding"}
    assert found.bound >= sum(found.terms.values()) * (1 - 1e-12)
    assert document["regime"] == "logarithmic"
    assert "chebyshev" in found.lemmas
    assert len(found.assumptions) >= 3
    assert "rate" in str(found)
    assert "tol 0.001" in str(found)
