"""The preconditioned method: gates, step sizes, the iteration, and how few steps it takes."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
import strategies as our
import tolerances as tol
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import chebyshev
from scipy.linalg import solve_toeplitz, toeplitz
from test_outliers import REGIMES, circulant_block, every_regime

from unroll import Exponential, GaussianProcess, Kernel, Logarithmic
from unroll.errors import ArgumentError
from unroll.methods.gates import chebyshev_series, log_series, resolvent
from unroll.methods.inverse_symbol import InverseSymbol, log_noise_range, smallest_steps
from unroll.methods.ritz_steps import interpolate, lobatto, magnification, stable_order
from unroll.schedules import alpha_sq, sigma_sq

SPATIAL = np.array([[1.0, 0.3, 0.0], [0.3, 0.6, -0.2], [0.0, -0.2, 1.8]])
TIMES = np.geomspace(0.01, 5.0, 9)


def exact_error(
    design: InverseSymbol, kernel: Kernel, frames: int, mu: np.ndarray, t: float
) -> float:
    """E|e|^2 / E|s|^2 with V ~ p_t, from the covariance of the iterates, matrix by matrix."""
    left = total = 0.0
    for value in mu:
        signal, noise = math.exp(-t) * value, -math.expm1(-t)
        noisy = signal * toeplitz(kernel.autocov(np.arange(frames))) + noise * np.eye(frames)
        symbol = np.array(design.symbol)
        inverse = circulant_block(1 / (signal * symbol + noise), design.period, frames)
        solution = np.zeros((frames, frames))  # s_k = solution @ b
        for eta in design.steps(noise / signal):
            solution = solution - eta * inverse @ (noisy @ solution + np.eye(frames))
        score = -np.linalg.inv(noisy)
        left += float(np.trace((solution - score) @ noisy @ (solution - score).T))
        total += float(np.trace(score @ noisy @ score.T))
    return math.sqrt(max(left, 0.0) / total)


# --- functions of x


@given(
    st.lists(st.floats(-10, 10), min_size=1, max_size=30),
    st.lists(st.floats(-1, 1), min_size=1, max_size=5),
)
def test_series_are_those_of_numpy_and_the_same_in_torch(
    coefficients: list[float], points: list[float]
) -> None:
    u = np.array(points)
    expected = chebyshev.chebval(u, coefficients)
    allowed = 64 * tol.EPS * len(coefficients) ** 2 * (1 + np.abs(coefficients).sum())
    np.testing.assert_allclose(chebyshev_series(coefficients, u), expected, atol=allowed, rtol=0)
    for one, value in zip(points, expected, strict=True):
        assert abs(chebyshev_series(coefficients, one) - value) <= allowed
    in_torch = chebyshev_series(torch.tensor(coefficients, dtype=torch.float64), torch.tensor(u))
    np.testing.assert_allclose(in_torch.numpy(), expected, atol=allowed, rtol=0)


def test_gates_and_step_sizes_are_the_same_in_torch() -> None:
    x = np.geomspace(0.02, 3.0, 7)
    row, ends = (1.0, -0.3, 0.05), (math.log(0.01), math.log(5.0))
    in_torch = log_series(row, ends, torch.tensor(x)).numpy()
    np.testing.assert_allclose(in_torch, log_series(row, ends, x), rtol=tol.FORMULA)
    np.testing.assert_allclose(log_series(row, ends, 0.02), log_series(row, ends, x)[0])
    low, middle, high = (log_series(row, ends, v) for v in (0.01, math.sqrt(0.05), 5.0))
    assert [low, middle, high] == pytest.approx([1.35, 0.95, 0.75])
    gates = resolvent(torch.tensor(0.3), torch.tensor(0.7), torch.tensor(x)).numpy()
    np.testing.assert_allclose(gates, 1 / (0.3 * x + 0.7), rtol=1e-6)


@given(st.integers(1, 4), st.integers(1, 8))
def test_interpolation_finds_polynomials(components: int, degree: int) -> None:
    rng = np.random.default_rng(degree)
    series = rng.uniform(0.5, 1.0, (components, degree + 1))
    table = np.stack([chebyshev.chebval(u, series.T) for u in lobatto(17)])
    found = interpolate(table)
    assert found.shape == series.shape, "coefficients that are rounding are dropped"
    np.testing.assert_allclose(found, series, atol=1e-14)


@given(st.lists(our.log_uniform(1.0, 60.0), min_size=1, max_size=5), st.integers(0, 10**6))
def test_the_order_of_steps_magnifies_least(roots: list[float], seed: int) -> None:
    """Rounding errors by a loop over all orders: a unit error after each step, as large as the
    iterate, and what the steps after it make of it."""
    sizes = 1 / np.array(roots)
    h = np.concatenate([[1.0], 1.01 * sizes**-1, [max(roots)]])

    def rounding(order: tuple[int, ...]) -> float:
        iterate, total = np.zeros_like(h), 0.0
        for k, step in enumerate(order):
            iterate = iterate + sizes[step] * (1 - h * iterate)
            later = np.ones_like(h)
            for other in order[k + 1 :]:
                later = later * (1 - sizes[other] * h)
            total += float(np.abs(h * iterate).max() * np.abs(later).max())
        return total

    order = stable_order(sizes, h)
    assert sorted(order) == list(range(len(roots)))
    least = min(rounding(other) for other in itertools.permutations(range(len(roots))))
    assert rounding(order) <= least * (1 + 1e-9)
    assert magnification(1 - np.outer(sizes[list(order)], h)) == pytest.approx(rounding(order))


def test_the_order_of_many_steps_is_a_good_one() -> None:
    roots = np.array([1.0, 1.005, 1.15, 1.15, 3.9, 4.0, 97.5, 97.8])
    factors = 1 - np.outer(1 / roots, roots)
    found = magnification(factors[list(stable_order(1 / roots, roots))])
    rng = np.random.default_rng(0)
    assert found <= min(magnification(factors[rng.permutation(8)]) for _ in range(500))
    assert found <= 1e-4 * magnification(factors), "small roots first is bad"


# --- designs


@every_regime
def test_six_steps_are_enough_in_every_regime(kernel: Kernel) -> None:
    """64 frames; three steps for the exponential kernel with nu = 1, whose ends are coupled."""
    mu = np.linalg.eigvalsh(SPATIAL)
    design = smallest_steps(kernel, 64, mu, 0.01, 5.0, 1e-6)
    assert design.count <= 5
    if kernel == Exponential(8.0, 1.0):
        assert design.count == 3
    for t in TIMES:
        predicted = design.relative_error(kernel, 64, SPATIAL, t)
        assert predicted <= 1e-6
        assert predicted == pytest.approx(
            exact_error(design, kernel, 64, mu, t), rel=1e-2, abs=1e-12
        )


def test_two_steps_for_a_long_exponential_sequence() -> None:
    kernel = Exponential(8.0, 1.0)
    design = smallest_steps(kernel, 200, [1.0], 0.01, 5.0, 1e-6)
    assert design.count == 2
    assert max(exact_error(design, kernel, 200, np.ones(1), t) for t in TIMES) <= 1e-10


def test_one_step_less_is_not_enough() -> None:
    """Not for any step sizes: the best ones at the hardest time leave more than is asked for."""
    kernel = Logarithmic(8.0, 1.0)
    design = smallest_steps(kernel, 48, [1.0], 0.01, 5.0, 1e-6)
    fewer = InverseSymbol.design(kernel, 48, [1.0], 0.01, 5.0, design.count - 1)
    assert fewer.relative_error(kernel, 48, [[1.0]], 0.01) > 1e-6
    first = exact_error(fewer, kernel, 48, np.ones(1), 0.01)
    rng = np.random.default_rng(0)
    for _ in range(20):
        rows = np.array(fewer.roots)
        rows[:, 0] *= 1 + 1e-3 * rng.standard_normal(len(rows))
        other = InverseSymbol(fewer.period, fewer.symbol, fewer.log_range, tuple(map(tuple, rows)))
        assert exact_error(other, kernel, 48, np.ones(1), 0.01) >= first * (1 - 1e-6)


@pytest.mark.parametrize("exponent", [1.9, 2.0])
@pytest.mark.parametrize("length", [4.0, 8.0, 16.0])
def test_kernels_close_to_gaussian(exponent: float, length: float) -> None:
    """Outliers far from 1, in nearly degenerate pairs that cross: roots are tied to them."""
    kernel = Exponential(length, exponent)
    design = smallest_steps(kernel, 64, [1.0], 0.01, 5.0, 1e-6)
    assert design.count <= 8
    assert max(exact_error(design, kernel, 64, np.ones(1), t) for t in TIMES) <= 1e-6


@settings(max_examples=15)
@given(
    kernel=our.kernels(24),
    frames=st.integers(1, 24),
    steps=st.integers(1, 3),
)
def test_predictions_are_exact(kernel: Kernel, frames: int, steps: int) -> None:
    mu = np.array([0.5, 2.0])
    design = InverseSymbol.design(kernel, frames, mu, 0.05, 4.0, steps)
    assert design.count == steps
    for t in (0.05, 0.4, 4.0):
        x = math.expm1(t) / 2.0
        condition = 1 + frames / x
        expected = exact_error(design, kernel, frames, mu, t)
        # the oracle subtracts two scores: absolute errors of rounding size
        allowed = tol.preconditioned(condition, condition, steps, frames)
        predicted = design.relative_error(kernel, frames, np.diag(mu), t)
        assert predicted == pytest.approx(expected, rel=1e-6, abs=allowed)


def test_long_sequences_are_predicted_from_their_outliers() -> None:
    """600 frames: no products of matrices; against scipy's Levinson recursion on samples."""
    kernel, frames, t = Exponential(8.0, 0.5), 600, 0.02
    design = InverseSymbol.design(kernel, frames, [1.0], 0.01, 5.0, 2)
    rng = np.random.default_rng(1)
    column = alpha_sq(t) * kernel.autocov(np.arange(frames))
    column[0] += sigma_sq(t)
    b = np.linalg.cholesky(toeplitz(column)) @ rng.standard_normal((frames, 400))
    exact = -solve_toeplitz(column, b).T[..., None]
    *_, last = design.run(kernel.autocov(np.arange(frames)), [[1.0]], b.T[..., None], t)
    measured = math.sqrt(np.sum((last - exact) ** 2) / np.sum(exact**2))
    # two pairs of outliers carry the error: some 4 * 400 independent squares
    assert measured == pytest.approx(
        design.relative_error(kernel, frames, [[1.0]], t), rel=tol.SIGMAS / math.sqrt(2 * 800)
    )


