"""Every construction side by side: what each would cost, which are worth having, which is best.

A construction is on the *frontier* if no other has at most as many layers, heads, parameters and
floating-point operations, and fewer of one of them (Pareto optimality).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from unroll.attention import LOWERINGS
from unroll.costs import Cost, cost
from unroll.errors import ArgumentError
from unroll.gaussian_process import GaussianProcess
from unroll.methods import METHODS
from unroll.plan import METHOD_NAMES, Plan
from unroll.refusals import DepthError
from unroll.validation import choice

__all__ = ["OBJECTIVES", "Candidate", "best_plan", "candidates", "frontier"]

#: What ``method="auto"`` can minimise; ties are broken by the others in this order.
OBJECTIVES = {"depth": "layers", "heads": "heads", "parameters": "parameters", "flops": "flops"}
# Deeper plans are not planned in full just to count their weights.
_DESCRIBED = 20_000
# Methods whose heads are not asked for by name.
_OWN_HEADS = {"boundary": "fourier+ends", "spectral": "eigenmodes"}
# Errors about these arguments belong to one combination; others are the caller's mistake.
_OF_THE_ROW = ("method", "attention", "tol", "bandwidth", "conditioning")


@dataclass(frozen=True)
class Candidate:
    """One construction.

    Attributes
    ----------
    method, attention, conditioning
        What was asked of `unroll.make_plan`; conditioning ``"products"`` is ``preset="paper"``.
    plan
        The plan, or ``None`` where there is none. One that is only too deep is described, too.
    cost
        Its sizes.
    layers
        Blocks, known for every plan that is too deep.
    reason
        Why it would not be built; ``None`` for a construction that would.
    """

    method: str
    attention: str
    conditioning: str
    plan: Plan | None
    cost: Cost | None
    layers: int | None
    reason: str | None


def candidates(
    gp: GaussianProcess, *, attention: str | None = None, **options: Any
) -> list[Candidate]:
    """Plan every method with every attention and conditioning.

    Parameters
    ----------
    gp
        The problem.
    attention
        Restrict to one attention mechanism.
    **options
        Accuracy, range of t and the like: those of `unroll.make_plan`.
    """
    rows = []
    for method in METHOD_NAMES:
        if method == "neumann":  # gradient descent by its other name
            continue
        mechanisms = [*LOWERINGS] if method not in _OWN_HEADS else [_OWN_HEADS[method]]
        for mechanism in mechanisms:
            if attention in (None, mechanism):
                request = {"method": method}
                if method not in _OWN_HEADS:
                    request["attention"] = mechanism
                for conditioning in ("exact", "mlp") if method in METHODS else ("exact",):
                    name = (method, mechanism, conditioning)
                    given = request | {"conditioning": conditioning}
                    rows.append(_candidate(gp, name, given, options))
    if attention in (None, "relu") and options.get("activation") in (None, "relu"):
        paper = {name: value for name, value in options.items() if name != "activation"}
        rows.append(_candidate(gp, ("gradient", "relu", "products"), {"preset": "paper"}, paper))
    return rows


def frontier(rows: list[Candidate]) -> list[Candidate]:
    """The candidates that no other beats in every respect."""
    known = [row for row in rows if row.reason is None]
    return [row for row in known if not any(_beats(other, row) for other in known)]


def best_plan(gp: GaussianProcess, *, objective: str = "depth", **options: Any) -> Plan:
    """The plan with the smallest objective.

    Raises
    ------
    ArgumentError
        No construction keeps the tolerance; the message gives the reason of each.
    """
    choice("objective", objective, OBJECTIVES)
    rows = candidates(gp, **options)
    feasible = [row for row in rows if row.reason is None]
    if not feasible:
        reasons = "; ".join(f"{row.method} x {row.attention}: {row.reason}" for row in rows)
        raise ArgumentError(
            "method", "auto", f"finds no construction ({reasons})", "use a larger tol or t_min"
        )
    order = [OBJECTIVES[objective], *OBJECTIVES.values()]
    best = min(feasible, key=lambda row: [getattr(row.cost, name) for name in order])
    assert best.plan is not None
    return best.plan


def _candidate(
    gp: GaussianProcess,
    name: tuple[str, str, str],
    request: dict[str, Any],
    options: dict[str, Any],
) -> Candidate:
    from unroll.planner import make_plan  # which offers the best of these

    request = request | options
    reason, layers = None, None
    try:
        plan = make_plan(gp, **request)
    except DepthError as error:  # too deep to build, not to describe
        reason, layers = str(error), error.depth
        if layers > _DESCRIBED:
            return Candidate(*name, None, None, layers, reason)
        plan = make_plan(gp, **request | {"max_layers": 2 * _DESCRIBED})
    except ArgumentError as error:
        if error.argument not in _OF_THE_ROW or not 0 < options.get("tol", 0.5) < 1:
            raise  # nothing to do with this combination
        return Candidate(*name, None, None, None, str(error))
    return Candidate(*name, plan, cost(plan), plan.layers, reason)


def _beats(one: Candidate, other: Candidate) -> bool:
    assert one.cost is not None
    assert other.cost is not None
    pairs = [(getattr(one.cost, name), getattr(other.cost, name)) for name in OBJECTIVES.values()]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
