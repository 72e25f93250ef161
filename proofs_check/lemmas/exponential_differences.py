r"""High differences of the exponential kernel with nu > 1 are small, by Cauchy's estimate.

Statement
---------
For gamma(h) = exp(-(h/ell)^nu), 1 < nu < 2, c = sin(pi/(2 nu)), lags k >= K >= 1 and m > nu + 1,

    |gamma^{(m)}(x)| <= m! ((1+c) x/ell)^nu / (c x)^m,
    sum_{k>=K} |D^m gamma|_k <= m! ((1+c)/ell)^nu c^{-m} K^{nu-m} (1 + K/(m-nu-1)).

This is the remainder that the kernel hands to Euler's transform (lemma euler_transform).

Assumptions
-----------
1 < nu < 2, m > nu + 1, K >= 1.

Proof
-----
The disc of radius c x about x lies in the sector |arg z| <= pi/(2 nu), where Re z^nu >= 0 and so
|gamma(z) - 1| <= |z/ell|^nu.  Cauchy's estimate for gamma - 1.  The estimate decreases in x
for m > nu, and a difference at k is an average of the m-th derivative over [k, k+m].  Sum: first
term and integral.

Kind
----
upper: Cauchy's estimate is not attained.

Source
------
Cauchy's estimate: L. Ahlfors, Complex Analysis, 3rd ed., Section 4.2.3; differences as averages:
L. Milne-Thomson, The Calculus of Finite Differences, Section 1.3.

Example
-------
>>> value, bound = LEMMA.sample({"ell": 4.0, "nu": 1.5, "K": 4, "m": 6})
>>> bool(value <= bound)
True
"""

from __future__ import annotations

import itertools
from functools import partial

import mpmath
import sympy

from proofs_check.discharge import (
    all_of,
    cited,
    identity,
    integration,
    limit,
    monotone,
    nonnegative,
)
from proofs_check.lemma import Lemma
from proofs_check.lemmas._steps import primitive
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import ell, nu

c = sympy.Symbol("c", positive=True)
"""sin(pi/(2 nu)): radius of the disc, relative to its centre."""
m = sympy.Symbol("m", integer=True, positive=True)
"""Order of the difference."""
K = sympy.Symbol("K", integer=True, positive=True)
"""First lag."""
FRONT = sympy.factorial(m) * ((1 + c) / ell) ** nu * c ** (-m)
SUM_BOUND = FRONT * K ** (nu - m) * (1 + K / (m - nu - 1))


