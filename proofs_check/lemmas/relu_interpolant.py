r"""One ReLU head per knot carries any kernel exactly at whole lags: a piecewise linear interpolant.

Statement
---------
Let c_0 > c_1 > ... be the scores of the lags, gamma(m) = 0 for m > J, s_m = (gamma(m) -
gamma(m+1))/(c_m - c_{m+1}), s_{J+1} = 0, a_m = s_m - s_{m+1}.  Then

    F(c) = sum_{m=0}^J a_m max(c - c_{m+1}, 0)

has F(c_i) = gamma(i) for i <= J and F(c_i) = 0 for i > J: J+1 heads, any gamma, any J.

Assumptions
-----------
Scores strictly decrease with the lag (lemma knot_order).

Proof
-----
At c_i the heads m >= i are active.  Abel summation: F(c_i) - F(c_{i+1}) = (sum_{m>=i} a_m)
(c_i - c_{i+1}), and the a_m telescope to s_i; so F(c_i) - F(c_{i+1}) = gamma(i) - gamma(i+1), and
this telescopes to gamma(i).

Kind
----
equality: the value at every knot.

Source
------
Own derivation; the paper (arXiv 2407.16134, Section 4) takes four heads for every lag.

Example
-------
>>> drawn = {"period": 16, "J": 2, "lag": 1, "ell": 4.0, "frequencies": 1}
>>> value, bound = LEMMA.sample(drawn)
>>> bool(abs(value - bound) < 1e-14)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, summation
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J

OUTPUT = sympy.Symbol("output", nonnegative=True)
"""gamma at the lags that are kept, 0 beyond."""


def steps(threshold: int = 1, beyond: int = 0) -> list[Step]:
    """The proof, for a claimed threshold c_{m+threshold} and a claimed gamma(J+1)."""
    i = sympy.Symbol("i", integer=True, nonnegative=True)
    m = sympy.Symbol("m", integer=True, nonnegative=True)
    n = sympy.Symbol("n", integer=True, nonnegative=True)
    slope, score, gamma = (sympy.Function(name) for name in ("s", "c", "g"))
    weight = slope(m) - slope(m + 1)
    gap = sympy.Symbol("d", positive=True)
    u, v, high, low = sympy.symbols("u v a b", nonnegative=True)
    return [
        Step(
            "At the score c_i the heads m >= i are active, the others are not.",
            r"c_i-c_{m+1}>0\ (m\ge i),\qquad c_i-c_{m+1}\le0\ (m<i)",
            all_of(
                # c_i = c_{m+1} + (positive gaps), or c_{m+1} = c_i + (gaps, possibly none)
                nonnegative((low + gap + u) - low),
                nonnegative((high + v) - high),
            ),
        ),
        Step(
            "The weights from i to J telescope.",
            r"\sum_{m=i}^Ja_m = s_i-s_{J+1} = s_i",
            summation(weight, (m, i, n), slope(i) - slope(n + 1)),
        ),
        Step(
            "One knot further every active head loses the same amount, and head i switches off at "
            "its threshold.",
            r"F(c_i)-F(c_{i+1}) = \sum_{m\ge i}a_m\,(c_i-c_{i+1})",
            all_of(
                identity(
                    (score(i) - score(m + 1)) - (score(i + 1) - score(m + 1)),
                    score(i) - score(i + 1),
                    automatic=True,
                ),
                identity((score(i + 1) - score(m + threshold)).subs(m, i), 0, automatic=True),
            ),
        ),
        Step(
            "So neighbouring values differ like the kernel.",
            r"s_i\,(c_i-c_{i+1}) = \gamma(i)-\gamma(i+1)",
            identity((high - low) / gap * gap, high - low, automatic=True),
        ),
        Step(
            "The differences telescope from i to J, and F(c_{J+1}) = 0 = gamma(J+1).",
            r"F(c_i) = \sum_{m=i}^J(\gamma(m)-\gamma(m+1)) = \gamma(i)",
            all_of(
                summation(gamma(m) - gamma(m + 1), (m, i, n), gamma(i) - gamma(n + 1)),
                identity((high - low).subs(low, beyond), high, automatic=True),
            ),
        ),
        Step(
            "Beyond J no head is active: every threshold c_{m+1}, m <= J, is at or above c_i.",
            r"i>J\ge m\ \Rightarrow\ i\ge m+1",
            nonnegative((J + 1 + n) - (J + 1)) if threshold else nonnegative(-(n + 1)),
        ),
    ]


def _scores(parameters: Parameters) -> list[mpmath.mpf]:
    """c_m for the lags 0 .. period/2: odd harmonics with the weights 1/f^2."""
    period = parameters["period"]
    odd = [2 * j + 1 for j in range(parameters["frequencies"])]
    norm = mpmath.fsum(mpmath.mpf(1) / f**2 for f in odd)
    turn = 2 * mpmath.pi / period
    return [
        mpmath.fsum(mpmath.cos(turn * f * m) / f**2 for f in odd) / norm
        for m in range(period // 2 + 1)
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """One plus the sum of all heads at one score (plus one, so that zero has a scale)."""
    with mpmath.workdps(DIGITS):
        scores, scale, last = _scores(parameters), mpmath.mpf(parameters["ell"]), parameters["J"]
        gamma = [mpmath.exp(-m / scale) for m in range(last + 1)] + [mpmath.mpf(0)]
        slopes = [
            (gamma[m] - gamma[m + 1]) / (scores[m] - scores[m + 1]) for m in range(last + 1)
        ] + [mpmath.mpf(0)]
        total = mpmath.mpf(1)
        for m in range(last + 1):
            argument = scores[parameters["lag"]] - scores[m + 1]
            total += (slopes[m] - slopes[m + 1]) * max(argument, mpmath.mpf(0))
        return total


def measure_between(parameters: Parameters) -> mpmath.mpf:
    """The same at the score of a lag that is not whole: halfway to the next."""
    lag = parameters["lag"]
    ends = [measure({**parameters, "lag": lag + extra}) for extra in (0, 1)]
    with mpmath.workdps(DIGITS):
        turn = 2 * mpmath.pi / parameters["period"]
        scores = [mpmath.cos(turn * (lag + extra)) for extra in (0, mpmath.mpf("0.5"), 1)]
        share = (scores[1] - scores[2]) / (scores[0] - scores[2])
        return share * ends[0] + (1 - share) * ends[1]


def measure_mirrored(parameters: Parameters) -> mpmath.mpf:
    """Beyond half the period, where lag m has the score of lag period - m."""
    return measure({**parameters, "lag": parameters["period"] - parameters["lag"]})


def derive(parameters: Parameters) -> Parameters:
    """gamma(lag) for lag <= J, else 0."""
    with mpmath.workdps(DIGITS):
        kept = parameters["lag"] <= parameters["J"]
        place = mpmath.mpf(parameters["lag"]) + parameters.get("half", 0)
        return {"output": mpmath.exp(-place / mpmath.mpf(parameters["ell"])) if kept else 0}


_WITNESS = {"period": 16, "J": 5, "lag": 3, "ell": 4.0, "frequencies": 1}

LEMMA = Lemma(
    name="relu_interpolant",
    doc=__doc__,
    claim=r"\sum_{m=0}^Ja_m\max(c_i-c_{m+1},0) = \gamma(i)\,[i\le J]",
    kind="equality",
    assumptions=(r"$c_0>c_1>\dots>c_N$",),
    steps=steps(),
    bound=1 + OUTPUT,
    measure=measure,
    derive=derive,
    parameters={
        "period": Range(16, 60, integer=True),
        "J": Range(0, 7, integer=True),
        "lag": Range(0, 8, integer=True),
        "ell": Range(0.5, 8.0),
        "frequencies": Range(1, 4, integer=True),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant("threshold at the knot itself", steps=partial(steps, threshold=0)),
        WrongVariant("kernel continued by 1 beyond J", steps=partial(steps, beyond=1)),
        WrongVariant(
            "exact at lags that are not whole",
            measure=measure_between,
            counterexample={**_WITNESS, "lag": 0, "half": 0.5},
        ),
        WrongVariant(
            "assumption dropped: lags beyond half the period, where scores rise again",
            measure=measure_mirrored,
            counterexample={**_WITNESS, "lag": 12},
        ),
    ),
)
