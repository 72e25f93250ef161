"""Kernels against loops, mpmath at 50 digits, and dense eigenvalues."""

from __future__ import annotations

import itertools
import math

import mpmath as mp
import numpy as np
import pytest
import strategies as our
import tolerances as tol
from hypothesis import given
from hypothesis import strategies as st

from unroll import (
    ArgumentError,
    CircleExponential,
    Exponential,
    Kernel,
    Logarithmic,
    Polynomial,
    kernel_from_dict,
)
from unroll.kernels.alternating import EULER_START, EULER_STEPS, euler, moment_sequence

SYMBOL_CASES = [
    *(Exponential(length) for length in (0.3, 8.0, 1e4)),
    *(Exponential(length, 0.5) for length in (0.3, 8.0, 300.0)),
    *(Exponential(length, 1.5) for length in (0.3, 8.0, 100.0)),
    *(Exponential(length, 2.0) for length in (0.3, 0.999, 1.0, 3.0)),
    Exponential(20.0, 1.001),
    Exponential(30.0, 1.9),
    Exponential(20.0, 1.9999),
    *(Polynomial(length, power) for length in (0.1, 8.0, 1e3) for power in (0.1, 0.5, 1.0, 2.0)),
    Polynomial(100.0, 30.0),
    *(Logarithmic(length, power) for length in (0.1, 8.0, 1e3) for power in (0.2, 1.0, 5.0)),
]


def exact(kernel: Kernel, lag: mp.mpf | mp.mpc) -> mp.mpf | mp.mpc:
    """gamma at one lag, from the definition in the docstring, in mpmath."""
    length = mp.mpf(kernel.length_scale)
    if isinstance(kernel, Exponential):
        return mp.exp(-((lag / length) ** mp.mpf(kernel.exponent)))
    if isinstance(kernel, CircleExponential):
        chord = 2 * mp.mpf(kernel.radius) * mp.sin(mp.pi * lag / kernel.period)
        return mp.exp(-((chord / length) ** mp.mpf(kernel.exponent)))
    if isinstance(kernel, Polynomial):
        return (1 + lag / length) ** -mp.mpf(kernel.power)
    return (1 + mp.log(1 + lag / length)) ** -mp.mpf(kernel.power)


def exact_symbol_at_pi(kernel: Kernel) -> mp.mpf:
    """1 + 2 sum (-1)^k gamma(k) at 50 digits, by a way the product does not use.

    Short kernels: the sum itself. Slow ones: the Abel-Plana formula for alternating sums,
    sum_{k>=0} (-1)^k g(k) = g(0)/2 - int_0^oo Im g(iy) / sinh(pi y) dy.
    """
    with mp.workdps(50):
        if isinstance(kernel, Exponential) and kernel.exponent > 1:
            last = int(kernel.length_scale * 130 ** (1 / kernel.exponent)) + 2
            return 1 + 2 * mp.fsum((-1) ** k * exact(kernel, mp.mpf(k)) for k in range(1, last))
        points = [0, mp.mpf("0.001"), mp.mpf("0.1"), 1, 4, 10, 20, 40]
        integral = mp.quad(
            lambda y: mp.im(exact(kernel, mp.mpc(0, y))) / mp.sinh(mp.pi * y), points
        )
        return -2 * integral


@given(our.kernels(), st.integers(0, 60))
def test_autocov_is_its_definition(kernel: Kernel, lag: int) -> None:
    if isinstance(kernel, CircleExponential):
        lag %= kernel.period // 2
    with mp.workdps(50):
        value = exact(kernel, mp.mpf(lag))
        size = 1 + abs(float(mp.log(value)))
        assert abs(kernel.autocov(lag) - value) <= tol.FORMULA * size * value + 1e-320
        assert abs(kernel.log_autocov(lag) - mp.log(value)) <= tol.FORMULA * size


def test_log_autocov_does_not_underflow() -> None:
    kernel = Exponential(0.5, 2.0)
    assert kernel.autocov(100) == 0.0
    assert kernel.log_autocov(100) == -40000.0


