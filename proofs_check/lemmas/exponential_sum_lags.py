r"""Eight exponentials carry the logarithmic kernel over 1024 lags, checked at every lag.

Statement
---------
For gamma(h) = (1 + log(1 + h/8))^{-1} and the rates and weights below (one rate is 0)

    |gamma(h) - sum_i w_i e^{-a_i h}| <= 1.42e-5,      h = 0, 1, ..., 1023,

so the temporal matrix of up to 1024 frames is met within 0.015 in the spectral norm, by eight
softmax heads with linear position biases.  Fitted rates need no theory: finitely many lags are
finitely many inequalities, and ball arithmetic decides each of them.

Assumptions
-----------
The stored rates and weights, the lags 0 to 1023.

Proof
-----
Every lag in ball arithmetic; the norm of a symmetric Toeplitz matrix by lemma operator_norm.

Kind
----
upper: at every lag of the range; nothing is claimed beyond it.

Source
------
Own fit (least squares in the logarithms of the rates, reweighted towards the largest error);
ball arithmetic: F. Johansson, IEEE Trans. Comput. 66 (2017) 1281-1292.

Example
-------
>>> value, bound = LEMMA.sample({"lag": 101})
>>> bool(value <= bound), round(float(value / bound), 2)
(True, 1.0)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import mpmath
import sympy
from flint import arb

from proofs_check.discharge import positive
from proofs_check.enclose import ball
from proofs_check.exponential_sums import doubled, lag_errors, worst
from proofs_check.lemma import Lemma
from proofs_check.lemmas._uses import uses
from proofs_check.outcome import PROVED_BOX, Discharge, Outcome, failed
from proofs_check.step import Parameters, Range, Step, WrongVariant

RATES = (
    0.0,
    0.00135852275,
    0.00693438759,
    0.0213144281,
    0.0574330504,
    0.144475609,
    0.342246662,
    0.787443467,
)
WEIGHTS = (
    0.150451956,
    0.0809629112,
    0.0842511684,
    0.116278403,
    0.169316939,
    0.207477822,
    0.154361063,
    0.0368863468,
)
LAGS = 1024
LENGTH_SCALE = 8
TOLERANCE = sympy.Rational(142, 10**7)
NORM = sympy.Rational(15, 1000)


def kernel_balls(lags: int) -> list[arb]:
    """Balls containing the kernel at the lags 0, ..., lags - 1."""
    return [1 / (1 + (1 + arb(lag) / LENGTH_SCALE).log()) for lag in range(lags)]


def in_balls(
    rates: Sequence[float],
    weights: Sequence[float],
    size: Callable[[Sequence[arb]], arb],
    limit: sympy.Rational,
) -> Discharge:
    """``size(errors at the lags) < limit`` in ball arithmetic."""

    def decide() -> Outcome:
        found = size(lag_errors(kernel_balls(LAGS), rates, weights))
        if not found < ball(limit):
            return failed(f"ball arithmetic finds {found.str(6)}, not below {float(limit)}")
        return Outcome(
            PROVED_BOX,
            f"{LAGS} lags, {len(rates)} exponentials",
            scope=f"lags 0 to {LAGS - 1}, the stored rates",
        )

    return Discharge("ball arithmetic at every lag", decide)


def steps(
    rates: Sequence[float] = RATES,
    weights: Sequence[float] = WEIGHTS,
    tolerance: sympy.Rational = TOLERANCE,
) -> list[Step]:
    """The proof, for given rates and weights and a claimed tolerance."""
    return [
        Step(
            "At every lag the error is within the tolerance.",
            r"\max_{0\le h<1024}\bigl|\gamma(h)-\sum_iw_ie^{-a_ih}\bigr|\le\varepsilon",
            in_balls(rates, weights, worst, tolerance),
        ),
        Step(
            "Every weight is positive, so every term is one softmax head.",
            r"\min_iw_i>0",
            positive(sympy.Min(*map(sympy.Rational, weights))),
        ),
        Step(
            "The norm of a symmetric Toeplitz matrix.",
            r"\|E\|_2\le|e_0|+2\sum_{h\ge1}|e_h|",
            uses("operator_norm"),
        ),
        Step(
            "Over all the lags that is below the stated norm; fewer frames have fewer lags.",
            r"|e_0|+2\sum_{h=1}^{1023}|e_h|\le0.015",
            in_balls(rates, weights, doubled, NORM),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The error at one lag."""
    with mpmath.workdps(40):
        lag = parameters["lag"]
        kernel = 1 / (1 + mpmath.log(1 + mpmath.mpf(lag) / LENGTH_SCALE))
        pairs = zip(RATES, WEIGHTS, strict=True)
        return abs(kernel - mpmath.fsum(w * mpmath.exp(-mpmath.mpf(a) * lag) for a, w in pairs))


LEMMA = Lemma(
    name="exponential_sum_lags",
    doc=__doc__,
    claim=r"\max_{0\le h<1024}\Bigl|\gamma(h)-\sum_{i=1}^8w_ie^{-a_ih}\Bigr|\le1.42\cdot10^{-5}",
    kind="upper",
    assumptions=(r"$\gamma(h)=(1+\log(1+h/8))^{-1}$", r"lags $0\le h<1024$"),
    steps=steps(),
    bound=TOLERANCE,
    measure=measure,
    parameters={"lag": Range(0, LAGS - 1, integer=True)},
    wrong_variants=(
        WrongVariant(
            "tolerance smaller by a hundredth",
            steps=partial(steps, tolerance=TOLERANCE * sympy.Rational(99, 100)),
            bound=TOLERANCE * sympy.Rational(99, 100),
            counterexample={"lag": 101},
        ),
        WrongVariant("one head left out", steps=partial(steps, RATES[:-1], WEIGHTS[:-1])),
        WrongVariant(
            "one weight off by 1e-6",
            steps=partial(steps, weights=(WEIGHTS[0] + 1e-6, *WEIGHTS[1:])),
        ),
        WrongVariant("a lag beyond the range that was checked", counterexample={"lag": 5000}),
    ),
    also={"rates": RATES, "weights": WEIGHTS},
)
