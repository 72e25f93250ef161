r"""A polynomial is hardly larger between the points of a fine Chebyshev grid than at them.

Statement
---------
For a polynomial p of degree at most n and the m > n zeros x_j of T_m

    max_{[-1,1]} |p| <= max_j |p(x_j)| / cos(pi n / (2 m)).

Assumptions
-----------
m > n.

Proof
-----
Let |p(cos theta)| have its maximum at theta*. By the comparison theorem of M. Riesz, |p(cos theta)|
is at least cos(n (theta - theta*)) times it as long as |theta - theta*| <= pi/n, and a zero of T_m
is within pi/(2m) of theta* on the circle.

Kind
----
tight: attained by p = T_1, and by T_n wherever m is an odd multiple of n.

Source
------
H. Ehlich & K. Zeller, Schwankung von Polynomen zwischen Gitterpunkten, Math. Z. 86 (1964).

Example
-------
>>> value, bound = LEMMA.sample({"n": 1, "m": 3, "seed": -1})
>>> round(float(value), 6), round(float(bound), 6)
(1.154701, 1.154701)
"""

from __future__ import annotations

import random
from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._convexity import decreasing_on
from proofs_check.step import Parameters, Range, Step, WrongVariant

n, m = sympy.symbols("n m", positive=True)
BOUND = 1 / sympy.cos(sympy.pi * n / (2 * m))


def steps(spacing: sympy.Expr = sympy.pi / m) -> list[Step]:
    """The proof, for a claimed spacing of the angles."""
    theta = sympy.Symbol("theta", positive=True)
    j = sympy.Symbol("j", integer=True, nonnegative=True)
    more = sympy.Symbol("u", positive=True)

    def angle(index: sympy.Expr) -> sympy.Expr:
        return (2 * index + 1) * sympy.pi / (2 * m)

    return [
        Step(
            "Around its maximum a trigonometric polynomial of degree n stays above a cosine.",
            r"|p(\cos\theta)|\ge\max|p|\,\cos n(\theta-\theta^*),\quad|\theta-\theta^*|\le\pi/n",
            cited(
                "M. Riesz, Jber. Deutsch. Math.-Verein. 23 (1914); Ehlich & Zeller, Satz 1",
                "comparison of a trigonometric polynomial with a cosine at its maximum",
            ),
        ),
        Step(
            "The angles of the grid are evenly spaced on the whole circle, at pi and 0 too.",
            r"\theta_{j+1}-\theta_j = 2\pi-2\theta_{m-1} = 2\theta_0 = \frac\pi m",
            all_of(
                identity(angle(j + 1) - angle(j), spacing, automatic=True),
                identity(2 * sympy.pi - 2 * angle(m - 1), spacing, automatic=True),
                identity(2 * angle(sympy.S.Zero), spacing, automatic=True),
            ),
        ),
        Step(
            "So one is within half of that of the maximum, where the cosine still counts.",
            r"\frac\pi{2m}\le\frac\pi n,\qquad\frac{n\pi}{2m}<\frac\pi2",
            all_of(
                nonnegative((sympy.pi / n - spacing / 2).subs(m, n + more)),
                nonnegative((sympy.pi / 2 - n * spacing / 2).subs(m, n + more)),
            ),
        ),
        Step(
            "The cosine falls up to there, so the grid sees at least its value at the far end.",
            r"\max_j|p(x_j)|\ge\max|p|\,\cos\frac{n\pi}{2m}",
            all_of(
                decreasing_on(sympy.cos(theta), theta, 0, sympy.pi),
                identity(1 / sympy.cos(n * spacing / 2), BOUND, automatic=True),
            ),
        ),
    ]


def _polynomial(parameters: Parameters) -> list[mpmath.mpf]:
    """Chebyshev coefficients; seed -1 is T_n."""
    degree, rng = parameters["n"], random.Random(parameters["seed"])
    if parameters["seed"] == -1:
        return [mpmath.mpf(0)] * degree + [mpmath.mpf(1)]
    return [mpmath.mpf(rng.randint(-99, 99)) / 99 for _ in range(degree)] + [mpmath.mpf(1)]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The maximum over a fine grid, in units of the maximum over the zeros of T_m."""
    with mpmath.workdps(40):
        series, points = _polynomial(parameters), max(parameters["m"], 1)

        def value(theta: mpmath.mpf) -> mpmath.mpf:
            return abs(mpmath.fsum(c * mpmath.cos(k * theta) for k, c in enumerate(series)))

        fine = max(value(mpmath.pi * i / 200) for i in range(201))
        coarse = max(value(mpmath.pi * (2 * j + 1) / (2 * points)) for j in range(points))
        return fine / coarse


def derive(parameters: Parameters) -> Parameters:
    """n and m, at least one more."""
    return {"n": parameters["n"], "m": parameters["m"]}


_WITNESS = {"n": 1, "m": 2, "seed": -1}

LEMMA = Lemma(
    name="chebyshev_grid",
    doc=__doc__,
    claim=r"\max_{[-1,1]}|p|\le\frac{\max_j|p(x_j)|}{\cos(\pi n/2m)}",
    kind="tight",
    assumptions=(r"$\deg p\le n<m$",),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "n": Range(1, 5, integer=True),
        "m": Range(6, 20, integer=True),
        "seed": Range(-1, 10_000, integer=True),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "twice as fine a grid",
            steps=partial(steps, sympy.pi / (2 * m)),
            bound=1 / sympy.cos(sympy.pi * n / (4 * m)),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "no growth at all",
            bound=sympy.S.One,
            counterexample=_WITNESS,
        ),
    ),
)
