"""A hand-built model: a transformer together with the plan it was built from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from constructions.architecture import Architecture
from constructions.compile import iterate_blocks, iterate_channel
from constructions.layers import HookPoint, LinearAttention
from constructions.modules import Transformer
from constructions.weights import Weights
from unroll.errors import ArgumentError
from unroll.plan import Plan
from unroll.validation import integer

if TYPE_CHECKING:
    from constructions.structured import StructuredTransformer
    from constructions.summary import Summary

__all__ = ["UnrolledTransformer"]


class UnrolledTransformer(Transformer):
    """`Transformer` whose blocks are the steps of a plan.

    The plan is a label: `forward` is inherited and never looks at it.

    Attributes
    ----------
    plan
        What the weights were built from.
    stream
        The named channels of the residual stream.
    """

    def __init__(self, architecture: Architecture, plan: Plan) -> None:
        super().__init__(architecture)
        self.plan = plan
        self.stream = architecture.residual_stream()

    @classmethod
    def from_weights(cls, weights: Weights, plan: Plan) -> UnrolledTransformer:
        """A model with these weights, in the precision of the plan."""
        model = cls(weights.architecture, plan)
        # every tensor in the type of its parameter: time features stay in float64
        own = dict(model.named_parameters()) | dict(model.named_buffers())
        model.load_tensors(
            {
                name: torch.as_tensor(array, dtype=own[name].dtype)
                for name, array in weights.tensors().items()
            }
        )
        return model

    def weights(self) -> Weights:
        """The weights as arrays, for `constructions.blocks`."""
        state = {name: tensor.detach().cpu().numpy() for name, tensor in self.state_dict().items()}
        return Weights.from_tensors(self.architecture, state)

    def read(self, stream: Tensor, name: str) -> Tensor:
        """The channels ``name`` of a residual stream (..., frames, width)."""
        return stream[..., self.stream[name]]

    def hook_names(self) -> list[str]:
        """Every activation that can be read by name.

        ``blocks.{k}.stream``, ``blocks.{k}.iterate`` for blocks that complete an iterate,
        ``blocks.{k}.attention.pattern`` (``.state`` for linear attention) and
        ``blocks.{k}.feed_forward.hidden``.
        """
        names = [name for name, module in self.named_modules() if isinstance(module, HookPoint)]
        return names + [f"blocks.{k}.iterate" for k in iterate_blocks(self.architecture)]

    def trace(
        self, v: Tensor, t: Tensor | float, names: str | Iterable[str] = "blocks.*.iterate"
    ) -> dict[str, Tensor]:
        """Run the model and keep activations.

        Parameters
        ----------
        v, t
            As for `forward`.
        names
            Names from `hook_names`, or shell patterns such as ``"blocks.*.iterate"``.

        Returns
        -------
        Name to detached tensor. ``blocks.{k}.iterate`` is the iterate that block ``k`` completed,
        read out; a pattern is (batch or 1, heads, frames, frames + sinks). Linear attention forms
        no pattern; its ``state`` is (batch, heads, score channels, value channels).
        """
        patterns = [names] if isinstance(names, str) else list(names)
        if not all(isinstance(pattern, str) for pattern in patterns):
            raise ArgumentError("names", names, "must be strings", "see model.hook_names()")
        known = self.hook_names()
        wanted = [name for name in known if any(fnmatchcase(name, p) for p in patterns)]
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in known):
                raise ArgumentError(
                    "names", pattern, "matches no activation", "see model.hook_names()"
                )
        sources = {
            name: f"{name.removesuffix('.iterate')}.stream" if name.endswith(".iterate") else name
            for name in wanted
        }
        with _recorded(self, set(sources.values())) as seen, torch.no_grad():
            self(v, t)
        traced, finished = {}, iterate_blocks(self.architecture)
        last = iterate_channel(self.stream, len(finished))
        basis = self.readout.detach()[self.stream[last]]  # of the channels that hold iterates
        for name, source in sources.items():
            if name.endswith(".iterate"):
                k = finished.index(int(name.split(".")[1])) + 1
                traced[name] = self.read(seen[source], iterate_channel(self.stream, k)) @ basis
            else:
                traced[name] = seen[source]
        return traced

    def iterates(self, v: Tensor, t: Tensor | float) -> list[Tensor]:
        """The iterates ``s_1, ..., s_depth``, each (batch, frames, channels)."""
        traced = self.trace(v, t, "blocks.*.iterate")
        return [traced[f"blocks.{k}.iterate"] for k in iterate_blocks(self.architecture)]

    def attention_matrix(self, block: int = 0, head: int = 0) -> np.ndarray:
        """One head's attention pattern (frames, frames + sinks).

        Patterns depend on the positions alone. For the softmax lowering the first ``frames``
        columns are ``Gamma / Z``. Linear attention forms no pattern: here it is put together from
        the features and the amplitude of the head, without a gate.
        """
        integer("block", block, 0)
        if block >= len(self.blocks):
            raise ArgumentError(
                "block", block, f"must be below {len(self.blocks)}", "count from zero"
            )
        shape = self.architecture.shape(block).attention
        heads = shape.heads if shape else 0
        if integer("head", head, 0) >= heads:
            raise ArgumentError("head", head, f"must be below {heads}", "count from zero")
        layer = self.blocks[block].attention
        if isinstance(layer, LinearAttention):
            with torch.no_grad():
                query, key = layer.features(self.position[None])
                pattern = layer.amplitude[head] * query[0, :, head] @ key[0, :, head].T
            return np.asarray(pattern.cpu().numpy())
        v = torch.zeros(1, self.architecture.frames, self.architecture.channels)
        name = f"blocks.{block}.attention.pattern"
        traced = self.trace(v.to(self.embed), self.architecture.t_max, name)
        return np.asarray(traced[name][0, head].cpu().numpy())

    def score_sequences(self, sequences: Sequence[Tensor], t: Tensor | float) -> list[Tensor]:
        """Scores of sequences of different lengths, without padding.

        Sequences of one length run as one batch. The score of ``n`` frames is that of the first
        ``n`` frames of the process.

        Parameters
        ----------
        sequences
            Tensors (n_i, channels), ``1 <= n_i <= frames``.
        t
            Diffusion time, scalar or tensor (number of sequences,).

        Raises
        ------
        ArgumentError
            As `forward`; or the model's method keeps its promise at full length only.
        """
        return self._score_sequences(sequences, t, self._run)

    def _score_sequences(
        self,
        sequences: Sequence[Tensor],
        t: Tensor | float,
        run: Callable[[Tensor, Tensor], Tensor],
    ) -> list[Tensor]:
        """`score_sequences` with another forward pass of the same weights."""
        if not self.plan.serves_shorter:
            raise ArgumentError(
                "sequences",
                f"{len(sequences)} sequences",
                f"of other lengths are not served by method {self.plan.method_name!r}",
                "use a first-order method such as 'chebyshev', or a model for each length",
            )
        times = torch.as_tensor(t, dtype=torch.float64)
        if times.ndim > 1 or (times.ndim == 1 and len(times) not in (1, len(sequences))):
            raise ArgumentError(
                "t", tuple(times.shape), f"must be a scalar or ({len(sequences)},)", "reshape t"
            )
        times = times.expand(len(sequences))
        lengths: dict[int, list[int]] = {}
        for i, sequence in enumerate(sequences):
            lengths.setdefault(_length(sequence, i, self.architecture), []).append(i)
        scores: dict[int, Tensor] = {}
        for members in lengths.values():
            batch, moments = self._check(
                torch.stack([sequences[i] for i in members]), times[members], shorter=True
            )
            scores |= dict(zip(members, run(batch, moments), strict=True))
        return [scores[i] for i in range(len(sequences))]

    def structured(self) -> StructuredTransformer:
        """The same weights, run in ``O(N log N)`` or ``O(N)`` per layer.

        See `constructions.structured`.
        """
        from constructions.structured import accelerate  # structured execution reads models

        return accelerate(self)

    def summary(self) -> Summary:
        """Sizes of the model: ``print(model.summary())``."""
        from constructions.summary import summarize  # summary reads models

        return summarize(self.weights(), self.plan)

    def save(self, path: str | Path) -> None:
        """Write ``model.safetensors`` and ``model.json`` into the folder ``path``."""
        from constructions.pretrained import save  # pretrained builds models

        save(self, path)


def _length(sequence: Any, i: int, architecture: Architecture) -> int:
    if not isinstance(sequence, Tensor) or sequence.ndim != 2:
        raise ArgumentError(
            f"sequences[{i}]", sequence, "must be a tensor (frames, channels)", "reshape it"
        )
    if not 1 <= len(sequence) <= architecture.frames:
        raise ArgumentError(
            f"sequences[{i}]",
            tuple(sequence.shape),
            f"must have between 1 and {architecture.frames} frames",
            "split it, or build a model for more frames",
        )
    return len(sequence)


@contextmanager
def _recorded(model: nn.Module, names: set[str]) -> Iterator[dict[str, Tensor]]:
    """Forward hooks that keep the outputs of the named modules, removed on the way out."""
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            seen[name] = output.detach()

        return hook

    handles = [
        module.register_forward_hook(keep(name))
        for name, module in model.named_modules()
        if name in names
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
