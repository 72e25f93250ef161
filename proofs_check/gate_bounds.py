"""Gates from a network of t, in balls: how far they are from what they should be, for every t.

The network is piecewise linear, up to rounding and the smoothness of its hinges, and so is all that
follows from it: where the operator that it scales has its eigenvalues is decided at the knots,
and between two knots ``t`` and ``t + h`` lemma ``interpolation`` bounds what the exponential
function adds. With ``a = exp(-t)``, the outputs ``C, E, P, R`` of `unroll.gate_scale` and an end
``l`` of the spectrum,

    g = C (1 + a (l - 1)) - (P l + R),   g'' = (l - 1) a (C - 2 C'),
    k = C alpha - E,                     k'' = alpha (C / 4 - C'),

and ``C - 2 C'``, ``C / 4 - C'`` are linear there: largest at an end (lemma ``scaled_gates``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from flint import arb

from proofs_check.balls import round_up
from unroll.gate_design import OUTPUTS
from unroll.gate_network import GateNetwork
from unroll.plan import Plan

__all__ = ["ScaledGates", "scaled_gates"]

_PARTS = 8  # of a piece, each with its own bound


@dataclass(frozen=True)
class ScaledGates:
    """What a network makes of the score, uniformly in t.

    Attributes
    ----------
    error
        ``x`` of `unroll.gate_errors`.
    where
        The piece between two knots where it is largest.
    lower, upper
        The eigenvalues of ``P G + R`` lie between them, and so do those for which the plan chooses
        its step sizes.
    planned
        Whether the latter include the former, so that step sizes for ``lower`` and ``upper`` are
        those of the plan.
    sizes
        The largest absolute value of the constant 1 and of each output.
    """

    error: arb
    where: tuple[float, float]
    lower: arb
    upper: arb
    planned: bool
    sizes: tuple[arb, ...]

    @property
    def condition_number(self) -> arb:
        """Of the scaled operator, for every t."""
        return self.upper / self.lower

    @property
    def blame(self) -> str:
        """Where they are worst, in words."""
        return (
            f"time.up_bias, time.down: gates between t={self.where[0]:.6g} and "
            f"t={self.where[1]:.6g} cost {round_up(self.error):.3g}"
        )


def scaled_gates(network: GateNetwork, plan: Plan, lower: arb, upper: arb) -> ScaledGates:
    """Bound a network for a problem whose operator has its eigenvalues in ``[lower, upper]``."""
    nodes = [plan.t_min, *(t for t in network.knots if t > plan.t_min), plan.t_max]
    values = list(_walk(network, nodes))
    slack = [[arb(x) for x in row] for row in network.imprecision(np.array(nodes)).tolist()]
    ends = []
    for end, sign in ((lower, -1), (upper, 1)):
        off = (rho[2] * abs(end) + rho[3] for rho in slack)
        at = (v[2] * end + v[3] + sign * s for v, s in zip(values, off, strict=True))
        ends.append(_extreme(sign * x for x in at) * sign)
    problem = _Mean.of(plan)
    worst, where = arb(0), (plan.t_min, plan.t_max)
    for i in range(len(nodes) - 1):
        piece = _Piece(nodes[i], nodes[i + 1], values[i], values[i + 1], slack[i + 1])
        error = piece.error(lower, upper, problem)
        if not error <= worst:
            worst, where = worst.max(error), (nodes[i], nodes[i + 1])
    sizes = [
        _extreme(abs(v[q]) + rho[q] for v, rho in zip(values, slack, strict=True))
        for q in range(OUTPUTS)
    ]
    claimed = plan.scaled_spectrum
    low, high = arb(claimed.lower), arb(claimed.upper)
    inside = bool(low <= ends[0] and ends[1] <= high)
    return ScaledGates(worst, where, low.min(ends[0]), high.max(ends[1]), inside, (arb(1), *sizes))


def _extreme(values: Iterable[arb]) -> arb:
    """An upper bound of the largest, as an exact ball."""
    return arb(max(x.upper() for x in values))


def _walk(network: GateNetwork, nodes: list[float]) -> Iterator[list[arb]]:
    """Exact values of the piecewise linear function at the nodes."""
    value, slope = [arb(x) for x in network.offset], [arb(0)] * OUTPUTS
    here, following = arb(network.knots[0]), 0
    for t in nodes:
        while following < network.units and network.knots[following] <= t:
            knot = arb(network.knots[following])
            value = [v + s * (knot - here) for v, s in zip(value, slope, strict=True)]
            slope = [s + x for s, x in zip(slope, network.slopes[following], strict=True)]
            here, following = knot, following + 1
        value = [v + s * (arb(t) - here) for v, s in zip(value, slope, strict=True)]
        here = arb(t)
        yield value


@dataclass(frozen=True)
class _Mean:
    """Size of the mean, and the variance of a channel, which bounds the score from below."""

    size: arb
    variance: arb

    @classmethod
    def of(cls, plan: Plan) -> _Mean:
        gp, total, worst = plan.gp, arb(0), arb(0)
        for n, frame in enumerate(gp.mean if gp.has_mean else [], start=1):
            total += sum((arb(float(x)) ** 2 for x in frame), arb(0))
            worst = worst.max(total / (n * gp.channels))  # the first n frames are served, too
        variance = sum((arb(float(x)) for x in np.diag(gp.spatial_cov)), arb(0)) / gp.channels
        return cls(worst.sqrt() if worst > 0 else arb(0), variance)

    def relative(self, a: arb) -> arb:
        """``||M|| / S`` at ``a = exp(-t)``."""
        return self.size * (1 + a * (self.variance - 1)).sqrt() if self.size > 0 else arb(0)


@dataclass(frozen=True)
class _Piece:
    """One piece between two knots, with the outputs at both ends and what they may be off by."""

    start: float
    end: float
    first: list[arb]
    last: list[arb]
    slack: list[arb]

    def error(self, lower: arb, upper: arb, mean: _Mean) -> arb:
        """``x`` on the piece, part by part."""
        width = arb(self.end) - arb(self.start)
        slope = (self.last[0] - self.first[0]) / width
        points = []
        for i in range(_PARTS + 1):
            share = arb(i) / _PARTS
            t = arb(self.start) + width * share
            outputs = [f + (g - f) * share for f, g in zip(self.first, self.last, strict=True)]
            points.append((outputs, (-t).exp(), (-t / 2).exp()))
        eighth = (width / _PARTS) ** 2 / 8
        worst = arb(0)
        for (left, a, root), (right, a_after, root_after) in pairwise(points):
            curved = abs(left[0] - 2 * slope).max(abs(right[0] - 2 * slope)) * a * eighth
            total = arb(0)
            for end in (lower, upper):
                wanted, after = 1 + a * (end - 1), 1 + a_after * (end - 1)
                found, next_found = left[2] * end + left[3], right[2] * end + right[3]
                off = abs(left[0] * wanted - found).max(abs(right[0] * after - next_found))
                off += abs(end - 1) * curved
                rho = self.slack[2] * abs(end) + self.slack[3]
                off += self.slack[0] * wanted.max(after) + rho
                smallest = found.min(next_found) - rho
                if not smallest > 0:
                    return arb("inf")
                total = total.max(off / smallest)
                if end is lower:
                    bottom = smallest
            if mean.size > 0:
                bent = abs(left[0] / 4 - slope).max(abs(right[0] / 4 - slope)) * root * eighth
                off = abs(left[0] * root - left[1]).max(abs(right[0] * root_after - right[1]))
                off += bent + self.slack[0] + self.slack[1]
                total += off * mean.relative(a).max(mean.relative(a_after)) / bottom
            worst = worst.max(total)
        return worst
