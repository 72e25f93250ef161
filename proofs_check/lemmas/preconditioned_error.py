r"""Preconditioned error: the polynomial alone in the mean, times cond(P)^{1/2} for a single draw.

Statement
---------
Let H = P^{1/2} A P^{1/2} and r the residual polynomial with |r| <= R on its eigenvalues h_i.  The
error of the preconditioned iteration is e = -P^{1/2} r(H) P^{-1/2} s, and for every single s

    <e, Ae>^{1/2} <= R <s, As>^{1/2},        |e| <= R cond(P)^{1/2} |s|.

In the mean over V the second factor disappears: with w_i = (W^T P W)_ii / h_i

    E|e|^2 / E|s|^2 = sum_i w_i r(h_i)^2 / sum_i w_i <= R^2,
    E<e,Ae> / E<s,As> = (1/n) sum_i r(h_i)^2 <= R^2.

The first mean is not bounded by cond(P) times the second: already at P = I it can be n times it.

Assumptions
-----------
A and P symmetric positive definite.

Proof
-----
A^{-1} = P^{1/2} H^{-1} P^{1/2} and r(H) = 1 - q(H) H.  In the eigenbasis of H the A-norm is a sum
of h_i r_i^2 z_i^2, z = P^{-1/2} s; the plain norm loses the largest eigenvalue of P on the left and
the smallest on the right.  The means are lemma residual_polynomial.

Kind
----
tight: attained where r(H) turns the direction of the smallest eigenvalue of P into the largest.

Source
------
Own derivation; Y. Saad, Iterative Methods for Sparse Linear Systems, 2nd ed., Section 9.2.1.

Example
-------
>>> value, bound = LEMMA.sample({"size": 2, "seed": -1, "degree": 1})
>>> round(float(value), 12), round(float(bound), 12)
(1.0, 1.0)
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._uses import uses
from proofs_check.step import Parameters, Range, Step, WrongVariant

R = sympy.Symbol("R", nonnegative=True)
"""max |r| over the eigenvalues of H."""
cond = sympy.Symbol("cond", positive=True)
"""Condition number of P, at least 1."""
BOUND = R * sympy.sqrt(cond)


def steps(bound: sympy.Expr = BOUND, rate: sympy.Expr = R) -> list[Step]:
    """The proof, for a claimed bound of one draw and a claimed rate in the A-norm."""
    root, h, q = (sympy.Symbol(name, commutative=False) for name in ("Q", "H", "q"))  # Q = P^{1/2}
    n = sympy.Symbol("n", integer=True, positive=True)
    i = sympy.Symbol("i", integer=True, positive=True)
    r, z = sympy.IndexedBase("r", real=True), sympy.IndexedBase("z", real=True)
    eigen = sympy.IndexedBase("h", positive=True)
    value, one = sympy.Symbol("h_1", positive=True), sympy.Symbol("z_1", real=True)
    u, v = sympy.symbols("u v", nonnegative=True)
    low, length, a, c = sympy.symbols("p s2 a c", positive=True)
    image, source = sympy.symbols("y2 z2", nonnegative=True)
    return [
        Step(
            "The error operator: A^{-1} = Q H^{-1} Q with Q = P^{1/2}, and 1 - qH is r(H).",
            r"A^{-1}-Qq(H)Q = Q\,r(H)\,H^{-1}Q,\qquad P^{-1/2}A^{-1} = H^{-1}Q",
            all_of(
                identity(
                    sympy.expand(root * h**-1 * root - root * q * root),
                    sympy.expand(root * (1 - q * h) * h**-1 * root),
                    automatic=True,
                ),
                identity(root**-1 * (root * h**-1 * root), h**-1 * root, automatic=True),
            ),
        ),
        Step(
            "Its A-norm: A = Q^{-1} H Q^{-1} leaves H alone.",
            r"Q\,Q^{-1}HQ^{-1}\,Q = H",
            identity(root * (root**-1 * h * root**-1) * root, h, automatic=True),
        ),
        Step(
            "In the eigenbasis of H, term by term and for any number n of terms.",
            r"R^2\sum_ih_iz_i^2-\sum_ih_ir_i^2z_i^2\ge0",
            sum_nonnegative(
                rate**2 * sympy.Sum(eigen[i] * z[i] ** 2, (i, 1, n))
                - sympy.Sum(eigen[i] * r[i] ** 2 * z[i] ** 2, (i, 1, n)),
                eigen[i] * z[i] ** 2 * (rate - r[i]) * (rate + r[i]),
                (i, 1, n),
                {eigen[i]: value, z[i]: one, R: (u + v) / 2, r[i]: (v - u) / 2},
            ),
        ),
        Step(
            "The plain norm: with eigenvalues of P in [p, p cond], |P^{1/2}y|^2 is at most "
            "p cond |y|^2, and |s|^2 = |P^{1/2}z|^2 at least p |z|^2.",
            r"p_{\max}\sum_iy_i^2-\sum_ip_iy_i^2\ge0,\qquad\sum_ip_iz_i^2-p_{\min}\sum_iz_i^2\ge0",
            all_of(
                sum_nonnegative(
                    (low + a) * sympy.Sum(z[i] ** 2, (i, 1, n))
                    - sympy.Sum(eigen[i] * z[i] ** 2, (i, 1, n)),
                    (low + a - eigen[i]) * z[i] ** 2,
                    (i, 1, n),
                    {eigen[i]: low + a - u, z[i]: one},
                ),
                sum_nonnegative(
                    sympy.Sum(eigen[i] * z[i] ** 2, (i, 1, n))
                    - low * sympy.Sum(z[i] ** 2, (i, 1, n)),
                    (eigen[i] - low) * z[i] ** 2,
                    (i, 1, n),
                    {eigen[i]: low + u, z[i]: one},
                ),
            ),
        ),
        Step(
            "Together: |e|^2 <= p cond |y|^2, |y|^2 <= R^2 |z|^2, |z|^2 <= |s|^2/p.",
            r"R^2\,\mathrm{cond}\,|s|^2-|e|^2\ge0",
            nonnegative(
                bound**2 * length - (low * cond * image - u),
                {image: R**2 * source - v, length: low * source + c},
            ),
        ),
        Step(
            "In the mean over V (the weights of both norms, and no cond(P)).",
            r"\frac{\sum_iw_ir_i^2}{\sum_iw_i}\le R^2",
            uses("residual_polynomial"),
        ),
        Step(
            "Attained: P = diag(1, c), r(H) the exchange of both directions times R, s = e_1.",
            r"P^{1/2}\begin{pmatrix}0&R\\R&0\end{pmatrix}P^{-1/2}e_1 = R\sqrt c\,e_2",
            identity(
                sympy.diag(1, sympy.sqrt(cond))
                * sympy.Matrix([[0, R], [R, 0]])
                * sympy.diag(1, 1 / sympy.sqrt(cond))
                * sympy.Matrix([1, 0]),
                sympy.Matrix([0, bound]),
                automatic=True,
            ),
        ),
    ]


def _problem(parameters: Parameters) -> tuple[Any, Any, Any, list[Any], Any]:
    """A, P, its square root, the coefficients of q, and a score s; seed -1 is the witness."""
    size, rng = parameters["size"], random.Random(parameters["seed"])
    if parameters["seed"] == -1:
        root = mpmath.diag([1, 2])
        h = mpmath.matrix(
            [[1, mpmath.mpf(-1) / 2], [mpmath.mpf(-1) / 2, 1]]
        )  # eigenvalues 1/2, 3/2
        a = root**-1 * h * root**-1
        return a, root * root, root, [mpmath.mpf(1)], mpmath.matrix([1, 0])

    def spd() -> Any:
        factor = mpmath.matrix(size, size)
        for i in range(size):
            for j in range(size):
                factor[i, j] = mpmath.mpf(rng.randint(-50, 50)) / 40
        return factor * factor.T + mpmath.eye(size) / 10

    a, p = spd(), spd()
    values, vectors = mpmath.eigsy(p)
    root = vectors * mpmath.diag([mpmath.sqrt(x) for x in values]) * vectors.T
    coefficients = [mpmath.mpf(rng.randint(-30, 30)) / 70 for _ in range(parameters["degree"])]
    return a, p, root, coefficients, mpmath.matrix([rng.randint(1, 50) for _ in range(size)])


def _error(parameters: Parameters) -> tuple[Any, Any, Any]:
    """A, the score and the error of the preconditioned polynomial, by dense products."""
    a, p, _, coefficients, score = _problem(parameters)
    b = -(a * score)
    approximation, term = mpmath.zeros(a.rows, 1), p * b
    for coefficient in coefficients:
        approximation -= coefficient * term
        term = p * (a * term)
    return a, score, approximation - score


def measure(parameters: Parameters) -> mpmath.mpf:
    """|e|/|s| of one draw."""
    with mpmath.workdps(40):
        _, score, error = _error(parameters)
        return mpmath.norm(error) / mpmath.norm(score)


def measure_mean_ratio(parameters: Parameters) -> mpmath.mpf:
    """Relative rms error over relative A-norm error at P = I, two eigenvalues, one of them met."""
    with mpmath.workdps(40):
        small = mpmath.mpf(parameters["small"])  # eigenvalues small and 1, r = 1 - lambda
        weights, residuals = [1 / small, mpmath.mpf(1)], [1 - small, mpmath.mpf(0)]
        rms = mpmath.fsum(w * x**2 for w, x in zip(weights, residuals, strict=True)) / sum(weights)
        return mpmath.sqrt(rms / (mpmath.fsum(x**2 for x in residuals) / 2))


def derive(parameters: Parameters) -> Parameters:
    """R and cond(P), from eigenvalues."""
    if "small" in parameters:
        return {"R": 1, "cond": 1}
    with mpmath.workdps(40):
        a, p, root, coefficients, _ = _problem(parameters)
        eigenvalues = mpmath.eigsy(root * a * root, eigvals_only=True)
        residuals = [1 - x * mpmath.polyval(coefficients[::-1], x) for x in eigenvalues]
        spread = mpmath.eigsy(p, eigvals_only=True)
        return {"R": max(map(abs, residuals)), "cond": max(spread) / min(spread)}


_WITNESS = {"size": 2, "seed": -1, "degree": 1}

LEMMA = Lemma(
    name="preconditioned_error",
    doc=__doc__,
    claim=r"\|e\|_A\le R\,\|s\|_A,\qquad\|e\|\le R\sqrt{\mathrm{cond}(P)}\,\|s\|",
    kind="tight",
    assumptions=(r"$A\succ0$, $P\succ0$", r"$|r|\le R$ on the eigenvalues of $P^{1/2}AP^{1/2}$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "size": Range(1, 4, integer=True),
        "seed": Range(0, 10_000, integer=True),
        "degree": Range(1, 4, integer=True),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "no condition number for a single draw",
            steps=partial(steps, bound=R),
            bound=R,
            counterexample=_WITNESS,
        ),
        WrongVariant("R^2 in the A-norm", steps=partial(steps, rate=R**2)),
        WrongVariant(
            "rms error at most cond(P)^{1/2} times the A-norm error (P = I)",
            measure=measure_mean_ratio,
            counterexample={"small": 0.125},
        ),
    ),
)
