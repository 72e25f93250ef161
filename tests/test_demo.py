"""The demo: its measurements against loops and chance, its folder, and a small run of all of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from constructions import build, load, verify
from unroll import ArgumentError, Exponential, GaussianProcess, Polynomial, make_plan
from unroll.cli import run
from unroll.cli.demo.folder import MANIFEST, new_folder
from unroll.cli.demo.measure import autocorrelation, chance_error, compare, rms_errors
from unroll.cli.demo.models import (
    ModelSettings,
    affordable_plan,
    layer_errors,
    realised_temporal_cov,
)
from unroll.cli.demo.sampling import sampler_map, study_samples

SPATIAL = [[1.0, 0.3], [0.3, 0.6]]


@pytest.fixture(scope="module")
def gp() -> GaussianProcess:
    mean = np.linspace(-1, 1, 16).reshape(8, 2)
    return GaussianProcess(Exponential(2.0), 8, SPATIAL, mean)


def test_rms_errors_against_monte_carlo(gp: GaussianProcess) -> None:
    t = 0.3
    rng = np.random.default_rng(0)

    def iterates(v: np.ndarray, t: float) -> list[np.ndarray]:
        return [0.9 * gp.score(v, t) + 0.2, np.zeros_like(v), gp.score(v, t)]

    found = rms_errors(gp, iterates, t)
    v = gp.sample_noisy(20_000, t, rng)
    exact = gp.score(v, t)
    expected = [np.sqrt(np.sum((s - exact) ** 2) / np.sum(exact**2)) for s in iterates(v, t)[:2]]
    np.testing.assert_allclose(found[:2], expected, rtol=0.01)
    np.testing.assert_allclose(found[1], 1, rtol=1e-12)
    assert found[2] < 1e-12


@pytest.mark.parametrize("method", ["gradient", "chebyshev"])
def test_layer_errors_stay_below_the_rate(gp: GaussianProcess, method: str) -> None:
    model = build(gp, method=method, tol=1e-8)
    measured, rate = layer_errors(_Built(model), 0.05)
    assert len(measured) == model.plan.depth
    assert np.all(measured <= rate * (1 + 1e-9) + 1e-13)
    assert measured[-1] > 1e-3 * rate[-1]  # and the rate is no empty bound


class _Built:
    def __init__(self, model) -> None:
        self.model, self.plan = model, model.plan


@pytest.mark.parametrize("attention", ["softmax", "relu"])
def test_realised_covariance_is_read_from_the_weights(gp: GaussianProcess, attention: str) -> None:
    import torch

    model = build(gp, attention=attention, tol=1e-6)
    np.testing.assert_allclose(realised_temporal_cov(model), gp.temporal_cov, atol=1e-6)
    with torch.no_grad():
        model.blocks[0].attention.output[0] *= 1.1
    assert np.abs(realised_temporal_cov(model) - gp.temporal_cov).max() > 1e-3


def test_autocorrelation_against_loops() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((7, 4, 2))
    blocks = np.array([0, 0, 1, 1, 2, 2, 2])

    def estimate(x: np.ndarray) -> np.ndarray:
        total = np.zeros((4, 2))
        for h in range(4):
            for a in range(2):
                for sequence in x:
                    pairs = [sequence[i, a] * sequence[i + h, a] for i in range(4 - h)]
                    total[h, a] += sum(pairs) / len(pairs)
        return total / total[0]

    value, error = autocorrelation(x, blocks)
    np.testing.assert_allclose(value, estimate(x), rtol=1e-12)
    without = np.array([estimate(x[blocks != b]) for b in range(3)])
    expected = np.sqrt(2 / 3 * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    np.testing.assert_allclose(error, expected, rtol=1e-12)


def test_comparison_accepts_exact_samples_and_rejects_others(gp: GaussianProcess) -> None:
    n = 4000
    rng = np.random.default_rng(2)
    good = compare(gp, gp.sample(n, rng))
    assert np.all(np.abs(good.variance_ratio - 1) < 4 * good.variance_error)
    assert good.whitened_p_value > 1e-3
    mean, spread = chance_error(gp, n, rng)
    assert abs(good.covariance_error - mean) < 5 * spread
    other = GaussianProcess(Exponential(2.4), 8, SPATIAL, gp.mean)
    assert compare(gp, other.sample(n, rng)).whitened_p_value < 1e-3
    shifted = compare(gp, gp.sample(n, rng) + 0.2)
    assert np.all(shifted.p_values < 1e-3)


def test_standard_error_of_the_variance(gp: GaussianProcess) -> None:
    rng = np.random.default_rng(3)
    ratios = np.array([compare(gp, gp.sample(50, rng)).variance_ratio for _ in range(300)])
    predicted = compare(gp, gp.sample(50, rng)).variance_error
    np.testing.assert_allclose(ratios.std(axis=0), predicted, rtol=0.15)


def test_sampler_map_recovers_an_affine_map() -> None:
    rng = np.random.default_rng(4)
    noise, matrix = rng.standard_normal((20, 3, 2)), rng.standard_normal((6, 6))
    samples = (noise.reshape(20, 6) @ matrix + 5).reshape(20, 3, 2)
    found, residual = sampler_map(noise, samples)
    np.testing.assert_allclose(found, matrix, atol=1e-12)
    assert residual < 1e-13
    assert sampler_map(noise, samples**2)[1] > 1e-2


def test_score_error_is_seen_apart_from_sampler_error(gp: GaussianProcess) -> None:
    """A coarse model has a score error; a coarse grid has a sampler error; neither hides."""
    settings = {"t_min": 1e-3, "t_max": 10.0}
    coarse = study_samples(build(gp, tol=0.3, **settings), 60, 40, [0], "", False)
    fine = study_samples(build(gp, tol=1e-6, **settings), 60, 40, [0], "", False)
    rough = study_samples(build(gp, tol=1e-6, **settings), 60, 8, [0], "", False)
    assert fine.map_residual < 1e-12
    assert fine.score_error < 1e-5 < 1e-3 < coarse.score_error
    assert coarse.sampler_error == pytest.approx(fine.sampler_error, rel=1e-12)
    assert rough.sampler_error > 10 * fine.sampler_error
    assert fine.total_error == pytest.approx(fine.sampler_error, rel=1e-2)


def test_affordable_plan_shortens_the_range() -> None:
    gp = GaussianProcess(Polynomial(8.0, 0.5), 24, [[1.0]])
    settings = ModelSettings(tol=1e-3, t_min=2e-4, max_layers=100)
    plan, refused = affordable_plan(gp, settings, method="gradient", tol=1e-3)
    assert refused is not None
    assert "needs" in refused
    assert plan.depth <= 100
    assert plan.t_min > 2e-4
    previous = {2: 1, 5: 2, 1: 0.5}[int(f"{plan.t_min:e}"[0])] * plan.t_min
    previous /= int(f"{plan.t_min:e}"[0])
    with pytest.raises(ArgumentError):
        make_plan(gp, method="gradient", tol=1e-3, t_min=previous, t_max=10.0, max_layers=100)
    plan, refused = affordable_plan(gp, settings, method="chebyshev", tol=0.5)
    assert (plan.t_min, refused) == (2e-4, None)


def test_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with new_folder(target) as folder:
        (folder / "a").write_text("1")
        assert not target.exists()
    assert (target / "a").read_text() == "1"
    assert json.loads((target / MANIFEST).read_text()) == {"files": ["a"]}
    with new_folder(target) as folder:
        (folder / "b").write_text("2")
        assert (target / "a").exists()
    assert sorted(path.name for path in target.iterdir()) == ["b", MANIFEST]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_failure_leaves_the_earlier_folder(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with new_folder(target) as folder:
        (folder / "a").write_text("1")

    def interrupted() -> None:
        with new_folder(target) as folder:
            (folder / "a").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (target / "a").read_text() == "1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_foreign_folders_are_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "thesis.tex").write_text("years of work")
    with (
        pytest.raises(ArgumentError, match="not the folder of an earlier demo"),
        new_folder(target),
    ):
        pass
    (target / MANIFEST).write_text('{"files": ["other"]}')
    with (
        pytest.raises(ArgumentError, match=r"holds thesis\.tex, which no demo wrote"),
        new_folder(target),
    ):
        pass
    assert (target / "thesis.tex").read_text() == "years of work"
    file = tmp_path / "file"
    file.write_text("1")
    with pytest.raises(ArgumentError, match="is a file"), new_folder(file):
        pass
    with pytest.raises(ArgumentError, match="does not exist"), new_folder(tmp_path / "a" / "b"):
        pass


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "out"
    arguments = ["--data", "daily", "--samples", "200", "--steps", "12", "--no-progress"]
    assert run(["demo", "--out", str(out), *arguments]) == 0
    return out


def test_demo_numbers(demo: Path) -> None:
    numbers = json.loads((demo / "numbers.json").read_text())["daily"]
    assert numbers["fit"]["chosen"] == "exponential"
    assert set(numbers["held_out"]) == {"exponential", "polynomial", "logarithmic"}
    kinds = {(m["method"], m["attention"]) for m in numbers["models"]}
    assert kinds == {(m, a) for m in ("gradient", "chebyshev") for a in ("softmax", "relu")}
    for model in numbers["models"]:
        assert model["passed"]
        assert 1e-12 < model["relative_error"] <= model["bound"] <= model["tol"]
    samples = numbers["samples"]
    assert samples["score_error"] < 1e-3 < samples["sampler_error"]


def test_demo_report_says_what_was_measured(demo: Path) -> None:
    numbers = json.loads((demo / "numbers.json").read_text())["daily"]
    report = (demo / "report.md").read_text()
    page = (demo / "report.html").read_text()
    for model in numbers["models"]:
        assert f"{model['relative_error']:.2e}" in report
        assert f"{model['relative_error']:.2e}" in page
    for value in numbers["held_out"].values():
        assert f"{value['mean']:.3f}" in report
    assert f"{numbers['samples']['score_error']:.1e}" in report
    assert "://" not in page
    for line in report.splitlines():
        if line.startswith("!["):
            path = demo / line.split("](")[1].rstrip(")")
            assert path.read_bytes().startswith(b"\x89PNG")


def test_demo_leaves_models_that_verify(demo: Path) -> None:
    model = load(demo / "daily" / "models" / "chebyshev-relu-0.001")
    assert verify(model, times=[1e-4, 1.0]).passed
    gp = GaussianProcess.load(demo / "daily" / "gp.json")
    assert gp == model.plan.gp
    assert np.load(demo / "daily" / "samples.npy").shape == (200, 48, 2)
