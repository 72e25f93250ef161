r"""For p = 1 the polynomial tail is at most ell log((ell+N-1)/(ell+J)).

Statement
---------
For gamma(h) = (1 + h/ell)^{-1}, 0 <= J < N,

    T_N(J) <= ell log((ell + N - 1)/(ell + J)),

and every J >= (ell + N - 1) e^{-delta/ell} - ell has T_N(J) <= delta: the bandwidth is a fixed
fraction of the number of frames.

Assumptions
-----------
p = 1, 0 <= J < N.

Proof
-----
The kernel decreases, so the sum is below the integral; its antiderivative is ell log(ell + x).
Solve for J.

Kind
----
tight: in the limit of a long length scale.

Source
------
Elementary; the integral test.

Example
-------
>>> value, bound = LEMMA.sample({"ell": 8.0, "J": 8, "N": 25})
>>> bool(value < bound), round(float(bound), 6)
(True, 5.545177)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, monotone
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, POLYNOMIAL
from proofs_check.lemmas._steps import decreases, primitive, sum_below_integral
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J, N, ell, h, power

delta = sympy.Symbol("delta", positive=True)
"""Tolerated tail."""
TAIL = ell * sympy.log((ell + N - 1) / (ell + J))
BANDWIDTH = (ell + N - 1) * sympy.exp(-delta / ell) - ell


def steps(front: sympy.Expr = ell, bandwidth: sympy.Expr = BANDWIDTH) -> list[Step]:
    """The proof, for a claimed factor of the logarithm and a claimed bandwidth."""
    x, start, stop = sympy.symbols("x a z", positive=True)
    gamma = POLYNOMIAL.subs({h: x, power: 1})
    return [
        Step("The kernel decreases.", r"\gamma'(h)\le0", decreases("polynomial")),
        sum_below_integral(),
        Step(
            "The antiderivative is a logarithm.",
            r"\int_J^{N-1}\frac{\ell\,dx}{\ell+x} = \ell\log\frac{\ell+N-1}{\ell+J}",
            all_of(
                primitive(
                    gamma,
                    (x, start, stop),
                    front * sympy.log(ell + stop) - front * sympy.log(ell + start),
                    front * sympy.log(ell + x),
                ),
                identity(
                    front * sympy.log((ell + stop) / (ell + start)),
                    front * sympy.log(ell + stop) - front * sympy.log(ell + start),
                ),
            ),
        ),
        Step(
            "At the stated bandwidth the bound equals delta, and it decreases in J.",
            r"\ell\log\frac{\ell+N-1}{\ell+J} = \delta",
            all_of(
                identity(
                    (ell + stop) / (ell + bandwidth.subs(N, stop + 1)),
                    sympy.exp(delta / ell),
                    automatic=True,
                ),
                identity(ell * sympy.log(sympy.exp(delta / ell)), delta, automatic=True),
                monotone(-sympy.log(ell + x), x, "decreasing"),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The tail, term by term."""
    with mpmath.workdps(DIGITS):
        scale, p = mpmath.mpf(parameters["ell"]), mpmath.mpf(parameters.get("power", 1))
        lags = range(parameters["J"] + 1, parameters["N"])
        return mpmath.fsum((1 + k / scale) ** -p for k in lags)


_WITNESS = {"ell": 10000.0, "J": 10, "N": 200}

LEMMA = Lemma(
    name="tail_polynomial_critical",
    doc=__doc__,
    claim=r"T_N(J)\le\ell\log\frac{\ell+N-1}{\ell+J}\quad(p=1)",
    kind="tight",
    assumptions=(r"$\gamma(h)=(1+h/\ell)^{-1}$", r"$0\le J<N$"),
    steps=steps(),
    bound=TAIL,
    measure=measure,
    parameters={
        "ell": Range(0.5, 20.0),
        "J": Range(0, 60, integer=True),
        "N": Range(62, 200, integer=True),
    },
    witness=_WITNESS,
    witness_gap=1e-3,
    wrong_variants=(
        WrongVariant(
            "the logarithm without its factor ell",
            steps=partial(steps, front=sympy.Integer(1)),
            bound=TAIL / ell,
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "bandwidth N e^{-delta}",
            steps=partial(steps, bandwidth=(ell + N - 1) * sympy.exp(-delta) - ell),
        ),
        WrongVariant(
            "assumption p = 1 dropped: p = 1/2",
            counterexample={"ell": 8.0, "J": 8, "N": 200, "power": 0.5},
        ),
    ),
    also={"bandwidth": BANDWIDTH},
)
