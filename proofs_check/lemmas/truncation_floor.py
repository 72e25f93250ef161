r"""A kernel that decays slowly cannot be truncated: its tail needs nearly every lag.

Statement
---------
For every decreasing kernel and 0 <= J < N - 1,

    T_N(J) >= (N-1-J) gamma(N-1),   so   T_N(J) <= delta   forces   J >= N - 1 - delta/gamma(N-1).

Logarithmic regime: J >= N - 1 - delta (1 + log(1+(N-1)/ell))^q, and J/N -> 1: no bandwidth
o(N), nor any fixed fraction of N below 1, keeps the tail bounded.  The same holds for the
polynomial regime with p < 1, J >= N - 1 - delta (1+(N-1)/ell)^p; with p = 1 at least the
fraction 1 - delta/ell of N is needed.

Assumptions
-----------
gamma decreases, gamma > 0.

Proof
-----
Each of the N-1-J lags is at least gamma(N-1).  Solve for J.  With y = 1 + log(1+(N-1)/ell) the
discount delta y^q is negligible against N = 1 + ell (e^{y-1} - 1).

Kind
----
tight: equality for J = N - 2.

Source
------
Own derivation.

Example
-------
>>> value, bound = LEMMA.sample({"regime": 2, "ell": 8.0, "shape": 1.0, "J": 4, "N": 64})
>>> bool(value < bound)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, limit, nonnegative, smt, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, LOGARITHMIC, POLYNOMIAL, RANGES, kernel
from proofs_check.lemmas._steps import kernels_decrease
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J, N, ell, h, power

delta = sympy.Symbol("delta", positive=True)
"""Tolerated tail."""
GAMMA_LAST = sympy.Symbol("gamma_last", positive=True)
"""gamma(N-1)."""
FLOOR = (N - 1 - J) * GAMMA_LAST
NEEDED = N - 1 - delta / GAMMA_LAST


def steps(lags: sympy.Expr = N - 1 - J) -> list[Step]:
    """The proof, for a claimed number of lags."""
    i, n = (sympy.Symbol(name, integer=True, positive=True) for name in "in")
    term = sympy.IndexedBase("g", nonnegative=True)
    last, excess = sympy.symbols("g e", nonnegative=True)
    y, e = sympy.symbols("y e_p", positive=True)
    x = sympy.Symbol("x", positive=True)
    return [
        kernels_decrease(),
        Step(
            "Every lag of the tail is at least the last one, and there are n = N-1-J of them.",
            r"T_N(J)-n\gamma(N-1) = \sum_{k=J+1}^{N-1}(\gamma(k)-\gamma(N-1))\ge0",
            all_of(
                sum_nonnegative(
                    sympy.Sum(term[i], (i, 1, n)) - sympy.Sum(last, (i, 1, n)),
                    term[i] - last,
                    (i, 1, n),
                    {term[i]: last + excess},
                ),
                identity((N - 1) - (J + 1) + 1, lags, automatic=True),
            ),
        ),
        Step(
            "Solved for the bandwidth.",
            r"(N-1-J)\gamma(N-1)\le\delta\ \Rightarrow\ J\ge N-1-\frac\delta{\gamma(N-1)}",
            nonnegative(x - (x + y - delta / GAMMA_LAST), {delta: GAMMA_LAST * (y + excess)}),
            smt(
                x >= y - delta / GAMMA_LAST,
                [(y - x) * GAMMA_LAST <= delta],
            ),
        ),
        Step(
            "Logarithmic regime: y = 1 + log(1+(N-1)/ell), N = 1 + ell (e^{y-1} - 1).",
            r"\frac{\delta y^q}{1+\ell(e^{y-1}-1)}\to0",
            all_of(
                identity(
                    LOGARITHMIC.subs(h, ell * (sympy.exp(y - 1) - 1)) * y**power,
                    1,
                    automatic=True,
                ),
                limit(y**power * sympy.exp(-y), y, sympy.oo, 0),
                limit(
                    sympy.exp(y) / (1 + ell * (sympy.exp(y - 1) - 1)), y, sympy.oo, sympy.E / ell
                ),
            ),
        ),
        Step(
            "Polynomial regime, p = 1/(1+e) < 1, with N - 1 = ell x.",
            r"\frac{\delta(1+x)^p}{1+\ell x}\to0\ (p<1),\qquad\to\delta/\ell\ (p=1)",
            all_of(
                identity(POLYNOMIAL.subs(h, ell * x) * (1 + x) ** power, 1, automatic=True),
                limit((1 + x) ** (-e / (1 + e)), x, sympy.oo, 0),
                limit((1 + x) / (1 + ell * x), x, sympy.oo, 1 / ell),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """1/T_N(J), the tail term by term."""
    with mpmath.workdps(DIGITS):
        lags = range(parameters["J"] + 1, parameters["N"])
        return 1 / mpmath.fsum(kernel(parameters, k) for k in lags)


def derive(parameters: Parameters) -> Parameters:
    """gamma(N-1)."""
    with mpmath.workdps(DIGITS):
        return {**parameters, "gamma_last": kernel(parameters, parameters["N"] - 1)}


_WITNESS = {"regime": 2, "ell": 8.0, "shape": 1.0, "J": 62, "N": 64}

LEMMA = Lemma(
    name="truncation_floor",
    doc=__doc__,
    claim=r"T_N(J)\ge(N-1-J)\gamma(N-1)",
    kind="tight",
    assumptions=(r"$\gamma$ positive and decreasing", r"$0\le J<N-1$"),
    steps=steps(),
    bound=1 / FLOOR,
    measure=measure,
    derive=derive,
    parameters={**RANGES, "J": Range(0, 40, integer=True), "N": Range(42, 90, integer=True)},
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "one lag more",
            steps=partial(steps, lags=N - J),
            bound=1 / (FLOOR + GAMMA_LAST),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "assumption of decrease dropped: p = -1",
            counterexample={**_WITNESS, "regime": 1, "shape": -1.0, "J": 4},
        ),
    ),
    also={
        "needed": NEEDED,
        "needed_logarithmic": NEEDED.subs(GAMMA_LAST, LOGARITHMIC.subs(h, N - 1)),
        "needed_polynomial": NEEDED.subs(GAMMA_LAST, POLYNOMIAL.subs(h, N - 1)),
    },
)
