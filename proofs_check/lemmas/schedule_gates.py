r"""The gates of the schedule: alpha_t, alpha_t^2 and sigma_t^2 bend at most at the earliest t.

Statement
---------
The gates are e^{-rt} with r = 1/2 (alpha_t), r = 1 (alpha_t^2), and 1 - e^{-t} (sigma_t^2).  For
t >= t_min

    |second derivative| = r^2 e^{-rt} <= r^2 e^{-r t_min} <= r^2:

at most 1/4 for alpha_t and 1 for the other two, whatever the kernel.  With lemma interpolation a
ReLU network of n pieces on an interval of length T carries them within r^2 T^2/(8 n^2).

Assumptions
-----------
t >= t_min >= 0.

Proof
-----
Differentiate twice; the exponential decreases.

Kind
----
tight: attained at t = t_min.

Source
------
Schedule dX = -X/2 dt + dW: Fu, Dou, Guo, Wang & Chen, arXiv 2407.16134, Section 2.

Example
-------
>>> value, bound = LEMMA.sample({"gate": 0, "t_min": 0.0, "delay": 0.0})
>>> round(float(value), 12), float(bound)
(0.25, 0.25)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, monotone, nonnegative
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import t

rate = sympy.Symbol("rate", positive=True)
"""1/2 for alpha, 1 for alpha^2 and sigma^2."""
t_min = sympy.Symbol("t_min", nonnegative=True)
BOUND = rate**2 * sympy.exp(-rate * t_min)


def steps(bound: sympy.Expr = BOUND) -> list[Step]:
    """The proof, for a claimed bound."""
    u = sympy.Symbol("u", nonnegative=True)
    size = sympy.Symbol("E", nonnegative=True)
    gate = sympy.exp(-rate * t)
    return [
        Step(
            "Second derivatives.",
            r"(e^{-rt})'' = r^2e^{-rt},\qquad(1-e^{-t})'' = -e^{-t}",
            all_of(
                identity(sympy.diff(gate, t, 2), rate**2 * gate, automatic=True),
                identity(sympy.diff(1 - sympy.exp(-t), t, 2), -gate.subs(rate, 1), automatic=True),
            ),
        ),
        Step(
            "They decrease in size, so the bound holds from t_min on, with equality at t_min.",
            r"r^2e^{-rt}\ \text{decreases},\quad r^2e^{-rt_{\min}} = \mathrm{bound}",
            all_of(
                monotone(rate**2 * gate, t, "decreasing"),
                identity((rate**2 * gate).subs(t, t_min), bound, automatic=True),
            ),
        ),
        Step(
            "And it is at most r^2: an exponential of a negative number is at most 1.",
            r"r^2e^{-ru}\le r^2",
            all_of(
                monotone(sympy.exp(-rate * u), u, "decreasing"),
                identity(sympy.exp(-rate * u).subs(u, 0), 1, automatic=True),
                nonnegative(rate**2 * (1 - size), {size: 1 / (1 + u)}),
            ),
        ),
    ]


def _gate(index: int, at: mpmath.mpf) -> mpmath.mpf:
    if index == 0:
        return mpmath.exp(-at / 2)
    return mpmath.exp(-at) if index == 1 else -mpmath.expm1(-at)


def measure(parameters: Parameters) -> mpmath.mpf:
    """|second derivative| at t = t_min + delay, differentiated numerically."""
    with mpmath.workdps(60):
        at = mpmath.mpf(parameters["t_min"]) + mpmath.mpf(parameters["delay"])
        return abs(mpmath.diff(lambda x: _gate(parameters["gate"], x), at, 2))


def derive(parameters: Parameters) -> Parameters:
    """The rate of the gate."""
    return {**parameters, "rate": 0.5 if parameters["gate"] == 0 else 1}


_POINT = {"gate": 0, "t_min": 0.125, "delay": 0.0}

LEMMA = Lemma(
    name="schedule_gates",
    doc=__doc__,
    claim=r"|(e^{-rt})''|\le r^2e^{-rt_{\min}}\quad(t\ge t_{\min})",
    kind="tight",
    assumptions=(r"$t\ge t_{\min}\ge0$", r"$\alpha_t=e^{-t/2}$, $\sigma_t^2=1-e^{-t}$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "gate": Range(0, 2, integer=True),
        "t_min": Range(0.0, 2.0),
        "delay": Range(0.0, 5.0),
    },
    witness=_POINT,
    wrong_variants=(
        WrongVariant(
            "the first derivative's size r e^{-rt} squared: r^2 e^{-2rt}",
            steps=partial(steps, rate**2 * sympy.exp(-2 * rate * t_min)),
            bound=rate**2 * sympy.exp(-2 * rate * t_min),
            counterexample=_POINT,
        ),
        WrongVariant("assumption t >= t_min dropped", counterexample={**_POINT, "delay": -0.1}),
    ),
    also={"uniform": rate**2},
)
