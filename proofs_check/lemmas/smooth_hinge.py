r"""A SiLU or GELU of large argument is a hinge, up to a constant divided by its sharpness.

Statement
---------
For every beta > 0 and real z

    |act(beta z)/beta - relu(z)| <= gap/beta,

with gap = 0.279 for SiLU and 0.171 for GELU and its tanh form.

Assumptions
-----------
beta > 0.

Proof
-----
act(x) - act(-x) = x, so the gap is |x| (1 - s(|x|)) with act(x) = x s(x).  On [0, 8] it is bounded
by subdivision in ball arithmetic, beyond by exp(y) >= 1 + y + y^2/2.

Kind
----
upper: the constants are rounded up in the third digit.

Source
------
Own derivation; the normal tail: W. Feller, An Introduction to Probability Theory and Its
Applications, vol. 1, 3rd ed., Section VII.1, Lemma 2.

Example
-------
>>> value, bound = LEMMA.sample({"kind": 0, "beta": 2.0, "z": -0.64})
>>> round(float(value), 4), float(bound)
(0.1392, 0.1395)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, covering, identity, nonnegative, smt
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

beta = sympy.Symbol("beta", positive=True)
"""Sharpness."""
gap = sympy.Symbol("gap", positive=True)
"""Of the activation."""
BOUND = gap / beta
GAPS = (sympy.Rational(279, 1000), sympy.Rational(171, 1000), sympy.Rational(171, 1000))
"""SiLU, GELU, GELU by tanh."""
_END = 8


def steps(gaps: tuple[sympy.Rational, ...] = GAPS) -> list[Step]:
    """The proof, for claimed gaps."""
    x = sympy.Symbol("x", positive=True)
    u, v = sympy.symbols("u v", nonnegative=True)
    far = _END + v
    power = sympy.Symbol("E", positive=True)  # the exponential of the step
    box = {x: (0, _END)}
    inner = sympy.sqrt(2 / sympy.pi) * (x + sympy.Rational(44715, 10**6) * x**3)
    silu, gelu, by_tanh = gaps
    argument = sympy.Symbol("y", real=True)
    factor = 1 / (1 + sympy.exp(-argument))
    return [
        Step(
            "The gap is the same on both sides.",
            r"x - x\,s(x) = x\,s(-x)",
            all_of(
                identity(argument - argument * factor, argument * factor.subs(argument, -argument)),
                identity(1 - (1 + sympy.erf(x)) / 2, (1 + sympy.erf(-x)) / 2, automatic=True),
                identity(1 - (1 + sympy.tanh(x)) / 2, (1 + sympy.tanh(-x)) / 2, automatic=True),
            ),
        ),
        Step(
            "Up to 8, in ball arithmetic.",
            r"c-\frac x{1+e^x},\quad c-x(1-\Phi(x)),\quad c-\tfrac x2(1-\tanh)\;>0",
            all_of(
                covering(silu - x / (1 + sympy.exp(x)), box),
                covering(gelu - x * (1 - sympy.erf(x / sympy.sqrt(2))) / 2, box),
                covering(by_tanh - x * (1 - sympy.tanh(inner)) / 2, box),
            ),
        ),
        Step(
            "Beyond, the exponential is large and the normal tail small.",
            r"e^y\ge1+y+y^2/2,\quad x\,(1-\Phi(x))\le\frac{e^{-x^2/2}}{\sqrt{2\pi}},\quad"
            r"1-\tanh y = \frac2{1+e^{2y}}",
            cited("Feller, vol. 1, 3rd ed., VII.1, Lemma 2", "the normal tail; Taylor's theorem"),
        ),
        Step(
            "So all three gaps are smaller there.",
            r"\frac x{1+E}\le c\ (E\ge x^2/2),\quad \frac2{5E}\le c\ (E\ge1+x^2/2),\quad"
            r"\frac x{1+E}\le c\ (E\ge x^2)",
            all_of(
                nonnegative(silu * (1 + power) - x, {power: far**2 / 2 + u, x: far}),
                nonnegative(gelu * power - sympy.Rational(2, 5), {power: 1 + far**2 / 2 + u}),
                nonnegative(by_tanh * (1 + power) - x, {power: far**2 + u, x: far}),
            ),
            smt(
                sympy.And(x <= silu * (1 + power), x <= by_tanh * (1 + 2 * power)),
                [x >= _END, power >= x**2 / 2],
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The distance from the hinge, from the definitions."""
    with mpmath.workdps(40):
        z, sharp = mpmath.mpf(parameters["z"]), mpmath.mpf(parameters["beta"])
        x = sharp * z
        if parameters["kind"] == 0:
            value = x / (1 + mpmath.exp(-x))
        elif parameters["kind"] == 1:
            value = x * mpmath.ncdf(x)
        else:
            inner = mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)
            value = x * (1 + mpmath.tanh(inner)) / 2
        return abs(value / sharp - max(z, mpmath.mpf(0)))


def derive(parameters: Parameters) -> dict[str, object]:
    """The gap of the activation that was drawn."""
    return {"beta": parameters["beta"], "gap": GAPS[parameters["kind"]]}


LEMMA = Lemma(
    name="smooth_hinge",
    doc=__doc__,
    claim=r"|\mathrm{act}(\beta z)/\beta-\mathrm{relu}(z)|\le\mathrm{gap}/\beta",
    kind="upper",
    assumptions=(r"$\beta>0$",),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "kind": Range(0, 2, integer=True),
        "beta": Range(0.1, 100.0),
        "z": Range(-5.0, 5.0),
    },
    wrong_variants=(
        WrongVariant(
            "0.278 for SiLU",
            steps=partial(steps, (sympy.Rational(278, 1000), *GAPS[1:])),
            bound=sympy.Rational(278, 1000) / beta,
            counterexample={"kind": 0, "beta": 1.0, "z": 1.278},
        ),
        WrongVariant(
            "0.169 for GELU",
            steps=partial(steps, (GAPS[0], sympy.Rational(169, 1000), GAPS[2])),
            bound=sympy.Rational(169, 1000) / beta,
            counterexample={"kind": 1, "beta": 1.0, "z": 0.7518},
        ),
        WrongVariant(
            "the square of the sharpness",
            bound=gap / beta**2,
            counterexample={"kind": 0, "beta": 4.0, "z": 0.32},
        ),
    ),
)
