r"""A Cholesky factorisation that completes in floating point bounds the smallest eigenvalue.

Statement
---------
Let B be a symmetric matrix of n x n floating-point numbers and let its Cholesky factorisation,
computed with unit roundoff u, run to completion.  Then with g = (n+1) u / (1 - (n+1) u)

    lambda_min(B) >= - g/(1-g) tr(B).

Assumptions
-----------
(n+1) u < 1/2; no overflow or underflow; sums in any order.

Proof
-----
The computed factor satisfies R^T R = B + E with |E| <= g |R|^T |R| entry by entry (cited).  The
diagonal of that bounds the Frobenius norm of R by the trace, Cauchy-Schwarz bounds x^T E x by
g |R|_F^2 |x|^2, and x^T R^T R x is not negative.

Kind
----
upper: minus the smallest eigenvalue is at most the bound.

Source
------
N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., Theorem 10.3 (backward error);
the conclusion as in S. Rump, "Verification of positive definiteness", BIT 46 (2006).

Example
-------
>>> value, bound = LEMMA.sample({"n": 5, "seed": 2})
>>> bool(0 < value < bound)
True
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import mpmath
import numpy as np
import sympy

from proofs_check.discharge import all_of, cited, identity, nonnegative, smt, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

ORDER = sympy.Symbol("n", integer=True, positive=True)
ROUNDOFF = sympy.Symbol("u", positive=True)
TRACE = sympy.Symbol("trace", nonnegative=True)
GROWTH = (ORDER + 1) * ROUNDOFF / (1 - (ORDER + 1) * ROUNDOFF)
BOUND = GROWTH / (1 - GROWTH) * TRACE
_HALF = 2.0**-11  # unit roundoff of the half precision that `measure` computes in


def steps(frobenius: sympy.Expr | None = None, factor: sympy.Expr | int = 1) -> list[Step]:
    """The proof, for a claimed bound of ``|R|_F^2`` and a claimed factor of Cauchy-Schwarz."""
    g, rest, size, length, spare = sympy.symbols("g q F X s", nonnegative=True)
    j = sympy.Symbol("j", integer=True, positive=True)
    m = sympy.Symbol("m", integer=True, positive=True)
    r, x = sympy.IndexedBase("r", real=True), sympy.IndexedBase("x", real=True)
    image = sympy.Symbol("y", nonnegative=True)
    moved = sympy.Symbol("E", real=True)
    entry, value, mean, product = sympy.symbols("a b mu T", real=True)
    mass, square = sympy.symbols("S Q", positive=True)
    claimed = TRACE / (1 - g) if frobenius is None else frobenius.subs(GROWTH, g)
    return [
        Step(
            "Backward error of the computed factor, whatever the order of the sums.",
            r"R^TR = B+E,\quad|E|\le g\,|R|^T|R|,\quad g = \frac{(n+1)u}{1-(n+1)u}",
            cited(
                "Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., Theorem 10.3",
                "backward error of Cholesky factorisation",
            ),
        ),
        Step(
            "Its diagonal, summed: |R|_F^2 <= tr B + g |R|_F^2; slack s, and g = q/(1+q) < 1.",
            r"\|R\|_F^2\le\frac{\mathrm{tr}\,B}{1-g}",
            nonnegative(
                (claimed - size).subs(TRACE, (1 - g) * size + spare).subs(g, rest / (1 + rest))
            ),
        ),
        Step(
            "Cauchy-Schwarz for a row r of |R|: a sum of squares.",
            r"\sum_j(r_j-\mu x_j)^2 = \sum_jr_j^2-2\mu\sum_jr_jx_j+\mu^2\sum_jx_j^2\ge0",
            sum_nonnegative(
                sympy.Sum(r[j] ** 2, (j, 1, m))
                - 2 * mean * sympy.Sum(r[j] * x[j], (j, 1, m))
                + mean**2 * sympy.Sum(x[j] ** 2, (j, 1, m)),
                (r[j] - mean * x[j]) ** 2,
                (j, 1, m),
                {r[j]: entry, x[j]: value},
            ),
        ),
        Step(
            "At mu = T/S, with S = |x|^2, T the product and Q = |r|^2.",
            r"S\,(Q-2\mu T+\mu^2S) = QS-T^2\ge0",
            identity(
                (mass * (square - 2 * mean * product + mean**2 * mass)).subs(mean, product / mass),
                factor * square * mass - product**2,
            ),
        ),
        Step(
            "Added up over the rows: the error moves x^T B x by at most g |R|_F^2 |x|^2.",
            r"|x^TEx|\le g\,|x|^T|R|^T|R||x|\le g\,\|R\|_F^2\|x\|^2",
            nonnegative(g * size * length - g * (size - spare) * length, {size: spare + rest}),
            smt(g * spare <= g * size, [spare <= size]),
        ),
        Step(
            "x^T R^T R x is not negative, so x^T B x >= -g |R|_F^2 |x|^2.",
            r"x^TBx = \|Rx\|^2-x^TEx\ge-\frac{g}{1-g}\,\mathrm{tr}(B)\,\|x\|^2",
            all_of(
                nonnegative(
                    (image - moved + g * size * length).subs(moved, g * size * length - spare)
                ),
                identity(g * (TRACE / (1 - g)), BOUND.subs(GROWTH, g), automatic=True),
            ),
        ),
    ]


def completes(matrix: np.ndarray) -> bool:
    """Whether Cholesky factorisation in half precision runs to completion, by loops."""
    rows = matrix.astype(np.float16)
    n = len(rows)
    factor = np.zeros((n, n), np.float16)
    for j in range(n):
        pivot = rows[j, j]
        for k in range(j):
            pivot = np.float16(pivot - np.float16(factor[k, j] * factor[k, j]))
        if not pivot > 0:
            return False
        factor[j, j] = np.sqrt(pivot)
        for i in range(j + 1, n):
            value = rows[j, i]
            for k in range(j):
                value = np.float16(value - np.float16(factor[k, j] * factor[k, i]))
            factor[j, i] = np.float16(value / factor[j, j])
    return True


def _deepest(parameters: Parameters) -> np.ndarray:
    """A nearly singular matrix, shifted down as far as its factorisation still completes."""
    rng, n = random.Random(parameters["seed"]), parameters["n"]
    half = np.array([[rng.gauss(0, 1) for _ in range(max(1, n - 1))] for _ in range(n)])
    matrix = (half @ half.T).astype(np.float16)
    found = matrix + np.float16(0.25) * np.eye(n, dtype=np.float16)
    for step in range(-64, 65):
        shifted = matrix + np.float16(-step * _HALF) * np.eye(n, dtype=np.float16)
        if completes(shifted):
            found = shifted
    return np.asarray(found, dtype=np.float64)


def measure(parameters: Parameters) -> mpmath.mpf:
    """Minus the smallest eigenvalue of such a matrix."""
    with mpmath.workdps(30):
        matrix = mpmath.matrix(_deepest(parameters).tolist())
        return -min(mpmath.eigsy(matrix, eigvals_only=True))


def derive(parameters: Parameters) -> Parameters:
    """The trace and the unit roundoff of half precision."""
    trace: Any = float(np.trace(_deepest(parameters)))
    return {**parameters, "u": mpmath.mpf(_HALF), "trace": mpmath.mpf(trace)}


LEMMA = Lemma(
    name="floating_cholesky",
    doc=__doc__,
    claim=r"\lambda_{\min}(B)\ge-\frac{g}{1-g}\,\mathrm{tr}(B)",
    kind="upper",
    assumptions=(r"$(n+1)u<\frac12$", "the factorisation of $B$ runs to completion"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={"n": Range(2, 6, integer=True), "seed": Range(0, 10_000, integer=True)},
    wrong_variants=(
        WrongVariant(
            "a factorisation that completes proves positive definite",
            bound=sympy.S.Zero,
            counterexample={"n": 5, "seed": 2},
        ),
        WrongVariant("the diagonal has no error", steps=partial(steps, frobenius=TRACE)),
        WrongVariant("half of Cauchy-Schwarz", steps=partial(steps, factor=sympy.Rational(1, 2))),
    ),
)
