r"""The trapezoidal rule and one constant head carry the logarithmic kernel over finitely many lags.

Statement
---------
Rates x_k/l with x_k = e^{k eta} and weights w_k = eta phi(k eta), k = -n, ..., r,

    phi(u) = Gamma(q)^{-1} exp(-e^u) int_0^oo y^{q-1} e^{-y} e^{yu} / Gamma(y) dy,

and one head of rate 0 with the weight 1 - sum_k w_k.  At every lag h >= 0 the error is at most

    D(1 + h/l) + D(1) + (h/l) (8/7) eta e^{-(n+1) eta} / (1 - e^{-eta})
      + e^{-theta X} [ (1 + log(1 - theta))^{-q} + D(1 - theta) ],        X = e^{(r+1) eta},

    D(c) = 2 (1 + log(c cos a))^{-q} / (e^{2 pi a/eta} - 1),

for all a, theta with (1 - theta) cos a > 1/e.  M = n + r + 2 heads of the order
log(1/eps) log(H/(l eps)) reach the error eps at all lags up to H.

Assumptions
-----------
l, q, eta > 0, 0 < a < pi/2, 0 < theta < 1, (1 - theta) cos a > 1/e.

Proof
-----
As for the polynomial kernel, averaged over its power (the integral over y converges uniformly on
bounded sets, so phi is analytic): at height b the integral of the modulus is at most
(1 + log(c cos b))^{-q}.  Large rates: Markov's inequality with e^{theta x}.  Small rates
alone decay too slowly (like 1/n^q) and are replaced by rate 0, where the total at lag 0 is made
right; 1 - e^{-s} <= s and 1/Gamma <= 8/7 leave a geometric series.

Kind
----
upper: for every lag.

Source
------
L. N. Trefethen & J. A. C. Weideman, The exponentially convergent trapezoidal rule, SIAM Review 56
(2014) 385-458, Theorem 5.1; own derivation.

Example
-------
>>> value, bound = LEMMA.sample(_POINT)
>>> bool(value < bound < 2e-4)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import numpy as np
import sympy
from scipy.special import gammaln

from proofs_check.discharge import (
    all_of,
    cited,
    covering,
    identity,
    limit,
    monotone,
    nonnegative,
    positive,
    sum_nonnegative,
)
from proofs_check.lemma import Lemma
from proofs_check.lemmas._convexity import above_tangent, decreasing_on
from proofs_check.lemmas._mixtures import EULER, c, euler_step
from proofs_check.lemmas.laplace_logarithmic import y
from proofs_check.lemmas.trapezoid_polynomial import CORNER, geometric_step, left, spacing, strip
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import ell, h, power

theta = sympy.Symbol("theta", positive=True)
"""Exponent of Markov's inequality for the large rates."""
LEAST_GAMMA = sympy.Rational(7, 8)
"""A lower bound of the Gamma function on (0, oo); its minimum is 0.8856."""


def average(at: sympy.Expr) -> sympy.Expr:
    """The Laplace transform of the density of the rates, at `at`."""
    return (1 + sympy.log(at)) ** -power


def discretisation(at: sympy.Expr) -> sympy.Expr:
    """D(at): error of the trapezoidal rule for that transform."""
    return 2 * average(at * sympy.cos(strip)) / (sympy.exp(2 * sympy.pi * strip / spacing) - 1)


SMALL = spacing * sympy.exp(-(left + 1) * spacing) / LEAST_GAMMA / (1 - sympy.exp(-spacing))
LARGE = sympy.exp(-theta * CORNER) * (average(1 - theta) + discretisation(1 - theta))
BOUND = discretisation(1 + h / ell) + discretisation(sympy.S.One) + h / ell * SMALL + LARGE


