r"""The exponential kernel with exponent nu < 1 is a mixture of exponentials of the lag.

Statement
---------
For 0 < nu < 1 and every lag h >= 0

    exp(-(h/l)^nu) = (1/pi) int_0^pi int_0^oo e^{-y} e^{-a h} dy dtheta,

    a = (A(theta)/y)^{(1-nu)/nu} / l,
    A(theta) = sin((1-nu) theta) sin(nu theta)^{nu/(1-nu)} / sin(theta)^{1/(1-nu)},

a mixture of exponentials with positive rates a and weights of total 1.  At nu = 1/2 the density
over x = a l is x^{-3/2} e^{-1/(4x)} / (2 sqrt(pi)).  For nu > 1 there is no such mixture.

Assumptions
-----------
l > 0, 0 < nu < 1.

Proof
-----
With u = h/l the n-th derivative of e^{-u^nu} is (-1)^n e^{-u^nu} times a sum of terms
c u^{k nu - n}, k <= n, c >= 0, by induction: one derivative turns such a term into two with factors
nu and n - k nu, both non-negative for nu <= 1.  Bernstein's theorem gives the mixture, the
representation of stable laws its weights; nu = 1/2 by an antiderivative.  For nu > 1 the second
derivative is negative near u = 0.

Kind
----
equality: for every lag.

Source
------
R. Schilling, R. Song & Z. Vondracek, Bernstein Functions, 2nd ed., Theorem 1.4 (Bernstein);
M. Kanter, Ann. Probab. 3 (1975) 697-707, Corollary 4.1 (the weights, after Zolotarev).

Example
-------
>>> value, bound = LEMMA.sample({"h": 4, "ell": 1.0, "nu": 0.5})
>>> bool(abs(value - bound) < 1e-14), round(float(bound), 6)
(True, 0.135335)
"""

from __future__ import annotations

from functools import partial

import mpmath
import numpy as np
import sympy

from proofs_check.discharge import all_of, cited, identity, limit, nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import EXPONENTIAL
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import ell, h, k, nu

u = sympy.Symbol("u", positive=True)
"""h/l."""
w = sympy.Symbol("w", positive=True)
"""Square root of a rate."""
z = sympy.Symbol("z", positive=True)
"""Square root of u."""
HALF_DENSITY = sympy.exp(-1 / (4 * w**2)) / (sympy.sqrt(sympy.pi) * w**2)
"""Density over w = sqrt(x) at nu = 1/2."""


