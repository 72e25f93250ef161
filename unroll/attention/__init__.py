"""The attention mechanisms a plan can ask for: their parameters and their errors."""

from __future__ import annotations

from typing import Any

from unroll.attention.alibi import Alibi
from unroll.attention.base import Lowering, toeplitz_norm_bound
from unroll.attention.fourier import Fourier
from unroll.attention.irregular import Irregular, IrregularAlibi, IrregularSoftmax
from unroll.attention.relu_lag import ReluLag
from unroll.attention.softmax_sink import SoftmaxSink, row_sums
from unroll.errors import ArgumentError

__all__ = [
    "LOWERINGS",
    "Alibi",
    "Fourier",
    "Irregular",
    "IrregularAlibi",
    "IrregularSoftmax",
    "Lowering",
    "ReluLag",
    "SoftmaxSink",
    "lowering_from_dict",
    "row_sums",
    "toeplitz_norm_bound",
]

LOWERINGS: dict[str, type[Lowering]] = {
    cls.name: cls for cls in (ReluLag, SoftmaxSink, Alibi, Fourier)
}


def lowering_from_dict(document: dict[str, Any]) -> Lowering:
    """The inverse of ``Lowering.to_dict``; `ArgumentError` for a document it did not write."""
    parameters = dict(document)
    name = parameters.pop("name", None)
    known = LOWERINGS | {cls.name: cls for cls in (IrregularSoftmax, IrregularAlibi)}
    if name not in known:
        raise ArgumentError(
            "lowering", name, "is not an attention of this library", f"use one of {[*known]}"
        )
    try:
        return known[name](**parameters)
    except TypeError as error:
        raise ArgumentError(
            "lowering", document, f"does not describe {name} attention ({error})", "save it anew"
        ) from error
