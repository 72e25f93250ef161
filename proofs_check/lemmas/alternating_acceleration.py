r"""n weighted terms of the alternating series give f(pi) to a relative error 1/T_n(3).

Statement
---------
Let gamma be completely monotone in the lag and a_k = gamma(k) - gamma(k+1), so that f(pi) is
sum_{k>=0} (-1)^k a_k.  Let T_n(1-2x) = sum_k b_k x^k, d_n = T_n(3) and

    e_0 = d_n - b_0,   e_k = -b_k - e_{k-1},   S_n = (1/d_n) sum_{k<n} e_k a_k.

Then |f(pi) - S_n| <= f(pi)/d_n with d_n = ((3+sqrt 8)^n + (3-sqrt 8)^n)/2, hence
f(pi) >= S_n/(1 + 1/d_n).  The coefficients: b_0 = 1, b_{k+1} = 2 (k+n)(k-n)/((2k+1)(k+1)) b_k.

Assumptions
-----------
gamma completely monotone in the lag: polynomial, logarithmic, exponential with nu <= 1.

Proof
-----
a_k = int x^k dm'(x) over [0, 1], m' >= 0 (lemma bernstein_chain), so f(pi) = int dm'/(1+x).
Synthetic division gives (d_n - T_n(1-2x))/(1+x) = sum_k e_k x^k, the remainder is d_n - T_n(3) = 0.
The difference f(pi) - S_n is int T_n(1-2x)/(d_n (1+x)) dm', and |T_n| <= 1 on [-1, 1].  The
coefficients follow from x(1-x) y'' + (1/2-x) y' + n^2 y = 0, with x = sin^2(phi/2).

Kind
----
tight: attained by one exponential where |T_n(1-2x)| = 1, e.g. x = 1/2 and n even.

Source
------
H. Cohen, F. Rodriguez Villegas & D. Zagier, Convergence acceleration of alternating series,
Experiment. Math. 9 (2000) 3-12, Algorithm 1 and Proposition 1.

Example
-------
>>> value, bound = LEMMA.sample({"regime": 1, "ell": 1.0, "shape": 1.0, "n": 6})
>>> bool(value < bound < 3e-5)
True
"""

from __future__ import annotations

import math
from functools import partial

import mpmath
import sympy

from proofs_check.discharge import (
    all_of,
    cited,
    identity,
    nonnegative,
    recurrence,
    smt,
)
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import kernel, symbol_at_pi
from proofs_check.lemmas._uses import uses
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import k

n = sympy.Symbol("n", integer=True, nonnegative=True)
"""Number of terms."""
SYMBOL = sympy.Symbol("f_pi", positive=True)
"""f(pi)."""
ROOT = 3 + 2 * sympy.sqrt(2)
DENOMINATOR = (ROOT**n + ROOT ** (-n)) / 2
"""d_n = T_n(3)."""