def steps(
    least_gamma: sympy.Expr = LEAST_GAMMA, small: sympy.Expr = SMALL, replaced: int = 1
) -> list[Step]:
    """The proof, for a claimed minimum of Gamma and tail; replaced = 0: no head of rate 0."""
    v = sympy.Symbol("v", nonnegative=True)
    b = sympy.Symbol("b", real=True)
    x, gap, cosine = sympy.symbols("x g C", positive=True)
    above = sympy.Symbol("kappa_x", positive=True)  # between 1/e and c cos a
    truth, full, full_0, low, low_0, high, high_0 = sympy.symbols("G T T0 S S0 R R0", real=True)
    i, n = (sympy.Symbol(name, integer=True, positive=True) for name in "in")
    weight, growth = (sympy.IndexedBase(name, nonnegative=True) for name in "wE")
    one, more = sympy.symbols("w_1 z", nonnegative=True)
    kept, kept_0 = full - low - high, full_0 - low_0 - high_0
    return [
        euler_step(),
        Step(
            "For one power y the integral over the line at height b, C = cos b.",
            r"\int e^{yu-cCe^u}du/\Gamma(y) = e^{-y\log(cC)}",
            identity(
                EULER.subs(power, y).subs(c, sympy.exp(v) * cosine) / sympy.gamma(y),
                sympy.exp(-y * (v + sympy.log(cosine))),
            ),
        ),
        Step(
            "Averaged over the powers: Euler's integral with the rate 1 + log(c cos b) > 0.",
            r"\int_0^\infty\frac{y^{q-1}e^{-y}}{\Gamma(q)}e^{-y\log(cC)}\,dy = "
            r"(1+\log(cC))^{-q}",
            identity(
                EULER.subs(c, 1 + sympy.log(c * cosine)) / sympy.gamma(power),
                average(c * cosine),
                automatic=True,
            ),
        ),
        Step(
            "The worst height is the edge of the strip.",
            r"\cos b\ge\cos a,\qquad(1+\log(cC))^{-q}\ \text{decreases in}\ C",
            all_of(
                decreasing_on(sympy.cos(b), b, 0, sympy.pi / 2),
                monotone((1 + v) ** -power, v, "decreasing"),
                monotone(sympy.log(cosine), cosine, "increasing"),
            ),
        ),
        Step(
            "The Gamma function is at least 7/8 on [1, 2].",
            r"\Gamma(y)>7/8,\quad 1\le y\le2",
            covering(sympy.gamma(y) - least_gamma, {y: (1, 2)}),
        ),
        Step(
            "Hence everywhere: it grows from y >= 1 to y+1, and from y+1 down to y <= 1.",
            r"\Gamma(y+1)-\Gamma(y) = (y-1)\Gamma(y),\qquad\Gamma(y)-\Gamma(y+1) = (1-y)\Gamma(y)",
            all_of(
                identity(sympy.gamma(y + 1) - sympy.gamma(y), (y - 1) * sympy.gamma(y)),
                nonnegative((y - 1) * gap, {y: 1 + v}),
                nonnegative((1 - y) * gap, {y: 1 / (1 + v)}),
            ),
        ),
        Step(
            "Large u: x^y e^{-kx} is at most its maximum, and (y/e)^y <= Gamma(y+1).",
            r"kx-y\log x-(y-y\log(y/k))\ge0,\quad "
            r"\Gamma(y+1)\ge y^y\int_y^\infty e^{-x}dx = (y/e)^y",
            all_of(
                above_tangent(
                    above * x - y * sympy.log(x) - (y - y * sympy.log(y / above)), x, y / above
                ),
                monotone(x**y, x, "increasing"),
                identity(
                    sympy.integrate(sympy.exp(-x), (x, y, sympy.oo)), sympy.exp(-y), automatic=True
                ),
            ),
        ),
        Step(
            "So the integrand vanishes at both ends, uniformly in the strip (1/e < k < c cos a).",
            r"\tfrac87(1-u)^{-q}\to0\ (u\to-\infty),\qquad "
            r"\mathrm{const}\cdot e^{-(c\cos a-k)x}\to0\ (x\to\infty)",
            all_of(
                limit((1 + v) ** -power / LEAST_GAMMA, v, sympy.oo, 0),
                limit(sympy.exp(-gap * x), x, sympy.oo, 0),
            ),
        ),
        Step(
            "The trapezoidal rule for a function analytic in a strip.",
            r"\Bigl|\eta\sum_{k\in\mathbb Z}F(k\eta)-\int F\Bigr|\le\frac{2M}{e^{2\pi a/\eta}-1}",
            cited(
                "Trefethen & Weideman, SIAM Review 56 (2014) 385-458, Theorem 5.1",
                "error of the trapezoidal rule on the real line for a function analytic in a strip",
            ),
        ),
        Step(
            "Kept rates and the constant: T, S, R are the whole sum, small and large rates at lag "
            "h, T0, S0, R0 at lag 0.",
            r"\gamma-(T-S-R)-\bigl(1-(T_0-S_0-R_0)\bigr) = "
            r"(\gamma-T)-(1-T_0)-(S_0-S)-(R_0-R)",
            identity(
                truth - kept - replaced * (1 - kept_0),
                (truth - full) - (1 - full_0) - (low_0 - low) - (high_0 - high),
                automatic=True,
            ),
        ),
        Step(
            "Small rates lose at most s = xh/l each, and e^{-s} >= 0 bounds what large ones lose.",
            r"0\le1-e^{-s}\le s,\qquad0\le R_0-R\le R_0",
            all_of(
                above_tangent(sympy.exp(-v) - 1 + v, v, 0),
                monotone(sympy.exp(-v), v, "decreasing"),
                positive(sympy.exp(-v)),
            ),
        ),
        Step(
            "Their weights, u = -v < 0: Euler's integral with the rate 1 + v, 1/Gamma at most 8/7.",
            r"\varphi(-v)\le\tfrac87(1+v)^{-q}\le\tfrac87",
            all_of(
                identity(
                    EULER.subs(c, 1 + v) / sympy.gamma(power), (1 + v) ** -power, automatic=True
                ),
                monotone((1 + v) ** -power, v, "decreasing"),
                identity(((1 + v) ** -power).subs(v, 0), 1, automatic=True),
            ),
        ),
        geometric_step(),
        Step(
            "So the small rates cost a geometric series in e^{-eta}, times h/l.",
            r"\sum_{j>n}\tfrac87\eta\,e^{-j\eta} = \tfrac87\frac{\eta e^{-(n+1)\eta}}{1-e^{-\eta}}",
            identity(
                small * (1 - sympy.exp(-spacing)),
                spacing * sympy.exp(-(left + 1) * spacing) / LEAST_GAMMA,
                automatic=True,
            ),
        ),
        Step(
            "Large rates: Markov's inequality, E_i = e^{theta (x_i - X)} >= 1, then the whole sum "
            "with c = 1 - theta.",
            r"\sum_iw_iE_i-\sum_iw_i = \sum_iw_i(E_i-1)\ge0",
            sum_nonnegative(
                sympy.Sum(weight[i] * growth[i], (i, 1, n)) - sympy.Sum(weight[i], (i, 1, n)),
                weight[i] * (growth[i] - 1),
                (i, 1, n),
                {weight[i]: one, growth[i]: 1 + more},
            ),
        ),
    ]


