"""What the certificates of the boundary-corrected inverse symbol are made of."""

from __future__ import annotations

import math
from dataclasses import replace

import mpmath as mp
import numpy as np
import pytest
import scipy.linalg
from flint import arb

from proofs_check.audit_boundary import audit_boundary
from proofs_check.balls import ball_matrix, precision, round_up
from proofs_check.boundary_heads import BoundaryClaim, BoundaryHeads
from proofs_check.boundary_rate import boundary_rate
from proofs_check.certificate import CertificateError
from proofs_check.certify_boundary import certify_boundary
from proofs_check.float_error import weighted_square
from proofs_check.preconditioned_rate import MOST_FRAMES
from proofs_check.preconditioned_spectrum import PreconditionedSpectrum
from proofs_check.saved_model import SavedModel
from unroll import Exponential, GaussianProcess, Kernel, Logarithmic, Plan, Polynomial, make_plan
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


# --- certificate and audit


SPATIAL = np.array([[1.0, 0.3], [0.3, 0.5]])
RANGE = {"t_min": 0.05, "t_max": 2.0}


def promised(problem: Problem, tol: float, mean: np.ndarray | None = None) -> Plan:
    """A problem and a promise; the method is not looked at."""
    gp = GaussianProcess(problem.kernel, problem.frames, SPATIAL, mean)
    return replace(make_plan(gp, method="spectral", tol=1e-3, **RANGE), tol=tol)


def claimed(problem: Problem) -> BoundaryClaim:
    return BoundaryClaim(
        problem.period,
        [float(f) for f in problem.symbol],
        problem.ends,
        problem.read,
        [float(p) for p in problem.poles],
        [float(rho) for rho in problem.amplitudes],
    )


def written(problem: Problem, plan: Plan) -> SavedModel:
    """The weights of both blocks, by hand."""
    (n, r), d = problem.ends.shape, 2
    mu, rotation = np.linalg.eigh(SPATIAL)
    names = {"s": d, "v": d, "mean": d, "ends": r}
    starts = np.cumsum([0, *names.values()])
    channels = {name: slice(a, a + names[name]) for name, a in zip(names, starts, strict=False)}
    width = int(starts[-1])

    def table(rows: int, **parts: np.ndarray) -> np.ndarray:
        array = np.zeros((rows, width))
        for name, part in parts.items():
            array[:, channels[name]] = part
        return array

    two, period = np.eye(2), problem.period
    tensors = {
        "embed": table(d, v=rotation),
        "position": table(n, ends=problem.ends, mean=plan.gp.mean @ rotation),
        "readout": table(d, s=rotation).T,
    }
    count = period // 2 + 1
    amplitude = np.full(count, -2.0 / period)
    amplitude[[0, -1]] /= 2
    key = table(problem.read.shape[1], ends=problem.read.T).T
    attention = [
        {"turns": np.arange(count) / period, "poles": np.outer(problem.symbol, mu)},
        {"query": key, "key": key, "poles": np.outer(problem.poles, mu)},
    ]
    attention[0]["amplitude"], attention[1]["amplitude"] = amplitude, -problem.amplitudes
    for k, own in enumerate(attention):
        own |= {"value": table(d, v=two, mean=two).T, "output": table(d, s=two)}
        tensors |= {f"blocks.{k}.attention.{name}": x.copy() for name, x in own.items()}
        gates = {
            "listen": np.arange(2),
            "attention_scale": table(2, v=two[:, :1], mean=-two[:, 1:]),
            "attention_gate": table(2, s=two[:, :1]),
        }
        tensors |= {f"blocks.{k}.modulation.{name}": x for name, x in gates.items()}
    return SavedModel({"blocks": ["", ""]}, plan, tensors, channels)


