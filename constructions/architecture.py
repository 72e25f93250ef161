"""The shape of a transformer: everything about a model that is not a weight."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from constructions.stream import ResidualStream
from unroll.errors import ArgumentError
from unroll.validation import choice, integer, positive

__all__ = ["ACTIVATIONS", "CONDITIONINGS", "Architecture", "AttentionShape", "BlockShape"]

ACTIVATIONS = ("relu", "gelu", "gelu_tanh", "silu")
CONDITIONINGS = ("exact", "mlp")


@dataclass(frozen=True)
class AttentionShape:
    """One attention layer.

    Attributes
    ----------
    score
        ``"softmax"`` or ``"relu"``: what turns logits into an attention pattern; ``"linear"``: the
        pattern is the inner product of query and key features itself, and is never formed.
    heads
        Attention heads. Values are shared by all heads (multi-query attention, Shazeer, arXiv
        1911.02150), and so are keys unless attention is linear.
    score_channels
        Length of a query of one head.
    value_channels
        Length of a value.
    relative_bias
        Whether a table (heads, 2 frames - 1) of biases is added to the logits.
    pair_bias
        Whether a table (heads, frames, frames) of biases is added to the logits.
    sinks
        How many further keys, learned and with value zero, every query sees.
    sinusoids
        For linear attention: query and key features are cosine and sine of the frame's index, at
        a frequency per head; otherwise they are read from the position embedding.
    gated
        For linear attention: whether what head and value channel carry is scaled by a gate
        ``1 / (alpha^2 pole + sigma^2)`` of its own.
    baseline
        Whether a gate of that form, shared by all heads, is subtracted.
    """

    score: str
    heads: int
    score_channels: int
    value_channels: int
    relative_bias: bool = False
    pair_bias: bool = False
    sinks: int = 0
    sinusoids: bool = False
    gated: bool = False
    baseline: bool = False

    def check(self, name: str) -> None:
        """`ArgumentError` where an entry is not of its kind."""
        choice(f"{name}.score", self.score, ("softmax", "relu", "linear"))
        for entry in ("heads", "score_channels", "value_channels"):
            integer(f"{name}.{entry}", getattr(self, entry), 1)
        integer(f"{name}.sinks", self.sinks, 0)
        for entry in ("relative_bias", "pair_bias", "sinusoids", "gated", "baseline"):
            _switch(f"{name}.{entry}", getattr(self, entry))


@dataclass(frozen=True)
class BlockShape:
    """One kind of block: an attention layer, a feed-forward layer, or both side by side.

    Attributes
    ----------
    attention
        The attention layer, if there is one.
    hidden
        Feed-forward width; 0 where there is no such layer.
    listens
        Number of time features that the gates read; 0 where the block has no gates and scales.
    """

    attention: AttentionShape | None
    hidden: int
    listens: int


@dataclass(frozen=True)
class Architecture:
    """Sizes and switches of an `UnrolledTransformer`.

    Attributes
    ----------
    frames, channels
        Shape of one input sequence.
    stream
        Channel groups of the residual stream, name to size.
    kinds
        Name of a kind of block to its shape.
    blocks
        The kind of every block, in order.
    two_ended
        Whether position embeddings counted from the last frame are added to those from the first.
    scores_from
        ``"stream"``: queries and keys read the residual stream; ``"position"``: they read the
        position embedding, so that patterns are shared by the whole batch. For models whose
        queries and keys ignore the content, as those built here, the two agree.
    activation
        ``"relu"``, ``"gelu"``, ``"gelu_tanh"`` or ``"silu"``.
    time_features
        Which features of the diffusion time are offered to the gates: a method's name.
    time_steps
        Number of steps with features of their own.
    time_terms
        Terms of the series that give step sizes (``"preconditioned"``), or whether there is a
        baseline (``"spectral"``); 0 otherwise.
    time_tokens
        Whether time features are added to every token, by an embedding of their own.
    clipped
        Whether the output of a sequence is projected onto a ball, whose radius is a weight.
    conditioning
        ``"exact"``: time features are exact functions of ``t``; ``"mlp"``: outputs of a network.
    time_hidden
        Hidden units of that network; 0 where there is none.
    t_min, t_max
        Range of the diffusion time; outside it the model refuses.
    dtype
        ``"float32"`` or ``"float64"``.
    """

    frames: int
    channels: int
    stream: dict[str, int]
    kinds: dict[str, BlockShape]
    blocks: tuple[str, ...]
    two_ended: bool
    activation: str
    time_features: str
    time_steps: int
    t_min: float
    t_max: float
    dtype: str
    scores_from: str = "position"
    time_terms: int = 0
    time_tokens: bool = False
    clipped: bool = False
    conditioning: str = "exact"
    time_hidden: int = 0

    @property
    def width(self) -> int:
        """Channels of the residual stream, ``D``."""
        return sum(self.stream.values())

    @property
    def depth(self) -> int:
        """Number of blocks, ``L``."""
        return len(self.blocks)

    @property
    def heads(self) -> int:
        """The most heads in one block, ``M``."""
        return max((k.attention.heads for k in self.kinds.values() if k.attention), default=0)

    def shape(self, block: int) -> BlockShape:
        """The shape of one block."""
        return self.kinds[self.blocks[block]]

    def residual_stream(self) -> ResidualStream:
        """The named channels."""
        return ResidualStream(self.stream)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready document; `from_dict` reads it back."""
        return asdict(self) | {"blocks": list(self.blocks)}

    @classmethod
    def from_dict(cls, document: Any) -> Architecture:
        """The architecture that `to_dict` described; `ArgumentError` for anything else."""
        try:
            entries = dict(document)
            kinds = {name: _block(kind) for name, kind in dict(entries.pop("kinds")).items()}
            architecture = cls(**entries | {"kinds": kinds, "blocks": tuple(entries["blocks"])})
            sizes = dict(architecture.stream.items())
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ArgumentError(
                "architecture", document, f"is not one of this library ({error})", "save it anew"
            ) from error
        for name in ("frames", "channels", "depth", "time_steps"):
            integer(f"architecture.{name}", getattr(architecture, name), 1)
        integer("architecture.time_terms", architecture.time_terms, 0)
        for name, size in sizes.items():
            integer(f"architecture.stream.{name}", size, 1)
        for name, kind in kinds.items():
            integer(f"architecture.{name}.hidden", kind.hidden, 0)
            integer(f"architecture.{name}.listens", kind.listens, 0)
            if kind.attention:
                kind.attention.check(f"architecture.{name}.attention")
        for name in architecture.blocks:
            choice("architecture.blocks", name, kinds)
        for name in ("two_ended", "time_tokens", "clipped"):
            _switch(f"architecture.{name}", getattr(architecture, name))
        choice("architecture.conditioning", architecture.conditioning, CONDITIONINGS)
        fewest = int(architecture.conditioning == "mlp")
        integer("architecture.time_hidden", architecture.time_hidden, fewest)
        choice("architecture.activation", architecture.activation, ACTIVATIONS)
        choice("architecture.scores_from", architecture.scores_from, ("stream", "position"))
        choice("architecture.dtype", architecture.dtype, ("float32", "float64"))
        positive("architecture.t_min", architecture.t_min)
        positive("architecture.t_max", architecture.t_max)
        return architecture


def _block(document: Any) -> BlockShape:
    entries = dict(document)
    attention = entries.pop("attention")
    return BlockShape(attention=AttentionShape(**attention) if attention else None, **entries)


def _switch(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ArgumentError(name, value, "must be true or false", "save it anew")
