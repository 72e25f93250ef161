"""Derivatives, limits, sums, integrals and recursions, each reduced to an identity that is checked.

sympy's own `summation` and `integrate` are not trusted and often return
themselves.  A sum is proved by telescoping, an integral by differentiating the
antiderivative, a recursion by induction: the closed form is the author's, the
check is mechanical.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
import sympy

from proofs_check.discharge.algebra import sign_of, vanishes
from proofs_check.evaluate import sample_point
from proofs_check.outcome import PROVED_SYMPY, Discharge, Outcome, failed


def _unevaluated(expr: Any) -> bool:
    return bool(
        expr.has(sympy.Limit, sympy.Sum, sympy.Integral, sympy.Derivative, sympy.AccumBounds)
        or expr.has(sympy.nan, sympy.zoo)
    )


def _parameter_points(integrand: Any, variable: sympy.Symbol) -> list[dict[Any, Any]]:
    rng = random.Random(1997)
    parameters = sympy.sympify(integrand).free_symbols - {variable}
    return [sample_point(parameters, rng) for _ in range(2)]


def _quadrature(integrand: Any, variable: sympy.Symbol, ends: Sequence[Any]) -> float:
    infinite = {sympy.oo: mpmath.inf, -sympy.oo: -mpmath.inf}
    low, high = (infinite.get(end) or mpmath.mpf(sympy.N(end, 20)) for end in ends)
    # Quadrature on an infinite range wants a finite point inside.
    middle = [max(low, mpmath.mpf(-1)) + 1] if mpmath.isinf(high - low) else []
    points = [low, *(x for x in middle if low < x < high), high]
    return float(mpmath.re(mpmath.quad(sympy.lambdify(variable, integrand, "mpmath"), points)))


def _take_limit(expr: Any, variable: sympy.Symbol, point: Any, side: str = "-") -> Any:
    return sympy.limit(expr, variable, point, side)


def monotone(
    expr: Any, variable: sympy.Symbol, direction: str, slacks: Mapping[Any, Any] | None = None
) -> Discharge:
    """`expr` is weakly ``"increasing"`` or ``"decreasing"`` in `variable`: sign of derivative."""

    def decide() -> Outcome:
        if direction not in ("increasing", "decreasing"):
            return failed(f"direction={direction!r}: must be increasing or decreasing")
        if variable not in expr.free_symbols:
            return failed(f"vacuous: {variable} does not occur")
        derivative = sympy.diff(expr, variable) * (1 if direction == "increasing" else -1)
        derivative = sympy.simplify(derivative.subs(dict(slacks or {}), simultaneous=True))
        if _unevaluated(derivative):
            return failed("the derivative is unevaluated")
        verdict = sign_of(derivative)
        if verdict is None or derivative == 0:
            return failed(f"the sign of the derivative {derivative} is not decided")
        return Outcome(PROVED_SYMPY, f"sign of the derivative: {verdict[1]}")

    return Discharge(f"monotone ({direction})", decide)


def limit(expr: Any, variable: sympy.Symbol, point: Any, value: Any, side: str = "-") -> Discharge:
    """``expr -> value`` as ``variable -> point`` (one-sided, from below by default)."""

    def decide() -> Outcome:
        if variable not in expr.free_symbols:
            return failed(f"vacuous: {variable} does not occur")
        found = _take_limit(expr, variable, point, side)
        if _unevaluated(found):
            return failed("the limit is unevaluated")
        if found == value or (not found.is_infinite and vanishes(found - value)):
            return Outcome(PROVED_SYMPY, "limit evaluated")
        return failed(f"the limit is {found}")

    return Discharge("limit", decide)


def summation(
    term: Any, limits: tuple[sympy.Symbol, Any, Any], closed: Any, *, partial: Any = None
) -> Discharge:
    """``sum of term over limits = closed``, by telescoping.

    For a symbolic upper limit n, `closed` is a function of n: ``closed(a) = term(a)`` and
    ``closed(n) - closed(n-1) = term(n)``.  For an infinite upper limit give the partial sum
    `partial` as a function of the summation index; `closed` must be its limit.
    """
    index, start, stop = limits

    def decide() -> Outcome:
        infinite = stop == sympy.oo
        if infinite and partial is None:
            return failed("an infinite sum needs its partial sum")
        if not infinite and not getattr(stop, "is_Symbol", False):
            return failed("the upper limit must be a symbol or infinity")
        ladder = sympy.sympify(partial) if infinite else sympy.sympify(closed).subs(stop, index)
        if not vanishes(ladder.subs(index, start) - term.subs(index, start)):
            return failed("base: the closed form differs from the first term")
        if not vanishes(ladder - ladder.subs(index, index - 1) - term):
            return failed("step: the differences of the closed form are not the terms")
        if infinite:
            found = _take_limit(ladder, index, sympy.oo)
            if _unevaluated(found) or found.is_infinite or not vanishes(found - closed):
                return failed(f"the partial sums tend to {found}")
        return Outcome(PROVED_SYMPY, "telescoping: base and step")

    return Discharge("summation", decide)


def integration(
    integrand: Any, limits: tuple[sympy.Symbol, Any, Any], value: Any, *, antiderivative: Any
) -> Discharge:
    """``integral = value``: `antiderivative` differentiates to the integrand, grows by `value`.

    An antiderivative with a jump between the ends would pass both tests, so the integral is
    also compared with quadrature at a few parameter values.
    """
    variable, start, stop = limits

    def decide() -> Outcome:
        if variable not in sympy.sympify(antiderivative).free_symbols:
            return failed("vacuous: the antiderivative is constant")
        if not vanishes(sympy.diff(antiderivative, variable) - integrand):
            return failed("the antiderivative does not differentiate to the integrand")
        top = _take_limit(antiderivative, variable, stop, "-")
        bottom = _take_limit(antiderivative, variable, start, "+")
        if _unevaluated(top - bottom) or not vanishes(top - bottom - value):
            return failed(f"the antiderivative changes by {top - bottom}")
        for point in _parameter_points(integrand, variable):
            ends = [sympy.sympify(end).subs(point) for end in (start, stop)]
            found = _quadrature(sympy.sympify(integrand).subs(point), variable, ends)
            claimed = sympy.N(sympy.sympify(value).subs(point), 15)
            if not abs(found - claimed) <= 1e-6 * (1 + abs(claimed)):
                return failed(f"quadrature at {point} gives {found}: a jump?")
        return Outcome(PROVED_SYMPY, "antiderivative differentiated, end points by limits")

    return Discharge("integration", decide)


def recurrence(
    closed: Any,
    index: sympy.Symbol,
    rule: Callable[..., Any],
    initial: Sequence[Any],
) -> Discharge:
    """The sequence ``x_k = initial[k]``, ``x_{k+1} = rule(k, x_k, x_{k-1}, ...)`` is `closed`.

    Induction: the base is every initial value; the step replaces x_k, x_{k-1}, ... by the closed
    form and must give the closed form at k+1.  `rule` takes k and as many forerunners as there
    are initial values; the step is checked for a symbolic k (so for all k >= len(initial) - 1).
    """

    def decide() -> Outcome:
        form = sympy.sympify(closed)
        if index not in form.free_symbols:
            return failed(f"vacuous: {index} does not occur")
        if not initial:
            return failed("vacuous: no initial value")
        for k, value in enumerate(initial):
            start = form.subs(index, k)
            if not vanishes(start - value):
                return failed(f"base: the closed form is {sympy.simplify(start)} at {k}")
        forerunners = [form.subs(index, index - back) for back in range(len(initial))]
        if not vanishes(rule(index, *forerunners) - form.subs(index, index + 1)):
            return failed("step: the rule does not carry the closed form from k to k+1")
        return Outcome(PROVED_SYMPY, f"induction: {len(initial)} base cases and the step")

    return Discharge("recurrence", decide)
