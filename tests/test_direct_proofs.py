"""What the certificates of preconditioned and direct models are made of."""

from __future__ import annotations

import math
import re
from typing import Any

import mpmath as mp
import numpy as np
import plan_oracles as oracle
import pytest
import scipy.linalg
import strategies as our
import torch
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions import build
from proofs_check import certify, preconditioned_rate
from proofs_check.balls import autocov_balls, ball_matrix, precision, round_up
from proofs_check.certificate import CertificateError
from proofs_check.chebyshev_interpolant import (
    chebyshev_angles,
    coefficients,
    polynomial_maximum,
    truncation,
)
from proofs_check.ends import eigenbasis
from proofs_check.float_error import relative_square
from proofs_check.float_matrices import is_certainly_definite
from proofs_check.preconditioned_rate import products, rate
from proofs_check.preconditioned_spectrum import PreconditionedSpectrum
from proofs_check.step_sizes import StepSizes, noise_range
from proofs_check.temporal_basis import read_basis
from unroll import (
    ArgumentError,
    Exponential,
    GaussianProcess,
    Kernel,
    Logarithmic,
    Plan,
    Polynomial,
    make_plan,
)
from unroll.attention import SoftmaxSink
from unroll.methods.gates import chebyshev_series
from unroll.methods.inverse_symbol import InverseSymbol
from unroll.methods.partial_products import partial_products
from unroll.rounding_direct import guaranteed_direct_rounding
from unroll.rounding_preconditioned import (
    guaranteed_preconditioned_rounding,
    series_roundings,
)

BITS = 128
KERNELS = [Exponential(4.0), Polynomial(4.0, 1.0), Logarithmic(4.0, 1.0), Exponential(2.0, 1.6)]
every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=repr)


def spectrum_of(kernel: Kernel, frames: int) -> PreconditionedSpectrum:
    """With the symbol that the library designs."""
    design = InverseSymbol.design(kernel, frames, [1.0], 0.05, 2.0, 2)
    lowering = SoftmaxSink.design(kernel, frames)
    return PreconditionedSpectrum.of(kernel, frames, lowering, list(design.symbol), design.period)


def system(spectrum: PreconditionedSpectrum, x: float) -> tuple[np.ndarray, np.ndarray]:
    """``A`` and ``P`` in float64, the latter by a loop over frequencies."""
    n, period = spectrum.frames, spectrum.period
    column = np.array([float(c) for c in spectrum.column])
    gates = [1 / (float(spectrum.symbol[min(m, period - m)]) + x) for m in range(period)]
    row = [
        sum(g * math.cos(2 * math.pi * m * lag / period) for m, g in enumerate(gates)) / period
        for lag in range(n)
    ]
    return scipy.linalg.toeplitz(column) + x * np.eye(n), scipy.linalg.toeplitz(row)


# --- float64 with its rounding errors accounted for


@pytest.mark.parametrize("frames", [1, 2, 3, 8, 13])
@every_kernel
def test_halves_hold_the_whole_system_to_the_last_digit(kernel: Kernel, frames: int) -> None:
    spectrum, x = spectrum_of(kernel, frames), 0.03125
    with precision(200), mp.workdps(40):
        parts = spectrum.halves(arb(x))
        column = [mp.mpf(c.mid().str(40, radius=False)) for c in spectrum.column]
        row = [mp.mpf(c.mid().str(40, radius=False)) for c in spectrum.row(arb(x))]
        done = 0
        for part, sign in zip(parts, (1, -1), strict=False):
            n = len(part.excess)
            basis = mp.zeros(frames, n)
            for k in range(n):
                basis[k, k] += 1
                basis[frames - 1 - k, k] += sign
                length = mp.sqrt(mp.fsum(basis[i, k] ** 2 for i in range(frames)))
                for i in range(frames):
                    basis[i, k] /= length
            a = mp.matrix(frames, frames)
            p = mp.matrix(frames, frames)
            for i in range(frames):
                for j in range(frames):
                    a[i, j] = column[abs(i - j)] + (mp.mpf(x) if i == j else 0)
                    p[i, j] = row[abs(i - j)]
            exact = basis.T * a * p * basis - mp.eye(n)
            off = exact - mp.matrix(part.excess.tolist())
            distance = mp.sqrt(mp.fsum(entry**2 for entry in off))
            assert distance <= part.error
            assert part.error <= 1e-13 * (1 + np.linalg.norm(part.excess))
            assert np.allclose(part.noisy, np.array((basis.T * a * basis).tolist(), dtype=float))
            done += n
        assert done == frames


