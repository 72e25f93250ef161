r"""The ReLU heads' weights add up to at most 1/sin^2(pi/C): rounding errors grow like C^2.

Statement
---------
One frequency, C >= 2(J+1), gamma decreasing and >= 0.  The weights of lemma relu_interpolant have

    (1 - gamma(1)) / (2 sin^2(pi/C)) <= sum_m |a_m| <= 1/sin^2(pi/C) <= C^2/4,

so an error of at most eps in every score and threshold changes the output by at most
2 eps/sin^2(pi/C) <= eps C^2/2, and the growth like C^2 is real:
1/(2 sin^2(pi/C)) >= C^2/(2 pi^2).  With more frequencies: lemma relu_slopes_harmonics.

Assumptions
-----------
gamma decreases from 1 to gamma >= 0; lags up to half the period.

Proof
-----
Every gap is 2 sin((2m+1) pi/C) sin(pi/C) >= 2 sin^2(pi/C), the first angle being in
[pi/C, pi - pi/C].  Triangle inequality: sum |a_m| <= 2 sum s_m <= 2 sum (gamma(m) - gamma(m+1))
over the least gap.  From below: sum |a_m| >= sum a_m = s_0.  Jordan's 2x/pi <= sin x <= x.

Kind
----
tight: attained by the constant kernel, J + 1 = C/2.

Source
------
Own derivation; Jordan's inequality: NIST Digital Library of Mathematical Functions, 4.18.1.

Example
-------
>>> value, bound = LEMMA.sample({"period": 12, "bandwidth": 5, "ell": 1e12})
>>> bool(abs(value - bound) < 1e-9), round(float(bound), 6)
(True, 14.928203)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import (
    all_of,
    identity,
    nonnegative,
    smt,
    sum_nonnegative,
    summation,
)
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS
from proofs_check.step import Parameters, Range, Step, WrongVariant

period = sympy.Symbol("period", integer=True, positive=True)
"""C, the number of places on the circle."""
TOTAL = 1 / sympy.sin(sympy.pi / period) ** 2


def steps(total: sympy.Expr = TOTAL) -> list[Step]:
    """The proof, for a claimed sum of the weights."""
    a, b, x = sympy.symbols("a b x", real=True)
    i, n = (sympy.Symbol(name, integer=True, positive=True) for name in "in")
    m = sympy.Symbol("m", integer=True, nonnegative=True)
    slope = sympy.IndexedBase("s", nonnegative=True)
    fall = sympy.IndexedBase("d", nonnegative=True)
    gap, lowest, u, v = sympy.symbols("g q u v", positive=True)
    size, w = sympy.symbols("t w", nonnegative=True)
    gamma = sympy.Function("gamma")
    first = sympy.Symbol("gamma_1", nonnegative=True)
    return [
        Step(
            "A gap is at least the first one: (2m+1) pi/C = a + b with 0 <= a <= pi - 2b, where "
            "a/2 + b and a/2 are at most pi/2.",
            r"\sin(a+b)-\sin b = 2\cos\bigl(\tfrac a2+b\bigr)\sin\tfrac a2\ge0,\quad b=\pi/C",
            identity(
                sympy.sin(a + b) - sympy.sin(b),
                2 * sympy.cos(a / 2 + b) * sympy.sin(a / 2),
            ),
        ),
        Step(
            "The first gap.",
            r"1-\cos\frac{2\pi}C = 2\sin^2\frac\pi C",
            identity(1 - sympy.cos(2 * b), 2 * sympy.sin(b) ** 2),
        ),
        Step(
            "Slopes are non-negative, each weight is a difference of neighbours.",
            r"|s_m-s_{m+1}|\le s_m+s_{m+1},\qquad\sum_{m\le J}|a_m|\le2\sum_{m\le J}s_m",
            all_of(
                nonnegative((u + v) ** 2 - (u - v) ** 2),
                nonnegative(2 * (size + w) - (size + w) - size),
            ),
            smt((u - v) ** 2 <= (u + v) ** 2),
        ),
        Step(
            "Slope times gap is a difference of gamma; gap = lowest gap q plus v.",
            r"\frac1q\sum_m\bigl(\gamma(m)-\gamma(m+1)\bigr)-\sum_ms_m\ge0",
            sum_nonnegative(
                sympy.Sum(fall[i], (i, 1, n)) / lowest - sympy.Sum(slope[i], (i, 1, n)),
                fall[i] / lowest - slope[i],
                (i, 1, n),
                {fall[i]: size * (lowest + v), slope[i]: size},
            ),
        ),
        Step(
            "The differences of gamma telescope to gamma(0) = 1 (gamma(J+1) = 0).",
            r"\sum_{m=0}^J\bigl(\gamma(m)-\gamma(m+1)\bigr) = 1",
            summation(gamma(m) - gamma(m + 1), (m, 0, n), gamma(0) - gamma(n + 1)),
        ),
        Step(
            "Together.",
            r"2\cdot\frac1{2\sin^2(\pi/C)} = \frac1{\sin^2(\pi/C)}",
            identity(2 / (2 * sympy.sin(sympy.pi / period) ** 2), total, automatic=True),
        ),
        Step(
            "From below: the weights add up to the first slope.",
            r"\sum_m|a_m|\ge\sum_ma_m = s_0 = \frac{1-\gamma(1)}{2\sin^2(\pi/C)}",
            all_of(
                nonnegative((u + w) - u),
                identity(
                    (1 - first) / (2 * sympy.sin(b) ** 2),
                    (1 - first) / (1 - sympy.cos(2 * b)),
                ),
            ),
        ),
        Step(
            "sin x <= x: the difference has the slope 1 - cos x = 2 sin^2(x/2) >= 0 and is 0 at 0. "
            "2x/pi <= sin x on [0, pi/2]: sin is concave there and equal at both ends.",
            r"\frac2\pi x\le\sin x\le x",
            all_of(
                identity(sympy.diff(x - sympy.sin(x), x), 2 * sympy.sin(x / 2) ** 2),
                identity((x - sympy.sin(x)).subs(x, 0), 0, automatic=True),
                identity(sympy.diff(sympy.sin(x), x, 2), -sympy.sin(x), automatic=True),
                identity(sympy.sin(x).subs(x, 0), 0, automatic=True),
                identity(sympy.sin(sympy.pi / 2), 2 / sympy.pi * sympy.pi / 2, automatic=True),
            ),
        ),
        Step(
            "With b = pi/C this is 4/C^2 <= sin^2 b <= pi^2/C^2: growth like C^2 on both sides.",
            r"\frac{C^2}{2\pi^2}\le\frac1{2\sin^2b},\qquad\frac1{\sin^2b}\le\frac{C^2}4",
            all_of(
                identity((2 / sympy.pi * sympy.pi / period) ** -2, period**2 / 4, automatic=True),
                identity(
                    (sympy.pi / period) ** -2 / 2, period**2 / (2 * sympy.pi**2), automatic=True
                ),
                nonnegative(1 / gap - 1 / (gap + w)),
            ),
        ),
        Step(
            "A ReLU changes by at most its argument: equal where both are active, and x <= x - y "
            "where only x is (x > 0 >= y).",
            r"|\max(x,0)-\max(y,0)|\le|x-y|",
            nonnegative((u + w) - u),
            smt(u <= u - x, [x <= 0]),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The sum of the absolute weights."""
    with mpmath.workdps(DIGITS):
        turn, scale = 2 * mpmath.pi / parameters["period"], mpmath.mpf(parameters["ell"])
        last = min(parameters["bandwidth"], parameters["period"] // 2 - 1)
        last += parameters.get("beyond", 0)
        gamma = [mpmath.exp(-m / scale) for m in range(last + 1)] + [mpmath.mpf(0)]
        slopes = [
            (gamma[m] - gamma[m + 1]) / (mpmath.cos(turn * m) - mpmath.cos(turn * (m + 1)))
            for m in range(last + 1)
        ] + [mpmath.mpf(0)]
        return mpmath.fsum(abs(slopes[m] - slopes[m + 1]) for m in range(last + 1))


_WITNESS = {"period": 12, "bandwidth": 5, "ell": 1e12}

LEMMA = Lemma(
    name="relu_slopes",
    doc=__doc__,
    claim=r"\sum_m|a_m|\le\frac1{\sin^2(\pi/C)}\le\frac{C^2}4",
    kind="tight",
    assumptions=(r"$\gamma$ decreases, $\gamma(0)=1$", r"$C\ge2(J+1)$"),
    steps=steps(),
    bound=TOTAL,
    measure=measure,
    parameters={
        "period": Range(4, 90, integer=True),
        "bandwidth": Range(0, 44, integer=True),
        "ell": Range(0.3, 50.0),
    },
    witness=_WITNESS,
    witness_gap=1e-9,
    wrong_variants=(
        WrongVariant(
            "half of it: 1/(2 sin^2)",
            steps=partial(steps, total=TOTAL / 2),
            bound=TOTAL / 2,
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "growth like C instead of C^2",
            bound=period,
            counterexample={"period": 80, "bandwidth": 5, "ell": 1.0},
        ),
        WrongVariant(
            "assumption dropped: one lag beyond half the period",
            counterexample={**_WITNESS, "period": 13, "bandwidth": 5, "beyond": 1},
        ),
    ),
    also={
        "amplification": 2 * TOTAL,
        "simple": period**2 / 4,
        "floor": 1 / (2 * sympy.sin(sympy.pi / period) ** 2),
    },
)
