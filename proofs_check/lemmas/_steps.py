"""Steps about decreasing kernels that several lemmas need, stated once."""

from __future__ import annotations

import sympy

from proofs_check.discharge import (
    all_of,
    identity,
    monotone,
    nonnegative,
    smt,
    sum_nonnegative,
    summation,
)
from proofs_check.lemmas._kernels import EXPONENTIAL, LOGARITHMIC, POLYNOMIAL
from proofs_check.outcome import Discharge
from proofs_check.step import Step
from proofs_check.symbols import J, N, ell, h

_LAG = sympy.Symbol("h", positive=True)
_LOG_LAG = sympy.Symbol("y", positive=True)

LOG_SLACK = {h: ell * (sympy.exp(_LOG_LAG) - 1)}
"""h = ell (e^y - 1), so that log(1 + h/ell) = y has a sign that sympy knows."""


def decreases(regime: str) -> Discharge:
    """gamma of one regime decreases in the lag."""
    if regime == "logarithmic":
        return monotone(LOGARITHMIC, h, "decreasing", LOG_SLACK)
    formula = EXPONENTIAL if regime == "exponential" else POLYNOMIAL
    return monotone(formula.subs(h, _LAG), _LAG, "decreasing")


def kernels_decrease() -> Step:
    """All three kernels decrease."""
    return Step(
        "In every regime the kernel decreases in the lag.",
        r"\gamma'(h)\le0\quad(h>0)",
        all_of(*(decreases(regime) for regime in ("exponential", "polynomial", "logarithmic"))),
    )


def alternating_between() -> Step:
    """Finite alternating sums of a decreasing non-negative sequence."""
    first, second, rest, u, v = sympy.symbols("r_0 r_1 A u v", nonnegative=True)
    return Step(
        "An alternating sum of a decreasing sequence lies between 0 and its first term, by "
        "induction on the number of terms: A is the sum that starts with the second one.",
        r"r_0-r_1+\dots = r_0-A\in[0,r_0],\qquad0\le A\le r_1\le r_0",
        all_of(
            nonnegative(first - rest, {first: rest + u + v}),
            nonnegative(first - (first - rest)),
        ),
        smt(
            sympy.And(first - rest >= 0, first - rest <= first),
            [rest <= second, second <= first],
        ),
    )


def sum_below_integral() -> Step:
    """For a decreasing function the sum over J < k < N is at most the integral from J to N-1."""
    i = sympy.Symbol("i", integer=True, positive=True)
    k = sympy.Symbol("k", integer=True, positive=True)
    n = sympy.Symbol("n", integer=True, positive=True)
    piece, term = sympy.IndexedBase("I", nonnegative=True), sympy.IndexedBase("g", nonnegative=True)
    value, excess = sympy.symbols("v w", nonnegative=True)
    primitive = sympy.Function("F")
    return Step(
        "The kernel decreases, so on [k-1, k] it is at least gamma(k); the pieces add up.",
        r"\sum_{J<k<N}\gamma(k) \le \sum_{J<k<N}\int_{k-1}^k\gamma = \int_J^{N-1}\gamma",
        all_of(
            sum_nonnegative(
                sympy.Sum(piece[k], (k, J + 1, N - 1)) - sympy.Sum(term[k], (k, J + 1, N - 1)),
                piece[k] - term[k],
                (k, J + 1, N - 1),
                {piece[k]: value + excess, term[k]: value},
            ),
            summation(
                primitive(J + i) - primitive(J + i - 1), (i, 1, n), primitive(J + n) - primitive(J)
            ),
        ),
    )


def primitive(
    function: sympy.Expr,
    limits: tuple[sympy.Symbol, sympy.Expr, sympy.Expr],
    value: sympy.Expr,
    antiderivative: sympy.Expr,
) -> Discharge:
    """``integral = value`` between symbolic limits.

    The antiderivative is continuous on the positive axis, so its derivative and its values at
    the ends are all there is to check.
    """
    variable, start, stop = limits
    ends = antiderivative.subs(variable, stop) - antiderivative.subs(variable, start)
    return all_of(
        identity(sympy.diff(antiderivative, variable) / function, 1, automatic=True),
        identity(ends, value, automatic=True),
    )
