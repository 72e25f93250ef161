"""Laws with known scores, by automatic differentiation of their densities and by their moments."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tolerances as tol
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from constructions.learned import GaussianLaw, MixtureLaw
from unroll import ArgumentError, GaussianProcess, Polynomial

MEAN = np.random.default_rng(0).normal(size=(4, 2))
GP = GaussianProcess(Polynomial(3.0, 1.5), 4, [[1.0, 0.4], [0.4, 0.6]], MEAN)
GAUSSIAN = GaussianLaw.of(GP)
MIXTURE = MixtureLaw(
    [GAUSSIAN, GaussianLaw(MEAN + 2, 0.3 * np.eye(8)), GaussianLaw(-MEAN, np.zeros((8, 8)))],
    [0.5, 0.3, 0.2],
)
LAWS = {"gaussian": GAUSSIAN, "mixture": MIXTURE}


def batch(law) -> torch.Tensor:
    return law.draw(6, torch.Generator().manual_seed(3)) + 0.3


def log_density(law, v: np.ndarray, t: float) -> np.ndarray:
    """By scipy, from the definition of the diffused law."""
    parts, weights = (law.parts, law.weights) if law is MIXTURE else ([law], [1.0])
    alpha, noise = math.exp(-t / 2), -math.expm1(-t)
    terms = [
        math.log(w)
        + multivariate_normal.logpdf(
            v.reshape(len(v), -1),
            alpha * part.mean.ravel(),
            alpha**2 * part.covariance + noise * np.eye(8),
        )
        for w, part in zip(weights, parts, strict=True)
    ]
    return logsumexp(terms, axis=0)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("t", [0.01, 0.4, 3.0])
def test_the_score_is_the_gradient_of_the_log_density(name, t):
    law, step = LAWS[name], 1e-5
    v = batch(law)
    found = law.score(v, torch.full((6,), t, dtype=torch.float64)).numpy()
    for k in range(8):
        e = step * np.eye(8)[k].reshape(4, 2)
        up, down = (log_density(law, v.numpy() + sign * e, t) for sign in (1, -1))
        slopes = (up - down) / (2 * step)
        np.testing.assert_allclose(found.reshape(6, 8)[:, k], slopes, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("t", [0.01, 0.4, 3.0])
def test_densities_and_scores_of_a_gaussian(t):
    v, times = batch(GAUSSIAN), torch.full((6,), t, dtype=torch.float64)
    np.testing.assert_allclose(
        GAUSSIAN.log_density(v, times), log_density(GAUSSIAN, v.numpy(), t), rtol=1e-10
    )
    condition = np.linalg.cond(GAUSSIAN.covariance + 1e-2 * np.eye(8))
    exact = GP.score(v.numpy(), t)
    np.testing.assert_allclose(GAUSSIAN(v, t), exact, rtol=tol.solve(8, condition) * 10)
    assert GAUSSIAN(v.float(), t).dtype == torch.float32


@pytest.mark.parametrize("name", LAWS)
def test_draws_have_the_moments_that_are_stated(name):
    law, count = LAWS[name], 40_000
    x = law.draw(count, torch.Generator().manual_seed(0)).numpy().reshape(count, -1)
    spread = np.sqrt(np.diag(law.covariance) / count)
    assert np.all(np.abs(x.mean(0) - law.mean.ravel()) <= tol.SIGMAS * spread)
    products = (x - law.mean.ravel())[:, :, None] * (x - law.mean.ravel())[:, None, :]
    error = products.std(0) / math.sqrt(count)
    assert np.all(np.abs(products.mean(0) - law.covariance) <= tol.SIGMAS * error)


def test_a_mixture_of_one_is_its_part():
    law, v = MixtureLaw([GAUSSIAN], [1.0]), batch(GAUSSIAN)
    torch.testing.assert_close(law(v, 0.3), GAUSSIAN(v, 0.3))
    np.testing.assert_allclose(law.covariance, GAUSSIAN.covariance)


def test_far_away_the_nearest_part_decides():
    """Where every density underflows."""
    v = torch.as_tensor(GAUSSIAN.mean + 1e4)[None]
    assert torch.isfinite(MIXTURE(v, 0.01)).all()


@pytest.mark.parametrize(
    ("call", "argument", "words"),
    [
        (lambda: GaussianLaw(np.zeros(4), np.eye(4)), "mean", "frames, channels"),
        (lambda: GaussianLaw(np.zeros((2, 2)), np.eye(3)), "covariance", "shape"),
        (lambda: GaussianLaw(np.zeros((2, 1)), [[1, 2], [2, 1]]), "covariance", "eigenvalue -1"),
        (lambda: GaussianLaw(np.zeros((2, 1)), [[1, 0.5], [0, 1]]), "covariance", "symmetric"),
        (lambda: GaussianLaw([[math.nan]], [[1.0]]), "mean", "finite"),
        (lambda: MixtureLaw([GAUSSIAN, GAUSSIAN], [0.5, 0.6]), "weights", "sum 1"),
        (lambda: MixtureLaw([GAUSSIAN], [0.5, 0.5]), "weights", "one positive number"),
        (
            lambda: MixtureLaw([GAUSSIAN, GaussianLaw([[0.0]], [[1.0]])], [0.5, 0.5]),
            "parts",
            "one shape",
        ),
    ],
)
def test_refusals(call, argument, words):
    with pytest.raises(ArgumentError, match=words) as caught:
        call()
    assert caught.value.argument == argument
