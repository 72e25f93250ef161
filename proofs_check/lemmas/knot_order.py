r"""Scores on the circle strictly decrease with the lag, with one frequency or F odd harmonics.

Statement
---------
With f = 1, 3, .., 2F-1 and the weights 1/f^2 (normalised), c_m = sum_f cos(2 pi f m/C)/f^2
strictly decreases for 0 <= m <= C/2.  The gaps, as computed, are

    c_m - c_{m+1} = 2 sum_f sin((m+1/2) w_f) sin(w_f/2)/f^2,       w_f = 2 pi f/C.

Assumptions
-----------
Odd harmonics with the weights 1/f^2, F >= 1; lags up to half the period.

Proof
-----
c'(x) = -g(x), g(x) = sum_f sin(f x)/f, x = 2 pi m/C in (0, pi).  g'(y) = sum_f cos(f y) =
sin(2Fy)/(2 sin y), by telescoping, and g(pi-x) = g(x): x in (0, pi/2] is enough.  There g(x) is the
integral of an alternating sine with the weight 1/(2 sin y), which decreases: every half wave
outweighs the next, so that g > 0 (Fejer and Jackson's inequality for odd sines).

Kind
----
upper: minus every gap is below 0.

Source
------
G. Polya & G. Szego, Problems and Theorems in Analysis II, Part VI, Problem 28 (Fejer-Jackson);
the proof for odd harmonics is our own.

Example
-------
>>> value, bound = LEMMA.sample({"period": 16, "frequencies": 3, "position": 0.5})
>>> bool(value < bound)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, positive, recurrence
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS
from proofs_check.lemmas._steps import alternating_between
from proofs_check.step import Parameters, Range, Step, WrongVariant


def steps(exponent: int = 2, stride: int = 2) -> list[Step]:
    """The proof, for claimed weights f^{-exponent} and harmonics f = stride j + 1."""
    x, y, a, b = sympy.symbols("x y a b", real=True)
    f = sympy.Symbol("f", positive=True)
    j = sympy.Symbol("j", integer=True, nonnegative=True)
    count = sympy.Symbol("F", integer=True, positive=True)
    odd = stride * j + 1
    wave, sine, more = sympy.symbols("S r u", nonnegative=True)
    first = sympy.Symbol("w", positive=True)
    kernel = sympy.sin(2 * (j + 1) * y) / (2 * sympy.sin(y))
    lag = sympy.Symbol("m", nonnegative=True)
    return [
        Step(
            "The gap as a product, so that crowded knots keep their digits.",
            r"\cos m\omega-\cos(m+1)\omega = 2\sin(m+\tfrac12)\omega\,\sin\tfrac\omega2",
            identity(
                sympy.cos(lag * y) - sympy.cos((lag + 1) * y),
                2 * sympy.sin((lag + sympy.Rational(1, 2)) * y) * sympy.sin(y / 2),
            ),
        ),
        Step(
            "The slope of the score, term by term.",
            r"\frac d{dx}\frac{\cos fx}{f^2} = -\frac{\sin fx}f,\qquad"
            r"\frac d{dx}\frac{\sin fx}f = \cos fx",
            all_of(
                identity(
                    sympy.diff(sympy.cos(f * x) / f**exponent, x),
                    -sympy.sin(f * x) / f,
                    automatic=True,
                ),
                identity(sympy.diff(sympy.sin(f * x) / f, x), sympy.cos(f * x), automatic=True),
            ),
        ),
        Step(
            "The sum of the cosines telescopes.",
            r"\sum_{j=0}^{F-1}\cos(2j+1)y = \frac{\sin2Fy}{2\sin y}",
            recurrence(
                kernel,
                j,
                lambda i, total: total + sympy.cos((stride * (i + 1) + 1) * y),
                [sympy.cos(y)],
            ),
        ),
        Step(
            "Mirror image: for odd f the sine is even about pi/2, so 0 < x <= pi/2 is enough.",
            r"\sin f(\pi-x) = \sin fx",
            identity(
                sympy.expand_trig(sympy.sin(odd * sympy.pi - odd * x)),
                sympy.sin(odd * x),
                automatic=True,
            ),
        ),
        Step(
            "Moving on by half a wave changes the sign of the sine and nothing else.",
            r"\sin2F\bigl(y+\tfrac\pi{2F}\bigr) = -\sin2Fy",
            identity(
                sympy.sin(2 * count * y + 2 * count * sympy.pi / (2 * count)),
                -sympy.sin(2 * count * y),
                automatic=True,
            ),
        ),
        Step(
            "The sine increases on [0, pi/2] (both factors are positive), so the weight decreases.",
            r"\sin b-\sin a = 2\cos\tfrac{a+b}2\sin\tfrac{b-a}2",
            identity(
                sympy.sin(b) - sympy.sin(a),
                2 * sympy.cos((a + b) / 2) * sympy.sin((b - a) / 2),
            ),
        ),
        Step(
            "So every half wave has at least the integral of the next one: S is the modulus of the "
            "sine, r <= r + u the two weights' reciprocals.",
            r"S\Bigl(\frac1r-\frac1{r+u}\Bigr)\ge0",
            nonnegative(wave * (1 / (sine + 1) - 1 / (sine + 1 + more))),
        ),
        alternating_between(),
        Step(
            "The integral up to x is an alternating sum of whole half waves and a part of the next "
            "one: A is at most the second half wave r, and the first, r + u + w, is larger.",
            r"g(x) = \int_0^x\frac{\sin2Fy}{2\sin y}\,dy>0",
            positive((sine + more + first) - (sine / (1 + more))),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """Minus one gap, c_{m+1} - c_m."""
    with mpmath.workdps(DIGITS):
        period = parameters["period"]
        lag = int(parameters["position"] * (period // 2 - 1)) + parameters.get("beyond", 0)
        odd = [2 * j + 1 for j in range(parameters["frequencies"])]
        weights = [mpmath.mpf(f) ** -parameters.get("exponent", 2) for f in odd]
        turn = 2 * mpmath.pi / period

        def score(m: int) -> mpmath.mpf:
            terms = (w * mpmath.cos(turn * f * m) for f, w in zip(odd, weights, strict=True))
            return mpmath.fsum(terms) / mpmath.fsum(weights)

        return score(lag + 1) - score(lag)


_DRAWN = {"period": 64, "frequencies": 4, "position": 0.5}

LEMMA = Lemma(
    name="knot_order",
    doc=__doc__,
    claim=r"c_m-c_{m+1}>0\quad(0\le m,\ m+1\le C/2)",
    kind="upper",
    assumptions=(r"odd harmonics, weights $1/f^2$", r"lags up to $C/2$"),
    steps=steps(),
    bound=sympy.S.Zero,
    measure=measure,
    parameters={
        "period": Range(4, 80, integer=True),
        "frequencies": Range(1, 8, integer=True),
        "position": Range(0.0, 0.99),
    },
    wrong_variants=(
        WrongVariant(
            "equal weights",
            steps=partial(steps, exponent=0),
            counterexample={**_DRAWN, "exponent": 0, "position": 0.26},
        ),
        WrongVariant("all harmonics instead of the odd ones", steps=partial(steps, stride=1)),
        WrongVariant(
            "lags beyond half the period",
            counterexample={**_DRAWN, "beyond": 30},
        ),
    ),
)
