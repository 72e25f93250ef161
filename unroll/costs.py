"""What a model costs, from its plan alone: sizes that no weight needs to be written for.

The formulas count what `constructions.compile` writes and what the plain forward pass multiplies;
`constructions.summarize` counts the weights themselves, and a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unroll.attention import Alibi, Fourier, Lowering, ReluLag, SoftmaxSink
from unroll.plan import Plan

__all__ = ["Cost", "cost"]

_FIRST_ORDER_FEATURES, _COMMON_FEATURES = 6, 4


@dataclass(frozen=True)
class Cost:
    """Sizes of a model.

    Attributes
    ----------
    layers
        Blocks, ``L``.
    heads
        The most attention heads in one block, ``M``.
    width
        Channels of the residual stream, ``D``.
    parameters
        Numbers in all tensors, integers excluded.
    flops
        Of one plain forward pass for one sequence, a multiply-add as two.
    memory
        Bytes: all parameters, and what one sequence keeps alive in the largest block.
    """

    layers: int
    heads: int
    width: int
    parameters: int
    flops: int
    memory: int


@dataclass(frozen=True)
class _Layer:
    """One kind of block: numbers in it, floating-point operations, and numbers alive."""

    parameters: int
    flops: int
    alive: int


def cost(plan: Plan) -> Cost | None:
    """Sizes of the model that a plan compiles to; ``None`` for the paper's own model."""
    if plan.products is not None:
        return None
    n, d = plan.gp.frames, plan.gp.channels
    width, groups = _width(plan), 2 + plan.gp.has_mean
    outer = width * (2 * d + n)
    if plan.modes is not None:
        features = 2 + (2 * d if plan.modes.floor is not None else 0)
        sources = groups - 1 if plan.modes.floor is not None else 0
        kept = len(plan.modes.values)
        heads = _linear(kept, n, d, width, poles=True, read=True)
        heads = _plus(heads, d * (plan.modes.floor is not None))
        blocks = [(_block(heads, sources * 2 * d, features, width, n, linear=True), 1)]
        outer += d * (plan.modes.floor is not None)
    elif plan.preconditioner is not None:
        assert plan.lowering is not None
        fourier = isinstance(plan.lowering, Fourier)
        residual = _block(
            _heads(plan.lowering, n, d, width),
            groups * 2 * d,
            _COMMON_FEATURES,
            width,
            n,
            linear=fourier,
        )
        frequencies = len(plan.preconditioner.symbol)
        correction = _block(
            _linear(frequencies, n, d, width, poles=True, read=False),
            2 * d,
            _COMMON_FEATURES + d,
            width,
            n,
            linear=True,
        )
        blocks = [(residual, plan.depth), (correction, plan.depth)]
        outer += d + 2 + plan.depth * plan.preconditioner.terms
    else:
        assert plan.lowering is not None
        fourier = isinstance(plan.lowering, Fourier)
        sources = groups + plan.method.has_momentum
        step = _block(
            _heads(plan.lowering, n, d, width),
            sources * 2 * d,
            _FIRST_ORDER_FEATURES,
            width,
            n,
            linear=fourier,
        )
        blocks = [(step, plan.depth)]
        outer += 2
    if isinstance(plan.lowering, SoftmaxSink | Alibi):
        outer += n * width  # positions counted from the last frame
    parameters = outer + sum(kind.parameters * count for kind, count in blocks)
    return Cost(
        layers=plan.layers,
        heads=plan.heads,
        width=width,
        parameters=parameters,
        flops=4 * n * width * d + sum(kind.flops * count for kind, count in blocks),
        memory=np.dtype(plan.dtype).itemsize
        * (parameters + 2 * n * width + max(kind.alive for kind, _ in blocks)),
    )


def _width(plan: Plan) -> int:
    iterates = 2 if plan.preconditioner is not None else 1
    if plan.modes is None and plan.preconditioner is None and plan.method.has_momentum:
        iterates = 2
    width = plan.gp.channels * (iterates + 1 + plan.gp.has_mean)
    if plan.modes is not None:
        return width + len(plan.modes.values)
    if isinstance(plan.lowering, ReluLag):
        return width + 2 * plan.lowering.frequencies
    if isinstance(plan.lowering, SoftmaxSink | Alibi):
        return width + 2 * plan.lowering.heads
    return width


def _block(
    heads: _Layer, hidden: int, features: int, width: int, n: int, *, linear: bool
) -> _Layer:
    """Attention, a feed-forward layer and gates side by side."""
    tables = (1 + (hidden > 0) + linear) * features * width
    layer = 2 * width * hidden + (hidden + width if hidden else 0)
    return _Layer(
        heads.parameters + layer + tables,
        heads.flops + 4 * n * width * hidden + 4 * features * width,
        heads.alive + n * hidden,
    )


def _heads(lowering: Lowering, n: int, d: int, width: int) -> _Layer:
    heads = lowering.heads
    if isinstance(lowering, Fourier):
        return _linear(heads, n, d, width, poles=False, read=False)
    relu = isinstance(lowering, ReluLag)
    scores = 2 * lowering.frequencies + 1 if isinstance(lowering, ReluLag) else 2
    parameters = (heads + 1) * (width + 1) * scores + d * width * (heads + 1)
    parameters += 0 if relu else heads * (2 * n - 1 + 2 * scores)
    flops = 2 * n * width * (scores * (heads + 1) + d * (heads + 1))
    flops += 2 * heads * n * n * (scores + d)
    return _Layer(parameters, flops, heads * n * (n + d))


def _linear(heads: int, n: int, d: int, width: int, *, poles: bool, read: bool) -> _Layer:
    parameters = heads + 2 * d * width + (heads * d if poles else 0)
    parameters += 2 * width * heads if read else heads
    scores = 1 if read else 2
    flops = 4 * n * width * d + 4 * n * heads * scores * d + (4 * n * width * heads if read else 0)
    return _Layer(parameters, flops, n * heads * scores + heads * scores * d)


def _plus(layer: _Layer, parameters: int) -> _Layer:
    return _Layer(layer.parameters + parameters, layer.flops, layer.alive)
