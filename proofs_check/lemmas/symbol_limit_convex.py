r"""For convex kernels the smallest eigenvalue is within 1/N of f(pi).

Statement
---------
If gamma decreases to 0 and is convex (polynomial, logarithmic, exponential with nu <= 1), then for
every N

    lambda_min(Gamma_N) <= f(pi) + (1 - f(pi))/N.

Assumptions
-----------
gamma(0) = 1, gamma convex and decreasing to 0.  For nu > 1 use lemma symbol_limit.

Proof
-----
The Rayleigh quotient of (-1)^i is the mean of the partial sums S_0 .. S_{N-1} (lemma symbol_limit).
S_n - f(pi) = (-1)^n r_n with r_n = 2 (gamma(n+1) - gamma(n+2) + ...) >= 0, and r_n - r_{n+1} is the
alternating series of the differences gamma(n+j) - gamma(n+j+1), which decrease by convexity: r_n
decreases.  So sum_{n<N} (-1)^n r_n lies between 0 and r_0 = 1 - f(pi).

Kind
----
tight: attained at N = 1.

Source
------
Own derivation; alternating series: W. Rudin, Principles of Mathematical Analysis, Theorem 3.43.

Example
-------
>>> drawn = {"regime": 2, "ell": 8.0, "shape": 1.0, "N": 1}
>>> value, bound = LEMMA.sample(drawn)
>>> float(value), float(bound)
(1.0, 1.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, positive, smt
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import (
    DIGITS,
    EXPONENTIAL,
    LOGARITHMIC,
    POLYNOMIAL,
    eigenvalues,
    gram,
    symbol_at_pi,
)
from proofs_check.lemmas._steps import LOG_SLACK, alternating_between
from proofs_check.lemmas._uses import uses
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import N, h, nu

SYMBOL = sympy.Symbol("f_pi", nonnegative=True)
"""f(pi)."""
BOUND = SYMBOL + (1 - SYMBOL) / N


def steps(largest: sympy.Expr | None = None, start: int = 1) -> list[Step]:
    """The proof; `largest` claims the range of nu, `start` the value of S_0."""
    lag = sympy.Symbol("h", positive=True)
    excess = sympy.Symbol("e", nonnegative=True)
    exponent = 1 / (1 + excess) if largest is None else largest
    total, remainder, term = sympy.symbols("f r g", nonnegative=True)
    u, v, w = sympy.symbols("u v w", nonnegative=True)
    n = sympy.Symbol("n", integer=True, nonnegative=True)
    return [
        Step(
            "The kernels are convex: second derivatives; nu = 1/(1+e) is at most 1.",
            r"\gamma''(h)\ge0",
            all_of(
                positive(
                    sympy.simplify(
                        (sympy.diff(EXPONENTIAL, h, 2) / EXPONENTIAL).subs({nu: exponent, h: lag})
                    )
                ),
                positive(sympy.diff(POLYNOMIAL, h, 2)),
                positive(sympy.diff(LOGARITHMIC, h, 2), LOG_SLACK),
            ),
        ),
        Step(
            "The smallest eigenvalue is at most the mean of the partial sums.",
            r"\lambda_{\min}(\Gamma_N)\le\frac1N\sum_{n<N}S_n",
            uses("symbol_limit"),
        ),
        Step(
            "With S_n = f(pi) + (-1)^n r_n: neighbours give r_n + r_{n+1} = 2 gamma(n+1).",
            r"S_n-S_{n+1} = 2(-1)^n\gamma(n+1) = (-1)^n(r_n+r_{n+1})",
            identity(
                (total + (-1) ** n * remainder)
                - (total + (-1) ** (n + 1) * (2 * term - remainder)),
                2 * (-1) ** n * term,
            ),
        ),
        Step(
            "r_n >= 0 (partial sums enclose), and r_n - r_{n+1} is an alternating series whose "
            "terms, the first differences of a convex function, decrease: it is >= 0 as well.",
            r"\bigl(\gamma(n)-\gamma(n+1)\bigr)-\bigl(\gamma(n+1)-\gamma(n+2)\bigr)\ge0",
            all_of(
                uses("alternating_enclosure"),
                # gamma(n+1) = term is at most the mean of its neighbours term + v, term - u
                nonnegative((term + v - term) - (term - (term - u)), {v: u + w}),
            ),
            smt((v - term) - (term - u) >= 0, [2 * term <= u + v]),
        ),
        alternating_between(),
        Step(
            "The first remainder is 1 - f(pi).",
            r"r_0 = S_0-f(\pi) = 1-f(\pi)",
            identity((total + (start - total) / N).subs(total, SYMBOL), BOUND, automatic=True),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """lambda_min of the N x N matrix."""
    with mpmath.workdps(DIGITS):
        return eigenvalues(gram(parameters, parameters["N"]))[0]


def derive(parameters: Parameters) -> Parameters:
    """f(pi)."""
    with mpmath.workdps(DIGITS):
        return {"N": parameters["N"], "f_pi": symbol_at_pi(parameters)}


_WITNESS = {"regime": 1, "ell": 2.0, "shape": 0.5, "N": 1}

LEMMA = Lemma(
    name="symbol_limit_convex",
    doc=__doc__,
    claim=r"\lambda_{\min}(\Gamma_N)\le f(\pi)+\frac{1-f(\pi)}N",
    kind="tight",
    assumptions=(r"$\gamma$ decreases to $0$ and is convex", r"$\gamma(0)=1$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "regime": Range(0, 2, integer=True),
        "ell": Range(0.3, 16.0),
        "shape": Range(0.2, 1.0),
        "N": Range(1, 10, integer=True),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant("convexity for every nu", steps=partial(steps, largest=nu)),
        WrongVariant("S_0 = 2", steps=partial(steps, start=2)),
        WrongVariant(
            "rate 1/N^3",
            bound=SYMBOL + (1 - SYMBOL) / N**3,
            counterexample={"regime": 0, "ell": 0.5, "shape": 1.0, "N": 2},
        ),
        WrongVariant(
            "f(pi) itself: the limit is not attained",
            bound=SYMBOL,
            counterexample={"regime": 0, "ell": 1.0, "shape": 1.0, "N": 6},
        ),
    ),
    also={"upper": BOUND},
)
