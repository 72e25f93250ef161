r"""The Neumann series converges like the norm of its remainder, and is gradient descent.

Statement
---------
With A = c (I - R) the partial sum s_K = -c^{-1} sum_{k<K} R^k b has the residual polynomial
r_K(lambda) = (1 - lambda/c)^K, the remainder of the series.  It is the gradient iterate with step
1/c from s_0 = 0.  For c >= (m+L)/2 and eig(A) in [m, L] its maximum is (1 - m/c)^K.

Assumptions
-----------
0 < m <= L, c >= (m+L)/2, m <= lambda <= L.

Proof
-----
The geometric sum telescopes, also for matrices.  Induction turns the sum into the iteration.  With
c = (m+L)/2 + v the gap (1-m/c)^2 - (1-lambda/c)^2 is (lambda-m)(2c-m-lambda)/c^2 >= 0.

Kind
----
tight: attained at lambda = m.

Source
------
Ye & Chen, arXiv 2510.02216, appendix (Neumann-series score networks); Y. Saad, Iterative Methods
for Sparse Linear Systems, 2nd ed., Section 12.3.1 (Neumann polynomials).

Example
-------
>>> value, bound = LEMMA.sample({"m": 1.0, "L": 3.0, "extra": 0.0, "K": 3, "position": 0.0})
>>> float(value), float(bound)
(0.125, 0.125)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.common_steps import powers_keep_order
from proofs_check.discharge import (
    all_of,
    identity,
    limit,
    nonnegative,
    ordered,
    positive,
    recurrence,
    smt,
    summation,
)
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import K, L, k, lam, m

c = sympy.Symbol("c", positive=True)
b = sympy.Symbol("b", real=True)
RATE = 1 - m / c


def steps(rate: sympy.Expr = RATE, least: sympy.Expr = (m + L) / 2) -> list[Step]:
    """The proof, for a claimed rate and a claimed least constant c."""
    r, excess = sympy.Symbol("r", real=True), sympy.Symbol("v", nonnegative=True)
    j = sympy.Symbol("j", integer=True, nonnegative=True)
    fraction = sympy.Symbol("q", positive=True)
    matrix = sympy.Symbol("R", commutative=False)
    ratio = 1 - lam / c
    iterate = -b * (1 - ratio**k) / lam
    slacks = ordered(m, lam, L) | {
        c: least.subs(ordered(m, lam, L), simultaneous=True) + excess,
    }
    return [
        Step(
            "The geometric sum has a closed form, by telescoping.",
            r"\sum_{j=0}^{k} r^j = \frac{1-r^{k+1}}{1-r}",
            summation(r**j, (j, 0, k), (1 - r ** (k + 1)) / (1 - r)),
        ),
        Step(
            "For matrices, by induction: multiplying by I - R telescopes.",
            r"(I-R)R^K = R^K-R^{K+1}",
            identity((1 - matrix) * matrix**K, matrix**K - matrix ** (K + 1)),
        ),
        Step(
            "So the residual of the partial sum is the remainder of the series.",
            r"r_K(\lambda) = 1-\lambda q_K(\lambda) = (1-\lambda/c)^K",
            identity(1 - lam * (1 - ratio**K) / (c * (1 - ratio)), ratio**K, automatic=True),
        ),
        Step(
            "The partial sums are the gradient iterates with step 1/c, by induction.",
            r"s_{k+1} = s_k-\tfrac1c(\lambda s_k+b),\quad s_0 = 0",
            recurrence(iterate, k, lambda _, s: s - (lam * s + b) / c, initial=[0]),
        ),
        Step(
            "The remainder factor is largest at the lower end of the spectrum.",
            r"(1-m/c)^2-(1-\lambda/c)^2 = (\lambda-m)(2c-m-\lambda)/c^2 \ge 0",
            nonnegative(rate**2 - ratio**2, slacks),
            smt(ratio**2 <= rate**2, [m <= lam, lam <= L, c >= least]),
        ),
        powers_keep_order(),
        Step(
            "The rate is attained at the lower end.",
            r"1-\lambda/c = 1-m/c \text{ at } \lambda = m",
            identity(ratio.subs(lam, m), rate, automatic=True),
        ),
        Step(
            "The rate lies in [0, 1), so the series converges.",
            r"0 \le 1-m/c < 1,\qquad (1+q)^{-K} \to 0",
            all_of(
                nonnegative(rate, slacks),
                positive(1 - rate, slacks),
                limit((1 + fraction) ** (-K), K, sympy.oo, 0),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """|residual| of the partial sum at one eigenvalue, summed term by term."""
    with mpmath.workdps(40):
        low, high = mpmath.mpf(parameters["m"]), mpmath.mpf(parameters["L"])
        constant = (low + high) / 2 * (1 + mpmath.mpf(parameters["extra"]))
        eigenvalue = low + mpmath.mpf(parameters["position"]) * (high - low)
        total, term = mpmath.mpf(0), mpmath.mpf(1)
        for _ in range(parameters["K"]):
            total += term
            term *= 1 - eigenvalue / constant
        return abs(1 - eigenvalue * total / constant)


def derive(parameters: Parameters) -> Parameters:
    """The symbol c from the drawn excess over (m+L)/2."""
    middle = (sympy.Rational(parameters["m"]) + sympy.Rational(parameters["L"])) / 2
    return {**parameters, "c": middle * (1 + sympy.Rational(parameters["extra"]))}


_WITNESS = {"m": 0.5, "L": 7.0, "extra": 0.5, "K": 9, "position": 0.0}

LEMMA = Lemma(
    name="neumann",
    doc=__doc__,
    claim=r"\max_{[m,L]}|r_K| = \left(1-\frac mc\right)^K,\qquad c\ge\frac{m+L}2",
    kind="tight",
    assumptions=(r"$0<m\le L$", r"$c\ge(m+L)/2$", r"eigenvalues in $[m,L]$"),
    steps=steps(),
    bound=RATE**K,
    measure=measure,
    derive=derive,
    parameters={
        "m": Range(0.01, 1.0),
        "L": Range(1.0, 100.0),
        "extra": Range(0.0, 2.0),
        "K": Range(1, 30, integer=True),
        "position": Range(0.0, 1.0),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "c >= L/2 instead of c >= (m+L)/2",
            steps=partial(steps, least=L / 2),
            counterexample={"m": 0.5, "L": 7.0, "extra": -1 / 15, "K": 9, "position": 1.0},
        ),
        WrongVariant(
            "exponent K+1",
            bound=RATE ** (K + 1),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "rate of the optimal step whatever c is",
            steps=partial(steps, rate=(L - m) / (L + m)),
            bound=((L - m) / (L + m)) ** K,
            counterexample=_WITNESS,
        ),
    ),
    also={"rate": RATE},
)
