r"""A positive test vector bounds the largest eigenvalue of a positive matrix from above.

Statement
---------
For a symmetric matrix Gamma with non-negative entries and every vector x with positive entries,

    lambda_max(Gamma) <= max_i (Gamma x)_i / x_i.

Errors of at most s in the entries of Gamma x, added to them, keep the bound one.

Assumptions
-----------
Gamma >= 0 entry by entry, x > 0.

Proof
-----
Let Gamma y = lambda y and let z = max_j |y_j|/x_j be attained at i.  Then lambda |y_i| <=
sum_j Gamma_ij |y_j| <= z sum_j Gamma_ij x_j <= z M x_i = M |y_i|, with M the largest quotient.

Kind
----
tight: attained at the Perron vector.

Source
------
L. Collatz, Math. Z. 48 (1942) 221-226; R. Horn & C. Johnson, Matrix Analysis, 2nd ed., Theorem
8.1.26 and Corollary 8.1.31.

Example
-------
>>> drawn = {"regime": 0, "ell": 1.0, "shape": 1.0, "N": 2, "seed": -1}
>>> value, bound = LEMMA.sample(drawn)
>>> bool(abs(value - bound) < 1e-15)
True
"""

from __future__ import annotations

import random
from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, nonnegative, positive, smt, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, RANGES, eigenvalues, gram
from proofs_check.step import Parameters, Range, Step, WrongVariant

QUOTIENT = sympy.Symbol("quotient", positive=True)
"""M = max_i (Gamma x)_i / x_i."""


def steps(entry_sign: int = 1) -> list[Step]:
    """The proof; `entry_sign = -1` claims it for entries of the other sign."""
    j, n = (sympy.Symbol(name, integer=True, positive=True) for name in "jn")
    entry, test = sympy.IndexedBase("G", real=True), sympy.IndexedBase("x", positive=True)
    other = sympy.IndexedBase("y", nonnegative=True)
    size, x, g, u, v, slack = sympy.symbols("z x g u v s", nonnegative=True)
    place = sympy.Symbol("x_i", positive=True)
    largest, image, eigenvalue, modulus = sympy.symbols("M p lambda Y", positive=True)
    return [
        Step(
            "Every |y_j| is at most z x_j, so Gamma |y| is at most z times Gamma x in row i.",
            r"z\sum_j\Gamma_{ij}x_j-\sum_j\Gamma_{ij}|y_j| = \sum_j\Gamma_{ij}(zx_j-|y_j|)\ge0",
            sum_nonnegative(
                size * sympy.Sum(entry[j] * test[j], (j, 1, n))
                - sympy.Sum(entry[j] * other[j], (j, 1, n)),
                entry[j] * (size * test[j] - other[j]),
                (j, 1, n),
                {entry[j]: entry_sign * g, test[j]: x, other[j]: size * x - u},
            ),
        ),
        Step(
            "The image of x at i is at most M x_i, and z x_i = |y_i|.",
            r"zMx_i-z(\Gamma x)_i\ge0",
            nonnegative(size * largest * place - size * image, {largest: (image + v) / place}),
            smt(size * image <= size * largest * place, [image <= largest * place]),
        ),
        Step(
            "An eigenvector has y_i != 0 at that place, so lambda <= M.",
            r"\lambda|y_i|\le M|y_i|,\ |y_i|>0\ \Rightarrow\ \lambda\le M",
            all_of(
                nonnegative(largest - eigenvalue, {largest: eigenvalue + u / modulus}),
                positive(modulus),
            ),
            smt(eigenvalue <= largest, [eigenvalue * modulus <= largest * modulus]),
        ),
        Step(
            "A computed image within s of the true one: adding s keeps the quotient above.",
            r"\frac{(p+e)+s}{x_i}\ge\frac p{x_i}\quad(|e|\le s)",
            nonnegative(
                (image + (v - u) / 2 + slack) / place - image / place, {slack: (u + v) / 2}
            ),
            smt(image - u + slack >= image, [u <= slack]),
        ),
    ]


def _vector(parameters: Parameters) -> list[mpmath.mpf]:
    """Positive random entries; seed -1 asks for ones."""
    rng, size = random.Random(parameters["seed"]), parameters["N"]
    if parameters["seed"] < 0:
        return [mpmath.mpf(1)] * size
    return [mpmath.mpf(rng.randint(1, 100)) / 10 for _ in range(size)]


def measure(parameters: Parameters) -> mpmath.mpf:
    """lambda_max of the N x N matrix."""
    with mpmath.workdps(DIGITS):
        return eigenvalues(gram(parameters, parameters["N"]))[-1]


def derive(parameters: Parameters) -> Parameters:
    """M, by loops; with `signed` the rows and columns of odd index change their sign."""
    with mpmath.workdps(DIGITS):
        matrix, x = gram(parameters, parameters["N"]), _vector(parameters)
        size = range(parameters["N"])
        sign = -1 if parameters.get("signed") else 1
        return {
            "quotient": max(
                mpmath.fsum(sign ** (i + j) * matrix[i, j] * x[j] for j in size) / x[i]
                for i in size
            )
        }


_WITNESS = {"regime": 0, "ell": 2.0, "shape": 1.0, "N": 2, "seed": -1}

LEMMA = Lemma(
    name="collatz_wielandt",
    doc=__doc__,
    claim=r"\lambda_{\max}(\Gamma)\le\max_i\frac{(\Gamma x)_i}{x_i}",
    kind="tight",
    assumptions=(r"$\Gamma_{ij}\ge0$, symmetric", r"$x_i>0$"),
    steps=steps(),
    bound=QUOTIENT,
    measure=measure,
    derive=derive,
    parameters={**RANGES, "N": Range(1, 8, integer=True), "seed": Range(-1, 10_000, integer=True)},
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant("entries of the other sign", steps=partial(steps, entry_sign=-1)),
        WrongVariant(
            "assumption of non-negative entries dropped: signs alternate",
            counterexample={**_WITNESS, "N": 6, "signed": True},
        ),
        WrongVariant(
            "a tenth smaller",
            bound=QUOTIENT * sympy.Rational(9, 10),
            counterexample=_WITNESS,
        ),
    ),
    also={"upper": QUOTIENT},
)
