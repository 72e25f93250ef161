"""Save and load: one folder, ``model.safetensors`` for the weights and ``model.json`` for the rest.

No pickle. The folder appears whole or not at all, and a file that is truncated, foreign or does
not fit its description is refused before a model exists.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from constructions.architecture import Architecture
from constructions.compile import check_fit
from constructions.unrolled import UnrolledTransformer
from unroll.errors import ArgumentError
from unroll.plan import Plan
from unroll.storage import read_json, write_json

__all__ = ["FORMAT", "load", "save"]

FORMAT = "unrolled-transformer/2"
_WEIGHTS, _DESCRIPTION = "model.safetensors", "model.json"


def save(model: UnrolledTransformer, path: str | Path) -> None:
    """Write a model into the folder ``path``, replacing a model that is there.

    Raises
    ------
    ArgumentError
        ``path`` is a file, or a folder that holds something other than a saved model.
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
        tensors = {name: x.detach().cpu().contiguous() for name, x in model.state_dict().items()}
        save_file(tensors, fresh / _WEIGHTS)
        (fresh / _WEIGHTS).chmod(0o644)  # as other files; safetensors makes them private
        description = {
            "format": FORMAT,
            "library_version": _version(),
            "architecture": model.architecture.to_dict(),
            "plan": model.plan.to_dict(),
        }
        write_json(fresh / _DESCRIPTION, description)
        fresh.chmod(0o755)  # mkdtemp makes private folders
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def load(path: str | Path) -> UnrolledTransformer:
    """Read a model that `save` wrote.

    Raises
    ------
    ArgumentError
        A file is missing, truncated, foreign, of another format version, or the tensors do not
        fit the architecture.
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
    description = read_json(folder / _DESCRIPTION)
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise ArgumentError(
            "path",
            str(folder / _DESCRIPTION),
            f"is not of format {FORMAT}",
            "save the model with this version of the library",
        )
    for key in ("architecture", "plan"):
        if key not in description:
            raise ArgumentError(
                "path", str(folder / _DESCRIPTION), f"lacks {key!r}", "save the model anew"
            )
    try:
        tensors = load_file(folder / _WEIGHTS)
    except SafetensorError as error:
        raise ArgumentError(
            "path",
            str(folder / _WEIGHTS),
            f"is truncated or not a safetensors file ({error})",
            "save the model anew",
        ) from error
    architecture = Architecture.from_dict(description["architecture"])
    plan = Plan.from_dict(description["plan"])
    check_fit(architecture, plan)
    model = UnrolledTransformer(architecture, plan)
    model.load_tensors(tensors)
    return model


def _replaceable(folder: Path) -> bool:
    return {entry.name for entry in folder.iterdir()} <= {_WEIGHTS, _DESCRIPTION}


def _version() -> str:
    try:
        return version("unrolled-transformers")
    except PackageNotFoundError:
        return "unknown"
