"""Saved results by group: the cases that differ in N alone."""

from __future__ import annotations

from typing import Any

from benchmarks.words import regime

Entry = dict[str, Any]
#: Kernel, channels, dtype, t.
Key = tuple[str, int, str, float]
#: Method to N to what it did there.
Entries = dict[str, dict[int, Entry]]


def groups(stored: Entry) -> list[Key]:
    """In the order in which they ran."""
    return list(dict.fromkeys(_key(entry) for entry in stored["results"]))


def of_group(stored: Entry, key: Key) -> Entries:
    """The entries of one group."""
    methods: Entries = {}
    for entry in stored["results"]:
        if _key(entry) == key:
            methods.setdefault(entry["method"], {})[entry["frames"]] = entry
    return methods


def title(stored: Entry, key: Key) -> str:
    """Of a group, in words."""
    kernel, channels, dtype, t = key
    return f"{regime(stored['kernels'][kernel])}, d = {channels}, {dtype}, t = {t:g}"


def sizes_of(entries: list[Entry]) -> list[int]:
    """The N that occur, ascending."""
    return sorted({entry["frames"] for entry in entries})


def _key(entry: Entry) -> Key:
    return entry["kernel"], entry["channels"], entry["dtype"], entry["t"]
