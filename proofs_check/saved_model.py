"""Read a saved model for the audit: plain arrays and a description, nothing executed.

The audit shares no code with the builder. It knows the file format and the architectures it
describes (`proofs_check.layout`); a file that it does not understand in every part is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from proofs_check.certificate import CertificateError
from proofs_check.description import check_description, check_stream
from proofs_check.layout import layout_of
from proofs_check.tensor_shapes import check_tensors
from unroll.errors import ArgumentError
from unroll.plan import Plan
from unroll.storage import read_json

__all__ = ["POSITION_CHANNELS", "SavedModel", "read_saved"]

FORMAT = "unrolled-transformer/2"
POSITION_CHANNELS = ("sink_start", "sink_end", "position", "modes", "ends")
"""What queries and keys read."""


@dataclass(frozen=True)
class SavedModel:
    """A model as it lies on disk.

    Attributes
    ----------
    architecture
        The description of shapes and switches.
    plan
        The claim: problem, method, depth, tolerance.
    tensors
        Name to array.
    channels
        Channel group to its slice of the residual stream.
    """

    architecture: dict[str, Any]
    plan: Plan
    tensors: dict[str, np.ndarray]
    channels: dict[str, slice]

    def iterate(self, k: int) -> str:
        """The channel group that holds the ``k``-th iterate."""
        if "s" in self.channels:
            return "s"
        return "s_odd" if k % 2 else "s_even"

    def block(self, k: int) -> dict[str, np.ndarray]:
        """Tensors of one block by their name inside it, such as ``attention.query``."""
        return self._blocks[k]

    @cached_property
    def _blocks(self) -> list[dict[str, np.ndarray]]:
        blocks: list[dict[str, np.ndarray]] = [{} for _ in self.architecture["blocks"]]
        for name, array in self.tensors.items():
            first, *rest = name.split(".", 2)
            if first == "blocks":
                blocks[int(rest[0])][rest[1]] = array
        return blocks

    def attention_shape(self, k: int) -> dict[str, Any]:
        """The description of a block's attention layer."""
        kind: dict[str, Any] = self.architecture["kinds"][self.architecture["blocks"][k]]
        attention: dict[str, Any] = kind["attention"]
        return attention

    @property
    def spectrum(self) -> tuple[float, float]:
        """Ends of the spectrum of ``Gamma kron Sigma`` that first-order gates are made for."""
        if self.plan.conditioning:
            return self.plan.spectrum.lower, self.plan.spectrum.upper
        lower, upper = (float(x) for x in self.tensors["time.spectrum"])
        return lower, upper

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self.architecture["blocks"])

    @property
    def stride(self) -> int:
        """Blocks whose numbers differ by multiples of it are of one kind."""
        return 1 if set(self.channels) & {"s_odd", "r", "ends"} == set() else 2

    def heard_step(self, k: int) -> int | None:
        """The step whose time features a block listens to; ``None`` where steps share them."""
        listen, d = self.block(k)["modulation.listen"], self.plan.gp.channels
        if "s_odd" in self.channels and not self.plan.conditioning:
            return int(listen[1] - 1) // 5
        if "r" in self.channels and len(listen) > 4:
            return int(listen[4] - 4) // d
        return None

    def positions(self) -> np.ndarray:
        """Position embedding (frames, width), counted from both ends."""
        position = self.tensors["position"]
        end = self.tensors.get("position_end")
        return position if end is None else position + end[::-1]

    def channel_name(self, index: int) -> str:
        """A stream index as a person reads it: ``s_even[1]``."""
        for name, group in self.channels.items():
            if group.start <= index < group.stop:
                return f"{name}[{index - group.start}]"
        return f"channel {index}"


def read_saved(path: str | Path) -> SavedModel:
    """Read ``model.json`` and ``model.safetensors`` and check that they fit each other.

    Raises
    ------
    ArgumentError
        Files are missing, truncated or foreign.
    CertificateError
        They describe something the audit does not understand.
    """
    folder = Path(path)
    for name in ("model.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise ArgumentError(
                "path", str(path), f"holds no {name}", "give the folder of a saved model"
            )
    description = read_json(folder / "model.json")
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise ArgumentError(
            "path", str(folder / "model.json"), f"is not of format {FORMAT}", "save the model anew"
        )
    try:
        tensors = load_file(folder / "model.safetensors")
    except (
        SafetensorError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:  # or a type unknown to numpy
        raise ArgumentError(
            "path",
            str(folder / "model.safetensors"),
            f"is truncated or not a safetensors file ({error})",
            "save the model anew",
        ) from error
    _check_extent(description.get("plan"), tensors)
    plan = Plan.from_dict(description.get("plan"))
    if plan.products is not None:
        raise CertificateError("plan.products: the audit does not understand it")
    architecture = description.get("architecture")
    if not isinstance(architecture, dict) or not isinstance(architecture.get("stream"), dict):
        raise CertificateError("architecture: is missing or not an object; save the model anew")
    layout = layout_of(plan)
    check_description(architecture, plan, layout)
    channels = check_stream(architecture["stream"], plan, layout)
    check_tensors(architecture, channels, layout, tensors)
    return SavedModel(architecture, plan, tensors, channels)


def _check_extent(plan: Any, tensors: dict[str, np.ndarray]) -> None:
    """A plan larger than its file is refused before anything of its size is allocated."""
    claim = plan if isinstance(plan, dict) else {}
    problem = claim.get("problem")
    frames = problem.get("frames") if isinstance(problem, dict) else None
    rows = tensors["position"].shape[:1] if "position" in tensors else ()
    if isinstance(frames, int) and (frames,) != rows:
        raise CertificateError(f"plan.problem.frames={frames}: position has shape {rows}")
    depth = claim.get("depth")
    if isinstance(depth, int) and depth > len(tensors):
        raise CertificateError(f"plan.depth={depth}: the file holds fewer blocks")
