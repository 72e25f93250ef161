"""Identities and signs: the two discharges that most steps need."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import sympy
from sympy.core.function import AppliedUndef

from proofs_check.evaluate import sample_point
from proofs_check.outcome import EVERYWHERE, PROVED_SYMPY, Discharge, Outcome, failed

SPOT_POINTS = 4


def ordered(*chain: Any) -> dict[sympy.Symbol, sympy.Expr]:
    """Positive slacks for ``chain[0] <= chain[1] <= ...``.

    The first entry is kept as it is, each other symbol becomes its forerunner plus a new
    non-negative symbol.  The substitution covers every ordered point by construction.

    >>> m, L = sympy.symbols("m L", positive=True)
    >>> ordered(m, L)
    {L: m + u_L}
    """
    slacks: dict[sympy.Symbol, sympy.Expr] = {}
    previous = sympy.sympify(chain[0])
    for symbol in chain[1:]:
        slack = sympy.Symbol(f"u_{symbol.name}", nonnegative=True)
        previous = previous + slack
        slacks[symbol] = previous
    return slacks


def vanishes(expr: Any) -> bool:
    """Whether sympy reduces a scalar or matrix expression to literally zero."""
    if isinstance(expr, sympy.MatrixBase):
        return all(vanishes(entry) for entry in expr)
    if isinstance(expr, sympy.MatrixExpr):
        reduced = expr.doit().expand().doit()
        return bool(reduced.is_ZeroMatrix)
    expr = sympy.sympify(expr)
    if expr.has(sympy.nan, sympy.zoo, sympy.oo) or _differs_somewhere(expr):
        return False
    attempts = (
        sympy.expand,
        lambda e: sympy.cancel(sympy.together(e)),
        lambda e: sympy.expand(sympy.powsimp(sympy.expand(e, power_exp=True, power_base=True))),
        lambda e: sympy.cancel(sympy.together(sympy.powsimp(sympy.expand(e)))),
        sympy.simplify,
        lambda e: sympy.simplify(sympy.expand_func(sympy.expand_log(sympy.powdenest(e)))),
    )
    for attempt in attempts:
        try:
            if attempt(expr) == 0:
                return True
        except (sympy.PolynomialError, NotImplementedError):
            continue
    return False


def _spot_values(expr: Any) -> list[tuple[dict[sympy.Symbol, sympy.Expr], Any]]:
    """Numerical values at a few fixed random points; empty where there is no number to be had."""
    if getattr(expr, "is_Matrix", False) or not isinstance(expr, sympy.Expr):
        return []
    if expr.has(sympy.Indexed, AppliedUndef):
        return []
    rng = random.Random(20240716)
    values = []
    for _ in range(SPOT_POINTS):
        point = sample_point(expr.free_symbols, rng)
        number = expr.subs(point).evalf(30)
        if number.is_Number and number.is_finite:
            values.append((point, number))
    return values


def _differs_somewhere(expr: Any) -> str | None:
    """A sentence about a point where a scalar is clearly not zero, compared with its terms."""
    for point, number in _spot_values(expr):
        terms = expr.args if expr.is_Add else (expr,)
        size = 1 + max(abs(sympy.N(term.subs(point))) for term in terms)
        if abs(number) > sympy.Float("1e-15") * size:
            return f"by {sympy.N(number, 6)} at {point}"
    return None


def identity(lhs: Any, rhs: Any, *, automatic: bool = False, scope: str | None = None) -> Discharge:
    """``lhs == rhs`` for all symbols, by simplification of the difference to zero.

    Scalars, explicit matrices and matrix expressions.  Two sides that are the same object
    before any simplification are rejected as vacuous, unless `automatic` says that sympy's
    own evaluation is the proof.  `scope` narrows what the report claims (fixed sizes).
    """

    def decide() -> Outcome:
        if lhs == rhs and not automatic:
            return failed("vacuous: both sides are the same expression")
        difference = lhs - rhs
        apart = _differs_somewhere(difference)
        if apart:
            return failed(f"the sides differ {apart}")
        if not vanishes(difference):
            return failed("the difference does not simplify to 0")
        return Outcome(PROVED_SYMPY, "difference simplifies to 0", scope=scope or EVERYWHERE)

    return Discharge("identity", decide)


def _polynomial_sign(expr: sympy.Expr) -> str | None:
    """``"positive"`` or ``"nonnegative"`` if every coefficient and generator is, else None."""
    if expr.is_number:
        return "positive" if expr.is_positive else "nonnegative" if expr.is_zero else None
    try:
        poly = sympy.Poly(expr)
    except sympy.PolynomialError:
        return None
    if not all(generator.is_nonnegative for generator in poly.gens):
        return None
    if not all(coefficient.is_nonnegative for coefficient in poly.coeffs()):
        return None
    for powers, coefficient in poly.terms():
        alive = [g for g, power in zip(poly.gens, powers, strict=True) if power]
        if coefficient.is_positive and all(generator.is_positive for generator in alive):
            return "positive"
    return "nonnegative"


def _factored_sign(expr: sympy.Expr) -> str | None:
    """Sign from a factorisation: even powers of real factors, and factors of known sign."""
    if not all(symbol.is_real for symbol in expr.free_symbols):
        return None
    constant, factors = sympy.factor_list(expr)
    if not all(base.is_real for base, _ in factors):
        return None
    sign, strict = (1 if constant.is_positive else -1 if constant.is_negative else 0), True
    for base, power in factors:
        direct, flipped = _polynomial_sign(base), _polynomial_sign(sympy.expand(-base))
        strict = strict and "positive" in (direct, flipped)
        if power % 2 == 0:
            continue
        if direct is None and flipped is None:
            return None
        sign *= 1 if direct else -1
    return None if sign <= 0 else "positive" if strict else "nonnegative"


def sign_of(expr: Any) -> tuple[str, str] | None:
    """``("positive" | "nonnegative", reason)`` under the symbols' assumptions, or None."""
    expr = sympy.together(sympy.sympify(expr))
    numerator, denominator = (sympy.expand(part) for part in sympy.fraction(expr))
    below = _polynomial_sign(denominator)
    if below != "positive":
        numerator, denominator = sympy.expand(-numerator), sympy.expand(-denominator)
        below = _polynomial_sign(denominator)
    if below == "positive":
        above = _polynomial_sign(numerator)
        if above:
            return above, "every coefficient is non-negative in non-negative symbols"
        above = _factored_sign(numerator)
        if above:
            return above, "every factor is an even power or has non-negative coefficients"
    if expr.is_positive:
        return "positive", "sympy's assumptions"
    if expr.is_nonnegative:
        return "nonnegative", "sympy's assumptions"
    return None


