r"""The polynomial kernel is a mixture of exponentials of the lag with a Gamma density.

Statement
---------
For every lag h >= 0

    (1 + h/l)^{-p} = Gamma(p)^{-1} int_0^oo x^{p-1} e^{-x} e^{-x h/l} dx,

a mixture with non-negative weights of total 1 of the kernels e^{-a h} with rates a = x/l: each of
them is one softmax head with a linear position bias.

Assumptions
-----------
l > 0, p > 0, h >= 0.

Proof
-----
Euler's integral with the rate c = 1 + h/l, by its antiderivative (an incomplete Gamma function)
and its limits at both ends.  The weights are positive at sight, and h = 0 gives their total.

Kind
----
equality: for every lag.

Source
------
NIST Digital Library of Mathematical Functions, 5.9.1 (Euler's integral with a rate); linear
position biases: Press, Smith & Lewis, arXiv 2108.12409, Section 3.

Example
-------
>>> value, bound = LEMMA.sample({"h": 8, "ell": 8.0, "power": 2.0})
>>> bool(abs(value - 0.25) < 1e-25), float(bound)
(True, 0.25)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, monotone, positive
from proofs_check.lemma import Lemma
from proofs_check.lemmas._mixtures import EULER, c, euler_step, gamma_average, x
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import ell, h, power

KERNEL = (1 + h / ell) ** -power
WEIGHT = x ** (power - 1) * sympy.exp(-x) / sympy.gamma(power)
"""Density of the weights over x = rate * length_scale."""
RATE = x / ell


def steps(
    kernel: sympy.Expr = KERNEL, weight: sympy.Expr = WEIGHT, rate: sympy.Expr = RATE
) -> list[Step]:
    """The proof, for a claimed kernel, density of the weights and rate."""
    return [
        euler_step(),
        Step(
            "Weight times exponential is Euler's integrand with c = 1 + h/l.",
            r"w(x)\,e^{-xh/\ell} = \Gamma(p)^{-1}x^{p-1}e^{-(1+h/\ell)x}",
            identity(
                weight * sympy.exp(-rate * h),
                x ** (power - 1) * sympy.exp(-(1 + h / ell) * x) / sympy.gamma(power),
            ),
        ),
        Step(
            "So the mixture is the kernel.",
            r"\Gamma(p)^{-1}\,\Gamma(p)\,(1+h/\ell)^{-p} = \gamma(h)",
            identity(EULER.subs(c, 1 + h / ell) / sympy.gamma(power), kernel, automatic=True),
        ),
        Step(
            "The weights are positive.",
            r"w(x) > 0",
            positive(weight),
        ),
        Step(
            "Their total is 1, the value at lag 0; every exponential decays with the lag.",
            r"\gamma(0) = 1,\qquad \tfrac{d}{dh}e^{-xh/\ell}\le0",
            all_of(
                identity(kernel.subs(h, 0), 1, automatic=True),
                monotone(sympy.exp(-rate * h), h, "decreasing"),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The mixture, by quadrature in the logarithm of the rate."""
    with mpmath.workdps(32):
        rate = 1 + mpmath.mpf(parameters["h"]) / mpmath.mpf(parameters["ell"])
        return gamma_average(parameters["power"], rate)


def measure_cut(parameters: Parameters) -> mpmath.mpf:
    """The mixture without the rates below 1e-12: it may diverge there."""
    with mpmath.workdps(32):
        rate = 1 + mpmath.mpf(parameters["h"]) / mpmath.mpf(parameters["ell"])
        return gamma_average(parameters["power"], rate, start=mpmath.mpf("1e-12"))


_POINT = {"h": 5, "ell": 3.0, "power": 1.5}

LEMMA = Lemma(
    name="laplace_polynomial",
    doc=__doc__,
    claim=r"(1+h/\ell)^{-p} = \frac1{\Gamma(p)}\int_0^\infty x^{p-1}e^{-x}\,e^{-xh/\ell}\,dx",
    kind="equality",
    assumptions=(r"$\ell>0$, $p>0$", r"$h\ge0$"),
    steps=steps(),
    bound=KERNEL,
    measure=measure,
    parameters={
        "h": Range(0, 200, integer=True),
        "ell": Range(0.5, 50.0),
        "power": Range(0.3, 5.0),
    },
    witness=_POINT,
    wrong_variants=(
        WrongVariant(
            "density x^p instead of x^(p-1)",
            steps=partial(steps, weight=x**power * sympy.exp(-x) / sympy.gamma(power)),
        ),
        WrongVariant("rate x instead of x/l", steps=partial(steps, rate=x)),
        WrongVariant(
            "weights not normalised",
            steps=partial(steps, weight=WEIGHT * sympy.gamma(power)),
            bound=KERNEL * sympy.gamma(power),
            counterexample={**_POINT, "power": 3.0},
        ),
        WrongVariant(
            "kernel of the next power",
            steps=partial(steps, kernel=KERNEL / (1 + h / ell)),
            bound=KERNEL / (1 + h / ell),
            counterexample=_POINT,
        ),
        WrongVariant(
            "assumption p > 0 dropped: the integral diverges at small rates",
            counterexample={**_POINT, "power": -0.5},
            measure=measure_cut,
        ),
    ),
    also={"weight": WEIGHT, "rate": RATE},
)