# --- the iteration


@settings(max_examples=15)
@given(
    gp=our.problems(max_frames=10),
    times=st.tuples(our.diffusion_times(0.05, 4.0), our.diffusion_times(0.05, 4.0)),
)
def test_iterates_are_those_of_a_loop(gp: GaussianProcess, times: tuple[float, float]) -> None:
    frames = gp.frames
    mu, rotation = np.linalg.eigh(gp.spatial_cov)
    design = InverseSymbol.design(gp.kernel, frames, mu, 0.05, 4.0, 3)
    rng = np.random.default_rng(0)
    b = rng.standard_normal((2, frames, gp.channels))
    column = gp.kernel.autocov(np.arange(frames))
    by_column = list(design.run(column, gp.spatial_cov, b, np.array(times)))
    by_matrix = list(design.run(toeplitz(column), gp.spatial_cov, b, np.array(times)))
    assert len(by_column) == 3
    for one, t in enumerate(times):
        signal, noise = math.exp(-t), -math.expm1(-t)
        noisy = signal * np.kron(toeplitz(column), gp.spatial_cov) + noise * np.eye(b[0].size)
        blocks = []
        for value in mu:
            gates = 1 / (signal * value * np.array(design.symbol) + noise)
            x = noise / (signal * value)
            blocks.append((circulant_block(gates, design.period, frames), design.steps(x)))
        s = np.zeros(b[0].size)
        for k in range(3):
            residual = (noisy @ s + b[one].ravel()).reshape(b[one].shape) @ rotation
            change = [eta[k] * inverse @ residual[:, a] for a, (inverse, eta) in enumerate(blocks)]
            s = s - (np.stack(change, axis=1) @ rotation.T).ravel()
            scale = np.abs(s).max() * np.linalg.cond(noisy)
            for iterates in (by_column, by_matrix):
                got = iterates[k][one].ravel()
                np.testing.assert_allclose(got, s, atol=1e3 * tol.EPS * scale, rtol=0)