@every_kernel
@pytest.mark.parametrize("frames", [2, 9, 16])
def test_eigenvalues_lie_where_they_are_said_to(kernel: Kernel, frames: int) -> None:
    spectrum = spectrum_of(kernel, frames)
    with precision(BITS):
        for low, high in ((0.02, 0.03), (0.1, 0.1001), (0.5, 7.0)):
            smallest, largest = round_up(spectrum.smallest(low)), spectrum.largest(low, high)
            tops = []
            for x in np.geomspace(low, high, 5):
                a, p = system(spectrum, float(x))
                values = scipy.linalg.eigvalsh(a, np.linalg.inv(p))
                assert smallest - 1e-9 <= values[0]
                assert values[-1] <= largest * (1 + 1e-12)
                tops.append(values[-1])
            assert largest - 1 <= 1.1 * (max(tops) - 1) + 0.06 * max(tops)
            assert smallest > 0.999999


def test_a_symbol_that_is_too_large_has_smaller_eigenvalues() -> None:
    spectrum = spectrum_of(Exponential(4.0), 9)
    raised = [f + 0.01 for f in spectrum.symbol]
    with precision(BITS):
        moved = PreconditionedSpectrum.of(
            Exponential(4.0),
            9,
            SoftmaxSink.design(Exponential(4.0), 9),
            [float(f) for f in raised],
            spectrum.period,
        )
        a, p = system(moved, 0.05)
        assert moved.smallest(0.05) <= scipy.linalg.eigvalsh(a, np.linalg.inv(p))[0]
        assert 0.5 < float(moved.smallest(0.05)) < 1 - 1e-4
        assert not moved.smallest(1e-9) > 1


@given(
    st.sampled_from(KERNELS),
    st.integers(1, 12),
    our.log_uniform(0.01, 5.0),
    st.lists(st.floats(0.1, 1.0), min_size=1, max_size=5),
)
@settings(max_examples=25)
def test_the_error_at_one_noise_level_is_enclosed(
    kernel: Kernel, frames: int, x: float, etas: list[float]
) -> None:
    spectrum = spectrum_of(kernel, frames)
    a, p = system(spectrum, x)
    inverse = np.linalg.inv(a)
    residual = np.eye(frames)
    for eta in etas:
        residual = residual - eta * a @ (p @ residual)
    exact = np.trace(residual.T @ inverse @ residual) / np.trace(inverse)
    h = scipy.linalg.eigvalsh(a, np.linalg.inv(p))
    left = [
        max(abs(np.prod([1 - e * v for e in etas[k + 1 :]])) for v in h) for k in range(len(etas))
    ]
    with precision(BITS):
        found = relative_square(spectrum.halves(arb(x)), [arb(e) for e in etas], left)
        assert float(found.lower()) <= exact * (1 + 1e-9) + 1e-24
        assert exact <= round_up(found) * (1 + 1e-9) + 1e-24
        assert math.sqrt(round_up(found)) <= math.sqrt(exact) * (1 + 1e-9) + 1e-10


@given(st.integers(1, 30), st.integers(0, 2**32 - 1), st.floats(-0.2, 0.2))
def test_definite_matrices_in_float64(size: int, seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((size, size))
    matrix = matrix @ matrix.T / size + shift * np.eye(size)
    matrix = (matrix + matrix.T) / 2
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    for slack in (0.0, smallest * 0.999, smallest + 1e-9):
        if is_certainly_definite(matrix, max(slack, 0.0)):
            assert smallest - max(slack, 0.0) > -1e-12
    if smallest > 1e-9:
        assert is_certainly_definite(matrix, 0.0)
        assert not is_certainly_definite(matrix, smallest * 1.001)


# --- interpolation


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=12))
def test_polynomials_are_enclosed_between_their_points(values: list[float]) -> None:
    with precision(BITS):
        found = round_up(polynomial_maximum([arb(v) for v in values]))
        series = [float(c) for c in coefficients([arb(v) for v in values])]
    grid = np.cos(np.linspace(0, np.pi, 2001))
    seen = np.abs(np.polynomial.chebyshev.chebval(grid, series)).max()
    assert seen * (1 - 1e-12) <= found <= 1.03 * seen + 1e-12


