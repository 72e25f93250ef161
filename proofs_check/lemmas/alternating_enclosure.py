r"""Partial sums of the symbol at pi enclose it: the error is at most the first term left out.

Statement
---------
For a kernel that decreases to 0 let S_n = 1 + 2 sum_{k<=n} (-1)^k gamma(k).  Then f(pi) lies
between S_n and S_{n+1} for every n, so

    |f(pi) - S_n| <= 2 gamma(n+1).

With the first differences a_k = gamma(k) - gamma(k+1) >= 0 it is
also f(pi) = sum_{k>=0} (-1)^k a_k.

Assumptions
-----------
gamma decreases to 0 (all three regimes); nothing about its sum: gamma need not be summable.

Proof
-----
Partial sums two apart differ by -+2 (gamma(n+1) - gamma(n+2)): even ones fall, odd ones rise,
every even one is above its successor; they converge to one limit.  Differences: telescoping.

Kind
----
tight: in the limit of a short length scale, where each term dwarfs the next.

Source
------
Leibniz' criterion: W. Rudin, Principles of Mathematical Analysis, 3rd ed., Theorem 3.43.

Example
-------
>>> value, bound = LEMMA.sample({"regime": 1, "ell": 1.0, "shape": 1.0, "n": 0})
>>> bool(abs(value - (2 - 2 * mpmath.log(2))) < 1e-15), float(bound)
(True, 1.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, nonnegative, smt, summation
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import RANGES, kernel, symbol_at_pi
from proofs_check.lemmas._steps import kernels_decrease
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import k

GAMMA_NEXT = sympy.Symbol("gamma_next", positive=True)
"""gamma(n+1), the first lag left out."""
BOUND = 2 * GAMMA_NEXT


def steps(bound: sympy.Expr = BOUND) -> list[Step]:
    """The proof, for a claimed bound."""
    n = sympy.Symbol("n", integer=True, nonnegative=True)
    second, drop = sympy.symbols("gamma_2 u", nonnegative=True)
    part, rest = sympy.symbols("theta v", nonnegative=True)
    total, below, above = sympy.symbols("f S_odd S_even", real=True)
    sums = sympy.Function("P")
    return [
        kernels_decrease(),
        Step(
            "Two steps on, the partial sum falls from an even n and rises from an odd n.",
            r"S_{n+2}-S_n = 2(-1)^{n+1}\bigl(\gamma(n+1)-\gamma(n+2)\bigr)",
            all_of(
                identity(
                    2 * (-1) ** (n + 1) * (second + drop) + 2 * (-1) ** (n + 2) * second,
                    2 * (-1) ** (n + 1) * drop,
                ),
                nonnegative(2 * (GAMMA_NEXT - second), {GAMMA_NEXT: second + drop}),
            ),
        ),
        Step(
            "Neighbours differ by one term, which tends to 0: both halves have the same limit.",
            r"S_{2m+1}\le S_{2m+3}\le\dots\le f(\pi)\le\dots\le S_{2m+2}\le S_{2m}",
            cited(
                "Rudin, Principles of Mathematical Analysis, 3rd ed., Theorem 3.43",
                "a monotone bounded sequence converges; Leibniz' criterion",
            ),
        ),
        Step(
            "A number between S_n and S_{n+1} is at most their distance from S_n.",
            r"f(\pi) = S_n+\theta(S_{n+1}-S_n),\ 0\le\theta\le1",
            nonnegative(bound - part * 2 * GAMMA_NEXT, {part: 1 / (1 + rest)}),
            smt(
                sympy.And(above - total <= bound, total - below <= bound),
                [below <= total, total <= above, sympy.Eq(above - below, 2 * GAMMA_NEXT)],
            ),
        ),
        Step(
            "First differences telescope. P_n is the sum of (-1)^k gamma(k), k <= n; P_{-1} = 0: "
            "(-1)^k a_k = (P_k - P_{k-1}) + (P_{k+1} - P_k), and P_n + P_{n+1} - 1 tends to f(pi).",
            r"\sum_{k=0}^n(-1)^ka_k = P_n+P_{n+1}-P_0-P_{-1}",
            summation(
                (sums(k) - sums(k - 1)) + (sums(k + 1) - sums(k)),
                (k, 0, n),
                sums(n + 1) + sums(n) - (sums(0) + sums(-1)),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """|f(pi) - S_n|."""
    with mpmath.workdps(60):
        terms = ((-1) ** k * kernel(parameters, k) for k in range(1, parameters["n"] + 1))
        return abs(symbol_at_pi(parameters) - 1 - 2 * mpmath.fsum(terms))


def measure_uneven(parameters: Parameters) -> mpmath.mpf:
    """The same for terms that do not decrease: odd lags carry a factor."""
    with mpmath.workdps(60):
        terms = (
            (-1) ** lag * (parameters["factor"] if lag % 2 else 1) * kernel(parameters, lag)
            for lag in range(parameters["n"] + 1, 500)
        )
        return abs(2 * mpmath.fsum(terms))


def derive(parameters: Parameters) -> Parameters:
    """gamma(n+1)."""
    with mpmath.workdps(60):
        return {"gamma_next": kernel(parameters, parameters["n"] + 1)}


_WITNESS = {"regime": 0, "ell": 0.05, "shape": 1.0, "n": 1}

LEMMA = Lemma(
    name="alternating_enclosure",
    doc=__doc__,
    claim=r"|f(\pi)-S_n|\le2\gamma(n+1)",
    kind="tight",
    assumptions=(r"$\gamma$ decreases to $0$",),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={**RANGES, "n": Range(0, 30, integer=True)},
    witness=_WITNESS,
    witness_gap=1e-8,
    wrong_variants=(
        WrongVariant(
            "gamma(n+1) instead of twice that",
            steps=partial(steps, bound=GAMMA_NEXT),
            bound=GAMMA_NEXT,
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "assumption of decrease dropped: odd lags 20 times larger",
            measure=measure_uneven,
            counterexample={"regime": 0, "ell": 1.0, "shape": 1.0, "n": 1, "factor": 20},
        ),
    ),
    also={"error": BOUND},
)
