"""Spectra of the preconditioned system: dense, by Lanczos, and by an independent oracle."""

from __future__ import annotations

import math

import numpy as np
import pytest
import strategies as our
import tolerances as tol
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.linalg import eigh, toeplitz

from unroll import CircleExponential, DampedCosine, Exponential, Kernel, Logarithmic, Polynomial
from unroll.errors import ArgumentError
from unroll.methods.embedding import block_product, embed, toeplitz_symbol
from unroll.methods.outliers import Outliers, find_outliers
from unroll.methods.pencil import dense_half, lanczos_half

REGIMES = [
    Exponential(8.0, 1.0),
    Exponential(8.0, 0.5),
    Exponential(8.0, 1.5),
    Polynomial(8.0, 2.0),
    Polynomial(8.0, 0.5),
    Logarithmic(8.0, 1.0),
    Logarithmic(8.0, 2.0),
]
every_regime = pytest.mark.parametrize("kernel", REGIMES, ids=repr)


def circulant_block(symbol: np.ndarray, period: int, frames: int) -> np.ndarray:
    """Leading block of the circulant, by its definition as a sum of cosines."""
    row = np.zeros(frames)
    for m, value in enumerate(symbol):
        twice = 1 if m == 0 or 2 * m == period else 2
        row += twice * value * np.cos(2 * np.pi * m * np.arange(frames) / period) / period
    return np.asarray(toeplitz(row))


def clipped(kernel: Kernel, period: int) -> bool:
    """Whether the circulant of that period is indefinite, beyond rounding."""
    lags = np.arange(period)
    values = np.fft.fft(kernel.autocov(np.minimum(lags, period - lags))).real
    return bool(values.min() < -1e-12 * values.max())


def system(kernel: Kernel, frames: int, x: float) -> tuple[np.ndarray, np.ndarray]:
    """A = Gamma + x I and P, entry by entry."""
    period, symbol = embed(kernel, frames)
    lags = np.abs(np.subtract.outer(np.arange(frames), np.arange(frames)))
    noisy = np.asarray(kernel.autocov(lags)) + x * np.eye(frames)
    return noisy, circulant_block(1 / (symbol + x), period, frames)


# --- embedding


