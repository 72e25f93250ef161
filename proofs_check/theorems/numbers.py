"""Numbers from the theorems' formulas: fast, with 40 digits, every symbol by its name.

`proofs_check.evaluate` keeps parameters exact, which takes forever for powers of powers of
53-bit fractions. Here they are 40-digit numbers from the start; nothing is compared so closely that
it matters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import mpmath
import sympy

from proofs_check.symbols import N
from unroll.errors import ArgumentError

DIGITS = 40


def number(expr: sympy.Expr, values: Mapping[str, Any]) -> mpmath.mpf:
    """The value of `expr`.

    Raises
    ------
    ArgumentError
        If a symbol has no value, or the result is not a finite real number.

    Examples
    --------
    >>> x = sympy.Symbol("x", positive=True)
    >>> float(number(sympy.sqrt(x) / 3, {"x": 4.0}))
    0.6666666666666666
    """
    missing = sorted(s.name for s in expr.free_symbols if s.name not in values)
    if missing:
        raise ArgumentError("values", sorted(values), f"lack {', '.join(missing)}", "add them")
    if expr.has(sympy.Sum):
        expr = expr.subs(N, int(values[N.name])).doit()
    symbols = sorted(expr.free_symbols, key=str)
    with mpmath.workdps(DIGITS):
        found = _compiled(expr)(*(mpmath.mpf(values[s.name]) for s in symbols))
        found = mpmath.mpmathify(found)
        if not isinstance(found, mpmath.mpf) or not mpmath.isfinite(found):
            raise ArgumentError("expr", expr, f"is no real number: {found}", "see the assumptions")
        return found


@cache
def _compiled(expr: sympy.Expr) -> Callable[..., Any]:
    """A function of the free symbols in the order of their names."""
    function: Callable[..., Any] = sympy.lambdify(
        sorted(expr.free_symbols, key=str), expr, modules="mpmath"
    )
    return function
