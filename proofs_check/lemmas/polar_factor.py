r"""Nearly orthonormal columns are as close to orthonormal ones as their Gram matrix is to I.

Statement
---------
Let U have at least as many rows as columns and full rank, and let U* = U (U^T U)^{-1/2} be its
polar factor. The columns of U* are orthonormal, span what those of U span, and

    |U - U*|_2 <= |U^T U - I|_2.

Assumptions
-----------
U of full column rank.

Proof
-----
U = W diag(s) V^T with singular values s_i > 0 gives U* = W V^T, U - U* = W diag(s - 1) V^T and
U^T U - I = V diag(s^2 - 1) V^T; and |s - 1| <= |s - 1| (s + 1).

Kind
----
tight: attained in the limit of a vanishing singular value.

Source
------
N. Higham, Functions of Matrices, Section 8.1, and Lemma 8.17.

Example
-------
>>> value, bound = LEMMA.sample({"size": 1, "rows": 1, "spread": 0.5, "seed": -1})
>>> float(value), float(bound)
(0.5, 0.75)
"""

from __future__ import annotations

import random
from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, nonnegative, smt
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

gram = sympy.Symbol("G", nonnegative=True)
"""|U^T U - I|_2."""
BOUND = gram


def steps(factor: sympy.Expr = sympy.S.One) -> list[Step]:
    """The proof, for a claimed factor in front of the Gram matrix's distance."""
    w, v, s = (sympy.Symbol(name, commutative=False) for name in ("W", "V", "s"))
    wt, vt = (sympy.Symbol(name, commutative=False) for name in ("Wt", "Vt"))
    value, more = sympy.Symbol("sigma", positive=True), sympy.Symbol("u", nonnegative=True)
    below = sympy.Symbol("q", positive=True)
    return [
        Step(
            "Distances in terms of the singular value decomposition, with W^T W = I.",
            r"U-U^* = W(s-I)V^\top,\qquad U^\top U-I = V(s^2-I)V^\top",
            all_of(
                identity(w * s * vt - w * vt, w * (s - 1) * vt),
                identity(
                    sympy.expand(v * s * (wt * w) * s * vt).subs(wt * w, 1),
                    v * s**2 * vt,
                    automatic=True,
                ),
            ),
        ),
        Step(
            "The spectral norm of a diagonal matrix between orthonormal factors is its largest "
            "entry.",
            r"\|W\,\mathrm{diag}(d)\,V^\top\|_2 = \max_i|d_i|",
            cited(
                "Horn & Johnson, Matrix Analysis, 2nd ed., Section 5.6",
                "the spectral norm is invariant under orthonormal factors",
            ),
        ),
        Step(
            "A singular value above 1, and one below.",
            r"|\sigma^2-1|-|\sigma-1| = \sigma\,|\sigma-1|\ge0",
            all_of(
                nonnegative((factor * (value**2 - 1) - (value - 1)).subs(value, 1 + more)),
                nonnegative((factor * (1 - value**2) - (1 - value)).subs(value, 1 / (1 + below))),
            ),
            smt(
                sympy.And(
                    sympy.Or(value < 1, factor * (value**2 - 1) >= value - 1),
                    sympy.Or(value > 1, factor * (1 - value**2) >= 1 - value),
                ),
                [],
            ),
        ),
    ]


def _matrix(parameters: Parameters) -> mpmath.matrix:
    """Orthonormal columns, bent; seed -1 is a single number 1 - spread."""
    size, rows = parameters["size"], max(parameters["rows"], parameters["size"])
    spread, rng = mpmath.mpf(parameters["spread"]), random.Random(parameters["seed"])
    if parameters["seed"] == -1:
        return mpmath.matrix([[1 - spread]])
    noise = mpmath.matrix(rows, rows)
    for i in range(rows):
        for j in range(rows):
            noise[i, j] = mpmath.mpf(rng.randint(-99, 99)) / 100
    orthogonal, _ = mpmath.qr(noise + 3 * mpmath.eye(rows))
    bend = mpmath.eye(size)
    for i in range(size):
        for j in range(size):
            bend[i, j] += spread * mpmath.mpf(rng.randint(-99, 99)) / (100 * size)
    return orthogonal[:, :size] * bend


def measure(parameters: Parameters) -> mpmath.mpf:
    """|U - U*|, with the inverse root of the Gram matrix from its eigenvectors."""
    with mpmath.workdps(40):
        u = _matrix(parameters)
        values, vectors = mpmath.eigsy(u.T * u)
        root = vectors * mpmath.diag([1 / mpmath.sqrt(x) for x in values]) * vectors.T
        off = u - u * root
        return mpmath.sqrt(max(mpmath.eigsy(off.T * off, eigvals_only=True)))


def derive(parameters: Parameters) -> Parameters:
    """The Gram matrix's distance from I."""
    with mpmath.workdps(40):
        u = _matrix(parameters)
        off = u.T * u - mpmath.eye(u.cols)
        return {"G": max(abs(x) for x in mpmath.eigsy(off, eigvals_only=True))}


LEMMA = Lemma(
    name="polar_factor",
    doc=__doc__,
    claim=r"\|U-U^*\|_2\le\|U^\top U-I\|_2,\qquad U^* = U(U^\top U)^{-1/2}",
    kind="tight",
    assumptions=("$U$ of full column rank",),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "size": Range(1, 3, integer=True),
        "rows": Range(1, 5, integer=True),
        "spread": Range(0.0, 0.9),
        "seed": Range(0, 10_000, integer=True),
    },
    witness={"size": 1, "rows": 1, "spread": 1 - 1e-9, "seed": -1},
    witness_gap=1e-8,
    wrong_variants=(
        WrongVariant(
            "half of it, as close to an orthonormal matrix",
            steps=partial(steps, sympy.Rational(1, 2)),
            bound=gram / 2,
            counterexample={"size": 1, "rows": 1, "spread": 0.5, "seed": -1},
        ),
        WrongVariant(
            "the square of it",
            bound=gram**2,
            counterexample={"size": 1, "rows": 1, "spread": 0.1, "seed": -1},
        ),
    ),
)
