r"""The tail of a convex kernel is at most the number of lags times the mean of its ends.

Statement
---------
For convex gamma and J < N - 1,

    T_N(J) <= (N-1-J) (gamma(J+1) + gamma(N-1))/2,

and the same for every block a .. b of lags, so that the tail may be cut into blocks first.  For the
logarithmic kernel gamma(h) = (1 + log(1 + h/ell))^{-q}.

Assumptions
-----------
gamma convex (polynomial, logarithmic, exponential with nu <= 1); J < N - 1.

Proof
-----
Second derivative >= 0.  In a convex sequence gamma(a+i) + gamma(b-i) <= gamma(a) + gamma(b): on
the chord from a to b both values together are the sum of the ends.  Pair the lags of the
block from both ends.

Kind
----
tight: equality for blocks of one or two lags.

Source
------
Elementary; Hermite-Hadamard's inequality for sums.

Example
-------
>>> value, bound = LEMMA.sample({"ell": 8.0, "power": 1.0, "J": 4, "N": 7})
>>> bool(abs(value - bound) < 1e-15)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, positive, smt, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, LOGARITHMIC, grid
from proofs_check.lemmas._steps import LOG_SLACK
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J, N, h

TAIL = (N - 1 - J) * (LOGARITHMIC.subs(h, J + 1) + LOGARITHMIC.subs(h, N - 1)) / 2


HALF = sympy.Rational(1, 2)


def steps(mean: sympy.Expr = HALF) -> list[Step]:
    """The proof, for a claimed factor of the sum of the ends."""
    n = sympy.Symbol("n", integer=True, positive=True)
    i = sympy.Symbol("i", integer=True, positive=True)
    front, back = sympy.IndexedBase("f", nonnegative=True), sympy.IndexedBase("b", nonnegative=True)
    first, last, gap, u, v = sympy.symbols("g_a g_b d u v", nonnegative=True)
    share = sympy.Symbol("theta", nonnegative=True)
    left, right = sympy.symbols("l r", nonnegative=True)
    chord = first + share * (last - first)
    return [
        Step(
            "The logarithmic kernel is convex.",
            r"\gamma''(h)>0",
            positive(sympy.diff(LOGARITHMIC, h, 2), LOG_SLACK),
        ),
        Step(
            "A convex function lies below its chord; theta = (k-a)/(b-a), and the mirrored lag "
            "a + b - k has 1 - theta.",
            r"\gamma(k)\le(1-\theta)\gamma(a)+\theta\gamma(b)",
            all_of(
                identity(chord, (1 - share) * first + share * last),
                identity(1 - (h - left) / (right - left), (right - h) / (right - left)),
            ),
        ),
        Step(
            "So a lag and its mirror image together are at most the two ends.",
            r"\gamma(k)+\gamma(a+b-k)\le\gamma(a)+\gamma(b)",
            nonnegative(
                first + last - (chord - u) - (chord.subs(share, 1 - share) - v),
            ),
            smt(
                left + right <= first + last,
                [left <= chord, right <= chord.subs(share, 1 - share)],
            ),
        ),
        Step(
            "Summed over the n lags of the block: every lag also occurs as a mirror image.",
            r"2\sum_{k=a}^b\gamma(k) = \sum_{k=a}^b[\gamma(k)+\gamma(a+b-k)]",
            sum_nonnegative(
                sympy.Sum(first + last, (i, 1, n))
                - sympy.Sum(front[i], (i, 1, n))
                - sympy.Sum(back[i], (i, 1, n)),
                first + last - front[i] - back[i],
                (i, 1, n),
                {front[i]: first + gap - u, back[i]: last - gap - v},
            ),
        ),
        Step(
            "The lags J+1 .. N-1 are n = N-1-J of them.",
            r"T_N(J)\le(N-1-J)\frac{\gamma(J+1)+\gamma(N-1)}2",
            all_of(
                identity(mean * 2, 1, automatic=True),
                identity((N - 1) - (J + 1) + 1, N - 1 - J, automatic=True),
                positive(LOGARITHMIC, LOG_SLACK),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The tail, term by term."""
    parameters = grid(parameters)
    with mpmath.workdps(DIGITS):
        scale, q = mpmath.mpf(parameters["ell"]), mpmath.mpf(parameters["power"])
        lags = range(parameters["J"] + 1, parameters["N"])
        return mpmath.fsum((1 + mpmath.log(1 + k / scale)) ** -q for k in lags)


def measure_concave(parameters: Parameters) -> mpmath.mpf:
    """A concave kernel with the same ends: linear in the square of the lag."""
    with mpmath.workdps(DIGITS):
        scale, q = mpmath.mpf(parameters["ell"]), mpmath.mpf(parameters["power"])
        ends = (parameters["J"] + 1, parameters["N"] - 1)
        first, last = ((1 + mpmath.log(1 + k / scale)) ** -q for k in ends)
        span = mpmath.mpf(ends[1] ** 2 - ends[0] ** 2)
        lags = range(ends[0], ends[1] + 1)
        return mpmath.fsum(first - (first - last) * (k**2 - ends[0] ** 2) / span for k in lags)


_WITNESS = {"ell": 8.0, "power": 1.0, "J": 4, "N": 7}

LEMMA = Lemma(
    name="tail_logarithmic",
    doc=__doc__,
    claim=r"T_N(J)\le(N-1-J)\,\frac{\gamma(J+1)+\gamma(N-1)}2",
    kind="tight",
    assumptions=(r"$\gamma$ convex, e.g. $(1+\log(1+h/\ell))^{-q}$", r"$J<N-1$"),
    steps=steps(),
    bound=TAIL,
    measure=measure,
    derive=grid,
    parameters={
        "ell": Range(0.5, 20.0),
        "power": Range(0.1, 3.0),
        "J": Range(0, 60, integer=True),
        "N": Range(62, 200, integer=True),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "a third instead of a half",
            steps=partial(steps, sympy.Rational(1, 3)),
            bound=TAIL * 2 / 3,
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "number of lags times the last one",
            bound=(N - 1 - J) * LOGARITHMIC.subs(h, N - 1),
            counterexample={"ell": 8.0, "power": 1.0, "J": 4, "N": 64},
        ),
        WrongVariant(
            "assumption of convexity dropped",
            measure=measure_concave,
            counterexample={"ell": 8.0, "power": 1.0, "J": 4, "N": 64},
        ),
    ),
)