@given(our.kernels(), st.integers(1, 12))
def test_matrix_is_toeplitz_by_loops(kernel: Kernel, frames: int) -> None:
    matrix = kernel.matrix(frames)
    assert matrix.shape == (frames, frames)
    for i in range(frames):
        for j in range(frames):
            # numpy's pow and exp may differ by a bit between one number and a vector of them,
            # and exp multiplies that by its argument, up to 700.
            assert matrix[i, j] == pytest.approx(kernel.autocov(abs(i - j)), rel=1e-12, abs=1e-300)


def test_circle_kernel_is_the_paper_kernel() -> None:
    # exp(-||e_i - e_j||^nu / ell) with e_i = r (sin 2 pi i / C, cos 2 pi i / C)
    ell, nu, radius, period, frames = 5.0, 1.5, 3.0, 40, 20
    matrix = CircleExponential.from_paper(ell, nu, radius, period).matrix(frames)
    for i in range(frames):
        for j in range(frames):
            ends = [
                np.array([math.sin(a), math.cos(a)]) * radius
                for a in (2 * math.pi * i / period, 2 * math.pi * j / period)
            ]
            expected = math.exp(-(np.linalg.norm(ends[0] - ends[1]) ** nu) / ell)
            assert matrix[i, j] == pytest.approx(expected, rel=1e-13)


def test_default_radius_makes_the_chord_the_lag() -> None:
    near = CircleExponential(8.0, 1.0, period=100_000).autocov(np.arange(5))
    assert near == pytest.approx(Exponential(8.0).autocov(np.arange(5)), rel=1e-8)


@pytest.mark.parametrize("kernel", SYMBOL_CASES, ids=str)
def test_symbol_min_is_a_sharp_lower_bound_on_the_symbol(kernel: Kernel) -> None:
    value, bound = exact_symbol_at_pi(kernel), kernel.symbol_min(64)
    assert 0 < bound <= value
    allowed = tol.SYMBOL_GAP * value
    if isinstance(kernel, Exponential) and 1 < kernel.exponent < 2:
        allowed += tol.SYMBOL_GAP_ABSOLUTE
    assert value - bound <= allowed


@pytest.mark.parametrize(
    ("kernel", "value"),
    [
        (Exponential(8.0), 0.062419),
        (Polynomial(8.0, 0.5), 0.031101),
        (Logarithmic(8.0, 1.0), 0.061437),
    ],
    ids=str,
)
def test_symbol_min_at_published_values(kernel: Kernel, value: float) -> None:
    assert round(kernel.symbol_min(512), 6) == value


@pytest.mark.parametrize("kernel", SYMBOL_CASES, ids=str)
def test_symbol_min_is_the_limit_of_smallest_eigenvalues(kernel: Kernel) -> None:
    bound, gaps = kernel.symbol_min(512), []
    for frames in (128, 512):
        eigenvalues = np.linalg.eigvalsh(kernel.matrix(frames))
        slack = tol.eigenvalue(frames, eigenvalues[-1])
        assert eigenvalues[0] >= bound - slack
        gaps.append(eigenvalues[0] - bound - slack)
    # The gap closes like 1 / N^2: no bound that is free of N is better.
    assert gaps[1] <= max(gaps[0], 0) / 14


@given(our.kernels(64), st.integers(1, 64))
def test_symbol_min_below_every_eigenvalue(kernel: Kernel, frames: int) -> None:
    eigenvalues = np.linalg.eigvalsh(kernel.matrix(frames))
    bound = kernel.symbol_min(frames)
    assert bound >= 0
    assert eigenvalues[0] >= bound - tol.eigenvalue(frames, eigenvalues[-1])


def test_symbol_min_of_the_circle_is_the_circulant_minimum() -> None:
    kernel = CircleExponential(2.0, 1.0, period=64)
    first_row = [float(kernel.autocov(k)) for k in range(64)]
    eigenvalues = [
        math.fsum(g * math.cos(2 * math.pi * k * m / 64) for k, g in enumerate(first_row))
        for m in range(64)
    ]
    assert kernel.symbol_min(32) == pytest.approx(min(eigenvalues), rel=1e-11)
    assert kernel.symbol_min(32) < min(eigenvalues)