def test_values_that_are_off_are_charged() -> None:
    exact = [arb(x) for x in (1.0, -0.5, 0.25, 2.0)]
    with precision(BITS):
        plain = round_up(polynomial_maximum(exact))
        blurred = [x + arb(0, 1e-3) for x in exact]
        assert plain + 1e-3 <= round_up(polynomial_maximum(blurred)) <= plain + 1e-2


@given(st.integers(1, 25), our.log_uniform(1.05, 3.0))
def test_truncation_is_charged(degree: int, gap: float) -> None:
    """1/(c - x) in the ellipse that ends half way to its pole."""
    pole = (gap + 1 / gap) / 2 + 0.2
    rho = gap
    with precision(BITS):
        size = arb(1 / (pole - (rho + 1 / rho) / 2))
        values = [1 / (pole - angle.cos()) for angle in chebyshev_angles(degree + 1)]
        bound = float(truncation(degree, arb(rho), size))
        series = [float(c) for c in coefficients(values)]
    grid = np.cos(np.linspace(0, np.pi, 501))
    error = np.abs(1 / (pole - grid) - np.polynomial.chebyshev.chebval(grid, series)).max()
    assert error <= bound * (1 + 1e-9) + 1e-12


def design_of(kernel: Kernel, frames: int, steps: int) -> tuple[InverseSymbol, StepSizes, Any]:
    design = InverseSymbol.design(kernel, frames, [0.5, 2.0], 0.05, 2.0, steps)
    rows = [[arb(c) for c in row] for row in design.roots]
    low, high = noise_range([arb(0.5), arb(2.0)], 0.05, 2.0)
    ends = tuple(arb(x) for x in design.log_range)
    lowering = SoftmaxSink.design(kernel, frames)
    spectrum = PreconditionedSpectrum.of(
        kernel, frames, lowering, list(design.symbol), design.period
    )
    return design, StepSizes.of(rows, ends, low, high), spectrum  # type: ignore[arg-type]


@every_kernel
def test_step_sizes_are_the_same_on_another_range(kernel: Kernel) -> None:
    with precision(BITS):
        design, steps, _ = design_of(kernel, 8, 3)
        for phi in (0.1, 1.0, 3.0):
            x = float(steps.x(arb(phi)))
            found = [float(e) for e in steps.at(arb(phi))]
            assert found == pytest.approx(design.steps(np.array(x)), rel=1e-10)
        sizes, slopes = steps.sizes(arb(1.2)), steps.slopes()
        for k, row in enumerate(design.roots):
            low, high = design.log_range
            y = np.linspace(low - 0.5, high + 0.5, 301)
            eta = chebyshev_series(row, (2 * y - low - high) / (high - low))
            inside = (y >= low) & (y <= high)
            assert np.abs(eta[inside]).max() <= round_up(sizes[k])
            assert np.abs(np.diff(eta) / np.diff(y)).max() <= round_up(slopes[k])


@every_kernel
@pytest.mark.parametrize("steps", [1, 3])
def test_the_rate_bounds_every_noise_level(kernel: Kernel, steps: int) -> None:
    frames = 10
    with precision(BITS):
        design, sizes, spectrum = design_of(kernel, frames, steps)
        survive = products(spectrum, sizes)
        bound = round_up(rate(spectrum, sizes, survive.plain[1:, -1].tolist(), 1e-4))
    errors = []
    for y in np.linspace(*design.log_range, 60):
        a, p = system(spectrum, math.exp(y))
        inverse, residual = np.linalg.inv(a), np.eye(frames)
        for eta in design.steps(np.array(math.exp(y))):
            residual = residual - float(eta) * a @ (p @ residual)
        errors.append(math.sqrt(np.trace(residual.T @ inverse @ residual) / np.trace(inverse)))
    assert max(errors) <= bound <= 1.1 * max(errors) + 2e-6


def test_rough_step_sizes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preconditioned_rate, "_MOST_POINTS", 200)
    with precision(BITS):
        _, steps, spectrum = design_of(Exponential(4.0), 8, 1)
        rate(spectrum, steps, [1.0], 1e-6)
        wild = StepSizes(steps.low, steps.high, [[arb(0)] * 60 + [arb(1e9)]])
        with pytest.raises(CertificateError, match=r"time\.steps: step sizes are too rough"):
            rate(spectrum, wild, [1.0], 1e-6)