def steps(root: sympy.Expr = ROOT, sign: int = -1) -> list[Step]:
    """The proof, for a claimed root w of w + 1/w = 6 and a claimed sign of n^2 in the b_k."""
    x, weight, u, v = sympy.symbols("x w u v", nonnegative=True)
    d, order, phi = sympy.symbols("d m phi", positive=True)
    value, b, partial_sum = sympy.symbols("t b q", real=True)
    place = sympy.sin(phi / 2) ** 2
    slope = sympy.diff(place, phi)
    first = sympy.diff(sympy.cos(order * phi), phi) / slope
    second = sympy.diff(first, phi) / slope
    later = (k**2 + sign * order**2) * b / ((k + 1) * (k + sympy.Rational(1, 2)))
    quotient = (-1) ** k * (d - partial_sum)
    return [
        Step(
            "The first differences are moments, x = e^{-s} in [0, 1], with the weight 1 - x.",
            r"a_k = \int(e^{-sk}-e^{-s(k+1)})\,dm = \int x^k(1-x)\,dm",
            all_of(
                uses("bernstein_chain"),
                identity(
                    sympy.exp(-x * k) - sympy.exp(-x * (k + 1)),
                    sympy.exp(-x) ** k * (1 - sympy.exp(-x)),
                ),
            ),
        ),
        Step(
            "The alternating geometric sum, by induction; it lies in [0, 1], so sum and integral "
            "may be exchanged.",
            r"\sum_{k=0}^n(-x)^k = \frac{1-(-x)^{n+1}}{1+x},\quad f(\pi) = \int\frac{1-x}{1+x}\,dm",
            all_of(
                recurrence(
                    (1 - (-1) ** (n + 1) * x ** (n + 1)) / (1 + x),
                    n,
                    lambda i, total: total + (-1) ** (i + 1) * x ** (i + 1),
                    [1],
                ),
                cited(
                    "Rudin, Real and Complex Analysis, 3rd ed., Theorem 1.34",
                    "dominated convergence",
                ),
            ),
        ),
        Step(
            "T_n(3) in closed form, from T_{n+1} = 6 T_n - T_{n-1}.",
            r"d_n = \tfrac12\bigl((3+\sqrt8)^n+(3-\sqrt8)^n\bigr)",
            recurrence(
                (root**n + root ** (-n)) / 2, n, lambda _, now, before: 6 * now - before, [1, 3]
            ),
        ),
        Step(
            "The differential equation of y = T_n(1-2x) = cos(n phi), x = sin^2(phi/2).",
            r"x(1-x)y''+(\tfrac12-x)y'+n^2y = 0",
            identity(
                place * (1 - place) * second + (sympy.Rational(1, 2) - place) * first,
                -(order**2) * sympy.cos(order * phi),
            ),
        ),
        Step(
            "Its coefficient of x^k gives the recursion of the coefficients.",
            r"(k+1)(k+\tfrac12)\,b_{k+1} = (k^2-n^2)\,b_k",
            identity(
                (k + 1) * k * later - k * (k - 1) * b + (k + 1) * later / 2 - k * b,
                -(order**2) * b,
            ),
        ),
        Step(
            "Synthetic division by 1+x, by induction; q_k is the sum of the (-1)^j b_j, j <= k. "
            "Nothing is left over: q_n is the value at x = -1, which is d_n.",
            r"e_k = (-1)^k(d-q_k),\quad e_{k+1} = -b_{k+1}-e_k,\quad T_n(1-2(-1)) = T_n(3)",
            all_of(
                identity(
                    quotient.subs({k: k + 1, partial_sum: partial_sum + (-1) ** (k + 1) * b}),
                    -b - quotient,
                ),
                identity((1 - 2 * x).subs(x, -1), 3, automatic=True),
            ),
        ),
        Step(
            "So the error is an integral of T_n.",
            r"\frac1{1+x}-\frac{d-T_n}{d(1+x)} = \frac{T_n(1-2x)}{d(1+x)}",
            identity(1 / (1 + x) - (d - value) / (d * (1 + x)), value / (d * (1 + x))),
        ),
        Step(
            "|T_n| <= 1 on [-1, 1], and the weights are non-negative.",
            r"\Bigl|\int\frac{T_n}{d(1+x)}dm'\Bigr|\le\frac1d\int\frac{dm'}{1+x} = \frac{f(\pi)}d",
            all_of(
                identity(1 - sympy.cos(order * phi) ** 2, sympy.sin(order * phi) ** 2),
                nonnegative(weight * (1 - value) / (1 + x), {value: 1 - u}),
                nonnegative(weight * (1 + value) / (1 + x), {value: v - 1}),
            ),
            smt(
                sympy.And(weight * value <= weight, -weight <= weight * value),
                [value <= 1, value >= -1],
            ),
        ),
        Step(
            "Hence the certified lower bound.",
            r"S_n\le f(\pi)(1+1/d)\ \Rightarrow\ f(\pi)\ge\frac{S_n}{1+1/d}",
            nonnegative(SYMBOL - value / (1 + 1 / d), {value: SYMBOL * (1 + 1 / d) - u}),
            smt(SYMBOL * (1 + d) >= value * d, [value * d <= SYMBOL * (1 + d)]),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """|f(pi) - S_n|, the coefficients from the three-term recursion of T_n(1-2x)."""
    with mpmath.workdps(60):
        terms = parameters["n"]
        before, now = [1], [1, -2]
        for _ in range(terms - 1):
            doubled = [2 * c for c in [*now, 0]]
            for power in range(len(now)):
                doubled[power + 1] -= 4 * now[power]
            for power, c in enumerate(before):
                doubled[power] -= c
            before, now = now, doubled
        denominator = sum((-1) ** power * c for power, c in enumerate(now))
        total, weight = mpmath.mpf(0), denominator
        for lag in range(terms):
            weight = (weight if lag == 0 else -weight) - now[lag]
            total += weight * (kernel(parameters, lag) - kernel(parameters, lag + 1))
        return abs(symbol_at_pi(parameters) - total / denominator)


def derive(parameters: Parameters) -> Parameters:
    """f(pi) by averaging partial sums."""
    with mpmath.workdps(60):
        return {**parameters, "f_pi": symbol_at_pi(parameters)}


_WITNESS = {"regime": 0, "ell": 1 / math.log(2), "shape": 1.0, "n": 4}
BOUND = SYMBOL / DENOMINATOR

LEMMA = Lemma(
    name="alternating_acceleration",
    doc=__doc__,
    claim=r"|f(\pi)-S_n|\le\frac{f(\pi)}{T_n(3)}",
    kind="tight",
    assumptions=(r"$\gamma$ completely monotone in the lag", r"$n\ge1$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "regime": Range(0, 2, integer=True),
        "ell": Range(0.3, 16.0),
        "shape": Range(0.2, 1.0),
        "n": Range(1, 26, integer=True),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "d_n with 3 + sqrt 10",
            steps=partial(steps, 3 + sympy.sqrt(10)),
            bound=2 * SYMBOL / ((3 + sympy.sqrt(10)) ** n),
            counterexample=_WITNESS,
        ),
        WrongVariant("k^2 + n^2 in the coefficients", steps=partial(steps, sign=1)),
        WrongVariant(
            "the denominator of n+1 terms",
            bound=BOUND.subs(n, n + 1),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "assumption dropped: Gaussian kernel, not completely monotone in the lag",
            counterexample={"regime": 0, "ell": 2.0, "shape": 2.0, "n": 20},
        ),
    ),
    also={"denominator": DENOMINATOR, "relative_error": 1 / DENOMINATOR},
)
