r"""Euler's transform of r steps leaves 2^{-r} times the alternating sum of r-th differences.

Statement
---------
For a sequence a_k that tends to 0, with (D a)_k = a_k - a_{k+1},

    sum_{k>=0} (-1)^k a_k = sum_{i<r} w_i (-1)^i a_i + 2^{-r} sum_{k>=0} (-1)^k (D^r a)_k,
    w_i = 2^{-r} sum_{j>i} C(r, j).

So the error of the weighted sum is at most 2^{-r} sum_k |D^r a|_k, and also at most sum_k |a_k|.

Assumptions
-----------
The alternating series converges; for the two bounds the sums on the right.

Proof
-----
One step: a_k = (a_k + a_{k+1})/2 + (D a)_k/2, and the first halves telescope to a_0/2.  The
coefficient of (-1)^j a_j after r steps is sum_{i<r} 2^{-i-1} C(i, j); it equals w_j by induction
on r, with Pascal's rule.  A difference at most doubles the sum of the absolute values.

Kind
----
equality: for a_k = x^k the remainder is ((1-x)/2)^r/(1+x).

Source
------
K. Knopp, Theory and Application of Infinite Series, 2nd ed., Section 33 (Euler's transformation).

Example
-------
>>> value, bound = LEMMA.sample({"x": 0.5, "r": 2})
>>> bool(abs(value - bound) < 1e-15), float(bound)
(True, 0.041666666666666664)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, smt, summation
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import k

x = sympy.Symbol("x", nonnegative=True)
"""Ratio of a geometric sequence a_k = x^k."""
r = sympy.Symbol("r", integer=True, nonnegative=True)
"""Steps of the transform."""
HALF = sympy.Rational(1, 2)
REMAINDER = ((1 - x) / 2) ** r / (1 + x)


def steps(half: sympy.Expr = HALF, remainder: sympy.Expr = REMAINDER) -> list[Step]:
    """The proof, for a claimed weight of the first step and a claimed geometric remainder."""
    n = sympy.Symbol("n", integer=True, nonnegative=True)
    j = sympy.Symbol("j", integer=True, positive=True)
    a = sympy.Function("a")
    tail, binomial = sympy.symbols("B C", nonnegative=True)
    p, q = sympy.symbols("p q", nonnegative=True)
    first, second = sympy.symbols("a_1 a_2", real=True)
    sign = (-1) ** k
    return [
        Step(
            "One step: the halves a_k + a_{k+1} telescope to a_0/2.",
            r"\sum_{k=0}^n(-1)^ka_k = \frac{a_0}2+\frac{(-1)^na_{n+1}}2+"
            r"\frac12\sum_{k=0}^n(-1)^k(Da)_k",
            summation(
                sign * a(k) - half * sign * (a(k) - a(k + 1)),
                (k, 0, n),
                a(0) / 2 + (-1) ** n * a(n + 1) / 2,
            ),
        ),
        Step(
            "The i-th difference at 0, by induction with Pascal's rule.",
            r"(D^ia)_0 = \sum_j(-1)^j\binom ija_j,\quad\binom i{j-1}+\binom ij = \binom{i+1}j",
            identity(sympy.binomial(r, j - 1) + sympy.binomial(r, j), sympy.binomial(r + 1, j)),
        ),
        Step(
            "Step r adds 2^{-r-1} C(r, j) to the weight of (-1)^j a_j, and so does the claim: B is "
            "the sum of C(r, i) over i > j, and that of C(r+1, i) is 2 B + C(r, j).",
            r"2^{-r-1}(2B+C)-2^{-r}B = 2^{-r-1}C",
            identity(
                2 ** (-r - 1) * (2 * tail + binomial) - 2 ** (-r) * tail, binomial / 2 ** (r + 1)
            ),
        ),
        Step(
            "At r = 0 there is no term, and at r = 1 the weight of a_0 is 1/2.",
            r"w^{(1)}_0 = 2^{-1}\binom11 = \tfrac12",
            identity(sympy.binomial(1, 1) / 2, sympy.Rational(1, 2), automatic=True),
        ),
        Step(
            "A difference at most doubles the sum of the absolute values p, q.",
            r"|a_k-a_{k+1}|\le|a_k|+|a_{k+1}|",
            nonnegative((p + q) ** 2 - (p - q) ** 2),
            smt(
                sympy.And(first - second <= p + q, second - first <= p + q),
                [first <= p, -p <= first, second <= q, -q <= second],
            ),
        ),
        Step(
            "For a geometric sequence the r-th difference is (1-x)^r x^k.",
            r"2^{-r}\sum_k(-1)^k(1-x)^rx^k = \Bigl(\frac{1-x}2\Bigr)^r\frac1{1+x}",
            all_of(
                identity(
                    (1 - x) ** r * x**k - (1 - x) ** r * x ** (k + 1), (1 - x) ** (r + 1) * x**k
                ),
                identity(remainder.subs(r, 0), 1 / (1 + x), automatic=True),
                identity(
                    remainder.subs(r, r + 1),
                    remainder - ((1 - x) / 2) ** r / 2,
                ),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The alternating series of x^k less the weighted sum, term by term."""
    with mpmath.workdps(DIGITS):
        ratio, count = mpmath.mpf(parameters["x"]), parameters["r"]
        weighted = mpmath.mpf(0)
        for i in range(count):
            weight = mpmath.fsum(mpmath.binomial(count, j) for j in range(i + 1, count + 1))
            weighted += weight / mpmath.mpf(2) ** count * (-ratio) ** i
        return 1 / (1 + ratio) - weighted


_WITNESS = {"x": 0.25, "r": 6}

LEMMA = Lemma(
    name="euler_transform",
    doc=__doc__,
    claim=r"\sum(-1)^ka_k-\sum_{i<r}w_i(-1)^ia_i = 2^{-r}\sum_k(-1)^k(D^ra)_k",
    kind="equality",
    assumptions=(r"$a_k\to0$", r"the series converge"),
    steps=steps(),
    bound=REMAINDER,
    measure=measure,
    parameters={"x": Range(0.01, 0.9), "r": Range(0, 12, integer=True)},
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant("a third instead of a half", steps=partial(steps, half=sympy.Rational(1, 3))),
        WrongVariant(
            "remainder without 2^{-r}",
            steps=partial(steps, remainder=(1 - x) ** r / (1 + x)),
            bound=(1 - x) ** r / (1 + x),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "one difference too many",
            bound=REMAINDER * (1 - x) / 2,
            counterexample=_WITNESS,
        ),
    ),
    also={"factor": 2 ** (-r)},
)
