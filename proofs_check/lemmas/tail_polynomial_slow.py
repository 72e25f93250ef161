r"""For p < 1 the polynomial tail grows like N^{1-p}: the bound is the integral from J to N-1.

Statement
---------
For gamma(h) = (1 + h/ell)^{-p}, 0 < p < 1, 0 <= J < N,

    T_N(J) <= ell/(1-p) [(1+(N-1)/ell)^{1-p} - (1+J/ell)^{1-p}],

and every J with (1+J/ell)^{1-p} >= (1+(N-1)/ell)^{1-p} - (1-p) delta/ell has T_N(J) <= delta.

Assumptions
-----------
0 < p < 1, 0 <= J < N.

Proof
-----
The kernel decreases, so the sum is below the integral, which has an elementary antiderivative.
Solve for J.

Kind
----
tight: in the limit of a long length scale.

Source
------
Elementary; the integral test.

Example
-------
>>> value, bound = LEMMA.sample({"ell": 8.0, "power": 0.5, "J": 24, "N": 65})
>>> bool(value < bound), float(bound)
(True, 16.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, monotone
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, POLYNOMIAL, grid
from proofs_check.lemmas._steps import decreases, primitive, sum_below_integral
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J, N, ell, h, power

delta = sympy.Symbol("delta", positive=True)
"""Tolerated tail."""


def mass(lag: sympy.Expr) -> sympy.Expr:
    """The integral of gamma from 0 to `lag`, plus a constant."""
    return ell / (1 - power) * (1 + lag / ell) ** (1 - power)


TAIL = mass(N - 1) - mass(J)
BANDWIDTH = ell * (
    ((1 + (N - 1) / ell) ** (1 - power) - (1 - power) * delta / ell) ** (1 / (1 - power)) - 1
)


def steps(front: sympy.Expr = 1 / (1 - power), shift: sympy.Expr = 1 - power) -> list[Step]:
    """The proof, for a claimed factor of the integral and a claimed one of delta/ell."""
    x, start, stop, level = sympy.symbols("x a z y", positive=True)
    e = sympy.Symbol("e", positive=True)  # p = 1/(1+e)
    slow = {power: 1 / (1 + e)}

    def claimed(lag: sympy.Expr) -> sympy.Expr:
        return (ell * front * (1 + lag / ell) ** (1 - power)).subs(slow)

    return [
        Step("The kernel decreases.", r"\gamma'(h)\le0", decreases("polynomial")),
        sum_below_integral(),
        Step(
            "The antiderivative, p = 1/(1+e).",
            r"\int_J^{N-1}(1+x/\ell)^{-p}dx = "
            r"\frac\ell{1-p}\Bigl[(1+\tfrac{N-1}\ell)^{1-p}-(1+\tfrac J\ell)^{1-p}\Bigr]",
            primitive(
                POLYNOMIAL.subs(h, x).subs(slow),
                (x, start, stop),
                claimed(stop) - claimed(start),
                claimed(x),
            ),
        ),
        Step(
            "With (1+J/ell)^{1-p} = y the bound is linear in y; at the stated y it is delta.",
            r"\frac\ell{1-p}\Bigl[Y-\bigl(Y-\tfrac{(1-p)\delta}\ell\bigr)\Bigr] = \delta",
            all_of(
                identity(
                    ell / (1 - power) * (level - (level - shift * delta / ell)),
                    delta,
                    automatic=True,
                ),
                monotone(-mass(x).subs(slow), x, "decreasing"),
            ),
        ),
        Step(
            "Solved for J.",
            r"J = \ell\bigl(y^{1/(1-p)}-1\bigr)\ \Rightarrow\ (1+J/\ell)^{1-p} = y",
            identity(
                ((1 + ell * (level ** (1 / (1 - power)) - 1) / ell) ** (1 - power)).subs(slow),
                level,
                automatic=True,
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The tail, term by term."""
    parameters = grid(parameters)
    with mpmath.workdps(DIGITS):
        scale, p = mpmath.mpf(parameters["ell"]), mpmath.mpf(parameters["power"])
        lags = range(parameters["J"] + 1, parameters["N"])
        return mpmath.fsum((1 + k / scale) ** -p for k in lags)


_WITNESS = {"ell": 10000.0, "power": 0.5, "J": 10, "N": 200}

LEMMA = Lemma(
    name="tail_polynomial_slow",
    doc=__doc__,
    claim=r"T_N(J)\le\frac\ell{1-p}\Bigl[(1+\tfrac{N-1}\ell)^{1-p}-(1+\tfrac J\ell)^{1-p}\Bigr]",
    kind="tight",
    assumptions=(r"$\gamma(h)=(1+h/\ell)^{-p}$, $0<p<1$", r"$0\le J<N$"),
    steps=steps(),
    bound=TAIL,
    measure=measure,
    derive=grid,
    parameters={
        "ell": Range(0.5, 20.0),
        "power": Range(0.1, 0.93),
        "J": Range(0, 60, integer=True),
        "N": Range(62, 200, integer=True),
    },
    witness=_WITNESS,
    witness_gap=1e-3,
    wrong_variants=(
        WrongVariant(
            "without the factor 1/(1-p)",
            steps=partial(steps, front=sympy.Integer(1)),
            bound=(1 - power) * TAIL,
            counterexample=_WITNESS,
        ),
        WrongVariant("delta/ell without 1-p", steps=partial(steps, shift=sympy.Integer(1))),
        WrongVariant(
            "last lag N-2",
            bound=TAIL.subs(N, N - 1),
            counterexample={"ell": 8.0, "power": 0.5, "J": 197, "N": 200},
        ),
        WrongVariant(
            "assumption p > 0 dropped: p = -1",
            counterexample={"ell": 8.0, "power": -1.0, "J": 8, "N": 100},
        ),
    ),
    also={"bandwidth": BANDWIDTH},
)
