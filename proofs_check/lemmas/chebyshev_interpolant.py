r"""Interpolation in Chebyshev points converges geometrically for analytic functions.

Statement
---------
Let f be analytic in the open ellipse with foci -1, 1 whose half axes add up to rho > 1, and
|f| <= M there. The polynomial p of degree n through the values of f at the zeros of T_{n+1} has

    max_{[-1,1]} |f - p| <= 4 M rho^{-n} / (rho - 1).

Assumptions
-----------
rho > 1; f bounded by M in the ellipse, not only on the interval.

Proof
-----
The Chebyshev coefficients of f satisfy |a_k| <= 2 M rho^{-k}.  At the zeros of T_{n+1} every T_k,
k > n, equals -T_{2(n+1)-k}, T_{k-2(n+1)} and so on, up to the sign a T_j with j <= n, or zero: so
f - p = sum_{k>n} a_k (T_k -+ T_j), at most 2 |a_k| each. The rest is a geometric series.

Kind
----
upper: the coefficients are not all as large as they may be.

Source
------
L. N. Trefethen, Approximation Theory and Approximation Practice, Theorems 8.1 and 8.2 (S.
Bernstein, 1912, for the coefficients); aliasing: ibid., Theorem 4.1.

Example
-------
>>> value, bound = LEMMA.sample({"n": 4, "rho": 2.0, "pole": 1.5})
>>> bool(value < bound)
True
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, nonnegative, summation
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

M, rho = sympy.symbols("M rho", positive=True)
n = sympy.Symbol("n", integer=True, nonnegative=True)
BOUND = 4 * M * rho ** (-n) / (rho - 1)


def steps(bound: sympy.Expr = BOUND, doubled: int = 2) -> list[Step]:
    """The proof, for a claimed bound and a claimed factor of an aliased term."""
    k, j = (sympy.Symbol(name, integer=True, nonnegative=True) for name in "kj")
    theta = sympy.Symbol("theta", real=True)
    first, more = sympy.symbols("u v", nonnegative=True)
    gap = sympy.Symbol("q", positive=True)
    node = sympy.pi * (2 * j + 1) / (2 * (n + 1))
    last = sympy.Symbol("N", integer=True, nonnegative=True)
    term = rho ** (-n - 1 - k)
    partial_sum = rho ** (-n) * (1 - rho ** (-last - 1)) / (rho - 1)
    return [
        Step(
            "The Chebyshev coefficients of a function that is bounded by M in the ellipse.",
            r"|a_k|\le2M\rho^{-k}",
            cited(
                "Trefethen, Approximation Theory and Approximation Practice, Theorem 8.1",
                "Chebyshev coefficients decay like 2 M rho^-k in a Bernstein ellipse",
            ),
        ),
        Step(
            "At the zeros of T_{n+1} a reflection of the degree changes the sign only.",
            r"\cos\bigl((2(n+1)-k)\theta_j\bigr) = -\cos(k\theta_j),\qquad"
            r"\theta_j = \frac{(2j+1)\pi}{2(n+1)}",
            all_of(
                identity(
                    sympy.expand_trig(sympy.cos((2 * j + 1) * sympy.pi - k * theta)),
                    -sympy.cos(k * theta),
                    automatic=True,
                ),
                identity((2 * (n + 1) - k) * node, (2 * j + 1) * sympy.pi - k * node),
            ),
        ),
        Step(
            "So every term beyond n differs from its interpolant by two values of size 1 at most.",
            r"|T_k\pm T_j|\le2",
            nonnegative(doubled - (1 - first / (1 + first)) - (1 - more / (1 + more))),
        ),
        Step(
            "The tail of the geometric series, by partial sums.",
            r"\sum_{k=n+1}^{n+1+N}\rho^{-k} = \rho^{-n}\,\frac{1-\rho^{-N-1}}{\rho-1}",
            summation(term, (k, 0, last), partial_sum),
        ),
        Step(
            "Each partial sum, times 2 and 2 M, is below the claim.",
            r"\frac{4M\rho^{-n}}{\rho-1}-4M\rho^{-n}\,\frac{1-\rho^{-N-1}}{\rho-1}\ge0",
            nonnegative(
                ((bound - doubled * 2 * M * partial_sum) * rho**n).subs(rho, 1 + gap).simplify()
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The error of the interpolant of a function with one pole."""
    with mpmath.workdps(40):
        pole = _pole(parameters)
        return _error(parameters["n"], lambda x: 1 / (pole - x))


def measure_aliased(parameters: Parameters) -> mpmath.mpf:
    """That of a polynomial that is at most 1 on the interval, and large in the ellipse."""
    degree = 2 * (parameters["n"] + 1)
    with mpmath.workdps(40):
        return _error(parameters["n"], lambda x: mpmath.cos(degree * mpmath.acos(x)))


def _error(degree: int, f: Callable[[Any], Any]) -> mpmath.mpf:
    """The largest distance of the interpolant on a grid, by Lagrange's formula."""
    nodes = [mpmath.cos(mpmath.pi * (2 * j + 1) / (2 * (degree + 1))) for j in range(degree + 1)]
    worst = mpmath.mpf(0)
    for i in range(101):
        x = mpmath.cos(mpmath.pi * i / 100)
        value = mpmath.mpf(0)
        for a, node in enumerate(nodes):
            term = f(node)
            for b, other in enumerate(nodes):
                if b != a:
                    term *= (x - other) / (node - other)
            value += term
        worst = max(worst, abs(f(x) - value))
    return worst


def _pole(parameters: Parameters) -> mpmath.mpf:
    """A real pole outside the ellipse."""
    ratio = mpmath.mpf(parameters["rho"]) * mpmath.mpf(parameters["pole"])
    return (ratio + 1 / ratio) / 2


def derive(parameters: Parameters) -> Parameters:
    """M: the function is largest where the ellipse is closest to the pole."""
    with mpmath.workdps(40):
        ratio = mpmath.mpf(parameters["rho"])
        return {**parameters, "M": 1 / (_pole(parameters) - (ratio + 1 / ratio) / 2)}


LEMMA = Lemma(
    name="chebyshev_interpolant",
    doc=__doc__,
    claim=r"\max_{[-1,1]}|f-p|\le\frac{4M\rho^{-n}}{\rho-1}",
    kind="upper",
    assumptions=(r"$\rho>1$", r"$|f|\le M$ in the ellipse"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "n": Range(0, 9, integer=True),
        "rho": Range(1.05, 4.0),
        "pole": Range(1.01, 3.0),
    },
    wrong_variants=(
        WrongVariant(
            "two powers of rho more",
            steps=partial(steps, BOUND / rho**2),
            bound=BOUND / rho**2,
            counterexample={"n": 0, "rho": 4.0, "pole": 2.0},
        ),
        WrongVariant("terms beyond n count once", steps=partial(steps, doubled=1)),
        WrongVariant(
            "M on the interval instead of the ellipse",
            bound=BOUND.subs(M, 1),
            measure=measure_aliased,
            counterexample={"n": 3, "rho": 3.0, "pole": 2.0},
        ),
    ),
)
