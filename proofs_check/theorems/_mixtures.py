r"""Sums of exponentials: what the quadrature lemmas need to have chosen, in closed form.

The lemmas hold for every spacing, strip and number of nodes. The theorems take the strip pi/4 and
spend ``tau``, the error at every lag, in thirds: discretisation, dropped small rates, dropped large
rates.
"""

from __future__ import annotations

import sympy

from proofs_check.discharge import all_of, identity
from proofs_check.lemmas._convexity import above_tangent
from proofs_check.lemmas.operator_norm import BOUND as ROW_SUM
from proofs_check.lemmas.operator_norm import centre, others
from proofs_check.step import Step
from proofs_check.symbols import N
from proofs_check.theorems.quantities import ALLOWED, LAG_ALLOWED, mu_max

STRIP = sympy.pi / 4
eta = sympy.Symbol("eta", positive=True)
"""The spacing of the nodes in the logarithm of the rate."""
x, y = sympy.symbols("x y", positive=True)


def spacing_for(constant: sympy.Expr, share: sympy.Expr) -> sympy.Expr:
    """The eta with ``2 constant / (e^{2 pi STRIP / eta} - 1) = share``."""
    return 2 * sympy.pi * STRIP / sympy.log(1 + 2 * constant / share)


def heads(
    spacing: sympy.Expr, smallest: sympy.Expr, corner: sympy.Expr, constants: int
) -> sympy.Expr:
    """``n + r + 1`` nodes and `constants` heads of rate 0; `smallest` is n + 1, `corner` is
    e^{(r + 1) eta}.
    """
    counts = (smallest.subs(eta, spacing), sympy.log(corner.subs(eta, spacing)) / spacing)
    return sympy.Add(*(sympy.ceiling(sympy.Max(1, count)) for count in counts)) - 1 + constants


def geometric_step() -> Step:
    """eta/(1 - e^{-b eta}) <= eta + 1/b."""
    return Step(
        "A factor of both tails of rates, from e^y >= 1 + y.",
        r"\frac\eta{1-e^{-b\eta}}\le\eta+\frac1b",
        all_of(
            identity(
                (1 + 1 / y) * (1 - sympy.exp(-y)) - 1,
                sympy.exp(-y) / y * (sympy.exp(y) - 1 - y),
            ),
            above_tangent(sympy.exp(y) - 1 - y, y, 0),
        ),
    )


def every_lag_step(allowed: sympy.Expr = LAG_ALLOWED) -> Step:
    """The same error at each of 2 N - 1 lags."""
    return Step(
        "An error of tau at each of the 2N - 1 lags is within the share of the heads.",
        r"\|\tilde\Gamma-\Gamma\|\,\|\Sigma\|\le(2N-1)\,\tau\,\mu_{\max},\qquad"
        r"\tau = \frac{\varepsilon\,(f_\pi\mu_{\min}+w)}{(2N-1)\,\mu_{\max}(4+5\varepsilon)}",
        identity(
            mu_max * ROW_SUM.subs({centre: allowed, others: (N - 1) * allowed}),
            ALLOWED,
            automatic=True,
        ),
    )
