r"""Local errors of a preconditioned iteration arrive through the factors that are left.

Statement
---------
Let s <- s - eta_j P (A s + b) for j = 0, 1, ..., with eigenvalues h of P A, and those of A in
[m, L]. An error xi in the residual of step j < K and an error zeta in the iterate after step j move
s_K by at most

    w |xi| / m,        w = max_h |eta_j h prod_{j<l<K} (1 - eta_l h)|,
    v |zeta| sqrt(L/m),        v = max_h |prod_{j<l<K} (1 - eta_l h)|.

In the norm |A^{1/2} .| the second needs no sqrt(L/m).

Assumptions
-----------
A and P symmetric positive definite.

Proof
-----
With S = A^{1/2} and H = S P S, whose eigenvalues are the h: the factors are S^{-1} (1 - eta H) S,
and P = S^{-1} H S^{-1}. So xi arrives as S^{-1} q(H) S^{-1} xi with the polynomial
q(h) = eta_j h prod (1 - eta_l h), and zeta as S^{-1} v(H) S zeta; |S^{-1}|^2 = 1/m, |S|^2 = L.

Kind
----
tight: the first is attained at size 1.

Source
------
Own derivation; Y. Saad, Iterative Methods for Sparse Linear Systems, 2nd ed., Section 9.2.1.

Example
-------
>>> value, bound = LEMMA.sample({"size": 1, "K": 2, "seed": 3})
>>> bool(abs(value / bound - 1) < 1e-12)
True
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, nonnegative
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import m

weight = sympy.Symbol("w", nonnegative=True)
kappa = sympy.Symbol("kappa", positive=True)
"""L/m."""
BOUND = weight / m
ITERATE = sympy.Symbol("v", nonnegative=True) * sympy.sqrt(kappa)


def steps(bound: sympy.Expr = BOUND, iterate: sympy.Expr = ITERATE) -> list[Step]:
    """The proof, for claimed factors in front of both errors."""
    root, inner = (sympy.Symbol(name, commutative=False) for name in ("S", "H"))
    eta, first = sympy.symbols("eta eta_j", real=True)
    p = root**-1 * inner * root**-1
    slack, largest = sympy.symbols("u L", positive=True)
    v = sympy.Symbol("v", nonnegative=True)
    return [
        Step(
            "P in terms of H = S P S, and a factor of the iteration, with A = S^2.",
            r"P = S^{-1}HS^{-1},\qquad I-\eta PA = S^{-1}(I-\eta H)S",
            all_of(
                identity(root * p * root, inner, automatic=True),
                identity(
                    sympy.expand(1 - eta * p * root**2),
                    sympy.expand(root**-1 * (1 - eta * inner) * root),
                    automatic=True,
                ),
            ),
        ),
        Step(
            "Products of factors keep this form; with one P behind them the S are balanced.",
            r"(I-\eta PA)\,\eta_jP = S^{-1}(I-\eta H)\,\eta_jH\,S^{-1}",
            identity(
                sympy.expand((1 - eta * p * root**2) * first * p),
                sympy.expand(root**-1 * (1 - eta * inner) * first * inner * root**-1),
                automatic=True,
            ),
        ),
        Step(
            "The norm of a polynomial of a symmetric matrix is its largest value on the spectrum; "
            "norms of products.",
            r"\|S^{-1}q(H)S^{-1}\|\le\max_h|q(h)|\,\|S^{-1}\|^2",
            cited(
                "Horn & Johnson, Matrix Analysis, 2nd ed., Section 5.6",
                "the spectral norm is submultiplicative, and the spectral radius if symmetric",
            ),
        ),
        Step(
            "Norms of S: the smallest eigenvalue of A is at least m, the largest at most L.",
            r"\|S^{-1}\|^2\le\frac1m,\qquad\|S\|\,\|S^{-1}\|\le\sqrt{L/m}",
            all_of(
                nonnegative(bound - weight / (m + slack)),
                identity(
                    (iterate**2).subs(kappa, largest / m), v**2 * (largest / m), automatic=True
                ),
            ),
        ),
    ]


def _problem(parameters: Parameters) -> tuple[Any, Any, list[Any]]:
    """A, P and the step sizes."""
    size, rng = parameters["size"], random.Random(parameters["seed"])

    def definite() -> Any:
        factor = mpmath.matrix(size, size)
        for i in range(size):
            for j in range(size):
                factor[i, j] = mpmath.mpf(rng.randint(-99, 99)) / 80
        return factor * factor.T + mpmath.eye(size) / 5

    etas = [mpmath.mpf(rng.randint(10, 99)) / 50 for _ in range(parameters["K"])]
    return definite(), definite(), etas


def _arrival(parameters: Parameters) -> tuple[Any, Any]:
    """What a unit error in the residual, and in the iterate, of step 0 becomes: two matrices."""
    a, p, etas = _problem(parameters)
    residual, iterate = etas[0] * p, mpmath.eye(a.rows)
    for eta in etas[1:]:
        factor = mpmath.eye(a.rows) - eta * p * a
        residual, iterate = factor * residual, factor * iterate
    return residual, iterate


def _norm(matrix: Any) -> mpmath.mpf:
    return mpmath.sqrt(max(mpmath.eigsy(matrix.T * matrix, eigvals_only=True)))


def measure(parameters: Parameters) -> mpmath.mpf:
    """The norm of what a unit error of the first residual becomes."""
    with mpmath.workdps(40):
        return _norm(_arrival(parameters)[0])


def measure_iterate(parameters: Parameters) -> mpmath.mpf:
    """The same for the iterate, in units of the largest product."""
    with mpmath.workdps(40):
        values = derive(parameters)
        return _norm(_arrival(parameters)[1]) / values["v"] * values["w"] / values["m"]


def derive(parameters: Parameters) -> Parameters:
    """w, v, m and kappa from eigenvalues."""
    with mpmath.workdps(40):
        a, p, etas = _problem(parameters)
        root = mpmath.cholesky(a)
        h = mpmath.eigsy(root.T * p * root, eigvals_only=True)
        ends = mpmath.eigsy(a, eigvals_only=True)
        left = [mpmath.fprod(1 - eta * x for eta in etas[1:]) for x in h]
        return {
            "w": max(abs(etas[0] * x * y) for x, y in zip(h, left, strict=True)),
            "v": max(abs(y) for y in left),
            "m": min(ends),
            "kappa": max(ends) / min(ends),
        }


_WITNESS = {"size": 1, "K": 2, "seed": 3}
_POINT = {"size": 3, "K": 2, "seed": 5}

LEMMA = Lemma(
    name="preconditioned_arrival",
    doc=__doc__,
    claim=r"\frac{w}{m}\,\|\xi\|,\qquad v\,\sqrt{L/m}\,\|\zeta\|",
    kind="tight",
    assumptions=(r"$A,P\succ0$", r"eigenvalues of $A$ in $[m,L]$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "size": Range(1, 4, integer=True),
        "K": Range(1, 4, integer=True),
        "seed": Range(0, 10_000, integer=True),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "half of it",
            steps=partial(steps, bound=weight / (2 * m)),
            bound=weight / (2 * m),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "an error of the iterate without the condition number of A",
            steps=partial(steps, iterate=sympy.Symbol("v", nonnegative=True)),
            measure=measure_iterate,
            counterexample=_POINT,
        ),
    ),
    also={"iterate": ITERATE},
)
