"""The weights of a model as plain arrays: what compiling produces and the numpy twin runs.

Shapes: D stream width, H heads, P score channels, U value channels, N frames, d channels of a
frame, F hidden units, Q time features a block listens to. Row convention: ``y = x @ W``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from constructions.architecture import Architecture

__all__ = [
    "AttentionWeights",
    "BlockWeights",
    "FeedForwardWeights",
    "ModulationWeights",
    "Weights",
]


@dataclass(frozen=True)
class AttentionWeights:
    """One multi-query attention layer."""

    query: np.ndarray  # (H, D, P)
    query_bias: np.ndarray  # (H, P)
    key: np.ndarray  # (D, P)
    key_bias: np.ndarray  # (P,)
    value: np.ndarray  # (D, U)
    output: np.ndarray  # (H, U, D)
    relative_bias: np.ndarray | None = None  # (H, 2N-1), entry j - i + N - 1
    sink_key: np.ndarray | None = None  # (H, P)


@dataclass(frozen=True)
class FeedForwardWeights:
    """Two layers with an activation between them."""

    up: np.ndarray  # (D, F)
    up_bias: np.ndarray  # (F,)
    down: np.ndarray  # (F, D)
    down_bias: np.ndarray  # (D,)


@dataclass(frozen=True)
class ModulationWeights:
    """adaLN: a block's gates and scales are linear in the time features it listens to."""

    listen: np.ndarray  # (Q,), integers
    attention_gate: np.ndarray  # (Q, D), multiplies what attention writes
    feed_forward_scale: np.ndarray  # (Q, D), multiplies what the feed-forward layer reads


@dataclass(frozen=True)
class BlockWeights:
    """One block: one step of the iteration."""

    attention: AttentionWeights
    feed_forward: FeedForwardWeights
    modulation: ModulationWeights


@dataclass(frozen=True)
class Weights:
    """A whole model. Blocks may be one and the same object many times over."""

    architecture: Architecture
    embed: np.ndarray  # (d, D)
    position: np.ndarray  # (N, D)
    readout: np.ndarray  # (D, d)
    spectrum: np.ndarray  # (2,), always float64: the time features are computed in it
    blocks: tuple[BlockWeights, ...]

    def tensors(self) -> dict[str, np.ndarray]:
        """Flat names, those of the torch module's ``state_dict``, to arrays."""
        flat = {
            "embed": self.embed,
            "position": self.position,
            "readout": self.readout,
            "time.spectrum": self.spectrum,
        }
        for k, block in enumerate(self.blocks):
            for part in ("attention", "feed_forward", "modulation"):
                for name, value in vars(getattr(block, part)).items():
                    if value is not None:
                        flat[f"blocks.{k}.{part}.{name}"] = value
        return flat

    @classmethod
    def from_tensors(cls, architecture: Architecture, flat: dict[str, np.ndarray]) -> Weights:
        """The inverse of `tensors`, for the numpy twin of a saved model."""

        def block(k: int) -> BlockWeights:
            prefix = f"blocks.{k}."
            parts: dict[str, dict[str, np.ndarray]] = {}
            for name, value in flat.items():
                if name.startswith(prefix):
                    part, _, field = name[len(prefix) :].partition(".")
                    parts.setdefault(part, {})[field] = value
            return BlockWeights(
                AttentionWeights(**parts["attention"]),
                FeedForwardWeights(**parts["feed_forward"]),
                ModulationWeights(**parts["modulation"]),
            )

        return cls(
            architecture,
            flat["embed"],
            flat["position"],
            flat["readout"],
            flat["time.spectrum"],
            tuple(block(k) for k in range(architecture.depth)),
        )
