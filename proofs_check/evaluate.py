"""Numbers from sympy expressions: exact substitution, many digits, and never a silent guess.

The bound that a test compares with a measurement is evaluated from the very
expression that the proof is about, so the two cannot drift apart.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import mpmath
import sympy

from unroll.errors import ArgumentError

DIGITS = 40


def exact(value: Any) -> sympy.Expr:
    """A parameter as an exact sympy number: floats by their binary value, not their decimals.

    >>> exact(0.5), exact(3)
    (1/2, 3)
    """
    if isinstance(value, mpmath.mpf):
        sign, mantissa, exponent, _ = value._mpf_
        return sympy.Integer((-1) ** sign * mantissa) * sympy.Integer(2) ** exponent
    if isinstance(value, float):
        return sympy.Rational(value)
    return sympy.sympify(value)


def evaluate(expr: Any, values: Mapping[str, Any], digits: int = DIGITS) -> mpmath.mpf:
    """Value of `expr` with every free symbol looked up by name in `values`.

    Raises
    ------
    ArgumentError
        If a symbol has no value, or the result is not a finite real number.

    Examples
    --------
    >>> x = sympy.Symbol("x", positive=True)
    >>> float(evaluate(sympy.sqrt(x) / 3, {"x": 4.0}))
    0.6666666666666666
    """
    expr = sympy.sympify(expr)
    missing = sorted(s.name for s in expr.free_symbols if s.name not in values)
    if missing:
        raise ArgumentError(
            "expr", expr, f"no value for {', '.join(missing)}", "add it to the values"
        )
    chosen = {s: exact(values[s.name]) for s in expr.free_symbols}
    number = expr.xreplace({s: value for s, value in chosen.items() if value.is_Integer})
    if number.has(sympy.Sum, sympy.Product):
        number = number.doit()
    # Fractions stay out of the tree: sympy would factor integers of a thousand digits in a**b.
    fractions = {s: value for s, value in chosen.items() if not value.is_Integer}
    number = number.evalf(digits, maxn=400, subs=fractions)
    if not number.is_Float and not number.is_Rational:
        raise ArgumentError("expr", expr, f"value {number} is not finite and real", "check ranges")
    with mpmath.workdps(digits):
        return mpmath.mpf(sympy.Float(number, digits)._mpf_)


def sample_point(symbols: Any, rng: random.Random) -> dict[sympy.Symbol, sympy.Expr]:
    """A random exact point obeying each symbol's assumptions; used to catch false proofs."""
    point: dict[sympy.Symbol, sympy.Expr] = {}
    for symbol in sorted(symbols, key=str):
        if symbol.is_integer:
            low = 1 if symbol.is_positive else 0 if symbol.is_nonnegative else -3
            point[symbol] = sympy.Integer(rng.randint(low, 6))
        else:
            value = sympy.Rational(rng.randint(1, 400), rng.choice((7, 60, 173)))
            if symbol.is_negative or (not symbol.is_nonnegative and rng.random() < 0.5):
                value = -value
            point[symbol] = value
    return point
