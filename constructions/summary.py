"""What a model consists of, in numbers: the paper's architecture class and the usual counts."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from constructions.architecture import BlockShape
from constructions.weights import BlockWeights, Weights
from unroll.plan import Plan
from unroll.schedules import sigma_sq

__all__ = ["Summary", "summarize"]

_SYMBOLS = {
    "token dimension D": "D",
    "blocks L": "L",
    "heads per block M": "M",
    "output range R": "R",
}


@dataclass(frozen=True)
class Summary:
    """The class ``T(D, L, M, B, R)`` of Fu et al. (arXiv 2407.16134, section 3), and more.

    Attributes
    ----------
    token_dimension
        ``D``, width of the residual stream.
    blocks
        ``L``.
    heads
        ``M``, attention heads per block.
    weight_norm
        ``B``, the largest Frobenius norm of a weight matrix.
    output_range
        ``R``, a bound of ``||model(v, t)||`` while ``||v - alpha_t M|| <= sqrt(N d)``:
        ``(1 + tol) sqrt(N d) / m`` with ``m`` the smallest eigenvalue at ``t_min``. With a
        projected read-out its radius, a bound for every ``v``.
    parameters
        Number of weights, all blocks counted.
    nonzero
        How many of them are not zero.
    flops
        Floating-point operations of one forward pass of one sequence, a multiply-add as two.
    stream
        The channel groups of the residual stream.
    method, attention, dtype, tol, bound
        From the plan; ``bound`` is the sum of its error budget.
    orders
        For the paper's own model: what its theorem says of ``D``, ``L``, ``M`` and ``R``.
    """

    token_dimension: int
    blocks: int
    heads: int
    weight_norm: float
    output_range: float
    parameters: int
    nonzero: int
    flops: int
    stream: dict[str, int]
    method: str
    attention: str
    dtype: str
    tol: float
    bound: float
    orders: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def __str__(self) -> str:
        channels = "  ".join(f"{name}[{size}]" for name, size in self.stream.items())
        rows = {
            "method, attention": f"{self.method}, {self.attention}",
            "token dimension D": f"{self.token_dimension}  ({channels})",
            "blocks L": f"{self.blocks}",
            "heads per block M": f"{self.heads}",
            "largest weight norm B": f"{self.weight_norm:.4g}",
            "output range R": f"{self.output_range:.4g}",
            "parameters": f"{self.parameters:,} ({self.nonzero:,} not zero), {self.dtype}",
            "flops per sequence": f"{self.flops:.3g}",
            "relative error": f"at most {self.bound:.3g} (tol {self.tol:g})",
        }
        for name, symbol in _SYMBOLS.items():
            if symbol in self.orders:
                rows[name] += f"  [paper: {self.orders[symbol]}]"
        return "\n".join(f"{name:<22} {value}" for name, value in rows.items())


def summarize(weights: Weights, plan: Plan) -> Summary:
    """Count a model. Blocks that are one object are looked at once."""
    a = weights.architecture
    seen: dict[int, tuple[int, int, float]] = {}

    def count(block: BlockWeights) -> tuple[int, int, float]:
        total, nonzero, norm = 0, 0, 0.0
        for part in (block.attention, block.feed_forward, block.modulation):
            if part is None:
                continue
            if id(part) not in seen:
                arrays = [x for x in vars(part).values() if x is not None and x.dtype.kind == "f"]
                seen[id(part)] = (
                    sum(x.size for x in arrays),
                    sum(int(np.count_nonzero(x)) for x in arrays),
                    max(_largest_norm(x) for x in arrays),
                )
            size, filled, largest = seen[id(part)]
            total, nonzero, norm = total + size, nonzero + filled, max(norm, largest)
        return total, nonzero, norm

    outer = [weights.embed, weights.position, weights.readout]
    outer += [x for x in (weights.position_end, weights.time_embed) if x is not None]
    ends = len(outer)
    outer += [*weights.time.values()]
    outer += [] if weights.radius is None else [weights.radius]
    counts = [count(block) for block in weights.blocks]
    typical = (1 + plan.tol) * math.sqrt(a.frames * a.channels)
    return Summary(
        token_dimension=a.width,
        blocks=a.depth,
        heads=a.heads,
        weight_norm=max([n for *_, n in counts] + [_largest_norm(x) for x in outer[:ends]]),
        output_range=typical / float(plan.spectrum.noisy(plan.t_min)[0])
        if weights.radius is None
        else float(weights.radius),
        parameters=sum(n for n, *_ in counts) + sum(x.size for x in outer),
        nonzero=sum(n for _, n, _ in counts) + sum(int(np.count_nonzero(x)) for x in outer),
        flops=_flops(weights),
        stream=dict(a.stream),
        method=plan.method_name,
        attention=plan.attention,
        dtype=a.dtype,
        tol=plan.tol,
        bound=plan.budget.total,
        orders=_orders(plan),
    )


def _orders(plan: Plan) -> dict[str, str]:
    """The orders of Theorem 1 of the paper, beside what they are made of here."""
    gp, products = plan.gp, plan.products
    if products is None:
        return {}
    vectors = 9 if gp.has_mean else 8
    kappa = plan.spectrum.condition_number(plan.t_min)
    steps = f"{plan.depth} steps of {products.blocks_per_step} blocks, kappa {kappa:.3g}"
    range_order = math.sqrt(gp.frames * gp.channels) / float(sigma_sq(plan.t_min))
    return {
        "D": f"O(d), here {vectors} d + 7",
        "L": f"O(kappa log^2), here {steps}",
        "M": f"4 (J + 1), here J = {plan.bandwidth}",
        "R": f"O(sigma^-2 sqrt(N d)), which is {range_order:.4g}",
    }


def _largest_norm(array: np.ndarray) -> float:
    """Largest Frobenius norm of the matrices stacked in an array."""
    matrices = array.reshape(-1, *array.shape[-2:]) if array.ndim > 2 else array[None]
    return float(max(np.linalg.norm(matrix) for matrix in matrices))


def _flops(weights: Weights) -> int:
    """Matrix products of the plain forward pass, as dense as it runs them."""
    a = weights.architecture
    n, width = a.frames, a.width
    kinds = {name: _block_flops(kind, n, width) for name, kind in a.kinds.items()}
    network = sum(2 * weights.time[name].size for name in ("up", "down") if name in weights.time)
    return sum(kinds[name] for name in a.blocks) + 4 * n * width * a.channels + network


def _block_flops(shape: BlockShape, n: int, width: int) -> int:
    gates = 4 * shape.listens * width
    layer = 4 * n * width * shape.hidden
    attention = shape.attention
    if attention is None:
        return gates + layer
    heads, scores, values = attention.heads, attention.score_channels, attention.value_channels
    ends = 2 * n * width * values  # the value map
    if attention.score == "linear":
        ends *= 2  # one output map for all heads
        features = 0 if attention.sinusoids else 4 * n * width * heads
        return gates + layer + ends + features + 4 * n * heads * scores * values
    ends += 2 * n * heads * values * width
    queries = 2 * n * width * scores * (heads + 1)
    return gates + layer + ends + queries + 2 * heads * n * n * (scores + values)
