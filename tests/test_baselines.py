"""Maximum likelihood: it maximises the likelihood, finds the truth, and says when it cannot."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from constructions.learned import (
    KINDS,
    GaussianLaw,
    constructed_from_fit,
    maximum_likelihood,
    score_error,
)
from unroll import ArgumentError, Exponential, GaussianProcess

SIGMA = np.array([[1.0, 0.4], [0.4, 0.5]])
MEAN = np.linspace(-1, 1, 10).reshape(5, 2)
GP = GaussianProcess(Exponential(3.0), 5, SIGMA, MEAN)
LAW = GaussianLaw.of(GP)
DATA = GP.sample(400, rng=0)


def likelihood(law: GaussianLaw, data: np.ndarray = DATA) -> float:
    flat = data.reshape(len(data), -1)
    return float(multivariate_normal.logpdf(flat, law.mean.ravel(), law.covariance).sum())


def test_unstructured_is_the_sample_covariance():
    law = maximum_likelihood(DATA, "unstructured")
    flat = DATA.reshape(400, -1)
    np.testing.assert_allclose(law.mean.ravel(), flat.mean(0))
    np.testing.assert_allclose(law.covariance, np.cov(flat.T, bias=True), rtol=1e-10, atol=1e-12)


def test_larger_classes_are_more_likely():
    """On the data they were fitted to; each contains the one before."""
    found = [likelihood(maximum_likelihood(DATA, kind)) for kind in KINDS]
    assert likelihood(LAW) < found[0] <= found[1] <= found[2]


def test_no_kronecker_product_nearby_is_more_likely():
    law = maximum_likelihood(DATA, "kronecker")
    best, rng = likelihood(law), np.random.default_rng(0)
    blocks = law.covariance.reshape(5, 2, 5, 2)
    temporal, spatial = np.trace(blocks, axis1=1, axis2=3), np.trace(blocks, axis1=0, axis2=2)
    temporal = temporal / (np.trace(temporal) / 5)
    spatial = spatial / 5
    np.testing.assert_allclose(np.kron(temporal, spatial), law.covariance, rtol=1e-9, atol=1e-11)
    for size in (1e-3, 1e-1):
        for _ in range(10):
            a, b = (rng.normal(size=(k, k)) for k in (5, 2))
            moved = [
                (np.eye(len(e)) + size * e) @ m @ (np.eye(len(e)) + size * e).T
                for e, m in ((a, temporal), (b, spatial))
            ]
            assert likelihood(GaussianLaw(law.mean, np.kron(*moved))) < best


@pytest.mark.parametrize("kind", KINDS)
def test_the_truth_is_found_with_many_sequences(kind):
    """Errors fall like n^(-1/2), and fewer parameters leave a smaller one."""
    errors = []
    for count in (500, 8000):
        law = maximum_likelihood(GP.sample(count, rng=1), kind)
        errors.append(score_error(law, LAW, [0.1], samples=500).value[0])
    assert errors[1] < 0.5 * errors[0]
    assert errors[1] < {"kernel": 0.02, "kronecker": 0.05, "unstructured": 0.08}[kind]


def test_the_constructed_model_is_that_of_the_fit():
    model = constructed_from_fit(DATA, regimes="exponential", tol=1e-4, t_min=0.05)
    law = maximum_likelihood(DATA, "kernel", regimes="exponential")
    v = torch.as_tensor(GP.sample_noisy(50, 0.05, rng=2))
    exact = law(v, 0.05)
    assert torch.linalg.norm(model(v, 0.05) - exact) <= 1e-4 * torch.linalg.norm(exact)
    assert model.plan.method_name == "boundary"


def with_nan() -> np.ndarray:
    x = DATA.copy()
    x[0, 0, 0] = math.nan
    return x


@pytest.mark.parametrize(
    ("call", "argument", "words"),
    [
        (lambda: maximum_likelihood(DATA, "sparse"), "kind", "kernel"),
        (lambda: maximum_likelihood(DATA[0], "kernel"), "data", "frames, channels"),
        (lambda: maximum_likelihood(DATA[:1], "unstructured"), "data", "n >= 2"),
        (lambda: maximum_likelihood(DATA[:2], "kronecker"), "data", "too few"),
        (lambda: maximum_likelihood(with_nan(), "kronecker"), "data", "finite"),
        (lambda: constructed_from_fit(DATA[0]), "data", "frames, channels"),
    ],
)
def test_refusals(call, argument, words):
    with pytest.raises(ArgumentError, match=words) as caught:
        call()
    assert caught.value.argument == argument