def steps(radius: sympy.Expr = c, total: sympy.Expr = SUM_BOUND) -> list[Step]:
    """The proof, for a claimed radius of the disc (c is the sine of the sector's half angle)."""
    rho, cosine = sympy.Symbol("rho", nonnegative=True), sympy.Symbol("C", real=True)
    x, s, a, excess = sympy.symbols("x s a e", positive=True)
    u, v = sympy.symbols("u v", nonnegative=True)
    order = nu + 1 + excess
    # the point x (1 + radius rho e^{i omega}), cosine = cos(omega), divided by x
    real_part = 1 + radius * rho * cosine
    imaginary_sq = (radius * rho) ** 2 * (1 - cosine**2)
    inside = {rho: 1 / (1 + u), c: 1 / sympy.sqrt(1 + v)}
    rising = -(x**-excess) / excess
    density = x ** (nu - order)
    estimate = FRONT * x ** (nu - m)
    return [
        Step(
            "The disc lies in the sector of half angle pi/(2 nu), whose tangent is c/sqrt(1-c^2): "
            "there nu |arg z| <= pi/2 and Re z^nu >= 0.",
            r"(\Re z)^2-\frac{1-c^2}{c^2}(\Im z)^2 = x^2[(1-\rho^2)(1-c^2)+(c+\rho\cos\omega)^2]",
            all_of(
                identity(
                    c**2 * real_part**2 - (1 - c**2) * imaginary_sq,
                    c**2 * ((1 - rho**2) * (1 - c**2) + (c + rho * cosine) ** 2),
                ),
                nonnegative((1 - rho**2) * (1 - c**2), inside),
                nonnegative((c + rho * cosine) ** 2),
            ),
        ),
        Step(
            "For Re w >= 0, e^{-w} differs from 1 by at most |w|: on the segment |e^{-sw}| <= 1.",
            r"1-e^{-w} = \int_0^1we^{-sw}\,ds,\qquad |e^{-sw}| = e^{-s\Re w}\le1",
            all_of(
                integration(
                    a * sympy.exp(-s * a),
                    (s, 0, 1),
                    1 - sympy.exp(-a),
                    antiderivative=-sympy.exp(-s * a),
                ),
                monotone(sympy.exp(-s * a), s, "decreasing"),
                limit(sympy.exp(-s * a), s, 0, 1, "+"),
            ),
        ),
        Step(
            "On the disc |z| <= (1+c) x, so |gamma - 1| <= ((1+c) x/ell)^nu there.",
            r"|z|^2 = x^2(1+2c\rho\cos\omega+c^2\rho^2)\le(1+c)^2x^2",
            nonnegative(
                (1 + c) ** 2 - real_part**2 - imaginary_sq,
                {rho: 1 / (1 + u), cosine: 1 - 2 / (1 + v)},
            ),
        ),
        Step(
            "Cauchy's estimate for gamma - 1, which has the derivatives of gamma.",
            r"|\gamma^{(m)}(x)|\le\frac{m!}{(cx)^m}\max_{|z-x|=cx}|\gamma(z)-1|",
            cited("Ahlfors, Complex Analysis, 3rd ed., Section 4.2.3", "Cauchy's estimate"),
        ),
        Step(
            "Together.",
            r"|\gamma^{(m)}(x)|\le m!\Bigl(\frac{1+c}\ell\Bigr)^\nu c^{-m}x^{\nu-m}",
            identity(sympy.factorial(m) / (radius * x) ** m * ((1 + c) * x / ell) ** nu, estimate),
        ),
        Step(
            "The m-th difference at k is an average of the m-th derivative over [k, k+m].",
            r"|D^m\gamma|_k\le\max_{[k,k+m]}|\gamma^{(m)}|",
            cited(
                "Milne-Thomson, The Calculus of Finite Differences, Section 1.3",
                "mean value theorem for differences",
            ),
        ),
        Step(
            "The estimate decreases in x, with m = nu + 1 + e: its value at k bounds the average, "
            "and the sum beyond K is below the integral.",
            r"\int_K^\infty x^{\nu-m}dx = \frac{K^{\nu-m+1}}{m-\nu-1}",
            all_of(
                monotone(density, x, "decreasing"),
                primitive(density, (x, a, s), (a**-excess - s**-excess) / excess, rising),
                limit(s**-excess, s, sympy.oo, 0),
            ),
        ),
        Step(
            "First term and integral.",
            r"K^{\nu-m}+\frac{K^{\nu-m+1}}{m-\nu-1} = K^{\nu-m}\Bigl(1+\frac K{m-\nu-1}\Bigr)",
            identity(FRONT * (K ** (nu - m) + K ** (nu - m + 1) / (m - nu - 1)), total),
        ),
        Step(
            "The radius is below 1 for nu > 1: at an angle phi < pi/2, sin^2 = 1 - cos^2 < 1.",
            r"1-\sin^2\frac\pi{2\nu} = \cos^2\frac\pi{2\nu}>0",
            identity(1 - sympy.sin(a) ** 2, sympy.cos(a) ** 2),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The sum of |m-th difference| over the first 100 lags from K on."""
    with mpmath.workdps(80):
        scale, nu_ = mpmath.mpf(parameters["ell"]), mpmath.mpf(parameters["nu"])
        order, first = parameters["m"], parameters["K"]
        values = [
            mpmath.exp(-((mpmath.mpf(k) / scale) ** nu_)) for k in range(first, first + 101 + order)
        ]
        for _ in range(order):
            values = [a - b for a, b in itertools.pairwise(values)]
        return mpmath.fsum(abs(value) for value in values)


def derive(parameters: Parameters) -> Parameters:
    """c from the exponent."""
    with mpmath.workdps(40):
        return {**parameters, "c": mpmath.sin(mpmath.pi / (2 * mpmath.mpf(parameters["nu"])))}


LEMMA = Lemma(
    name="exponential_differences",
    doc=__doc__,
    claim=r"\sum_{k\ge K}|D^m\gamma|_k\le m!\Bigl(\frac{1+c}\ell\Bigr)^\nu c^{-m}K^{\nu-m}"
    r"\Bigl(1+\frac K{m-\nu-1}\Bigr)",
    kind="upper",
    assumptions=(r"$1<\nu<2$, $c=\sin\frac{\pi}{2\nu}$", r"$m>\nu+1$, $K\ge1$"),
    steps=steps(),
    bound=SUM_BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "ell": Range(0.3, 16.0),
        "nu": Range(1.01, 1.99),
        "K": Range(1, 40, integer=True),
        "m": Range(4, 20, integer=True),
    },
    wrong_variants=(
        WrongVariant(
            "a disc of twice the radius, which leaves the sector",
            steps=partial(steps, radius=2 * c),
            bound=SUM_BOUND.subs(c, 2 * c),
            counterexample={"ell": 16.0, "nu": 1.5, "K": 100, "m": 20},
        ),
        WrongVariant(
            "the first term alone",
            steps=partial(steps, total=FRONT * K ** (nu - m)),
        ),
    ),
    also={"derivative_front": FRONT},
)
