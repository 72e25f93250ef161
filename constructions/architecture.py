"""The shape of a transformer: everything about a model that is not a weight."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from constructions.stream import ResidualStream
from unroll.errors import ArgumentError
from unroll.validation import choice, integer, positive

__all__ = ["ACTIVATIONS", "Architecture"]

ACTIVATIONS = ("relu", "gelu", "gelu_tanh", "silu")


@dataclass(frozen=True)
class Architecture:
    """Sizes and switches of an `UnrolledTransformer`.

    Attributes
    ----------
    frames, channels
        Shape of one input sequence.
    stream
        Channel groups of the residual stream, name to size.
    depth
        Number of blocks ``L``.
    heads
        Attention heads per block ``M``; keys and values are shared by all heads
        (multi-query attention, Shazeer, arXiv 1911.02150).
    score_channels
        Length of a query.
    value_channels
        Length of a value.
    score
        ``"softmax"`` or ``"relu"``: what turns logits into an attention pattern.
    relative_bias
        Whether a table (heads, 2 frames - 1) of biases is added to the logits.
    sink
        Whether every query sees one more key, learned, whose value is zero.
    scores_from
        ``"stream"``: queries and keys read the residual stream; ``"position"``: they read the
        position embedding, so that patterns are shared by the whole batch. For models whose
        queries and keys ignore the content, as those built here, the two agree.
    hidden
        Feed-forward width.
    activation
        ``"relu"``, ``"gelu"``, ``"gelu_tanh"`` or ``"silu"``.
    time_features
        Which features of the diffusion time are offered to the gates: a method's name.
    time_steps
        Number of steps with features of their own.
    listens
        Number of time features each block reads.
    t_min, t_max
        Range of the diffusion time; outside it the model refuses.
    dtype
        ``"float32"`` or ``"float64"``.
    """

    frames: int
    channels: int
    stream: dict[str, int]
    depth: int
    heads: int
    score_channels: int
    value_channels: int
    score: str
    relative_bias: bool
    sink: bool
    hidden: int
    activation: str
    time_features: str
    time_steps: int
    listens: int
    t_min: float
    t_max: float
    dtype: str
    scores_from: str = "position"

    @property
    def width(self) -> int:
        """Channels of the residual stream, ``D``."""
        return sum(self.stream.values())

    def residual_stream(self) -> ResidualStream:
        """The named channels."""
        return ResidualStream(self.stream)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready document; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Any) -> Architecture:
        """The architecture that `to_dict` described; `ArgumentError` for anything else."""
        try:
            architecture = cls(**document)
            sizes = dict(architecture.stream.items())
        except (AttributeError, TypeError, ValueError) as error:
            raise ArgumentError(
                "architecture", document, f"is not one of this library ({error})", "save it anew"
            ) from error
        for name in (
            *("frames", "channels", "depth", "heads", "score_channels", "value_channels"),
            *("hidden", "time_steps", "listens"),
        ):
            integer(f"architecture.{name}", getattr(architecture, name), 1)
        for name, size in sizes.items():
            integer(f"architecture.stream.{name}", size, 1)
        choice("architecture.score", architecture.score, ("softmax", "relu"))
        choice("architecture.activation", architecture.activation, ACTIVATIONS)
        choice("architecture.scores_from", architecture.scores_from, ("stream", "position"))
        choice("architecture.dtype", architecture.dtype, ("float32", "float64"))
        positive("architecture.t_min", architecture.t_min)
        positive("architecture.t_max", architecture.t_max)
        return architecture
