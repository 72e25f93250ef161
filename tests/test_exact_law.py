"""The exact law of a sampler: its two twins, the sampler run on basis vectors, and draws."""

from __future__ import annotations

import math

import law_oracles as oracle
import numpy as np
import pytest
import strategies as our
import tolerances as tol
import torch
from hypothesis import given
from hypothesis import strategies as st

from constructions import build
from constructions.adapters import affine_score, score_function
from unroll import ArgumentError, Exponential, GaussianProcess, Polynomial
from unroll.distribution import (
    AffineScore,
    DenseLaw,
    EigenLaw,
    data_law,
    eigen_basis,
    kl_divergence,
    noisy_law,
    reverse_law,
    sampler_law,
    split_causes,
    total_variation,
    wasserstein,
)
from unroll.samplers import SAMPLERS, make_sampler, reverse_times

S = np.array([[2.0, 0.5], [0.5, 1.0]])
STOCHASTIC = ("euler-maruyama", "exponential", "ancestral")
CAUSES = ["early stopping", "start", "discretisation", "score"]


def process(frames: int = 5) -> GaussianProcess:
    mean = np.random.default_rng(0).standard_normal((frames, 2))
    return GaussianProcess(Polynomial(4.0, 1.0), frames, S, mean)


@pytest.mark.parametrize("denoise", [False, True])
@pytest.mark.parametrize("name", SAMPLERS)
def test_law_is_that_of_the_sampler(name: str, denoise: bool) -> None:
    gp, times = process(), reverse_times(0.02, 4.0, 5)
    start = np.array([0.3, -0.2])

    def sample(draws: list[np.ndarray]) -> np.ndarray:
        draws[0] = draws[0] + start
        v = oracle.run(name, gp.score, times, draws)
        return oracle.denoised(gp.score, v, times[-1]) if denoise else v

    mean, cov = oracle.affine_law(sample, 5 if name in STOCHASTIC else 0, 5, 2)
    sampler = make_sampler(name, times, denoise=denoise)
    spectral = sampler_law(sampler, gp, start_mean=start)
    dense = sampler_law(sampler, AffineScore(gp.score, 5, 2), start_mean=start)
    assert isinstance(spectral, EigenLaw)
    assert isinstance(dense, DenseLaw)
    for law in (spectral, dense):
        assert law.mean.reshape(-1) == pytest.approx(mean, rel=tol.LAW, abs=tol.LAW)
        assert law.covariance() == pytest.approx(cov, rel=tol.LAW, abs=tol.LAW)


@given(our.problems(max_frames=6), st.sampled_from(list(SAMPLERS)), st.integers(1, 30))
def test_twins_agree(gp: GaussianProcess, name: str, steps: int) -> None:
    sampler = make_sampler(name, reverse_times(0.05, 5.0, steps))
    one = sampler_law(sampler, gp)
    other = sampler_law(sampler, AffineScore(gp.score, gp.frames, gp.channels))
    scale = float(np.abs(one.covariance()).max())
    assert np.abs(one.covariance() - other.covariance()).max() <= tol.LAW * max(scale, 1.0)
    assert np.abs(one.mean - other.mean).max() <= tol.LAW * max(math.sqrt(scale), 1.0)


@pytest.mark.parametrize("name", SAMPLERS)
def test_draws_have_the_law(name: str) -> None:
    gp = process(4)
    sampler = make_sampler(name, reverse_times(0.02, 4.0, 12))
    draws = sampler.sample(lambda v, t: gp.score(v, t, solver="eigen"), (6000, 4, 2), rng=3)
    law = sampler_law(sampler, gp)
    assert oracle.moment_deviation(draws, law.mean, law.covariance()) <= tol.SIGMAS
    # ... and not that of the score of a process with half the length scale.
    other = sampler_law(sampler, GaussianProcess(Polynomial(2.0, 1.0), 4, S, gp.mean))
    assert oracle.moment_deviation(draws, other.mean, other.covariance()) > 2 * tol.SIGMAS


