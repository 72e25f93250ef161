r"""The norm of a symmetric Toeplitz matrix is at most the sum of its lags, counted twice.

Statement
---------
For T_ij = c_{|i-j|}, i, j = 1 .. N,

    |T|_2 <= |c_0| + 2 sum_{0<h<N} |c_h|.

So lambda_max(Gamma_N) <= 1 + 2 sum_{k=1}^{N-1} gamma(k), and dropping the lags beyond J moves every
eigenvalue by at most 2 T_N(J).

Assumptions
-----------
T symmetric Toeplitz with real entries.

Proof
-----
|x^T T x| <= sum_ij |c_{|i-j|}| |x_i| |x_j| <= sum_ij |c_{|i-j|}| (x_i^2 + x_j^2)/2, by
(|x_i| - |x_j|)^2 >= 0; the coefficient of x_i^2 is the sum of row i, in which the lag 0 occurs once
and every other lag at most twice.  The norm of a symmetric matrix is the largest Rayleigh quotient.

Kind
----
tight: in the limit of many frames, for a positive summable kernel.

Source
------
I. Schur's test; R. Horn & C. Johnson, Matrix Analysis, 2nd ed., Theorem 5.6.9.

Example
-------
>>> value, bound = LEMMA.sample({"N": 3, "seed": 0, "scale": 1.0, "ell": 0.0})
>>> bool(value <= bound)
True
"""

from __future__ import annotations

import random
from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, nonnegative, smt, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, eigenvalues
from proofs_check.step import Parameters, Range, Step, WrongVariant

DIAGONAL = sympy.Symbol("diagonal", nonnegative=True)
"""|c_0|."""
MASS = sympy.Symbol("mass", nonnegative=True)
"""sum of |c_h| over h = 1 .. N-1."""
BOUND = DIAGONAL + 2 * MASS


def steps(times: int = 2) -> list[Step]:
    """The proof, for a claimed number of times that a lag occurs in a row."""
    x, y, weight, u = sympy.symbols("x y c u", nonnegative=True)
    i, n = (sympy.Symbol(name, integer=True, positive=True) for name in "in")
    row, square = sympy.IndexedBase("r", nonnegative=True), sympy.IndexedBase("s", nonnegative=True)
    before, after = sympy.symbols("B A", nonnegative=True)
    rest_before, rest_after = sympy.symbols("v w", nonnegative=True)
    return [
        Step(
            "Products are at most means of squares.",
            r"\tfrac12(x_i^2+x_j^2)-|x_i||x_j| = \tfrac12(|x_i|-|x_j|)^2\ge0",
            all_of(
                identity((x**2 + y**2) / 2 - x * y, (x - y) ** 2 / 2),
                nonnegative(weight * ((x**2 + y**2) / 2 - x * y)),
            ),
            smt(2 * x * y <= x**2 + y**2),
        ),
        Step(
            "In row i the lags h < i lie before the diagonal, the lags h <= N-i behind it: each "
            "side has at most all lags 1 .. N-1, whose sum is S.",
            r"\sum_j|c_{|i-j|}| = |c_0|+\sum_{h<i}|c_h|+\sum_{h\le N-i}|c_h|\le|c_0|+2S",
            nonnegative(
                DIAGONAL + times * MASS - (DIAGONAL + before + after),
                {before: x, after: x + u, MASS: x + u + rest_after},
            ),
            smt(
                DIAGONAL + before + after <= DIAGONAL + times * MASS,
                [before <= MASS, after <= MASS],
            ),
        ),
        Step(
            "Every row sum is at most the bound, so the form is at most the bound times |x|^2.",
            r"(|c_0|+2S)\sum_ix_i^2-\sum_ir_ix_i^2 = \sum_i(|c_0|+2S-r_i)x_i^2\ge0",
            sum_nonnegative(
                BOUND * sympy.Sum(square[i], (i, 1, n)) - sympy.Sum(row[i] * square[i], (i, 1, n)),
                (BOUND - row[i]) * square[i],
                (i, 1, n),
                {DIAGONAL: x, MASS: (u + rest_before) / 2, row[i]: x + u, square[i]: y},
            ),
        ),
        Step(
            "The norm of a symmetric matrix is its largest absolute Rayleigh quotient.",
            r"\|T\|_2 = \max_x\frac{|x^\top Tx|}{x^\top x}",
            cited(
                "Horn & Johnson, Matrix Analysis, 2nd ed., Theorem 4.2.2",
                "extreme eigenvalues are the extreme Rayleigh quotients",
            ),
        ),
    ]


def _lags(parameters: Parameters) -> list[mpmath.mpf]:
    """Random lags in [-scale, scale]; a positive `ell` asks for exponential decay instead."""
    rng, size = random.Random(parameters["seed"]), parameters["N"]
    if parameters["ell"] > 0:
        return [mpmath.exp(-mpmath.mpf(h) / mpmath.mpf(parameters["ell"])) for h in range(size)]
    scale = mpmath.mpf(parameters["scale"])
    return [scale * rng.randint(-1000, 1000) / 1000 for _ in range(size)]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The largest absolute eigenvalue."""
    with mpmath.workdps(DIGITS):
        lags = _lags(parameters)
        matrix = mpmath.matrix(len(lags), len(lags))
        for i in range(len(lags)):
            for j in range(len(lags)):
                matrix[i, j] = lags[abs(i - j)]
        found = eigenvalues(matrix)
        return max(abs(found[0]), abs(found[-1]))


def derive(parameters: Parameters) -> Parameters:
    """|c_0| and the sum of the other lags."""
    with mpmath.workdps(DIGITS):
        lags = _lags(parameters)
        return {"diagonal": abs(lags[0]), "mass": mpmath.fsum(abs(c) for c in lags[1:])}


_WITNESS = {"N": 24, "seed": 0, "scale": 1.0, "ell": 0.5}

LEMMA = Lemma(
    name="toeplitz_norm",
    doc=__doc__,
    claim=r"\|T\|_2\le|c_0|+2\sum_{0<h<N}|c_h|",
    kind="tight",
    assumptions=(r"$T_{ij}=c_{|i-j|}$ real",),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "N": Range(1, 9, integer=True),
        "seed": Range(0, 10_000, integer=True),
        "scale": Range(0.1, 5.0),
        "ell": Range(-1.0, 4.0),
    },
    witness=_WITNESS,
    witness_gap=1e-2,
    wrong_variants=(
        WrongVariant(
            "every lag counted once",
            steps=partial(steps, times=1),
            bound=DIAGONAL + MASS,
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "the diagonal left out",
            bound=2 * MASS,
            counterexample=_WITNESS,
        ),
    ),
    also={"norm": BOUND},
)
