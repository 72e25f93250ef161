"""The inverse symbol with a few vectors at the ends: error, design, and what it is made of."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import strategies as our
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import toeplitz

from constructions import build
from unroll import (
    ArgumentError,
    CircleExponential,
    DampedCosine,
    Exponential,
    GaussianProcess,
    Kernel,
    Logarithmic,
    Polynomial,
    make_plan,
)
from unroll.methods.boundary import BoundaryCorrection
from unroll.methods.boundary_systems import mirrored
from unroll.methods.embedding import embed
from unroll.methods.toeplitz_inverse import ToeplitzInverse
from unroll.schedules import alpha, sigma_sq

SPATIAL = np.array([[1.0, 0.3], [0.3, 0.5]])
KERNELS = [
    Exponential(8.0),
    Exponential(8.0, 0.5),
    Exponential(3.0, 1.5),
    Polynomial(8.0, 2.0),
    Polynomial(8.0, 0.5),
    Logarithmic(8.0, 1.0),
    DampedCosine(8.0, 6.0),
    CircleExponential(4.0, 1.0, period=256),
]
every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=repr)


def fewest(kernel: Kernel, frames: int, tol: float = 1e-6) -> tuple[BoundaryCorrection, float]:
    mu = np.linalg.eigvalsh(SPATIAL)
    found = BoundaryCorrection.fewest(kernel, frames, mu, 0.01, 5.0, tol)
    assert found is not None
    return found


def dense(design: BoundaryCorrection, x: float) -> np.ndarray:
    """``P + sum_h rho_h v_h v_h^T / (x + p_h)`` by loops over frequencies and heads."""
    n, c = design.frames, design.period
    lags = np.subtract.outer(np.arange(n), np.arange(n))
    total = np.zeros((n, n))
    for m in range(c):
        gate = 1 / (design.symbol[min(m, c - m)] + x)
        total += gate * np.cos(2 * np.pi * m * lags / c) / c
    ends = np.zeros((n, design.rank))
    for k, (half, sign) in enumerate(zip(design.halves, design.signs, strict=True)):
        for i in range(n):
            ends[i, k] = half[i] if i < len(half) else sign * half[n - 1 - i]
        if n % 2 and sign < 0:
            ends[n // 2, k] = 0.0
    heads = zip(design.read, design.poles, design.amplitudes, strict=True)
    for read, pole, rho in heads:
        v = ends @ np.array(read)
        total += rho / (x + pole) * np.outer(v, v)
    return total


# --- the inverse of a Toeplitz matrix


@settings(max_examples=30)
@given(kernel=our.kernels(30), frames=st.integers(1, 30), x=our.log_uniform(0.01, 300.0))
def test_the_inverse_by_fft(kernel: Kernel, frames: int, x: float) -> None:
    period, symbol = embed(kernel, frames)
    column = kernel.autocov(np.arange(frames))
    inverse = ToeplitzInverse(column, x, 1 / (symbol + x), period)
    noisy = toeplitz(column) + x * np.eye(frames)
    exact = np.linalg.inv(noisy)
    slack = 1e-14 * np.linalg.cond(noisy) * np.abs(exact).max()
    rows = np.eye(frames)
    np.testing.assert_allclose(inverse.solve(rows), exact, rtol=0, atol=slack)
    np.testing.assert_allclose(inverse.product(rows), noisy, rtol=0, atol=1e-12 * (1 + x))
    assert inverse.trace == pytest.approx(float(np.trace(exact)), rel=1e-11)


@pytest.mark.parametrize(("frames", "sign"), [(1, 1), (4, 1), (4, -1), (5, 1), (5, -1)])
def test_halves_are_mirrored(frames: int, sign: int) -> None:
    count = (frames + 1) // 2
    whole = mirrored(np.arange(1.0, 2 * count + 1).reshape(count, 2), frames, sign)
    assert whole.shape == (frames, 2)
    np.testing.assert_array_equal(whole[::-1], sign * whole)


# --- designs


@every_kernel
@pytest.mark.parametrize("frames", [1, 2, 7, 33])
def test_a_design_keeps_its_promise(kernel: Kernel, frames: int) -> None:
    """At diffusion times that it was not made at; and what it says of itself is what is there."""
    tol = 1e-5 if kernel == Polynomial(8.0, 0.5) else 1e-6
    design, error = fewest(kernel, frames, tol)
    assert error <= tol
    seen = [design.relative_error(kernel, SPATIAL, t) for t in np.geomspace(0.011, 4.9, 23)]
    assert max(seen) <= 1.01 * error
    # one channel alone is the worst of two
    alone = [design.relative_error(kernel, np.diag(SPATIAL)[:1, None], t) for t in (0.011, 0.5)]
    assert max(alone) <= 1.01 * error


def test_the_promise_is_nearly_used_up() -> None:
    """So the prediction is no mere bound."""
    for kernel in KERNELS[:4]:
        design, error = fewest(kernel, 48)
        times = np.geomspace(0.01, 5.0, 60)
        single = [design.relative_error(kernel, [[m]], t) for t in times for m in (0.41, 1.09)]
        assert max(single) >= 0.9 * error


@settings(max_examples=15)
@given(kernel=our.kernels(20), frames=st.integers(1, 20), where=st.floats(0.0, 1.0))
def test_everything_agrees_with_the_definition(kernel: Kernel, frames: int, where: float) -> None:
    t = float(0.05 * 80.0**where)
    found = BoundaryCorrection.fewest(kernel, frames, [0.5, 2.0], 0.05, 4.0, 1e-3)
    if found is None:  # negative eigenvalues of the circulant were set to 0
        return
    design, spatial = found[0], np.diag([0.5, 2.0])
    v = np.random.default_rng(0).standard_normal((3, frames, 2))
    expected = np.empty_like(v)
    left = total = 0.0
    for a, mu in enumerate((0.5, 2.0)):
        x = math.expm1(t) / mu
        b = dense(design, x)
        np.testing.assert_allclose(design.apply(x, v[..., a]), v[..., a] @ b, atol=1e-11 / x)
        expected[..., a] = -(v[..., a] @ b) / (alpha(t) ** 2 * mu)
        noisy = kernel.matrix(frames) + x * np.eye(frames)
        inverse = np.linalg.inv(noisy)
        left += float(np.trace((b - inverse) @ noisy @ (b - inverse))) / mu
        total += float(np.trace(inverse)) / mu
    np.testing.assert_allclose(design.run(spatial, v, t), expected, atol=1e-11 / sigma_sq(t))
    error = design.relative_error(kernel, spatial, t)
    assert error == pytest.approx(math.sqrt(max(left, 0.0) / total), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("kernel", [Exponential(8.0), Polynomial(8.0, 2.0), Logarithmic(8.0, 1.0)])
def test_few_vectors_whatever_the_length(kernel: Kernel) -> None:
    ranks = [fewest(kernel, frames)[0].rank for frames in (128, 512)]
    assert max(ranks) <= 28
    assert ranks[1] <= ranks[0] + 8


def test_vectors_live_at_the_ends() -> None:
    ends = fewest(Exponential(8.0), 256)[0].ends
    np.testing.assert_allclose(ends.T @ ends, np.eye(ends.shape[1]), atol=1e-12)
    assert np.abs(ends[96:-96]).max() <= 1e-4


def test_a_longer_period_where_the_tail_of_the_kernel_is_heavy() -> None:
    design, _ = fewest(Polynomial(8.0, 0.5), 128)
    assert design.period > 2 * 128
    assert design.rank <= 32
    assert embed(Polynomial(8.0, 0.5), 128, longer=4)[0] == 4 * embed(Polynomial(8.0, 0.5), 128)[0]


@pytest.mark.slow
@pytest.mark.parametrize("kernel", [Exponential(8.0), Polynomial(8.0, 2.0), Logarithmic(8.0, 1.0)])
def test_long_sequences(kernel: Kernel) -> None:
    """The error of a structured pass against a solver that shares nothing with the design."""
    frames = 4096
    gp = GaussianProcess(kernel, frames, [[1.0]])
    plan = make_plan(gp, method="boundary", tol=1e-6)
    assert plan.boundary is not None
    assert plan.boundary.rank <= 32
    fast = build(plan).structured()
    factor_free = toeplitz(kernel.autocov(np.arange(frames)))
    rng = np.random.default_rng(0)
    for t in (0.01, 0.2, 5.0):
        noisy = alpha(t) ** 2 * factor_free + sigma_sq(t) * np.eye(frames)
        v = (np.linalg.cholesky(noisy) @ rng.standard_normal((frames, 8))).T
        exact = -np.linalg.solve(noisy, v.T).T
        with torch.no_grad():
            got = fast(torch.as_tensor(v)[..., None], t).numpy()[..., 0]
        assert np.linalg.norm(got - exact) <= plan.tol * np.linalg.norm(exact)


# --- plans


@pytest.mark.parametrize("frames", [16, 300])
def test_measured_rounding_covers_float32(frames: int) -> None:
    gp = GaussianProcess(Logarithmic(8.0, 1.0), frames, SPATIAL, np.ones((frames, 2)))
    plan = make_plan(gp, method="boundary", dtype="float32", tol=1e-4)
    assert plan.rounding_model == "measured"
    model, design = build(plan), plan.boundary
    assert design is not None
    for t in (0.01, 0.3):
        v = gp.sample_noisy(16, t, rng=3).astype(np.float32)
        exact = design.run(SPATIAL, v - np.exp(-t / 2) * gp.mean, t)
        with torch.no_grad():
            got = model(torch.as_tensor(v), t).double().numpy()
        assert np.linalg.norm(got - exact) <= plan.budget.rounding * np.linalg.norm(exact)


def test_vectors_that_read_nothing_of_the_problem() -> None:
    """The plan is the model: another basis gives another score."""
    plan = make_plan(GaussianProcess(Exponential(8.0), 24, SPATIAL), method="boundary", tol=1e-4)
    design = plan.boundary
    assert design is not None
    moved = replace(design, halves=tuple(tuple(1.1 * x for x in row) for row in design.halves))
    v = plan.gp.sample_noisy(2, t=0.1, rng=0)
    (one,), (other,) = plan.run(v, 0.1), replace(plan, boundary=moved).run(v, 0.1)
    assert np.linalg.norm(one - other) >= 1e-3 * np.linalg.norm(one)


def test_designs_survive_json() -> None:
    design, _ = fewest(Exponential(4.0), 9)
    assert BoundaryCorrection.from_dict(json.loads(json.dumps(design.to_dict()))) == design


BAD = {
    "symbol": {"symbol": (-1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)},
    "halves": {"halves": ((1.0, 2.0),)},
    "signs": {"signs": (2,)},
    "poles": {"poles": (0.0,)},
    "read": {"read": ((math.nan,),)},
    "amplitudes": {"amplitudes": (1.0, 2.0)},
    "period": {"period": 1},
}


@pytest.mark.parametrize("name", BAD)
def test_bad_designs_are_refused(name: str) -> None:
    good = {
        "frames": 8,
        "period": 16,
        "symbol": (1.0,) * 9,
        "halves": ((0.5, 0.0, 0.0, 0.0),),
        "signs": (1,),
        "read": ((1.0,),),
        "poles": (1.0,),
        "amplitudes": (0.1,),
    }
    assert BoundaryCorrection(**good).rank == 1
    with pytest.raises(ArgumentError, match=f"{name}="):
        BoundaryCorrection(**(good | BAD[name]))
