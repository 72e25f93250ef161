"""Save and load a model together with its plan; see `constructions.model_folder` for the files."""

from __future__ import annotations

from pathlib import Path

from constructions.architecture import Architecture
from constructions.compile import check_fit
from constructions.model_folder import read_folder, write_folder
from constructions.unrolled import UnrolledTransformer
from unroll.plan import Plan

__all__ = ["FORMAT", "load", "save"]

FORMAT = "unrolled-transformer/2"


def save(model: UnrolledTransformer, path: str | Path) -> None:
    """Write a model into the folder ``path``, replacing a model that is there.

    Raises
    ------
    ArgumentError
        ``path`` is a file, or a folder that holds something other than a saved model.
    """
    description = {"architecture": model.architecture.to_dict(), "plan": model.plan.to_dict()}
    write_folder(path, FORMAT, description, model.state_dict())


def load(path: str | Path) -> UnrolledTransformer:
    """Read a model that `save` wrote.

    Raises
    ------
    ArgumentError
        A file is missing, truncated, foreign, of another format version, or the tensors do not
        fit the architecture.
    """
    description, tensors = read_folder(path, FORMAT, ("architecture", "plan"))
    architecture = Architecture.from_dict(description["architecture"])
    plan = Plan.from_dict(description["plan"])
    check_fit(architecture, plan)
    model = UnrolledTransformer(architecture, plan)
    model.load_tensors(tensors)
    return model
