"""The closed-form score against a dense N d x N d solve, 50-digit arithmetic and identities."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
import scipy.linalg
import strategies as our
import tolerances as tol
from hypothesis import given
from hypothesis import strategies as st

from unroll import ArgumentError, Exponential, GaussianProcess, Logarithmic, Polynomial

SOLVERS = ("cholesky", "eigen")
TWO_CHANNELS = np.array([[2.0, 0.5], [0.5, 1.0]])


def dense_noisy_cov(gp: GaussianProcess, t: float) -> np.ndarray:
    """A_t by four loops over frames and channels."""
    frames, channels = gp.frames, gp.channels
    matrix = np.zeros((frames * channels, frames * channels))
    for i in range(frames):
        for j in range(frames):
            for a in range(channels):
                for b in range(channels):
                    entry = math.exp(-t) * gp.kernel.autocov(abs(i - j)) * gp.spatial_cov[a, b]
                    matrix[i * channels + a, j * channels + b] = entry
    return matrix - math.expm1(-t) * np.eye(frames * channels)


def dense_score(gp: GaussianProcess, v: np.ndarray, t: float) -> np.ndarray:
    residual = (v - math.exp(-t / 2) * gp.mean).reshape(-1)
    return -scipy.linalg.solve(dense_noisy_cov(gp, t), residual, assume_a="sym").reshape(v.shape)


@given(our.problems(), our.diffusion_times(), st.integers(0, 2**32 - 1))
def test_both_solvers_against_the_dense_solve(gp: GaussianProcess, t: float, seed: int) -> None:
    v = np.random.default_rng(seed).standard_normal((gp.frames, gp.channels))
    expected = dense_score(gp, v, t)
    allowed = tol.solve(v.size, np.linalg.cond(dense_noisy_cov(gp, t)))
    for solver in SOLVERS:
        error = np.linalg.norm(gp.score(v, t, solver=solver) - expected)
        assert error <= allowed * np.linalg.norm(expected)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("t", [1e-3, 0.3, 5.0])
@pytest.mark.parametrize(
    "kernel",
    [Exponential(3.0), Exponential(20.0, 2.0), Polynomial(8.0, 0.5), Logarithmic(8.0, 1.0)],
    ids=str,
)
def test_score_at_fifty_digits(kernel: object, t: float, solver: str) -> None:
    rng = np.random.default_rng(1)
    gp = GaussianProcess(kernel, 5, TWO_CHANNELS, mean=rng.standard_normal((5, 2)))
    v = rng.standard_normal((5, 2))
    with mp.workdps(50):
        # The float64 covariance is the problem; only the solve is done at 50 digits.
        alpha_sq, size = mp.exp(-mp.mpf(t)), 10
        matrix, residual = mp.zeros(size), mp.zeros(size, 1)
        for row in range(size):
            (i, a) = divmod(row, 2)
            residual[row] = mp.mpf(v[i, a]) - mp.sqrt(alpha_sq) * mp.mpf(gp.mean[i, a])
            for column in range(size):
                (j, b) = divmod(column, 2)
                entry = mp.mpf(gp.temporal_cov[i, j]) * mp.mpf(gp.spatial_cov[a, b])
                matrix[row, column] = alpha_sq * entry + (1 - alpha_sq) * (row == column)
        exact = np.array([float(-x) for x in mp.lu_solve(matrix, residual)]).reshape(5, 2)
    allowed = tol.solve(size, np.linalg.cond(dense_noisy_cov(gp, t))) * np.linalg.norm(exact)
    assert np.linalg.norm(gp.score(v, t, solver=solver) - exact) <= allowed


def test_score_is_the_gradient_of_the_log_density() -> None:
    rng = np.random.default_rng(2)
    gp = GaussianProcess(Polynomial(4.0, 1.0), 4, TWO_CHANNELS, rng.standard_normal((4, 2)))
    t, v, step = 0.2, rng.standard_normal((4, 2)), 1e-4
    density = scipy.stats.multivariate_normal(
        math.exp(-t / 2) * gp.mean.reshape(-1), dense_noisy_cov(gp, t)
    )
    gradient = np.zeros(8)
    for k in range(8):
        unit = step * np.eye(8)[k]
        up, down = density.logpdf(v.reshape(-1) + unit), density.logpdf(v.reshape(-1) - unit)
        gradient[k] = (up - down) / (2 * step)
    # Central differences of a quadratic are exact: what is left is rounding, |log p| eps / step.
    size = abs(density.logpdf(v.reshape(-1)))
    assert np.abs(gp.score(v, t).reshape(-1) - gradient).max() <= 16 * size * tol.EPS / step


@given(our.problems(max_frames=6), our.diffusion_times(0.01, 5.0), st.integers(0, 2**32 - 1))
def test_noise_prediction_and_denoiser_are_conditional_means(
    gp: GaussianProcess, t: float, seed: int
) -> None:
    # Regression of Z and of X on V from the joint covariance, not through the score.
    v = np.random.default_rng(seed).standard_normal((gp.frames, gp.channels))
    noisy, alpha = dense_noisy_cov(gp, t), math.exp(-t / 2)
    mean = gp.mean.reshape(-1)
    weights = np.linalg.solve(noisy, v.reshape(-1) - alpha * mean)
    clean_given_v = mean + alpha * gp.covariance() @ weights
    noise_given_v = math.sqrt(-math.expm1(-t)) * weights
    scale = 1 + np.abs(clean_given_v).max() + np.abs(v).max()
    allowed = tol.solve(v.size, np.linalg.cond(noisy)) * scale / alpha
    size = np.linalg.norm(weights)
    assert np.abs(gp.denoise(v, t).reshape(-1) - clean_given_v).max() <= allowed * (1 + size)
    assert np.abs(gp.noise_prediction(v, t).reshape(-1) - noise_given_v).max() <= allowed * size


@pytest.mark.parametrize("solver", SOLVERS)
def test_batches_and_times_broadcast(solver: str) -> None:
    rng = np.random.default_rng(3)
    gp = GaussianProcess(Exponential(4.0), 6, TWO_CHANNELS, rng.standard_normal((6, 2)))
    v = rng.standard_normal((3, 4, 6, 2))
    t = np.array([0.1, 0.5, 0.1, 2.0])
    for method in (gp.score, gp.noise_prediction, gp.denoise):
        batched = method(v, t, solver=solver)
        assert batched.shape == v.shape
        assert batched.dtype == np.float64
        for i in range(3):
            for j in range(4):
                one = method(v[i, j], float(t[j]), solver=solver)
                assert batched[i, j] == pytest.approx(one, rel=1e-12, abs=1e-12)
    column = gp.score(v, np.array([[0.1], [0.2], [0.3]]), solver=solver)
    assert column[1] == pytest.approx(gp.score(v[1], 0.2, solver=solver), rel=1e-12, abs=1e-12)


def test_single_frame_and_single_channel() -> None:
    gp = GaussianProcess(Exponential(4.0), 1, [[3.0]])
    expected = -2.0 / (3 * math.exp(-0.5) - math.expm1(-0.5))
    assert gp.score([[2.0]], 0.5)[0, 0] == pytest.approx(expected, rel=1e-14)


def test_float32_and_integers_are_read_as_float64() -> None:
    gp = GaussianProcess(Exponential(4.0), 2, [[1.0]])
    assert gp.score(np.ones((2, 1), dtype=np.float32), 0.5).dtype == np.float64
    assert gp.score([[1], [0]], 1).dtype == np.float64


@pytest.mark.parametrize(
    ("v", "t", "argument"),
    [
        (np.zeros((3, 2)), 0.0, "t"),
        (np.zeros((3, 2)), -1.0, "t"),
        (np.zeros((3, 2)), math.nan, "t"),
        (np.zeros((3, 2)), math.inf, "t"),
        (np.zeros((3, 2)), None, "t"),
        (np.zeros((3, 2)), [0.1], "t"),
        (np.zeros((5, 3, 2)), [0.1, 0.2], "t"),
        (np.zeros((5, 3, 2)), [0.1, 0.2, 0.3, 0.4, 0.0], "t"),
        (np.zeros((2, 3)), 0.1, "v"),
        (np.zeros(6), 0.1, "v"),
        (np.full((3, 2), np.nan), 0.1, "v"),
        (np.zeros((3, 2), dtype=complex), 0.1, "v"),
        ([[1.0, 2.0], [3.0]], 0.1, "v"),
    ],
)
def test_bad_input_is_named(v: object, t: object, argument: str) -> None:
    gp = GaussianProcess(Exponential(4.0), 3, TWO_CHANNELS)
    for method in (gp.score, gp.noise_prediction, gp.denoise):
        with pytest.raises(ArgumentError) as error:
            method(v, t)
        assert error.value.argument == argument


def test_shape_error_says_expected_and_given() -> None:
    gp = GaussianProcess(Exponential(4.0), 3, TWO_CHANNELS)
    with pytest.raises(
        ArgumentError, match=r"must have shape \(\.\.\., 3, 2\), got shape \(2, 3\)"
    ):
        gp.score(np.zeros((2, 3)), 0.1)


def test_noise_below_rounding_of_a_singular_covariance() -> None:
    gp = GaussianProcess(Exponential(30.0, 2.0), 40, [[1.0]])
    with pytest.raises(ArgumentError, match="larger diffusion time"):
        gp.score(np.zeros((40, 1)), 1e-18)
