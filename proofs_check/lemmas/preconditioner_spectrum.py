r"""The inverse-symbol preconditioner only pushes up: every eigenvalue of P A is at least 1.

Statement
---------
Let B be symmetric positive definite of size C, A = E^T B E its leading block of size N <= C and
P = E^T B^{-1} E the leading block of its inverse.  Then P - A^{-1} is positive semidefinite, every
eigenvalue of P A is at least 1, and at least 2N - C of them are exactly 1.

With B_t = alpha_t^2 mu Circ + sigma_t^2 I for a spatial eigenvalue mu and the circulant embedding
of Gamma, C >= 2N-2, these are A_t and P_t.  B_t is positive definite if its eigenvalues
alpha_t^2 mu f_m + sigma_t^2 are positive: those of the circulant may be slightly negative.

Assumptions
-----------
B_t positive definite: with an indefinite B eigenvalues below 1, even negative ones, occur.
C >= 2N-2, otherwise A_t is not the leading block.

Proof
-----
x^T B^{-1} x >= 2 x^T y - y^T B y for all y, the difference being (B^{-1}x - y)^T B (B^{-1}x - y).
Take x = Eu and y = E A^{-1} u: u^T P u >= u^T A^{-1} u.  With u = Av for an eigenvector v of P A:
(lambda - 1) v^T A v >= 0.  The inverse by blocks shows P A - I = A^{-1} F S^{-1} F^T, of rank at
most C - N.

Kind
----
tight: attained where the rest of the embedding is smaller than the block, C < 2N.

Source
------
R. Horn & C. Johnson, Matrix Analysis, 2nd ed., Sections 0.7.3 and 7.7 (Schur complement);
the variational form: S. Boyd & L. Vandenberghe, Convex Optimization, Appendix A.5.5.

Example
-------
>>> value, bound = LEMMA.sample(_WITNESS)
>>> bool(abs(value - bound) < 1e-25), float(bound)
(True, 1.0)
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, quadratic_identity
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import RANGES, kernel
from proofs_check.lemmas._uses import uses
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import N

BOUND = sympy.S.One


def steps(cross: int = 2, least: int = 1) -> list[Step]:
    """The proof, for a claimed factor of the mixed term and a claimed smallest eigenvalue."""
    size = sympy.Symbol("C", integer=True, positive=True)
    b, circulant = sympy.MatrixSymbol("B", size, size), sympy.MatrixSymbol("Circ", size, size)
    a, e = sympy.MatrixSymbol("A", N, N), sympy.MatrixSymbol("E", size, N)
    u = sympy.MatrixSymbol("u", N, 1)
    x, y = sympy.MatrixSymbol("x", size, 1), sympy.MatrixSymbol("y", size, 1)
    gain, noise = sympy.symbols("a sigma2", positive=True)
    b_inverse, a_inverse = sympy.Inverse(b), sympy.Inverse(a)
    miss, gap = b_inverse * x - y, b_inverse * e * u - e * a_inverse * u
    block, side, schur = (sympy.Symbol(name, commutative=False) for name in ("A", "F", "S"))
    transposed = sympy.Symbol("F'", commutative=False)
    corner = schur + transposed * block**-1 * side
    top = block**-1 + block**-1 * side * schur**-1 * transposed * block**-1
    bottom = -(schur**-1) * transposed * block**-1
    energy, excess = sympy.Symbol("v'Av", positive=True), sympy.Symbol("g", nonnegative=True)
    eigenvalue = sympy.Symbol("lambda", real=True)
    return [
        Step(
            "The temporal matrix is the leading block of the circulant.",
            r"E^\top\mathrm{Circ}\,E = \Gamma\quad(C\ge2N-2)",
            uses("fourier_heads"),
        ),
        Step(
            "So the noisy covariance is the leading block of the noisy circulant (E^T E = I).",
            r"u^\top E^\top(a\,\mathrm{Circ}+\sigma^2I)Eu = "
            r"a\,u^\top E^\top\mathrm{Circ}\,Eu+\sigma^2u^\top E^\top Eu",
            quadratic_identity(
                u.T * e.T * (gain * circulant + noise * sympy.Identity(size)) * e * u,
                gain * u.T * e.T * circulant * e * u + noise * u.T * e.T * e * u,
                [circulant],
            ),
        ),
        Step(
            "Completing the square; the left side is >= 0 because B is positive definite.",
            r"(B^{-1}x-y)^\top B(B^{-1}x-y) = x^\top B^{-1}x-2x^\top y+y^\top By",
            quadratic_identity(
                miss.T * b * miss,
                x.T * b_inverse * x - cross * x.T * y + y.T * b * y,
                [b],
            ),
        ),
        Step(
            "With x = Eu and y = E A^{-1} u.",
            r"0\le u^\top E^\top B^{-1}Eu-2u^\top(E^\top E)A^{-1}u+u^\top A^{-1}(E^\top BE)A^{-1}u",
            quadratic_identity(
                gap.T * b * gap,
                u.T * e.T * b_inverse * e * u
                - cross * u.T * e.T * e * a_inverse * u
                + u.T * a_inverse * e.T * b * e * a_inverse * u,
                [b, a],
            ),
        ),
        Step(
            "E^T E = I and E^T B E = A leave the claim: P - A^{-1} is positive semidefinite.",
            r"-2u^\top A^{-1}u+u^\top A^{-1}AA^{-1}u = -u^\top A^{-1}u",
            identity(
                u.T * a_inverse * a * a_inverse * u - cross * u.T * a_inverse * u,
                -u.T * a_inverse * u,
                automatic=True,
            ),
        ),
        Step(
            "For PAv = lambda v take u = Av: u^T P u = lambda v^T A v and u^T A^{-1} u = v^T A v.",
            r"(\lambda-1)\,v^\top Av = g\ge0\quad\Rightarrow\quad\lambda = 1+g/(v^\top Av)\ge1",
            all_of(
                identity(
                    ((eigenvalue - 1) * energy).subs(eigenvalue, 1 + excess / energy),
                    excess,
                    automatic=True,
                ),
                nonnegative((1 + excess / energy) - least),
            ),
        ),
        Step(
            "The first block column of the inverse; F is beside A, S the Schur complement.",
            r"\begin{pmatrix}A&F\\F^\top&S+F^\top A^{-1}F\end{pmatrix}"
            r"\begin{pmatrix}A^{-1}+A^{-1}FS^{-1}F^\top A^{-1}\\-S^{-1}F^\top A^{-1}\end{pmatrix}"
            r" = \begin{pmatrix}I\\0\end{pmatrix}",
            all_of(
                identity(sympy.expand(block * top + side * bottom), 1, automatic=True),
                identity(sympy.expand(transposed * top + corner * bottom), 0, automatic=True),
            ),
        ),
        Step(
            "So P A - I has at most the rank of F, at most C-N: 2N-C eigenvalues are exactly 1.",
            r"PA-I = A^{-1}FS^{-1}F^\top,\qquad N-(C-N) = 2N-C",
            all_of(
                identity(
                    sympy.expand(top * block - 1),
                    block**-1 * side * schur**-1 * transposed,
                    automatic=True,
                ),
                identity(N - (size - N), 2 * N - size, automatic=True),
            ),
        ),
    ]


def _smallest(parameters: Parameters, guard: bool) -> Any:
    """The smallest eigenvalue of P A, from dense matrices; guard keeps B positive definite."""
    with mpmath.workdps(40):
        frames, circle = parameters["frames"], max(1, 2 * parameters["frames"] - 2)
        circle += parameters["extra"]
        row = [kernel(parameters, min(k, circle - k)) for k in range(circle)]
        noise = mpmath.mpf(parameters["noise"])
        if guard:
            fourier = (
                mpmath.fsum(
                    row[k] * mpmath.cos(2 * mpmath.pi * k * m / circle) for k in range(circle)
                )
                for m in range(circle)
            )
            noise -= min(0, *fourier)
        whole = mpmath.matrix(circle, circle)
        for i in range(circle):
            for j in range(circle):
                whole[i, j] = row[(i - j) % circle] + (noise if i == j else 0)
        inverse = (whole**-1)[:frames, :frames]
        block = mpmath.matrix(frames, frames)
        for i in range(frames):
            for j in range(frames):
                block[i, j] = kernel(parameters, i - j) + (noise if i == j else 0)
        half = mpmath.cholesky(block)
        return min(mpmath.eigsy(half.T * inverse * half, eigvals_only=True))


def measure(parameters: Parameters) -> mpmath.mpf:
    """2 minus the smallest eigenvalue of P A."""
    return 2 - _smallest(parameters, guard=True)


def measure_indefinite(parameters: Parameters) -> mpmath.mpf:
    """The same where the circulant may be indefinite."""
    return 2 - _smallest(parameters, guard=False)


_WITNESS = {"regime": 0, "ell": 2.0, "shape": 1.0, "frames": 4, "extra": 1, "noise": 0.5}

LEMMA = Lemma(
    name="preconditioner_spectrum",
    doc=__doc__,
    claim=r"P\succeq A^{-1},\qquad 2-\lambda_{\min}(PA)\le1",
    kind="tight",
    assumptions=(r"$B_t\succ0$", r"$C\ge2N-2$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={
        **RANGES,
        "frames": Range(1, 5, integer=True),
        "extra": Range(0, 4, integer=True),
        "noise": Range(0.01, 1.0),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant("the mixed term once instead of twice", steps=partial(steps, cross=1)),
        WrongVariant("every eigenvalue is at least 2", steps=partial(steps, least=2)),
        WrongVariant(
            "assumption dropped: B positive definite",
            measure=measure_indefinite,
            counterexample={
                "regime": 0,
                "ell": 6.0,
                "shape": 2.0,
                "frames": 5,
                "extra": 0,
                "noise": 0.01,
            },
        ),
        WrongVariant(
            "assumption C >= 2N-2 dropped: A is no block of B",
            counterexample={**_WITNESS, "extra": -2},
        ),
    ),
)
