"""Compare the description of a saved model with the layout that its plan asks for."""

from __future__ import annotations

from typing import Any

from proofs_check.certificate import CertificateError
from proofs_check.layout import FREE_GROUPS, Kind, Layout
from unroll.plan import Plan

__all__ = ["check_description", "check_stream"]


def check_stream(stream: dict[str, Any], plan: Plan, layout: Layout) -> dict[str, slice]:
    """Channel groups as slices, or a refusal."""
    free = {*FREE_GROUPS} if layout.free_groups else set()
    if set(stream) - free != set(layout.groups):
        raise CertificateError(
            f"architecture.stream={sorted(stream)}: is not the stream of a {plan.method_name} "
            "model; the audit does not understand it"
        )
    channels, start = {}, 0
    for name, size in stream.items():
        if type(size) is not int or size < 1 or layout.groups.get(name, size) != size:
            raise CertificateError(f"architecture.stream.{name}={size!r}: is no valid size")
        channels[name] = slice(start, start + size)
        start += size
    return channels


def check_description(architecture: dict[str, Any], plan: Plan, layout: Layout) -> None:
    """Every entry is one that the audit knows, and says what the plan says."""
    expected = {
        "frames": plan.gp.frames,
        "channels": plan.gp.channels,
        "time_features": plan.method_name,
        "time_steps": layout.time_steps,
        "time_terms": layout.time_terms,
        "activation": plan.activation,
        "dtype": plan.dtype,
        "t_min": plan.t_min,
        "t_max": plan.t_max,
        "scores_from": "position",
        "conditioning": layout.conditioning,
        "time_hidden": layout.time_hidden,
        "time_tokens": False,
        "clipped": False,
    }
    free = {"stream", "kinds", "blocks", "two_ended"}
    _check_entries("architecture", architecture, expected, free)
    if architecture["blocks"] != layout.blocks:
        raise CertificateError(
            f"architecture.blocks: are not the {len(layout.blocks)} blocks of the plan; "
            "the audit does not understand this model"
        )
    kinds = architecture["kinds"]
    if not isinstance(kinds, dict) or set(kinds) != set(layout.kinds):
        raise CertificateError(
            f"architecture.kinds: has other kinds of blocks than {[*layout.kinds]}; "
            "the audit does not understand this model"
        )
    _check_switch("architecture.two_ended", architecture["two_ended"])
    if architecture["two_ended"] not in layout.two_ended:
        raise CertificateError("architecture.two_ended=True: the audit does not understand it")
    for name, kind in layout.kinds.items():
        _check_kind(f"architecture.kinds.{name}", kinds[name], kind)


def _check_kind(where: str, found: Any, kind: Kind) -> None:
    _check_entries(where, found, {"listens": kind.listens}, {"attention", "hidden"})
    if kind.hidden is None:
        _check_size(f"{where}.hidden", found["hidden"])
    elif found["hidden"] != kind.hidden or type(found["hidden"]) is not int:
        raise CertificateError(f"{where}.hidden={found['hidden']!r}: the plan needs {kind.hidden}")
    free = {"score_channels", "relative_bias", "sinks"} - set(kind.attention)
    attention, name = found["attention"], f"{where}.attention"
    _check_entries(name, attention, kind.attention, free)
    _check_size(f"{name}.score_channels", attention["score_channels"])
    _check_size(f"{name}.sinks", attention["sinks"], least=0)
    _check_switch(f"{name}.relative_bias", attention["relative_bias"])


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