@every_kernel
def test_partial_products_hold_for_every_noise_level(kernel: Kernel) -> None:
    with precision(BITS):
        design, steps, spectrum = design_of(kernel, 9, 4)
        found = products(spectrum, steps)
    for y in np.linspace(*design.log_range, 40):
        a, p = system(spectrum, math.exp(y))
        h = scipy.linalg.eigvalsh(a, np.linalg.inv(p))
        etas = [float(e) for e in design.steps(np.array(math.exp(y)))]
        assert h[-1] <= found.largest
        for j in range(4):
            assert abs(etas[j]) <= found.step[j]
            for k in range(j + 1, 5):
                left = [np.prod([1 - e * v for e in etas[j:k]]) for v in h]
                led = [etas[j] * v * np.prod([1 - e * v for e in etas[j + 1 : k]]) for v in h]
                assert np.abs(left).max() <= found.plain[j, k]
                assert np.abs(led).max() <= found.led[j, k]
    assert (np.diag(found.plain) == 1).all()


def test_partial_products_of_a_constant_are_its_powers() -> None:
    found = partial_products([(0.5,), (0.5,)], 1.0, lambda a, b: 1.0)
    assert found.plain[0] == pytest.approx([1.0, 0.5, 0.25], rel=1e-9)
    assert found.led[0] == pytest.approx([0.0, 0.5, 0.25], rel=1e-9)
    unbounded = partial_products([(0.5,)], 0.0, lambda a, b: 4.0)
    assert unbounded.plain[0, 1] == pytest.approx(1.0, rel=1e-9)


# --- eigenvectors


@every_kernel
@pytest.mark.parametrize("kept", [1, 4, 9])
def test_a_basis_and_what_it_leaves(kernel: Kernel, kept: int) -> None:
    n = 9
    gamma = oracle.temporal_cov(kernel, n)
    vectors = np.linalg.eigh(gamma)[1][:, ::-1]
    rng = np.random.default_rng(0)
    for size in (0.0, 1e-3):
        moved = vectors[:, :kept] + size * rng.standard_normal((n, kept))
        with precision(BITS):
            found = read_basis(kernel, autocov_balls(kernel, n), ball_matrix(moved))
        u, _, vt = np.linalg.svd(moved, full_matrices=False)
        polar = u @ vt
        assert np.linalg.norm(moved - polar, 2) <= round_up(found.skew) + 1e-14
        rest = np.eye(n) - polar @ polar.T
        near = polar @ np.diag([float(x) for x in found.values]) @ polar.T + rest @ gamma @ rest
        assert np.linalg.norm(gamma - near, 2) <= round_up(found.off) + 1e-13
        if kept == n:
            assert found.rest is None
            continue
        assert found.rest is not None
        full = np.linalg.svd(moved)[0][:, kept:]
        inner = np.linalg.eigvalsh(full.T @ gamma @ full)
        low, high = (float(x) for x in found.rest)
        assert low <= inner[0] + 1e-12
        assert high >= inner[-1] - 1e-12
        sharp = 1e-9 if size == 0 else 1e-4
        assert low >= inner[0] - sharp
        assert high <= inner[-1] + sharp


def test_a_basis_of_the_channels() -> None:
    sigma = np.array([[1.0, 0.3, 0.1], [0.3, 0.6, 0.2], [0.1, 0.2, 2.0]])
    values, vectors = np.linalg.eigh(sigma)
    with precision(BITS):
        exact = eigenbasis(sigma, vectors)
        assert [float(m) for m in exact.mu] == pytest.approx(values, rel=1e-12)
        assert round_up(exact.off) < 1e-14
        bent = eigenbasis(sigma, vectors + 0.01)
        u, _, vt = np.linalg.svd(vectors + 0.01)
        near = (u @ vt) @ np.diag([float(m) for m in bent.mu]) @ (u @ vt).T
        assert np.linalg.norm(sigma - near, 2) <= round_up(bent.off)


