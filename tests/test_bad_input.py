"""Every bad input is one clear error: the argument, its value, the condition, the remedy."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import bad_input
import numpy as np
import pytest
import torch
from bad_input import GP, MODEL, Case, V

from constructions import UnrolledTransformer, build, verify
from unroll import ArgumentError, Exponential, GaussianProcess
from unroll.errors import abbreviate

CASES = [
    *bad_input.KERNELS,
    *bad_input.PROBLEMS,
    *bad_input.CALLS,
    *bad_input.FITS,
    *bad_input.PLANS,
    *bad_input.BUILDS,
    *bad_input.FORWARDS,
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_one_clear_error(case: Case) -> None:
    with pytest.raises(ArgumentError) as caught:
        case.call()
    error = caught.value
    assert error.argument == case.argument
    message = str(error)
    assert "\n" not in message
    assert message.startswith(f"{case.argument}={abbreviate(error.value)}: ")
    assert message == " ".join(
        f"{error.argument}={abbreviate(error.value)}: {error.condition}; {error.remedy}".split()
    )
    assert len(error.condition) > 3, "says what must hold"
    assert len(error.remedy) > 3, "says what to do"
    assert len(message) < 500
    assert re.search(case.condition, error.condition), message
    assert re.search(case.remedy, error.remedy), message
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == message


def test_it_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="length_scale"):
        Exponential(-1.0)


# --- files


def document(length_scale: str, spatial_cov: str) -> bytes:
    kernel = f'{{"regime": "exponential", "length_scale": {length_scale}}}'
    return f'{{"kernel": {kernel}, "frames": 5, "spatial_cov": {spatial_cov}}}'.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"kernel": {"regime": "polynomial"}, "frames": 5, "spatial_cov": [[1.0]]}',
        b'{"kernel": {"regime": "polynomial", "length_scale": 1, "power": 1}, "frames": 5}',
        document("-1.0", "[[1.0]]"),
        document("NaN", "[[1.0]]"),
        document("1.0", '"x"'),
        document("1.0", "[[-1.0]]"),
    ],
)
def test_foreign_problem_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "gp.json"
    path.write_bytes(content)
    with pytest.raises(ArgumentError) as caught:
        GaussianProcess.load(path)
    assert "\n" not in str(caught.value)


def test_every_truncation_of_a_problem_file(tmp_path: Path) -> None:
    path = tmp_path / "gp.json"
    GP.save(path)
    whole = path.read_bytes().rstrip()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ArgumentError, match="path="):
            GaussianProcess.load(path)


# --- nothing is left half done


def test_a_refused_build_changes_nothing() -> None:
    state = torch.random.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    for call in (lambda: build(GP, tol=1e-15), lambda: MODEL(V, 9.0), lambda: MODEL(V[:, :4], 0.5)):
        with pytest.raises(ArgumentError):
            call()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert not any(module._forward_hooks for module in MODEL.modules())
    assert verify(MODEL, times=[0.1]).passed


def test_a_refused_load_tensors_leaves_the_weights_alone() -> None:
    model = build(GP, tol=0.1, t_min=0.1)
    assert isinstance(model, UnrolledTransformer)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    wrong = {name: torch.zeros_like(tensor) for name, tensor in before.items()}
    wrong["readout"] = wrong["readout"].float()
    with pytest.raises(ArgumentError, match="weights=readout"):
        model.load_tensors(wrong)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
