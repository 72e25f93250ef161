"""Saved models, tampered with: what the tests of the audit share."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import plan_oracles as oracle
import pytest
import torch
from safetensors.numpy import load_file, save_file

from constructions import build, load
from proofs_check import CertificateError, audit
from unroll import ArgumentError, GaussianProcess, Polynomial

Tensors = dict[str, np.ndarray]
MEAN = np.linspace(-1.0, 2.0, 10).reshape(5, 2)
GP = GaussianProcess(Polynomial(3.0, 2.0), 5, [[1.0, 0.3], [0.3, 0.6]], MEAN)
REFUSALS = (ArgumentError, CertificateError)


@cache
def saved(gp: GaussianProcess = GP, **options: Any) -> Path:
    """The folder of a model, built once."""
    folder = Path(tempfile.mkdtemp(prefix="audit-")) / "model"
    build(gp, **({"tol": 1e-4, "t_min": 0.1} | options)).save(folder)
    return folder


def measured(folder: Path) -> float:
    """Largest exact relative rms error of a saved model over some t, as torch computes it."""
    model = load(folder)
    plan, worst = model.plan, 0.0
    middle = math.sqrt(plan.t_min * plan.t_max)
    for t in (plan.t_min, middle, plan.t_max):
        exact = oracle.ExactError(plan.gp, t)
        with torch.no_grad(), np.errstate(over="ignore", invalid="ignore"):
            outputs = model(torch.as_tensor(exact.inputs.astype(plan.dtype)), t).double().numpy()
            error = exact(outputs)
        worst = max(worst, math.inf if math.isnan(error) else error)
    return worst


@contextmanager
def tampered(
    folder: Path,
    edit: Callable[[Tensors], Tensors | None] | None = None,
    describe: Callable[[dict[str, Any]], None] | None = None,
) -> Iterator[Path]:
    """A copy of a saved model with other tensors or another description."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(shutil.copytree(folder, Path(place) / "model"))
        if edit:
            tensors = {name: x.copy() for name, x in load_file(copy / "model.safetensors").items()}
            tensors = edit(tensors) or tensors
            arrays = {name: np.ascontiguousarray(x) for name, x in tensors.items()}
            save_file(arrays, copy / "model.safetensors")
        if describe:
            document = json.loads((copy / "model.json").read_text("utf-8"))
            describe(document)
            (copy / "model.json").write_text(json.dumps(document), "utf-8")
        yield copy


def refusal(folder: Path, *edits: Any) -> str:
    """The audit's message for a tampered model, which it must refuse."""
    with tampered(folder, *edits) as copy, pytest.raises(REFUSALS) as caught:
        audit(copy)
    return str(caught.value)


def depth(folder: Path) -> int:
    return int(json.loads((folder / "model.json").read_text("utf-8"))["plan"]["depth"])


def check_soundness(folder: Path) -> bool:
    """Whether the audit passes; if it does, the measured error is below its bound."""
    try:
        certificate = audit(folder)
    except CertificateError:
        return False
    assert measured(folder) <= certificate.bound <= certificate.tol
    return True


def largest(array: np.ndarray) -> tuple[np.intp, ...]:
    """Index of the largest absolute value."""
    return np.unravel_index(int(np.argmax(np.abs(array))), array.shape)


def nudge(name: str, by: float) -> Callable[[Tensors], None]:
    """Move the largest entry of a tensor; of a relative bias, that of lag zero."""

    def edit(tensors: Tensors) -> None:
        array = tensors[name]
        place = (0, array.shape[1] // 2) if name.endswith("relative_bias") else largest(array)
        array[place] += by

    return edit


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Set an entry, such as ``plan.problem.frames``; in both places for what stands in two."""

    def edit(document: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        place = document
        for name in parents:
            place = place[name]
        place[last] = value(place[last]) if callable(value) else value
        if last in ("t_min", "t_max", "dtype", "activation") and parents == ["plan"]:
            document["architecture"][last] = place[last]
        if path == "plan.depth" and place[last] < 10**6:
            document["architecture"]["blocks"] = ["step"] * place[last]

    return edit
