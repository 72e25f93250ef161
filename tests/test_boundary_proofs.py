"""What the certificates of the boundary-corrected inverse symbol are made of."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
import scipy.linalg
from flint import arb

from proofs_check.balls import ball_matrix, precision, round_up
from proofs_check.boundary_heads import BoundaryHeads
from proofs_check.boundary_rate import boundary_rate
from proofs_check.certificate import CertificateError
from proofs_check.float_error import weighted_square
from proofs_check.preconditioned_spectrum import PreconditionedSpectrum
from unroll import Exponential, GaussianProcess, Kernel, Logarithmic, Polynomial
from unroll.methods.embedding import embed
from unroll.rounding_boundary import guaranteed_boundary_rounding
from unroll.spectrum import enclose

BITS = 128
LOW, HIGH = math.log(0.05), math.log(6.0)


class Problem:
    """A circulant and a few rank-one heads, with dense matrices beside them."""

    def __init__(self, kernel: Kernel, frames: int, *, heads: int, size: float, seed: int = 0):
        rng = np.random.default_rng(seed)
        self.kernel, self.frames = kernel, frames
        self.period, self.symbol = embed(kernel, frames)
        self.ends = np.linalg.qr(rng.standard_normal((frames, min(3, frames))))[0]
        self.read = rng.standard_normal((self.ends.shape[1], heads))
        self.read /= np.linalg.norm(self.read, axis=0)
        self.poles = rng.uniform(0.9 * self.symbol.min(), 2.0, heads)
        self.amplitudes = size * rng.standard_normal(heads)

    def dense(self, x: float) -> tuple[np.ndarray, np.ndarray]:
        """``A`` and ``B``, the preconditioner by a loop over frequencies."""
        n, c = self.frames, self.period
        lags = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
        a = np.array([self.kernel.autocov(k) for k in range(n)])[lags] + x * np.eye(n)
        b = np.zeros((n, n))
        for m in range(c):
            gate = 1 / (self.symbol[min(m, c - m)] + x)
            b += gate * np.cos(2 * np.pi * m * lags / c) / c
        for p, rho, direction in zip(self.poles, self.amplitudes, self.read.T, strict=True):
            v = self.ends @ direction
            b += rho / (x + p) * np.outer(v, v)
        return a, b

    def error(self, x: float) -> float:
        """Relative root mean square, by the square root of ``A``."""
        a, b = self.dense(x)
        inverse = np.linalg.inv(a)
        miss = (b - inverse) @ scipy.linalg.sqrtm(a)
        return float(np.linalg.norm(miss) / math.sqrt(np.trace(inverse)))

    def balls(self) -> tuple[PreconditionedSpectrum, BoundaryHeads]:
        spectrum = PreconditionedSpectrum.of(
            self.kernel, self.frames, None, [float(f) for f in self.symbol], self.period
        )
        heads = BoundaryHeads.of(
            spectrum.column,
            ball_matrix(self.ends),
            ball_matrix(self.read),
            [arb(float(p)) for p in self.poles],
            [arb(float(rho)) for rho in self.amplitudes],
        )
        return spectrum, heads


KERNELS = [Exponential(4.0), Polynomial(4.0, 1.0), Logarithmic(4.0, 1.0)]
every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=repr)


@every_kernel
@pytest.mark.parametrize("frames", [1, 2, 7, 12])
def test_the_error_at_one_noise(kernel: Kernel, frames: int) -> None:
    problem = Problem(kernel, frames, heads=4, size=0.1)
    with precision(BITS):
        spectrum, heads = problem.balls()
        for x in (0.05, 0.7, 6.0):
            ball = weighted_square(heads.residual(arb(x), spectrum.halves(arb(x))))
            assert ball.rad() <= 1e-11 * (1 + float(ball))
            assert abs(float(ball) - problem.error(x) ** 2) <= 1e-11 * (1 + float(ball))


def test_an_error_far_below_its_parts() -> None:
    """Two heads of huge amplitudes that all but cancel: float64 alone would see rounding only."""
    problem = Problem(Exponential(4.0), 8, heads=2, size=1.0)
    problem.read[:, 1] = problem.read[:, 0]
    problem.poles[:] = 0.5, 0.5 + 2.0**-40
    problem.amplitudes[:] = 2.0**40, -(2.0**40)
    x = 0.25
    with precision(200):
        heads = problem.balls()[1]
        found = heads.middle(arb(x))
    with mp.workdps(60):
        weight = mp.mpf(2) ** 40 / (x + mp.mpf(problem.poles[0]))
        weight -= mp.mpf(2) ** 40 / (x + mp.mpf(problem.poles[1]))
        exact = weight * mp.mpf(problem.read[1, 0]) ** 2
        assert abs(mp.mpf(found[1, 1].mid().str(40, radius=False)) - exact) <= 1e-25
    assert float(weight) == pytest.approx(1 / 0.75**2, rel=1e-9)


@every_kernel
@pytest.mark.parametrize("size", [0.0, 0.3])
def test_the_error_over_a_range_of_noise(kernel: Kernel, size: float) -> None:
    problem = Problem(kernel, 9, heads=3, size=size)
    with precision(BITS):
        bound = round_up(boundary_rate(*problem.balls(), LOW, HIGH, 1e-3))
    seen = max(problem.error(math.exp(y)) for y in np.linspace(LOW, HIGH, 60))
    assert seen <= bound * (1 + 1e-12)
    assert bound <= 1.03 * seen + 2e-5


def test_heads_are_part_of_what_surrounds_the_range() -> None:
    problem = Problem(Exponential(4.0), 6, heads=5, size=2.0)
    with precision(BITS):
        heads = problem.balls()[1]
        bound = round_up(heads.size(0.1, 2.0))
        share = round_up(heads.share(arb("0.3"), arb("0.1"), arb("0.5")))
    sums, shares = [], []
    for x in np.geomspace(0.1, 2.0, 40):
        a = problem.dense(x)[0]
        vectors = (problem.ends @ problem.read).T
        terms = zip(problem.poles, np.abs(problem.amplitudes), vectors, strict=True)
        sums.append(sum(rho * (v @ a @ v) / (x + p) for p, rho, v in terms))
        terms = zip(problem.poles, np.abs(problem.amplitudes), vectors, strict=True)
        shares.append(sum(rho * (v @ v) * (x + 0.2) / (x + 0.5 * p) for p, rho, v in terms))
    assert max(sums) <= bound <= 2 * max(sums)
    assert max(shares) <= share <= 2 * max(shares)


def test_poles_that_noise_may_reach_are_refused() -> None:
    problem = Problem(Exponential(4.0), 5, heads=2, size=0.1)
    problem.poles[1] = -0.01
    with precision(BITS), pytest.raises(CertificateError, match="poles: are not shown"):
        boundary_rate(*problem.balls(), LOW, HIGH, 1e-3)


def test_rounding_stays_below_its_bound_in_float32() -> None:
    problem = Problem(Exponential(4.0), 24, heads=30, size=3.0)
    spatial, t = np.array([[1.0, 0.3], [0.3, 0.5]]), 0.1
    mean = np.full((24, 2), 3.0)
    gp = GaussianProcess(problem.kernel, 24, spatial, mean)
    mu, rotation = np.linalg.eigh(spatial)
    bound = guaranteed_boundary_rounding(
        gp,
        enclose(gp.kernel, 24, spatial),
        period=problem.period,
        symbol=problem.symbol,
        ends=problem.ends,
        read=problem.read,
        poles=problem.poles,
        amplitudes=problem.amplitudes,
        t_min=t,
        dtype="float32",
    )
    a2, noise, c = math.exp(-t), -math.expm1(-t), problem.period
    turns = np.arange(c // 2 + 1)[:, None] * np.arange(24) / c
    weights = np.where((turns[:, 1] == 0) | (turns[:, 1] == 0.5), 1, 2) / c
    v = gp.sample_noisy(64, t, rng=0)

    def run(kind: str) -> np.ndarray:
        def rounded(array: object) -> np.ndarray:
            return np.asarray(array).astype(kind)

        b = rounded(v) @ rounded(rotation)
        b = b - rounded(math.sqrt(a2)) * rounded(mean @ rotation)
        waves = [rounded(f(2 * np.pi * turns)) for f in (np.cos, np.sin)]
        gates = rounded(weights[:, None] / (a2 * problem.symbol[:, None] * mu + noise))
        s = -sum(f.T @ (gates * (f @ b)) for f in waves)
        vectors = rounded(problem.ends) @ rounded(problem.read)
        gates = rounded(problem.amplitudes[:, None] / (a2 * problem.poles[:, None] * mu + noise))
        return np.asarray((s - vectors @ (gates * (vectors.T @ b))) @ rounded(rotation.T))

    covariance = a2 * np.kron(problem.dense(0.0)[0], spatial) + noise * np.eye(48)
    centred = (v - math.sqrt(a2) * mean).reshape(64, 48)
    score = np.linalg.solve(covariance, centred.T)
    seen = np.linalg.norm(run("float32") - run("float64")) / np.linalg.norm(score)
    assert 2.0**-24 < seen <= bound < 0.1
