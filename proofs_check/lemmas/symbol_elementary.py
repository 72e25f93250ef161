r"""For kernels completely monotone in the lag, f(pi) lies in [(1-gamma(1))/2, 1-gamma(1)].

Statement
---------
For the polynomial, the logarithmic and the exponential kernel with nu <= 1,

    (1 - gamma(1))/2 <= f(pi) <= 1 - gamma(1).

So every eigenvalue of every Gamma_N is at least (1 - gamma(1))/2: a lower bound in closed form.

Assumptions
-----------
gamma completely monotone in the lag.  For the Gaussian kernel the lower bound is false.

Proof
-----
gamma(k) = int x^k dm over [0, 1] (lemma bernstein_chain), so 1 - gamma(1) = int (1-x) dm and
f(pi) = int (1-x)/(1+x) dm; 1/2 <= 1/(1+x) <= 1.

Kind
----
tight: the lower bound is approached as ell grows, the upper one as ell tends to 0.

Source
------
Own derivation.

Example
-------
>>> value, bound = LEMMA.sample({"regime": 1, "ell": 1.0, "shape": 1.0})
>>> bool(abs(value - 1 / (2 * mpmath.log(2) - 1)) < 1e-14), float(bound)
(True, 4.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, smt
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import (
    DIGITS,
    EXPONENTIAL,
    LOGARITHMIC,
    POLYNOMIAL,
    kernel,
    symbol_at_pi,
)
from proofs_check.lemmas._uses import uses
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import h

GAMMA_1 = sympy.Symbol("gamma_1", positive=True)
"""gamma(1) < 1."""
HALF = sympy.Rational(1, 2)
LOWER = (1 - GAMMA_1) / 2
UPPER = 1 - GAMMA_1
BOUND = 1 / LOWER
FORMULAS = {
    "exponential": EXPONENTIAL.subs(h, 1),
    "polynomial": POLYNOMIAL.subs(h, 1),
    "logarithmic": LOGARITHMIC.subs(h, 1),
}


def steps(fraction: sympy.Expr = HALF) -> list[Step]:
    """The proof, for a claimed fraction of 1 - gamma(1)."""
    x, mass, first = sympy.symbols("x w g", nonnegative=True)
    v = sympy.Symbol("v", nonnegative=True)
    inside = {x: 1 / (1 + v)}
    return [
        Step(
            "gamma is a moment sequence, f(pi) an integral over the same measure.",
            r"\gamma(k) = \int_0^1x^k\,dm,\qquad f(\pi) = \int\frac{1-x}{1+x}\,dm",
            uses("alternating_acceleration"),
        ),
        Step(
            "The measure has mass gamma(0) = 1.",
            r"\int(1-x)\,dm = 1-\gamma(1)",
            identity(mass - mass * x, mass * (1 - x)),
        ),
        Step(
            "Lower bound, for every x in [0, 1].",
            r"\frac{1-x}{1+x}-\frac{1-x}2 = \frac{(1-x)^2}{2(1+x)}\ge0",
            all_of(
                identity((1 - x) / (1 + x) - (1 - x) / 2, (1 - x) ** 2 / (2 * (1 + x))),
                nonnegative(mass * ((1 - x) / (1 + x) - fraction * (1 - x)), inside),
            ),
            smt((1 - x) >= fraction * (1 - x) * (1 + x), [x <= 1]),
        ),
        Step(
            "Upper bound.",
            r"(1-x)-\frac{1-x}{1+x} = \frac{x(1-x)}{1+x}\ge0",
            nonnegative(mass * ((1 - x) - (1 - x) / (1 + x)), inside),
            smt((1 - x) * (1 + x) >= 1 - x, [x <= 1]),
        ),
        Step(
            "The bound as stated.",
            r"\frac1{f(\pi)}\le\frac2{1-\gamma(1)}",
            identity(1 / (fraction * (1 - first)), BOUND.subs(GAMMA_1, first), automatic=True),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """1/f(pi)."""
    with mpmath.workdps(DIGITS):
        return 1 / symbol_at_pi(parameters)


def derive(parameters: Parameters) -> Parameters:
    """gamma(1)."""
    with mpmath.workdps(DIGITS):
        return {"gamma_1": kernel(parameters, 1)}


_WITNESS = {"regime": 0, "ell": 500.0, "shape": 1.0}

LEMMA = Lemma(
    name="symbol_elementary",
    doc=__doc__,
    claim=r"\tfrac12(1-\gamma(1))\le f(\pi)\le1-\gamma(1)",
    kind="tight",
    assumptions=(r"$\gamma$ completely monotone in the lag", r"$\gamma(0)=1$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "regime": Range(0, 2, integer=True),
        "ell": Range(0.3, 16.0),
        "shape": Range(0.2, 1.0),
    },
    witness=_WITNESS,
    witness_gap=1e-2,
    wrong_variants=(
        WrongVariant(
            "two thirds of 1 - gamma(1)",
            steps=partial(steps, fraction=sympy.Rational(2, 3)),
            bound=3 / (2 * (1 - GAMMA_1)),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "assumption dropped: Gaussian kernel",
            counterexample={"regime": 0, "ell": 2.0, "shape": 2.0},
        ),
    ),
    also={"lower": LOWER, "upper": UPPER}
    | {f"lower_{regime}": (1 - value) / 2 for regime, value in FORMULAS.items()}
    | {f"upper_{regime}": 1 - value for regime, value in FORMULAS.items()},
)
