"""KL, Wasserstein and total variation against quadrature, scipy and each other."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.stats
import tolerances as tol
from hypothesis import given
from hypothesis import strategies as st

from unroll import ArgumentError, Exponential, GaussianProcess
from unroll.distribution import (
    DenseLaw,
    EigenLaw,
    compare,
    covariance_error,
    data_law,
    eigen_basis,
    kl_divergence,
    noisy_law,
    total_variation,
    wasserstein,
)
from unroll.distribution.divergences import minus_log

seeds = st.integers(0, 2**32 - 1)


def random_law(seed: int, frames: int = 2, channels: int = 2, spread: float = 1.0) -> DenseLaw:
    rng = np.random.default_rng(seed)
    size = frames * channels
    factor = np.eye(size) + spread * rng.standard_normal((size, size))
    mean = spread * rng.standard_normal((frames, channels))
    return DenseLaw(mean, factor @ factor.T + 0.1 * np.eye(size))


def near(law: DenseLaw, seed: int, size: float) -> DenseLaw:
    rng = np.random.default_rng(seed)
    change = np.eye(law.mean.size) + size * rng.standard_normal(law.covariance().shape)
    moved = law.mean + size * rng.standard_normal(law.mean.shape)
    return DenseLaw(moved, change @ law.covariance() @ change.T)


@given(st.floats(-0.999, 1e3).filter(lambda x: x == 0 or abs(x) > 1e-100))
def test_minus_log_against_many_digits(x: float) -> None:
    with mpmath.workdps(250):
        exact = mpmath.mpf(x) - mpmath.log1p(mpmath.mpf(x))
    assert float(minus_log(x)) == pytest.approx(float(exact), rel=tol.FORMULA, abs=1e-300)


@given(st.floats(-20, 0), st.floats(-math.pi, math.pi))
def test_minus_log_of_complex_numbers(size: float, angle: float) -> None:
    z = 10**size * complex(math.cos(angle), math.sin(angle)) * 0.9
    with mpmath.workdps(80):
        exact = complex(mpmath.mpc(z) - mpmath.log(1 + mpmath.mpc(z)))
    assert complex(minus_log(z)) == pytest.approx(exact, rel=tol.FORMULA, abs=1e-300)


@given(seeds, seeds)
def test_kl_is_the_textbook_formula(first: int, second: int) -> None:
    p, q = random_law(first), random_law(second)
    a, b = p.covariance(), q.covariance()
    shift = (q.mean - p.mean).reshape(-1)
    trace = np.trace(np.linalg.solve(b, a))
    logs = np.linalg.slogdet(b)[1] - np.linalg.slogdet(a)[1]
    expected = (trace - len(a) + logs + shift @ np.linalg.solve(b, shift)) / 2
    condition = np.linalg.cond(a) * np.linalg.cond(b)
    assert kl_divergence(p, q) == pytest.approx(expected, rel=1e-15 * condition, abs=1e-13)


@given(seeds, seeds)
def test_wasserstein_is_the_textbook_formula(first: int, second: int) -> None:
    p, q = random_law(first), random_law(second)
    root = np.real(scipy.linalg.sqrtm(p.covariance()))
    middle = np.real(scipy.linalg.sqrtm(root @ q.covariance() @ root))
    bures = np.trace(p.covariance() + q.covariance() - 2 * middle)
    expected = bures + np.sum((p.mean - q.mean) ** 2)
    # the formula subtracts traces: it knows the square to rounding
    scale = np.trace(p.covariance() + q.covariance())
    assert wasserstein(p, q) ** 2 == pytest.approx(expected, rel=1e-9, abs=1e-9 * scale)


@given(seeds, seeds, seeds)
def test_wasserstein_is_a_metric(first: int, second: int, third: int) -> None:
    p, q, r = random_law(first), random_law(second), random_law(third)
    assert wasserstein(p, q) == pytest.approx(wasserstein(q, p), rel=1e-9)
    assert wasserstein(p, p) < tol.LAW
    assert wasserstein(p, r) <= (wasserstein(p, q) + wasserstein(q, r)) * (1 + 1e-9)


@pytest.mark.parametrize("size", [1e-3, 1e-6, 1e-9])
def test_close_laws_are_told_apart_to_full_precision(size: float) -> None:
    # Leading orders: KL = |E|_F^2 / 4 for a relative change E of the covariance.
    variances, change = np.array([[1.0, 4.0], [0.3, 2.0]]), np.array([[0.3, -1.0], [0.7, 0.2]])
    basis = eigen_basis(GaussianProcess(Exponential(2.0), 2, np.diag([1.0, 2.0])))[0]
    p = EigenLaw(basis, np.zeros((2, 2)), variances)
    q = EigenLaw(basis, np.zeros((2, 2)), variances * (1 + size * change))
    dense_p, dense_q = (DenseLaw(law.mean, law.covariance()) for law in (p, q))
    kl, distance = np.sum((size * change) ** 2) / 4, np.sqrt(variances) * size * change / 2
    assert kl_divergence(p, q) == pytest.approx(kl, rel=3 * size + 1e-14)
    assert wasserstein(p, q) == pytest.approx(np.linalg.norm(distance), rel=3 * size)
    # dense: the difference of covariances is rounded at 1e-16 of their size
    rounding = 1e-14 / size
    assert kl_divergence(dense_p, dense_q) == pytest.approx(kl, rel=3 * size + rounding)
    assert wasserstein(dense_p, dense_q) == pytest.approx(
        np.linalg.norm(distance), rel=3 * size + rounding
    )
    value = total_variation(p, q).value
    assert total_variation(dense_p, dense_q).value == pytest.approx(value, rel=1e-7 + rounding)


def exact_line(d: float, ratio: float) -> float:
    """Total variation of N(0, 1) and N(d, ratio), by quadrature of half the absolute difference."""
    p, q = scipy.stats.norm(0, 1), scipy.stats.norm(d, math.sqrt(ratio))

    reach = 12 * max(1.0, math.sqrt(ratio))
    z = np.linspace(min(d, 0) - reach, max(d, 0) + reach, 200_001)
    return float(scipy.integrate.trapezoid(np.abs(p.pdf(z) - q.pdf(z)) / 2, z))


@pytest.mark.parametrize(
    ("d", "ratio"), [(0, 1.5), (0, 0.1), (1.0, 1.0), (1.0, 1.5), (2.0, 0.5), (0.3, 1.001), (4, 9)]
)
def test_total_variation_on_the_line(d: float, ratio: float) -> None:
    p, q = DenseLaw([[0.0]], [[1.0]]), DenseLaw([[float(d)]], [[float(ratio)]])
    expected = exact_line(d, ratio)
    found = total_variation(p, q)
    assert found.value == pytest.approx(expected, rel=1e-7)
    # on the line the projection is everything
    assert found.lower == pytest.approx(expected, rel=1e-6)


@given(seeds, seeds, st.floats(0.02, 1.0))
def test_total_variation_lies_within_its_bounds(first: int, second: int, spread: float) -> None:
    p, q = random_law(first, spread=spread), random_law(second, spread=spread)
    found = total_variation(p, q)
    assert 0 <= found.lower <= found.value <= found.upper <= 1
    assert total_variation(q, p).value == pytest.approx(found.value, rel=1e-8)
    assert (found.lower > 0) == (first != second)


@pytest.mark.parametrize(("frames", "spread"), [(1, 0.3), (3, 0.5), (10, 0.1), (30, 0.03)])
def test_total_variation_against_draws(frames: int, spread: float) -> None:
    # TV = E_p (1 - q/p)_+
    p = random_law(1, frames, 2, 0.3)
    q = near(p, 2, spread / frames)
    n = 40_000
    x = p.sample(n, rng=3).reshape(n, -1)

    def log_density(law: DenseLaw) -> np.ndarray:
        normal = scipy.stats.multivariate_normal(law.mean.reshape(-1), law.covariance())
        return np.asarray(normal.logpdf(x))

    gains = np.maximum(-np.expm1(log_density(q) - log_density(p)), 0.0)
    error = gains.std() / math.sqrt(n)
    assert abs(gains.mean() - total_variation(p, q).value) <= tol.SIGMAS * error


def test_the_bounds_can_fail() -> None:
    # Half the Pinsker bound, or twice the projection, would be wrong.
    p, q = DenseLaw([[0.0]], [[1.0]]), DenseLaw([[0.05]], [[1.0]])
    found = total_variation(p, q)
    assert found.upper_by in ("Pinsker", "Bhattacharyya")
    assert found.upper / 2 < found.value < 2 * found.lower


def test_many_small_changes_are_seen_by_the_norm_bound() -> None:
    # Each coordinate changes by 1e-5; no projection and no Hellinger distance sees much of it.
    size = 400
    p = DenseLaw(np.zeros((size, 1)), np.eye(size))
    q = DenseLaw(np.zeros((size, 1)), np.eye(size) * (1 + 1e-5))
    found = total_variation(p, q)
    assert found.value == pytest.approx(
        1e-5 * math.sqrt(size / 2) / math.sqrt(2 * math.pi), rel=0.01
    )
    assert found.lower_by in ("projection", "Devroye-Mehrabian-Reddad")
    assert found.lower <= found.value <= found.upper


def test_eigen_laws_agree_with_dense_laws() -> None:
    gp = GaussianProcess(Exponential(3.0), 4, [[1.0, 0.3], [0.3, 0.5]], np.ones((4, 2)))
    p, q = data_law(gp), noisy_law(gp, 0.2)
    dense_p, dense_q = DenseLaw(p.mean, p.covariance()), DenseLaw(q.mean, q.covariance())
    assert p.covariance() == pytest.approx(gp.covariance(), abs=1e-13)
    assert p.mean == pytest.approx(gp.mean, abs=1e-13)
    for measure in (kl_divergence, wasserstein, covariance_error):
        assert measure(dense_p, dense_q) == pytest.approx(measure(p, q), rel=1e-10)
        assert measure(p, dense_q) == pytest.approx(measure(p, q), rel=1e-10)
    basis, eigenvalues = eigen_basis(gp)
    assert dense_q.variances(basis) == pytest.approx(q.coefficient_variances, rel=1e-12)
    errors = dense_q.mode_errors(basis, eigenvalues)
    assert errors == pytest.approx(q.mode_errors(basis, eigenvalues), rel=1e-10)
    assert p.mode_errors(basis, eigenvalues) == pytest.approx(np.zeros((4, 2)))


@pytest.mark.parametrize("dense", [False, True])
def test_samples_have_the_law(dense: bool) -> None:
    from law_oracles import moment_deviation

    law = noisy_law(GaussianProcess(Exponential(3.0), 4, [[1.0, 0.3], [0.3, 0.5]]), 0.2)
    source = DenseLaw(law.mean + 1, law.covariance()) if dense else law
    draws = source.sample(5000, rng=1)
    assert moment_deviation(draws, law.mean + dense, law.covariance()) <= tol.SIGMAS


def test_singular_laws_are_refused_where_densities_are_needed() -> None:
    smooth = data_law(GaussianProcess(Exponential(20.0, 2.0), 30, [[1.0]]))
    noisy = noisy_law(GaussianProcess(Exponential(20.0, 2.0), 30, [[1.0]]), 0.1)
    rank_one = DenseLaw(np.zeros((2, 1)), np.ones((2, 2)))
    full = DenseLaw(np.zeros((2, 1)), np.eye(2))
    for p, q in ((smooth, noisy), (noisy, smooth), (rank_one, full), (full, rank_one)):
        for measure in (kl_divergence, total_variation):
            with pytest.raises(ArgumentError, match="singular"):
                measure(p, q)
        assert wasserstein(p, q) > 0


@pytest.mark.parametrize(
    ("mean", "covariance", "argument"),
    [
        ([0.0], [[1.0]], "mean"),
        ([[0.0]], [[1.0, 0.0], [0.0, 1.0]], "covariance"),
        ([[0.0], [0.0]], [[1.0, 2.0], [2.0, 1.0]], "covariance"),
        ([[math.nan]], [[1.0]], "mean"),
    ],
)
def test_bad_laws_are_named(mean: list, covariance: list, argument: str) -> None:
    with pytest.raises(ArgumentError) as error:
        DenseLaw(mean, covariance)
    assert error.value.argument == argument


def test_laws_of_different_shapes_are_not_compared() -> None:
    p, q = random_law(1, 2, 2), random_law(1, 4, 1)
    for measure in (compare, wasserstein, covariance_error):
        with pytest.raises(ArgumentError, match="shape"):
            measure(p, q)
