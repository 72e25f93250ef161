"""Enclosures of the spectrum: they contain every eigenvalue, and they are not generous."""

from __future__ import annotations

import math
from itertools import pairwise

import mpmath as mp
import numpy as np
import plan_oracles as oracle
import pytest
import scipy.linalg
import strategies as our
import tolerances as tol
from hypothesis import given, settings
from hypothesis import strategies as st

from unroll import Exponential, GaussianProcess, Kernel, Logarithmic, Polynomial
from unroll.spectrum import Spectrum, enclose, spatial_bounds, temporal_bounds

REGIMES = [
    Exponential(8.0),
    Exponential(3.0, 0.5),
    Exponential(2.0, 1.5),
    Exponential(30.0, 2.0),
    Polynomial(8.0, 2.0),
    Polynomial(8.0, 0.5),
    Logarithmic(8.0, 1.0),
]
every_regime = pytest.mark.parametrize("kernel", REGIMES, ids=str)


@given(our.problems(max_frames=32, max_channels=4))
def test_enclosure_contains_the_dense_spectrum(gp: GaussianProcess) -> None:
    dense = np.kron(oracle.temporal_cov(gp.kernel, gp.frames), gp.spatial_cov)
    values = scipy.linalg.eigvalsh(dense)
    slack = tol.eigenvalue(len(dense), values[-1])
    spectrum = enclose(gp.kernel, gp.frames, gp.spatial_cov)
    assert 0 <= spectrum.lower <= values[0] + slack
    assert values[-1] - slack <= spectrum.upper


@given(our.problems(max_frames=12, max_channels=3), our.diffusion_times(1e-12, 100.0))
def test_noisy_spectrum_contains_that_of_the_noisy_covariance(
    gp: GaussianProcess, t: float
) -> None:
    lower, upper = enclose(gp.kernel, gp.frames, gp.spatial_cov).noisy(t)
    dense = oracle.noisy_cov(gp, t)
    values = scipy.linalg.eigvalsh(dense)
    slack = tol.eigenvalue(len(dense), values[-1])
    assert 0 < lower <= values[0] + slack
    assert values[-1] - slack <= upper


@every_regime
@pytest.mark.parametrize("frames", [1, 2, 7, 20])
def test_enclosure_at_fifty_digits_without_slack(kernel: Kernel, frames: int) -> None:
    """The true covariance, not its float64 neighbour."""
    rng = np.random.default_rng(frames)
    root = rng.standard_normal((2, 2))
    spatial = root @ root.T + 0.1 * np.eye(2)
    spatial = (spatial + spatial.T) / 2
    length = mp.mpf(kernel.length_scale)

    def gamma(lag: int) -> mp.mpf:
        if isinstance(kernel, Exponential):
            return mp.exp(-((lag / length) ** kernel.exponent))
        if isinstance(kernel, Polynomial):
            return (1 + lag / length) ** -mp.mpf(kernel.power)
        return (1 + mp.log(1 + lag / length)) ** -mp.mpf(kernel.power)

    with mp.workdps(50):
        temporal = mp.matrix(frames, frames)
        for i in range(frames):
            for j in range(frames):
                temporal[i, j] = gamma(abs(i - j))
        gammas = sorted(mp.eigsy(temporal, eigvals_only=True))
        mus = sorted(mp.eigsy(mp.matrix(spatial.tolist()), eigvals_only=True))
        low, high = temporal_bounds(kernel, frames)
        assert low <= gammas[0] * (1 + mp.mpf("1e-40"))
        assert gammas[-1] <= high
        low, high = spatial_bounds(spatial)
        assert low <= mus[0]
        assert mus[-1] <= high
        spectrum = enclose(kernel, frames, spatial)
        assert spectrum.lower <= gammas[0] * mus[0] * (1 + mp.mpf("1e-40"))
        assert gammas[-1] * mus[-1] <= spectrum.upper


@every_regime
@pytest.mark.parametrize("frames", [1, 64, 512])
def test_upper_end_is_sharp(kernel: Kernel, frames: int) -> None:
    """Forty steps of the power method leave at most 0.5 %."""
    matrix = scipy.linalg.toeplitz([oracle.autocov(kernel, lag) for lag in range(frames)])
    largest = scipy.linalg.eigvalsh(matrix, subset_by_index=[frames - 1, frames - 1])[0]
    _, upper = temporal_bounds(kernel, frames)
    assert largest - tol.eigenvalue(frames, largest) <= upper <= 1.005 * largest


