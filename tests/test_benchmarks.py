"""The benchmark harness on tiny problems: accuracy and structure, never how long anything takes."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tolerances import EPS, SIGMAS, solve

from benchmarks import __main__ as command
from benchmarks import reference
from benchmarks.grouping import groups, of_group
from benchmarks.measure import Result, Settings, measure
from benchmarks.memory import traced
from benchmarks.method import Method, relative_error
from benchmarks.models import MOST_LAYERS, model_costs
from benchmarks.ours import OURS
from benchmarks.peers import PEERS
from benchmarks.peers.cholesky import Cholesky
from benchmarks.peers.conjugate_gradients import CirculantCG
from benchmarks.problem import Problem
from benchmarks.storage import load
from benchmarks.suite import Case, Group, run_group
from benchmarks.tables import BASELINE, fastest
from benchmarks.timing import Seconds, in_turns
from unroll import Exponential, Kernel, Logarithmic, Polynomial

# linear_operator is older than torch's latest deprecations
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")

T = 0.05
BRIEF = Settings(rounds=2, budget=0.01, patience=60.0, setup_patience=60.0)
KERNELS = [Exponential(3.0), Polynomial(3.0, 2.0), Logarithmic(3.0, 1.0)]
#: Methods with a tolerance; the others are exact up to rounding.
ITERATIVE = {CirculantCG, *OURS}


def dense(problem: Problem, t: float) -> np.ndarray:
    """A_t, entry by entry."""
    n, d = problem.frames, problem.channels
    matrix = np.zeros((n, d, n, d))
    for i in range(n):
        for j in range(n):
            gamma = float(problem.kernel.autocov(abs(i - j)))
            matrix[i, :, j, :] = np.exp(-t) * gamma * problem.spatial_cov
    matrix = matrix.reshape(n * d, n * d)
    return matrix + (1 - np.exp(-t)) * np.eye(n * d)


def oracle(problem: Problem, v: np.ndarray, t: float) -> np.ndarray:
    """The score by a dense solve of the whole system."""
    flat = v.astype(np.float64).reshape(len(v), -1)
    return -np.linalg.solve(dense(problem, t), flat.T).T.reshape(v.shape)


def prepared(method: type[Method], problem: Problem, v: np.ndarray, exact: np.ndarray) -> Method:
    reason = method.refusal(problem)
    if reason:
        pytest.skip(reason)
    made = method(problem)
    made.setup(T)
    made.calibrate(T, v, exact, 1e-6)
    return made


@pytest.mark.parametrize(
    ("method", "kernel"),
    [
        pytest.param(method, kernel, id=f"{method.name}-{kernel.regime}")
        for method in [*OURS, *PEERS]
        for kernel in (KERNELS if method.general else KERNELS[:1])
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("frames", [2, 3, 24])
def test_method_computes_the_score(
    method: type[Method], frames: int, channels: int, kernel: Kernel
) -> None:
    problem = Problem(kernel, frames, channels)
    v = problem.noisy(T, batch=3)
    before, exact = v.copy(), oracle(problem, v, T)
    made = prepared(method, problem, v, exact)
    score = made.solve(v)
    condition = np.linalg.cond(dense(problem, T))
    allowed = 1e-6 if method in ITERATIVE else solve(frames * channels, condition)
    assert score.shape == v.shape
    assert score.dtype == v.dtype
    assert relative_error(score, exact) <= allowed
    np.testing.assert_array_equal(made.solve(v), score)  # nothing is used up
    np.testing.assert_array_equal(v, before)
    made.setup(1.0)  # another t
    assert relative_error(made.solve(v), oracle(problem, v, 1.0)) <= allowed


@pytest.mark.parametrize("method", PEERS, ids=lambda method: method.name)
def test_method_in_single_precision(method: type[Method]) -> None:
    problem = Problem(Exponential(3.0), 24, 2, "float32")
    v = problem.noisy(T, batch=3)
    exact = oracle(problem, v, T)
    score = prepared(method, problem, v, exact).solve(v)
    condition = np.linalg.cond(dense(problem, T))
    assert score.dtype == np.float32
    # float64 epsilon to float32 epsilon
    assert relative_error(score, exact) <= solve(48, condition) * 2.0**29


@given(st.sampled_from(KERNELS), st.integers(4, 40), st.sampled_from([1e-3, 1e-6, 1e-9]))
def test_calibration_takes_the_fewest_iterations_that_reach_the_target(
    kernel: Kernel, frames: int, target: float
) -> None:
    problem = Problem(kernel, frames, 2)
    v = problem.noisy(T, batch=3)
    exact = oracle(problem, v, T)
    solver = CirculantCG(problem)
    solver.setup(T)
    solver.calibrate(T, v, exact, target)
    assert relative_error(solver.solve(v), exact) <= target
    errors: list[float] = []
    stop = solver.rtol

    def watch(x: np.ndarray, residual: float) -> bool:
        errors.append(relative_error(solver.rotate_back(-x), exact))
        return residual <= stop

    solver.iterate(solver.rotate(v), watch)
    assert all(error > target for error in errors[:-1])


def test_draws_have_the_noisy_covariance() -> None:
    problem, n = Problem(Polynomial(2.0, 1.5), 5, 2), 40_000
    v = problem.noisy(0.3, seed=1, batch=n).reshape(n, -1)
    measured, expected = v.T @ v / n, dense(problem, 0.3)
    # variance of a product of two zero-mean Gaussians (Isserlis)
    spread = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / n)
    assert np.all(np.abs(measured - expected) <= SIGMAS * spread)


@given(st.sampled_from(KERNELS), st.integers(2, 24), st.floats(0.0, 1.0), st.integers(0, 99))
def test_error_bound_holds(kernel: Kernel, frames: int, size: float, seed: int) -> None:
    problem = Problem(kernel, frames, 2)
    v = problem.noisy(T, seed=seed, batch=2)
    exact = oracle(problem, v, T)
    score = exact + size * np.random.default_rng(seed).standard_normal(v.shape)
    bound = reference.error_bound(problem, v, T, score)
    # the bound is relative to the score at hand; rounding of the residual itself comes on top
    actual = float(np.linalg.norm(score - exact) / np.linalg.norm(score))
    assert actual <= bound + solve(2 * frames, np.linalg.cond(dense(problem, T)))


def test_long_references_are_certified(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem(Logarithmic(8.0, 1.0), 96, 2)
    v = problem.noisy(0.01, batch=3)
    monkeypatch.setattr(reference, "DENSE_FRAMES", 8)
    exact = reference.exact_score(problem, v, 0.01)
    assert relative_error(exact, oracle(problem, v, 0.01)) <= reference.TRUSTED
    monkeypatch.setattr(reference, "TRUSTED", 1e-16)
    with pytest.raises(RuntimeError, match="error bound"):
        reference.exact_score(problem, v, 0.01)


class Wrong(Cholesky):
    """A method that is fast, and ten per cent off."""

    name = "wrong"

    def solve(self, v: np.ndarray) -> np.ndarray:
        return 1.1 * super().solve(v)


class Stepping(Cholesky):
    """Counts its diffusion times."""

    name = BASELINE
    times: ClassVar[list[float]] = []

    def setup(self, t: float) -> None:
        self.times.append(t)
        super().setup(t)


def test_a_wrong_method_is_seen_to_be_wrong_and_wins_nothing() -> None:
    problem = Problem(Exponential(3.0), 8)
    results = {r.method: r for r in measure(problem, T, [Stepping, Wrong, Cholesky], BRIEF)}
    assert results["wrong"].error == pytest.approx(0.1, rel=8 * EPS / 0.1)
    rows = {name: {8: asdict(result)} for name, result in results.items()}
    for column in ("new_t", "further"):
        rows["wrong"][8][column]["median"] = 1e-12
        best = fastest(rows, 8, column, {"wrong", "Cholesky"})
        assert best is not None
        assert best[0] == "Cholesky"


def test_every_score_at_a_new_t_is_at_another_t() -> None:
    Stepping.times.clear()
    measure(Problem(Exponential(3.0), 8), T, [Stepping], BRIEF)
    timed = [t for t in Stepping.times if t != T]
    assert len(timed) > BRIEF.rounds
    assert len(set(timed)) == len(timed)
    np.testing.assert_allclose(timed, T, rtol=1e-6)


def test_memory_of_known_arrays() -> None:
    assert traced(lambda: np.zeros(10_000)).held == pytest.approx(80_000, abs=2000)
    assert traced(lambda: np.zeros(10_000).sum()).held < 2000
    assert traced(lambda: np.zeros(10_000).sum()).peak == pytest.approx(80_000, abs=2000)
    both = traced(lambda: torch.zeros(10_000, dtype=torch.float64).sum(), uses_torch=True)
    assert 80_000 <= both.peak <= 90_000


def test_dense_methods_are_seen_to_be_dense() -> None:
    [small] = measure(Problem(Exponential(3.0), 64), T, [Cholesky], BRIEF)
    [large] = measure(Problem(Exponential(3.0), 256), T, [Cholesky], BRIEF)
    assert small.bytes_score is not None
    assert large.bytes_score is not None
    # Gamma and one factor
    assert large.bytes_score >= 2 * 8 * 256**2
    assert large.bytes_score > 10 * small.bytes_score


@given(st.integers(1, 9), st.floats(0.0, 1e-3))
def test_everybody_takes_turns(rounds: int, sample: float) -> None:
    order: list[str] = []
    tasks = {name: (lambda name=name: order.append(name)) for name in "abc"}
    seconds = in_turns(tasks, rounds=rounds, sample=min(sample, 1e-5), budget=1.0)
    assert [*seconds] == ["a", "b", "c"]
    assert all(s.samples == rounds and s.low <= s.median <= s.high for s in seconds.values())
    first = order.index("c", order.index("c") + 1)  # after both warm-up calls
    assert order[first + 1] == "a"


@given(st.lists(st.floats(1e-6, 10.0), min_size=2, max_size=20))
def test_medians(samples: list[float]) -> None:
    assert Seconds.of(samples).median == pytest.approx(float(np.median(samples)))


class Predictable(Cholesky):
    """Never runs: its seconds are written down."""

    name = "predictable"
    growth = (3.0, 2.0)


def _fake_measure(setup: float, solve: float, constructor: float) -> Any:
    def fake(
        problem: Problem, t: float, methods: list[type[Method]], settings: Settings
    ) -> list[Result]:
        scale = (problem.frames / 64) ** 2
        once = constructor * (problem.frames / 64) ** 3
        new = Seconds((setup + solve) * scale, 0.0, 0.0, 1)
        further = Seconds(solve * scale, 0.0, 0.0, 1)
        return [Result(m.name, constructor=once, new_t=new, further=further) for m in methods]

    return fake


@pytest.mark.parametrize(
    ("setup", "solve", "constructor", "reasons"),
    [
        (0.1, 0.0, 0.0, [None, None, "~6.4 s to set up", "~26 s to set up"]),
        (0.0, 0.1, 0.0, [None, None, "~6.4 s", "~26 s"]),
        (0.0, 0.0, 1.0, [None, "~8 s once", "~512 s once", "~4096 s once"]),
        (0.0, 0.0, 0.0, [None, None, None, None]),
    ],
)
def test_sizes_that_would_take_too_long_are_skipped_with_the_prediction(
    monkeypatch: pytest.MonkeyPatch,
    setup: float,
    solve: float,
    constructor: float,
    reasons: list[str | None],
) -> None:
    monkeypatch.setattr("benchmarks.suite.measure", _fake_measure(setup, solve, constructor))
    group = Group("exponential", 1, "float64", T)
    settings = Settings(patience=2.0, setup_patience=2.0, once=5.0)
    cases = list(run_group(group, [64, 128, 512, 1024], [Predictable], settings))
    assert [case.results[0].skipped for case in cases] == reasons


def test_long_sequences_are_predicted_from_a_pilot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.suite.measure", _fake_measure(0.0, 0.1, 0.0))
    group = Group("exponential", 1, "float64", T)
    [case] = run_group(group, [4096], [Predictable], Settings(patience=2.0))
    assert case == Case(group, 4096, [Result("predictable", skipped="~410 s")])


def test_methods_refuse_what_they_cannot_do() -> None:
    by_name = {method.name: method for method in PEERS}
    long = Problem(Exponential(8.0), 100_000, 8)
    assert by_name["Cholesky"].refusal(long) == "needs 720 GB"
    assert by_name["eigh, reused"].refusal(long) == "needs 240 GB"
    for name in ("celerite2", "tridiagonal (solveh_banded)"):
        for kernel in (Polynomial(8.0, 2.0), Exponential(8.0, 1.5)):
            assert by_name[name].refusal(Problem(kernel, 8)) == "exponential ν=1 only"


def test_models_are_counted() -> None:
    options = {"one": {"method": "chebyshev", "attention": "softmax"}}
    small, large = model_costs([4, 8], kernels=["exponential"], constructions=options)
    assert (small.frames, large.frames) == (4, 8)
    assert small.layers is not None
    assert large.layers is not None
    assert large.layers >= small.layers > 1
    assert small.heads == large.heads == 1
    assert large.size is not None
    assert large.size > 0
    assert small.refused is None


def test_too_deep_a_model_is_planned_but_not_built() -> None:
    options = {"lags": {"method": "gradient", "attention": "relu", "max_layers": 10**6}}
    [cost] = model_costs([16], kernels=["exponential"], constructions=options)
    assert cost.layers is not None
    assert cost.layers > MOST_LAYERS
    assert cost.size is None
    assert cost.refused == f"{cost.layers} layers are not built"


def test_constructions_that_are_refused_say_why() -> None:
    options = {"strict": {"method": "gradient", "attention": "relu", "tol": 1e-15}}
    [cost] = model_costs([16], kernels=["exponential"], constructions=options)
    assert cost.layers is None
    assert cost.tol == 1e-15
    assert cost.refused is not None
    assert "floor" in cost.refused


def test_the_command_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(command, "QUICK", BRIEF)
    # our own models are slow to trace, and tested above
    monkeypatch.setitem(command.METHODS, BASELINE, Stepping)
    chosen = "--kernel exponential --frames 8 16 --channels 2 --dtype float64 --t 0.05"
    methods = ["--method", BASELINE, "Cholesky", "FFT-PCG (T. Chan)", "--no-models"]
    monkeypatch.setattr(
        sys, "argv", ["benchmarks", *chosen.split(), *methods, "--out", str(tmp_path)]
    )
    command.main()
    assert "quick.md" in capsys.readouterr().out
    stored = load(tmp_path / "quick.json")
    [key] = groups(stored)
    entries = of_group(stored, key)
    assert [*entries] == [BASELINE, "Cholesky", "FFT-PCG (T. Chan)"]
    assert all([*row] == [8, 16] for row in entries.values())
    assert all(entry["error"] <= 1e-6 for row in entries.values() for entry in row.values())
    page = (tmp_path / "quick.md").read_text("utf-8")
    for n in (8, 16):
        medians = {name: row[n]["new_t"]["median"] for name, row in entries.items()}
        assert f"{medians['Cholesky'] / medians[BASELINE]:.2g}×" in page
    assert "d = 2, float64, t = 0.05" in page
    [figure] = tmp_path.glob("*.png")
    assert f"]({figure.name})" in page
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "quick.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match="no benchmark results"):
        load(path)
