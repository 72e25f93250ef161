"""Errors of a score: zero for the exact one, known for known perturbations, and consistent."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tolerances as tol
import torch
from scipy.integrate import quad

from constructions import build
from constructions.learned import (
    DiT,
    GaussianLaw,
    generated,
    generated_covariance_error,
    girsanov,
    score_error,
)
from unroll import ArgumentError, Exponential, GaussianProcess

SIGMA = np.array([[1.0, 0.3], [0.3, 0.8]])
GP = GaussianProcess(Exponential(3.0), 5, SIGMA, np.ones((5, 2)))
LAW = GaussianLaw.of(GP)
TIMES = [0.05, 0.5, 3.0]


def scaled(v, t):
    return 1.1 * LAW(v, t)


def other(v, t):
    """The score of another centred Gaussian, so that every error is a trace."""
    return GaussianLaw(GP.mean, np.eye(10))(v, t)


def error_of_other(t: float) -> tuple[float, float]:
    """``E|s_hat - s|^2`` and ``E|s|^2`` exactly: with A and I for the noisy covariances."""
    noisy = math.exp(-t) * GP.covariance() - math.expm1(-t) * np.eye(10)
    inverse = np.linalg.inv(noisy)
    gap = inverse - np.eye(10)
    return float(np.trace(gap @ noisy @ gap)), float(np.trace(inverse))


def test_the_exact_score_has_no_error():
    assert score_error(LAW, LAW, TIMES, samples=16).value == pytest.approx(0.0, abs=0.0)
    assert girsanov(LAW, LAW, 0.01, 5.0, samples=16).value == 0.0


def test_a_multiple_of_the_score():
    found = score_error(scaled, LAW, TIMES, samples=16)
    np.testing.assert_allclose(found.value, 0.1, rtol=1e-10)
    np.testing.assert_allclose(found.standard_error, 0.0, atol=1e-12)


def test_a_score_of_another_gaussian():
    found = score_error(other, LAW, TIMES, samples=4000)
    exact = [math.sqrt(np.divide(*error_of_other(t))) for t in TIMES]
    assert np.all(np.abs(found.value - exact) <= tol.SIGMAS * found.standard_error)
    assert np.all(found.standard_error < 0.03 * np.array(exact))


def test_girsanov_is_the_integral():
    found = girsanov(other, LAW, 0.05, 4.0, samples=4000)
    exact = quad(lambda t: error_of_other(t)[0] / 2, 0.05, 4.0)[0]
    assert abs(found.value - exact) <= tol.SIGMAS * found.standard_error + 1e-6 * exact
    assert found.standard_error < 0.02 * exact
    # the quadrature, without sampling: the integrand is analytic in log t
    points, weights = np.polynomial.legendre.leggauss(16)
    half = math.log(4.0 / 0.05) / 2
    t = 0.05 * np.exp(half * (points + 1))
    by_nodes = sum(w * half * s * error_of_other(s)[0] / 2 for w, s in zip(weights, t, strict=True))
    assert by_nodes == pytest.approx(exact, rel=1e-9)


def test_standard_errors_are_the_spread_of_repetitions():
    found = [score_error(other, LAW, [0.5], samples=200, seed=k) for k in range(60)]
    spread = np.std([f.value[0] for f in found], ddof=1)
    stated = np.mean([f.standard_error[0] for f in found])
    assert 0.65 < stated / spread < 1.5  # a spread of 60 is known to 9 %


def test_a_hand_built_model_is_measured_as_it_is_planned():
    model = build(GP, tol=0.05, t_min=0.05)
    found = score_error(model, LAW, [0.05, 0.5], samples=512)
    assert found.value.max() < 0.05 + tol.SIGMAS * found.standard_error.max()
    assert found.value.max() > 1e-4, "and it is no closed form"


def test_single_precision_is_compared_at_the_same_input():
    """Not with the score at the input before it was rounded."""

    class Exact(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones((), dtype=torch.float32))

        def forward(self, v, t):
            assert v.dtype == torch.float32
            return LAW(v.double(), t).float()

    assert score_error(Exact(), LAW, [1e-6], samples=64).value[0] < 1e-6


def test_generated_covariances():
    options = {"t_min": 0.05, "t_max": 5.0, "steps": 40, "samples": 2000}
    right = generated_covariance_error(LAW, LAW, **options)
    assert right.model == right.exact
    assert 0 < right.exact < 0.2
    wrong = generated_covariance_error(other, LAW, **options)
    assert wrong.exact == right.exact
    truth = math.exp(-0.05) * GP.covariance() - math.expm1(-0.05) * np.eye(10)
    expected = np.linalg.norm(np.eye(10) - truth) / np.linalg.norm(truth)
    assert wrong.model == pytest.approx(expected, abs=0.1)


def test_a_network_generates():
    model = DiT(5, 2, width=8, depth=1, heads=1)
    first, again, other_seed = (
        generated(model, (3, 5, 2), t_min=0.1, t_max=3.0, steps=4, seed=k) for k in (0, 0, 1)
    )
    assert first.shape == (3, 5, 2)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other_seed)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: score_error(LAW, LAW, [0.0]), "times"),
        (lambda: score_error(LAW, LAW, [0.1], samples=1), "samples"),
        (lambda: girsanov(LAW, LAW, 1.0, 0.5), "t_min"),
        (lambda: girsanov(LAW, LAW, -1.0, 0.5), "t_min"),
        (lambda: girsanov(LAW, LAW, 0.1, 0.5, nodes=0), "nodes"),
        (
            lambda: generated_covariance_error(LAW, LAW, t_min=0.1, t_max=1.0, samples=1),
            "samples",
        ),
    ],
)
def test_refusals(call, argument):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert caught.value.argument == argument
