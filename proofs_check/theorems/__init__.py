"""The theorems, one per decay regime: lemmas composed, and nothing else."""

from __future__ import annotations

import importlib
from functools import cache

from proofs_check.theorems.theorem import Design, Theorem
from unroll.errors import ArgumentError

__all__ = ["NAMES", "Design", "Theorem", "every", "get"]

NAMES = ("exponential", "polynomial", "logarithmic")


@cache
def get(name: str) -> Theorem:
    """The theorem of the regime `name`.

    Raises
    ------
    ArgumentError
        If there is none of that name.
    """
    if name not in NAMES:
        raise ArgumentError("name", name, "no such theorem", f"choose one of {', '.join(NAMES)}")
    theorem = importlib.import_module(f"{__name__}.{name}").THEOREM
    assert isinstance(theorem, Theorem)
    return theorem


def every() -> tuple[Theorem, ...]:
    """All theorems, from fast decay to slow."""
    return tuple(get(name) for name in NAMES)
