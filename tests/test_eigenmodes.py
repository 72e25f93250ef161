"""The direct method: exact with all eigenmodes, and how far off with fewer."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import strategies as our
import tolerances as tol
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import toeplitz

from unroll import Exponential, GaussianProcess, Kernel, Polynomial
from unroll.errors import ArgumentError
from unroll.methods.eigenmodes import Eigenmodes, temporal_modes

SPATIAL = np.array([[1.0, 0.4], [0.4, 0.7]])
MU = np.linalg.eigvalsh(SPATIAL)


def exact_error(modes: Eigenmodes, kernel: Kernel, frames: int, mu: np.ndarray, t: float) -> float:
    """E|e|^2 / E|s|^2 with V ~ p_t, a loop over modes and channels."""
    values = np.linalg.eigvalsh(toeplitz(kernel.autocov(np.arange(frames))))[::-1]
    left, total = [], []
    for value in mu:
        for m, eigenvalue in enumerate(values):
            noisy = math.exp(-t) * value * max(eigenvalue, 0.0) - math.expm1(-t)
            gate = 1 / noisy
            if m >= len(modes.values):
                assert modes.floor is not None
                gate = 1 / (math.exp(-t) * value * modes.floor - math.expm1(-t))
            left.append((1 - gate * noisy) ** 2 / noisy)
            total.append(1 / noisy)
    return math.sqrt(math.fsum(left) / math.fsum(total))


@given(
    problem=our.problems(max_frames=12), t=our.diffusion_times(0.01, 5.0), seed=st.integers(0, 99)
)
def test_all_modes_give_the_score(problem: GaussianProcess, t: float, seed: int) -> None:
    """Against a dense solve of the Kronecker system."""
    gp = problem
    b = np.random.default_rng(seed).standard_normal((3, gp.frames, gp.channels))
    column = gp.kernel.autocov(np.arange(gp.frames))
    noisy = math.exp(-t) * np.kron(toeplitz(column), gp.spatial_cov)
    noisy -= math.expm1(-t) * np.eye(len(noisy))
    expected = -np.linalg.solve(noisy, b.reshape(3, -1).T).T.reshape(b.shape)
    modes = Eigenmodes.design(gp.kernel, gp.frames)
    assert modes.floor is None
    assert len(modes.values) == gp.frames
    _, vectors = temporal_modes(gp.kernel, gp.frames)
    score = modes.run(vectors, gp.spatial_cov, b, t)
    allowed = tol.solve(len(noisy), np.linalg.cond(noisy)) * np.abs(expected).max()
    np.testing.assert_allclose(score, expected, atol=allowed, rtol=0)
    mu = np.linalg.eigvalsh(gp.spatial_cov)
    assert modes.bound(mu, t) == modes.relative_error(gp.kernel, gp.frames, mu, t) == 0.0


@given(
    kernel=our.kernels(16),
    frames=st.integers(2, 16),
    kept=st.integers(0, 15),
    t=our.diffusion_times(0.01, 5.0),
    later=our.log_uniform(1.0, 10.0),
)
def test_the_error_of_fewer_modes_is_exact_and_below_its_bound(
    kernel: Kernel, frames: int, kept: int, t: float, later: float
) -> None:
    modes = Eigenmodes.design(kernel, frames, min(kept, frames - 1))
    bound = modes.bound(MU, t)
    for time in (t, later * t):
        error = modes.relative_error(kernel, frames, MU, time)
        assert error == pytest.approx(exact_error(modes, kernel, frames, MU, time), abs=1e-13)
        assert error <= bound * (1 + 1e-12) + 1e-14
    assert modes.bound(MU, later * t) <= bound * (1 + 1e-12), "the bound falls with t"


def test_the_bound_is_attained_where_only_its_ends_are_dropped() -> None:
    """Two frames and no mode kept: 1 + gamma and 1 - gamma are both off by the bound."""
    kernel, t = Exponential(3.0, 1.0), 0.2
    modes = Eigenmodes.design(kernel, 2, 0)
    gamma = math.exp(-1 / 3)
    expected = gamma / (1 + math.expm1(t) / 2.5)
    assert modes.bound([2.5], t) == pytest.approx(expected)
    assert modes.relative_error(kernel, 2, [2.5], t) == pytest.approx(expected)


@given(
    low=our.log_uniform(1e-3, 1.0), ratio=our.log_uniform(1.001, 1e3), other=st.floats(-0.5, 0.5)
)
def test_no_other_multiple_of_the_identity_has_a_smaller_largest_residual(
    low: float, ratio: float, other: float
) -> None:
    high = low * ratio
    modes = Eigenmodes((), (low, high))
    assert modes.floor is not None

    def largest(gate: float) -> float:
        return max(abs(1 - gate * end) for end in (low, high))

    assert largest(1 / modes.floor) <= largest((1 + other) / modes.floor) + tol.FORMULA
    assert largest(1 / modes.floor) == pytest.approx((high - low) / (high + low))


@given(kept=st.integers(0, 11), seed=st.integers(0, 99))
def test_the_score_of_fewer_modes_by_a_loop(kept: int, seed: int) -> None:
    """Rank-one heads one after the other; two sequences at two diffusion times."""
    kernel, frames, times = Polynomial(3.0, 1.5), 12, np.array([0.03, 1.2])
    modes = Eigenmodes.design(kernel, frames, kept)
    assert modes.floor is not None
    _, vectors = temporal_modes(kernel, frames)
    mu, rotation = np.linalg.eigh(SPATIAL)
    b = np.random.default_rng(seed).standard_normal((2, frames, 2))
    got = modes.run(vectors[:, :kept], SPATIAL, b, times)
    for one, t in enumerate(times):
        signal, noise = math.exp(-t), -math.expm1(-t)
        right = b[one] @ rotation
        floor = 1 / (signal * modes.floor * mu + noise)
        score = -floor * right
        for m in range(kept):
            gate = 1 / (signal * modes.values[m] * mu + noise) - floor
            score = score - np.outer(vectors[:, m], gate * (vectors[:, m] @ right))
        np.testing.assert_allclose(got[one], score @ rotation.T, atol=1e-11)


@given(kernel=our.kernels(16), frames=st.integers(1, 16), target=our.log_uniform(1e-8, 0.5))
def test_the_smallest_number_of_modes_is_the_smallest(
    kernel: Kernel, frames: int, target: float
) -> None:
    modes = Eigenmodes.smallest(kernel, frames, MU, 0.05, target)
    assert modes.bound(MU, 0.05) <= target
    kept = len(modes.values)
    if kept:
        assert Eigenmodes.design(kernel, frames, kept - 1).bound(MU, 0.05) > target
    bounds = [Eigenmodes.design(kernel, frames, r).bound(MU, 0.05) for r in range(frames + 1)]
    assert bounds == sorted(bounds, reverse=True)


def test_a_smooth_kernel_needs_few_modes_and_a_rough_one_all_of_them() -> None:
    smooth = Eigenmodes.smallest(Exponential(16.0, 2.0), 64, MU, 0.01, 1e-6)
    assert len(smooth.values) <= 16
    rough = Eigenmodes.smallest(Exponential(16.0, 1.0), 64, MU, 0.01, 1e-6)
    assert len(rough.values) == 64 - 1, "a single mode left over is served exactly"
    assert rough.bound(MU, 0.01) == 0.0


def test_measured_on_samples() -> None:
    """Few modes, at the hardest time: the error on draws is the predicted one."""
    gp = GaussianProcess(Exponential(8.0, 2.0), 32, SPATIAL)
    modes, t = Eigenmodes.design(gp.kernel, 32, 8), 0.01
    v = np.asarray(gp.sample_noisy(2000, t=t, rng=3))
    _, vectors = temporal_modes(gp.kernel, 32)
    exact = np.asarray(gp.score(v, t))
    score = modes.run(vectors[:, :8], SPATIAL, v, t)
    measured = math.sqrt(np.sum((score - exact) ** 2) / np.sum(exact**2))
    predicted = modes.relative_error(gp.kernel, 32, MU, t)
    # the error sits in a few modes of two channels
    assert measured == pytest.approx(predicted, rel=tol.SIGMAS / math.sqrt(2 * 2 * 2000))
    assert predicted <= modes.bound(MU, t)


@pytest.mark.parametrize("kept", [0, 3, 8])
def test_modes_survive_json(kept: int) -> None:
    modes = Eigenmodes.design(Exponential(4.0, 1.0), 8, kept)
    assert Eigenmodes.from_dict(json.loads(json.dumps(modes.to_dict()))) == modes


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("modes", lambda: Eigenmodes.design(Exponential(4.0, 1.0), 8, 9)),
        ("frames", lambda: Eigenmodes.design(Exponential(4.0, 1.0), 0)),
        ("values", lambda: Eigenmodes((1.0, 2.0))),
        ("values", lambda: Eigenmodes((1.0, -2.0))),
        ("values", lambda: Eigenmodes(())),
        ("dropped", lambda: Eigenmodes((1.0,), (0.1, 1.5))),
        ("dropped", lambda: Eigenmodes((1.0,), (0.5, 0.1))),
        ("tol", lambda: Eigenmodes.smallest(Exponential(4.0, 1.0), 8, MU, 0.01, 0.0)),
        ("spatial_eigenvalues", lambda: Eigenmodes((1.0,), (0.1, 0.5)).bound([0.0], 0.1)),
        ("t_min", lambda: Eigenmodes((1.0,), (0.1, 0.5)).bound([1.0], 0.0)),
        ("vectors", lambda: Eigenmodes((1.0,)).run(np.eye(3), [[1.0]], np.ones((3, 1)), 0.1)),
        ("b", lambda: Eigenmodes((1.0,)).run(np.eye(3)[:, :1], [[1.0]], np.ones((4, 1)), 0.1)),
        ("frames", lambda: Eigenmodes((3.0, 2.0, 1.0)).relative_error(
            Exponential(4.0, 1.0), 2, [1.0], 0.1)),
    ],
)  # fmt: skip
def test_bad_input_is_refused_by_name(name: str, call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ArgumentError, match=rf"^{name}="):
        call()