def seen(model: SavedModel, t: float) -> float:
    """The exact relative root-mean-square error of these weights, which act on all unit inputs."""
    gp, w = model.plan.gp, model.tensors
    n, d = gp.frames, gp.channels
    alpha, noise = math.exp(-t / 2), -math.expm1(-t)
    units = np.concatenate([np.eye(n * d).reshape(-1, n, d), np.zeros((1, n, d))])
    stream = units @ w["embed"]
    stream = stream + w["position"] * np.any(w["position"], axis=0)
    for k in (0, 1):
        own = {name[9:]: x for name, x in w.items() if name.startswith(f"blocks.{k}.")}
        scale, gate = (
            np.array([1.0, alpha]) @ own[f"modulation.attention_{x}"] for x in ("scale", "gate")
        )
        values = (stream * scale) @ own["attention.value"]
        if k:
            query, key = (w["position"] @ own[f"attention.{x}"] for x in ("query", "key"))
            patterns = np.einsum("ih,jh->hij", query, key)
        else:
            lags = np.subtract.outer(np.arange(n), np.arange(n))
            patterns = np.cos(2 * np.pi * own["attention.turns"][:, None, None] * lags)
        poles = own["attention.amplitude"][:, None] / (alpha**2 * own["attention.poles"] + noise)
        heads = np.einsum("ha,hij,bja->bia", poles, patterns, values)
        stream = stream + (heads @ own["attention.output"]) * gate
    outputs = (stream @ w["readout"]).reshape(-1, n * d)
    linear, constant = outputs[:-1] - outputs[-1], outputs[-1]
    lags = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    gamma = np.array([gp.kernel.autocov(k) for k in range(n)])[lags]
    a = alpha**2 * np.kron(gamma, gp.spatial_cov) + noise * np.eye(n * d)
    inverse = np.linalg.inv(a)
    miss = (linear.T + inverse) @ scipy.linalg.sqrtm(a)
    offset = constant + alpha * linear.T @ gp.mean.ravel()
    return math.sqrt((np.linalg.norm(miss) ** 2 + offset @ offset) / np.trace(inverse))


MEAN = np.linspace(-1.0, 2.0, 14).reshape(7, 2)


@every_kernel
def test_the_certificate_is_what_is_seen(kernel: Kernel) -> None:
    problem = Problem(kernel, 7, heads=4, size=0.02)
    plan = promised(problem, 0.5, MEAN)
    certificate = certify_boundary(plan, claimed(problem))
    worst = max(seen(written(problem, plan), t) for t in np.geomspace(0.05, 2.0, 12))
    assert worst <= certificate.bound
    # channels differ, of which the bound takes the worst
    assert certificate.terms["rate"] <= 2 * worst + 0.02 * plan.tol
    assert certificate.terms["rounding"] + certificate.terms["eigenvectors"] < 1e-10
    with pytest.raises(CertificateError, match="exceeds tol"):
        certify_boundary(replace(plan, tol=worst / 4), claimed(problem))


def test_long_sequences_are_refused() -> None:
    problem = Problem(Exponential(4.0), 4, heads=1, size=0.1)
    plan = promised(problem, 0.5)
    longer = replace(plan, gp=GaussianProcess(problem.kernel, MOST_FRAMES + 1, SPATIAL))
    with pytest.raises(CertificateError, match=r"frames=1025: the rate of the boundary method"):
        certify_boundary(longer, claimed(problem))


def test_clean_weights_pass_their_audit() -> None:
    problem = Problem(Exponential(4.0), 7, heads=4, size=0.02)
    plan = promised(problem, 0.5, MEAN)
    model = written(problem, plan)
    certificate = audit_boundary(model, (problem.period, claimed(problem).symbol))
    assert max(seen(model, t) for t in (0.05, 0.3, 2.0)) <= certificate.bound
    assert certificate.terms["weights"] + certificate.terms["rounding"] < 1e-10
    expected = certify_boundary(plan, claimed(problem))
    assert certificate.terms["rate"] == pytest.approx(expected.terms["rate"], rel=1e-9)


@pytest.mark.parametrize("size", [1e-3, 1.0])
def test_one_changed_entry_is_charged_or_refused(size: float) -> None:
    problem = Problem(Exponential(4.0), 7, heads=4, size=0.02)
    plan = promised(problem, 0.9, MEAN)
    passed, clean, refusals = 0, written(problem, plan), {}
    for name in clean.tensors:
        if name.endswith("listen"):
            continue
        changed = {key: x.copy() for key, x in clean.tensors.items()}
        array = changed[name]
        array[np.unravel_index(int(np.argmax(np.abs(array))), array.shape)] += size
        model = replace(clean, tensors=changed)
        try:
            certificate = audit_boundary(model, (problem.period, claimed(problem).symbol))
        except CertificateError as refusal:
            refusals[name.split(".", 2)[-1]] = str(refusal)
            continue
        passed += 1
        assert max(seen(model, t) for t in (0.05, 0.3, 2.0)) <= certificate.bound
    assert (passed > 8) is (size < 1)
    if size == 1:
        assert len(refusals) > 8
        assert not [name for name, words in refusals.items() if name not in words]


@pytest.mark.parametrize("name", ["query", "key"])
def test_rank_one_heads_read_nothing_else(name: str) -> None:
    problem = Problem(Exponential(4.0), 5, heads=2, size=0.02)
    model = written(problem, promised(problem, 0.9))
    model.tensors[f"blocks.1.attention.{name}"][model.channels["mean"]] = 1.0
    with pytest.raises(CertificateError, match=rf"block 1: attention.{name} reads mean\[0\]"):
        audit_boundary(model, (problem.period, claimed(problem).symbol))
