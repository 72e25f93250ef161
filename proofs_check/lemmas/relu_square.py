r"""x^2 by m levels of a sawtooth: the error on [0, 1] is at most 4^{-m-1}.

Statement
---------
Let g(x) = 2x on [0, 1/2], 2 - 2x on [1/2, 1] (three ReLUs), g_s its s-th iterate and

    f_m(x) = x - sum_{s=1}^m g_s(x)/4^s.

Then 0 <= f_m(x) - x^2 <= 4^{-m-1} on [0, 1].

Assumptions
-----------
0 <= x <= 1.

Proof
-----
The error is self-similar: e_m(x) = e_{m-1}(g(x))/4, because x - x^2 = g/2 - g^2/4 on both halves.
e_0 = x - x^2 lies in [0, 1/4]; induction.

Kind
----
tight: attained at x = 2^{-m-1}.

Source
------
D. Yarotsky, Neural Networks 94 (2017) 103-114, arXiv 1610.01145, Proposition 2.

Example
-------
>>> value, bound = LEMMA.sample({"levels": 1, "x": 0.25})
>>> float(value), float(bound)
(0.0625, 0.0625)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, recurrence, smt
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

levels = sympy.Symbol("levels", integer=True, nonnegative=True)
BOUND = sympy.Integer(4) ** (-levels - 1)


def tooth(at: sympy.Expr) -> sympy.Expr:
    """g as three ReLUs."""
    arguments = ((2, at), (-4, at - sympy.Rational(1, 2)), (2, at - 1))
    return sympy.Add(*(factor * sympy.Max(sympy.factor(arg), 0) for factor, arg in arguments))


def steps(bound: sympy.Expr = BOUND, base: int = 4) -> list[Step]:
    """The proof, for a claimed bound and a claimed base of the weights."""
    s, value = sympy.symbols("s e", nonnegative=True)
    r = sympy.Symbol("r", positive=True)
    x, g, partial_sum = sympy.symbols("x g P", real=True)
    first, second = s / (2 * (s + r)), sympy.Rational(1, 2) + s / (2 * (s + r))
    halves = {"first": 2 * x, "second": 2 - 2 * x}
    now = x - g / base - partial_sum / base - x**2
    before = g - partial_sum - g**2
    return [
        Step(
            "Three ReLUs are the tooth: on [0, 1/2), on [1/2, 1), and at 1.",
            r"g(x) = 2x_+-4(x-\tfrac12)_++2(x-1)_+",
            all_of(
                identity(tooth(first), 2 * first),
                identity(tooth(second), 2 - 2 * second),
                identity(tooth(sympy.S.One), 0, automatic=True),
            ),
        ),
        Step(
            "The tooth maps [0, 1] into itself.",
            r"0\le2x\le1\ (x\le\tfrac12),\qquad0\le2-2x\le1\ (x\ge\tfrac12)",
            all_of(
                nonnegative(2 * first),
                nonnegative(1 - 2 * first),
                nonnegative(2 - 2 * second),
                nonnegative(1 - (2 - 2 * second)),
            ),
        ),
        Step(
            "The error is self-similar, on either half; P = sum_{s<m} g_s(g(x))/4^s is the same "
            "sum on both sides.",
            r"x-\tfrac g4-\tfrac P4-x^2 = \tfrac14\,(g-P-g^2)",
            all_of(
                *(
                    identity(now.subs(g, h), before.subs(g, h) / base, automatic=True)
                    for h in halves.values()
                )
            ),
        ),
        Step(
            "Without levels the error is between 0 and 1/4.",
            r"x-x^2 = x(1-x)\ge0,\qquad\tfrac14-(x-x^2) = (x-\tfrac12)^2\ge0",
            all_of(
                nonnegative((x - x**2).subs(x, s / (s + r))),
                nonnegative(bound.subs(levels, 0) - (x - x**2)),
            ),
            smt(sympy.And(x - x**2 >= 0, x - x**2 <= bound.subs(levels, 0)), [x >= 0, x <= 1]),
        ),
        Step(
            "A quarter per level, by induction.",
            r"4^{-(m+1)-1} = \tfrac14\,4^{-m-1},\qquad e\ge0\Rightarrow e/4\ge0",
            all_of(
                recurrence(bound, levels, lambda _, e: e / 4, [sympy.Rational(1, 4)]),
                nonnegative(value / 4),
            ),
        ),
        Step(
            "Attained: the tooth doubles 2^{-k-1} for k >= 1, and e_0(1/2) = 1/4.",
            r"g(2^{-k-1}) = 2^{-k},\qquad\tfrac12-\tfrac14 = \tfrac14",
            all_of(
                identity(
                    (2 * x).subs(x, sympy.Integer(2) ** (-levels - 2)),
                    sympy.Integer(2) ** (-levels - 1),
                ),
                identity(
                    (x - x**2).subs(x, sympy.Rational(1, 2)), bound.subs(levels, 0), automatic=True
                ),
            ),
        ),
    ]


def approximate_square(x: mpmath.mpf, count: int) -> mpmath.mpf:
    """f_m(x) by composing ReLUs, at the working precision."""

    def relu(y: mpmath.mpf) -> mpmath.mpf:
        return y if y > 0 else mpmath.mpf(0)

    total, g = x, x
    for level in range(1, count + 1):
        g = 2 * relu(g) - 4 * relu(g - mpmath.mpf(1) / 2) + 2 * relu(g - 1)
        total -= g / mpmath.mpf(4) ** level
    return total


def measure(parameters: Parameters) -> mpmath.mpf:
    """The error of the network."""
    with mpmath.workdps(40):
        x = mpmath.mpf(parameters["x"])
        return abs(approximate_square(x, parameters["levels"]) - x**2)


LEMMA = Lemma(
    name="relu_square",
    doc=__doc__,
    claim=r"0\le f_m(x)-x^2\le4^{-m-1}\quad(0\le x\le1)",
    kind="tight",
    assumptions=(r"$0\le x\le1$",),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={"levels": Range(0, 12, integer=True), "x": Range(0.0, 1.0)},
    witness={"levels": 4, "x": 2.0**-5},
    wrong_variants=(
        WrongVariant(
            "one level better",
            steps=partial(steps, bound=BOUND / 4),
            bound=BOUND / 4,
            counterexample={"levels": 4, "x": 2.0**-5},
        ),
        WrongVariant("weights 2^{-s} instead of 4^{-s}", steps=partial(steps, base=2)),
        WrongVariant(
            "assumption x <= 1 dropped",
            counterexample={"levels": 4, "x": 1.1},
        ),
        WrongVariant(
            "assumption x >= 0 dropped",
            counterexample={"levels": 4, "x": -0.1},
        ),
    ),
)