@pytest.mark.parametrize("name", ["ancestral", "dpm++2m"])
def test_law_of_the_torch_model(name: str) -> None:
    gp = process(4)
    model = build(gp, attention="softmax", tol=1e-2, t_min=0.05, t_max=3.0)
    sampler = make_sampler(name, reverse_times(0.05, 3.0, 6))
    law = sampler_law(sampler, affine_score(model))
    exact = sampler_law(sampler, gp)
    distance = wasserstein(law, exact)
    assert 1e-6 < distance < 1e-1  # the score is wrong by about tol, and this is what it does
    draws = sampler.sample(score_function(model, 500), (1500, 4, 2), rng=4)
    assert oracle.moment_deviation(draws, law.mean, law.covariance()) <= tol.SIGMAS
    # A model with one weight perturbed has another law.
    with torch.no_grad():
        model.blocks[-1].attention.output.mul_(1.5)
    assert wasserstein(sampler_law(sampler, affine_score(model)), law) > 10 * distance


def test_laws_of_models_approach_the_closed_form() -> None:
    gp, sampler = process(4), make_sampler("heun", reverse_times(0.05, 4.0, 4))
    exact = sampler_law(sampler, gp)
    distances = []
    for bound in (1e-1, 1e-3, 1e-5):
        model = build(gp, tol=bound, t_min=0.05, t_max=4.0)
        distances.append(wasserstein(exact, sampler_law(sampler, affine_score(model))))
    assert distances[0] > 20 * distances[1] > 400 * distances[2]


def test_law_of_a_float32_model() -> None:
    gp, sampler = process(4), make_sampler("ddim", reverse_times(0.02, 4.0, 8))
    model = build(gp, tol=1e-3, t_min=0.02, t_max=4.0, dtype="float32")
    law = sampler_law(sampler, affine_score(model))
    assert wasserstein(law, sampler_law(sampler, gp)) < 1e-2


@pytest.mark.parametrize("name", SAMPLERS)
def test_causes_add_up(name: str) -> None:
    gp = process(6)
    model = build(gp, tol=1e-2, t_min=0.02, t_max=3.0)
    sampler = make_sampler(name, reverse_times(0.02, 3.0, 15))
    found = split_causes(gp, sampler, affine_score(model))
    assert list(found.laws) == ["data", *CAUSES]
    assert list(found.wasserstein) == list(found.kl) == CAUSES
    # Wasserstein: the triangle inequality, and not by a mile; KL: exactly.
    together = sum(found.wasserstein.values())
    assert max(found.wasserstein.values()) / 2 < found.total_wasserstein <= together
    assert sum(found.kl.values()) == pytest.approx(found.total_kl, rel=1e-12)
    data, output = found.laws["data"], found.laws["score"]
    assert found.total_kl == kl_divergence(data, output)
    assert found.total_wasserstein == wasserstein(data, output)
    gap = np.linalg.norm(output.covariance() - gp.covariance())
    assert found.covariance_error == pytest.approx(gap / np.linalg.norm(gp.covariance()))
    text = str(found)
    assert all(cause in text for cause in CAUSES)
    assert found.to_dict()["total_kl"] == found.total_kl


def test_every_cause_vanishes_when_it_is_removed() -> None:
    gp = process(4)
    fine, late = reverse_times(0.02, 3.0, 600), reverse_times(0.02, 30.0, 40)
    early = reverse_times(1e-9, 3.0, 40)
    sampler = make_sampler("heun", reverse_times(0.02, 3.0, 40))
    usual = split_causes(gp, sampler, AffineScore(gp.score, 4, 2))
    for cause, times in (("discretisation", fine), ("start", late), ("early stopping", early)):
        assert usual.wasserstein[cause] > 1e-3
        found = split_causes(gp, make_sampler("heun", times))
        assert found.wasserstein[cause] < usual.wasserstein[cause] / 100
    assert usual.wasserstein["score"] < tol.LAW


def test_causes_where_the_data_have_no_density() -> None:
    gp = GaussianProcess(Exponential(20.0, 2.0), 30, [[1.0]])
    found = split_causes(gp, make_sampler("ddim", reverse_times(0.02, 8.0, 15)))
    assert math.isnan(found.total_kl)
    assert found.to_dict()["total_kl"] is None
    assert found.total_wasserstein > 0
    assert "score" not in found.laws


