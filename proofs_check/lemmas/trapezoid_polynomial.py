r"""The trapezoidal rule in log x turns the polynomial kernel into few exponentials, at every lag.

Statement
---------
With rates e^{k eta}/l and weights w_k = eta exp(p k eta - e^{k eta}) / Gamma(p), k = -n, ..., r,

    |gamma(h) - sum_k w_k exp(-e^{k eta} h/l)|
        <= gamma(h) 2 (cos a)^{-p} / (e^{2 pi a/eta} - 1)                     discretisation
         + eta e^{-p (n+1) eta} / (Gamma(p) (1 - e^{-p eta}))                 small rates dropped
         + eta e^{p v - e^v} / (Gamma(p) (1 - e^{-(e^v - p) eta})),  v = (r+1) eta     large ones

for every lag h >= 0 and every a in (0, pi/2).  M = n + r + 1 exponentials with M of the order
log(1/eps)^2 / p reach the error eps at all lags, whatever the number of frames.

Assumptions
-----------
l, p, eta > 0, 0 < a < pi/2, e^v > p.

Proof
-----
x = e^u turns the Laplace mixture into an integral over the line of exp(pu - c e^u), c = 1 + h/l.
At height b its modulus is exp(pu - c cos(b) e^u), whose integral is Gamma(p) (c cos b)^{-p}; the
theorem on the trapezoidal rule in a strip gives the first term.  The dropped terms are below two
geometric series: e^{-x} <= 1 on the left, e^s >= 1 + s on the right.

Kind
----
upper: for every lag.

Source
------
L. N. Trefethen & J. A. C. Weideman, The exponentially convergent trapezoidal rule, SIAM Review 56
(2014) 385-458, Theorem 5.1; sums of exponentials by this rule: G. Beylkin & L. Monzon, Appl.
Comput. Harmon. Anal. 28 (2010) 131-149.

Example
-------
>>> point = {"h": 9, "ell": 3.0, "power": 2.0, "spacing": 0.5, "strip": 1.2, "left": 20, "right": 7}
>>> value, bound = LEMMA.sample(point)
>>> bool(value < bound < 3e-4)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import (
    all_of,
    cited,
    identity,
    limit,
    monotone,
    nonnegative,
    positive,
    summation,
)
from proofs_check.lemma import Lemma
from proofs_check.lemmas._convexity import above_tangent, decreasing_on
from proofs_check.lemmas._mixtures import EULER, c, euler_step, x
from proofs_check.lemmas.laplace_polynomial import KERNEL
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import ell, h, power

spacing = sympy.Symbol("spacing", positive=True)
"""Step eta of the rule in log x."""
strip = sympy.Symbol("strip", positive=True)
"""Half width a of the strip of analyticity."""
left = sympy.Symbol("left", integer=True, nonnegative=True)
right = sympy.Symbol("right", integer=True, nonnegative=True)
index = sympy.Symbol("index", integer=True)
"""k, from -left to right."""
WEIGHT = (
    spacing * sympy.exp(power * index * spacing - sympy.exp(index * spacing)) / sympy.gamma(power)
)
CORNER = sympy.exp((right + 1) * spacing)
"""e^v, the smallest dropped large rate."""
DISCRETISATION = 2 * sympy.cos(strip) ** -power / (sympy.exp(2 * sympy.pi * strip / spacing) - 1)
"""Relative to the kernel."""
SMALL = (
    spacing
    * sympy.exp(-power * (left + 1) * spacing)
    / (sympy.gamma(power) * (1 - sympy.exp(-power * spacing)))
)
LARGE = (
    spacing
    * sympy.exp(power * (right + 1) * spacing - CORNER)
    / (sympy.gamma(power) * (1 - sympy.exp(-(CORNER - power) * spacing)))
)
BOUND = KERNEL * DISCRETISATION + SMALL + LARGE


def geometric_step() -> Step:
    """The sum of a geometric series with ratio 1/(1+g) < 1."""
    j, g = sympy.Symbol("j", integer=True, nonnegative=True), sympy.Symbol("g", positive=True)
    ratio = 1 / (1 + g)
    return Step(
        "A geometric series.",
        r"\sum_{j\ge0}\rho^j = \frac1{1-\rho},\qquad\rho = \frac1{1+g}",
        summation(
            ratio**j,
            (j, 0, sympy.oo),
            1 / (1 - ratio),
            partial=(1 - ratio ** (j + 1)) / (1 - ratio),
        ),
    )


def steps(
    line: sympy.Expr = DISCRETISATION, small: sympy.Expr = SMALL, large: sympy.Expr = LARGE
) -> list[Step]:
    """The proof, for claimed terms of the bound."""
    u, b = sympy.symbols("u b", real=True)
    v = sympy.Symbol("v", nonnegative=True)
    cosine, corner = sympy.Symbol("C", positive=True), sympy.Symbol("X", positive=True)
    integrand = sympy.exp(power * u - c * sympy.exp(u))
    shifted = power * (u + sympy.I * b) - c * sympy.exp(u + sympy.I * b)
    period = sympy.exp(2 * sympy.pi * strip / spacing) - 1
    start = sympy.exp(power * (right + 1) * spacing - CORNER)
    return [
        Step(
            "In u = log x the Laplace mixture is an integral over the line.",
            r"x^{p-1}e^{-cx}\,dx = e^{pu-ce^u}\,du",
            identity(
                (x ** (power - 1) * sympy.exp(-c * x)).subs(x, sympy.exp(u)) * sympy.exp(u),
                integrand,
            ),
        ),
        Step(
            "Its modulus at height b.",
            r"\operatorname{Re}\bigl(p(u+ib)-ce^{u+ib}\bigr) = pu-c\cos(b)\,e^u",
            identity(
                sympy.re(sympy.expand(shifted, complex=True)),
                power * u - c * sympy.cos(b) * sympy.exp(u),
                automatic=True,
            ),
        ),
        euler_step(),
        Step(
            "So the integral at height b is (cos b)^{-p} times the kernel.",
            r"\Gamma(p)(cC)^{-p} = C^{-p}\,\Gamma(p)c^{-p},\quad C=\cos b",
            identity(EULER.subs(c, c * cosine), cosine**-power * EULER),
        ),
        Step(
            "The worst height is the edge of the strip.",
            r"\cos b\ge\cos a>0\quad(|b|\le a<\pi/2),\qquad C^{-p}\ \text{decreases}",
            all_of(
                decreasing_on(sympy.cos(b), b, 0, sympy.pi / 2),
                identity(sympy.cos(sympy.pi / 2), 0, automatic=True),
                monotone(cosine**-power, cosine, "decreasing"),
            ),
        ),
        Step(
            "The integrand vanishes at both ends, uniformly in the strip.",
            r"e^{pu-c\cos(a)e^u}\to0\quad(u\to\pm\infty)",
            all_of(
                limit(integrand.subs(c, c * cosine), u, sympy.oo, 0),
                limit(integrand.subs(c, c * cosine), u, -sympy.oo, 0),
            ),
        ),
        Step(
            "The trapezoidal rule for a function analytic in a strip.",
            r"\Bigl|\eta\sum_{k\in\mathbb Z}F(k\eta)-\int F\Bigr|\le\frac{2M}{e^{2\pi a/\eta}-1},"
            r"\quad M=\sup_{|b|<a}\int|F(u+ib)|\,du",
            cited(
                "Trefethen & Weideman, SIAM Review 56 (2014) 385-458, Theorem 5.1",
                "error of the trapezoidal rule on the real line for a function analytic in a strip",
            ),
        ),
        Step(
            "With M = (cos a)^{-p} gamma(h): the first term of the bound.",
            r"\frac{2(\cos a)^{-p}}{e^{2\pi a/\eta}-1}\,\gamma(h)",
            identity(line * period, 2 * sympy.cos(strip) ** -power, automatic=True),
        ),
        geometric_step(),
        Step(
            "The dropped small rates: e^{-cx} <= 1, then a geometric series in e^{-p eta}.",
            r"\sum_{k\ge n+1}\eta\frac{e^{-pk\eta}}{\Gamma(p)} = "
            r"\frac{\eta\,e^{-p(n+1)\eta}}{\Gamma(p)(1-e^{-p\eta})}",
            all_of(
                monotone(sympy.exp(-c * x), x, "decreasing"),
                identity(sympy.exp(-c * x).subs(x, 0), 1, automatic=True),
                identity(
                    small * sympy.gamma(power) * (1 - sympy.exp(-power * spacing)),
                    spacing * sympy.exp(-power * (left + 1) * spacing),
                    automatic=True,
                ),
            ),
        ),
        Step(
            "The dropped large rates: c >= 1, and e^s >= 1 + s for s = j eta.",
            r"-(X-p)s-\bigl(ps-X(e^s-1)\bigr) = X(e^s-1-s)\ge0,\quad X=e^{(r+1)\eta}",
            all_of(
                nonnegative(c - 1, {c: 1 + h / ell}),
                identity(
                    -(corner - power) * v - (power * v - corner * (sympy.exp(v) - 1)),
                    corner * (sympy.exp(v) - 1 - v),
                ),
                above_tangent(sympy.exp(v) - 1 - v, v, 0),
            ),
        ),
        Step(
            "A geometric series in e^{-(X-p) eta}, X > p.",
            r"\frac{\eta\,e^{pv-e^v}}{\Gamma(p)\bigl(1-e^{-(X-p)\eta}\bigr)}",
            all_of(
                identity(
                    large * sympy.gamma(power) * (1 - sympy.exp(-(CORNER - power) * spacing)),
                    spacing * start,
                    automatic=True,
                ),
                positive(corner - power, {corner: power + v + 1 / (1 + v)}),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The error of the sum at one lag, term by term."""
    with mpmath.workdps(40):
        p, eta = mpmath.mpf(parameters["power"]), mpmath.mpf(parameters["spacing"])
        scaled = mpmath.mpf(parameters["h"]) / mpmath.mpf(parameters["ell"])
        total = mpmath.mpf(0)
        for node in range(-parameters["left"], parameters["right"] + 1):
            rate = mpmath.exp(node * eta)
            weight = eta * rate**p * mpmath.exp(-rate) / mpmath.gamma(p)
            total += weight * mpmath.exp(-rate * scaled)
        return abs((1 + scaled) ** -p - total)


