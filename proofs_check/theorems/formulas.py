"""A theorem as a person reads it: its formulas, and all regimes side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy

from proofs_check import theorems
from proofs_check.lemmas.symbol_elementary import GAMMA_1, LOWER
from proofs_check.lemmas.symbol_minimum import SYMBOL
from proofs_check.symbols import h
from proofs_check.theorems.apply import design_for
from proofs_check.theorems.quantities import (
    DEPTH,
    DEPTH_SIMPLE,
    GAIN,
    KAPPA,
    KAPPA_HEADS,
    LAG_ALLOWED,
    ROUNDING_SHARE,
    T_0,
    TAIL_ALLOWED,
    readable,
    tol,
)
from proofs_check.theorems.theorem import Case, Theorem
from unroll.gaussian_process import GaussianProcess
from unroll.kernels import Exponential, Logarithmic, Polynomial

__all__ = ["COLUMNS", "Formula", "Row", "formulas", "reference_rows", "scaling_rows"]

COLUMNS = {
    "bandwidth": "bandwidth J (J + 1 ReLU heads)",
    "exponentials": "exponentials M",
    "kappa": "κ as N grows",
    "gradient": "depth, gradient descent",
    "chebyshev": "depth, Chebyshev",
}
"""Columns of the table that sets the regimes side by side; a softmax head with a sink is one head
in every row."""


@dataclass(frozen=True)
class Formula:
    """One formula of a theorem: words, LaTeX, and the expression behind it."""

    words: str
    latex: str
    expr: sympy.Expr


@dataclass(frozen=True)
class Row:
    """One range of one regime: how every quantity grows, as expressions by column."""

    regime: str
    condition: str
    orders: dict[str, sympy.Expr | None]
    power_name: str

    def latex(self, column: str) -> str:
        """The entry of a column, ``O(...)``; a dash where the theorem offers nothing."""
        order = self.orders[column]
        if order is None:
            return r"\text{–}"
        if order.is_Integer and column == "exponentials":
            return str(order)
        return rf"O\left({readable(order, self.power_name)}\right)"


def formulas(theorem: Theorem) -> list[Formula]:
    """Everything that a theorem says is enough, in the order of its statement."""

    def one(words: str, left: str, expr: sympy.Expr) -> Formula:
        return Formula(words, f"{left} {readable(expr, theorem.power_name)}", expr)

    return [
        one("condition number at t_min", r"\kappa =", KAPPA),
        one("of heads that leave out all they may", r"\kappa' \le", sympy.cancel(KAPPA_HEADS)),
        *(formula for case in theorem.cases for formula in _case_formulas(theorem, case)),
        one("lags that a band may drop, in all", r"\delta_T =", sympy.factor(TAIL_ALLOWED)),
        one("error of exponentials at every lag", r"\tau =", sympy.factor(LAG_ALLOWED)),
        *(one(words, left, expr) for left, words, expr in theorem.parts),
        one("depth, gradient descent", r"K \ge", DEPTH["gradient"]),
        one("elementary and not smaller", r"K \ge", DEPTH_SIMPLE["gradient"]),
        one("depth, Chebyshev", r"K \ge", DEPTH["chebyshev"]),
        one("elementary and not smaller", r"K \ge", DEPTH_SIMPLE["chebyshev"]),
        *(
            one(
                f"error of one block's arithmetic, {name}",
                r"\xi \le",
                sympy.factor(ROUNDING_SHARE * tol / gain),
            )
            for name, gain in GAIN.items()
        ),
    ]


def _case_formulas(theorem: Theorem, case: Case) -> list[Formula]:
    """Total, bandwidth and the condition number in closed form, for one case."""

    def one(words: str, left: str, expr: sympy.Expr) -> Formula:
        condition = rf"\qquad({case.condition})" if len(theorem.cases) > 1 else ""
        body = readable(expr, theorem.power_name)
        return Formula(words, f"{left} {body}{condition}", expr)

    found = [one("sum of the lags up to N/2", r"T_0 =", case.total)]
    if case.bandwidth is not None:
        found.append(one("bandwidth", r"J \ge", case.bandwidth))
    closed = elementary_kappa(theorem, case)
    if closed is not None:
        found.append(one("condition number in closed form", r"\kappa \le", closed))
    return found


def elementary_kappa(theorem: Theorem, case: Case) -> sympy.Expr | None:
    """kappa without f(pi) and T_0, where gamma is completely monotone in the lag."""
    if not case.monotone:
        return None
    lower = LOWER.subs(GAMMA_1, theorem.kernel.subs(h, 1))
    return KAPPA.subs({SYMBOL: lower, T_0: case.total_limit})


def scaling_rows() -> list[Row]:
    """All regimes side by side, from fast decay to slow."""
    rows = []
    for theorem in theorems.every():
        for case in theorem.cases:
            kappa = case.orders["kappa"]
            assert kappa is not None
            accuracy = sympy.log(1 / tol)
            orders = {
                **case.orders,
                "gradient": kappa * accuracy,
                "chebyshev": sympy.sqrt(kappa) * accuracy,
            }
            rows.append(Row(theorem.regime, case.condition, orders, theorem.power_name))
    return rows


def reference_rows(frames: int = 1024, length_scale: float = 8.0) -> list[list[str]]:
    """The theorems at one problem per case: kernel, J, M, kappa, depth by both methods."""
    rows = []
    for kernel in (
        Exponential(length_scale),
        Exponential(length_scale, 0.5),
        Exponential(length_scale, 1.5),
        Polynomial(length_scale, 2.0),
        Polynomial(length_scale, 1.0),
        Polynomial(length_scale, 0.5),
        Logarithmic(length_scale, 1.0),
    ):
        problem = GaussianProcess(kernel, frames, np.eye(1))
        design = design_for(problem, tolerance=1e-6, t_min=0.01)
        shape = kernel.exponent if isinstance(kernel, Exponential) else kernel.power
        letter = {"exponential": "ν", "polynomial": "p", "logarithmic": "q"}[kernel.regime]
        rows.append(
            [
                f"{kernel.regime}, {letter} = {shape:g}",
                str(design.bandwidth),
                "–" if design.exponentials is None else str(design.exponentials),
                f"{design.condition_number:.4g}",
                str(design.depth["gradient"]),
                str(design.depth["chebyshev"]),
            ]
        )
    return rows
