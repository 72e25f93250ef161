"""Every sampler against its source, draw by draw; orders of convergence; grids; refusals."""

from __future__ import annotations

import math
from itertools import pairwise

import law_oracles as oracle
import numpy as np
import pytest
import tolerances as tol

from unroll import ArgumentError, Exponential, GaussianProcess, sample_reverse
from unroll.distribution import eigen_basis, noisy_law, reverse_law, sampler_law, wasserstein
from unroll.samplers import SAMPLERS, SPACINGS, make_sampler, reverse_times

STOCHASTIC = ("euler-maruyama", "exponential", "ancestral")
SHAPE = (3, 4, 2)


def bent(v: np.ndarray, t: float) -> np.ndarray:
    """A score that is not affine: nothing below may rest on that."""
    return np.tanh(v[:, ::-1] * (1 + t)) / (t + 0.3) - v


def draws(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.standard_normal(SHAPE) for _ in range(count)]


@pytest.mark.parametrize("denoise", [False, True])
@pytest.mark.parametrize("name", SAMPLERS)
def test_sampler_follows_its_source(name: str, denoise: bool) -> None:
    times = np.array([3.0, 1.7, 0.9, 0.35, 0.2, 0.05])
    used = draws(6 if name in STOCHASTIC else 1)
    sampler = make_sampler(name, times, denoise=denoise)
    found = sampler.sample(bent, SHAPE, rng=oracle.ScriptedNoise(used))
    expected = oracle.run(name, bent, times, used)
    if denoise:
        expected = oracle.denoised(bent, expected, times[-1])
    assert found == pytest.approx(expected, rel=tol.SAMPLER, abs=tol.SAMPLER)
    assert sampler.stochastic == (name in STOCHASTIC)
    assert sampler.evaluations == 5 * (2 if name == "heun" else 1) + denoise


@pytest.mark.parametrize("name", SAMPLERS)
def test_order_of_convergence(name: str) -> None:
    # From the same start the exact reverse process arrives at `reverse_law`.
    gp = GaussianProcess(Exponential(3.0), 6, [[1.0, 0.3], [0.3, 0.5]])
    dynamics = "sde" if name in STOCHASTIC else "ode"
    target = reverse_law(gp, 4.0, 0.1, dynamics=dynamics)
    errors = []
    for steps in (200, 400, 800):
        sampler = make_sampler(name, reverse_times(0.1, 4.0, steps), denoise=False)
        errors.append(wasserstein(target, sampler_law(sampler, gp)))
    order = 2 if name in ("heun", "dpm++2m") else 1
    for coarse, fine in pairwise(errors):
        assert 0.93 * 2**order < coarse / fine < 1.07 * 2**order


@pytest.mark.parametrize("spacing", SPACINGS)
def test_grids(spacing: str) -> None:
    times = reverse_times(0.003, 7.0, 9, spacing)
    assert (times[0], times[-1], len(times)) == (7.0, 0.003, 10)
    even = {
        "log-snr": lambda t: math.log(oracle.sigma(t) / oracle.alpha(t)),
        "uniform": lambda t: t,
        "log": math.log,
        "karras": lambda t: (oracle.sigma(t) / oracle.alpha(t)) ** (1 / 7),
    }[spacing]
    gaps = np.diff([even(float(t)) for t in times])
    assert gaps == pytest.approx([gaps.mean()] * 9, rel=1e-10)
    assert reverse_times(1.0, 2000.0, 3, spacing)[0] == 2000.0


@pytest.mark.parametrize("name", ["ancestral", "ddim", "heun", "dpm++2m"])
def test_every_eigenvalue_gets_the_same_relative_error(name: str) -> None:
    # In y = v / alpha over r = sigma / alpha another eigenvalue is the same problem rescaled, and
    # steps equal in log r do not notice; steps equal in t do.
    gp = GaussianProcess(Exponential(8.0), 32, [[1.0]])
    basis, _ = eigen_basis(gp)
    target = noisy_law(gp, 1e-4).variances(basis)
    spreads = []
    for spacing in ("log-snr", "uniform"):
        sampler = make_sampler(name, reverse_times(1e-4, 14.0, 60, spacing), denoise=False)
        errors = sampler_law(sampler, gp).variances(basis) / target - 1
        spreads.append(np.ptp(errors) / np.abs(errors).max())
    assert spreads[0] < 0.05 < 0.5 < spreads[1]


def test_names_of_sample_reverse() -> None:
    gp = GaussianProcess(Exponential(3.0), 4, np.eye(2))
    options = {"t_min": 0.1, "t_max": 3.0, "steps": 4, "rng": 1}
    for short, name in (("sde", "ancestral"), ("ode", "heun"), ("ddim", "ddim")):
        found = sample_reverse(gp.score, SHAPE, method=short, **options)
        sampler = make_sampler(name, reverse_times(0.1, 3.0, 4))
        assert np.array_equal(found, sampler.sample(gp.score, SHAPE, rng=1))


def test_start_at_the_truth_and_large_t_max_leave_the_discretisation() -> None:
    gp = GaussianProcess(Exponential(3.0), 4, np.eye(2), np.ones((4, 2)))
    for dynamics in ("sde", "ode"):
        arrived = reverse_law(gp, 60.0, 0.1, dynamics=dynamics)
        assert wasserstein(arrived, noisy_law(gp, 0.1)) < tol.LAW


@pytest.mark.parametrize(
    ("name", "times", "argument"),
    [
        ("rk4", [1.0, 0.1], "sampler"),
        ("ddim", [1.0], "times"),
        ("ddim", [0.1, 1.0], "times"),
        ("ddim", [1.0, 0.5, 0.5], "times"),
        ("ddim", [1.0, 0.0], "times"),
        ("ddim", [[1.0, 0.1]], "times"),
        ("ddim", [1.0, math.nan], "times"),
    ],
)
def test_bad_samplers_are_named(name: str, times: list, argument: str) -> None:
    with pytest.raises(ArgumentError) as error:
        make_sampler(name, times)
    assert error.value.argument == argument


def test_bad_spacing_is_named() -> None:
    with pytest.raises(ArgumentError, match="spacing"):
        reverse_times(0.1, 1.0, 3, "cosine")
