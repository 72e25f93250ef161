r"""Two neurons of any usual activation are exactly linear: act(x) - act(-x) = x.

Statement
---------
For ReLU, GELU (by erf and by tanh) and SiLU, and every real x

    act(x) - act(-x) = x,

so a feed-forward layer with weights (1, -1) into and out of two neurons is the identity.

Assumptions
-----------
act(x) = x g(x) with g(x) + g(-x) = 1.  Leaky ReLU and ELU do not have this form.

Proof
-----
x g(x) + x g(-x) = x.  The gates are the unit step, the normal distribution function, its tanh
approximation and the logistic function; erf and tanh are odd.

Kind
----
equality: for every x.

Source
------
D. Hendrycks & K. Gimpel, arXiv 1606.08415, Section 2 (GELU, its tanh form, and SiLU).

Example
-------
>>> value, bound = LEMMA.sample({"activation": 3, "x": -1.5})
>>> bool(abs(value - bound) < 1e-30), float(bound)
(True, -1.5)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

x = sympy.Symbol("x", real=True)
TANH_SLOPE = sympy.sqrt(2 / sympy.pi)
GATES = {
    "GELU": (1 + sympy.erf(x / sympy.sqrt(2))) / 2,
    "GELU (tanh)": (1 + sympy.tanh(TANH_SLOPE * (x + sympy.Rational(44715, 10**6) * x**3))) / 2,
    "SiLU": 1 / (1 + sympy.exp(-x)),
}
"""g with act(x) = x g(x)."""


def steps(sign: int = -1) -> list[Step]:
    """The proof; sign = +1 claims it for the sum of the two neurons."""
    gate = sympy.Function("g")
    size, one = sympy.Symbol("s", nonnegative=True), sympy.Symbol("g_-", real=True)
    return [
        Step(
            "A gate and its mirror image add up to 1, so the pair is linear.",
            r"x\,g(x)-(-x)\,g(-x) = x\,(g(x)+g(-x)) = x",
            all_of(
                identity(
                    x * gate(x) + sign * (-x) * gate(-x), x * (gate(x) + gate(-x)), automatic=True
                ),
                identity(
                    (x * (gate(x) + gate(-x))).subs(gate(x), 1 - one).subs(gate(-x), one),
                    x,
                    automatic=True,
                ),
            ),
        ),
        *(
            Step(
                f"The gate of {name}.",
                r"g(x)+g(-x) = 1",
                identity(formula + formula.subs(x, -x), 1, automatic=True),
            )
            for name, formula in GATES.items()
        ),
        Step(
            "ReLU, for x = s >= 0 and x = -s.",
            r"\max(s,0)-\max(-s,0) = s,\qquad\max(-s,0)-\max(s,0) = -s",
            all_of(
                identity(sympy.Max(size, 0) - sympy.Max(-size, 0), size, automatic=True),
                identity(sympy.Max(-size, 0) - sympy.Max(size, 0), -size, automatic=True),
            ),
        ),
    ]


def _activation(index: int, at: mpmath.mpf) -> mpmath.mpf:
    if index == 0:
        return at if at > 0 else mpmath.mpf(0)
    if index == 1:
        return at * mpmath.ncdf(at)
    if index == 2:
        cubic = at + mpmath.mpf("0.044715") * at**3
        return at * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * cubic)) / 2
    if index == 3:
        return at / (1 + mpmath.exp(-at))
    if index == 4:  # leaky ReLU
        return at if at > 0 else at / 100
    return at if at > 0 else mpmath.expm1(at)  # ELU


def measure(parameters: Parameters) -> mpmath.mpf:
    """Two neurons with weights (1, -1)."""
    with mpmath.workdps(60):
        at, index = mpmath.mpf(parameters["x"]), parameters["activation"]
        return _activation(index, at) - _activation(index, -at)


LEMMA = Lemma(
    name="activation_pair",
    doc=__doc__,
    claim=r"\mathrm{act}(x)-\mathrm{act}(-x) = x",
    kind="equality",
    assumptions=("ReLU, GELU (erf or tanh) or SiLU",),
    steps=steps(),
    bound=x,
    measure=measure,
    parameters={"activation": Range(0, 3, integer=True), "x": Range(-40.0, 40.0)},
    witness={"activation": 1, "x": 2.5},
    wrong_variants=(
        WrongVariant("the sum of the two neurons", steps=partial(steps, sign=1)),
        WrongVariant("leaky ReLU", counterexample={"activation": 4, "x": 1.0}),
        WrongVariant("ELU", counterexample={"activation": 5, "x": 1.0}),
    ),
    also={"gates": GATES},
)
