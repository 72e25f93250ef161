"""A part of a block's local error, and what it multiplies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flint import arb

__all__ = ["Causes", "Share", "add_up", "charge"]

Causes = dict[str, arb]
"""What is to blame, to how much of an error it is."""


@dataclass(frozen=True)
class Share:
    """Part of a block's local error: at most ``factor`` times a norm.

    Attributes
    ----------
    tensor
        Whose doing it is: the start of a tensor's name, or ``"rounding in ..."``.
    of
        What the factor multiplies: ``"iterates"``, ``"residual"``, ``"inputs"`` (V), ``"mean"`` (M)
        or ``"score"`` (the exact score).
    factor
        A ball; only its upper end counts.
    """

    tensor: str
    of: str
    factor: arb


def charge(causes: Causes, more: Mapping[str, arb]) -> None:
    """Add to causes."""
    for name, x in more.items():
        causes[name] = causes.get(name, arb(0)) + x


def add_up(shares: Iterable[Share], norms: Mapping[str, arb]) -> Causes:
    """Cause to local error."""
    causes: Causes = {}
    for share in shares:
        charge(causes, {share.tensor: share.factor * norms[share.of]})
    return causes
