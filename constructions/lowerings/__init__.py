"""From a covariance to attention heads: one file per mechanism.

Each file offers ``position_groups`` (the position channels it needs), ``position_values`` (what
they hold) and ``write_attention`` (the heads).
"""

from types import ModuleType

from constructions.lowerings import alibi, relu_lag, softmax_sink
from unroll.attention import Alibi, Lowering, ReluLag, SoftmaxSink

__all__ = ["builder"]

_BUILDERS: dict[type[Lowering], ModuleType] = {
    Alibi: alibi,
    ReluLag: relu_lag,
    SoftmaxSink: softmax_sink,
}


def builder(lowering: Lowering) -> ModuleType:
    """The file that writes the heads of this lowering."""
    return _BUILDERS[type(lowering)]
