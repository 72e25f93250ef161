"""Rigorous values of sympy expressions in ball arithmetic (python-flint's arb).

The walk over the expression is explicit, so no intermediate value can silently
turn into a plain number: everything is an arb, or an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import flint
import sympy

from unroll.errors import ArgumentError

_FUNCTIONS = {
    sympy.exp: "exp",
    sympy.log: "log",
    sympy.cos: "cos",
    sympy.sin: "sin",
    sympy.tan: "tan",
    sympy.cosh: "cosh",
    sympy.sinh: "sinh",
    sympy.tanh: "tanh",
    sympy.acosh: "acosh",
    sympy.gamma: "gamma",
    sympy.erf: "erf",
    sympy.Abs: "__abs__",
}


def ball(value: Any) -> flint.arb:
    """An exact parameter (int, Fraction, float by its binary value, sympy Rational) as a ball."""
    if isinstance(value, flint.arb):
        return value
    if isinstance(value, float):
        return flint.arb(value)
    if isinstance(value, sympy.Rational):
        return flint.arb(flint.fmpq(int(value.p), int(value.q)))
    if isinstance(value, Fraction):
        return flint.arb(flint.fmpq(value.numerator, value.denominator))
    if isinstance(value, int):
        return flint.arb(value)
    raise ArgumentError("value", value, "not an exact number or ball", "pass int, Fraction or arb")


def interval(low: Any, high: Any) -> flint.arb:
    """The smallest ball containing ``[low, high]``; the ends must differ."""
    if not sympy.sympify(low) < sympy.sympify(high):
        raise ArgumentError("low", low, f"not below high={high}: a point", "widen the interval")
    return ball(_exact(low)).union(ball(_exact(high)))


def _exact(value: Any) -> Any:
    return sympy.Rational(value) if isinstance(value, (float, str)) else sympy.sympify(value)


def enclose(expr: Any, values: Mapping[sympy.Symbol, flint.arb]) -> flint.arb:
    """A ball containing `expr` for every choice of its symbols within their balls.

    Raises
    ------
    ArgumentError
        If a node is not supported, or a value is not a ball.
    """
    result = _walk(sympy.sympify(expr), values)
    if not isinstance(result, flint.arb):
        raise ArgumentError("expr", expr, f"gave a {type(result).__name__}, no ball", "rewrite it")
    return result


def _walk(expr: sympy.Expr, values: Mapping[sympy.Symbol, flint.arb]) -> flint.arb:
    if expr.is_Rational:
        return ball(expr)
    if expr is sympy.pi:
        return flint.arb.pi()
    if expr is sympy.E:
        return flint.arb(1).exp()
    if expr.is_Symbol:
        value = values[expr]
        if not isinstance(value, flint.arb):
            raise ArgumentError(str(expr), value, "not a ball", "wrap it with interval() or ball()")
        return value
    if expr.is_Add:
        return _total([_walk(a, values) for a in expr.args])
    if expr.is_Mul:
        product = flint.arb(1)
        for factor in expr.args:
            product = product * _walk(factor, values)
        return product
    if expr.is_Pow:
        return _power(expr, values)
    if isinstance(expr, sympy.Sum) and len(expr.limits) == 1:
        return _total([_walk(term, values) for term in _terms(expr)])
    if expr.func in _FUNCTIONS and len(expr.args) == 1:
        found = getattr(_walk(expr.args[0], values), _FUNCTIONS[expr.func])()
        if not isinstance(found, flint.arb):
            raise ArgumentError(
                "expr", expr, f"gave a {type(found).__name__}, no ball", "rewrite it"
            )
        return found
    if isinstance(expr, (sympy.Max, sympy.Min)):
        balls = [_walk(a, values) for a in expr.args]
        result = balls[0]
        for other in balls[1:]:
            result = result.max(other) if isinstance(expr, sympy.Max) else result.min(other)
        return result
    raise ArgumentError("expr", expr, f"no balls for {expr.func.__name__}", "rewrite it")


def _total(balls: list[flint.arb]) -> flint.arb:
    result = flint.arb(0)
    for value in balls:
        result = result + value
    return result


def _power(expr: sympy.Pow, values: Mapping[sympy.Symbol, flint.arb]) -> flint.arb:
    base = _walk(expr.base, values)
    if expr.exp.is_Integer:
        return base ** int(expr.exp)
    if expr.exp == sympy.S.Half:
        return base.sqrt()
    return (base.log() * _walk(expr.exp, values)).exp()


def _terms(expr: sympy.Sum) -> list[sympy.Expr]:
    index, start, stop = expr.limits[0]
    if not (start.is_Integer and stop.is_Integer):
        raise ArgumentError("expr", expr, "its limits must be whole numbers", "substitute them")
    return [expr.function.subs(index, k) for k in range(int(start), int(stop) + 1)]
