"""Gamma mixtures of exponentials: the integral that the sums of exponentials come from."""

from __future__ import annotations

from typing import Any

import mpmath
import sympy

from proofs_check.discharge import integration
from proofs_check.step import Step
from proofs_check.symbols import power

x = sympy.Symbol("x", positive=True)
"""Rate of one exponential, in units of 1/length_scale."""
c = sympy.Symbol("c", positive=True)
"""Where the Laplace transform is taken."""
EULER = sympy.gamma(power) * c**-power
"""Integral of x^(power-1) e^(-cx)."""


def euler_step() -> Step:
    """Euler's integral with a rate, for every positive power and rate."""
    return Step(
        "Euler's integral with a rate c > 0.",
        r"\int_0^\infty x^{p-1}e^{-cx}\,dx = \Gamma(p)\,c^{-p}",
        integration(
            x ** (power - 1) * sympy.exp(-c * x),
            (x, 0, sympy.oo),
            EULER,
            antiderivative=-sympy.uppergamma(power, c * x) * c**-power,
        ),
    )


def gamma_average(shape: Any, rate: Any, *, start: Any = None) -> mpmath.mpf:
    """``int x^(shape-1) e^(-rate x) dx / Gamma(shape)`` by quadrature in log x, from `start`."""
    with mpmath.workdps(32):
        shape, rate = mpmath.mpf(shape), mpmath.mpf(rate)
        low = -76 / shape if start is None else mpmath.log(start)
        cuts = [low, low / 2, low / 4, low / 8, -2, 0, 1.5, 3, 5]
        nodes = sorted({max(low, mpmath.mpf(cut)) for cut in cuts})
        total = mpmath.quad(lambda u: mpmath.exp(shape * u - rate * mpmath.exp(u)), nodes)
        return total / mpmath.gamma(shape)
