"""What blocks are made of here: terms that read one channel group and write one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import Tensor

from constructions.structured.channels import ChannelMap, Sum, times
from constructions.structured.factors import Values
from constructions.structured.mixing import Mixing

__all__ = ["Groups", "Hidden", "Route", "State", "Term", "collect"]

Groups = dict[str, slice]
"""Channel groups of the residual stream."""

State = dict[str, Tensor]
"""Channel group to sequences (B or 1, size, n); a group that is zero is absent."""


@dataclass(frozen=True)
class Term:
    """``factor (map group)``, or ``map (factor group)`` where the factor belongs to what is read.

    Attributes
    ----------
    group
        What is read; for outputs of attention, what is written.
    factor
        Index of the factor; None is one.
    map
        Between channels.
    """

    group: str
    factor: int | None
    map: ChannelMap


@dataclass(frozen=True)
class Route:
    """A mixing of frames with what it reads and writes.

    Attributes
    ----------
    mixing
        Acts on value channels.
    rows
        What its result is multiplied by, (n,), or None.
    outputs
        Where the result goes.
    scale, diagonal
        Indices of factors that `Mixing.prepare` takes in: all of them, where one group is read and
        one written channel by channel. None is one, or zero.
    """

    mixing: Mixing
    rows: Tensor | None
    outputs: tuple[Term, ...]
    scale: int | None = None
    diagonal: int | None = None


@dataclass(frozen=True)
class Hidden:
    """Hidden units that stay: ``activation(sum of inputs + bias)``, written by maps."""

    inputs: tuple[Term, ...]
    bias: Tensor
    activation: Callable[[Tensor], Tensor]
    outputs: tuple[Term, ...]


def collect(terms: Iterable[Term], x: State, values: Values) -> Tensor | None:
    """``sum map (factor group)``, None where everything read is zero."""
    total = Sum()
    for term in terms:
        if term.group in x:
            scaled = times(None if term.factor is None else values[term.factor], x[term.group])
            total.add(term.map(scaled))
    return total.total
