r"""No polynomial of degree K with p(0) = 1 is smaller on [m, L] than the Chebyshev residual.

Statement
---------
For every polynomial p of degree at most K with p(0) = 1, with theta = (m+L)/2, delta = (L-m)/2,

    1 / max_{[m,L]} |p| <= T_K(theta/delta) = (1+z^{2K})/(2 z^K),

so no unrolled iteration of K blocks of this form beats the Chebyshev rate on the interval.

Assumptions
-----------
0 < m < L; degree at most K.

Proof
-----
Extrapolate p from the K+1 extremal points x_j of T_K to 0 (Lagrange): p(0) = sum_j c_j p(x_j).  The
sign of c_j is (-1)^j, since exactly j factors are negative; T_K itself takes the values (-1)^j, so
sum_j |c_j| = T_K(theta/delta).  Hence 1 = p(0) <= max|p| T_K(theta/delta).

Kind
----
tight: attained by the Chebyshev residual polynomial.

Source
------
Y. Saad, Iterative Methods for Sparse Linear Systems, 2nd ed., Theorem 6.25; interpolation:
L. N. Trefethen, Approximation Theory and Approximation Practice, Chapter 5.

Example
-------
>>> value, bound = LEMMA.sample({"m": 1.0, "L": 9.0, "K": 2, "blend": 0.0, "seed": 0})
>>> bool(abs(value / bound - 1) < 1e-12)
True
"""

from __future__ import annotations

import random
from functools import partial

import mpmath
import sympy

from proofs_check.discharge import (
    all_of,
    cited,
    identity,
    positive,
    smt,
    sum_nonnegative,
)
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import K, L, m

z = sympy.Symbol("z", positive=True)
RHO = (sympy.sqrt(L) - sympy.sqrt(m)) / (sympy.sqrt(L) + sympy.sqrt(m))
EXTRAPOLATION = (1 + z ** (2 * K)) / (2 * z**K)
"""T_K(theta/delta)."""


