"""Identities of matrices whose sizes are symbols: entries as sums, and 1 x 1 quadratic forms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy

from proofs_check.outcome import PROVED_SYMPY, Discharge, Outcome, failed


def _renamed(total: sympy.Sum) -> tuple[Any, tuple[Any, ...]]:
    """Summand and limits with the bound indices renamed in the order of their upper limits."""
    limits = sorted(total.limits, key=lambda limit: str(limit[1:]))
    names = {limit[0]: sympy.Symbol(f"bound_{at}", integer=True) for at, limit in enumerate(limits)}
    return total.function.xreplace(names), tuple((names[i], a, b) for i, a, b in limits)


def entry_identity(matrix: sympy.MatrixExpr, row: Any, column: Any, total: sympy.Sum) -> Discharge:
    """``matrix[row, column]`` expands to the (multiple) sum `total`, for symbolic sizes.

    The upper limits of a multiple sum must differ, so that the indices can be told apart.
    """

    def decide() -> Outcome:
        entry = matrix[row, column]
        if not isinstance(entry, sympy.Sum) or not isinstance(total, sympy.Sum):
            return failed("an entry or the total is not a sum")
        bounds = [str(limit[1:]) for limit in total.limits]
        if len(set(bounds)) < len(bounds):
            return failed("two summation indices have the same range; they cannot be told apart")
        if _renamed(entry) != _renamed(total):
            return failed(f"the entry expands to {entry}")
        return Outcome(PROVED_SYMPY, "entry expanded, indices renamed")

    return Discharge("matrix entry", decide)


def quadratic_identity(
    lhs: sympy.MatrixExpr, rhs: Any, symmetric: Iterable[sympy.MatrixSymbol] = ()
) -> Discharge:
    """``lhs == rhs`` for 1 x 1 matrix expressions of symbolic sizes.

    Every product is 1 x 1, hence equal to its transpose, in which the matrices of `symmetric`
    are unchanged; of the two forms one is kept, and then everything must cancel.
    """
    fixed = tuple(symmetric)

    def tidy(term: Any) -> Any:
        return term.xreplace({sympy.Transpose(matrix): matrix for matrix in fixed}).doit()

    def decide() -> Outcome:
        if lhs == rhs:
            return failed("vacuous: both sides are the same expression")
        difference = tidy((lhs - rhs).doit().expand().doit())
        if difference.is_ZeroMatrix:
            return Outcome(PROVED_SYMPY, "expanded, all terms cancel")
        if difference.shape != (1, 1):
            return failed(f"shape {difference.shape} is not 1 x 1")
        terms = difference.args if difference.is_MatAdd else (difference,)
        collected: dict[Any, Any] = {}
        for term in terms:
            scalar, product = term.as_coeff_mmul() if term.is_MatMul else (sympy.S.One, term)
            key = min(tidy(product), tidy(sympy.Transpose(product).doit()), key=str)
            collected[key] = collected.get(key, sympy.S.Zero) + scalar
        left = {key: value for key, value in collected.items() if sympy.simplify(value) != 0}
        if left:
            return failed(f"left over: {left}")
        return Outcome(PROVED_SYMPY, "expanded, transposed terms matched, all cancel")

    return Discharge("quadratic form", decide)