# --- rounding


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_roundings_of_a_step_size(seed: int, terms: int) -> None:
    rng = np.random.default_rng(seed)
    series = rng.standard_normal(terms) * 0.8 ** np.arange(terms)
    low, high = -5.3, 5.7
    t, mu = np.exp(rng.uniform(-4, 1.5, 50)), 0.7
    pair = []
    for real in (np.float64, np.longdouble):
        alpha = np.exp(-t.astype(real) / 2)
        noise = -np.expm1(-t.astype(real))
        x = noise / (alpha * alpha * real(mu))
        u = (2 * np.log(x) - real(low) - real(high)) / (real(high) - real(low))
        pair.append(chebyshev_series(series.astype(real), u))
    inside = np.abs(u) <= 1
    off = np.abs(pair[0] - pair[1])[inside]
    assert (off <= 2.0**-53 * series_roundings(series, (low, high))).all()


def rounding_seen(plan: Plan) -> float:
    """Relative rms distance of a float32 model from the same plan in float64."""
    worst = 0.0
    for t in (plan.t_min, math.sqrt(plan.t_min * plan.t_max), plan.t_max):
        exact = oracle.ExactError(plan.gp, t)
        inputs = exact.inputs.astype(np.float32)
        *_, reference = plan.run(exact.inputs, t)
        with torch.no_grad():
            outputs = build(plan)(torch.as_tensor(inputs), t).double().numpy()
        worst = max(worst, exact.distance(outputs, reference))
    return worst


@every_kernel
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_the_planned_rounding_holds_in_float32(kernel: Kernel, activation: str) -> None:
    gp = GaussianProcess(kernel, 10, [[1.0, 0.3], [0.3, 0.6]], np.ones((10, 2)))
    options: dict[str, Any] = {"dtype": "float32", "tol": 0.3, "t_min": 0.1}
    plan = make_plan(gp, method="preconditioned", activation=activation, **options)
    assert plan.preconditioner is not None
    assert plan.lowering is not None
    bound = guaranteed_preconditioned_rounding(
        gp,
        plan.lowering,
        plan.preconditioner,
        plan.spectrum,
        t_min=0.1,
        dtype="float32",
        activation=activation,
    )
    assert rounding_seen(plan) <= bound
    plan = make_plan(gp, method="spectral", activation=activation, **options)
    assert plan.modes is not None
    bound = guaranteed_direct_rounding(
        gp, plan.modes, plan.spectrum, t_min=0.1, dtype="float32", activation=activation
    )
    assert rounding_seen(plan) <= bound < 1e-2


def test_rounding_that_does_not_close_is_infinite() -> None:
    gp = GaussianProcess(Exponential(8.0, 2.0), 64, [[1.0]])
    plan = make_plan(gp, method="spectral", tol=1e-3)
    assert plan.modes is not None
    bound = guaranteed_direct_rounding(
        gp, plan.modes, plan.spectrum, t_min=1e-9, dtype="float32", activation="relu"
    )
    assert bound == math.inf


@pytest.mark.parametrize(
    ("method", "kernel", "frames", "tol"),
    [
        ("preconditioned", Exponential(3.0, 2.0), 8, 1e-6),
        ("spectral", Polynomial(8.0, 0.5), 12, 1e-12),
    ],
)
def test_few_layer_plans_guarantee_their_rounding_or_name_the_tolerance_that_allows_it(
    method: str, kernel: Kernel, frames: int, tol: float
) -> None:
    gp = GaussianProcess(kernel, frames, np.array([[1.0, 0.3], [0.3, 0.5]]))
    with pytest.raises(ArgumentError, match=r"\(guaranteed\).*rounding='measured'") as refused:
        make_plan(gp, method=method, tol=tol, rounding="guaranteed")
    stated = re.search(r"use tol >= ([0-9.e+-]+),", str(refused.value))
    assert stated
    floor = float(stated[1])
    # where the bound does not fit, the default is the estimate; where it does, the bound
    default = make_plan(gp, method=method, tol=tol)
    assert default.rounding_model == "measured"
    assert default.budget.total <= tol
    with pytest.raises(CertificateError, match=r"exceeds tol=1e-(06|12)"):
        certify(default)
    plan = make_plan(gp, method=method, tol=floor, rounding="guaranteed")
    assert plan.rounding_model == "guaranteed"
    assert plan.budget.total <= floor
    assert certify(plan).terms["rounding"] <= plan.budget.rounding
    default, estimated = (
        make_plan(gp, method=method, tol=floor, rounding=x) for x in (None, "measured")
    )
    assert default.rounding_model == "guaranteed"
    assert default.depth == estimated.depth
