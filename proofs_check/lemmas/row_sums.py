r"""Row sums of the temporal covariance from one cumulative sum; the middle row has the largest.

Statement
---------
With P_n = sum_{k<=n} gamma(k), the rows i = 0 .. N-1 of Gamma_N have the sums

    D_i = P_i + P_{N-1-i} - gamma(0).

For decreasing gamma, D_i increases up to the middle row, and max_i D_i <= 2 P_M - gamma(0) with
M the whole part of N/2: a normaliser Z above 1 + 2 sum_{k<=N/2} gamma(k) serves every query.

Assumptions
-----------
gamma decreasing and >= 0 for the maximum; nothing for the formula.

Proof
-----
Lags 0 .. i lie on one side, lags 0 .. N-1-i on the other, the lag 0 counted twice.  D_{i+1} - D_i =
gamma(i+1) - gamma(N-1-i) >= 0 as long as i + 1 <= N-1-i.

Kind
----
equality: a closed form.

Source
------
Own derivation.

Example
-------
>>> value, bound = LEMMA.sample({"regime": 0, "ell": 2.0, "shape": 1.0, "N": 5, "row": 0.5})
>>> bool(abs(value - bound) < 1e-15)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, smt, summation
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, RANGES, kernel
from proofs_check.lemmas._steps import kernels_decrease
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import N

BEFORE, AFTER, CENTRE = sympy.symbols("before after centre", nonnegative=True)
"""P_i, P_{N-1-i} and gamma(0)."""
ROW = BEFORE + AFTER - CENTRE


def steps(centres: int = 1) -> list[Step]:
    """The proof, for a claimed number of times that gamma(0) is counted too often."""
    i, j = (sympy.Symbol(name, integer=True, nonnegative=True) for name in "ij")
    n = sympy.Symbol("n", integer=True, nonnegative=True)
    sums = sympy.Function("P")
    value, excess = sympy.symbols("g e", nonnegative=True)
    middle, extra = sympy.symbols("M w", nonnegative=True)

    def row(index: sympy.Expr) -> sympy.Expr:
        return sums(index) + sums(N - 1 - index) - centres * CENTRE

    return [
        Step(
            "Keys before the query and itself: lags i .. 0; keys behind: lags 1 .. N-1-i.",
            r"D_i = \sum_{k=0}^i\gamma(k)+\sum_{k=1}^{N-1-i}\gamma(k)",
            all_of(
                summation(sums(j) - sums(j - 1), (j, 0, n), sums(n) - sums(-1)),
                summation(sums(j + 1) - sums(j), (j, 0, n), sums(n + 1) - sums(0)),
            ),
        ),
        Step(
            "The second sum lacks lag 0: P_{N-1-i} - gamma(0).",
            r"D_i = P_i+P_{N-1-i}-\gamma(0)",
            identity(
                row(i).subs(CENTRE, value), sums(i) + (sums(N - 1 - i) - value), automatic=True
            ),
        ),
        kernels_decrease(),
        Step(
            "Moving one row on trades the lag N-1-i for the lag i+1, which is shorter before the "
            "middle.",
            r"D_{i+1}-D_i = \gamma(i+1)-\gamma(N-1-i)\ge0\quad(i+1\le N-1-i)",
            all_of(
                identity(
                    row(i + 1) - row(i),
                    (sums(i + 1) - sums(i)) - (sums(N - 1 - i) - sums(N - 2 - i)),
                    automatic=True,
                ),
                nonnegative((value + excess) - value),
            ),
        ),
        Step(
            "In the middle both sides have at most M = N/2 lags: i = M, N - 1 - i <= M.",
            r"\max_iD_i\le2P_M-\gamma(0) = 1+2\sum_{k=1}^M\gamma(k)",
            all_of(
                nonnegative((2 * BEFORE - CENTRE) - ROW, {BEFORE: AFTER + extra}),
                identity(2 * (CENTRE + value) - CENTRE, CENTRE + 2 * value, automatic=True),
                nonnegative(middle - ((2 * middle + 1 - 1 / (1 + extra)) - 1 - middle)),
            ),
            smt(2 * BEFORE - CENTRE >= ROW, [AFTER <= BEFORE]),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The sum of one row, entry by entry."""
    with mpmath.workdps(DIGITS):
        size = parameters["N"]
        row = int(parameters["row"] * (size - 1))
        return mpmath.fsum(kernel(parameters, row - j) for j in range(size))


def derive(parameters: Parameters) -> Parameters:
    """The two cumulative sums and gamma(0)."""
    with mpmath.workdps(DIGITS):
        size = parameters["N"]
        row = int(parameters["row"] * (size - 1))
        return {
            "before": mpmath.fsum(kernel(parameters, k) for k in range(row + 1)),
            "after": mpmath.fsum(kernel(parameters, k) for k in range(size - row)),
            "centre": kernel(parameters, 0),
        }


_WITNESS = {"regime": 2, "ell": 8.0, "shape": 1.0, "N": 9, "row": 0.25}

LEMMA = Lemma(
    name="row_sums",
    doc=__doc__,
    claim=r"D_i = P_i+P_{N-1-i}-\gamma(0),\qquad\max_iD_i\le1+2\sum_{k\le N/2}\gamma(k)",
    kind="equality",
    assumptions=(r"$\gamma$ decreasing and $\ge0$ (for the maximum)",),
    steps=steps(),
    bound=ROW,
    measure=measure,
    derive=derive,
    parameters={**RANGES, "N": Range(1, 30, integer=True), "row": Range(0.0, 1.0)},
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "gamma(0) counted twice",
            steps=partial(steps, centres=0),
            bound=BEFORE + AFTER,
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "every row like the first",
            bound=AFTER,
            counterexample=_WITNESS,
        ),
    ),
    also={"row": ROW},
)
