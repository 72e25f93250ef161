r"""The tail of a decreasing kernel is at most the number of its lags times the first of them.

Statement
---------
For decreasing gamma and 0 <= J < N,

    T_N(J) <= (N-1-J) gamma(J+1).

Near the end of the sequence it beats every integral.

Assumptions
-----------
gamma decreases.

Proof
-----
Each of the N-1-J lags is at most the first.

Kind
----
tight: equality for J = N - 2.

Source
------
Elementary.

Example
-------
>>> drawn = {"regime": 1, "ell": 8.0, "shape": 1.0, "J": 3, "N": 5}
>>> value, bound = LEMMA.sample(drawn)
>>> bool(abs(value - bound) < 1e-15)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, RANGES, kernel
from proofs_check.lemmas._steps import kernels_decrease
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J, N

GAMMA_FIRST = sympy.Symbol("gamma_first", positive=True)
"""gamma(J+1), the first lag dropped."""
TAIL = (N - 1 - J) * GAMMA_FIRST


def steps(lags: sympy.Expr = N - 1 - J) -> list[Step]:
    """The proof, for a claimed number of lags."""
    i, n = (sympy.Symbol(name, integer=True, positive=True) for name in "in")
    term = sympy.IndexedBase("g", nonnegative=True)
    first, value, excess = sympy.symbols("g_1 g e", nonnegative=True)
    return [
        kernels_decrease(),
        Step(
            "Every lag of the tail is at most the first, and there are n = N-1-J of them.",
            r"n\gamma(J+1)-T_N(J) = \sum_{k=J+1}^{N-1}(\gamma(J+1)-\gamma(k))\ge0",
            all_of(
                sum_nonnegative(
                    sympy.Sum(first, (i, 1, n)) - sympy.Sum(term[i], (i, 1, n)),
                    first - term[i],
                    (i, 1, n),
                    {first: value + excess, term[i]: value},
                ),
                identity((N - 1) - (J + 1) + 1, lags, automatic=True),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The tail, term by term."""
    with mpmath.workdps(DIGITS):
        lags = range(parameters["J"] + 1, parameters["N"])
        return mpmath.fsum(kernel(parameters, k) for k in lags)


def derive(parameters: Parameters) -> Parameters:
    """gamma(J+1)."""
    with mpmath.workdps(DIGITS):
        return {**parameters, "gamma_first": kernel(parameters, parameters["J"] + 1)}


_WITNESS = {"regime": 2, "ell": 8.0, "shape": 1.0, "J": 62, "N": 64}

LEMMA = Lemma(
    name="tail_count",
    doc=__doc__,
    claim=r"T_N(J)\le(N-1-J)\,\gamma(J+1)",
    kind="tight",
    assumptions=(r"$\gamma$ decreases", r"$0\le J<N$"),
    steps=steps(),
    bound=TAIL,
    measure=measure,
    derive=derive,
    parameters={**RANGES, "J": Range(0, 40, integer=True), "N": Range(41, 90, integer=True)},
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "one lag less",
            steps=partial(steps, lags=N - 2 - J),
            bound=TAIL - GAMMA_FIRST,
            counterexample={**_WITNESS, "J": 60},
        ),
        WrongVariant(
            "assumption of decrease dropped: p = -1",
            counterexample={**_WITNESS, "regime": 1, "shape": -1.0, "J": 4},
        ),
    ),
)
