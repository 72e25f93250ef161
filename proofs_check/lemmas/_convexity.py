"""Inequalities from convexity: a function that touches zero and bends upwards is not negative."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy

from proofs_check.discharge import all_of, identity, nonnegative
from proofs_check.outcome import PROVED_SYMPY, Discharge, Outcome, failed


def above_tangent(
    expr: Any, variable: sympy.Symbol, point: Any, slacks: Mapping[Any, Any] | None = None
) -> Discharge:
    """``expr >= 0`` on the range of `variable` (an interval): expr and its slope vanish at `point`.

    Taylor's formula with the second derivative, whose sign is checked for all values.
    """
    slope = sympy.diff(expr, variable)
    return all_of(
        nonnegative(sympy.simplify(sympy.diff(slope, variable)), slacks),
        identity(expr.subs(variable, point), 0, automatic=True),
        identity(slope.subs(variable, point), 0, automatic=True),
    )


def decreasing_on(expr: Any, variable: sympy.Symbol, low: Any, high: Any) -> Discharge:
    """`expr`, without parameters, strictly decreases on ``[low, high]``: sympy solves expr' < 0."""

    def decide() -> Outcome:
        if expr.free_symbols != {variable}:
            return failed(f"only {variable} may occur")
        span = sympy.Interval.open(low, high)
        if sympy.is_strictly_decreasing(expr, span) is not True:
            return failed("sympy does not find the derivative negative everywhere")
        return Outcome(PROVED_SYMPY, f"derivative negative on ({low}, {high})")

    return Discharge("decreasing on an interval", decide)
