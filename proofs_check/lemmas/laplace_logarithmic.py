r"""The logarithmic kernel is a mixture of exponentials of the lag, by two Laplace transforms.

Statement
---------
For every lag h >= 0

    (1 + log(1 + h/l))^{-q} = Gamma(q)^{-1} int_0^oo y^{q-1} e^{-y} (1 + h/l)^{-y} dy,

a mixture of polynomial kernels, and hence a mixture of e^{-x h/l} with the density

    rho(x) = e^{-x} Gamma(q)^{-1} int_0^oo y^{q-1} e^{-y} x^{y-1} / Gamma(y) dy >= 0

of total 1.

Assumptions
-----------
l > 0, q > 0, h >= 0.

Proof
-----
(1 + h/l)^{-y} = e^{-y log(1 + h/l)}, so the first formula is Euler's integral with the rate
c = 1 + log(1 + h/l); the second puts the polynomial kernel's own mixture inside it.  The order of
integration does not matter, for everything is non-negative.

Kind
----
equality: for every lag.

Source
------
NIST Digital Library of Mathematical Functions, 5.9.1; W. Rudin, Real and Complex Analysis, 3rd
ed., Theorem 8.8 (order of integration).

Example
-------
>>> value, bound = LEMMA.sample({"h": 0, "ell": 8.0, "power": 1.0})
>>> bool(abs(value - 1) < 1e-25), float(bound)
(True, 1.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, monotone, positive
from proofs_check.lemma import Lemma
from proofs_check.lemmas import laplace_polynomial
from proofs_check.lemmas._mixtures import EULER, c, euler_step, gamma_average, x
from proofs_check.lemmas._uses import uses
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import ell, h, power

y = sympy.Symbol("y", positive=True)
"""Power of one polynomial kernel of the mixture."""
KERNEL = (1 + sympy.log(1 + h / ell)) ** -power
OUTER = y ** (power - 1) * sympy.exp(-y) / sympy.gamma(power)
"""Density of the powers y."""


def steps(kernel: sympy.Expr = KERNEL, outer: sympy.Expr = OUTER) -> list[Step]:
    """The proof, for a claimed kernel and density of the powers."""
    inner = laplace_polynomial.LEMMA.bound.subs(power, y)
    weight = laplace_polynomial.WEIGHT.subs(power, y)
    rate = 1 + sympy.log(1 + h / ell)
    log_lag = {h: ell * (sympy.exp(sympy.Symbol("r", nonnegative=True)) - 1)}
    return [
        euler_step(),
        Step(
            "Weight times polynomial kernel is Euler's integrand with c = 1 + log(1 + h/l); "
            "written in r = log(1 + h/l), which takes every value >= 0.",
            r"\Gamma(q)^{-1}y^{q-1}e^{-y}(1+h/\ell)^{-y} = "
            r"\Gamma(q)^{-1}y^{q-1}e^{-(1+\log(1+h/\ell))y}",
            identity(
                (outer * inner).subs(log_lag),
                (y ** (power - 1) * sympy.exp(-rate * y) / sympy.gamma(power)).subs(log_lag),
            ),
        ),
        Step(
            "The rate is at least 1.",
            r"\log(1+h/\ell)\ge\log 1 = 0",
            all_of(
                monotone(rate, h, "increasing"),
                identity(rate.subs(h, 0), 1, automatic=True),
            ),
        ),
        Step(
            "So the mixture of polynomial kernels is the logarithmic kernel.",
            r"\Gamma(q)^{-1}\,\Gamma(q)\,c^{-q} = \gamma(h)",
            identity(EULER.subs(c, rate) / sympy.gamma(power), kernel, automatic=True),
        ),
        Step(
            "Every polynomial kernel is a mixture of exponentials.",
            r"(1+h/\ell)^{-y} = \Gamma(y)^{-1}\int_0^\infty x^{y-1}e^{-x}\,e^{-xh/\ell}\,dx",
            uses("laplace_polynomial"),
        ),
        Step(
            "The order of integration of a non-negative function does not matter.",
            r"\iint\cdot\,dx\,dy = \iint\cdot\,dy\,dx",
            cited(
                "Rudin, Real and Complex Analysis, 3rd ed., Theorem 8.8",
                "Fubini and Tonelli: iterated integrals of a non-negative function agree",
            ),
        ),
        Step(
            "The integrand is the stated one, and positive.",
            r"\frac{y^{q-1}e^{-y}}{\Gamma(q)}\cdot\frac{x^{y-1}e^{-x}}{\Gamma(y)} > 0",
            all_of(
                identity(
                    outer * weight,
                    sympy.exp(-x)
                    / sympy.gamma(power)
                    * y ** (power - 1)
                    * sympy.exp(-y)
                    * x ** (y - 1)
                    / sympy.gamma(y),
                    automatic=True,
                ),
                positive(outer * weight),
            ),
        ),
        Step(
            "The total weight is 1, the value at lag 0.",
            r"\gamma(0) = 1",
            identity(kernel.subs(h, 0), 1, automatic=True),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The mixture of polynomial kernels, by quadrature in the logarithm of the power."""
    with mpmath.workdps(32):
        base = 1 + mpmath.mpf(parameters["h"]) / mpmath.mpf(parameters["ell"])
        return gamma_average(parameters["power"], 1 + mpmath.log(base))


def measure_cut(parameters: Parameters) -> mpmath.mpf:
    """The mixture without the powers below 1e-12: it may diverge there."""
    with mpmath.workdps(32):
        base = 1 + mpmath.mpf(parameters["h"]) / mpmath.mpf(parameters["ell"])
        return gamma_average(parameters["power"], 1 + mpmath.log(base), start=mpmath.mpf("1e-12"))


_POINT = {"h": 5, "ell": 3.0, "power": 1.5}

LEMMA = Lemma(
    name="laplace_logarithmic",
    doc=__doc__,
    claim=r"(1+\log(1+h/\ell))^{-q} = "
    r"\frac1{\Gamma(q)}\int_0^\infty y^{q-1}e^{-y}(1+h/\ell)^{-y}\,dy",
    kind="equality",
    assumptions=(r"$\ell>0$, $q>0$", r"$h\ge0$"),
    steps=steps(),
    bound=KERNEL,
    measure=measure,
    parameters={
        "h": Range(0, 2000, integer=True),
        "ell": Range(0.5, 50.0),
        "power": Range(0.3, 5.0),
    },
    witness=_POINT,
    wrong_variants=(
        WrongVariant(
            "density y^q instead of y^(q-1)",
            steps=partial(steps, outer=y**power * sympy.exp(-y) / sympy.gamma(power)),
        ),
        WrongVariant(
            "density without e^(-y)",
            steps=partial(steps, outer=y ** (power - 1) / sympy.gamma(power)),
            bound=sympy.log(1 + h / ell) ** -power,
            counterexample=_POINT,
        ),
        WrongVariant(
            "the polynomial kernel instead of the logarithmic one",
            steps=partial(steps, kernel=(1 + h / ell) ** -power),
            bound=(1 + h / ell) ** -power,
            counterexample=_POINT,
        ),
        WrongVariant(
            "assumption q > 0 dropped: the integral diverges at small powers",
            counterexample={**_POINT, "power": -0.5},
            measure=measure_cut,
        ),
    ),
    also={"outer": OUTER, "inner_weight": laplace_polynomial.WEIGHT.subs(power, y)},
)
