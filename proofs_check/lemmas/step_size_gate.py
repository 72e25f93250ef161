r"""The step size 2/(m_t+L_t) as a function of t bends little: at most sqrt(3)/18 where s >= 2.

Statement
---------
m_t + L_t = alpha_t^2 s + 2 sigma_t^2 with s = m + L, the sum of the ends of the spectrum of the
noise-free covariance.  With D = 2 + (s-2) e^{-t} the step size is eta = 2/D and

    eta'' = 2 (D-2)(D-4)/D^3.

For t >= t_min, with D_0 = D(t_min),

    |eta''| <= sqrt(3)/18                        if s >= 2 (whatever the condition number is),
    |eta''| <= 2 (2-D_0)(4-D_0)/D_0^3 <= 16/s^3  if s <= 2.

Assumptions
-----------
s > 0, t >= t_min >= 0.

Proof
-----
dD/dt = -(D-2), twice.  For D = 2 + z, z >= 0: sqrt(3) (2+z)^3 - 36 z (2-z) and
sqrt(3) (2+z)^3 - 36 z (z-2) are squares times linear factors.  For D <= 2 the size decreases in D.

Kind
----
tight: attained at D = 6 - 2 sqrt(3) and 6 + 2 sqrt(3), and at t_min if s < 2.

Source
------
Own derivation; the step size is Fu, Dou, Guo, Wang & Chen, arXiv 2407.16134, Section 4.

Example
-------
>>> value, bound = LEMMA.sample({"s": 1.0, "t_min": 0.0, "delay": 0.0})
>>> round(float(value), 12), float(bound)
(6.0, 6.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, monotone, nonnegative, smt
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import t

s = sympy.Symbol("s", positive=True)
"""m + L at t = 0."""
t_min = sympy.Symbol("t_min", nonnegative=True)
LARGE = sympy.sqrt(3) / 18
"""The bound for s >= 2."""


def denominator(at: sympy.Expr) -> sympy.Expr:
    """D = m_t + L_t."""
    return 2 + (s - 2) * sympy.exp(-at)


def curvature(of: sympy.Expr) -> sympy.Expr:
    """eta'' as a function of D."""
    return 2 * (of - 2) * (of - 4) / of**3


BOUND = sympy.Piecewise((LARGE, s >= 2), (curvature(denominator(t_min)), True))


def steps(large: sympy.Expr = LARGE, small_factor: int = 16) -> list[Step]:
    """The proof, for a claimed bound at s >= 2 and a claimed constant at s <= 2."""
    whole = sympy.Symbol("D", positive=True)
    z, u = sympy.symbols("z u", nonnegative=True)
    w = sympy.Symbol("w", real=True)
    tail = sympy.Symbol("c", positive=True)
    root = sympy.sqrt(3)
    low, high = 4 - 2 * root, 4 + 2 * root
    rest_low, rest_high = 14 + 8 * root, 14 - 8 * root
    left = (2 + z) ** 3 * large * 18 - 36 * z * (2 - z)
    right = (2 + z) ** 3 * large * 18 - 36 * z * (z - 2)
    return [
        Step(
            "The sum of both ends of the spectrum, in t.",
            r"m_t+L_t = e^{-t}s+2(1-e^{-t}) = 2+(s-2)e^{-t}",
            identity(sympy.exp(-t) * s + 2 * (1 - sympy.exp(-t)), denominator(t)),
        ),
        Step(
            "The second derivative.",
            r"\eta'' = 2(D-2)(D-4)/D^3",
            identity(sympy.diff(2 / denominator(t), t, 2), curvature(denominator(t))),
        ),
        Step(
            "For s >= 2, D = 2+z with z >= 0: both signs, as a square times a linear factor.",
            r"\sqrt3(2+z)^3-36z(2-z) = \sqrt3\,(z-4+2\sqrt3)^2(z+14+8\sqrt3),\quad"
            r"\sqrt3(2+z)^3-36z(z-2) = \sqrt3\,(z-4-2\sqrt3)^2(z+14-8\sqrt3)",
            all_of(
                identity(left, root * (z - low) ** 2 * (z + rest_low)),
                identity(right, root * (z - high) ** 2 * (z + rest_high)),
                nonnegative(tail * w**2 * (z + tail)),
                identity(rest_high * rest_low, 4),
            ),
            smt(
                sympy.And(
                    36 * z * (2 - z) <= 18 * large * (2 + z) ** 3,
                    36 * z * (z - 2) <= 18 * large * (2 + z) ** 3,
                ),
            ),
        ),
        Step(
            "D stays on its side of 2.",
            r"D-2 = (s-2)e^{-t}",
            all_of(
                identity(denominator(t) - 2, (s - 2) * sympy.exp(-t), automatic=True),
                nonnegative((s - 2) * sympy.exp(-t), {s: 2 + u}),
                nonnegative((2 - s) * sympy.exp(-t), {s: 2 / (1 + u)}),
            ),
        ),
        Step(
            "For s <= 2 the size decreases in D <= 2, and D increases in t: worst at t_min.",
            r"\frac{d}{dD}\frac{2(2-D)(4-D)}{D^3} = -\frac{2(D^2-12D+24)}{D^4}\le0",
            all_of(
                identity(
                    sympy.diff(curvature(whole), whole),
                    -2 * (whole**2 - 12 * whole + 24) / whole**4,
                ),
                nonnegative(whole**2 - 12 * whole + 24, {whole: 2 / (1 + u)}),
                monotone(denominator(t), t, "increasing", {s: 2 / (1 + u)}),
            ),
        ),
        Step(
            "There D_0 >= s, and (2-D)(4-D) <= 8.",
            r"2(2-D)(4-D)/D^3\le16/D^3",
            nonnegative(small_factor - 2 * (2 - whole) * (4 - whole), {whole: 2 / (1 + u)}),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """|eta''| at t = t_min + delay, differentiated numerically."""
    with mpmath.workdps(60):
        at = mpmath.mpf(parameters["t_min"]) + mpmath.mpf(parameters["delay"])
        total = mpmath.mpf(parameters["s"])

        def step_size(x: mpmath.mpf) -> mpmath.mpf:
            return 2 / (mpmath.exp(-x) * total - 2 * mpmath.expm1(-x))

        return abs(mpmath.diff(step_size, at, 2))


_EDGE = {"s": 0.25, "t_min": 0.125, "delay": 0.0}
_PEAK = {"s": float(6 + 2 * 3**0.5), "t_min": 0.0, "delay": 0.0}

LEMMA = Lemma(
    name="step_size_gate",
    doc=__doc__,
    claim=r"|\eta''|\le\sqrt3/18\ (s\ge2),\qquad|\eta''|\le2(2-D_0)(4-D_0)/D_0^3\ (s\le2)",
    kind="tight",
    assumptions=(r"$m_t+L_t = \alpha_t^2s+2\sigma_t^2$, $s>0$", r"$t\ge t_{\min}\ge0$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={
        "s": Range(0.05, 200.0),
        "t_min": Range(0.0, 2.0),
        "delay": Range(0.0, 5.0),
    },
    witness=_PEAK,
    wrong_variants=(
        WrongVariant(
            "sqrt(3)/20 for s >= 2",
            steps=partial(steps, sympy.sqrt(3) / 20),
            bound=BOUND * sympy.Rational(9, 10),
            counterexample=_PEAK,
        ),
        WrongVariant("15/s^3 for s <= 2", steps=partial(steps, small_factor=15)),
        WrongVariant(
            "sqrt(3)/18 for every s",
            bound=LARGE,
            counterexample=_EDGE,
        ),
        WrongVariant("assumption t >= t_min dropped", counterexample={**_EDGE, "delay": -0.1}),
    ),
    also={"large": LARGE, "uniform_small": 16 / s**3},
)