@pytest.mark.parametrize("period", [25, 26, 29, 31, 36, 37, 128])
def test_symbol_min_of_a_singular_circulant_is_zero(period: int) -> None:
    # The smallest eigenvalue is below 1e-30; the transform alone gives about +-1e-16.
    parts = 3 if period < 29 else 4 if period < 36 else 6
    kernel = CircleExponential(period / parts, 2.0, period=period)
    assert kernel.symbol_min(period // 2) == 0.0


def test_accelerated_sums_know_log_two() -> None:
    # gamma(k) = 1/(1+k): 1 + 2 sum (-1)^k gamma(k) = 2 log 2 - 1. Both ways must find it.
    def log_gamma(k: np.ndarray) -> np.ndarray:
        return -np.log1p(k)

    def log_step(k: np.ndarray) -> np.ndarray:
        return -np.log1p(1 / (1 + k))

    def remainder(start: int, order: int) -> float:
        # sum_{k>=K} of m-th differences = (m-1)-th difference at K = int x^K (1-x)^{m-1} dx
        return float(mp.beta(start + 1, order))

    assert moment_sequence(log_gamma, log_step) == pytest.approx(2 * math.log(2) - 1, rel=1e-12)
    assert euler(log_gamma, log_step, remainder) == pytest.approx(2 * math.log(2) - 1, rel=1e-12)


@pytest.mark.parametrize("exponent", [1.01, 1.5, 1.99])
@pytest.mark.parametrize("length", [0.5, 20.0, 1e4])
def test_difference_sum_bounds_the_differences(length: float, exponent: float) -> None:
    kernel, order = Exponential(length, exponent), EULER_STEPS + 1
    with mp.workdps(120):
        last = EULER_START + 400
        values = [exact(kernel, mp.mpf(k)) for k in range(EULER_START, last + order)]
        for _ in range(order):
            values = [a - b for a, b in itertools.pairwise(values)]
        assert mp.fsum(abs(v) for v in values) <= kernel._difference_sum(EULER_START, order)


@given(our.kernels(), st.integers(0, 40), st.integers(1, 32))
def test_tail_bound_holds(kernel: Kernel, bandwidth: int, frames: int) -> None:
    with mp.workdps(50):
        total = mp.fsum(exact(kernel, mp.mpf(k)) for k in range(bandwidth + 1, frames))
        assert total <= kernel.tail_bound(bandwidth, frames)
        # exp(x) magnifies the rounding of its argument |x| times; x is good to some 6 eps
        first = abs(float(kernel.log_autocov(bandwidth + 1)))
        slack = (tol.SUMMATION + 8 * tol.EPS * first) * total + 1e-300
        assert abs(kernel.tail_sum(bandwidth, frames) - total) <= slack
    if bandwidth >= frames - 1:
        assert kernel.tail_bound(bandwidth, frames) == kernel.tail_sum(bandwidth, frames) == 0


@pytest.mark.parametrize(
    ("kernel", "bandwidth", "frames", "ratio"),
    [
        (Exponential(4.0), 3, 400, 1 + 1e-13),  # exact, up to e^{-99}
        (Exponential(300.0, 0.5), 10, 100_000, 1.01),
        (Exponential(300.0, 2.0), 10, 10_000, 1.01),
        (Polynomial(1e4, 6.0), 10, 200_000, 1.0003),
        (Polynomial(100.0, 1.0), 10, 10_000, 1.01),
        (Polynomial(100.0, 0.5), 10, 10_000, 1.01),
        (Polynomial(100.0, 0.999999), 10, 10_000, 1.01),
        (Logarithmic(8.0, 1.0), 10, 10_000, 1.05),
        (CircleExponential(4.0, 1.0, period=200), 3, 100, 1 + 1e-12),
    ],
    ids=str,
)
def test_tail_bound_is_tight(kernel: Kernel, bandwidth: int, frames: int, ratio: float) -> None:
    total = kernel.tail_sum(bandwidth, frames)
    assert total <= kernel.tail_bound(bandwidth, frames) <= ratio * total


@given(our.logarithmics(), st.integers(0, 40), st.integers(1, 64))
def test_tail_floor_holds(kernel: Logarithmic, bandwidth: int, frames: int) -> None:
    assert kernel.tail_floor(bandwidth, frames) <= kernel.tail_sum(bandwidth, frames)


@given(our.kernels())
def test_dict_round_trip(kernel: Kernel) -> None:
    assert kernel_from_dict(kernel.to_dict()) == kernel


def test_exponent_defaults_to_one_in_a_dict() -> None:
    assert kernel_from_dict({"regime": "exponential", "length_scale": 2.0}) == Exponential(2.0)


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: Exponential(0.0), "length_scale"),
        (lambda: Exponential(-1.0), "length_scale"),
        (lambda: Exponential(math.nan), "length_scale"),
        (lambda: Exponential(math.inf), "length_scale"),
        (lambda: Exponential("8"), "length_scale"),
        (lambda: Exponential(True), "length_scale"),
        (lambda: Exponential(1.0, 0.0), "exponent"),
        (lambda: Exponential(1.0, 2.0001), "exponent"),
        (lambda: Polynomial(1.0, 0.0), "power"),
        (lambda: Polynomial(1.0, None), "power"),
        (lambda: Logarithmic(1.0, -2.0), "power"),
        (lambda: Logarithmic(-1.0, 2.0), "length_scale"),
        (lambda: CircleExponential(1.0, period=20.0), "period"),
        (lambda: CircleExponential(1.0, period=20, radius=0.0), "radius"),
        (lambda: CircleExponential(1.0, period=20).matrix(11), "period"),
        (lambda: CircleExponential(1.0, period=20).symbol_min(11), "period"),
        (lambda: CircleExponential.from_paper(0.0, 1.0, 1.0, 20), "ell"),
        (lambda: Exponential(1.0).matrix(0), "frames"),
        (lambda: Exponential(1.0).matrix(2.5), "frames"),
        (lambda: Exponential(1.0).tail_sum(-1, 10), "bandwidth"),
        (lambda: Exponential(1.0).symbol_min(True), "frames"),
        (lambda: kernel_from_dict([]), "kernel"),
        (lambda: kernel_from_dict({"length_scale": 1.0}), "kernel"),
        (lambda: kernel_from_dict({"regime": "gaussian", "length_scale": 1.0}), "regime"),
        (lambda: kernel_from_dict({"regime": ["exponential"]}), "regime"),
        (lambda: kernel_from_dict({"regime": "polynomial", "length_scale": 1.0}), "kernel"),
        (lambda: kernel_from_dict({"regime": "exponential", "length_scale": 1, "q": 1}), "kernel"),
        (lambda: kernel_from_dict({"regime": "exponential", "length_scale": "x"}), "length_scale"),
    ],
)
def test_bad_parameters_are_named(make: object, argument: str) -> None:
    with pytest.raises(ArgumentError) as error:
        make()
    assert error.value.argument == argument
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{argument}=")


@pytest.mark.parametrize("length", [1e-320, 1e-300, 1e-5, 1e5, 1e300, 1.7e308])
def test_extreme_length_scales_give_bounds_and_no_warning(length: float) -> None:
    kernels = [
        *(Exponential(length, nu) for nu in (0.5, 1.0, 1.5, 2.0)),
        *(Polynomial(length, p) for p in (1e-300, 0.5, 1.0, 3.0, 1e300)),
        *(Logarithmic(length, q) for q in (1e-300, 1.0, 1e300)),
        CircleExponential(length, 1.5, period=300),
    ]
    for kernel in kernels:
        assert 0 <= kernel.symbol_min(64) <= 1
        for bandwidth in (0, 3, 62, 63):
            assert kernel.tail_sum(bandwidth, 64) <= kernel.tail_bound(bandwidth, 64)