def _weights(parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Rates (times l) and weights: the integral over the powers by a fine rule in log y."""
    eta, q = parameters["spacing"], parameters["power"]
    u = eta * np.arange(-parameters["left"], parameters["right"] + 1)
    log_y = np.linspace(-34.0, 8.0, 2400)
    powers = np.exp(log_y)
    exponent = q * log_y - powers - gammaln(powers) + np.outer(u, powers) - np.exp(u)[:, None]
    step = log_y[1] - log_y[0]
    weights = eta * step * np.exp(exponent - gammaln(q)).sum(axis=1)
    return np.exp(u), weights


def measure(parameters: Parameters) -> mpmath.mpf:
    """The error of the sum at one lag; float64, far below the bound in the stated ranges."""
    return _error(parameters, constant=True)


def measure_without_constant(parameters: Parameters) -> mpmath.mpf:
    """The same without the head of rate 0."""
    return _error(parameters, constant=False)


def _error(parameters: Parameters, constant: bool) -> mpmath.mpf:
    rates, weights = _weights(parameters)
    scaled = parameters["h"] / parameters["ell"]
    total = (weights * np.exp(-rates * scaled)).sum()
    total += 1 - weights.sum() if constant else 0.0
    return mpmath.mpf(abs((1 + np.log1p(scaled)) ** -parameters["power"] - float(total)))


_POINT = {
    "h": 63,
    "ell": 8.0,
    "power": 1.0,
    "spacing": 0.6,
    "strip": 1.0,
    "theta": 0.3,
    "left": 24,
    "right": 6,
}

LEMMA = Lemma(
    name="trapezoid_logarithmic",
    doc=__doc__,
    claim=r"\Bigl|\gamma(h)-\sum_kw_ke^{-x_kh/\ell}-\bigl(1-\sum_kw_k\bigr)\Bigr|\le "
    r"D(1+\tfrac h\ell)+D(1)+\text{two tails}",
    kind="upper",
    assumptions=(
        r"$\ell,q,\eta>0$",
        r"$0<a<\pi/2$, $0<\theta<1$, $(1-\theta)\cos a>1/e$",
    ),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={
        "h": Range(0, 5000, integer=True),
        "ell": Range(0.5, 20.0),
        "power": Range(0.3, 4.0),
        "spacing": Range(0.4, 1.0),
        "strip": Range(0.2, 1.0),
        "theta": Range(0.05, 0.3),
        "left": Range(0, 60, integer=True),
        "right": Range(0, 15, integer=True),
    },
    wrong_variants=(
        WrongVariant("1/Gamma at most 1", steps=partial(steps, least_gamma=sympy.S.One)),
        WrongVariant(
            "small rates dropped, no head of rate 0",
            steps=partial(steps, replaced=0),
            measure=measure_without_constant,
            counterexample=_POINT,
        ),
        WrongVariant(
            "one geometric factor too many",
            steps=partial(steps, small=SMALL * (1 - sympy.exp(-spacing))),
        ),
        WrongVariant(
            "the large rates forgotten",
            bound=BOUND - LARGE,
            counterexample={**_POINT, "right": 0},
        ),
        WrongVariant(
            "assumption cos a > 1/e dropped",
            counterexample={
                **_POINT,
                "power": 2.0,
                "strip": 1.5,
                "left": 60,
                "right": 12,
                "theta": 0.01,
            },
        ),
    ),
    also={"small_rates": SMALL, "large_rates": LARGE, "discretisation": discretisation(c)},
)
