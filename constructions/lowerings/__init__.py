"""From a covariance to attention heads: one file per mechanism.

Each file offers ``position_groups`` (the position channels it needs), ``position_values`` and
``end_values`` (what they hold, counted from the first and from the last frame) and
``write_attention`` (the heads).
"""

from types import ModuleType

from constructions.lowerings import alibi, fourier, irregular, relu_lag, softmax_sink
from constructions.lowerings.base import Route
from unroll.attention import (
    Alibi,
    Fourier,
    IrregularAlibi,
    IrregularSoftmax,
    Lowering,
    ReluLag,
    SoftmaxSink,
)

__all__ = ["Route", "builder"]

_BUILDERS: dict[type[Lowering], ModuleType] = {
    Alibi: alibi,
    Fourier: fourier,
    IrregularAlibi: irregular,
    IrregularSoftmax: irregular,
    ReluLag: relu_lag,
    SoftmaxSink: softmax_sink,
}


def builder(lowering: Lowering) -> ModuleType:
    """The file that writes the heads of this lowering."""
    return _BUILDERS[type(lowering)]
