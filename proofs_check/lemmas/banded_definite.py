r"""A band keeps A_t positive definite if alpha^2 2 T_N(J) |Sigma| < lambda_min(A_t).

Statement
---------
Let A = alpha^2 Gamma kron Sigma + sigma^2 I and let the banded A~ keep the lags up to J.  Then

    lambda_min(A~) >= lambda_min(A) - alpha^2 2 T_N(J) |Sigma|,

so A~ is positive definite wherever the right side is positive.  Where it is not, A~ can be
indefinite, and then gradient descent on it diverges: 64 frames, nu = 1, ell = 64, t = 1, Sigma = I,
for every J from 4 to 32.

Assumptions
-----------
Sigma positive semidefinite; alpha^2 2 T_N(J) |Sigma| < lambda_min(A).

Proof
-----
The dropped part is a symmetric Toeplitz matrix of norm at most 2 T_N(J) (lemma operator_norm); the
norm of a Kronecker product is the product of the norms; Weyl.  In a direction with eigenvalue
-m < 0 the iteration multiplies the error by 1 + eta m > 1.

Kind
----
upper: minus the smallest eigenvalue of A~ is at most the bound.

Source
------
R. Horn & C. Johnson, Matrix Analysis, 2nd ed., Corollary 4.3.15 (Weyl); Topics in Matrix Analysis,
Theorem 4.2.15 (Kronecker products).

Example
-------
>>> drawn = {"regime": 0, "ell": 2.0, "shape": 1.0, "N": 6, "J": 3, "t": 1.0, "spatial": 2.0}
>>> value, bound = LEMMA.sample(drawn)
>>> bool(value < bound)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import numpy as np
import sympy

from proofs_check.discharge import all_of, cited, limit, nonnegative, positive, smt
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, RANGES, eigenvalues, gram, kernel
from proofs_check.lemmas._uses import uses
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import t

SMALLEST = sympy.Symbol("smallest", positive=True)
"""lambda_min(A_t)."""
DROPPED = sympy.Symbol("dropped", nonnegative=True)
"""T_N(J)."""
SPATIAL = sympy.Symbol("spatial", positive=True)
"""|Sigma|."""
MOVED = sympy.exp(-t) * 2 * DROPPED * SPATIAL
BOUND = MOVED - SMALLEST


def steps(moved: sympy.Expr = MOVED) -> list[Step]:
    """The proof, for a claimed norm of what the band drops."""
    scale, size, u, v = sympy.symbols("alpha_sq E u v", nonnegative=True)
    eta, bottom, fraction = sympy.symbols("eta m q", positive=True)
    k = sympy.Symbol("k", integer=True, nonnegative=True)
    claimed = moved.subs(sympy.exp(-t), scale)
    return [
        Step(
            "What the band drops is Toeplitz, with every lag twice.",
            r"\|\Gamma-\Gamma_J\|_2\le2T_N(J)",
            uses("operator_norm"),
        ),
        Step(
            "The norm of a Kronecker product is the product of the norms.",
            r"\|(\Gamma-\Gamma_J)\otimes\Sigma\|_2 = \|\Gamma-\Gamma_J\|_2\,\|\Sigma\|_2",
            cited(
                "Horn & Johnson, Topics in Matrix Analysis, Theorem 4.2.15",
                "singular values of Kronecker products",
            ),
        ),
        Step(
            "So A moves by at most the claimed norm.",
            r"\alpha^2\|E\|\,\|\Sigma\|\le\alpha^2\,2T_N(J)\,\|\Sigma\|",
            nonnegative(claimed - scale * size * SPATIAL, {DROPPED: (size + u) / 2}),
            smt(scale * size * SPATIAL <= claimed, [size <= 2 * DROPPED]),
        ),
        Step(
            "Eigenvalues move by at most the norm of a symmetric perturbation.",
            r"\lambda_{\min}(\tilde A)\ge\lambda_{\min}(A)-\|\tilde A-A\|_2",
            cited(
                "Horn & Johnson, Matrix Analysis, 2nd ed., Corollary 4.3.15", "Weyl's inequality"
            ),
        ),
        Step(
            "Positive under the condition.",
            r"\alpha^22T_N(J)\|\Sigma\|<\lambda_{\min}(A)\ \Rightarrow\ \tilde A\succ0",
            positive(SMALLEST - scale * v, {SMALLEST: scale * v + fraction}),
            smt(SMALLEST - v > 0, [v < SMALLEST]),
        ),
        Step(
            "Without it: a negative eigenvalue -m makes the iteration grow without bound.",
            r"r_K(-m) = (1+\eta m)^K\to\infty",
            all_of(
                positive((1 + eta * bottom) - 1),
                limit((1 + fraction) ** k, k, sympy.oo, sympy.oo),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """Minus the smallest eigenvalue of A~, Sigma having the eigenvalues |Sigma| and 0.1 |Sigma|."""
    with mpmath.workdps(DIGITS):
        size, alpha_sq = parameters["N"], mpmath.exp(-mpmath.mpf(parameters["t"]))
        matrix = gram(parameters, size)
        for i in range(size):
            for j in range(size):
                if abs(i - j) > parameters["J"]:
                    matrix[i, j] = mpmath.mpf(0)
        top = mpmath.mpf(parameters["spatial"])
        lowest = eigenvalues(matrix)[0]
        return -min(alpha_sq * lowest * mu + 1 - alpha_sq for mu in (top, top / 10))


def measure_large(parameters: Parameters) -> mpmath.mpf:
    """The same in float64, for many frames and Sigma = I."""
    lags = np.arange(parameters["N"])
    column = np.exp(-lags / parameters["ell"]) * (lags <= parameters["J"])
    matrix = column[np.abs(lags[:, None] - lags[None, :])]
    alpha_sq = float(np.exp(-parameters["t"]))
    lowest = float(np.linalg.eigvalsh(matrix)[0])
    return mpmath.mpf(-(alpha_sq * lowest + 1 - alpha_sq))


def derive(parameters: Parameters) -> Parameters:
    """lambda_min(A_t) and T_N(J)."""
    with mpmath.workdps(DIGITS):
        size, alpha_sq = parameters["N"], mpmath.exp(-mpmath.mpf(parameters["t"]))
        lowest = eigenvalues(gram(parameters, size))[0] if size < 20 else mpmath.mpf(0)
        return {
            **parameters,
            "smallest": alpha_sq * lowest * mpmath.mpf(parameters["spatial"]) / 10 + 1 - alpha_sq,
            "dropped": mpmath.fsum(
                kernel(parameters, lag) for lag in range(parameters["J"] + 1, size)
            ),
        }


_SLOW = {"regime": 0, "ell": 64.0, "shape": 1.0, "N": 64, "t": 1.0, "spatial": 1.0}

LEMMA = Lemma(
    name="banded_definite",
    doc=__doc__,
    claim=r"\alpha_t^2\,2T_N(J)\,\|\Sigma\|<\lambda_{\min}(A_t)\ \Rightarrow\ \tilde A_t\succ0",
    kind="upper",
    assumptions=(
        r"$\Sigma\succeq0$",
        r"$\alpha_t^2\,2T_N(J)\,\|\Sigma\|<\lambda_{\min}(A_t)$",
    ),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        **RANGES,
        "N": Range(2, 8, integer=True),
        "J": Range(0, 7, integer=True),
        "t": Range(0.01, 3.0),
        "spatial": Range(0.1, 4.0),
    },
    wrong_variants=(
        WrongVariant("every dropped lag counted once", steps=partial(steps, moved=MOVED / 2)),
        *(
            WrongVariant(
                f"condition dropped: banded at J = {band}, and indefinite",
                bound=sympy.S.Zero,
                measure=measure_large,
                counterexample={**_SLOW, "J": band},
            )
            for band in (4, 16, 32)
        ),
        WrongVariant(
            "nothing is lost by a band",
            bound=-SMALLEST,
            counterexample={**_SLOW, "ell": 4.0, "N": 8, "J": 2},
        ),
    ),
    also={"moved": MOVED, "lower": SMALLEST - MOVED},
)
