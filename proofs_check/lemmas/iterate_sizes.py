r"""Iterates and inputs are bounded by the score, so rounding errors can be charged to it.

Statement
---------
Let S^2 = E|s|^2 = tr(A^{-1}) and let s_k = -q_k(At) b be an iterate with realised matrix At as in
lemma perturbation (At = A: e = 0).  In root mean square

    |s_k| <= (1 + delta_k + (1 + delta_k) e/m) S,    |b| <= L S,    S^2 >= n^2 / tr(A),

with L an upper bound of eig(A) and n = frames x channels.

Assumptions
-----------
A symmetric positive definite with eigenvalues at most L; those of lemma perturbation.

Proof
-----
The first is the triangle inequality for root mean squares and lemma perturbation.  The others are
sums of non-negative terms: L^2/lambda - lambda, and (lambda^{-1/2} - c lambda^{1/2})^2.

Kind
----
tight: attained at size 1 with an overshooting step.

Source
------
Own derivation.

Example
-------
>>> value, bound = LEMMA.sample({"size": 1, "seed": 0, "K": 1, "step": 1.25, "e": 0.5})
>>> float(value), float(bound)
(1.875, 1.875)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, lemma, nonnegative, smt, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas import perturbation
from proofs_check.step import Parameters, Step, WrongVariant
from proofs_check.symbols import L, lam

BOUND = 1 + perturbation.BOUND


def steps(bound: sympy.Expr = BOUND, largest: sympy.Expr = L) -> list[Step]:
    """The proof, for a claimed bound of |s_k|/S and of |b|/S."""
    n = sympy.Symbol("n", integer=True, positive=True)
    i = sympy.Symbol("i", integer=True, positive=True)
    value = sympy.IndexedBase("lambda", positive=True)
    root = sympy.IndexedBase("g", positive=True)  # square roots of the eigenvalues
    single = sympy.Symbol("g_i", positive=True)
    c, trace = sympy.symbols("c T", positive=True)
    room, u = sympy.symbols("u v", nonnegative=True)
    x, y = sympy.symbols("x y", nonnegative=True)
    inner = sympy.Symbol("p", real=True)
    return [
        Step(
            "The error of the iterate.",
            r"\|s_k-s\|\le\bigl(\delta_k+(1+\delta_k)e/m\bigr)S",
            lemma("perturbation"),
        ),
        Step(
            "Triangle inequality, from |E<s, s_k - s>| <= |s| |s_k - s| (Cauchy-Schwarz).",
            r"(x+y)^2-(x^2+2p+y^2) = 2(xy-p)\ge0",
            nonnegative((x + y) ** 2 - (x**2 + 2 * (x * y - u) + y**2)),
            smt(x**2 + 2 * inner + y**2 <= (x + y) ** 2, [inner <= x * y]),
        ),
        Step(
            "So the iterate has at most the claimed size.",
            r"\|s_k\|\le\|s\|+\|s_k-s\|",
            identity(1 + perturbation.BOUND, bound, automatic=True),
        ),
        Step(
            "The input, term by term: its mean square is tr(A).",
            r"L^2\sum_i\lambda_i^{-1}-\sum_i\lambda_i = \sum_i(L^2-\lambda_i^2)/\lambda_i\ge0",
            sum_nonnegative(
                largest**2 * sympy.Sum(1 / value[i], (i, 1, n)) - sympy.Sum(value[i], (i, 1, n)),
                (largest**2 - value[i] ** 2) / value[i],
                (i, 1, n),
                {value[i]: lam, L: lam + room},
            ),
            smt(lam <= largest**2 / lam, [lam <= L]),
        ),
        Step(
            "The score is not small, term by term, with c = n/tr(A).",
            r"\sum_i\lambda_i^{-1}-2cn+c^2\sum_i\lambda_i = \sum_i(g_i^{-1}-cg_i)^2\ge0,"
            r"\ g_i^2=\lambda_i",
            all_of(
                sum_nonnegative(
                    sympy.Sum(1 / root[i] ** 2, (i, 1, n))
                    - sympy.Sum(2 * c, (i, 1, n))
                    + c**2 * sympy.Sum(root[i] ** 2, (i, 1, n)),
                    (1 / root[i] - c * root[i]) ** 2,
                    (i, 1, n),
                    {root[i]: single},
                ),
                identity(sympy.Sum(2 * c, (i, 1, n)).doit(), 2 * c * n, automatic=True),
                identity(
                    (2 * c * n - c**2 * trace).subs(c, n / trace), n**2 / trace, automatic=True
                ),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """|s_K|/S from dense matrices."""
    with mpmath.workdps(40):
        realised, true = perturbation.problem(parameters)
        operator = perturbation.iterate(parameters, realised)
        inverse = true**-1
        size, score = (x * true * x.T for x in (operator, inverse))
        return mpmath.sqrt(
            mpmath.fsum(size[i, i] for i in range(true.rows))
            / mpmath.fsum(score[i, i] for i in range(true.rows))
        )


def measure_input(parameters: Parameters) -> mpmath.mpf:
    """|b|/S for diag(1, 3): sqrt(tr A / tr A^{-1})."""
    del parameters
    return mpmath.sqrt(mpmath.mpf(4) / (1 + mpmath.mpf(1) / 3))


_WITNESS = perturbation.WITNESS

LEMMA = Lemma(
    name="iterate_sizes",
    doc=__doc__,
    claim=r"\|s_k\|\le\bigl(1+\delta_k+(1+\delta_k)\tfrac em\bigr)S,\ \|b\|\le LS,\ "
    r"S^2\ge\frac{n^2}{\mathrm{tr}A}",
    kind="tight",
    assumptions=perturbation.LEMMA.assumptions,
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=perturbation.derive,
    parameters=perturbation.LEMMA.parameters,
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "1 + delta, the perturbation forgotten",
            steps=partial(steps, bound=1 + perturbation.delta),
            bound=1 + perturbation.delta,
            counterexample=_WITNESS,
        ),
        WrongVariant("|b| <= L S/2", steps=partial(steps, largest=L / 2)),
        WrongVariant(
            "|b| <= S, as if L were 1",
            measure=measure_input,
            bound=sympy.Integer(1),
            counterexample=_WITNESS,
        ),
    ),
    also={"input": L},
)
