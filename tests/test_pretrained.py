"""Saved models: bit for bit, whole or not at all, and nothing foreign becomes a model."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from constructions import UnrolledTransformer, build, load, model_folder, pretrained, verify
from unroll import ArgumentError, Exponential, GaussianProcess

SPATIAL = np.array([[1.0, 0.3], [0.3, 0.5]])
GP = GaussianProcess(Exponential(3.0), 5, SPATIAL, np.arange(10.0).reshape(5, 2))
WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"
CASES = list(
    itertools.product(["gradient", "chebyshev"], ["softmax", "relu"], ["float32", "float64"])
)


def small_model(**options: Any) -> UnrolledTransformer:
    return build(GP, **{"tol": 0.1, "t_min": 0.1, **options})


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model"
    small_model().save(folder)
    return folder


def listing(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# --- round trips


@pytest.mark.parametrize(("method", "attention", "dtype"), CASES)
def test_round_trip_is_bit_exact(tmp_path: Path, method: str, attention: str, dtype: str) -> None:
    model = small_model(method=method, attention=attention, dtype=dtype)
    model.save(tmp_path / "deep" / "er" / "model")
    loaded = load(str(tmp_path / "deep" / "er" / "model"))
    assert loaded.plan == model.plan
    assert loaded.architecture == model.architecture
    assert loaded.stream == model.stream
    ours, theirs = model.state_dict(), loaded.state_dict()
    assert list(ours) == list(theirs)
    for name, tensor in ours.items():
        assert tensor.dtype == theirs[name].dtype
        assert torch.equal(tensor, theirs[name])
    v = torch.as_tensor(GP.sample_noisy(3, 0.5), dtype=getattr(torch, dtype))
    with torch.no_grad():
        assert torch.equal(model(v, 0.5), loaded(v, 0.5))
    assert verify(loaded, times=[0.1, 5.0]).passed


def test_weights_are_saved_as_they_are_and_not_compiled_anew(tmp_path: Path) -> None:
    model = small_model()
    with torch.no_grad():
        model.blocks[3].attention.value.mul_(1.001)
        model.embed[0, 0] = -0.0
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert torch.equal(loaded.blocks[3].attention.value, model.blocks[3].attention.value)
    assert bool(torch.signbit(loaded.embed[0, 0]))
    assert not verify(loaded, times=[0.1]).passed


def test_saving_twice_writes_the_same_bytes(tmp_path: Path, saved: Path) -> None:
    load(saved).save(tmp_path / "again")
    assert listing(tmp_path / "again") == listing(saved)


def test_two_files_in_open_formats(saved: Path) -> None:
    assert set(listing(saved)) == {WEIGHTS, DESCRIPTION}
    tensors = load_file(saved / WEIGHTS)
    assert set(tensors) == set(load(saved).state_dict())
    description = json.loads((saved / DESCRIPTION).read_text())
    assert description["format"] == pretrained.FORMAT
    assert description["library_version"]
    problem = description["plan"]["problem"]
    assert GaussianProcess.from_dict(problem) == GP


def test_no_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("pickle was called")

    for owner, name in (
        (pickle, "load"),
        (pickle, "loads"),
        (pickle, "dump"),
        (pickle, "dumps"),
        (pickle, "Unpickler"),
        (pickle, "Pickler"),
        (torch, "load"),
        (torch, "save"),
    ):
        monkeypatch.setattr(owner, name, forbidden)
    small_model().save(tmp_path / "model")
    load(tmp_path / "model")


def test_folders_are_as_readable_as_others(tmp_path: Path) -> None:
    small_model().save(tmp_path / "model")
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "model").stat().st_mode & 0o055 == 0o055
    assert (tmp_path / "model" / DESCRIPTION).stat().st_mode & 0o044 == 0o044


# --- whole or not at all


def test_a_model_is_replaced(tmp_path: Path) -> None:
    small_model().save(tmp_path / "model")
    other = small_model(method="gradient")
    other.save(tmp_path / "model")
    assert load(tmp_path / "model").plan == other.plan
    assert os.listdir(tmp_path) == ["model"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    small_model().save(tmp_path / "model")
    assert load(tmp_path / "model").plan.method_name == "chebyshev"


def test_what_is_not_a_model_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("precious")
    shutil.copytree(tmp_path / "folder", tmp_path / "mixed")
    small_model().save(tmp_path / "model")
    shutil.copy(tmp_path / "model" / WEIGHTS, tmp_path / "mixed")
    before = listing(tmp_path)
    for name in ("file", "folder", "mixed", "file/below"):
        with pytest.raises(ArgumentError, match=r"^path=") as caught:
            small_model().save(tmp_path / name)
        assert "choose another folder" in str(caught.value)
        assert listing(tmp_path) == before
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "mixed", "model"]


@pytest.mark.parametrize("stage", ["save_file", "write_json"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=["disk", "stop"])
@pytest.mark.parametrize("existing", [False, True])
def test_an_interrupted_save_leaves_no_trace(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    error: BaseException,
    existing: bool,
) -> None:
    target = tmp_path / "model"
    if existing:
        small_model().save(target)
    before = listing(tmp_path)

    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(model_folder, stage, fail)
    with pytest.raises(type(error) if isinstance(error, KeyboardInterrupt) else Exception):
        small_model(method="gradient").save(target)
    assert listing(tmp_path) == before
    assert os.listdir(tmp_path) == (["model"] if existing else [])
    if existing:
        assert load(target).plan.method_name == "chebyshev"
