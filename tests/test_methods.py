"""The iterations: coefficients at 50 digits, rates that are attained, stability at depth 600."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import plan_oracles as oracle
import pytest
import strategies as our
import tolerances as tol
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from unroll import ArgumentError
from unroll.methods import (
    METHODS,
    Chebyshev,
    GradientDescent,
    Method,
    get_method,
    iterate,
    leja_step_sizes,
)

conditions = our.log_uniform(1.0, 1e6)
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
both_methods = pytest.mark.parametrize(
    "method", [GradientDescent(), Chebyshev()], ids=["gradient", "chebyshev"]
)


def spectrum_grid(lower: float, upper: float, points: int = 401) -> np.ndarray:
    """Points of [lower, upper], dense at both ends, the ends included exactly."""
    angles = np.linspace(0, np.pi, points)
    grid = (upper + lower) / 2 + (upper - lower) / 2 * np.cos(angles)
    return np.concatenate([[lower, upper], np.clip(grid, lower, upper)])


def run(method: Method, x: np.ndarray, lower: float, upper: float, depth: int) -> list[np.ndarray]:
    """All residuals r_1(x), ..., r_depth(x) of the library's loop on the diagonal matrix of x."""
    iterates = iterate(method, lambda s: x * s, -x, np.asarray(lower), np.asarray(upper), depth)
    return [1 - s for s in iterates]


# --- coefficients


@given(conditions, our.log_uniform(1e-8, 1e8), st.integers(0, 700))
def test_chebyshev_coefficients_at_fifty_digits(condition: float, upper: float, k: int) -> None:
    """eta_k = 2 T_k(y) / (delta T_{k+1}(y)), beta_k = T_{k-1}(y) / T_{k+1}(y), y = theta / delta:
    Golub & Varga's form, which the class docstring rewrites in powers of z."""
    lower = upper / condition
    if not lower < upper:
        return
    eta = Chebyshev().step_size(k, lower, upper)
    beta = Chebyshev().momentum(k, lower, upper)
    with mp.workdps(50):
        theta, delta = (mp.mpf(upper) + lower) / 2, (mp.mpf(upper) - lower) / 2
        angle = mp.acosh(theta / delta)
        t_before, t_here, t_next = (mp.cosh(n * angle) for n in (k - 1, k, k + 1))
        expected_eta = 1 / theta if k == 0 else 2 * t_here / (delta * t_next)
        expected_beta = mp.mpf(0) if k == 0 else t_before / t_next
        allowed = tol.coefficient(condition)
        assert abs(eta / expected_eta - 1) <= allowed
        # where the bounds nearly meet, upper - lower has few digits and beta is negligible
        assert abs(beta - expected_beta) <= 4 * allowed * max(expected_beta, mp.mpf("1e-3"))


@every_method
def test_where_the_bounds_meet_one_step_is_exact(method: Method) -> None:
    x = np.array([3.7])
    for residual in run(method, x, 3.7, 3.7, 5):
        assert abs(residual[0]) <= 4 * tol.EPS
    assert method.rate(1.0, 1) == 0.0
    assert method.depth(1.0, 1e-300) == 1


@every_method
@given(lower=our.log_uniform(1e-3, 1e3), conditions=st.lists(conditions, min_size=1, max_size=4))
def test_coefficients_broadcast_and_agree_in_torch(
    method: Method, lower: float, conditions: list[float]
) -> None:
    lowers = np.full((len(conditions), 1, 1), lower)
    uppers = lowers * np.array(conditions)[:, None, None]
    for k in (0, 1, 2, 7, 100):
        for name in ("step_size", "momentum"):
            together = getattr(method, name)(k, lowers, uppers)
            assert together.shape == lowers.shape
            one = [getattr(method, name)(k, lower, float(u)) for u in uppers.ravel()]
            np.testing.assert_allclose(together.ravel(), one, rtol=tol.FORMULA, atol=0)
            in_torch = getattr(method, name)(k, torch.tensor(lowers), torch.tensor(uppers))
            # torch and numpy differ in the last digit of a power, which z^{2k} multiplies by k
            np.testing.assert_allclose(
                in_torch.numpy(), together, rtol=tol.FORMULA * (1 + k), atol=1e-300
            )


# --- the residual polynomial


@both_methods
@given(condition=our.log_uniform(1.001, 1e4), upper=our.log_uniform(1e-4, 1e4))
def test_iterates_have_the_residual_polynomial(
    method: Method, condition: float, upper: float
) -> None:
    lower = upper / condition
    x = spectrum_grid(lower, upper, 51)
    for k, residual in enumerate(run(method, x, lower, upper, 40), start=1):
        expected = oracle.RESIDUALS[method.name](x, lower, upper, k)
        assert np.max(np.abs(residual - expected)) <= tol.iteration(condition)


