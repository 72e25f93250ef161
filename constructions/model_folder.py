"""A saved model: one folder, ``model.safetensors`` for the weights and ``model.json`` for the rest.

No pickle. The folder appears whole or not at all, and a file that is truncated, foreign or of
another format is refused before a model exists.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from unroll.errors import ArgumentError
from unroll.storage import read_json, write_json

__all__ = ["read_folder", "write_folder"]

_WEIGHTS, _DESCRIPTION = "model.safetensors", "model.json"


def write_folder(
    path: str | Path,
    file_format: str,
    description: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
) -> None:
    """Write a folder, replacing a saved model that is there.

    Raises
    ------
    ArgumentError
        ``path`` is a file, a folder that holds something other than a saved model, or cannot be
        written.
    """
    target = Path(path)
    if target.is_file() or (target.is_dir() and not _replaceable(target)):
        raise ArgumentError(
            "path", str(target), "exists and is not a saved model", "choose another folder"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise ArgumentError(
            "path", str(path), f"cannot be written ({error.strerror})", "choose another folder"
        ) from error
    try:
        plain = {name: x.detach().cpu().contiguous() for name, x in tensors.items()}
        save_file(plain, fresh / _WEIGHTS)
        (fresh / _WEIGHTS).chmod(0o644)  # as other files; safetensors makes them private
        origin = {"format": file_format, "library_version": _version()}
        write_json(fresh / _DESCRIPTION, {**origin, **description})
        fresh.chmod(0o755)  # mkdtemp makes private folders
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def read_folder(
    path: str | Path, file_format: str, keys: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Description and tensors that `write_folder` wrote.

    Raises
    ------
    ArgumentError
        A file is missing, truncated, foreign, of another format, or lacks one of ``keys``.
    """
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError("path", path, "is not a path", "give the folder of a saved model")
    folder = Path(path)
    if not folder.is_dir():
        raise ArgumentError(
            "path", str(path), "is not a folder", "give the folder of a saved model"
        )
    for name in (_DESCRIPTION, _WEIGHTS):
        if not (folder / name).is_file():
            raise ArgumentError(
                "path", str(path), f"holds no {name}", "give the folder of a saved model"
            )
    where, description = str(folder / _DESCRIPTION), read_json(folder / _DESCRIPTION)
    if not isinstance(description, dict) or description.get("format") != file_format:
        raise ArgumentError(
            "path",
            where,
            f"is not of format {file_format}",
            "save the model with this version of the library (`load` reads models of a plan, "
            "`load_conditional` models of a conditioning)",
        )
    for key in keys:
        if key not in description:
            raise ArgumentError("path", where, f"lacks {key!r}", "save the model anew")
    try:
        return description, load_file(folder / _WEIGHTS)
    except SafetensorError as error:
        raise ArgumentError(
            "path",
            str(folder / _WEIGHTS),
            f"is truncated or not a safetensors file ({error})",
            "save the model anew",
        ) from error


def _replaceable(folder: Path) -> bool:
    return {entry.name for entry in folder.iterdir()} <= {_WEIGHTS, _DESCRIPTION}


def _version() -> str:
    try:
        return version("unrolled-transformers")
    except PackageNotFoundError:
        return "unknown"
