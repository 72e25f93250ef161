"""A hand-built model: a transformer together with the plan it was built from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from constructions.architecture import Architecture
from constructions.compile import iterate_channel
from constructions.modules import HookPoint, Transformer
from constructions.weights import Weights
from unroll.errors import ArgumentError
from unroll.plan import Plan
from unroll.validation import integer

if TYPE_CHECKING:
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
        kept = {"time.spectrum"}  # always float64, as are the time features
        dtype = model.embed.dtype
        model.load_tensors(
            {
                name: torch.as_tensor(
                    array, dtype=dtype if array.dtype.kind == "f" and name not in kept else None
                )
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

        ``blocks.{k}.stream``, ``blocks.{k}.iterate``, ``blocks.{k}.attention.pattern`` and
        ``blocks.{k}.feed_forward.hidden``.
        """
        names = [name for name, module in self.named_modules() if isinstance(module, HookPoint)]
        return names + [f"blocks.{k}.iterate" for k in range(len(self.blocks))]

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
        Name to detached tensor. ``blocks.{k}.iterate`` is the iterate ``s_{k+1}`` that block ``k``
        computed; a pattern is (batch or 1, heads, frames, frames [+ 1 for the sink]).
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
        traced = {}
        for name, source in sources.items():
            if name.endswith(".iterate"):
                k = int(name.split(".")[1])
                traced[name] = self.read(seen[source], iterate_channel(self.stream, k + 1))
            else:
                traced[name] = seen[source]
        return traced

    def iterates(self, v: Tensor, t: Tensor | float) -> list[Tensor]:
        """The iterates ``s_1, ..., s_depth``, each (batch, frames, channels)."""
        traced = self.trace(v, t, "blocks.*.iterate")
        return [traced[f"blocks.{k}.iterate"] for k in range(len(self.blocks))]

    def attention_matrix(self, block: int = 0, head: int = 0) -> np.ndarray:
        """One head's attention pattern (frames, frames), or (frames, frames + 1) with a sink.

        Patterns depend on the positions alone. For the softmax lowering the first ``frames``
        columns are ``Gamma / Z``.
        """
        for name, value, size in (
            ("block", block, len(self.blocks)),
            ("head", head, self.architecture.heads),
        ):
            if integer(name, value, 0) >= size:
                raise ArgumentError(name, value, f"must be below {size}", "count from zero")
        v = torch.zeros(1, self.architecture.frames, self.architecture.channels)
        pattern = f"blocks.{block}.attention.pattern"
        traced = self.trace(v.to(self.embed), self.architecture.t_max, pattern)
        return np.asarray(traced[pattern][0, head].cpu().numpy())

    def summary(self) -> Summary:
        """Sizes of the model: ``print(model.summary())``."""
        from constructions.summary import summarize  # summary reads models

        return summarize(self.weights(), self.plan)

    def save(self, path: str | Path) -> None:
        """Write ``model.safetensors`` and ``model.json`` into the folder ``path``."""
        from constructions.pretrained import save  # pretrained builds models

        save(self, path)


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
