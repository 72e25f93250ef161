r"""Starting from N(0, I) at t_max costs e^{-2 t} per eigenvalue in KL, and e^{-t} for a mean.

Statement
---------
Per eigenvalue lambda of the covariance at t = 0, with the mean's coordinate m in its direction and
x = (lambda - 1) e^{-t},

    KL(p_t | N(0, 1)) = (x - log(1+x))/2 + e^{-t} m^2/2
                     <= x^2 / (4 min(1, 1+x)) + e^{-t} m^2/2,

to be summed over the eigenvalues: of the order (lambda-1)^2 e^{-2t}/4.  A mean that is not removed
decays only like e^{-t}.

Assumptions
-----------
lambda > 0, t >= 0 (so 1 + x > 0).

Proof
-----
Second moments of the Gaussian in the logarithm of the ratio of the densities.  x^2/2 - x + log(1+x)
has the slope x^2/(1+x), and x^2/(2(1+x)) - x + log(1+x) the slope -x^2/(2(1+x)^2); both vanish at
x = 0.

Kind
----
upper: attained in the limit x -> 0 (and exactly at lambda = 1).

Source
------
Own derivation; for general data (constants not explicit): Chen et al., arXiv 2209.11215, Theorem 2.

Example
-------
>>> value, bound = LEMMA.sample({"lambda": 1.0, "m": 2.0, "t": 0.5})
>>> bool(abs(value - bound) < 1e-14), round(float(bound), 6)
(True, 1.213061)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, integration, limit, nonnegative, smt
from proofs_check.lemma import Lemma
from proofs_check.lemmas.gaussian_wasserstein import m
from proofs_check.lemmas.girsanov import diffused
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import lam, t

OFFSET = (lam - 1) * sympy.exp(-t)
SHIFT = sympy.exp(-t) * m**2 / 2
EXACT = (OFFSET - sympy.log(1 + OFFSET)) / 2 + SHIFT
BOUND = OFFSET**2 / (4 * sympy.Min(1, 1 + OFFSET)) + SHIFT


def steps(constant: int = 4) -> list[Step]:
    """The proof, for a claimed constant in x^2/4."""
    z = sympy.Symbol("z", real=True)
    mean, variance = sympy.Symbol("mu", real=True), sympy.Symbol("v", positive=True)
    u, w = sympy.Symbol("u", nonnegative=True), sympy.Symbol("w", positive=True)
    y = sympy.Symbol("y", real=True)
    density = sympy.exp(-(z**2) / 2) / sympy.sqrt(2 * sympy.pi)
    place = mean + sympy.sqrt(variance) * z
    log_ratio = place**2 / 2 - z**2 / 2 - sympy.log(variance) / 2
    exact = (y - sympy.log(1 + y)) / 2
    right, left = y**2 / constant - exact, y**2 / (constant * (1 + y)) - exact
    return [
        Step(
            "Moments of a standard normal variable.",
            r"\int z\varphi = 0,\qquad\int z^2\varphi = 1",
            all_of(
                integration(z * density, (z, -sympy.oo, sympy.oo), 0, antiderivative=-density),
                integration(
                    z**2 * density,
                    (z, -sympy.oo, sympy.oo),
                    1,
                    antiderivative=-z * density + sympy.erf(z / sympy.sqrt(2)) / 2,
                ),
            ),
        ),
        Step(
            "The expected logarithm of the ratio of the densities at mu + sqrt(v) z.",
            r"\mathrm{KL}(N(\mu,v)|N(0,1)) = \tfrac12(v-1-\log v+\mu^2)",
            identity(
                sympy.expand(log_ratio).subs(z**2, 1).subs(z, 0),
                (variance - 1 - sympy.log(variance) + mean**2) / 2,
                automatic=True,
            ),
        ),
        Step(
            "Here v = lambda_t = 1+x and mu = alpha m.",
            r"\tfrac12(x-\log(1+x))+\tfrac12e^{-t}m^2",
            identity(
                ((variance - 1 - sympy.log(variance) + mean**2) / 2).subs(
                    {variance: diffused(lam), mean: sympy.exp(-t / 2) * m}
                ),
                EXACT,
                automatic=True,
            ),
        ),
        Step(
            "For x >= 0 the difference to x^2/4 grows from 0.",
            r"\frac{d}{dx}\Bigl[\frac{x^2}2-x+\log(1+x)\Bigr] = \frac{x^2}{1+x}\ge0",
            all_of(
                identity(right.subs(y, 0), 0, automatic=True),
                identity(2 * sympy.diff(right, y), y**2 / (1 + y)),
                nonnegative(y**2 / (1 + y), {y: u}),
            ),
        ),
        Step(
            "For -1 < x <= 0 the difference to x^2/(4(1+x)) falls to 0.",
            r"\frac{d}{dx}\Bigl[\frac{x^2}{2(1+x)}-x+\log(1+x)\Bigr] = -\frac{x^2}{2(1+x)^2}\le0",
            all_of(
                identity(left.subs(y, 0), 0, automatic=True),
                identity(2 * sympy.diff(left, y), -(y**2) / (2 * (1 + y) ** 2)),
                nonnegative(y**2 / (2 * (1 + y) ** 2), {y: 1 / (1 + w) - 1}),
            ),
        ),
        Step(
            "1 + x stays positive, between lambda and 1.",
            r"1+x = \lambda e^{-t}+(1-e^{-t})>0",
            all_of(
                identity(1 + OFFSET, lam * sympy.exp(-t) + (1 - sympy.exp(-t))),
                nonnegative(lam * w + (1 - w), {w: 1 / (1 + u)}),
            ),
            smt(lam * w + (1 - w) > 0, [w <= 1]),
        ),
        Step(
            "The constant is the best one.",
            r"\lim_{x\to0}\frac{x-\log(1+x)}{2x^2} = \tfrac14",
            limit(exact / y**2, y, 0, sympy.Rational(1, constant), side="+"),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The integral of p log(p/q) by quadrature."""
    with mpmath.workdps(30):
        at, eigenvalue = mpmath.mpf(parameters["t"]), mpmath.mpf(parameters["lambda"])
        variance = mpmath.exp(-at) * eigenvalue - mpmath.expm1(-at)
        centre = mpmath.exp(-at / 2) * mpmath.mpf(parameters["m"])
        deviation = mpmath.sqrt(variance)

        def integrand(z: mpmath.mpf) -> mpmath.mpf:
            place = centre + deviation * z
            log_p = -(z**2) / 2 - mpmath.log(deviation)
            return mpmath.npdf(z) * (log_p + place**2 / 2)

        return mpmath.quad(integrand, [-14, -7, -3, 0, 3, 7, 14])


