r"""With F odd harmonics the ReLU heads' weights add up to order C^2/F instead of C^2.

Statement
---------
Frequencies f = 1, 3, .., 2F-1 with the weights 1/(W f^2), W = sum 1/f^2 in [1, pi^2/8],
2F-1 <= C/2, C >= 2(J+1), gamma decreasing and >= 0.  The first gap of the scores is between
8F/(W C^2) and 2 pi^2 F/(W C^2), and where it is the smallest gap

    (1 - gamma(1)) W C^2/(2 pi^2 F) <= sum_m |a_m| <= W C^2/(4F).

Assumptions
-----------
That the first gap is the smallest is checked numerically, for F <= 8 and C <= 96; for F = 1 it is
proved (lemma relu_slopes).

Proof
-----
The first gap is sum 2 sin^2(pi f/C)/(W f^2), and 2x/pi <= sin x <= x bounds every term by 8/C^2 and
2 pi^2/C^2: F terms.  The weights add up to at most 2/gap and at least to the first slope, as in
lemma relu_slopes.

Kind
----
upper: Jordan's inequality is not attained at all frequencies at once.

Source
------
Own derivation.

Example
-------
>>> drawn = {"period": 64, "bandwidth": 9, "ell": 8.0, "frequencies": 4}
>>> value, bound = LEMMA.sample(drawn)
>>> bool(value < bound)
True
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, numerically
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS
from proofs_check.lemmas._uses import uses
from proofs_check.step import Parameters, Range, Step, WrongVariant

period = sympy.Symbol("period", integer=True, positive=True)
"""C, the number of places on the circle."""
frequencies = sympy.Symbol("frequencies", integer=True, positive=True)
"""F, the number of odd harmonics."""
NORM = sympy.Symbol("norm", positive=True)
"""W, the sum of 1/f^2."""
LEAST_GAP = 8 * frequencies / (NORM * period**2)
TOTAL = NORM * period**2 / (4 * frequencies)


def first_gap_is_smallest(point: Mapping[str, Any]) -> bool:
    """Whether no gap up to half the period is below the first one."""
    odd = [2 * j + 1 for j in range(point["F"])]
    gaps = [
        math.fsum(
            math.sin((2 * m + 1) * math.pi * f / point["C"])
            * math.sin(math.pi * f / point["C"])
            / f**2
            for f in odd
        )
        for m in range(point["C"] // 2)
    ]
    return min(gaps) >= gaps[0] * (1 - 1e-12)


def steps(total: sympy.Expr = TOTAL, power: int = 2) -> list[Step]:
    """The proof, for a claimed sum of the weights and claimed weights 1/f^power."""
    f, gap = sympy.symbols("f g", positive=True)
    u, v = sympy.symbols("u v", nonnegative=True)
    low, high = 2 / sympy.pi * (sympy.pi * f / period), sympy.pi * f / period
    return [
        Step(
            "Every term of the first gap, by Jordan's inequality (pi f/C is at most pi/2).",
            r"\frac{2\sin^2(\pi f/C)}{f^2}\in\Bigl[\frac8{C^2},\frac{2\pi^2}{C^2}\Bigr]",
            all_of(
                uses("relu_slopes"),
                identity(2 * low**2 / f**power, 8 / period**2, automatic=True),
                identity(2 * high**2 / f**power, 2 * sympy.pi**2 / period**2, automatic=True),
            ),
        ),
        Step(
            "F terms, normalised by W.",
            r"c_0-c_1\ge\frac{8F}{WC^2}",
            identity(frequencies * 8 / period**2 / NORM, LEAST_GAP, automatic=True),
        ),
        Step(
            "W is at least its first term, and its limit is pi^2/8.",
            r"1\le W\le\sum_{f\text{ odd}}f^{-2} = \tfrac34\zeta(2) = \frac{\pi^2}8",
            all_of(
                nonnegative((1 + u) - 1),
                identity(
                    sympy.zeta(2) * (1 - sympy.Rational(1, 4)), sympy.pi**2 / 8, automatic=True
                ),
            ),
        ),
        Step(
            "The first gap is the smallest.",
            r"c_m-c_{m+1}\ge c_0-c_1\quad(m+1\le C/2)",
            numerically(
                first_gap_is_smallest,
                [{"F": count, "C": size} for count in range(1, 9) for size in range(4, 97, 4)],
            ),
        ),
        Step(
            "The weights add up to at most twice gamma(0) over the smallest gap.",
            r"\sum_m|a_m|\le2\sum_ms_m\le\frac2{\min_m(c_m-c_{m+1})}\le\frac{WC^2}{4F}",
            all_of(
                identity(2 / LEAST_GAP, total, automatic=True),
                nonnegative(2 / gap - 2 / (gap + v)),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The sum of the absolute weights."""
    with mpmath.workdps(DIGITS):
        turn, scale = 2 * mpmath.pi / parameters["period"], mpmath.mpf(parameters["ell"])
        odd = [2 * j + 1 for j in range(parameters["frequencies"])]
        norm = mpmath.fsum(mpmath.mpf(1) / f**2 for f in odd)
        last = min(parameters["bandwidth"], parameters["period"] // 2 - 1)
        scores = [
            mpmath.fsum(mpmath.cos(turn * f * m) / f**2 for f in odd) / norm
            for m in range(last + 2)
        ]
        gamma = [mpmath.exp(-m / scale) for m in range(last + 1)] + [mpmath.mpf(0)]
        slopes = [
            (gamma[m] - gamma[m + 1]) / (scores[m] - scores[m + 1]) for m in range(last + 1)
        ] + [mpmath.mpf(0)]
        return mpmath.fsum(abs(slopes[m] - slopes[m + 1]) for m in range(last + 1))


def derive(parameters: Parameters) -> Parameters:
    """W."""
    with mpmath.workdps(DIGITS):
        odd = (2 * j + 1 for j in range(parameters["frequencies"]))
        return {**parameters, "norm": mpmath.fsum(mpmath.mpf(1) / f**2 for f in odd)}


_DRAWN = {"period": 64, "bandwidth": 31, "ell": 1e6, "frequencies": 8}

LEMMA = Lemma(
    name="relu_slopes_harmonics",
    doc=__doc__,
    claim=r"\sum_m|a_m|\le\frac{WC^2}{4F}",
    kind="upper",
    assumptions=(
        r"$\gamma$ decreases, $\gamma(0)=1$",
        r"$C\ge2(J+1)$, $2F-1\le C/2$",
        r"the first gap is the smallest",
    ),
    steps=steps(),
    bound=TOTAL,
    measure=measure,
    derive=derive,
    parameters={
        "period": Range(32, 96, integer=True),
        "bandwidth": Range(0, 44, integer=True),
        "ell": Range(0.3, 50.0),
        "frequencies": Range(1, 8, integer=True),
    },
    wrong_variants=(
        WrongVariant(
            "growth like C^2/F^2",
            steps=partial(steps, total=TOTAL / frequencies),
            bound=TOTAL / frequencies,
            counterexample=_DRAWN,
        ),
        WrongVariant("weights 1/f", steps=partial(steps, power=1)),
    ),
    also={"least_gap": LEAST_GAP, "floor": NORM * period**2 / (2 * sympy.pi**2 * frequencies)},
)
