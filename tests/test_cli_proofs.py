"""`unroll prove` and `unroll certify`: what they write, and when they fail."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy
from safetensors.numpy import load_file, save_file

from proofs_check import lemmas
from proofs_check.discharge import positive
from proofs_check.step import Step
from unroll import GaussianProcess, Polynomial
from unroll.cli import run

QUIET = ["--no-progress"]


def test_prove_a_regime(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "proof.html"
    assert run(["prove", "logarithmic", "--json", "--out", str(target)]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert [theorem["name"] for theorem in found["theorems"]] == ["logarithmic"]
    named = [lemma["name"] for lemma in found["lemmas"]]
    assert named == found["theorems"][0]["rests_on"]
    assert {"truncation_floor", "trapezoid_logarithmic", "chebyshev"} <= set(named)
    assert "tail_geometric" not in named
    assert found["ok"] is True
    assert "failed" not in found["counts"]
    assert found["cites"]
    assert "prove" in captured.err, "long work shows its progress"
    page = target.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "<math" in page
    assert list(tmp_path.iterdir()) == [target]


def test_prove_a_lemma_in_markdown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "proof.md"
    assert run(["prove", "gradient_descent", "--out", str(target), *QUIET]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("gradient_descent [tight] ok")
    assert str(target) in captured.out
    assert captured.err == ""
    assert "$$" in target.read_text(encoding="utf-8")


def test_prove_fails_where_a_proof_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    x, truth = sympy.Symbol("x", positive=True), lemmas.get
    broken = replace(truth("neumann"), steps=[Step("False.", "-x>0", positive(-x))])
    monkeypatch.setattr(lemmas, "get", lambda name: broken if name == "neumann" else truth(name))
    assert run(["prove", "neumann", *QUIET]) == 1
    assert "FAILED" in capsys.readouterr().out
    assert run(["prove", "neumann", "--json", *QUIET]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prove", "gaussian"], ["gaussian", "exponential"]),
        (["prove", "gradient_ascent"], ["gradient_ascent", "gradient_descent"]),
        (["prove", "neumann", "--out", "proof.txt"], ["--out", ".md or .html"]),
        (["prove", "neumann", "--out", "absent/proof.md"], ["absent", "create it first"]),
        (["certify", "absent"], ["absent", "model.json"]),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert all(word in captured.err for word in words)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("proofs")
    gp = GaussianProcess(Polynomial(2.0, 2.0), 8, [[1.0, 0.2], [0.2, 0.5]])
    gp.save(folder / "gp.json")
    request = ["--tol", "1e-3", "--attention", "relu", "--out", str(folder / "model")]
    assert run(["build", str(folder / "gp.json"), *request]) == 0
    return folder / "model"


def test_certify_says_what_it_found(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["certify", str(built), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert 0 < found["bound"] <= found["tol"] == 1e-3
    assert {"rate", "truncation", "rounding", "weights"} <= set(found["terms"])
    assert sum(found["terms"].values()) <= found["bound"] * (1 + 1e-12)
    assert found["regime"] == "polynomial"
    assert found["assumptions"]


def test_certify_refuses_a_changed_weight_and_a_foreign_folder(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = load_file(built / "model.safetensors")
    name = "blocks.2.attention.output"
    weights[name][np.unravel_index(np.abs(weights[name]).argmax(), weights[name].shape)] *= 1.01
    save_file(weights, tmp_path / "model.safetensors")
    (tmp_path / "model.json").write_bytes((built / "model.json").read_bytes())
    assert run(["certify", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    said = (captured.out + captured.err).strip()
    assert "\n" not in said
    assert "block 2" in said
    assert run(["certify", str(tmp_path), "--json"]) == 1
    refused = json.loads(capsys.readouterr().out)
    assert refused["bound"] is None
    assert refused["tol"] == 1e-3
    assert "block 2" in refused["reason"]
    (tmp_path / "model.json").write_text("{}", encoding="utf-8")
    assert run(["certify", str(tmp_path)]) == 2