def steps(exponent: sympy.Expr = 1 / (1 + w), density: sympy.Expr = HALF_DENSITY) -> list[Step]:
    """The proof, for a claimed parametrisation of the exponents and density at nu = 1/2."""
    order, rest = (sympy.Symbol(name, integer=True, nonnegative=True) for name in "nj")
    kernel, size = sympy.exp(-(u**nu)), sympy.Symbol("c", nonnegative=True)
    term = size * u ** (k * nu - order) * kernel
    up, down = z * w + 1 / (2 * w), z * w - 1 / (2 * w)
    bell = sympy.exp(-(z**2) * w**2 - 1 / (4 * w**2)) / sympy.sqrt(sympy.pi)
    rising, falling = bell * sympy.diff(down, w), bell * sympy.diff(up, w)
    return [
        Step(
            "One more derivative turns a term into two.",
            r"-\frac{d}{du}\bigl[c\,u^{k\nu-n}e^{-u^\nu}\bigr] = "
            r"\bigl[\nu c\,u^{(k+1)\nu-(n+1)}+(n-k\nu)c\,u^{k\nu-(n+1)}\bigr]e^{-u^\nu}",
            identity(
                -sympy.diff(term, u),
                kernel
                * size
                * (
                    nu * u ** ((k + 1) * nu - (order + 1))
                    + (order - k * nu) * u ** (k * nu - (order + 1))
                ),
            ),
        ),
        Step(
            "Their factors are non-negative, for k <= n and nu <= 1, and k stays at most n.",
            r"n-k\nu\ge0,\qquad n+1-(k+1)\ge0",
            all_of(
                nonnegative(order - k * nu, {order: k + rest, nu: exponent}),
                nonnegative((order + 1) - (k + 1), {order: k + rest}),
                nonnegative((order + 1) - k, {order: k + rest}),
            ),
        ),
        Step(
            "The induction starts with the single term k = n = 0, c = 1.",
            r"e^{-u^\nu} = 1\cdot u^0e^{-u^\nu}",
            identity(term.subs({k: 0, order: 0, size: 1}), kernel, automatic=True),
        ),
        Step(
            "So the kernel is completely monotone in the lag; Bernstein's theorem.",
            r"(-1)^nf^{(n)}\ge0\ \forall n\iff f(u)=\int e^{-xu}\,d\mu(x),\ \mu\ge0",
            cited(
                "Schilling, Song & Vondracek, Bernstein Functions, 2nd ed., Theorem 1.4",
                "Bernstein's theorem: completely monotone functions are mixtures of exponentials",
            ),
        ),
        Step(
            "The total weight is 1.",
            r"\mu([0,\infty)) = \gamma(0) = 1",
            identity(EXPONENTIAL.subs(h, 0), 1, automatic=True),
        ),
        Step(
            "The weights: u times the rate is a positive stable variable of exponent nu.",
            r"x = (A(\theta)/y)^{(1-\nu)/\nu},\quad\theta\sim U(0,\pi),\ y\sim\mathrm{Exp}(1)",
            cited(
                "Kanter, Ann. Probab. 3 (1975) 697-707, Corollary 4.1",
                "(A(theta)/y)^((1-nu)/nu) has the Laplace transform exp(-u^nu)",
            ),
        ),
        Step(
            "At nu = 1/2 directly, w = sqrt(x), z = sqrt(u): the integrand is the derivative of "
            "e^{-z} erf(v)/2 - e^z erf(s)/2, v = zw - 1/(2w) from -oo to oo, s = zw + 1/(2w) from "
            "oo to oo.",
            r"\int_0^\infty\frac{e^{-1/(4w^2)}}{\sqrt\pi\,w^2}\,e^{-z^2w^2}\,dw = e^{-z}",
            all_of(
                identity(density * sympy.exp(-(z**2) * w**2), rising - falling),
                identity(rising, sympy.diff(sympy.exp(-z) * sympy.erf(down) / 2, w)),
                identity(falling, sympy.diff(sympy.exp(z) * sympy.erf(up) / 2, w)),
                limit(down, w, sympy.oo, sympy.oo),
                limit(down, w, 0, -sympy.oo, side="+"),
                limit(up, w, sympy.oo, sympy.oo),
                limit(up, w, 0, sympy.oo, side="+"),
                limit(sympy.erf(w), w, sympy.oo, 1),
            ),
        ),
        Step(
            "For nu > 1 the second derivative is negative near 0, where no mixture is concave.",
            r"f'' = \nu u^{\nu-2}e^{-u^\nu}\bigl(\nu u^\nu-(\nu-1)\bigr),\quad"
            r"\nu u^\nu-(\nu-1)\to-(\nu-1)<0",
            all_of(
                identity(
                    sympy.diff(kernel, u, 2), nu * u ** (nu - 2) * kernel * (nu * u**nu - (nu - 1))
                ),
                limit(nu * u**nu - (nu - 1), u, 0, 1 - nu, side="+"),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The mixture: midpoint rule in theta, trapezoidal rule in log y, 5e5 exponentials."""
    exponent = parameters["nu"]
    theta = (np.arange(600) + 0.5) / 600 * np.pi
    log_y = np.linspace(-42.0, 6.0, 800)
    angle = np.sin((1 - exponent) * theta) * np.sin(theta) ** (-1 / (1 - exponent))
    angle *= np.sin(exponent * theta) ** (exponent / (1 - exponent))
    with np.errstate(over="ignore"):
        rates = (angle[:, None] / np.exp(log_y)) ** ((1 - exponent) / exponent)
        weights = np.exp(log_y - np.exp(log_y)) * (log_y[1] - log_y[0]) / theta.size
        terms = weights * np.exp(-rates * parameters["h"] / parameters["ell"])
    return mpmath.mpf(float(terms.sum()))


def measure_convex(parameters: Parameters) -> mpmath.mpf:
    """The least value at h that a mixture with this kernel's values at 0 and h/2 may have."""
    with mpmath.workdps(32):
        half = mpmath.mpf(parameters["h"]) / 2 / mpmath.mpf(parameters["ell"])
        return 2 * mpmath.exp(-(half ** mpmath.mpf(parameters["nu"]))) - 1


LEMMA = Lemma(
    name="stretched_exponential",
    doc=__doc__,
    claim=r"e^{-(h/\ell)^\nu} = \int_0^\infty e^{-xh/\ell}\,d\mu_\nu(x),\qquad\mu_\nu\ge0",
    kind="equality",
    assumptions=(r"$\ell>0$", r"$0<\nu<1$"),
    steps=steps(),
    bound=EXPONENTIAL,
    measure=measure,
    parameters={
        "h": Range(4, 40, integer=True),
        "ell": Range(1.0, 4.0),
        "nu": Range(0.2, 0.75),
    },
    witness={"h": 6, "ell": 3.0, "nu": 0.4},
    wrong_variants=(
        WrongVariant(
            "exponent nu > 1: a mixture is convex, this kernel is not",
            steps=partial(steps, exponent=1 + w),
            measure=measure_convex,
            counterexample={"h": 1, "ell": 4.0, "nu": 1.5},
        ),
        WrongVariant(
            "density at nu = 1/2 with 1/(2w^2) in the exponent",
            steps=partial(
                steps, density=sympy.exp(-1 / (2 * w**2)) / (sympy.sqrt(sympy.pi) * w**2)
            ),
        ),
        WrongVariant(
            "(h/l)^nu replaced by h^nu/l",
            bound=sympy.exp(-(h**nu) / ell),
            counterexample={"h": 6, "ell": 3.0, "nu": 0.4},
        ),
    ),
    also={"half_density": HALF_DENSITY},
)