LEMMA = Lemma(
    name="start_error",
    doc=__doc__,
    claim=r"\mathrm{KL}(p_t|N(0,1))\le\frac{x^2}{4\min(1,1+x)}+\tfrac12e^{-t}m^2,\quad "
    r"x=(\lambda-1)e^{-t}",
    kind="upper",
    assumptions=(r"$\lambda>0$, $t\ge0$",),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={"lambda": Range(0.01, 50.0), "m": Range(0.0, 3.0), "t": Range(0.5, 8.0)},
    wrong_variants=(
        WrongVariant(
            "x^2/5 instead of x^2/4",
            steps=partial(steps, constant=5),
            bound=(BOUND - SHIFT) * sympy.Rational(4, 5) + SHIFT,
            counterexample={"lambda": 1.5, "m": 0.0, "t": 3.0},
        ),
        WrongVariant(
            "x^2/4 for lambda < 1 as well",
            bound=OFFSET**2 / 4 + SHIFT,
            counterexample={"lambda": 0.1, "m": 0.0, "t": 0.5},
        ),
        WrongVariant(
            "a mean decays like e^{-2t} too",
            bound=BOUND - SHIFT + sympy.exp(-2 * t) * m**2 / 2,
            counterexample={"lambda": 1.0, "m": 1.0, "t": 2.0},
        ),
    ),
    also={"exact": EXACT},
)