def steps(extrapolation: sympy.Expr = EXTRAPOLATION, later_sign: int = 1) -> list[Step]:
    """The proof, for a claimed sum of |c_j| and a claimed sign of the factors with i > j."""
    j = sympy.Symbol("j", integer=True, nonnegative=True)
    first, second = sympy.symbols("x_i x_j", positive=True)
    gap = sympy.Symbol("u", positive=True)
    alpha, beta = sympy.symbols("alpha beta", real=True)
    size, u, v, weight = sympy.symbols("M u v a", nonnegative=True)
    a = sympy.IndexedBase("a", nonnegative=True)
    e = sympy.IndexedBase("e", real=True)
    e_j = sympy.Symbol("e_j", real=True)
    factor = first / (first - second)
    return [
        Step(
            "At the extremal points T_K alternates between 1 and -1.",
            r"T_K(\cos\tfrac{j\pi}K) = \cos j\pi = (-1)^j",
            identity(sympy.cos(K * (j * sympy.pi / K)), (-1) ** j, automatic=True),
        ),
        Step(
            "They are in order: both sines are positive for 0 <= alpha < beta <= pi.",
            r"\cos\alpha-\cos\beta = 2\sin\tfrac{\alpha+\beta}2\sin\tfrac{\beta-\alpha}2",
            identity(
                sympy.cos(alpha) - sympy.cos(beta),
                2 * sympy.sin((alpha + beta) / 2) * sympy.sin((beta - alpha) / 2),
            ),
        ),
        Step(
            "A polynomial of degree at most K is given by its values at K+1 points.",
            r"p(0) = \sum_{j=0}^K c_j\,p(x_j),\qquad c_j=\prod_{i\ne j}\frac{x_i}{x_i-x_j}",
            cited(
                "Trefethen, Approximation Theory and Approximation Practice, Chapter 5",
                "Lagrange's interpolation formula, evaluated at 0",
            ),
        ),
        Step(
            "Factors with i > j are positive, with i < j negative: the sign of c_j is (-1)^j.",
            r"\frac{x_i}{x_i-x_j}>0\ (x_i>x_j>0),\qquad \frac{x_i}{x_i-x_j}<0\ (0<x_i<x_j)",
            all_of(
                positive(later_sign * factor, {first: second + gap}),
                positive(-factor, {second: first + gap}),
            ),
            smt(
                sympy.And(
                    sympy.Or(first <= second, later_sign * factor > 0),
                    sympy.Or(first >= second, factor < 0),
                ),
                [sympy.Ne(first, second)],
            ),
        ),
        Step(
            "Applied to T_K itself: the sum of the |c_j| is T_K(theta/delta).",
            r"T_K(\theta/\delta) = \sum_j c_j(-1)^j = \sum_j|c_j|,\quad (-1)^{2j}=1",
            all_of(
                identity((-1) ** j * (-1) ** j, 1, automatic=True),
                identity((z**K + z ** (-K)) / 2, extrapolation),
            ),
        ),
        Step(
            "For |p(x_j)| <= M, with e_j = (-1)^j p(x_j) in [-M, M], term by term.",
            r"M\sum_j|c_j|-\sum_j|c_j|e_j = \sum_j|c_j|(M-e_j) \ge 0",
            sum_nonnegative(
                size * sympy.Sum(a[j], (j, 0, K)) - sympy.Sum(a[j] * e[j], (j, 0, K)),
                a[j] * (size - e[j]),
                (j, 0, K),
                {a[j]: weight, size: (u + v) / 2, e[j]: (v - u) / 2},
            ),
            smt(weight * e_j <= weight * size, [e_j <= size, -size <= e_j]),
        ),
        Step(
            "All extremal points are positive, so the extrapolation to 0 is outside the interval.",
            r"x_j \ge m > 0,\quad \theta/\delta>1",
            positive((m + L) / (L - m) - 1, {L: m + gap}),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """1/max|p| over extremal points and a grid, for roots blended from Chebyshev to random."""
    with mpmath.workdps(40):
        low, high = mpmath.mpf(parameters["m"]), mpmath.mpf(parameters["L"])
        degree, blend = parameters["K"], mpmath.mpf(parameters["blend"])
        centre, half = (low + high) / 2, (high - low) / 2
        rng = random.Random(parameters["seed"])
        roots = []
        for index in range(degree):
            best = centre - half * mpmath.cos((2 * index + 1) * mpmath.pi / (2 * degree))
            other = low + (high - low) * mpmath.mpf(rng.randint(0, 1000)) / 1000
            roots.append((1 - blend) * best + blend * other)
        points = [centre - half * mpmath.cos(i * mpmath.pi / degree) for i in range(degree + 1)]
        points += [low + (high - low) * i / 40 for i in range(41)]
        return 1 / max(abs(mpmath.fprod(1 - x / root for root in roots)) for x in points)


_WITNESS = {"m": 0.5, "L": 7.0, "K": 6, "blend": 0.0, "seed": 0}
BOUND = EXTRAPOLATION.subs(z, RHO)

LEMMA = Lemma(
    name="chebyshev_optimality",
    doc=__doc__,
    claim=r"\max_{[m,L]}|p| \ge \frac{2\rho^K}{1+\rho^{2K}}\quad\text{for }\deg p\le K,\ p(0)=1",
    kind="tight",
    assumptions=(r"$0<m<L$", r"$\deg p\le K$, $p(0)=1$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={
        "m": Range(0.05, 1.0),
        "L": Range(1.5, 50.0),
        "K": Range(1, 8, integer=True),
        "blend": Range(0.0, 1.0),
        "seed": Range(0, 10_000, integer=True),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "half the extrapolation constant: 1/(2 z^K)",
            steps=partial(steps, 1 / (2 * z**K)),
            bound=1 / (2 * RHO**K),
            counterexample=_WITNESS,
        ),
        WrongVariant("all factors negative", steps=partial(steps, later_sign=-1)),
        WrongVariant(
            "the constant of degree K-1 for degree K",
            bound=BOUND.subs(K, K - 1),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "assumption p(0) = 1 dropped: p(0) = 1/2",
            measure=lambda parameters: 2 * measure(parameters),
            counterexample=_WITNESS,
        ),
    ),
    also={"extrapolation": EXTRAPOLATION},
)
