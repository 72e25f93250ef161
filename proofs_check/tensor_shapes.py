"""The tensors that the file of a described architecture holds: names, shapes and types."""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs_check.certificate import CertificateError
from proofs_check.layout import Layout

__all__ = ["check_tensors"]


def check_tensors(
    architecture: dict[str, Any],
    channels: dict[str, slice],
    layout: Layout,
    tensors: dict[str, np.ndarray],
) -> None:
    """The file holds the tensors described, each of its shape and type, and finite."""
    width = sum(group.stop - group.start for group in channels.values())
    d, n = architecture["channels"], architecture["frames"]
    shapes: dict[str, tuple[int, ...]] = {
        "embed": (d, width),
        "position": (n, width),
        "readout": (width, d),
    }
    if architecture["two_ended"]:
        shapes["position_end"] = (n, width)
    shapes |= {f"time.{name}": shape for name, shape in layout.time.items()}
    kinds = {name: _block_shapes(kind, n, width) for name, kind in architecture["kinds"].items()}
    for k, kind in enumerate(architecture["blocks"]):
        shapes |= {f"blocks.{k}.{name}": shape for name, shape in kinds[kind].items()}
    for name in sorted(shapes.keys() ^ tensors.keys()):
        verb = "is missing" if name in shapes else "is unknown to the audit"
        raise CertificateError(f"{name}: {verb}; save the model anew")
    for name, shape in shapes.items():
        array = tensors[name]
        if array.shape != shape:
            raise CertificateError(f"{name}: has shape {array.shape}, not {shape}")
        wanted = architecture["dtype"]
        if name.endswith("listen"):
            wanted = "int64"
        elif name.startswith("time.") or name.endswith("attention.turns"):
            wanted = "float64"
        if array.dtype != np.dtype(wanted):
            raise CertificateError(f"{name}: has type {array.dtype}, not {wanted}")
        if not np.isfinite(array).all():
            raise CertificateError(f"{name}: contains NaN or infinite entries")


def _block_shapes(kind: dict[str, Any], frames: int, width: int) -> dict[str, tuple[int, ...]]:
    attention, f, listens = kind["attention"], kind["hidden"], kind["listens"]
    linear = attention["score"] == "linear"
    shapes = _linear_shapes(attention, width) if linear else _shapes(attention, frames, width)
    shapes = {f"attention.{name}": shape for name, shape in shapes.items()}
    tables = ["attention_gate"]
    if linear:
        tables.append("attention_scale")
    if f:
        tables.append("feed_forward_scale")
        shapes["feed_forward.up"], shapes["feed_forward.up_bias"] = (width, f), (f,)
        shapes["feed_forward.down"], shapes["feed_forward.down_bias"] = (f, width), (width,)
    shapes["modulation.listen"] = (listens,)
    return shapes | {f"modulation.{name}": (listens, width) for name in tables}


def _shapes(attention: dict[str, Any], n: int, width: int) -> dict[str, tuple[int, ...]]:
    heads, p, u = attention["heads"], attention["score_channels"], attention["value_channels"]
    shapes: dict[str, tuple[int, ...]] = {
        "query": (heads, width, p),
        "query_bias": (heads, p),
        "key": (width, p),
        "key_bias": (p,),
        "value": (width, u),
        "output": (heads, u, width),
    }
    if attention["relative_bias"]:
        shapes["relative_bias"] = (heads, 2 * n - 1)
    if attention["pair_bias"]:
        shapes["pair_bias"] = (heads, n, n)
    if attention["sinks"]:
        shapes["sink_key"] = (heads, attention["sinks"], p)
    return shapes


def _linear_shapes(attention: dict[str, Any], width: int) -> dict[str, tuple[int, ...]]:
    heads, u = attention["heads"], attention["value_channels"]
    shapes: dict[str, tuple[int, ...]] = {
        "amplitude": (heads,),
        "value": (width, u),
        "output": (u, width),
    }
    if attention["sinusoids"]:
        shapes["turns"] = (heads,)
    else:
        shapes["query"] = shapes["key"] = (width, heads)
    if attention["gated"]:
        shapes["poles"] = (heads, u)
    if attention["baseline"]:
        shapes["baseline"] = (u,)
    return shapes
