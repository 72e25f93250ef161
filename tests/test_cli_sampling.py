"""`unroll sample` with every sampler, and `unroll law`: the exact law of the same samples."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from constructions import load
from constructions.adapters import affine_score, score_function
from unroll import Exponential, GaussianProcess, sample_reverse
from unroll.cli import run
from unroll.distribution import split_causes
from unroll.samplers import make_sampler, reverse_times

MEAN = np.linspace(0, 1, 24).reshape(12, 2)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    gp = GaussianProcess(Exponential(2.0, 0.8), 12, [[1.0, 0.3], [0.3, 0.6]], MEAN)
    gp.save(folder / "gp.json")
    request = ["--tol", "1e-2", "--t-max", "6", "--out", str(folder / "model")]
    assert run(["build", str(folder / "gp.json"), *request]) == 0
    return folder / "model"


@pytest.mark.parametrize("sampler", ["sde", "dpm++2m"])
def test_sample_takes_every_sampler(
    sampler: str, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.npy"
    request = ["sample", str(built), "-n", "3", "--steps", "5", "--out", str(out), "--no-progress"]
    assert run([*request, "--sampler", sampler]) == 0
    model = load(built)
    expected = sample_reverse(
        score_function(model),
        (3, 12, 2),
        t_min=model.plan.t_min,
        t_max=model.plan.t_max,
        steps=5,
        method=sampler,
        start_mean=np.exp(-model.plan.t_max / 2) * model.plan.gp.mean,
    )
    assert np.array_equal(np.load(out), expected)
    assert run([*request, "--sampler", "magic"]) == 2
    assert "dpm++2m" in capsys.readouterr().err


@pytest.mark.parametrize("sampler", ["ode", "ancestral"])
def test_law_is_that_of_the_samples(
    sampler: str, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Against the library's own call, and against ten thousand samples of the same command."""
    common = ["--sampler", sampler, "--steps", "8", "--no-progress"]
    assert run(["law", str(built), *common, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    model = load(built)
    gp, plan = model.plan.gp, model.plan
    chain = make_sampler(
        {"ode": "heun"}.get(sampler, sampler), reverse_times(plan.t_min, plan.t_max, 8)
    )
    start = np.exp(-plan.t_max / 2) * gp.mean
    causes = split_causes(gp, chain, affine_score(model), start_mean=start)
    for name, value in causes.to_dict().items():
        assert found[name] == pytest.approx(value, rel=1e-9)
    kept = found["total_variation"]
    assert kept["lower"] <= kept["value"] <= kept["upper"]

    out = tmp_path / "x.npy"
    assert run(["sample", str(built), "-n", "10000", *common, "--out", str(out)]) == 0
    capsys.readouterr()
    x = np.load(out).reshape(10_000, -1)
    own = np.cov(x.T)
    error = np.linalg.norm(own - gp.covariance()) / np.linalg.norm(gp.covariance())
    noise = np.linalg.norm(own - causes.laws["score"].covariance())
    noise /= np.linalg.norm(gp.covariance())
    assert noise < 0.06
    assert error == pytest.approx(found["covariance_error"], abs=noise)

    assert run(["law", str(built), *common]) == 0
    shown = capsys.readouterr().out
    for cause in ("early stopping", "start", "discretisation", "score", "together"):
        assert re.search(rf"^{cause} +\d", shown, re.MULTILINE)
    assert f"{found['total_wasserstein']:.3e}" in shown
    assert f"{found['total_kl']:.3e}" in shown


def test_law_refuses_what_is_no_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["law", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
