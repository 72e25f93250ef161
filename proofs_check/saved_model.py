"""Read a saved model for the audit: plain arrays and a description, nothing executed.

The audit shares no code with the builder. It knows the file format and the architecture it
describes; a file that it does not understand in every part is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from proofs_check.certificate import CertificateError
from unroll.errors import ArgumentError
from unroll.gate_design import OUTPUTS
from unroll.methods import METHODS
from unroll.plan import Plan
from unroll.storage import read_json

__all__ = ["SavedModel", "read_saved"]

FORMAT = "unrolled-transformer/2"
TIME_FEATURES = 5  # per step: eta, eta alpha, eta alpha^2, eta sigma^2, beta
POSITION_CHANNELS = ("sink_start", "sink_end", "position")  # what queries and keys read
_KIND = "step"  # the one kind of block that a first-order method has


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
        prefix = f"blocks.{k}."
        return {
            name[len(prefix) :]: array
            for name, array in self.tensors.items()
            if name.startswith(prefix)
        }

    @property
    def kind(self) -> dict[str, Any]:
        """Shape of the blocks."""
        kind: dict[str, Any] = self.architecture["kinds"][_KIND]
        return kind

    @property
    def spectrum(self) -> tuple[float, float]:
        """Ends of the spectrum of ``Gamma kron Sigma`` that its gates are for."""
        if self.plan.conditioning:
            return self.plan.spectrum.lower, self.plan.spectrum.upper
        lower, upper = (float(x) for x in self.tensors["time.spectrum"])
        return lower, upper

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
    if plan.method_name not in METHODS:
        raise CertificateError(
            f"plan.method={plan.method_name!r}: the audit does not understand it"
        )
    if plan.products is not None:
        raise CertificateError(
            "plan.products: the audit does not understand models that multiply by ReLUs; "
            "certify bounds the error of their plans"
        )
    architecture = description.get("architecture")
    if not isinstance(architecture, dict) or not isinstance(architecture.get("stream"), dict):
        raise CertificateError("architecture: is missing or not an object; save the model anew")
    _check_description(architecture, plan)
    model = SavedModel(architecture, plan, tensors, _channels(architecture["stream"], plan))
    _check_tensors(model)
    return model


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


def _channels(stream: dict[str, Any], plan: Plan) -> dict[str, slice]:
    momentum = plan.method.has_momentum
    wanted = {"s_even", "s_odd", "v"} if momentum else {"s", "v"}
    wanted |= {"mean"} if plan.gp.has_mean else set()
    if set(stream) - {*POSITION_CHANNELS} != wanted:
        raise CertificateError(
            f"architecture.stream={sorted(stream)}: is not the stream of a {plan.method_name} "
            "model; the audit does not understand it"
        )
    channels, start = {}, 0
    for name, size in stream.items():
        if type(size) is not int or size < 1 or (name in wanted and size != plan.gp.channels):
            raise CertificateError(f"architecture.stream.{name}={size!r}: is no valid size")
        channels[name] = slice(start, start + size)
        start += size
    return channels


def _check_description(architecture: dict[str, Any], plan: Plan) -> None:
    """Every entry is one that the audit knows, and says what the plan says."""
    expected = {
        "frames": plan.gp.frames,
        "channels": plan.gp.channels,
        "blocks": [_KIND] * plan.depth,
        "time_features": plan.method_name,
        "time_steps": plan.depth if plan.method.has_momentum and not plan.conditioning else 1,
        "time_terms": 0,
        "conditioning": "mlp" if plan.conditioning else "exact",
        "time_hidden": plan.conditioning.units if plan.conditioning else 0,
        "time_tokens": False,
        "clipped": False,
        "activation": plan.activation,
        "dtype": plan.dtype,
        "t_min": plan.t_min,
        "t_max": plan.t_max,
        "scores_from": "position",
    }
    _check_entries("architecture", architecture, expected, {"stream", "kinds", "two_ended"})
    kinds = architecture["kinds"]
    if not isinstance(kinds, dict) or [*kinds] != [_KIND]:
        raise CertificateError(
            f"architecture.kinds: has other kinds of blocks than {_KIND!r}; "
            "the audit does not understand this model"
        )
    _check_switch("architecture.two_ended", architecture["two_ended"])
    kind, name = kinds[_KIND], f"architecture.kinds.{_KIND}"
    listens = 1 + (OUTPUTS if plan.conditioning else TIME_FEATURES)
    _check_entries(name, kind, {"listens": listens}, {"attention", "hidden"})
    _check_size(f"{name}.hidden", kind["hidden"])
    wanted = {
        "heads": plan.heads,
        "value_channels": plan.gp.channels,
        "score": plan.lowering.score if plan.lowering else None,
        "sinusoids": False,
        "gated": False,
        "baseline": False,
    }
    free = {"score_channels", "relative_bias", "sinks"}
    _check_entries(f"{name}.attention", kind["attention"], wanted, free)
    _check_size(f"{name}.attention.score_channels", kind["attention"]["score_channels"])
    _check_size(f"{name}.attention.sinks", kind["attention"]["sinks"], least=0)
    _check_switch(f"{name}.attention.relative_bias", kind["attention"]["relative_bias"])


def _check_entries(where: str, found: Any, expected: dict[str, Any], free: set[str]) -> None:
    if not isinstance(found, dict):
        raise CertificateError(f"{where}: is not an object; save the model anew")
    for name in sorted({*expected, *free} ^ set(found)):
        verb = "is unknown to the audit" if name in found else "is missing"
        raise CertificateError(f"{where}.{name}: {verb}; save the model anew")
    for name, value in expected.items():
        if found[name] != value or isinstance(found[name], bool) != isinstance(value, bool):
            raise CertificateError(
                f"{where}.{name}={found[name]!r}: the plan needs {value!r}; "
                "the audit does not understand this model"
            )


def _check_size(name: str, value: Any, least: int = 1) -> None:
    if type(value) is not int or value < least:
        raise CertificateError(f"{name}={value!r}: is no valid size")


def _check_switch(name: str, value: Any) -> None:
    if type(value) is not bool:
        raise CertificateError(f"{name}={value!r}: is no switch")


def _check_tensors(model: SavedModel) -> None:
    a, kind = model.architecture, model.kind
    attention = kind["attention"]
    width = sum(group.stop - group.start for group in model.channels.values())
    heads, p, d, n = attention["heads"], attention["score_channels"], a["channels"], a["frames"]
    f, listens = kind["hidden"], kind["listens"]
    block = {
        "attention.query": (heads, width, p),
        "attention.query_bias": (heads, p),
        "attention.key": (width, p),
        "attention.key_bias": (p,),
        "attention.value": (width, d),
        "attention.output": (heads, d, width),
        "feed_forward.up": (width, f),
        "feed_forward.up_bias": (f,),
        "feed_forward.down": (f, width),
        "feed_forward.down_bias": (width,),
        "modulation.listen": (listens,),
        "modulation.attention_gate": (listens, width),
        "modulation.feed_forward_scale": (listens, width),
    }
    if attention["relative_bias"]:
        block["attention.relative_bias"] = (heads, 2 * n - 1)
    if attention["sinks"]:
        block["attention.sink_key"] = (heads, attention["sinks"], p)
    shapes = {
        "embed": (d, width),
        "position": (n, width),
        "readout": (width, d),
    } | {f"blocks.{k}.{name}": s for k in range(len(a["blocks"])) for name, s in block.items()}
    if model.plan.conditioning:
        units = a["time_hidden"]
        shapes |= {"time.up": (units,), "time.up_bias": (units,)}
        shapes |= {"time.down": (units, OUTPUTS), "time.down_bias": (OUTPUTS,)}
    else:
        shapes["time.spectrum"] = (2,)
    if a["two_ended"]:
        shapes["position_end"] = (n, width)
    for name in sorted(shapes.keys() ^ model.tensors.keys()):
        verb = "is missing" if name in shapes else "is unknown to the audit"
        raise CertificateError(f"{name}: {verb}; save the model anew")
    for name, shape in shapes.items():
        array = model.tensors[name]
        if array.shape != shape:
            raise CertificateError(f"{name}: has shape {array.shape}, not {shape}")
        wanted = (
            "int64"
            if name.endswith("listen")
            else "float64"
            if name.startswith("time.")
            else model.plan.dtype
        )
        if array.dtype != np.dtype(wanted):
            raise CertificateError(f"{name}: has type {array.dtype}, not {wanted}")
        if not np.isfinite(array).all():
            raise CertificateError(f"{name}: contains NaN or infinite entries")
