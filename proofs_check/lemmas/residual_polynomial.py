r"""The relative score error is at most the residual polynomial on the spectrum.

Statement
---------
Let b have covariance A, s = -A^{-1} b and s_hat = -q(A) b with a polynomial q, r(x) = 1 - x q(x).
Then E|s_hat - s|^2 = sum_i r(lambda_i)^2 / lambda_i and E|s|^2 = sum_i 1/lambda_i, hence

    (E|s_hat - s|^2 / E|s|^2)^{1/2} <= R = max_i |r(lambda_i)|.

Preconditioned with P = P^{1/2} P^{1/2}: with H = P^{1/2} A P^{1/2} = W diag(h) W^T the weights
1/lambda_i become (W^T P W)_ii / h_i in the mean square, and 1 in the A-norm; the bound by
max_i |r(h_i)| is the same in both, with no condition number of P.

Assumptions
-----------
A and P symmetric positive definite; the expectation is over V with covariance A.

Proof
-----
In the eigenbasis the coordinates of b are uncorrelated with variances lambda_i, so each mean square
is a sum of non-negative weights times r^2; term by term r^2 <= R^2, whatever the number of terms.

Kind
----
tight: attained with a single eigenvalue.

Source
------
Fu, Dou, Guo, Wang & Chen, arXiv 2407.16134, Section 4 (approximation of the score); eigenvalue
decomposition: R. Horn & C. Johnson, Matrix Analysis, 2nd ed., Theorem 2.5.6.

Example
-------
>>> value, bound = LEMMA.sample({"size": 1, "seed": 3, "degree": 2, "precondition": 0})
>>> bool(abs(value / bound - 1) < 1e-12)
True
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import mpmath
import sympy

from proofs_check.discharge import (
    all_of,
    cited,
    identity,
    integration,
    smt,
    sum_nonnegative,
)
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import k, lam

R = sympy.Symbol("R", nonnegative=True)
"""max |r| over the eigenvalues."""
BOUND = R


def steps(bound: sympy.Expr = BOUND) -> list[Step]:
    """The proof, for a claimed bound as a function of R."""
    n = sympy.Symbol("n", integer=True, positive=True)
    i = sympy.Symbol("i", integer=True, positive=True)
    r, w = sympy.IndexedBase("r", real=True), sympy.IndexedBase("w", nonnegative=True)
    q, value, z = (
        sympy.Symbol("q", real=True),
        sympy.Symbol("x", real=True),
        sympy.Symbol("z", real=True),
    )
    u, v = sympy.symbols("u v", nonnegative=True)
    weight = sympy.Symbol("w", nonnegative=True)
    p, h = sympy.Symbol("p", positive=True), sympy.Symbol("h", positive=True)
    basis = sympy.Symbol("W", commutative=False)
    diagonal = sympy.Symbol("D", commutative=False)
    density = sympy.exp(-(z**2) / 2) / sympy.sqrt(2 * sympy.pi)
    total = bound**2 * sympy.Sum(w[i], (i, 1, n)) - sympy.Sum(w[i] * r[i] ** 2, (i, 1, n))
    return [
        Step(
            "A symmetric matrix has an orthonormal eigenbasis, in which lengths do not change.",
            r"A = W\,\mathrm{diag}(\lambda)\,W^{-1},\quad W^{-1}=W^\top",
            cited(
                "Horn & Johnson, Matrix Analysis, 2nd ed., Theorem 2.5.6",
                "a real symmetric matrix is orthogonally diagonalisable",
            ),
        ),
        Step(
            "Polynomials act on the eigenvalues, by induction on the power.",
            r"(WDW^{-1})^k\,WDW^{-1} = W D^{k+1} W^{-1}",
            identity(
                (basis * diagonal**k * basis**-1) * (basis * diagonal * basis**-1),
                basis * diagonal ** (k + 1) * basis**-1,
                automatic=True,
            ),
        ),
        Step(
            "A standard normal coordinate has second moment 1.",
            r"\int z^2 e^{-z^2/2}/\sqrt{2\pi}\,dz = 1",
            integration(
                z**2 * density,
                (z, -sympy.oo, sympy.oo),
                1,
                antiderivative=-z * density + sympy.erf(z / sympy.sqrt(2)) / 2,
            ),
        ),
        Step(
            "A coordinate of the error has mean square r^2/lambda, of the score 1/lambda.",
            r"(q-1/\lambda)^2\,\lambda = r(\lambda)^2/\lambda,\qquad r = 1-\lambda q",
            identity((q - 1 / lam) ** 2 * lam, (1 - lam * q) ** 2 / lam),
            smt(
                sympy.Eq((q - 1 / lam) ** 2 * lam, (1 - lam * q) ** 2 / lam, evaluate=False),
            ),
        ),
        Step(
            "Term by term, for any number n of terms and any weights.",
            r"R^2\sum_i w_i-\sum_i w_i r_i^2 = \sum_i w_i(R-r_i)(R+r_i) \ge 0",
            sum_nonnegative(
                total,
                w[i] * (bound - r[i]) * (bound + r[i]),
                (i, 1, n),
                {w[i]: weight, R: (u + v) / 2, r[i]: (v - u) / 2},
            ),
            smt(weight * value**2 <= weight * bound**2, [value <= R, value >= -R]),
        ),
        Step(
            "Preconditioned, mean square: coordinates of P^{1/2}b have variance h, weight p/h.",
            r"p\,(q-1/h)^2\,h = (p/h)\,r(h)^2,\quad p=(W^\top PW)_{ii}",
            identity(p * (q - 1 / h) ** 2 * h, p / h * (1 - h * q) ** 2),
        ),
        Step(
            "Preconditioned, A-norm: every weight is 1.",
            r"h\,(q-1/h)^2\,h = r(h)^2",
            all_of(
                identity(h * (q - 1 / h) ** 2 * h, (1 - h * q) ** 2),
                identity(h * (0 - 1 / h) ** 2 * h, 1, automatic=True),
            ),
        ),
    ]


def _spd(size: int, rng: random.Random) -> Any:
    """A random symmetric positive definite matrix."""
    factor = mpmath.matrix(size, size)
    for i in range(size):
        for j in range(size):
            factor[i, j] = mpmath.mpf(rng.randint(-50, 50)) / 40
    return factor * factor.T + mpmath.eye(size) / 10


def _problem(parameters: Parameters) -> tuple[Any, Any, Any, list[Any]]:
    """A, P, its square root, and the coefficients of q."""
    rng = random.Random(parameters["seed"])
    size = parameters["size"]
    a = _spd(size, rng)
    p = _spd(size, rng) if parameters["precondition"] else mpmath.eye(size)
    values, vectors = mpmath.eigsy(p)
    root = vectors * mpmath.diag([mpmath.sqrt(x) for x in values]) * vectors.T
    coefficients = [mpmath.mpf(rng.randint(-30, 30)) / 70 for _ in range(parameters["degree"])]
    return a, p, root, coefficients


def _mean_square(operator: Any, covariance: Any) -> Any:
    """E|operator b|^2 = trace(operator covariance operator^T), entry by entry."""
    image = operator * covariance * operator.T
    return mpmath.fsum(image[i, i] for i in range(image.rows))


def measure(parameters: Parameters) -> mpmath.mpf:
    """The relative rms error from dense matrices: no eigenvalue of A, no residual polynomial."""
    with mpmath.workdps(40):
        a, _, root, coefficients = _problem(parameters)
        inner, power = mpmath.zeros(a.rows), mpmath.eye(a.rows)
        for coefficient in coefficients:
            inner += coefficient * power
            power = power * (root * a * root)
        inverse = a**-1
        error = _mean_square(root * inner * root - inverse, a)
        return mpmath.sqrt(error / _mean_square(inverse, a))


def derive(parameters: Parameters) -> Parameters:
    """R, from the eigenvalues of H."""
    with mpmath.workdps(40):
        a, _, root, coefficients = _problem(parameters)
        eigenvalues = mpmath.eigsy(root * a * root, eigvals_only=True)
        return {"R": max(abs(1 - x * mpmath.polyval(coefficients[::-1], x)) for x in eigenvalues)}


def measure_mixed_norms(parameters: Parameters) -> mpmath.mpf:
    """The A-norm error relative to the plain norm of the score: two different norms mixed."""
    with mpmath.workdps(40):
        a, _, root, coefficients = _problem(parameters)
        inner = coefficients[0] * root * root
        difference = inner - a**-1
        error = difference.T * a * difference * a
        total = mpmath.fsum(error[i, i] for i in range(error.rows))
        return mpmath.sqrt(total / _mean_square(a**-1, a))


LEMMA = Lemma(
    name="residual_polynomial",
    doc=__doc__,
    claim=r"\Bigl(\frac{E\|\hat s-s\|^2}{E\|s\|^2}\Bigr)^{1/2}\le\max_i|r(\lambda_i)|",
    kind="tight",
    assumptions=(r"$A\succ0$, $P\succ0$", r"$V-\alpha_tM$ has covariance $A$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "size": Range(1, 4, integer=True),
        "seed": Range(0, 10_000, integer=True),
        "degree": Range(1, 4, integer=True),
        "precondition": Range(0, 1, integer=True),
    },
    witness={"size": 1, "seed": 3, "degree": 2, "precondition": 1},
    wrong_variants=(
        WrongVariant(
            "R^2 instead of R (the square root forgotten)",
            steps=partial(steps, R**2),
            bound=R**2,
            counterexample={"size": 1, "seed": 1, "degree": 1, "precondition": 0},
        ),
        WrongVariant("a constant 9/10", steps=partial(steps, R * sympy.Rational(9, 10))),
        WrongVariant(
            "error in the A-norm against the score in the plain norm",
            measure=measure_mixed_norms,
            counterexample={"size": 1, "seed": 2, "degree": 1, "precondition": 0},
        ),
    ),
    also={"mean_square_term": (1 - lam * sympy.Symbol("q", real=True)) ** 2 / lam},
)
