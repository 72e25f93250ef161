"""The `unroll` command: each command does its job, and every bad input is one line and exit 2."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from unroll import Exponential, GaussianProcess, Polynomial
from unroll.attention import LOWERINGS
from unroll.cli import COMMANDS, run
from unroll.cli.output import table
from unroll.plan import METHOD_NAMES

SPATIAL = [[1.0, 0.3], [0.3, 0.6]]


@pytest.fixture(scope="module")
def gp() -> GaussianProcess:
    return GaussianProcess(Exponential(2.0, 0.8), 12, SPATIAL, np.linspace(0, 1, 24).reshape(12, 2))


@pytest.fixture
def gp_path(gp: GaussianProcess, tmp_path: Path) -> Path:
    gp.save(tmp_path / "gp.json")
    return tmp_path / "gp.json"


@pytest.fixture(scope="module")
def built(gp: GaussianProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    gp.save(folder / "gp.json")
    request = ["--tol", "1e-4", "--t-max", "6", "--out", str(folder / "model")]
    assert run(["build", str(folder / "gp.json"), *request]) == 0
    return folder / "model"


@pytest.fixture
def model(built: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(built, tmp_path / "model"))


def one_object(text: str) -> dict:
    """The text, which must be exactly one JSON object on one line."""
    assert text.count("\n") == 1
    found = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert isinstance(found, dict)
    return found


def complaint(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """The one line that a bad call writes to standard error, after checking that it is one."""
    capsys.readouterr()
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in re.split(r"[\r\n]", captured.err) if line.strip()]
    lines = [line for line in lines if "it/s" not in line and "?it" not in line]
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("unroll: error: ")
    return lines[0].removeprefix("unroll: error: ")


def test_fit_writes_what_it_reports(
    gp: GaussianProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "x.npy", gp.sample(60, 1))
    out = tmp_path / "gp.json"
    assert run(["fit", str(tmp_path / "x.npy"), "--out", str(out), "--json", "--seed", "3"]) == 0
    report = one_object(capsys.readouterr().out)
    fitted = GaussianProcess.load(out)
    chosen = next(c for c in report["candidates"] if c["kernel"]["regime"] == report["chosen"])
    assert fitted.kernel.to_dict() == chosen["kernel"]
    assert len(report["candidates"]) == 3
    assert all(c["held_out_log_likelihood"] is not None for c in report["candidates"])
    assert fitted.has_mean


def test_fit_csv_with_options(
    gp: GaussianProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = gp.sample(30, 1)
    rows = ["sequence,frame,a,b"]
    rows += [f"{i},{j},{x[i, j, 0]!r},{x[i, j, 1]!r}" for i in range(30) for j in range(12)]
    text = "\n".join(rows).replace("np.float64(", "").replace(")", "")
    (tmp_path / "x.csv").write_text(text)
    out = tmp_path / "fit.json"
    arguments = ["--regime", "exponential", "--no-mean", "--held-out", "0", "--out", str(out)]
    assert run(["fit", str(tmp_path / "x.csv"), *arguments]) == 0
    assert GaussianProcess.load(out).has_mean is False
    shown = capsys.readouterr().out
    assert "30 sequences of 12 frames x 2 channels" in shown
    assert "polynomial" not in shown


def test_plan_lists_every_combination(gp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", str(gp_path), "--tol", "1e-3"]) == 0
    shown = capsys.readouterr().out
    assert re.search(
        r"method +attention +conditioning +layers +heads +parameters +flops +memory +bound", shown
    )
    assert run(["plan", str(gp_path), "--tol", "1e-3", "--json"]) == 0
    plans = one_object(capsys.readouterr().out)["plans"]
    *plans, paper = plans
    assert paper["conditioning"] == "products"
    kinds = {(row["method"], row["attention"]) for row in plans}
    own = {("boundary", "fourier+ends"), ("spectral", "eigenmodes")}
    methods = set(METHOD_NAMES) - {"neumann", "boundary", "spectral"}
    assert kinds == {(m, a) for m in methods for a in LOWERINGS} | own
    for row in plans:
        assert row["reason"] is None
        assert 0 < row["bound"] <= 1e-3
        assert str(row["layers"]) in shown
        assert f"{row['parameters']:,}" in shown
        assert f"{row['memory']:.2e}" in shown
        assert row["certified"] is None
    names = ("method", "attention", "conditioning")
    starred = {tuple(line.split()[1:4]) for line in shown.splitlines() if line.startswith("*")}
    assert starred == {tuple(row[n] for n in names) for row in plans if row["frontier"]}
    assert 0 < len(starred) < len(plans)


def test_plan_counts_what_build_builds(
    gp_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", str(gp_path), "--tol", "1e-3", "--json"]) == 0
    *plans, _ = one_object(capsys.readouterr().out)["plans"]
    for row in plans:
        out = tmp_path / "m"
        request = ["--method", row["method"], "--tol", "1e-3"]
        if row["method"] not in ("boundary", "spectral"):
            request += ["--attention", row["attention"]]
        if row["conditioning"] == "mlp":
            request += ["--conditioning", "mlp"]
        assert run(["build", str(gp_path), *request, "--out", str(out), "--json"]) == 0
        summary = one_object(capsys.readouterr().out)
        assert summary["parameters"] == row["parameters"]
        assert summary["blocks"] == row["layers"]
        stored = load_file(out / "model.safetensors")
        floats = sum(a.size for a in stored.values() if a.dtype.kind == "f")
        assert floats == row["parameters"]


def test_plan_says_why_a_row_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    GaussianProcess(Polynomial(8.0, 0.5), 20, [[1.0]]).save(tmp_path / "gp.json")
    arguments = ["plan", str(tmp_path / "gp.json"), "--tol", "1e-8", "--max-layers", "500"]
    assert run([*arguments, "--json"]) == 0
    plans = one_object(capsys.readouterr().out)["plans"][:-1]
    rows = {(r["method"], r["attention"]): r for r in plans if r["conditioning"] == "exact"}
    gradient = rows["gradient", "softmax"]
    assert gradient["layers"] > 500
    stated = int(re.search(r"needs (\d+) layers", gradient["reason"])[1])
    assert stated == pytest.approx(gradient["layers"], rel=0.01)  # room for rounding differs
    assert "chebyshev" in gradient["reason"]
    assert rows["chebyshev", "softmax"]["reason"] is None
    assert run([*arguments, "--dtype", "float32", "--max-layers", "50", "--json"]) == 0
    for row in one_object(capsys.readouterr().out)["plans"]:
        assert row["layers"] is None
        if row["conditioning"] == "products":
            assert "leaves no room" in row["reason"]
        elif row["method"] in ("gradient", "chebyshev"):
            assert re.search("float32 floor|exponentials", row["reason"])
        else:
            assert re.search("leaves no room in float32|exponentials", row["reason"])


def test_verify_passes_and_reports(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(built), "--json", "--samples", "4"]) == 0
    found = one_object(capsys.readouterr().out)
    assert 0 < found["relative_error"] <= found["tol"] == 1e-4
    assert found["first_divergence"] is None
    assert run(["verify", str(built), "--samples", "2"]) == 0
    captured = capsys.readouterr()
    assert "passed" in captured.out
    assert "verify" in captured.err  # progress


def test_verify_notices_one_weight(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = model / "model.safetensors"
    tensors = load_file(path)
    name = next(n for n in sorted(tensors) if n.endswith("blocks.3.attention.value"))
    index = np.unravel_index(np.argmax(np.abs(tensors[name])), tensors[name].shape)
    tensors[name][index] *= 1.001
    save_file(tensors, path)
    assert run(["verify", str(model), "--json", "--samples", "2"]) == 1
    found = one_object(capsys.readouterr().out)
    assert found["passed"] is False
    assert "3" in found["first_divergence"]
    assert run(["verify", str(model), "--samples", "2"]) == 1
    assert "FAILED" in capsys.readouterr().out


def test_certify(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["certify", str(model), "--json"]) == 0
    found = one_object(capsys.readouterr().out)
    assert 0 < found["bound"] <= found["tol"] == 1e-4
    assert sum(found["terms"].values()) == pytest.approx(found["bound"], rel=1e-12)
    assert run(["certify", str(model)]) == 0
    assert "bound" in capsys.readouterr().out
    path = model / "model.safetensors"
    tensors = load_file(path)
    tensors["blocks.3.attention.value"] = tensors["blocks.3.attention.value"] * 1.01
    save_file(tensors, path)
    assert run(["certify", str(model), "--json"]) == 1
    refused = one_object(capsys.readouterr().out)
    assert (refused["passed"], refused["bound"], refused["tol"]) == (False, None, 1e-4)
    assert "3" in refused["reason"]
    assert run(["certify", str(model)]) == 1
    assert "no certificate" in capsys.readouterr().out


def test_prove_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prove", "gradient_descent", "--falsify", "--json"]) == 0
    found = one_object(capsys.readouterr().out)
    assert found["ok"] is True
    assert found["counts"]
    assert run(["prove", "gradient_descent"]) == 0
    assert "gradient_descent" in capsys.readouterr().out


def test_sample_comes_from_the_model(
    gp: GaussianProcess, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.npy"
    request = ["-n", "400", "--steps", "20", "--no-progress", "--out", str(out)]
    assert run(["sample", str(built), *request, "--json"]) == 0
    captured = capsys.readouterr()
    assert one_object(captured.out)["shape"] == [400, 12, 2]
    assert captured.err == ""
    x = np.load(out)
    assert x.dtype == np.float64
    spread = np.sqrt(np.diag(gp.spatial_cov) / 400)
    assert np.all(np.abs(x.mean(axis=0) - gp.mean) < 5 * spread)
    np.testing.assert_allclose(x.var(axis=0).mean(axis=0), np.diag(gp.spatial_cov), rtol=0.15)
    assert run(["sample", str(built), *request, "--seed", "1"]) == 0
    assert not np.array_equal(np.load(out), x)


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    overview = capsys.readouterr().out
    for name in COMMANDS:
        assert name in overview
        assert run([name, "--help"]) == 0
        assert f"Usage: unroll {name}" in capsys.readouterr().out


def test_no_command_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "Usage: unroll" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], ["nonsense", "--help"]),
        (["plan"], ["GP.JSON"]),
        (["plan", "GP", "--tol", "x"], ["--tol", "'x'"]),
        (["plan", "GP", "--tol", "-1"], ["tol=-1.0", "must lie in"]),
        (["plan", "GP", "--tol", "nan"], ["tol=nan"]),
        (["plan", "GP", "--t-min", "0"], ["t_min=0.0", "must lie in"]),
        (["plan", "GP", "--t-min", "6"], ["t_max=5.0", "(6.0"]),
        (["plan", "GP", "--max-layers", "0"], ["max_layers=0"]),
        (["plan", "absent.json"], ["absent.json", "No such file"]),
        (["build", "GP"], ["--out"]),
        (["build", "GP", "--out", "m", "--method", "magic"], ["--method", "magic", "chebyshev"]),
        (["build", "GP", "--out", "m", "--tol", "1e-17"], ["tol=1e-17", "float64 floor"]),
        (
            ["build", "GP", "--out", "m", "--dtype", "float32", "--tol", "1e-9"],
            ["tol=1e-09", "float32 floor", "float64"],
        ),
        (
            ["build", "GP", "--out", "m", "--method", "gradient", "--max-layers", "9"],
            ["needs", "layers", "max_layers=9"],
        ),
        (["build", "GP", "--out", "m", "--bandwidth", "3"], ["attention=softmax", "relu"]),
        (
            ["build", "GP", "--out", "m", "--attention", "relu", "--bandwidth", "1"],
            ["bandwidth=1"],
        ),
        (["build", "GP", "--out", "GP"], ["gp.json", "not a saved model"]),
        (["verify", "absent"], ["absent"]),
        (["certify", "absent"], ["absent"]),
        (["certify", "."], ["model.json"]),
        (["prove", "riemann"], ["riemann"]),
        (["verify", "."], ["model.json"]),
        (["verify", "MODEL", "--samples", "0"], ["--samples", "0"]),
        (["sample", "MODEL", "--out", "x.csv"], ["--out=x.csv", ".npy"]),
        (["sample", "MODEL", "--out", "no/x.npy"], ["--out=no/x.npy", "does not exist"]),
        (["sample", "MODEL", "-n", "0", "--out", "x.npy"], ["-n", "0"]),
        (["fit", "absent.npy"], ["absent.npy", "No such file"]),
        (["fit", "GP"], ["gp.json", "neither .npy nor .csv"]),
        (["demo", "--data", "monthly"], ["--data", "monthly", "daily"]),
        (["demo", "--out", "GP"], ["gp.json", "is a file"]),
        (["demo", "--out", "."], ["not the folder of an earlier demo"]),
    ],
    ids=lambda value: " ".join(value) if value and value[0] in COMMANDS else "",
)
def test_bad_arguments(
    arguments: list[str],
    words: list[str],
    gp_path: Path,
    built: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(gp_path.parent)
    before = sorted(path.name for path in gp_path.parent.iterdir())
    names = {"GP": "gp.json", "MODEL": str(built)}
    line = complaint(capsys, [names.get(word, word) for word in arguments])
    for word in words:
        assert word in line
    assert sorted(path.name for path in gp_path.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spatial_cov": [[1.0, 2.0], [2.0, 1.0]]}, ["spatial_cov", "positive definite"]),
        ({"spatial_cov": [[1.0, 0.5], [0.4, 1.0]]}, ["spatial_cov", "symmetric"]),
        ({"spatial_cov": [[1.0, 0.5]]}, ["spatial_cov", "shape"]),
        ({"frames": 0}, ["frames=0"]),
        ({"frames": "many"}, ["frames=many"]),
        ({"mean": [[0.0, 0.0]]}, ["mean", "shape (12, 2)"]),
        ({"kernel": {"regime": "exponential", "length_scale": -2.0}}, ["length_scale=-2.0"]),
        ({"kernel": {"regime": "exponential", "length_scale": 0.0}}, ["length_scale=0.0"]),
        (
            {"kernel": {"regime": "exponential", "length_scale": 2.0, "exponent": 2.5}},
            ["exponent=2.5", "2"],
        ),
        ({"kernel": {"regime": "cubic", "length_scale": 2.0}}, ["regime", "cubic"]),
        ({"kernel": None}, ["kernel"]),
        ({"surprise": 1}, ["surprise"]),
    ],
    ids=str,
)
def test_bad_problems(
    change: dict,
    words: list[str],
    gp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gp_path.write_text(json.dumps(json.loads(gp_path.read_text()) | change))
    line = complaint(capsys, ["plan", str(gp_path)])
    for word in words:
        assert word in line


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00\x01", '{"kernel": NaN}', "null"])
def test_files_that_are_no_problem(
    text: str, gp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gp_path.write_text(text)
    complaint(capsys, ["plan", str(gp_path)])


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "foreign", "missing"])
def test_damaged_models(
    name: str, damage: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = model / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        part = {"truncated": content[: len(content) // 2], "empty": b"", "foreign": b"GIF89a" * 50}
        path.write_bytes(part[damage])
    assert "model" in complaint(capsys, ["verify", str(model)])
    complaint(capsys, ["certify", str(model)])
    out = model / "x.npy"
    complaint(capsys, ["sample", str(model), "--out", str(out)])
    assert not out.exists()


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.full((30, 12, 2), np.nan), ["not finite"]),
        (np.zeros((30, 12)), ["shape (30, 12)"]),
        (np.zeros((30, 12, 2)), ["channel 0", "does not vary"]),
        (np.random.default_rng(0).standard_normal((1, 12, 2)), ["at least 2 sequences"]),
        (np.random.default_rng(0).standard_normal((30, 2, 2)), ["2 frames"]),
        (np.repeat(np.random.default_rng(0).standard_normal((30, 12, 1)), 2, 2), ["channel"]),
    ],
    ids=["nan", "axes", "constant", "one sequence", "two frames", "copies"],
)
def test_data_that_cannot_be_fitted(
    x: np.ndarray, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "x.npy", x)
    out = tmp_path / "gp.json"
    line = complaint(capsys, ["fit", str(tmp_path / "x.npy"), "--out", str(out)])
    for word in words:
        assert word in line
    assert not out.exists()


def test_existing_files_survive_a_failure(
    gp_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = gp_path.read_bytes()
    np.save(tmp_path / "x.npy", np.zeros((30, 12, 2)))
    complaint(capsys, ["fit", str(tmp_path / "x.npy"), "--out", str(gp_path)])
    assert gp_path.read_bytes() == before
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    complaint(capsys, ["build", str(gp_path), "--tol", "1e-2", "--out", str(folder)])
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_read_only_folder(gp_path: Path, built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = gp_path.parent / "closed"
    folder.mkdir(mode=0o500)
    complaint(capsys, ["build", str(gp_path), "--tol", "1e-2", "--out", str(folder / "model")])
    complaint(capsys, ["sample", str(built), "--out", str(folder / "x.npy")])


def test_as_a_program(gp_path: Path) -> None:
    """The installed entry point: streams, exit status, and no traceback."""
    program = Path(sys.executable).parent / "unroll"
    bad = subprocess.run(
        [program, "plan", gp_path, "--tol", "2"], capture_output=True, text=True, check=False
    )
    assert (bad.returncode, bad.stdout) == (2, "")
    assert re.fullmatch(r"unroll: error: tol=2\.0: must lie in .*; give a number .*\n", bad.stderr)
    good = subprocess.run(
        [program, "plan", gp_path, "--json"], capture_output=True, text=True, check=True
    )
    assert one_object(good.stdout)["tol"] == 1e-6
    assert good.stderr == ""


def test_table_alignment() -> None:
    assert table(("a", "n"), [["x", "1"], ["long", "-"], ["y", "1,000"]]) == (
        "a         n\nx         1\nlong      -\ny     1,000"
    )
