"""A training run on disk: one safetensors file, replaced as a whole, that continues bit by bit."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from unroll.errors import ArgumentError

__all__ = ["read_run", "write_run"]

FORMAT = "training-run/1"
_NAME = "run.safetensors"


def write_run(folder: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Save the state of a run; what was there stays whole until the new file is.

    Parameters
    ----------
    folder
        Made where it is missing.
    tensors
        Everything that changes: weights, averages, optimiser, generator, losses.
    about
        JSON-ready: what the run is, and how far it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
    os.close(handle)
    try:
        save_file(own, temporary, metadata={"format": FORMAT, "about": json.dumps(about)})
        os.replace(temporary, folder / _NAME)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_run(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What `write_run` saved; ``None`` where there is nothing.

    Raises
    ------
    ArgumentError
        The file is truncated or of another kind.
    """
    path = folder / _NAME
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            # a safetensors file is no dict and cannot be iterated itself
            names = file.keys()
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in names}
        if about.get("format") != FORMAT:
            raise ValueError("another format")
        return tensors, json.loads(about["about"])
    except (SafetensorError, ValueError, KeyError, OSError) as error:
        raise ArgumentError(
            "folder", str(path), f"holds no training run ({error})", "delete it, or train elsewhere"
        ) from error


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The tensors of an optimiser's state by name."""
    return {
        f"{index}.{name}": value
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put them back."""
    document = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**document, "state": state})
