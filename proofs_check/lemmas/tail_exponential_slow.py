r"""For nu < 1 half of the exponent pays for the power in the exponential tail.

Statement
---------
For gamma(h) = exp(-(h/ell)^nu), 0 < nu < 1, b = 1/nu - 1, 0 <= J < N,

    T_N(J) <= (2 ell/nu) (2b/e)^b exp(-(J/ell)^nu / 2),

and every J >= ell (2 log(C/delta))^{1/nu}, C = (2 ell/nu) (2b/e)^b >= delta, has T_N(J) <= delta.

Assumptions
-----------
0 < nu < 1.

Proof
-----
The tail is at most (ell/nu) int_y^oo s^b e^{-s} ds, y = (J/ell)^nu (lemma tail_exponential).
s^b e^{-s/2} is largest at s = 2b, where it is (2b/e)^b: the logarithmic derivative b/s - 1/2
changes sign there.  What is left integrates to 2 e^{-y/2}.  Solve for J.

Kind
----
upper: the split in halves is convenient, not sharp.

Source
------
Own derivation.

Example
-------
>>> value, bound = LEMMA.sample({"ell": 4.0, "nu": 0.5, "J": 64, "N": 400})
>>> bool(value < bound)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, positive
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, grid
from proofs_check.lemmas._steps import primitive
from proofs_check.lemmas._uses import uses
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J, ell, nu

delta = sympy.Symbol("delta", positive=True)
"""Tolerated tail."""
b = 1 / nu - 1
CONSTANT = 2 * ell / nu * (2 * b / sympy.E) ** b
TAIL = CONSTANT * sympy.exp(-((J / ell) ** nu) / 2)
BANDWIDTH = ell * (2 * sympy.log(CONSTANT / delta)) ** (1 / nu)


def steps(largest: sympy.Expr | None = None, doubled: int = 2) -> list[Step]:
    """The proof, for a claimed maximum of s^b e^{-s/2} and a claimed left-over integral."""
    s, y, c, constant = sympy.symbols("s y b C", positive=True)
    end = sympy.Symbol("z", positive=True)
    u = sympy.Symbol("u", nonnegative=True)
    top = (2 * c / sympy.E) ** c if largest is None else largest.subs(nu, 1 / (1 + c))
    log_slope = sympy.diff(c * sympy.log(s) - s / 2, s)
    band = ell * (2 * sympy.log(constant / delta)) ** (1 / nu)
    return [
        Step(
            "The tail is below an incomplete gamma function, s = (x/ell)^nu.",
            r"T_N(J)\le\frac\ell\nu\int_y^\infty s^{1/\nu-1}e^{-s}ds,\quad y=(J/\ell)^\nu",
            uses("tail_exponential"),
        ),
        Step(
            "s^b e^{-s/2} rises up to s = 2b and falls from there.",
            r"(b\log s-s/2)' = b/s-\tfrac12",
            all_of(
                nonnegative(log_slope.subs(s, 2 * c / (1 + u))),
                nonnegative(-log_slope.subs(s, 2 * c * (1 + u))),
            ),
        ),
        Step(
            "Its largest value.",
            r"s^be^{-s/2}\Big|_{s=2b} = (2b/e)^b",
            identity((s**c * sympy.exp(-s / 2)).subs(s, 2 * c), top),
        ),
        Step(
            "The other half of the exponent, up to any z; the rest is positive.",
            r"\int_y^ze^{-s/2}ds = 2e^{-y/2}-2e^{-z/2}\le2e^{-y/2}",
            all_of(
                primitive(
                    sympy.exp(-s / 2),
                    (s, y, end),
                    doubled * (sympy.exp(-y / 2) - sympy.exp(-end / 2)),
                    -2 * sympy.exp(-s / 2),
                ),
                positive(sympy.exp(-end / 2)),
            ),
        ),
        Step(
            "Together the constant.",
            r"C = \frac{2\ell}\nu\Bigl(\frac{2b}e\Bigr)^b,\quad b=\frac1\nu-1",
            identity((ell / nu * doubled * top).subs(c, b) / CONSTANT, 1, automatic=True),
        ),
        Step(
            "At the stated bandwidth the bound equals delta.",
            r"J = \ell\bigl(2\log\tfrac C\delta\bigr)^{1/\nu}:\quad Ce^{-(J/\ell)^\nu/2}=\delta",
            all_of(
                identity((ell * y ** (1 / nu) / ell) ** nu, y, automatic=True),
                identity(
                    constant * sympy.exp(-(2 * sympy.log(constant / delta)) / 2),
                    delta,
                    automatic=True,
                ),
                identity(band.subs(constant, CONSTANT), BANDWIDTH, automatic=True),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The tail, term by term."""
    parameters = grid(parameters)
    with mpmath.workdps(DIGITS):
        scale, exponent = mpmath.mpf(parameters["ell"]), mpmath.mpf(parameters["nu"])
        lags = range(parameters["J"] + 1, parameters["N"])
        return mpmath.fsum(mpmath.exp(-((k / scale) ** exponent)) for k in lags)


LEMMA = Lemma(
    name="tail_exponential_slow",
    doc=__doc__,
    claim=r"T_N(J)\le\frac{2\ell}\nu\Bigl(\frac{2b}e\Bigr)^be^{-(J/\ell)^\nu/2},\ b=\tfrac1\nu-1",
    kind="upper",
    assumptions=(r"$0<\nu<1$", r"$0\le J<N$"),
    steps=steps(),
    bound=TAIL,
    measure=measure,
    derive=grid,
    parameters={
        "ell": Range(0.5, 20.0),
        "nu": Range(0.2, 0.93),
        "J": Range(0, 200, integer=True),
        "N": Range(202, 300, integer=True),
    },
    wrong_variants=(
        WrongVariant(
            "without the maximum of s^b e^{-s/2}",
            steps=partial(steps, largest=sympy.Integer(1)),
            bound=2 * ell / nu * sympy.exp(-((J / ell) ** nu) / 2),
            counterexample={"ell": 0.125, "nu": 0.25, "J": 1, "N": 6000},
        ),
        WrongVariant("half the integral", steps=partial(steps, doubled=1)),
        WrongVariant(
            "the whole exponent",
            bound=CONSTANT * sympy.exp(-((J / ell) ** nu)),
            counterexample={"ell": 0.125, "nu": 0.25, "J": 3000, "N": 9000},
        ),
    ),
    also={"constant": CONSTANT, "bandwidth": BANDWIDTH},
)