def test_gates_and_products_agree_with_the_definition() -> None:
    design = InverseSymbol.design(Exponential(4.0, 1.0), 12, [0.5, 2.0], 0.01, 1.0, 2)
    alpha, sigma, mu = 0.8, 0.2, 0.5
    gates = design.gates(alpha, sigma, mu)
    assert gates.shape == (design.period // 2 + 1,)
    vectors = np.random.default_rng(0).standard_normal((2, 12))
    expected = vectors @ circulant_block(gates, design.period, 12)
    got = design.apply(sigma / (alpha * mu), vectors) / (alpha * mu)
    np.testing.assert_allclose(got, expected, atol=1e-13 * np.abs(expected).max())
    many = design.gates(np.full((3, 1), alpha), np.full((3, 1), sigma), np.array([0.5, 2.0]))
    assert many.shape == (3, 2, design.period // 2 + 1)
    np.testing.assert_array_equal(many[1, 0], gates)


# --- files and bad input


def test_designs_survive_json() -> None:
    design = InverseSymbol.design(Exponential(4.0, 1.0), 16, [1.0], 0.01, 5.0, 2)
    assert InverseSymbol.from_dict(json.loads(json.dumps(design.to_dict()))) == design


def test_range_of_the_noise() -> None:
    low, high = log_noise_range([0.5, 2.0], 0.01, 5.0)
    assert math.exp(low) == pytest.approx(math.expm1(0.01) / 2.0)
    assert math.exp(high) == pytest.approx(math.expm1(5.0) / 0.5)


BAD = {
    "spatial_eigenvalues": {"spatial_eigenvalues": [1.0, 0.0]},
    "t_min": {"t_min": 6.0},
    "t_max": {"t_max": math.inf},
    "steps": {"steps": 0},
    "frames": {"frames": 2.5},
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_by_name(name: str) -> None:
    good = {
        "kernel": Exponential(4.0, 1.0),
        "frames": 8,
        "spatial_eigenvalues": [1.0],
        "t_min": 0.01,
        "t_max": 5.0,
        "steps": 2,
    }
    with pytest.raises(ArgumentError, match=f"^{name}="):
        InverseSymbol.design(**good | BAD[name])  # type: ignore[arg-type]


def test_times_outside_the_design_are_refused() -> None:
    design = InverseSymbol.design(Exponential(4.0, 1.0), 8, [1.0], 0.1, 1.0, 2)
    b = np.zeros((8, 1))
    list(design.run(np.ones(8), [[1.0]], b, 0.1))
    for t in (0.09, 1.1):
        with pytest.raises(ArgumentError, match=r"^t="):
            list(design.run(np.ones(8), [[1.0]], b, t))


def test_what_double_precision_does_not_allow_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"^tol=1e-06: .*another method"):
        smallest_steps(Exponential(200.0, 2.0), 24, [1.0], 0.01, 5.0, 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("frames", [64, 256, 1024, 4096])
@pytest.mark.parametrize("channels", [1, 4])
def test_the_promise_at_full_length(frames: int, channels: int) -> None:
    """Six steps at most, measured against scipy's Levinson recursion; prints the table."""
    mu = np.geomspace(0.4, 2.5, channels) if channels > 1 else np.ones(1)
    rng = np.random.default_rng(frames)
    for kernel in REGIMES:
        design = smallest_steps(kernel, frames, mu, 0.01, 5.0, 1e-6)
        column, errors = kernel.autocov(np.arange(frames)), []
        root = np.linalg.cholesky(toeplitz(column))
        for t in (0.01, 0.1, 1.0, 5.0):
            signal, noise = alpha_sq(t), sigma_sq(t)
            draws = root @ rng.standard_normal((channels, frames, 8))
            b = np.sqrt(signal * mu)[:, None, None] * draws
            b += math.sqrt(noise) * rng.standard_normal(b.shape)
            exact = np.stack([
                -solve_toeplitz(signal * value * column + noise * (np.arange(frames) == 0), part)
                for value, part in zip(mu, b, strict=True)
            ])  # fmt: skip
            *_, last = design.run(column, np.diag(mu), np.transpose(b, (2, 1, 0)), t)
            gap = np.transpose(last, (2, 1, 0)) - exact
            errors.append(math.sqrt(np.sum(gap**2) / np.sum(exact**2)))
        print(f"{kernel!r:55} N={frames:5} d={channels} K={design.count} terms={design.terms:3}",
              *(f"{error:.1e}" for error in errors))  # fmt: skip
        assert design.count <= 6
        # eight draws: the rms of a few outliers is known to some 30 percent
        assert max(errors) <= 2e-6
        if kernel == Exponential(8.0, 1.0):
            assert design.count == (3 if frames == 64 else 2)
