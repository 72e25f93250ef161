r"""For nu >= 1 the exponential tail has an elementary bound, and a bandwidth in closed form.

Statement
---------
For gamma(h) = exp(-(h/ell)^nu), nu >= 1, 1 <= J < N,

    T_N(J) <= (ell/nu) (J/ell)^{1-nu} exp(-(J/ell)^nu),

and every J >= ell max(1, log(ell/(nu delta)))^{1/nu} has T_N(J) <= delta.

Assumptions
-----------
nu >= 1, J >= 1; for the bandwidth J >= ell.

Proof
-----
For x >= J the factor (x/J)^{nu-1} is at least 1, and with it the integrand is an exact derivative:
(x/ell)^{nu-1} gamma(x) = -(ell/nu) gamma'(x).  For J >= ell the power is at most 1, and the
exponential equals nu delta/ell at the stated J.

Kind
----
tight: in the limit of a long length scale (nu = 1).

Source
------
NIST Digital Library of Mathematical Functions, 8.10.1 (the bound of the incomplete gamma function).

Example
-------
>>> value, bound = LEMMA.sample({"ell": 4.0, "nu": 2.0, "J": 4, "N": 64})
>>> bool(value < bound), round(float(bound), 6)
(True, 0.735759)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, limit, monotone, nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, EXPONENTIAL, grid
from proofs_check.lemmas._steps import decreases, sum_below_integral
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J, ell, h, nu

delta = sympy.Symbol("delta", positive=True)
"""Tolerated tail."""
TAIL = ell / nu * (J / ell) ** (1 - nu) * sympy.exp(-((J / ell) ** nu))
BANDWIDTH = ell * sympy.Max(1, sympy.log(ell / (nu * delta))) ** (1 / nu)


def steps(power: sympy.Expr = 1 - nu, front: sympy.Expr = ell / nu) -> list[Step]:
    """The proof, for a claimed power of J/ell and a claimed factor."""
    x, band = sympy.symbols("x J", positive=True)
    u, e, level = sympy.symbols("u e y", nonnegative=True)
    gamma = EXPONENTIAL.subs(h, x)
    weighted = (x / band) ** (nu - 1)
    primitive = front * (band / ell) ** power * gamma
    at_band = ell * level ** (1 / nu)
    return [
        Step("The kernel decreases.", r"\gamma'(h)\le0", decreases("exponential")),
        sum_below_integral(),
        Step(
            "Beyond J the weight is at least 1: it increases (nu = 1 + e), and is 1 at J.",
            r"(x/J)^{\nu-1}\ge1\quad(x\ge J)",
            all_of(
                identity(weighted.subs(x, band), 1, automatic=True),
                nonnegative(sympy.diff((x / band) ** e, x)),
            ),
        ),
        Step(
            "With the weight the integrand is an exact derivative.",
            r"(x/J)^{\nu-1}\gamma(x) = "
            r"-\frac d{dx}\Bigl[\frac\ell\nu\Bigl(\frac J\ell\Bigr)^{1-\nu}\gamma(x)\Bigr]",
            identity(-sympy.diff(primitive, x) / (weighted * gamma), 1),
        ),
        Step(
            "At infinity it vanishes, so the integral from J is its value there.",
            r"\int_J^\infty(x/J)^{\nu-1}\gamma = \tfrac\ell\nu(J/\ell)^{1-\nu}\gamma(J)",
            all_of(
                limit(sympy.exp(-level), level, sympy.oo, 0),
                identity(primitive.subs(x, band), TAIL.subs(J, band), automatic=True),
            ),
        ),
        Step(
            "For J = ell (1+u) the power is at most 1.",
            r"(1+u)^{1-\nu}\le1",
            all_of(
                monotone((1 + u) ** -e, u, "decreasing"),
                identity(((1 + u) ** -e).subs(u, 0), 1, automatic=True),
            ),
        ),
        Step(
            "With J = ell y^{1/nu} and y >= log(ell/(nu delta)) the rest is at most delta.",
            r"\frac\ell\nu e^{-y}\le\delta\ \Leftarrow\ y\ge\log\frac\ell{\nu\delta}",
            all_of(
                identity((at_band / ell) ** nu, level, automatic=True),
                identity(front * sympy.exp(-sympy.log(ell / (nu * delta))), delta, automatic=True),
                monotone(front * sympy.exp(-level), level, "decreasing"),
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


_WITNESS = {"ell": 200.0, "nu": 1.0, "J": 10, "N": 4000}

LEMMA = Lemma(
    name="tail_exponential_fast",
    doc=__doc__,
    claim=r"T_N(J)\le\frac\ell\nu\Bigl(\frac J\ell\Bigr)^{1-\nu}e^{-(J/\ell)^\nu}",
    kind="tight",
    assumptions=(r"$\nu\ge1$", r"$1\le J<N$"),
    steps=steps(),
    bound=TAIL,
    measure=measure,
    derive=grid,
    parameters={
        "ell": Range(0.5, 20.0),
        "nu": Range(1.0, 2.0),
        "J": Range(1, 40, integer=True),
        "N": Range(42, 120, integer=True),
    },
    witness=_WITNESS,
    witness_gap=1e-2,
    wrong_variants=(
        WrongVariant(
            "without the power of J/ell",
            steps=partial(steps, power=sympy.Integer(0)),
            bound=ell / nu * sympy.exp(-((J / ell) ** nu)),
            counterexample={"ell": 40.0, "nu": 2.0, "J": 2, "N": 400},
        ),
        WrongVariant("ell/(2 nu)", steps=partial(steps, front=ell / (2 * nu))),
        WrongVariant(
            "assumption nu >= 1 dropped: nu = 1/2",
            counterexample={"ell": 8.0, "nu": 0.5, "J": 1, "N": 2000},
        ),
    ),
    also={"bandwidth": BANDWIDTH},
)