@both_methods
@given(condition=our.log_uniform(1.001, 1e5), depth=st.integers(1, 80))
def test_rate_is_the_maximum_of_the_residual(method: Method, condition: float, depth: int) -> None:
    rate = method.rate(condition, depth)
    polynomial = oracle.RESIDUALS[method.name]
    residual = np.abs(polynomial(spectrum_grid(1.0, condition), 1.0, condition, depth))
    # one factor of the product is known to eps / contraction, the angle of cosh to eps sqrt(kappa)
    contraction = (condition - 1) / (condition + 1)
    slack = 1 + 64 * depth * tol.EPS * (1 / contraction + math.sqrt(condition))
    assert residual.max() <= rate * slack
    assert rate <= residual[:2].min() * slack, "attained at both ends"


@given(our.log_uniform(1.01, 1e4), st.integers(1, 30))
def test_chebyshev_equioscillates(condition: float, depth: int) -> None:
    """K + 1 extrema of alternating sign and equal size: no polynomial of degree K with r(0) = 1 is
    smaller (de la Vallee Poussin)."""
    cosines = np.cos(np.arange(depth + 1) * np.pi / depth)
    extrema = (condition + 1) / 2 - (condition - 1) / 2 * cosines
    extrema[0], extrema[-1] = 1.0, condition
    residual = run(Chebyshev(), extrema, 1.0, condition, depth)[-1]
    rate = Chebyshev().rate(condition, depth)
    signs = np.array([(-1.0) ** k for k in range(depth + 1)])
    assert np.max(np.abs(residual - signs * rate)) <= tol.iteration(condition)


@every_method
@example(condition=1.0 + 2.0**-52, target=0.5)
@example(condition=1.0 + 2.0**-52, target=1e-300)
@given(condition=our.log_uniform(1.0, 1e8), target=our.log_uniform(1e-14, 0.999))
def test_depth_is_the_smallest_sufficient(method: Method, condition: float, target: float) -> None:
    depth = method.depth(condition, target)
    # a condition number whose depth is exactly integer may round either way
    slack = 1 + 64 * tol.EPS * math.sqrt(condition) * math.log(1 / target)
    if method.name != "chebyshev":
        slack = 1 + 64 * tol.EPS * condition * math.log(1 / target)
    assert depth >= 1
    assert method.rate(condition, depth) <= target * slack
    assert depth == 1 or method.rate(condition, depth - 1) > target / slack


def test_neumann_series_is_gradient_descent() -> None:
    """-c^{-1} sum_{k<K} R^k b, R = I - A / c, with matrix powers in a loop."""
    rng = np.random.default_rng(0)
    root = rng.standard_normal((5, 5))
    matrix = root @ root.T + np.eye(5)
    values = np.linalg.eigvalsh(matrix)
    lower, upper, b = values[0], values[-1], rng.standard_normal(5)
    c = (lower + upper) / 2
    power, total = np.eye(5), np.zeros((5, 5))
    bounds = np.asarray(lower), np.asarray(upper)
    names = ("neumann", "gradient")
    pair = (iterate(METHODS[name], lambda s: matrix @ s, b, *bounds, 12) for name in names)
    for neumann, gradient in zip(*pair, strict=True):
        total = total + power
        power = power @ (np.eye(5) - matrix / c)
        expected = -total @ b / c
        allowed = tol.iteration(upper / lower) * np.linalg.norm(expected)
        assert np.linalg.norm(neumann - expected) <= allowed
        assert np.array_equal(neumann, gradient)


# --- local errors


@both_methods
@given(condition=our.log_uniform(1.1, 1e3), depth=st.integers(1, 25))
def test_error_weights_bound_local_errors_and_are_attained(
    method: Method, condition: float, depth: int
) -> None:
    """Add 1 after step j of the homogeneous iteration (b = 0) and see what is left at the end."""
    x = spectrum_grid(1.0, condition, 101)
    weights = method.error_weights(condition, depth)
    contraction = (condition - 1) / (condition + 1)
    assert weights.shape == (depth,)
    for j in range(depth):
        before, here = np.zeros_like(x), np.zeros_like(x)
        for k in range(depth):
            eta, beta = method.step_size(k, 1.0, condition), method.momentum(k, 1.0, condition)
            before, here = here, here - eta * x * here + beta * (here - before)
            if k == j:
                here = here + 1.0
        # each pass keeps 1 - eta x, which cancels to about the contraction
        slack = depth * (tol.iteration(condition) + 64 * tol.EPS / contraction)
        assert np.max(np.abs(here)) <= weights[j] * (1 + slack)
        assert np.max(np.abs(here)) >= weights[j] * (1 - slack)


