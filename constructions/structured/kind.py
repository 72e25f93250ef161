"""Blocks that differ in the time features they listen to and in nothing else: how they run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

from constructions.modules import Block
from constructions.structured.attention import Reader
from constructions.structured.channels import Sum, times
from constructions.structured.factors import Values
from constructions.structured.moment import Moment
from constructions.structured.reading import read_block
from constructions.structured.terms import Groups, State, Term, collect

__all__ = ["Kind"]


class Kind:
    """A recipe, and how it is followed.

    Parameters
    ----------
    block
        One of the blocks.
    groups
        The channel groups.
    reader
        Reads attention layers.
    fixed
        Whether queries and keys read the same for all sequences: the position embedding.
    constant
        Which of the features that the blocks listen to is one at every diffusion time.

    Attributes
    ----------
    writes
        The groups that a block changes.
    """

    def __init__(
        self,
        block: Block,
        groups: Groups,
        reader: Reader,
        *,
        fixed: bool,
        constant: int | None,
    ) -> None:
        self._groups, self._position, self._fixed_scores = groups, reader.position, fixed
        self._recipe = read_block(block, groups, reader, fixed=fixed, constant=constant)
        self.factors = self._recipe.factors
        outputs = [term.group for route in self._recipe.routes for term in route.outputs]
        if self._recipe.hidden is not None:
            outputs += [term.group for term in self._recipe.hidden.outputs]
        self.writes = {*outputs, *self._recipe.bias} | {
            name for name in groups if not self._is_kept(name)
        }
        if (plain := self._recipe.plain) is not None:
            touched = plain.output.detach().reshape(-1, plain.output.shape[-1]).any(0)
            self.writes |= {name for name, channels in groups.items() if touched[channels].any()}

    def _is_kept(self, name: str) -> bool:
        """Whether the residual connection alone writes a group."""
        terms = self._recipe.terms[name]
        return [(term.group, term.factor) for term in terms] == [(name, None)]

    @property
    def mechanism(self) -> str:
        """In a few words."""
        recipe = self._recipe
        words = [route.mixing.name for route in recipe.routes]
        words += ["attention"] if recipe.plain is not None else []
        words += ["activation"] if recipe.hidden is not None else []
        return ", ".join(words) or "linear"

    def reads(self, live: Iterable[str]) -> set[str]:
        """The groups that groups ``live`` of the result depend on."""
        live, recipe = set(live), self._recipe
        read = {term.group for name in live for term in recipe.terms[name]}
        routed = {term.group for route in recipe.routes for term in route.outputs}
        if routed & live:
            read |= {term.group for term in recipe.sources}
        if recipe.hidden is not None and live & {term.group for term in recipe.hidden.outputs}:
            read |= {term.group for term in recipe.hidden.inputs}
        return read | set(self._groups) if recipe.plain is not None else read

    def prepare(self, moment: Moment, values: Values) -> list[Any]:
        """What the mixings need to know of the diffusion time; factors in float64."""
        return [
            route.mixing.prepare(
                moment,
                None if route.scale is None else values[route.scale],
                None if route.diagonal is None else values[route.diagonal],
            )
            for route in self._recipe.routes
        ]

    def step(
        self,
        block: Block,
        x: State,
        live: Iterable[str],
        values: Values,
        prepared: list[Any],
        moment: Moment,
    ) -> State:
        """The stream after a block, as far as groups ``live`` of it go.

        Parameters
        ----------
        block
            The block itself, for layers that run as they stand.
        x
            The stream before it.
        values
            Its factors, in the precision of the stream.
        prepared
            What `prepare` made of them.
        """
        recipe = self._recipe
        sums = {name: Sum() for name in live}
        if recipe.routes and (value := collect(recipe.sources, x, values)) is not None:
            self._mix(value, sums, values, prepared)
        if recipe.hidden is not None:
            hidden = collect(recipe.hidden.inputs, x, values)
            excited = recipe.hidden.bias[None] if hidden is None else hidden + recipe.hidden.bias
            _write(recipe.hidden.activation(excited), recipe.hidden.outputs, sums, values)
        if recipe.plain is not None:
            written = self._attend(block, recipe.plain, x, moment)
            for name, total in sums.items():
                total.add(written[:, self._groups[name]])
        for name, total in sums.items():
            for term in recipe.terms[name]:
                if term.group in x:
                    factor = None if term.factor is None else values[term.factor]
                    if term.map.is_identity:
                        total.add(x[term.group], factor)
                    else:
                        total.add_fresh(term.map(times(factor, x[term.group])))
            if name in recipe.bias:
                total.add(recipe.bias[name][None])
        return {name: total.total for name, total in sums.items() if total.total is not None}

    def _mix(
        self, value: Tensor, sums: dict[str, Sum], values: Values, prepared: list[Any]
    ) -> None:
        for route, ready in zip(self._recipe.routes, prepared, strict=True):
            if any(term.group in sums for term in route.outputs):
                mixed = route.mixing.apply(value, ready)
                _write(times(route.rows, mixed), route.outputs, sums, values)

    def _attend(self, block: Block, layer: nn.Module, x: State, moment: Moment) -> Tensor:
        """What an attention layer writes, computed as the plain model does; (B, D, n)."""
        batch = max(moment.rows or 1, *(value.shape[0] for value in x.values()))
        frames, width = self._position.shape
        stream = self._position.new_zeros(batch, frames, width)
        for name, value in x.items():
            stream[..., self._groups[name]] = value.transpose(1, 2)
        time = moment.state(batch, stream)
        read = self._position[None] if self._fixed_scores else stream
        scaled = block.modulation.scaled
        weights = {name: weight.detach() for name, weight in layer.named_parameters()}
        values = scaled(stream, "attention_scale", time)
        written = functional_call(layer, weights, (values, read, time))
        gated: Tensor = scaled(written, "attention_gate", time)
        return gated.transpose(1, 2)


def _write(mixed: Tensor, outputs: tuple[Term, ...], sums: dict[str, Sum], values: Values) -> None:
    """Send a tensor that nobody else holds where the terms say."""
    for term in outputs:
        if term.group in sums:
            factor = None if term.factor is None else values[term.factor]
            written = times(factor, term.map(mixed))
            if written is mixed and len(outputs) > 1:
                sums[term.group].add(written)
            else:
                sums[term.group].add_fresh(written)