_POINT = {
    "h": 0,
    "ell": 3.0,
    "power": 2.0,
    "spacing": 1.0,
    "strip": 1.2,
    "left": 40,
    "right": 20,
}

_TOO_FAST = 2 * sympy.cos(strip) ** -power / (sympy.exp(4 * sympy.pi * strip / spacing) - 1)

LEMMA = Lemma(
    name="trapezoid_polynomial",
    doc=__doc__,
    claim=r"\Bigl|\gamma(h)-\sum_{k=-n}^rw_ke^{-x_kh/\ell}\Bigr|\le"
    r"\gamma(h)\frac{2(\cos a)^{-p}}{e^{2\pi a/\eta}-1}+\text{two tails}",
    kind="upper",
    assumptions=(r"$\ell,p,\eta>0$", r"$0<a<\pi/2$", r"$e^{(r+1)\eta}>p$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={
        "h": Range(0, 500, integer=True),
        "ell": Range(0.5, 20.0),
        "power": Range(0.3, 5.0),
        "spacing": Range(0.2, 1.0),
        "strip": Range(0.2, 1.5),
        "left": Range(0, 60, integer=True),
        "right": Range(9, 30, integer=True),
    },
    wrong_variants=(
        WrongVariant(
            "4 pi a/eta instead of 2 pi a/eta",
            steps=partial(steps, line=_TOO_FAST),
            bound=KERNEL * _TOO_FAST + SMALL + LARGE,
            counterexample={**_POINT, "strip": 1.4},
        ),
        WrongVariant(
            "the dropped small rates forgotten",
            steps=partial(steps, small=sympy.S.Zero),
            bound=KERNEL * DISCRETISATION + LARGE,
            counterexample={**_POINT, "left": 0, "spacing": 0.5},
        ),
        WrongVariant(
            "the dropped large rates forgotten",
            steps=partial(steps, large=sympy.S.Zero),
            bound=KERNEL * DISCRETISATION + SMALL,
            counterexample={**_POINT, "right": 3, "spacing": 0.5},
        ),
        WrongVariant(
            "assumption a < pi/2 dropped (cos a taken absolute)",
            bound=KERNEL * sympy.Abs(DISCRETISATION) + SMALL + LARGE,
            counterexample={**_POINT, "strip": 3.0},
        ),
        WrongVariant(
            "assumption e^v > p dropped",
            counterexample={**_POINT, "power": 5.0, "spacing": 0.2, "right": 0, "left": 100},
        ),
    ),
    also={
        "discretisation": DISCRETISATION,
        "small_rates": SMALL,
        "large_rates": LARGE,
        "rate": sympy.exp(index * spacing) / ell,
        "weight": WEIGHT,
    },
)
