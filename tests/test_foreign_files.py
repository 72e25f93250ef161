"""Foreign files: truncated, flipped, edited, mixed up. None becomes a model, each is one error."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from constructions import UnrolledTransformer, build, load, pretrained
from unroll import ArgumentError, Exponential, GaussianProcess

SPATIAL = np.array([[1.0, 0.3], [0.3, 0.5]])
GP = GaussianProcess(Exponential(3.0), 5, SPATIAL, np.arange(10.0).reshape(5, 2))
WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"


def small_model(**options: Any) -> UnrolledTransformer:
    return build(GP, **{"tol": 0.1, "t_min": 0.1, **options})


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model"
    small_model().save(folder)
    return folder


def refused(folder: Path) -> ArgumentError:
    with pytest.raises(ArgumentError) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.fixture
def broken(tmp_path: Path, saved: Path) -> Path:
    """A copy of a saved model, to be broken."""
    return Path(shutil.copytree(saved, tmp_path / "broken"))


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    description = json.loads((folder / DESCRIPTION).read_text())
    change(description)
    (folder / DESCRIPTION).write_text(json.dumps(description))


def attempt(folder: Path) -> UnrolledTransformer | None:
    """The model, or None for one clear error; any other exception passes through."""
    try:
        return load(folder)
    except ArgumentError as error:
        message = str(error)
    assert "\n" not in message
    return None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_truncated_files(broken: Path, saved: Path, data: st.DataObject) -> None:
    shutil.copytree(saved, broken, dirs_exist_ok=True)
    name = data.draw(st.sampled_from([WEIGHTS, DESCRIPTION]))
    whole = (saved / name).read_bytes()
    # the last character of the description is a newline, which JSON does not need
    length = data.draw(st.integers(0, len(whole) - 2))
    (broken / name).write_bytes(whole[:length])
    assert refused(broken).argument == "path"


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_flipped_bytes_are_a_model_or_one_clear_error(
    broken: Path, saved: Path, data: st.DataObject
) -> None:
    """Anything may be in a file; a traceback of another kind may not come out."""
    shutil.copytree(saved, broken, dirs_exist_ok=True)
    name = data.draw(st.sampled_from([WEIGHTS, DESCRIPTION]))
    whole = bytearray((saved / name).read_bytes())
    header = 8 + int.from_bytes(whole[:8], "little") if name == WEIGHTS else len(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, header - 1))] = data.draw(st.integers(0, 255))
    (broken / name).write_bytes(bytes(whole))
    attempt(broken)


JUNK: list[Any] = [None, True, -1, 0, 3, 1.5, "x", [], [1, 2], {}, {"a": 1}]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to every value of a document, containers included."""
    found = [path] if path else []
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        found += leaves(inner, (*path, key))
    return found


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_junk_in_the_description_is_refused(broken: Path, saved: Path, data: st.DataObject) -> None:
    """A model, where the junk means the same or only labels it; else one clear error."""
    description = json.loads((saved / DESCRIPTION).read_text())
    *parents, last = data.draw(st.sampled_from(leaves(description)))
    holder = description
    for key in parents:
        holder = holder[key]
    if data.draw(st.booleans()):
        del holder[last]
    else:
        holder[last] = data.draw(st.sampled_from(JUNK))
    (broken / DESCRIPTION).write_text(json.dumps(description))
    model = attempt(broken)
    if model is not None:
        v = torch.as_tensor(GP.sample_noisy(2, 0.5))
        assert model(v, 0.5).shape == v.shape


@pytest.mark.parametrize("format", ["unrolled-transformer/1", "tracr/1", None, 1])
def test_other_formats(broken: Path, format: Any) -> None:
    edit(broken, lambda d: d.update(format=format))
    error = refused(broken)
    assert error.argument == "path"
    assert pretrained.FORMAT in str(error)


@pytest.mark.parametrize("key", ["format", "architecture", "plan"])
def test_missing_parts(broken: Path, key: str) -> None:
    edit(broken, lambda d: d.pop(key))
    assert refused(broken).argument == "path"


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b"null", b"\xff\xfe\x00", b"{"])
def test_descriptions_that_are_none(broken: Path, content: bytes) -> None:
    (broken / DESCRIPTION).write_bytes(content)
    assert refused(broken).argument == "path"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frames", 6),
        ("channels", 3),
        ("stream", {"s": 2}),
        ("stream", [["s", 2]]),
        ("depth", 2),
        ("heads", 2),
        ("heads", 10**12),
        ("score_channels", 2),
        ("value_channels", 3),
        ("score", "relu"),
        ("relative_bias", False),
        ("relative_bias", "no"),
        ("sink", False),
        ("hidden", 3),
        ("activation", "gelu"),
        ("time_features", "gradient"),
        ("time_features", "zz"),
        ("time_steps", 2),
        ("listens", 3),
        ("t_min", 0.2),
        ("t_max", 4.0),
        ("dtype", "float32"),
        ("scores_from", "elsewhere"),
        ("surprise", 1),
    ],
)
def test_an_architecture_that_is_not_the_plans(broken: Path, name: str, value: Any) -> None:
    edit(broken, lambda d: d["architecture"].update({name: value}))
    assert refused(broken).argument.startswith("architecture")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("depth", 3),
        ("method", "gradient"),
        ("t_min", 0.2),
        ("dtype", "float32"),
        ("activation", "gelu"),
        ("lowering", {"name": "relu", "bandwidth": 4, "period": 10}),
    ],
)
def test_a_plan_that_is_not_the_architectures(broken: Path, name: str, value: Any) -> None:
    edit(broken, lambda d: d["plan"].update({name: value}))
    refused(broken)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("embed"),
        lambda d: d.update(extra=torch.zeros(1)),
        lambda d: d.update(embed=d["embed"][:1].clone()),
        lambda d: d.update(embed=d["embed"].float()),
        lambda d: d.update({"time.spectrum": d["time.spectrum"].float()}),
        lambda d: d.update({"blocks.0.modulation.listen": d["blocks.0.modulation.listen"] + 999}),
        lambda d: d.update({"blocks.0.modulation.listen": d["blocks.0.modulation.listen"] - 1}),
    ],
    ids=["missing", "extra", "shape", "type", "spectrum's type", "listen high", "listen low"],
)
def test_tensors_that_do_not_fit(
    broken: Path, change: Callable[[dict[str, torch.Tensor]], Any]
) -> None:
    tensors = load_file(broken / WEIGHTS)
    change(tensors)
    save_file(tensors, broken / WEIGHTS)
    assert refused(broken).argument == "weights"


def test_a_pickle_in_disguise(broken: Path) -> None:
    torch.save({"embed": torch.zeros(2)}, broken / WEIGHTS)
    assert "not a safetensors file" in str(refused(broken))


def test_weights_of_another_model(broken: Path, tmp_path: Path) -> None:
    small_model(attention="relu").save(tmp_path / "other")
    shutil.copy(tmp_path / "other" / WEIGHTS, broken)
    assert refused(broken).argument == "weights"


@pytest.mark.parametrize("name", [WEIGHTS, DESCRIPTION])
def test_a_missing_file(broken: Path, name: str) -> None:
    (broken / name).unlink()
    error = refused(broken)
    assert name in str(error)
    (broken / name).mkdir()
    assert name in str(refused(broken))


def test_places_that_are_no_folders(tmp_path: Path, saved: Path) -> None:
    for path in (tmp_path / "nowhere", saved / DESCRIPTION, tmp_path):
        assert refused(path).argument == "path"
    with pytest.raises(ArgumentError, match="path=3"):
        load(3)  # type: ignore[arg-type]
