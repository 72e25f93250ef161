"""The experiments: laws, statistics and probes by themselves, small runs, and the saved tables."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from constructions.learned import DiT, GaussianLaw, MixtureLaw, maximum_likelihood
from constructions.learned.experiments.__main__ import main
from constructions.learned.experiments.common import (
    Settings,
    data_of,
    law_of,
    process,
    process_of,
    spatial,
    training,
    untrained,
)
from constructions.learned.experiments.findings import falls
from constructions.learned.experiments.run import (
    EXPERIMENTS,
    RESULTS,
    SIZES,
    configuration,
    experiment,
    grouped,
    measure,
    measure_together,
    run,
    saved,
)
from constructions.learned.experiments.table import Interval, Table
from unroll import ArgumentError, Exponential, GaussianProcess, Polynomial

TINY = {"seeds": 2, "steps": 3, "batch": 8, "width": 16, "depth": 2, "heads": 2, "frames": 5}
#: What makes an experiment as small as it can be.
FEWER: dict[str, dict[str, Any]] = {
    "distribution_error": {"kernels": ("exponential nu=1 l=4",), "sequences": (16, 64)},
    "sequence_length": {
        "sequences": 16,
        "frames_swept": (3, 5),
        "length_scales": (1.0, 4.0),
        "correlations": (0.0, 0.5),
        "t_mins": (0.1, 0.2),
    },
    "architectures": {"sequences": 64, "kernels": ("exponential",), "t_min": 0.2},
    "attention_maps": {"sequences": 16, "tested": 8, "kernels": ("exponential",)},
    "unrolling_probes": {"sequences": 16, "iterates": 3, "probed": 40},
    "moving_ball": {
        "sequences": 16,
        "size": 4,
        "pixel_width": 16,
        "pixel_steps": 3,
        "drawn": 8,
        "reference": 50,
        "sampler_steps": 3,
    },
    "off_assumptions": {"sequences": 64, "strengths": (0.0, 1.0)},
}


def tiny(name: str) -> Any:
    return replace(configuration(name, "small"), **(TINY | FEWER[name]))


def make_tiny(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the small size."""
    config = tiny(name)
    monkeypatch.setattr(experiment(name).Config, "sized", classmethod(lambda cls, size: config))


def records(name: str, config: Any) -> list[dict[str, Any]]:
    jobs = [job | {"experiment": name} for job in experiment(name).jobs(config)]
    return [json.loads(json.dumps(job | measure(job, "cpu"))) for job in jobs]


