"""Samplers with the closed-form score: exact maps, orders of convergence, laws, refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.linalg
import strategies as our
import tolerances as tol
from hypothesis import given

from unroll import ArgumentError, Exponential, GaussianProcess, Polynomial
from unroll.sampling import reverse_times, sample_reverse, sde_coefficients

S = np.array([[2.0, 0.5], [0.5, 1.0]])
T_MIN, T_MAX, FRAMES = 0.01, 6.0, 5
SHAPE = (7, FRAMES, 2)


def process(mean: bool = True) -> GaussianProcess:
    values = np.random.default_rng(0).standard_normal((FRAMES, 2)) if mean else None
    return GaussianProcess(Polynomial(4.0, 1.0), FRAMES, S, values)


def noisy_cov(gp: GaussianProcess, t: float) -> np.ndarray:
    size = gp.frames * gp.channels
    return math.exp(-t) * gp.covariance() - math.expm1(-t) * np.eye(size)


def posterior_step(gp: GaussianProcess, t: float, s: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Dense (map, shift, noise) of V_s given V_t and X = E[X | V_t], from Bayes' rule.

    V_s | X ~ N(alpha_s X, sigma_s^2) and V_t | V_s ~ N(r V_s, 1 - r^2), r = e^{-(t-s)/2}.
    """
    eye, mean = np.eye(gp.frames * gp.channels), gp.mean.reshape(-1)
    alpha_t, alpha_s, r = (math.exp(-x / 2) for x in (t, s, t - s))
    noise_s, noise_step = 1 - alpha_s**2, 1 - r**2
    variance = 1 / (1 / noise_s + r**2 / noise_step)
    gain = alpha_t * gp.covariance() @ np.linalg.inv(noisy_cov(gp, t))
    from_v, from_clean = variance * r / noise_step, variance * alpha_s / noise_s
    linear = from_v * eye + from_clean * gain
    shift = from_clean * (mean - gain @ (alpha_t * mean))
    return linear, shift, math.sqrt(variance)