@given(kernel=our.kernels(24), frames=st.integers(1, 24))
def test_the_covariance_is_a_block_of_the_circulant(kernel: Kernel, frames: int) -> None:
    period, symbol = embed(kernel, frames)
    assert period >= 2 * frames
    assert symbol.shape == (period // 2 + 1,)
    assert symbol.min() >= 0
    if not isinstance(kernel, CircleExponential):
        assert period & (period - 1) == 0
    lags = np.arange(period)
    row = kernel.autocov(np.minimum(lags, period - lags))
    values = [math.fsum(row * np.cos(2 * np.pi * m * lags / period)) for m in range(len(symbol))]
    # eigenvalues may be negative, and then are set to 0
    np.testing.assert_allclose(symbol, np.maximum(values, 0), atol=1e-12 * period, rtol=0)


def test_a_circulant_that_is_not_positive_is_made_larger() -> None:
    """The Gaussian kernel that has not decayed at the wrap has a kink there."""
    assert embed(Exponential(8.0, 1.0), 32)[0] == 64
    period, _ = embed(Exponential(32.0, 2.0), 32)
    assert period > 64
    lags = np.arange(64)
    row = Exponential(32.0, 2.0).autocov(np.minimum(lags, 64 - lags))
    assert np.fft.fft(row).real.min() < -1e-3


def test_a_circle_keeps_its_period_and_refuses_too_many_frames() -> None:
    kernel = CircleExponential(8.0, 1.0, period=101)
    assert embed(kernel, 50)[0] == 101
    with pytest.raises(ArgumentError, match="period"):
        embed(kernel, 51)


@given(st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_products_by_fft_are_products(frames: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    column, vectors = rng.standard_normal(frames), rng.standard_normal((3, frames))
    period, symbol = toeplitz_symbol(column)
    expected = [[math.fsum(column[abs(i - j)] * v[j] for j in range(frames)) for i in range(frames)]
                for v in vectors]  # fmt: skip
    got = block_product(symbol, period, vectors)
    np.testing.assert_allclose(got, expected, atol=64 * tol.EPS * frames, rtol=0)


# --- eigenvalues


@given(kernel=our.kernels(20), frames=st.integers(1, 20), x=our.log_uniform(1e-2, 1e2))
def test_dense_halves_are_the_spectrum(kernel: Kernel, frames: int, x: float) -> None:
    """Against scipy's solver of A P A v = h A v; at least 1 where the circulant is definite."""
    noisy, inverse = system(kernel, frames, x)
    period, symbol = embed(kernel, frames)
    column = kernel.autocov(np.arange(frames))
    condition = np.linalg.cond(noisy) * np.linalg.cond(inverse)
    values, vectors = eigh(noisy @ inverse @ noisy, noisy)
    found = [dense_half(column, 1 / (symbol + x), period, x, sign) for sign in (1, -1)]
    excess = np.concatenate([part.excess for part in found])
    allowed = tol.solve(frames, condition) * values[-1]
    np.testing.assert_allclose(np.sort(1 + excess), values, atol=allowed, rtol=0)
    assert excess.min() >= -allowed or clipped(kernel, period)
    weights = np.concatenate([part.weights for part in found])
    trace = np.trace(np.linalg.inv(noisy))
    assert abs(weights.sum() / trace - 1) <= tol.solve(frames, condition)
    for sign, part in zip((1, -1), found, strict=True):
        if len(part.excess):
            top, h = part.top, 1 + part.excess[0]
            np.testing.assert_allclose(top, sign * top[::-1], atol=1e-12 * np.abs(top).max())
            gap = noisy @ (inverse @ top) - h * top  # A P (A v) = h A v
            assert np.linalg.norm(gap) <= allowed * np.linalg.norm(top) * condition**0.5
    assert vectors.shape == (frames, frames)


@every_regime
@pytest.mark.parametrize("x", [0.01, 1.0])
def test_lanczos_finds_the_outliers_of_both_halves(kernel: Kernel, x: float) -> None:
    frames = 192
    period, symbol = embed(kernel, frames)
    column, gates = kernel.autocov(np.arange(frames)), 1 / (symbol + x)
    for sign in (1, -1):
        dense = dense_half(column, gates, period, x, sign)
        found = lanczos_half(column, gates, period, x, sign)
        largest = dense.excess > 1e-3
        assert largest.any()
        count = int(largest.sum())
        for name in ("excess", "weights"):
            expected = getattr(dense, name)[:count]
            got = getattr(found, name)[:count]
            np.testing.assert_allclose(got, expected, rtol=1e-7, atol=tol.LANCZOS)
        cosine = abs(found.top @ dense.top) / np.linalg.norm(found.top) / np.linalg.norm(dense.top)
        assert cosine >= 1 - tol.LANCZOS


@every_regime
def test_the_list_of_outliers_predicts_the_error_of_the_whole_spectrum(kernel: Kernel) -> None:
    """The traces replace the eigenvalues that Lanczos leaves out."""
    frames, x = 192, 0.01
    period, symbol = embed(kernel, frames)
    column, gates = kernel.autocov(np.arange(frames)), 1 / (symbol + x)
    listed = find_outliers(column, gates, period, x)
    assert len(listed.excess) < frames / 2
    assert -tol.LANCZOS <= listed.remainder <= 1e-2
    halves = [dense_half(column, gates, period, x, sign) for sign in (1, -1)]
    h = 1 + np.concatenate([part.excess for part in halves])
    w = np.concatenate([part.weights for part in halves])
    # what is left has eigenvalues of at most 1 + remainder, as the sum of all of them says
    assert abs(listed.weights.sum() / w.sum() - 1) <= listed.remainder + tol.LANCZOS
    for steps in (1, 2, 3, 4):
        sizes = 1 / listed.best_roots(steps)
        residual = np.array([math.prod(1 - eta * value for eta in sizes) for value in h])
        expected = math.sqrt(math.fsum(w * residual**2) / math.fsum(w))
        assert abs(listed.error(sizes) - expected) <= 1e-3 * expected + 1e-12


@given(
    kernel=our.kernels(16),
    frames=st.integers(2, 16),
    x=our.log_uniform(1e-2, 10.0),
    ratio=our.log_uniform(1.01, 100.0),
)
def test_eigenvalues_fall_with_the_noise_but_not_fast(
    kernel: Kernel, frames: int, x: float, ratio: float
) -> None:
    """1 - 1/h_i are the eigenvalues of A^{-1} F D^{-1} F^T, with A and D growing with x; and with
    theta = (f_min + x') / (f_min + x) both P and A change by the factor theta at most."""
    period, symbol = embed(kernel, frames)
    assume(not clipped(kernel, period))
    column = kernel.autocov(np.arange(frames))
    spectra = []
    for noise in (x, ratio * x):
        found = find_outliers(column, 1 / (symbol + noise), period, noise)
        spectra.append(np.sort(1 + found.excess))
    lowest = np.maximum(np.linalg.eigvalsh(toeplitz(column))[0], 0)
    slack = 1 + 1e-9 * (column.sum() / (lowest + x) + 1)
    theta = (symbol.min() + ratio * x) / (symbol.min() + x)
    assert np.all(spectra[1] <= spectra[0] * slack)
    assert np.all(spectra[1] * theta >= spectra[0] / slack)


def test_outliers_of_fast_decay_stay_and_those_of_slow_decay_move() -> None:
    """So step sizes are designed at the length itself, and not at a shorter one."""

    def largest(kernel: Kernel, frames: int, count: int) -> np.ndarray:
        period, symbol = embed(kernel, frames)
        column = kernel.autocov(np.arange(frames))
        found = find_outliers(column, 1 / (symbol + 0.01), period, 0.01)
        return np.sort(found.excess)[: -count - 1 : -1]

    for kernel in (Exponential(8.0, 1.0), Exponential(8.0, 1.5)):
        moved = largest(kernel, 1024, 4) - largest(kernel, 256, 4)
        assert np.abs(moved).max() <= 1e-8
    kernel = Polynomial(8.0, 2.0)
    assert np.abs(largest(kernel, 1024, 2) / largest(kernel, 256, 2) - 1).max() <= 2e-3
    kernel = Logarithmic(8.0, 1.0)
    assert largest(kernel, 1024, 3)[2] >= 1.5 * largest(kernel, 256, 3)[2]


# --- best roots


@given(
    excess=st.lists(our.log_uniform(1e-3, 10.0), min_size=3, max_size=9, unique=True),
    steps=st.integers(1, 2),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_polynomial_is_better_than_the_best(excess: list[float], steps: int, seed: int) -> None:
    """The minimum over q of sum w (1 - h q(h))^2 is a linear least squares problem."""
    rng = np.random.default_rng(seed)
    z, w = np.array(excess), rng.uniform(0.1, 1.0, len(excess))
    spectrum = Outliers(z, w, np.zeros(len(z), bool), 0.0)
    roots = spectrum.best_roots(steps)
    assert np.all(np.diff(roots) < 0)
    assert np.all((roots >= 1) & (roots <= 1 + z.max()))
    columns = np.stack([(1 + z) ** (k + 1) for k in range(steps)], axis=1)
    root = np.sqrt(w)
    q = np.linalg.lstsq(root[:, None] * columns, root, rcond=None)[0]
    expected = math.sqrt(float(np.sum(w * (1 - columns @ q) ** 2) / w.sum()))
    assert abs(spectrum.error(1 / roots) - expected) <= 1e-9
    given_root = 1 + z[:1]
    tied = spectrum.best_roots(steps, given_root)
    free = spectrum.error(1 / spectrum.best_roots(steps + 1))
    assert spectrum.error(1 / np.append(given_root, tied)) >= free - 1e-9


@settings(max_examples=10)
@given(length=our.log_uniform(0.5, 64.0), wave=our.log_uniform(3.0, 30.0))
def test_signed_kernels_are_embedded_too(length: float, wave: float) -> None:
    kernel, frames, x = DampedCosine(length, wave), 16, 0.5
    period, symbol = embed(kernel, frames)
    found = find_outliers(kernel.autocov(np.arange(frames)), 1 / (symbol + x), period, x)
    noisy, inverse = system(kernel, frames, x)
    expected = np.sort(np.linalg.eigvals(inverse @ noisy).real)
    np.testing.assert_allclose(np.sort(1 + found.excess), expected, rtol=1e-9)
