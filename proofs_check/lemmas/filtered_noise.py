r"""Noise inside linear attention is filtered by its gates before it meets the covariance.

Statement
---------
Let P = F diag(w) F^T with 0 <= w <= c, as gated linear attention has with features F and weights
w = amplitude times gate. For a symmetric positive semidefinite A

    |A^{1/2} F diag(w)|_2^2 <= c h,

with h the largest eigenvalue of P A.

Assumptions
-----------
0 <= w <= c.

Proof
-----
F diag(w)^2 F^T <= c F diag(w) F^T = c P as quadratic forms, because w^2 <= c w; and
A^{1/2} P A^{1/2} has the eigenvalues of P A.

Kind
----
tight: attained when all weights are equal.

Source
------
Own derivation; R. Horn & C. Johnson, Matrix Analysis, 2nd ed., Observation 7.7.2 and Section 1.3.

Example
-------
>>> value, bound = LEMMA.sample(_WITNESS)
>>> bool(abs(value / bound - 1) < 1e-25)
True
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

c, h = sympy.symbols("c h", nonnegative=True)
BOUND = sympy.sqrt(c * h)


def steps(ceiling: sympy.Expr = c) -> list[Step]:
    """The proof, for a claimed factor between the two quadratic forms."""
    n = sympy.Symbol("n", integer=True, positive=True)
    k = sympy.Symbol("k", integer=True, positive=True)
    w, y = sympy.IndexedBase("w", nonnegative=True), sympy.IndexedBase("y", real=True)
    weight, room = sympy.symbols("w_k u", nonnegative=True)
    value = sympy.Symbol("y_k", real=True)
    root, f, ft, d = (sympy.Symbol(name, commutative=False) for name in ("S", "F", "Ft", "D"))
    return [
        Step(
            "The square of the norm is that of a positive semidefinite matrix.",
            r"(SF\,\mathrm{diag}(w))(SF\,\mathrm{diag}(w))^\top = S\,F\,\mathrm{diag}(w)^2F^\top S",
            identity((root * f * d) * (d * ft * root), root * f * d**2 * ft * root, automatic=True),
        ),
        Step(
            "As quadratic forms, with y = F^T S x: w^2 <= c w, term by term.",
            r"c\sum_kw_ky_k^2-\sum_kw_k^2y_k^2 = \sum_kw_k(c-w_k)y_k^2\ge0",
            sum_nonnegative(
                ceiling * sympy.Sum(w[k] * y[k] ** 2, (k, 1, n))
                - sympy.Sum(w[k] ** 2 * y[k] ** 2, (k, 1, n)),
                w[k] * (ceiling - w[k]) * y[k] ** 2,
                (k, 1, n),
                {w[k]: weight, y[k]: value, c: weight + room},
            ),
        ),
        Step(
            "Larger forms have larger norms, and S P S has the eigenvalues of P S^2 = P A.",
            r"\|SF\,\mathrm{diag}(w)\|^2\le c\,\lambda_{\max}(SPS) = c\,h",
            all_of(
                cited(
                    "Horn & Johnson, Matrix Analysis, 2nd ed., Corollary 7.7.4 and Theorem 1.3.22",
                    "eigenvalues are monotone in the form; XY and YX have the same ones",
                ),
                identity(BOUND**2, c * h, automatic=True),
            ),
        ),
    ]


def _problem(parameters: Parameters) -> tuple[Any, Any, list[Any]]:
    """A^{1/2}, F and w; seed -1 has equal weights."""
    size, heads = parameters["size"], parameters["heads"]
    rng = random.Random(parameters["seed"])

    def entries(rows: int, columns: int) -> Any:
        matrix = mpmath.matrix(rows, columns)
        for i in range(rows):
            for j in range(columns):
                matrix[i, j] = mpmath.mpf(rng.randint(-99, 99)) / 50
        return matrix

    root = entries(size, size)
    root = root * root.T
    weights = [mpmath.mpf(rng.randint(1, 99)) / 99 for _ in range(heads)]
    if parameters["seed"] == -1:
        weights = [mpmath.mpf(1) / 2] * heads
    return root, entries(size, heads), weights


def _largest(matrix: Any) -> mpmath.mpf:
    return max(mpmath.eigsy(matrix, eigvals_only=True))


def measure(parameters: Parameters) -> mpmath.mpf:
    """|A^{1/2} F diag(w)|."""
    with mpmath.workdps(40):
        root, features, weights = _problem(parameters)
        image = root * features * mpmath.diag(weights)
        return mpmath.sqrt(_largest(image * image.T))


def derive(parameters: Parameters) -> Parameters:
    """The largest weight and eigenvalue."""
    with mpmath.workdps(40):
        root, features, weights = _problem(parameters)
        form = features * mpmath.diag(weights) * features.T
        return {"c": max(weights), "h": _largest(root * form * root)}


_WITNESS = {"size": 2, "heads": 3, "seed": -1}

LEMMA = Lemma(
    name="filtered_noise",
    doc=__doc__,
    claim=r"\|A^{1/2}F\,\mathrm{diag}(w)\|_2\le\sqrt{\max(w)\,\lambda_{\max}(PA)}",
    kind="tight",
    assumptions=(r"$0\le w\le c$", r"$A\succeq0$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "size": Range(1, 3, integer=True),
        "heads": Range(1, 4, integer=True),
        "seed": Range(0, 10_000, integer=True),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "half of the largest weight",
            steps=partial(steps, c / 2),
            bound=sympy.sqrt(c * h / 2),
            counterexample=_WITNESS,
        ),
        WrongVariant("the largest weight twice", bound=c * sympy.sqrt(h), counterexample=_WITNESS),
    ),
)