@pytest.fixture(scope="module")
def measured() -> dict[str, list[dict[str, Any]]]:
    return {name: records(name, tiny(name)) for name in EXPERIMENTS}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_runs_to_its_figure(name, measured, tmp_path):
    from matplotlib.figure import Figure

    table = experiment(name).summary(measured[name], tiny(name))
    table.save(tmp_path / "t.json")
    again = Table.load(tmp_path / "t.json")
    assert again.markdown() == table.markdown()
    assert table.rows
    assert table.findings
    intervals = [v for row in table.rows for v in row.values() if isinstance(v, Interval)]
    assert intervals
    assert all(v.count == 2 and math.isfinite(v.half) for v in intervals)
    axes = Figure().subplots()
    experiment(name).figure(again, axes)
    assert axes.get_xlabel()
    assert axes.lines or axes.containers


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_jobs_are_different_and_repeat(name, measured):
    jobs = experiment(name).jobs(tiny(name))
    texts = {json.dumps(job, sort_keys=True) for job in jobs}
    assert len(texts) == len(jobs)
    assert {job["seed"] for job in jobs} == {0, 1}
    again = measure(jobs[0] | {"experiment": name}, "cpu")
    first = {k: v for k, v in measured[name][0].items() if k in again}
    assert json.loads(json.dumps(again)) == first


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("size", SIZES)
def test_sizes(name, size):
    config = configuration(name, size)
    jobs = experiment(name).jobs(config)
    assert {job["seed"] for job in jobs} == set(range(config.seeds))
    assert config.seeds >= (2 if size == "small" else 5)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_saved_tables(name):
    """They have five seeds and the standard configuration, and say what their numbers say."""
    table = saved(name)
    config = configuration(name, "standard")
    stored = json.loads(json.dumps(vars(config)))
    assert {key: table.config[key] for key in stored} == stored
    intervals = [v for row in table.rows for v in row.values() if isinstance(v, Interval)]
    assert min(v.count for v in intervals) >= 5
    assert all(v.low <= v.mean <= v.high for v in intervals)
    assert table.origin["torch"]
    assert (RESULTS / f"{name}.standard.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["others", "DiT"])
def test_a_saved_table_is_measured_again(model):
    """All five seeds: models that are fitted agree, networks up to what rounding makes of them."""
    config = configuration("architectures", "standard")
    jobs = [j for j in experiment("architectures").jobs(config) if j["model"] == model]
    found = [measure(job | {"experiment": "architectures"}, "cpu") for job in jobs]
    assert len(found) == 5
    for name in found[0]:
        (row,) = saved("architectures").where(model=name)
        mean = float(np.mean([result[name]["root"] for result in found]))
        if model == "others":
            assert mean == pytest.approx(row["root"].mean, rel=1e-3)
        assert row["root"].low - 1e-3 <= mean <= row["root"].high + 1e-3


def test_saved_findings_follow_from_the_saved_rows():
    """Orderings by nu, l, p and q, and which controls trained attention is above."""
    table = saved("distribution_error")
    module = experiment("distribution_error")
    ends = table.config["sequences"][0], table.config["sequences"][-1]
    judged = 0
    for change, kernels in module.ORDERED.items():
        for n in ends:
            pair = [table.where(kernel=kernel, n=n) for kernel in kernels]
            if all(pair):
                said = falls(f"{change}, n = {n}", *(row["DiT"] for (row,) in pair), "the error")
                assert said in table.findings
                judged += 1
    assert judged == 8, "nu, l, p, q at the fewest and the most sequences"
    rows = {row["case"]: row["rank"] for row in saved("attention_maps").rows}
    for finding in saved("attention_maps").findings:
        (control,) = (case for case in rows if f" {case}: " in finding)
        assert ("NOT above" in finding) == (rows["trained"].low <= rows[control].high)


def test_networks_trained_together_give_the_same_numbers(measured):
    name = "sequence_length"
    jobs = [job | {"experiment": name} for job in experiment(name).jobs(tiny(name))]
    groups = grouped(jobs, 4)
    assert sorted(json.dumps(j) for g in groups for j in g) == sorted(map(json.dumps, jobs))
    assert max(map(len, groups)) == 4
    group = groups[0]
    by_job = {json.dumps({k: r[k] for k in jobs[0]}): r for r in measured[name]}
    for job, found in zip(group, measure_together(group, "cpu"), strict=True):
        assert found["root"] == pytest.approx(by_job[json.dumps(job)]["root"], rel=1e-3)


def test_run_continues(tmp_path, monkeypatch):
    calls, module = [], experiment("moving_ball")

    def counted(job, model, ordinary=module.evaluate):
        calls.append(job["seed"])
        return ordinary(job, model)

    make_tiny("moving_ball", monkeypatch)
    monkeypatch.setattr(module, "evaluate", counted)
    options = {"folder": tmp_path, "progress": False}
    assert run(["moving_ball"], only="others", **options) == {}
    first = run(["moving_ball"], only="networks", **options)
    assert calls == [0, 0, 1, 1], "every case once before any a second time"
    again = run(["moving_ball"], together=2, **options)
    assert len(calls) == 4
    assert again["moving_ball"].markdown() == first["moving_ball"].markdown()


def test_from_the_command_line(tmp_path, monkeypatch):
    make_tiny("unrolling_probes", monkeypatch)
    found = CliRunner().invoke(main, ["unrolling_probes", "--out", str(tmp_path)])
    assert found.exit_code == 0, found.output
    assert "| case | method | block |" in found.output
    assert {p.name for p in tmp_path.iterdir()} == {
        "unrolling_probes.small.json",
        "unrolling_probes.small.png",
    }
    wrong = CliRunner().invoke(main, ["unrolling_probe"])
    assert wrong.exit_code == 1
    assert "name=unrolling_probe: " in wrong.output
    assert "unrolling_probes" in wrong.output


def test_failed_jobs_are_told_after_the_tables(tmp_path, monkeypatch):
    module = experiment("unrolling_probes")
    make_tiny("unrolling_probes", monkeypatch)

    def fails(job, model, ordinary=module.evaluate):
        if job["seed"] == 1:
            raise ValueError("a bad day")
        return ordinary(job, model)

    monkeypatch.setattr(module, "evaluate", fails)
    found = CliRunner().invoke(main, ["unrolling_probes"])
    assert found.exit_code == 1
    assert "| case | method | block |" in found.output
    assert "3 jobs failed, the first with ValueError: a bad day" in found.output


# What the experiments measure with


def test_data_are_those_of_the_process():
    job = Settings(frames=4).job(3, process=process(Polynomial(3.0, 2.0), 4, 2, 0.3))
    gp = process_of(job["process"])
    assert gp.kernel == Polynomial(3.0, 2.0)
    np.testing.assert_allclose(gp.spatial_cov, [[1, 0.3], [0.3, 1]])
    np.testing.assert_allclose(law_of(job).covariance, gp.covariance())
    first, again, other = (data_of(law_of(job), 5, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert json.loads(json.dumps(job)) == job
    config = training(job, 10, "cpu")
    assert (config.batch, config.seed, config.t_min) == (10, 3, 0.01)


def test_controls_have_open_gates():
    """Else an untrained network would let nothing through, and be no control."""
    job = Settings(width=16, depth=2, heads=2, frames=5).job(0)
    stream = untrained(job).residual_stream(torch.randn(3, 5, 2), 0.3)
    assert (stream[1:] - stream[:-1]).abs().mean() > 0.01


def attention_of(gamma: np.ndarray, sharpness: float, noise: float = 0.0) -> dict[str, float]:
    lags = np.abs(np.subtract.outer(np.arange(len(gamma)), np.arange(len(gamma))))
    logits = sharpness * np.log(gamma[lags])
    logits = logits + noise * np.random.default_rng(0).normal(size=logits.shape)
    maps = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return experiment("attention_maps").attention_statistics(maps, gamma)


def test_statistics_of_planted_attention():
    gamma = Polynomial(4.0, 2.0).autocov(np.arange(12))
    for sharpness in (0.5, 1.0, 2.0):
        found = attention_of(gamma, sharpness)
        assert found["rank"] > 0.9  # rows are normalised: near the ends attention is larger
        assert found["decay"] == pytest.approx(sharpness, rel=0.1)
    assert attention_of(gamma, -1.0)["rank"] < -0.7
    flat = attention_of(gamma, 0.0)
    assert flat == pytest.approx({"rank": 0.0, "decay": 0.0}, abs=1e-12)
    lost = [
        experiment("attention_maps").attention_statistics(
            np.random.default_rng(k).random((12, 12)), gamma
        )["rank"]
        for k in range(40)
    ]
    assert abs(np.mean(lost)) < 5 / math.sqrt(40 * 65)


def test_iterates_converge_to_the_score():
    gp = GaussianProcess(Exponential(2.0), 6, spatial(2), np.ones((6, 2)))
    v = gp.sample_noisy(4, 0.2, rng=0)
    for method, count in (("gradient", 300), ("chebyshev", 60)):
        found = experiment("unrolling_probes").iterates(gp, v, 0.2, method, count)
        assert found.shape == (count, 4, 6, 2)
        np.testing.assert_allclose(found[-1], gp.score(v, 0.2), rtol=1e-8, atol=1e-8)
        first = found[0] / (v - math.exp(-0.1) * gp.mean)
        np.testing.assert_allclose(first, first[0, 0, 0], rtol=1e-10)


def test_partial_r2():
    partial_r2 = experiment("unrolling_probes").partial_r2
    rng = np.random.default_rng(0)
    own, hidden, noise = (rng.normal(size=(400, 6, 2)) for _ in range(3))
    target = own @ [[1.0, 2.0], [0.0, 1.0]] + hidden + 0.5
    assert partial_r2(np.concatenate([hidden, noise], -1), own, target) > 0.999
    # half of the variance that `own` leaves is in the first channel
    assert partial_r2(hidden[..., :1], own, target) == pytest.approx(0.5, abs=0.05)
    assert abs(partial_r2(noise, own, target)) < 0.02
    assert abs(partial_r2(own, own, target)) < 1e-6, "what is known anyway counts for nothing"


def test_a_hand_built_stream_holds_the_iterates(measured):
    """After block k the Chebyshev iterate s_k is there exactly, and not before."""
    here = [r for r in measured["unrolling_probes"] if r["case"] == "hand-built"]
    for record in here:
        found = np.array(record["chebyshev"])[:, :-1]  # s_2, s_3 after blocks 1, 2
        assert found[1, 0] > 1 - 1e-6
        assert found[0].max() < 0.05


@pytest.mark.parametrize("name", ["variance", "warp", "means", "scales"])
def test_departures(name):
    departed = experiment("off_assumptions").departed
    kept = departed(name, 0.0, 6, 2, 4.0)
    expected = GaussianProcess(Exponential(4.0), 6, spatial(2)).covariance()
    np.testing.assert_allclose(kept.covariance, expected, rtol=1e-12)
    np.testing.assert_allclose(kept.mean, 0.0)
    law = departed(name, 1.0, 6, 2, 4.0)
    blocks = law.covariance.reshape(6, 2, 6, 2)[:, 0, :, 0]
    if name == "variance":
        assert isinstance(law, GaussianLaw)
        np.testing.assert_allclose(np.diag(blocks), np.exp(2 * (np.arange(6) / 5 - 0.5)))
    elif name == "warp":
        steps = np.diagonal(blocks, 1)
        assert np.ptp(steps) > 0.1, "not stationary"
        np.testing.assert_allclose(np.diag(blocks), 1.0)
    elif name == "means":
        assert isinstance(law, MixtureLaw)
        np.testing.assert_allclose(law.covariance, expected + 1.0)
    else:
        np.testing.assert_allclose(law.covariance, math.cosh(1.0) * expected)


def test_what_the_sweeps_sweep():
    found = experiment("sequence_length").jobs(configuration("sequence_length", "standard"))
    for name, path in (("frames", "frames"), ("correlation", "correlation")):
        mine = [job for job in found if job["sweep"] == name]
        assert {job["process"][path] for job in mine} == {job["value"] for job in mine}
    assert {job["t_min"] for job in found if job["sweep"] == "t_min"} == {0.002, 0.01, 0.05}
    kappas = [
        measured["kappa"]
        for measured in (
            experiment("sequence_length").evaluate(job, DiT(12, 2, width=8, depth=1, heads=1))
            for job in found
            if job["seed"] == 0 and job["sweep"] == "length_scale"
        )
    ]
    assert kappas == sorted(kappas)


def test_data_of_the_controls():
    """Independent frames are, and shuffled ones hold the same frames."""
    module = experiment("attention_maps")
    config = replace(configuration("attention_maps", "standard"), sequences=3000)
    jobs = {job["case"]: job for job in module.jobs(config) if job["seed"] == 0}
    own, lone, mixed = (module.prepare(jobs[c])[1] for c in ("trained", "independent", "shuffled"))
    assert not module.prepare(jobs["positions"])[0].content
    along = maximum_likelihood(lone, "kronecker").covariance
    assert np.abs(along[0::2, 0::2] - np.eye(12)).max() < 0.15
    assert np.array_equal(np.sort(own[..., 0], axis=1), np.sort(mixed[..., 0], axis=1))
    assert not np.array_equal(own, mixed)


def test_unknown_names():
    with pytest.raises(ArgumentError, match="distribution_error") as caught:
        saved("distribution")
    assert caught.value.argument == "name"
    with pytest.raises(ArgumentError, match="standard"):
        configuration("architectures", "huge")
