r"""Values off by r at the Chebyshev points move the interpolant by at most sqrt(2n+1) r.

Statement
---------
Let p be the polynomial of degree n with values v_j, |v_j| <= r, at the zeros of T_{n+1}. Then

    max_{[-1,1]} |p| <= sqrt(2n+1) r.

Assumptions
-----------
None.

Proof
-----
With p = sum_k c_k T_k, discrete orthogonality at the zeros makes the mean of v_j^2 equal to
c_0^2 + (1/2) sum_{k>=1} c_k^2, and (c_0 + sum c_k T_k)^2 <= (c_0^2 + (1/2) sum c_k^2) (1 + 2n) by
Cauchy-Schwarz and |T_k| <= 1.

Kind
----
tight: attained at n = 0; for large n the growth is logarithmic.

Source
------
Own derivation; the sharp constant: L. N. Trefethen, Approximation Theory and Approximation
Practice, Theorem 15.2.

Example
-------
>>> value, bound = LEMMA.sample({"n": 0, "r": 0.5, "seed": 1})
>>> float(value), float(bound)
(0.5, 0.5)
"""

from __future__ import annotations

import random
from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, sum_nonnegative, summation
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

n = sympy.Symbol("n", nonnegative=True)
r = sympy.Symbol("r", nonnegative=True)
BOUND = sympy.sqrt(2 * n + 1) * r


def steps(squared: sympy.Expr = 2 * n + 1) -> list[Step]:
    """The proof, for a claimed square of the factor."""
    k, j, last = (sympy.Symbol(name, integer=True, nonnegative=True) for name in ("k", "j", "N"))
    size = sympy.Symbol("n", integer=True, nonnegative=True)
    theta = sympy.Symbol("theta", real=True)
    c, t = sympy.IndexedBase("c", real=True), sympy.IndexedBase("T", real=True)
    w = sympy.IndexedBase("w", positive=True)
    coefficient, value, mean = sympy.symbols("c_k T_k mu", real=True)
    weight = sympy.Symbol("w_k", positive=True)
    total, half = sympy.symbols("S Q", nonnegative=True)
    angle = (2 * j + 1) * theta
    return [
        Step(
            "Cosines at the zeros add up to a sine, by telescoping.",
            r"\sum_{j=0}^N2\sin\theta\cos(2j+1)\theta = \sin2(N+1)\theta",
            summation(
                2 * sympy.sin(theta) * sympy.cos(angle),
                (j, 0, last),
                sympy.sin(2 * (last + 1) * theta),
            ),
        ),
        Step(
            "It vanishes at theta = k pi/(2(n+1)), N = n, so that different T_k are orthogonal.",
            r"\sin\bigl(2(n+1)\,k\pi/2(n+1)\bigr) = \sin k\pi = 0,\qquad"
            r"2T_kT_l = T_{k+l}+T_{k-l}",
            all_of(
                identity(
                    sympy.sin(2 * (size + 1) * k * sympy.pi / (2 * (size + 1))),
                    0,
                    automatic=True,
                ),
                identity(
                    2 * sympy.cos(k * theta) * sympy.cos(j * theta),
                    sympy.cos((k + j) * theta) + sympy.cos((k - j) * theta),
                ),
            ),
        ),
        Step(
            "So the mean square of the values is c_0^2 + (1/2) sum c_k^2: cos^2 has the mean 1/2.",
            r"\cos^2k\theta = \tfrac12(1+\cos2k\theta)",
            identity(sympy.cos(k * theta) ** 2, (1 + sympy.cos(2 * k * theta)) / 2),
        ),
        Step(
            "Weighted Cauchy-Schwarz for any weights, as a sum of squares with mu = p / S.",
            r"\sum_k\frac{(c_kw_k-\mu T_k)^2}{w_k} = "
            r"\sum w_kc_k^2-2\mu\sum c_kT_k+\mu^2\sum\frac{T_k^2}{w_k}\ge0",
            sum_nonnegative(
                sympy.Sum(w[k] * c[k] ** 2, (k, 0, size))
                - 2 * mean * sympy.Sum(c[k] * t[k], (k, 0, size))
                + mean**2 * sympy.Sum(t[k] ** 2 / w[k], (k, 0, size)),
                (c[k] * w[k] - mean * t[k]) ** 2 / w[k],
                (k, 0, size),
                {c[k]: coefficient, t[k]: value, w[k]: weight},
            ),
        ),
        Step(
            "With the weights 1 and 1/2, sum T_k^2/w_k <= 1 + 2n.",
            r"1+2n-(1+2nQ)\ge0\qquad(Q\le1)",
            nonnegative(squared - (1 + 2 * n / (1 + half)) + total),
        ),
        Step(
            "The square of the claim.",
            r"(\sqrt{2n+1}\,r)^2 = (2n+1)\,r^2",
            identity(BOUND**2, squared * r**2, automatic=True),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The largest value of a random interpolant on a grid, by Lagrange's formula."""
    with mpmath.workdps(40):
        degree, size = parameters["n"], mpmath.mpf(parameters["r"])
        rng = random.Random(parameters["seed"])
        nodes = [mpmath.cos(mpmath.pi * (2 * j + 1) / (2 * degree + 2)) for j in range(degree + 1)]
        values = [size * rng.choice([-1, 1]) for _ in nodes]
        worst = mpmath.mpf(0)
        for i in range(101):
            x, total = mpmath.cos(mpmath.pi * i / 100), mpmath.mpf(0)
            for a, node in enumerate(nodes):
                others = (other for b, other in enumerate(nodes) if b != a)
                total += values[a] * mpmath.fprod((x - o) / (node - o) for o in others)
            worst = max(worst, abs(total))
        return worst


_WITNESS = {"n": 0, "r": 1.0, "seed": 1}

LEMMA = Lemma(
    name="chebyshev_noise",
    doc=__doc__,
    claim=r"\max_{[-1,1]}|p|\le\sqrt{2n+1}\,\max_j|v_j|",
    kind="tight",
    assumptions=(r"$\deg p\le n$, $v_j$ its values at the zeros of $T_{n+1}$",),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={
        "n": Range(0, 8, integer=True),
        "r": Range(0.01, 2.0),
        "seed": Range(0, 10_000, integer=True),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "a factor of sqrt n",
            steps=partial(steps, n),
            bound=sympy.sqrt(n) * r,
            counterexample=_WITNESS,
        ),
        WrongVariant("no growth at all", bound=r, counterexample={**_WITNESS, "n": 2, "seed": 3}),
    ),
)