def law(gp: GaussianProcess, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Exact mean and covariance of the SDE sampler's output at t_min."""
    size = gp.frames * gp.channels
    mean, cov, times = np.zeros(size), np.eye(size), reverse_times(T_MIN, T_MAX, steps)
    for t, s in itertools.pairwise(times):
        linear, shift, noise = posterior_step(gp, t, s)
        mean, cov = linear @ mean + shift, linear @ cov @ linear.T + noise**2 * np.eye(size)
    return mean, cov


def test_times_are_uniform_in_the_log_signal_to_noise_ratio() -> None:
    times = reverse_times(0.003, 7.0, 9)
    assert (times[0], times[-1], len(times)) == (7.0, 0.003, 10)
    ratio = [0.5 * math.log(math.exp(-t) / -math.expm1(-t)) for t in times]
    assert np.diff(ratio) == pytest.approx([(ratio[-1] - ratio[0]) / 9] * 9, rel=1e-10)
    assert reverse_times(1.0, 2000.0, 3)[0] == 2000.0


@given(our.diffusion_times(1e-4, 10.0), our.diffusion_times(1e-4, 10.0))
def test_sde_step_is_exact_for_a_known_sequence(first: float, second: float) -> None:
    # Data that are one point: score -(v - alpha x) / sigma^2, V_t ~ N(alpha_t x, sigma_t^2).
    s, t = sorted((first, second))
    if s == t:
        return
    a, b, c = sde_coefficients(t, s)
    noise_t, noise_s = -math.expm1(-t), -math.expm1(-s)
    gain = a - b / noise_t
    assert gain**2 * noise_t + c**2 == pytest.approx(noise_s, rel=1e-9)
    mean = gain * math.exp(-t / 2) + b / noise_t * math.exp(-t / 2)
    assert mean == pytest.approx(math.exp(-s / 2), rel=1e-9)


def test_sde_follows_bayes_rule_draw_by_draw() -> None:
    gp, steps = process(), 6
    drawn = sample_reverse(
        gp.score, SHAPE, t_min=T_MIN, t_max=T_MAX, steps=steps, rng=3, denoise=False
    )
    draws, times = np.random.default_rng(3), reverse_times(T_MIN, T_MAX, steps)
    v = draws.standard_normal(SHAPE).reshape(7, -1)
    for t, s in itertools.pairwise(times):
        linear, shift, noise = posterior_step(gp, t, s)
        v = v @ linear.T + shift + noise * draws.standard_normal(SHAPE).reshape(7, -1)
    assert drawn.reshape(7, -1) == pytest.approx(v, rel=1e-10, abs=1e-10)


def test_ode_is_heun_on_the_rescaled_equation() -> None:
    gp, steps = process(), 6
    drawn = sample_reverse(
        gp.score, SHAPE, t_min=T_MIN, t_max=T_MAX, steps=steps, rng=3, method="ode", denoise=False
    )
    mean, times = gp.mean.reshape(-1), reverse_times(T_MIN, T_MAX, steps)
    ratios = np.sqrt(np.expm1(times))

    def slope(y: np.ndarray, r: float) -> np.ndarray:
        # y = x + r z: the noise given y is r (Gamma (x) Sigma + r^2)^{-1} (y - mean)
        return r * np.linalg.solve(gp.covariance() + r**2 * np.eye(10), (y - mean).T).T

    y = np.random.default_rng(3).standard_normal(SHAPE).reshape(7, -1) * math.exp(T_MAX / 2)
    for r, q in itertools.pairwise(ratios):
        first = slope(y, r)
        y = y + (q - r) * (first + slope(y + (q - r) * first, q)) / 2
    assert drawn.reshape(7, -1) == pytest.approx(math.exp(-T_MIN / 2) * y, rel=1e-10, abs=1e-10)


def test_ode_converges_with_order_two_to_the_exact_map() -> None:
    # The exact flow is V_s = alpha_s M + A_s^{1/2} A_t^{-1/2} (V_t - alpha_t M).
    gp = process()
    start = np.random.default_rng(3).standard_normal(SHAPE).reshape(7, -1)
    root = scipy.linalg.sqrtm(noisy_cov(gp, T_MIN))
    back = np.linalg.inv(scipy.linalg.sqrtm(noisy_cov(gp, T_MAX)))
    mean = gp.mean.reshape(-1)
    exact = math.exp(-T_MIN / 2) * mean + (start - math.exp(-T_MAX / 2) * mean) @ (root @ back).T
    errors = []
    for steps in (40, 80, 160):
        drawn = sample_reverse(
            gp.score,
            SHAPE,
            t_min=T_MIN,
            t_max=T_MAX,
            steps=steps,
            rng=3,
            method="ode",
            denoise=False,
        )
        errors.append(np.linalg.norm(drawn.reshape(7, -1) - exact) / np.linalg.norm(exact))
    assert errors[-1] < 1e-3
    assert 3.6 < errors[0] / errors[1] < 4.4
    assert 3.6 < errors[1] / errors[2] < 4.4


def test_sde_law_converges_with_order_one() -> None:
    # Started from the true law at t_max, what is left is the step size.
    gp = process()
    errors = []
    for steps in (100, 200, 400):
        cov, times = noisy_cov(gp, T_MAX), reverse_times(T_MIN, T_MAX, steps)
        for t, s in itertools.pairwise(times):
            a, b, c = sde_coefficients(t, s)
            linear = a * np.eye(10) - b * np.linalg.inv(noisy_cov(gp, t))
            cov = linear @ cov @ linear.T + c**2 * np.eye(10)
        errors.append(np.linalg.norm(cov / noisy_cov(gp, T_MIN) - 1))
    assert errors[-1] < 0.2
    assert 1.8 < errors[0] / errors[1] < 2.2
    assert 1.8 < errors[1] / errors[2] < 2.2


def deviation(draws: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> float:
    """Largest deviation of first and second moments, in standard errors."""
    n = len(draws)
    centred = draws.reshape(n, -1) - mean
    first = np.abs(centred.mean(axis=0)) / np.sqrt(np.diag(cov) / n)
    spread = np.sqrt((np.outer(np.diag(cov), np.diag(cov)) + cov**2) / n)
    second = np.abs(centred.T @ centred / n - cov) / spread
    return float(max(first.max(), second.max()))


def test_sde_samples_have_the_law_of_the_data() -> None:
    gp, steps, n = process(), 300, 6000

    def draw(score: object) -> np.ndarray:
        return sample_reverse(
            score, (n, FRAMES, 2), t_min=T_MIN, t_max=T_MAX, steps=steps, rng=5, denoise=False
        )

    draws = draw(lambda v, t: gp.score(v, t, solver="eigen"))
    mean, cov = law(gp, steps)
    assert deviation(draws, mean, cov) <= tol.SIGMAS
    # ... and that law is the one of the data, up to the start and the step size.
    true_mean, true_cov = math.exp(-T_MIN / 2) * gp.mean.reshape(-1), noisy_cov(gp, T_MIN)
    assert np.abs(mean - true_mean).max() < 0.02
    assert np.linalg.norm(cov - true_cov) < 0.02 * np.linalg.norm(true_cov)
    # The check can fail: the score of half the length scale gives itself away.
    other = GaussianProcess(Polynomial(2.0, 1.0), FRAMES, S, gp.mean)
    wrong = draw(lambda v, t: other.score(v, t, solver="eigen"))
    assert deviation(wrong, mean, cov) > 2 * tol.SIGMAS


def test_denoising_is_tweedie_at_t_min() -> None:
    gp = process()
    options = {"t_min": T_MIN, "t_max": T_MAX, "steps": 5, "rng": 1}
    for method in ("sde", "ode"):
        noisy = sample_reverse(gp.score, SHAPE, method=method, denoise=False, **options)
        clean = sample_reverse(gp.score, SHAPE, method=method, **options)
        assert clean == pytest.approx(gp.denoise(noisy, T_MIN), rel=1e-12, abs=1e-12)
        assert clean.shape == SHAPE


def test_start_mean_removes_the_bias_of_the_start() -> None:
    gp = GaussianProcess(Exponential(50.0), FRAMES, S, np.full((FRAMES, 2), 10.0))
    options = {"t_min": T_MIN, "t_max": 1.0, "steps": 50, "rng": 1, "method": "ode"}
    shape = (2000, FRAMES, 2)
    mean = math.exp(-0.5) * gp.mean
    started = sample_reverse(gp.score, shape, start_mean=mean, **options)
    plain = sample_reverse(gp.score, shape, **options)
    assert np.abs(started.mean(axis=0) - 10).max() < 0.3
    assert np.abs(plain.mean(axis=0) - 10).min() > 3
    constant = sample_reverse(gp.score, shape, start_mean=mean[0, 0], **options)
    assert np.array_equal(constant, started)


def test_seed_and_progress() -> None:
    gp, seen = process(), []
    options = {"t_min": T_MIN, "t_max": T_MAX, "steps": 4}
    first = sample_reverse(
        gp.score, SHAPE, rng=np.random.default_rng(2), progress=lambda *x: seen.append(x), **options
    )
    assert np.array_equal(first, sample_reverse(gp.score, SHAPE, rng=2, **options))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def bad_score(value: object) -> object:
    return lambda v, t: value if value is not None else np.full(v.shape, np.nan)


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"t_min": 0.0}, "t_min"),
        ({"t_min": 6.0}, "t_min"),
        ({"t_max": math.nan}, "t_max"),
        ({"t_max": math.inf}, "t_max"),
        ({"steps": 0}, "steps"),
        ({"steps": 2.5}, "steps"),
        ({"method": "rk4"}, "method"),
        ({"rng": "x"}, "rng"),
        ({"shape": (7, FRAMES)}, "shape"),
        ({"shape": 7}, "shape"),
        ({"shape": (7, 0, 2)}, "shape"),
        ({"start_mean": np.zeros(3)}, "start_mean"),
        ({"start_mean": math.nan}, "start_mean"),
        ({"score": None}, "score"),
        ({"score": bad_score(None)}, "score"),
        ({"score": bad_score(np.zeros((FRAMES, 2)))}, "score"),
    ],
)
@pytest.mark.parametrize("method", ["sde", "ode"])
def test_bad_input_is_named(method: str, changes: dict, argument: str) -> None:
    options = {
        "score": process().score,
        "shape": SHAPE,
        "t_min": T_MIN,
        "t_max": T_MAX,
        "steps": 3,
        "method": method,
        **changes,
    }
    with pytest.raises(ArgumentError) as error:
        sample_reverse(options.pop("score"), options.pop("shape"), **options)
    assert error.value.argument == argument
    assert "\n" not in str(error.value)