@pytest.mark.parametrize("kernel", [Exponential(8.0), Polynomial(8.0, 0.5), Logarithmic(8.0, 1.0)])
def test_lower_end_is_sharp(kernel: Kernel) -> None:
    matrix = scipy.linalg.toeplitz([oracle.autocov(kernel, lag) for lag in range(512)])
    smallest = scipy.linalg.eigvalsh(matrix, subset_by_index=[0, 0])[0]
    lower, _ = temporal_bounds(kernel, 512)
    assert lower <= smallest <= 1.001 * lower


@every_regime
@pytest.mark.parametrize("frames", [1, 2, 7, 64])
def test_lower_end_is_exact_for_short_sequences(kernel: Kernel, frames: int) -> None:
    values = scipy.linalg.eigvalsh(oracle.temporal_cov(kernel, frames))
    lower, _ = temporal_bounds(kernel, frames)
    assert lower >= values[0] - 2 * tol.eigenvalue(frames, values[-1])


@given(our.kernels(), st.integers(1, 32))
def test_one_is_always_inside(kernel: Kernel, frames: int) -> None:
    """The trace is N: the mean eigenvalue is one."""
    lower, upper = temporal_bounds(kernel, frames)
    assert lower <= 1 <= upper


@pytest.mark.parametrize("kernel", [Exponential(1e-300), Polynomial(1e-12, 3.0)], ids=str)
def test_short_memory_leaves_one_point(kernel: Kernel) -> None:
    lower, upper = temporal_bounds(kernel, 50)
    assert 1 - 1e-9 <= lower <= 1 <= upper <= 1 + 1e-9


@pytest.mark.parametrize("kernel", [Exponential(1e200), Polynomial(1e200, 1.0)], ids=str)
def test_endless_memory_is_singular(kernel: Kernel) -> None:
    lower, upper = temporal_bounds(kernel, 50)
    assert 0 <= lower <= 1e-12
    assert 50 <= upper <= 50 * (1 + 1e-12)


@given(our.problems(max_frames=8), st.lists(our.diffusion_times(), min_size=1, max_size=5))
def test_noisy_takes_arrays_and_condition_number_falls(
    gp: GaussianProcess, times: list[float]
) -> None:
    spectrum = enclose(gp.kernel, gp.frames, gp.spatial_cov)
    lower, upper = spectrum.noisy(np.array(times))
    for t, low, high in zip(times, lower, upper, strict=True):
        assert (low, high) == pytest.approx(spectrum.noisy(t), rel=tol.FORMULA)
        assert spectrum.condition_number(t) == pytest.approx(high / low, rel=tol.FORMULA)
    falling = [spectrum.condition_number(t) for t in sorted(times)]
    for early, late in pairwise(falling):
        assert late <= early * (1 + tol.FORMULA)


@settings(max_examples=25)
@given(our.problems(max_frames=8, max_channels=2), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_widened_contains_perturbed_spectra(gp: GaussianProcess, seed: int, radius: float) -> None:
    dense = np.kron(gp.temporal_cov, gp.spatial_cov)
    noise = np.random.default_rng(seed).standard_normal(dense.shape)
    noise += noise.T
    noise *= radius / np.linalg.norm(noise, 2)
    values = scipy.linalg.eigvalsh(dense + noise)
    wide = enclose(gp.kernel, gp.frames, gp.spatial_cov).widened(radius)
    slack = tol.eigenvalue(len(dense), values[-1] + radius)
    assert wide.lower <= values[0] + slack
    assert values[-1] - slack <= wide.upper


def test_widened_can_be_indefinite() -> None:
    wide = Spectrum(0.5, 2.0).widened(1.0)
    assert (wide.lower, wide.upper) == (-0.5, 3.0)
    lower, _ = wide.noisy(0.01)
    assert lower == pytest.approx(-0.5 * math.exp(-0.01) - math.expm1(-0.01))
