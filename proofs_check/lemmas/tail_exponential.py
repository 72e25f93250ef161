r"""The tail of the exponential kernel is below an incomplete gamma function, for every nu.

Statement
---------
For gamma(h) = exp(-(h/ell)^nu), nu > 0, 0 <= J < N,

    T_N(J) <= (ell/nu) [Gamma(1/nu, (J/ell)^nu) - Gamma(1/nu, ((N-1)/ell)^nu)]
           <= (ell/nu) Gamma(1/nu, (J/ell)^nu).

Assumptions
-----------
ell, nu > 0, 0 <= J < N.

Proof
-----
The kernel decreases, so the sum is below the integral from J to N-1.  -(ell/nu) Gamma(1/nu,
(x/ell)^nu) has the derivative gamma(x), by Gamma(a, z)' = -z^{a-1} e^{-z}; Gamma(a, z) >= 0.

Kind
----
tight: in the limit of a long length scale, where the sum becomes the integral.

Source
------
NIST Digital Library of Mathematical Functions, 8.2.2 and 8.8.13 (derivative).

Example
-------
>>> value, bound = LEMMA.sample({"ell": 4.0, "nu": 2.0, "J": 4, "N": 64})
>>> bool(value < bound), round(float(bound), 6)
(True, 0.557611)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, EXPONENTIAL, grid
from proofs_check.lemmas._steps import decreases, sum_below_integral
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J, N, ell, h, nu

FRONT = ell / nu


def upper(lag: sympy.Expr, front: sympy.Expr = FRONT) -> sympy.Expr:
    """The integral of gamma from `lag` to infinity."""
    return front * sympy.uppergamma(1 / nu, (lag / ell) ** nu)


TAIL = upper(J)


def steps(front: sympy.Expr = FRONT) -> list[Step]:
    """The proof, for a claimed factor in front of the incomplete gamma function."""
    lag = sympy.Symbol("x", positive=True)
    start, stop = sympy.symbols("G_J G_N", nonnegative=True)
    return [
        Step(
            "The kernel decreases.",
            r"\gamma'(h)\le0",
            decreases("exponential"),
        ),
        sum_below_integral(),
        Step(
            "An antiderivative, by the derivative of the incomplete gamma function.",
            r"-\frac d{dx}\frac\ell\nu\Gamma\Bigl(\frac1\nu,\bigl(\tfrac x\ell\bigr)^\nu\Bigr)"
            r" = e^{-(x/\ell)^\nu}",
            identity(-sympy.diff(upper(lag, front), lag) / EXPONENTIAL.subs(h, lag), 1),
        ),
        Step(
            "The incomplete gamma function is an integral of a positive function: what lies beyond "
            "N may be dropped.",
            r"\Gamma(a,z) = \int_z^\infty s^{a-1}e^{-s}ds\ge0",
            all_of(
                nonnegative(front * start - (front * start - front * stop)),
                nonnegative(lag ** (1 / nu - 1) * sympy.exp(-lag)),
            ),
        ),
        Step(
            "For nu = 1 it is elementary.",
            r"\nu=1:\quad\ell\,\Gamma(1,J/\ell) = \ell e^{-J/\ell}",
            identity(
                sympy.expand_func(upper(J, front).subs(nu, 1)),
                ell * sympy.exp(-J / ell),
                automatic=True,
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
    name="tail_exponential",
    doc=__doc__,
    claim=r"T_N(J)\le\frac\ell\nu\,\Gamma\Bigl(\frac1\nu,\bigl(\tfrac J\ell\bigr)^\nu\Bigr)",
    kind="tight",
    assumptions=(r"$\gamma(h)=e^{-(h/\ell)^\nu}$, $\nu>0$", r"$0\le J<N$"),
    steps=steps(),
    bound=TAIL,
    measure=measure,
    derive=grid,
    parameters={
        "ell": Range(0.5, 20.0),
        "nu": Range(0.2, 2.0),
        "J": Range(1, 40, integer=True),
        "N": Range(42, 120, integer=True),
    },
    witness=_WITNESS,
    witness_gap=1e-2,
    wrong_variants=(
        WrongVariant(
            "without the factor 1/nu",
            steps=partial(steps, front=ell),
            bound=ell / 2 * sympy.uppergamma(1 / nu, (J / ell) ** nu),
            counterexample={"ell": 8.0, "nu": 0.5, "J": 1, "N": 2000},
        ),
        WrongVariant(
            "integral from J+1",
            bound=TAIL.subs(J, J + 1),
            counterexample={"ell": 2.0, "nu": 1.0, "J": 2, "N": 64},
        ),
        WrongVariant(
            "assumption nu > 0 dropped: nu = -1",
            counterexample={"ell": 2.0, "nu": -1.0, "J": 2, "N": 64},
        ),
    ),
    also={"finite": upper(J) - upper(N - 1)},
)
