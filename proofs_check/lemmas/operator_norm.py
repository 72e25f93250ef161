r"""The spectral norm is at most the root of largest row sum times largest column sum.

Statement
---------
|E|_2 <= (max_i sum_j |E_ij| max_j sum_i |E_ij|)^{1/2}; for a symmetric E at most its largest
absolute row sum; for a symmetric Toeplitz E with entries e_|i-j| at most

    |e_0| + 2 sum_{k=1}^{N-1} |e_k|.

Assumptions
-----------
Real matrices; Toeplitz and symmetric for the last bound.

Proof
-----
Weighted Cauchy-Schwarz row by row: (sum_j a_j x_j)^2 <= (sum_j a_j)(sum_j a_j x_j^2), a sum of
squares a_j (x_j - mu)^2 with mu the weighted mean; then sum over the rows.

Kind
----
upper: no row of a Toeplitz matrix has all lags twice, so the last bound is not attained for N > 1.

Source
------
R. Horn & C. Johnson, Matrix Analysis, 2nd ed., Section 5.6 (problem on the Schur test).

Example
-------
>>> value, bound = LEMMA.sample({"frames": 1, "seed": 1})
>>> bool(abs(value / bound - 1) < 1e-12)
True
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, smt, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

centre, others = sympy.symbols("e_0 rest", nonnegative=True)
BOUND = centre + 2 * others
"""rest = sum over the lags 1 .. N-1 of |e_k|."""


def steps(row_factor: sympy.Expr | int = 1, twice: int = 2) -> list[Step]:
    """The proof, for a claimed factor of the row sum and multiplicity of the lags."""
    n = sympy.Symbol("n", integer=True, positive=True)
    j = sympy.Symbol("j", integer=True, positive=True)
    a = sympy.IndexedBase("a", nonnegative=True)
    x = sympy.IndexedBase("x", real=True)
    y = sympy.IndexedBase("y", nonnegative=True)
    column = sympy.IndexedBase("c", nonnegative=True)
    weight, square, row, moment = sympy.symbols("w y R Q", nonnegative=True)
    entry, mean, first = sympy.symbols("x mu T", real=True)
    mass = sympy.Symbol("S", positive=True)
    largest, room, before, after, missing, gap = sympy.symbols("C u p q s v", nonnegative=True)
    return [
        Step(
            "The weighted mean square deviation is non-negative, for any number of entries.",
            r"\sum_ja_jx_j^2-2\mu\sum_ja_jx_j+\mu^2\sum_ja_j = \sum_ja_j(x_j-\mu)^2\ge0",
            sum_nonnegative(
                sympy.Sum(a[j] * x[j] ** 2, (j, 1, n))
                - 2 * mean * sympy.Sum(a[j] * x[j], (j, 1, n))
                + mean**2 * sympy.Sum(a[j], (j, 1, n)),
                a[j] * (x[j] - mean) ** 2,
                (j, 1, n),
                {a[j]: weight, x[j]: entry},
            ),
        ),
        Step(
            "At mu = T/S, with S the row sum, T = sum a_j x_j, Q = sum a_j x_j^2: Cauchy-Schwarz.",
            r"S\,(Q-2\mu T+\mu^2S) = QS-T^2\ge0",
            identity(
                (mass * (moment - 2 * mean * first + mean**2 * mass)).subs(mean, first / mass),
                row_factor * moment * mass - first**2,
            ),
        ),
        Step(
            "Row sums at most R, summed over the rows: y_j = x_j^2 has its column sum c_j <= C.",
            r"RC\sum_jy_j-R\sum_jc_jy_j = R\sum_j(C-c_j)y_j\ge0",
            sum_nonnegative(
                row * largest * sympy.Sum(y[j], (j, 1, n))
                - row * sympy.Sum(column[j] * y[j], (j, 1, n)),
                row * (largest - column[j]) * y[j],
                (j, 1, n),
                {y[j]: square, largest: weight + room, column[j]: weight},
            ),
            smt(row * weight * square <= row * largest * square, [weight <= largest]),
        ),
        Step(
            "A symmetric matrix has equal row and column sums.",
            r"\sqrt{R\cdot R} = R",
            identity(sympy.sqrt(row * row), row, automatic=True),
        ),
        Step(
            "In row i of a Toeplitz matrix the lags before and after are each at most all lags.",
            r"|e_0|+\sum_{k\le i}|e_k|+\sum_{k<N-i}|e_k|\le|e_0|+2\sum_{k=1}^{N-1}|e_k|",
            all_of(
                nonnegative(
                    (centre + twice * others - (centre + before + after)).subs(
                        {before: others - missing, after: others - gap}
                    )
                ),
            ),
            smt(
                centre + before + after <= centre + twice * others,
                [before <= others, after <= others],
            ),
        ),
    ]


def _entries(parameters: Parameters) -> list[Any]:
    rng = random.Random(parameters["seed"])
    return [mpmath.mpf(rng.randint(-100, 100)) / 50 + 3 for _ in range(parameters["frames"])]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The spectral norm of the Toeplitz matrix: its largest absolute eigenvalue."""
    with mpmath.workdps(30):
        entries, size = _entries(parameters), parameters["frames"]
        matrix = mpmath.matrix(size, size)
        for i in range(size):
            for j in range(size):
                matrix[i, j] = entries[abs(i - j)]
        return max(abs(value) for value in mpmath.eigsy(matrix, eigvals_only=True))


def derive(parameters: Parameters) -> Parameters:
    """|e_0| and the sum of the other |e_k|."""
    first, *rest = (abs(entry) for entry in _entries(parameters))
    return {"e_0": first, "rest": mpmath.fsum(rest)}


LEMMA = Lemma(
    name="operator_norm",
    doc=__doc__,
    claim=r"\|E\|_2\le\sqrt{\|E\|_1\|E\|_\infty}\le|e_0|+2\sum_{k=1}^{N-1}|e_k|",
    kind="upper",
    assumptions=(r"$E$ symmetric Toeplitz for the second inequality",),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "frames": Range(1, 7, integer=True),
        "seed": Range(0, 10_000, integer=True),
    },
    wrong_variants=(
        WrongVariant(
            "every lag counted once",
            steps=partial(steps, twice=1),
            bound=centre + others,
            counterexample={"frames": 7, "seed": 1},
        ),
        WrongVariant("half the row sum", steps=partial(steps, row_factor=sympy.Rational(1, 2))),
        WrongVariant(
            "the diagonal alone",
            bound=centre,
            counterexample={"frames": 2, "seed": 1},
        ),
    ),
)
