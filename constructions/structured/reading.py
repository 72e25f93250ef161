"""From the weights of a block to terms between channel groups."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from constructions.layers import Attention, FeedForward, LinearAttention
from constructions.modules import Block
from constructions.structured.attention import Part, Reader
from constructions.structured.channels import ChannelMap, is_diagonal
from constructions.structured.factors import Factors, Table
from constructions.structured.feed_forward import read_feed_forward
from constructions.structured.terms import Groups, Hidden, Route, Term

__all__ = ["Recipe", "read_block"]


@dataclass
class Recipe:
    """What a block does.

    Attributes
    ----------
    factors
        All that depends on the diffusion time and on the block.
    terms
        By target: the residual connection and what is linear in the feed-forward layer.
    bias
        By target: constants (size, 1).
    hidden
        Hidden units of the feed-forward layer that are not linear.
    sources, routes
        What the values of attention are made of, and what becomes of them.
    plain
        The attention layer, where it has to be run as it stands.
    """

    factors: Factors = field(default_factory=Factors)
    terms: dict[str, list[Term]] = field(default_factory=dict)
    bias: dict[str, Tensor] = field(default_factory=dict)
    hidden: Hidden | None = None
    sources: tuple[Term, ...] = ()
    routes: tuple[Route, ...] = ()
    plain: Attention | LinearAttention | None = None


def read_block(
    block: Block, groups: Groups, reader: Reader, *, fixed: bool, constant: int | None
) -> Recipe:
    """Read a block.

    Parameters
    ----------
    block
        The block.
    groups
        The channel groups.
    reader
        Reads its attention.
    fixed
        Whether queries and keys read the same for all sequences: the position embedding.
    constant
        Which of the features that the block listens to is one at every diffusion time.
    """
    return _Reading(block, groups, constant).read(reader, fixed=fixed)


class _Reading:
    def __init__(self, block: Block, groups: Groups, constant: int | None) -> None:
        self._block, self._groups, self._constant = block, groups, constant
        self._like = next(block.parameters())
        self._recipe = Recipe()
        # factors between groups, channel by channel: the residual connection to begin with
        self._direct: dict[tuple[str, str], Table] = {
            (name, name): self._table("", name) for name in groups
        }

    def read(self, reader: Reader, *, fixed: bool) -> Recipe:
        recipe, layer = self._recipe, self._block.attention
        recipe.terms = {name: [] for name in self._groups}
        if self._block.feed_forward is not None:
            self._feed_forward(self._block.feed_forward)
        if isinstance(layer, Attention | LinearAttention):
            parts = reader.read(layer, fixed=fixed)
            if parts is None:
                recipe.plain = layer
            else:
                self._attention(layer, parts)
        for (source, target), table in self._direct.items():
            if not table.is_zero:
                recipe.terms[target].append(self._term(source, table, None))
        return recipe

    def _table(self, name: str, group: str) -> Table:
        """The factors of that name in a channel group; one where the block has none."""
        rows = getattr(self._block.modulation, name, None) if name else None
        listens = len(getattr(self._block.modulation, "listen", ()))
        if rows is None:
            return Table.ones(listens, self._size(group), self._like)
        return Table(rows.detach().double()[:, self._groups[group]], self._constant)

    def _size(self, group: str) -> int:
        channels = self._groups[group]
        return int(channels.stop - channels.start)

    def _term(self, group: str, table: Table, matrix: Tensor | None) -> Term:
        return Term(group, self._recipe.factors.add(table), ChannelMap(matrix, self._like.dtype))

    def _inputs(self, scale: str, matrix: Tensor) -> tuple[Term, ...]:
        """What a map of the whole stream (D, to) reads."""
        return tuple(
            self._term(name, self._table(scale, name), matrix[channels])
            for name, channels in self._groups.items()
            if matrix[channels].any() and not self._table(scale, name).is_zero
        )

    def _outputs(self, gate: str, matrix: Tensor) -> tuple[Term, ...]:
        """Where a map to the whole stream (from, D) writes."""
        return tuple(
            self._term(name, self._table(gate, name), matrix[:, channels])
            for name, channels in self._groups.items()
            if matrix[:, channels].any() and not self._table(gate, name).is_zero
        )

    def _feed_forward(self, layer: FeedForward) -> None:
        reading, dtype = read_feed_forward(layer), self._like.dtype
        for name, channels in self._groups.items():
            if reading.constant[channels].any():
                self._recipe.bias[name] = reading.constant[channels, None].to(dtype)
        for source, read in self._groups.items():
            up = reading.pairs_up[read]
            scale = self._table("feed_forward_scale", source)
            if not up.any() or scale.is_zero:
                continue
            for target, write in self._groups.items():
                matrix = up @ reading.pairs_down[:, write]
                if is_diagonal(matrix):
                    self._add_direct(source, target, scale.scaled(torch.diagonal(matrix)))
                elif matrix.any():
                    self._recipe.terms[target].append(self._term(source, scale, matrix))
        if reading.rest is not None:
            up, bias, down = reading.rest
            self._recipe.hidden = Hidden(
                self._inputs("feed_forward_scale", up),
                bias[:, None].to(dtype),
                reading.activation,
                self._outputs("", down),
            )

    def _add_direct(self, source: str, target: str, table: Table) -> None:
        known = self._direct.get((source, target))
        self._direct[source, target] = table if known is None else known + table

    def _attention(self, layer: Attention | LinearAttention, parts: list[Part]) -> None:
        value = layer.value.detach().double()
        sources = [name for name, channels in self._groups.items() if value[channels].any()]
        joined = len(sources) == 1 and self._join(sources[0], value, parts)
        if not joined:
            self._recipe.sources = self._inputs("attention_scale", value)
            self._recipe.routes = tuple(
                Route(part.mixing, part.rows, self._outputs("attention_gate", part.output))
                for part in parts
            )

    def _join(self, source: str, value: Tensor, parts: list[Part]) -> bool:
        """All factors into the mixings, where channels stay apart; whether that is so."""
        matrix = value[self._groups[source]]
        scale = self._table("attention_scale", source)
        if not (is_diagonal(matrix) and scale.is_fixed):
            return False
        factor = scale.fixed * torch.diagonal(matrix)
        routes = []
        for part in parts:
            targets = [n for n, channels in self._groups.items() if part.output[:, channels].any()]
            if len(targets) != 1:
                return False
            output = part.output[:, self._groups[targets[0]]]
            if not is_diagonal(output):
                return False
            routes.append((part, targets[0], factor * torch.diagonal(output)))
        self._recipe.sources = (Term(source, None, ChannelMap(None, self._like.dtype)),)
        self._recipe.routes = tuple(self._joined(source, *route) for route in routes)
        return True

    def _joined(self, source: str, part: Part, target: str, factor: Tensor) -> Route:
        gate, diagonal = self._table("attention_gate", target).scaled(factor), None
        if part.mixing.takes_diagonal and part.rows is None:
            table = self._direct.pop((source, target), None)
            if table is not None and not table.is_zero:
                diagonal = self._recipe.factors.add_always(table)
        output = Term(target, None, ChannelMap(None, self._like.dtype))
        scale = self._recipe.factors.add(gate)
        return Route(part.mixing, part.rows, (output,), scale, diagonal)
