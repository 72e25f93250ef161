"""A model at one sequence length as a list of steps, from which what nobody reads is left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from constructions.modules import Block, Transformer
from constructions.structured.attention import Reader, digest
from constructions.structured.channels import ChannelMap
from constructions.structured.factors import Values
from constructions.structured.kind import Kind
from constructions.structured.moment import Moment, TimeFeatures
from constructions.structured.terms import State

__all__ = ["Program", "Schedule"]


@dataclass(frozen=True)
class Step:
    """One block: its kind, which of the kind's sets of features, and the groups wanted after it."""

    block: Block
    kind: int
    listen: int
    live: tuple[str, ...]


class Program:
    """The blocks of a model for sequences of ``n`` frames.

    Parameters
    ----------
    model
        The model.
    frames
        ``n``.
    time
        Its time features.

    Attributes
    ----------
    kinds
        The kinds of blocks.
    uses
        How many blocks are of a kind and listen to a set.
    """

    def __init__(self, model: Transformer, frames: int, time: TimeFeatures) -> None:
        stream = model.architecture.residual_stream()
        self._groups = {name: stream[name] for name in stream}
        position = model.position.detach()[:frames]
        if model.position_end is not None:
            position = position + model.position_end.detach()[:frames].flip(0)
        self._embed: dict[str, ChannelMap] = {}
        self._position: dict[str, Tensor] = {}
        self._time_embed: dict[str, Tensor] = {}
        self._readout: dict[str, ChannelMap] = {}
        embed, readout = model.embed.detach().double(), model.readout.detach().double()
        for name, channels in self._groups.items():
            if embed[:, channels].any():
                self._embed[name] = ChannelMap(embed[:, channels], model.embed.dtype)
            if position[:, channels].any():
                self._position[name] = position[:, channels].T.contiguous()[None]
            if model.time_embed is not None and model.time_embed[:, channels].any():
                self._time_embed[name] = model.time_embed.detach()[:, channels].double()
            if readout[channels].any():
                self._readout[name] = ChannelMap(readout[channels], model.embed.dtype)
        self.kinds: list[Kind] = []
        self._steps = self._compile(model, position, time)
        self.uses = Counter((step.kind, step.listen) for step in self._steps)

    def _compile(self, model: Transformer, position: Tensor, time: TimeFeatures) -> list[Step]:
        known: dict[tuple[bytes, int | None, bool], int] = {}
        reader = Reader(position)
        listens: list[dict[tuple[int, ...], int]] = []
        entered = {*self._embed, *self._time_embed}  # groups that differ between sequences
        chosen: list[tuple[Block, int, int]] = []
        for block in model.blocks:
            assert isinstance(block, Block)
            listen = tuple(getattr(block.modulation, "listen", torch.empty(0)).tolist())
            fixed = model.scores_from == "position" or not self._scored(block) & entered
            constant = listen.index(time.constant) if time.constant in listen else None
            key = (digest(block, without="modulation.listen"), constant, fixed)
            if key not in known:
                known[key] = len(self.kinds)
                kind = Kind(block, self._groups, reader, fixed=fixed, constant=constant)
                self.kinds.append(kind)
                listens.append({})
            kind_index = known[key]
            entered |= self.kinds[kind_index].writes
            place = listens[kind_index].setdefault(listen, len(listens[kind_index]))
            chosen.append((block, kind_index, place))
        for kind, sets in zip(self.kinds, listens, strict=True):
            kind.factors.finish([*sets])
        live, steps = set(self._readout), []
        for block, kind_index, place in reversed(chosen):
            steps.append(
                Step(block, kind_index, place, tuple(n for n in self._groups if n in live))
            )
            live = self.kinds[kind_index].reads(live)
        self._first = tuple(name for name in self._groups if name in live)
        return steps[::-1]

    def _scored(self, block: Block) -> set[str]:
        """The groups that queries and keys of a block read, if they read the stream."""
        read: set[str] = set()
        for name in ("query", "key"):
            weight = getattr(block.attention, name, None)
            if weight is not None:
                axis = weight.ndim - 2
                used = weight.detach().movedim(axis, 0).flatten(1).any(1)
                read |= {name for name, channels in self._groups.items() if used[channels].any()}
        return read

    def mechanisms(self) -> list[str]:
        """What carries each block, in a few words."""
        return [self.kinds[step.kind].mechanism for step in self._steps]

    def run(self, v: Tensor, schedule: Schedule) -> Tensor:
        """The score (B, n, d) of sequences ``v`` of that shape."""
        moment = schedule.moment
        x = self._enter(v, moment)
        for step in self._steps:
            values, prepared = schedule.of(step)
            kind = self.kinds[step.kind]
            x = kind.step(step.block, x, step.live, values, prepared, moment)
        return self._leave(x, v)

    def _enter(self, v: Tensor, moment: Moment) -> State:
        x: State = {}
        rows = v.transpose(1, 2)
        for name in self._first:
            if name in self._embed:
                x[name] = self._embed[name](rows)
            if name in self._position:
                x[name] = x[name] + self._position[name] if name in x else self._position[name]
            if name in self._time_embed:
                token = (moment.table(v) @ self._time_embed[name])[..., None].to(v.dtype)
                x[name] = x[name] + token if name in x else token.expand(-1, -1, v.shape[1])
        return x

    def _leave(self, x: State, v: Tensor) -> Tensor:
        total: Tensor | None = None
        for name, readout in self._readout.items():
            if name in x:
                term = readout.tokens(x[name])
                total = term if total is None else total + term
        if total is None:
            return torch.zeros_like(v)
        return total if total.shape[0] == v.shape[0] else total.expand(v.shape)


class Schedule:
    """What a program needs to know of the diffusion time, computed when it is needed.

    Parameters
    ----------
    program
        The program.
    moment
        The diffusion time.
    dtype
        Precision of the sequences.
    kept
        Whether what blocks prepare is kept for further sequences.
    """

    def __init__(
        self, program: Program, moment: Moment, dtype: torch.dtype, *, kept: bool = False
    ) -> None:
        self.moment = moment
        self.program = program
        self._factors = [kind.factors.evaluate(moment, dtype) for kind in program.kinds]
        self._kept = set(program.uses) if kept else {k for k, n in program.uses.items() if n > 1}
        self._prepared: dict[tuple[int, int], list[Any]] = {}

    def of(self, step: Step) -> tuple[Values, list[Any]]:
        """Factors and prepared mixings of a step."""
        exact, rounded = self._factors[step.kind]
        key = step.kind, step.listen
        prepared = self._prepared.get(key)
        if prepared is None:
            prepared = self.program.kinds[step.kind].prepare(self.moment, exact[step.listen])
            if key in self._kept:
                self._prepared[key] = prepared
        return rounded[step.listen], prepared