def _signed(expr: Any, slacks: Mapping[Any, Any] | None, strict: bool) -> Outcome:
    substituted = sympy.sympify(expr).subs(dict(slacks or {}), simultaneous=True)
    for point, number in _spot_values(substituted):
        if number < -sympy.Float("1e-20"):
            return failed(f"negative: {sympy.N(number, 6)} at {point}")
    if not strict and vanishes(substituted):
        return failed("vacuous: the expression is identically zero; state it as an identity")
    verdict = sign_of(substituted)
    if verdict is None:
        return failed("the sign is not decided")
    sign, reason = verdict
    if strict and sign != "positive":
        return failed("only non-negative, not positive")
    return Outcome(PROVED_SYMPY, reason)


def nonnegative(expr: Any, slacks: Mapping[Any, Any] | None = None) -> Discharge:
    """``expr >= 0`` after the substitution `slacks` (see `ordered`)."""
    return Discharge("nonnegative", lambda: _signed(expr, slacks, strict=False))


def positive(expr: Any, slacks: Mapping[Any, Any] | None = None) -> Discharge:
    """``expr > 0`` after the substitution `slacks` (see `ordered`)."""
    return Discharge("positive", lambda: _signed(expr, slacks, strict=True))


def sum_nonnegative(
    total: sympy.Expr, summand: sympy.Expr, limits: tuple[Any, Any, Any], slacks: Mapping[Any, Any]
) -> Discharge:
    """``total >= 0``: it equals the sum of `summand` over `limits`, each of which is ``>= 0``.

    The number of terms may be symbolic: `total` and `summand` are written with `Indexed`
    entries, `slacks` replaces them by symbols with assumptions.
    """

    def decide() -> Outcome:
        difference = sympy.expand(total - sympy.Sum(sympy.expand(summand), limits).expand())
        if not vanishes(difference.doit(deep=False)) and not vanishes(difference.factor()):
            return failed("the sum of the summand is not the stated total")
        return _signed(summand, slacks, strict=False)

    return Discharge("sum of non-negative terms", decide)