@every_method
@given(condition=our.log_uniform(1.0, 1e8), k=st.integers(0, 2000))
def test_step_bound(method: Method, condition: float, k: int) -> None:
    step = method.step_size(k, 1.0 / condition, 1.0)
    assert step <= method.step_bound() * (1 + tol.coefficient(condition))


@both_methods
def test_step_bound_is_attained_in_the_limit(method: Method) -> None:
    largest = max(method.step_size(k, 1e-12, 1.0) for k in range(5))
    assert largest >= 0.999 * method.step_bound()


# --- stability


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6])
def test_depth_600_is_stable(condition: float) -> None:
    x = spectrum_grid(1.0, condition, 601)
    residuals = run(Chebyshev(), x, 1.0, condition, 600)
    for k, residual in enumerate(residuals, start=1):
        allowed = Chebyshev().rate(condition, k) + tol.iteration(condition)
        assert np.max(np.abs(residual)) <= min(allowed, 1 + tol.iteration(condition))


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6])
def test_depth_600_with_leja_steps_is_stable(condition: float) -> None:
    x = spectrum_grid(1.0, condition, 601)
    error = np.ones_like(x)
    iterate_k, largest = np.zeros_like(x), 0.0
    for step in leja_step_sizes(1.0, condition, 600):
        iterate_k = iterate_k - step * (x * iterate_k - x)
        error = 1 - iterate_k
        largest = max(largest, float(np.max(np.abs(error))))
    # partial products stay moderate; the order of the roots along the axis reaches 1e100 and more
    assert largest <= 1e3 * condition
    allowed = Chebyshev().rate(condition, 600) + tol.iteration(condition) * largest
    assert np.max(np.abs(error)) <= allowed


def test_steps_along_the_axis_are_not_stable() -> None:
    """The witness that the order matters: the same steps, longest first, lose every digit."""
    x = spectrum_grid(1.0, 1e4, 601)
    current, largest = np.zeros_like(x), 0.0
    for step in np.sort(leja_step_sizes(1.0, 1e4, 600))[::-1]:
        current = current - step * (x * current - x)
        largest = max(largest, float(np.max(np.abs(1 - current))))
    assert largest > 1e30


@given(our.log_uniform(1e-3, 1e3), conditions, st.integers(1, 60))
def test_leja_steps_are_the_reciprocal_roots(lower: float, condition: float, depth: int) -> None:
    upper = lower * condition
    steps = leja_step_sizes(lower, upper, depth)
    roots = sorted(
        (upper + lower) / 2 + (upper - lower) / 2 * math.cos((2 * k + 1) * math.pi / (2 * depth))
        for k in range(depth)
    )
    # the root nearest to `lower` is a difference: absolute error of eps * upper
    np.testing.assert_allclose(np.sort(1 / steps), roots, rtol=0, atol=8 * tol.EPS * upper)


@pytest.mark.parametrize("depth", [1, 2, 5, 16, 33])
def test_leja_order_is_greedy(depth: int) -> None:
    """Every root maximises the product of distances to those before it; the first is the largest.
    Products at 50 digits; mirrored candidates tie and either may come first."""
    roots = 1 / leja_step_sizes(1.0, 50.0, depth)
    assert roots[0] == max(roots)
    with mp.workdps(50):
        for k in range(1, depth):
            product = [mp.fprod(abs(mp.mpf(r) - s) for s in roots[:k]) for r in roots[k:]]
            assert product[0] >= max(product) * (1 - mp.mpf("1e-9"))


@given(our.log_uniform(1.001, 1e3), st.integers(1, 40))
def test_leja_steps_end_where_chebyshev_ends(condition: float, depth: int) -> None:
    x = spectrum_grid(1.0, condition, 51)
    current = np.zeros_like(x)
    for step in leja_step_sizes(1.0, condition, depth):
        current = current - step * (x * current - x)
    expected = oracle.residual_chebyshev(x, 1.0, condition, depth)
    assert np.max(np.abs(1 - current - expected)) <= depth * tol.iteration(condition)


# --- names


def test_unknown_method_is_refused_by_name() -> None:
    with pytest.raises(ArgumentError, match=r"method=newton: .*gradient, neumann, chebyshev"):
        get_method("newton")
    assert [get_method(name).name for name in METHODS] == list(METHODS)
