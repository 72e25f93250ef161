r"""The tail of the exponential kernel with nu = 1 is a geometric sum, exactly.

Statement
---------
For gamma(h) = e^{-h/ell} and 0 <= J < N,

    T_N(J) = sum_{J<k<N} gamma(k) = (e^{-(J+1)/ell} - e^{-N/ell}) / (1 - e^{-1/ell}),

at most e^{-(J+1)/ell}/(1 - e^{-1/ell}), its limit as N grows.  A tail of at most delta needs
J >= ell log(1/(delta (1 - e^{-1/ell}))) - 1, and that suffices.

Assumptions
-----------
ell > 0, 0 <= J < N, delta > 0.

Proof
-----
The geometric sum telescopes, with r = e^{-1/ell} = 1/(1+q); r^N -> 0.  Solve for J.

Kind
----
equality: the finite sum has a closed form.

Source
------
Elementary.

Example
-------
>>> value, bound = LEMMA.sample({"ell": 4.0, "J": 7, "N": 64})
>>> bool(abs(value - bound) < 1e-15), round(float(bound), 6)
(True, 0.611825)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, limit, positive, summation
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J, N, ell

delta = sympy.Symbol("delta", positive=True)
"""Tolerated tail."""
RATIO = sympy.exp(-1 / ell)
LIMIT = sympy.exp(-(J + 1) / ell) / (1 - RATIO)
TAIL = (sympy.exp(-(J + 1) / ell) - sympy.exp(-N / ell)) / (1 - RATIO)
BANDWIDTH = ell * sympy.log(1 / (delta * (1 - RATIO))) - 1


def steps(first: int = 1, bandwidth: sympy.Expr = BANDWIDTH) -> list[Step]:
    """The proof, for a claimed first exponent J + `first` and a claimed bandwidth."""
    q = sympy.Symbol("q", positive=True)
    i, n = (sympy.Symbol(name, integer=True, positive=True) for name in "in")
    ratio = 1 / (1 + q)
    closed = (ratio ** (J + first) - ratio ** (J + 1 + n)) / (1 - ratio)
    return [
        Step(
            "The sum of n terms telescopes, r = 1/(1+q).",
            r"\sum_{i=1}^nr^{J+i} = \frac{r^{J+1}-r^{J+1+n}}{1-r}",
            summation(ratio ** (J + i), (i, 1, n), closed),
        ),
        Step(
            "With r = e^{-1/ell} and n = N - 1 - J this is the closed form.",
            r"T_N(J) = \frac{e^{-(J+1)/\ell}-e^{-N/\ell}}{1-e^{-1/\ell}}",
            identity((RATIO ** (J + 1) - RATIO**N) / (1 - RATIO), TAIL),
        ),
        Step(
            "The part beyond N is positive and tends to 0.",
            r"0<r^N\to0",
            all_of(
                positive(ratio**n / (1 - ratio)),
                limit((1 + q) ** (-n), n, sympy.oo, 0),
            ),
        ),
        Step(
            "Solved for the bandwidth: there the limit equals delta.",
            r"J = \ell\log\frac1{\delta(1-e^{-1/\ell})}-1\ \Rightarrow\ T_\infty(J)=\delta",
            identity(LIMIT.subs(J, bandwidth) / delta, 1, automatic=True),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The tail, term by term."""
    with mpmath.workdps(DIGITS):
        scale = mpmath.mpf(parameters["ell"])
        lags = range(parameters["J"] + 1, parameters["N"])
        return mpmath.fsum(mpmath.exp(-k / scale) for k in lags)


_WITNESS = {"ell": 4.0, "J": 7, "N": 64}

LEMMA = Lemma(
    name="tail_geometric",
    doc=__doc__,
    claim=r"T_N(J) = \frac{e^{-(J+1)/\ell}-e^{-N/\ell}}{1-e^{-1/\ell}}",
    kind="equality",
    assumptions=(r"$\gamma(h)=e^{-h/\ell}$", r"$0\le J<N$"),
    steps=steps(),
    bound=TAIL,
    measure=measure,
    parameters={
        "ell": Range(0.5, 30.0),
        "J": Range(0, 40, integer=True),
        "N": Range(42, 100, integer=True),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "first lag J instead of J+1",
            steps=partial(steps, first=0),
            bound=TAIL.subs(J, J - 1),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "bandwidth ell log(1/delta)",
            steps=partial(steps, bandwidth=ell * sympy.log(1 / delta)),
        ),
        WrongVariant("all N at once", bound=LIMIT, counterexample={**_WITNESS, "N": 9}),
    ),
    also={"limit": LIMIT, "bandwidth": BANDWIDTH},
)
