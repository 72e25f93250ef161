"""The promise at full size: 64 frames, 4 channels, every regime, 52 diffusion times (slow)."""

import re

import numpy as np
import pytest
import torch

from constructions import build, compile_plan, verify
from proofs_check import certify
from unroll import Exponential, GaussianProcess, Logarithmic, Polynomial
from unroll.refusals import DepthError

KERNELS = [
    Exponential(8.0),
    Exponential(8.0, 2.0),
    Polynomial(8.0, 2.0),
    Polynomial(8.0, 0.5),
    Logarithmic(8.0, 1.0),
]
#: Depth that is planned over depth that is needed. The planner knows the spectrum's ends only.
DEPTH_RATIO = 1.25


def problem(kernel, frames=64, channels=4) -> GaussianProcess:
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(channels, channels)))[0]
    cov = basis @ np.diag(np.linspace(0.5, 2.0, channels)) @ basis.T
    return GaussianProcess(kernel, frames, (cov + cov.T) / 2, rng.normal(size=(frames, channels)))


@pytest.mark.slow
@pytest.mark.parametrize("tol", [1e-3, 1e-6])
@pytest.mark.parametrize("attention", ["softmax", "relu"])
@pytest.mark.parametrize("method", ["gradient", "chebyshev"])
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_every_regime_keeps_its_promise(kernel, method, attention, tol):
    gp = problem(kernel)
    model, refusal = None, None
    try:
        model = build(gp, method=method, attention=attention, tol=tol)
    except DepthError as error:
        refusal = error
    if model is None:
        assert method == "gradient"
        assert refusal.depth > 4000
        assert re.search(rf"needs {refusal.depth} layers .* use method='chebyshev'", str(refusal))
        return
    result = verify(model, samples=2)
    assert len(result.times) == 52
    assert result.times[[0, -1]].tolist() == [0.01, 5.0]
    assert result.passed, result.first_divergence
    assert result.worst <= certify(model.plan).bound <= tol


@pytest.mark.slow
@pytest.mark.parametrize("tol", [1e-3, 1e-6])
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_planned_depth_is_close_to_the_depth_needed(kernel, tol):
    """Every prefix of the Chebyshev model is the model of that depth: read off where it arrives."""
    gp = problem(kernel)
    model = build(gp, tol=tol)
    needed = 0
    for t in (0.01, 0.1, 1.0, 5.0):
        v = gp.sample_noisy(32, t, rng=1)
        score = gp.score(v, t)
        errors = [
            np.linalg.norm(s.numpy() - score) / np.linalg.norm(score)
            for s in model.iterates(torch.as_tensor(v), t)
        ]
        late = np.flatnonzero(np.array(errors) > tol)
        needed = max(needed, 2 + int(late[-1]) if len(late) else 1)
    assert needed <= model.plan.depth <= DEPTH_RATIO * needed


def test_large_models_compile_their_repeated_blocks_once():
    model = build(problem(Polynomial(8.0, 2.0), frames=256, channels=8), tol=1e-6)
    weights = compile_plan(model.plan)
    assert len({id(block.attention) for block in weights.blocks}) == 2
    assert len({id(block.feed_forward) for block in weights.blocks}) == 2
    assert verify(model, times=[0.01, 0.5, 5.0], samples=1).passed
