"""A part of a block's local error, and what it multiplies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flint import arb

__all__ = ["Share", "add_up"]


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


def add_up(shares: Iterable[Share], norms: Mapping[str, arb]) -> dict[str, arb]:
    """Cause to local error."""
    causes: dict[str, arb] = {}
    for share in shares:
        causes[share.tensor] = causes.get(share.tensor, arb(0)) + share.factor * norms[share.of]
    return causes
