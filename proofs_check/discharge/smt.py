"""A second opinion on polynomial facts: z3 finds the negated claim unsatisfiable.

z3 is an optional extra and is imported only when a step runs.  Powers must be
whole numbers (or square roots, which get their own variable); z3 knows no exp
or log, and other functions are refused rather than approximated.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import sympy

from proofs_check.outcome import PROVED_Z3, Discharge, Outcome, failed
from unroll.errors import ArgumentError

RESOURCES = 20_000_000
"""z3's deterministic effort limit per claim (not seconds, so that every machine agrees)."""


def z3_available() -> bool:
    """Whether the optional extra is installed."""
    return importlib.util.find_spec("z3") is not None


class _Translation:
    """sympy to z3: reals, with the symbols' assumptions as hypotheses."""

    def __init__(self, z3: Any) -> None:
        self.z3 = z3
        self.names: dict[Any, Any] = {}
        self.hypotheses: list[Any] = []

    def _variable(self, symbol: sympy.Symbol) -> Any:
        if symbol not in self.names:
            if not symbol.is_real:
                raise ArgumentError("symbol", symbol, "not declared real", "give it assumptions")
            variable = self.z3.Real(f"{symbol.name}_{len(self.names)}")
            self.names[symbol] = variable
            if symbol.is_positive:
                self.hypotheses.append(variable > 0)
            elif symbol.is_nonnegative:
                self.hypotheses.append(variable >= 0)
            elif symbol.is_negative:
                self.hypotheses.append(variable < 0)
        return self.names[symbol]

    def _root(self, radicand: sympy.Expr) -> Any:
        if ("root", radicand) not in self.names:
            root = self.z3.Real(f"root_{len(self.names)}")
            self.names["root", radicand] = root
            self.hypotheses += [root >= 0, root * root == self.term(radicand)]
        return self.names["root", radicand]

    def _power(self, base: Any, exponent: int) -> Any:
        product = self.z3.RealVal(1)
        for _ in range(abs(exponent)):
            product = product * base
        return product if exponent >= 0 else 1 / product

    def term(self, expr: sympy.Expr) -> Any:
        if expr.is_Rational:
            return self.z3.Q(expr.p, expr.q)
        if expr.is_Symbol:
            return self._variable(expr)
        if expr.is_Add:
            return self.z3.Sum([self.term(a) for a in expr.args])
        if expr.is_Mul:
            product = self.term(expr.args[0])
            for factor in expr.args[1:]:
                product = product * self.term(factor)
            return product
        if expr.is_Pow and expr.exp.is_Integer:
            return self._power(self.term(expr.base), int(expr.exp))
        if expr.is_Pow and expr.exp.is_Rational and expr.exp.q == 2:
            return self._power(self._root(expr.base), int(expr.exp.p))
        raise ArgumentError("expr", expr, "not polynomial", "discharge it without z3")

    def relation(self, claim: Any) -> Any:
        if isinstance(claim, sympy.And):
            return self.z3.And([self.relation(a) for a in claim.args])
        if isinstance(claim, sympy.Or):
            return self.z3.Or([self.relation(a) for a in claim.args])
        if isinstance(claim, sympy.Not):
            return self.z3.Not(self.relation(claim.args[0]))
        left, right = self.term(claim.lhs), self.term(claim.rhs)
        symbol = claim.rel_op
        if symbol == ">=":
            return left >= right
        if symbol == ">":
            return left > right
        if symbol == "<=":
            return left <= right
        if symbol == "<":
            return left < right
        return left == right if symbol == "==" else left != right


def smt(claim: Any, assumptions: Sequence[Any] = ()) -> Discharge:
    """`claim` (a relational, or And/Or of them) holds for all reals that obey `assumptions`.

    The symbols' own assumptions count as hypotheses; integers are widened to reals, which only
    makes the claim stronger.  Hypotheses that no point satisfies fail as vacuous.
    """

    def decide() -> Outcome:
        if claim in (True, False, sympy.true, sympy.false):
            return failed(f"vacuous: sympy evaluated the claim to {claim}")
        import z3

        translation = _Translation(z3)
        negated = z3.Not(translation.relation(claim))
        given = [translation.relation(a) for a in assumptions if a is not sympy.true]
        solver = z3.Solver()
        solver.set("rlimit", RESOURCES)
        solver.add(*translation.hypotheses, *given)
        if solver.check() != z3.sat:
            return failed("vacuous: no point satisfying the hypotheses was found")
        solver.add(negated)
        answer = solver.check()
        if answer == z3.sat:
            return failed(f"z3 counterexample: {solver.model()}")
        if answer != z3.unsat:
            return failed("z3 did not decide the claim")
        return Outcome(PROVED_Z3, "negated claim unsatisfiable")

    return Discharge("z3", decide)