@pytest.mark.parametrize("dynamics", ["sde", "ode"])
def test_exact_reverse_process(dynamics: str) -> None:
    # ... by its definition: the regression of V_s on V_t, and the symmetric flow.
    import scipy.linalg

    gp, late, early = process(3), 2.0, 0.1
    cov, mean = gp.covariance(), gp.mean.reshape(-1)
    start = np.random.default_rng(2).standard_normal((3, 2))
    a_late, a_early = (math.exp(-t) * cov - math.expm1(-t) * np.eye(6) for t in (late, early))
    offset = start.reshape(-1) - math.exp(-late / 2) * mean
    if dynamics == "sde":
        joint = math.exp(-(late - early) / 2) * a_early
        slope = joint @ np.linalg.inv(a_late)
        expected = slope @ slope.T + a_early - slope @ joint.T
    else:
        slope = np.real(scipy.linalg.sqrtm(a_early) @ np.linalg.inv(scipy.linalg.sqrtm(a_late)))
        expected = slope @ slope.T
    law = reverse_law(gp, late, early, dynamics=dynamics, start_mean=start)
    assert law.covariance() == pytest.approx(expected, abs=1e-12)
    centre = math.exp(-early / 2) * mean + slope @ offset
    assert law.mean.reshape(-1) == pytest.approx(centre, abs=1e-12)


def test_girsanov_bounds_the_law_of_a_wrong_score() -> None:
    # KL(p_{t_min} | output) <= KL(p_{t_max} | start) + 1/2 int E |s_hat - s|^2 dt
    gp, t_min, t_max = process(3), 0.05, 4.0
    other = GaussianProcess(Polynomial(3.0, 1.0), 3, S, gp.mean)
    wrong = AffineScore(other.score, 3, 2, remember=1)
    sampler = make_sampler("exponential", reverse_times(t_min, t_max, 400), denoise=False)
    found = kl_divergence(noisy_law(gp, t_min), sampler_law(sampler, wrong))
    times = np.geomspace(t_min, t_max, 400)
    rates = []
    for t in times:
        cov = math.exp(-t) * gp.covariance() - math.expm1(-t) * np.eye(6)
        elsewhere = math.exp(-t) * other.covariance() - math.expm1(-t) * np.eye(6)
        gap = np.linalg.inv(elsewhere) - np.linalg.inv(cov)
        rates.append(np.trace(gap @ cov @ gap) / 2)
    start = DenseLaw(np.zeros((3, 2)), np.eye(6))
    bound = kl_divergence(noisy_law(gp, t_max), start) + np.trapezoid(rates, times)
    assert found <= bound
    assert found > bound / 3  # the inequality loses little here


def test_error_per_eigenvalue() -> None:
    gp = process(6)
    basis, eigenvalues = eigen_basis(gp)
    assert np.sort(eigenvalues.reshape(-1)) == pytest.approx(np.linalg.eigvalsh(gp.covariance()))
    law = sampler_law(make_sampler("ddim", reverse_times(0.02, 4.0, 20)), gp)
    errors = law.mode_errors(basis, eigenvalues)
    dense = DenseLaw(law.mean, law.covariance())
    assert dense.mode_errors(basis, eigenvalues) == pytest.approx(errors, abs=1e-11)
    assert total_variation(data_law(gp), law).value > 0.01
    assert errors.shape == (6, 2)


def kinked(v: np.ndarray, t: float) -> np.ndarray:
    return np.maximum(v, -3.0)


def of_one_frame(v: np.ndarray, t: float) -> np.ndarray:
    return v[:, :1]


def broken(v: np.ndarray, t: float) -> np.ndarray:
    return np.full(v.shape, math.nan)


@pytest.mark.parametrize(
    ("score", "message"),
    [(kinked, "not affine"), (of_one_frame, "shape"), (broken, "NaN"), (None, "callable")],
)
def test_scores_that_have_no_exact_law(score: object, message: str) -> None:
    sampler = make_sampler("ddim", reverse_times(0.1, 3.0, 3))
    with pytest.raises(ArgumentError, match=message):
        sampler_law(sampler, AffineScore(score, 4, 2))


def test_range_of_the_model_is_kept() -> None:
    model = build(process(4), tol=1e-2, t_min=0.1, t_max=3.0)
    with pytest.raises(ArgumentError, match="range"):
        sampler_law(make_sampler("ddim", reverse_times(0.05, 3.0, 3)), affine_score(model))


def test_affine_map_serves_as_the_score() -> None:
    gp = process(4)
    v = np.random.default_rng(1).standard_normal((5, 4, 2))
    assert AffineScore(gp.score, 4, 2)(v, 0.3) == pytest.approx(gp.score(v, 0.3), abs=1e-12)
