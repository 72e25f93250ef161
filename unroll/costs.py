"""What a model costs, from its plan alone: sizes that no weight needs to be written for.

The formulas count what `constructions.compile` writes and what the plain forward pass multiplies;
`constructions.summarize` counts the weights themselves, and a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unroll.attention import Alibi, Fourier, Irregular, Lowering, ReluLag, SoftmaxSink
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


def cost(plan: Plan) -> Cost:
    """Sizes of the model that a plan compiles to."""
    n, d, width = plan.gp.frames, plan.gp.channels, _width(plan)
    if plan.products is not None:
        blocks, extra = _paper(plan, width)
    elif plan.modes is not None:
        blocks, extra = _direct(plan, width)
    elif plan.boundary is not None:
        blocks, extra = _boundary(plan, width)
    elif plan.preconditioner is not None:
        blocks, extra = _preconditioned(plan, width)
    else:
        blocks, extra = _first_order(plan, width)
    outer = width * (2 * d + n) + extra
    if isinstance(plan.lowering, SoftmaxSink | Alibi | Irregular):
        outer += n * width  # positions counted from the last frame
    network = 0
    if plan.conditioning is not None:  # two products of the network of t
        network = 2 * plan.conditioning.units * (1 + plan.conditioning.outputs)
    parameters = outer + sum(kind.parameters * count for kind, count in blocks)
    return Cost(
        layers=plan.layers,
        heads=plan.heads,
        width=width,
        parameters=parameters,
        flops=4 * n * width * d + sum(kind.flops * count for kind, count in blocks) + network,
        memory=np.dtype(plan.dtype).itemsize
        * (parameters + 2 * n * width + max(kind.alive for kind, _ in blocks)),
    )


_Blocks = tuple[list[tuple[_Layer, int]], int]
"""Kinds of blocks with their numbers, and parameters that belong to no block."""


def _first_order(plan: Plan, width: int) -> _Blocks:
    assert plan.lowering is not None
    n, d, network = plan.gp.frames, plan.gp.channels, plan.conditioning
    sources = 2 + plan.gp.has_mean + plan.method.has_momentum
    step = _block(
        _heads(plan.lowering, n, d, width),
        sources * 2 * d,
        _FIRST_ORDER_FEATURES if network is None else 1 + network.outputs,
        width,
        n,
        linear=isinstance(plan.lowering, Fourier),
    )
    if network is None:
        return [(step, plan.depth)], 2
    return [(step, plan.depth)], network.units * (2 + network.outputs) + network.outputs


def _preconditioned(plan: Plan, width: int) -> _Blocks:
    assert plan.lowering is not None
    assert plan.preconditioner is not None
    n, d = plan.gp.frames, plan.gp.channels
    residual = _block(
        _heads(plan.lowering, n, d, width),
        (2 + plan.gp.has_mean) * 2 * d,
        _COMMON_FEATURES,
        width,
        n,
        linear=isinstance(plan.lowering, Fourier),
    )
    heads = _linear(len(plan.preconditioner.symbol), n, d, width, poles=True, read=False)
    correction = _block(heads, 2 * d, _COMMON_FEATURES + d, width, n, linear=True)
    extra = d + 2 + plan.depth * plan.preconditioner.terms
    return [(residual, plan.depth), (correction, plan.depth)], extra


def _direct(plan: Plan, width: int) -> _Blocks:
    assert plan.modes is not None
    n, d, floor = plan.gp.frames, plan.gp.channels, plan.modes.floor is not None
    heads = _linear(len(plan.modes.values), n, d, width, poles=True, read=True)
    heads = _Layer(heads.parameters + d * floor, heads.flops, heads.alive)
    hidden = (1 + plan.gp.has_mean) * 2 * d * floor
    return [(_block(heads, hidden, 2 + 2 * d * floor, width, n, linear=True), 1)], d * floor


def _boundary(plan: Plan, width: int) -> _Blocks:
    assert plan.boundary is not None
    n, d = plan.gp.frames, plan.gp.channels
    waves = _linear(len(plan.boundary.symbol), n, d, width, poles=True, read=False)
    ends = _linear(plan.boundary.heads, n, d, width, poles=True, read=True)
    return [(_block(heads, 0, 2, width, n, linear=True), 1) for heads in (waves, ends)], 0


def _paper(plan: Plan, width: int) -> _Blocks:
    """`constructions.compile.paper`: no gates, and products by feed-forward layers."""
    assert plan.products is not None
    assert plan.lowering is not None
    n, d, products = plan.gp.frames, plan.gp.channels, plan.products

    def product(hidden: int) -> _Layer:
        return _block(_Layer(0, 0, 0), hidden, 0, width, n, linear=False)

    mix = _block(_heads(plan.lowering, n, d, width), 2 * d, 0, width, n, linear=False)
    blocks = [
        (mix, plan.depth),
        (product(10 * d), plan.depth),
        (product(12 * d), plan.depth * products.levels),
        (product(6 * d), plan.depth * (1 + products.levels) + products.mean_levels),
    ]
    if products.mean_levels:
        blocks.append((product(4 * d), 1))
    return blocks, 4 * width + 3


def _width(plan: Plan) -> int:
    d, lowering = plan.gp.channels, plan.lowering
    if plan.products is not None:
        assert isinstance(lowering, ReluLag)
        return (8 + plan.gp.has_mean) * d + 5 + 2 * lowering.frequencies
    own = plan.modes is not None or plan.boundary is not None
    two = plan.preconditioner is not None or (not own and plan.method.has_momentum)
    width = d * (2 + two + plan.gp.has_mean)
    if plan.modes is not None:
        return width + len(plan.modes.values)
    if plan.boundary is not None:
        return width + plan.boundary.rank
    if isinstance(lowering, ReluLag):
        return width + 2 * lowering.frequencies
    if isinstance(lowering, SoftmaxSink | Alibi | Irregular):
        return width + 2 * lowering.heads
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
    if not relu:
        biases = n * n if isinstance(lowering, Irregular) else 2 * n - 1
        parameters += heads * (biases + 2 * scores)
    flops = 2 * n * width * (scores * (heads + 1) + d * (heads + 1))
    flops += 2 * heads * n * n * (scores + d)
    return _Layer(parameters, flops, heads * n * (n + d))


def _linear(heads: int, n: int, d: int, width: int, *, poles: bool, read: bool) -> _Layer:
    parameters = heads + 2 * d * width + (heads * d if poles else 0)
    parameters += 2 * width * heads if read else heads
    scores = 1 if read else 2
    flops = 4 * n * width * d + 4 * n * heads * scores * d + (4 * n * width * heads if read else 0)
    return _Layer(parameters, flops, n * heads * scores + heads * scores * d)
