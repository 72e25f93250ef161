r"""Stopping at t_min instead of 0 moves a Gaussian by a known Wasserstein distance.

Statement
---------
Per eigenvalue lambda of the covariance at t = 0, with the mean's coordinate m in its direction and
lambda_t = e^{-t} lambda + 1 - e^{-t},

    W2(p_0, p_t)^2 = (1 - e^{-t/2})^2 m^2 + (sqrt lambda - sqrt lambda_t)^2,

to be summed over the eigenvalues.  The second part is also

    (lambda - 1)^2 (1 - e^{-t})^2 / (sqrt lambda + sqrt lambda_t)^2
        <= min( (lambda-1)^2 (1-e^{-t})^2 / lambda,  |lambda - 1| (1 - e^{-t}) ),

of the order t^2 for lambda > 0, t for lambda = 0; and t^2 m^2/4 for the mean.

Assumptions
-----------
lambda >= 0, t >= 0.

Proof
-----
Lemma gaussian_wasserstein for N(m, lambda) and N(alpha m, lambda_t); the sum of the roots is at
least each root, and its square at least the difference of the variances.

Kind
----
equality: for all eigenvalues, means and t.

Source
------
C. Givens & R. Shortt, Michigan Math. J. 31 (1984) 231-240, Proposition 7; own derivation.

Example
-------
>>> value, bound = LEMMA.sample({"lambda": 4.0, "m": 0.0, "t": 0.1})
>>> bool(abs(value - bound) < 1e-14), round(float(bound), 6)
(True, 0.005284)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._convexity import above_tangent
from proofs_check.lemmas._uses import uses
from proofs_check.lemmas.gaussian_wasserstein import BOUND as SQUARED
from proofs_check.lemmas.gaussian_wasserstein import a, b, m
from proofs_check.lemmas.girsanov import diffused
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import lam, t

MEAN = (1 - sympy.exp(-t / 2)) ** 2 * m**2
SPREAD = (sympy.sqrt(lam) - sympy.sqrt(diffused(lam))) ** 2
BOUND = MEAN + SPREAD


def steps(spread: sympy.Expr = SPREAD, mean: sympy.Expr = MEAN) -> list[Step]:
    """The proof, for claimed parts of the squared distance."""
    u, v = sympy.symbols("u v", nonnegative=True)
    x, y = sympy.symbols("x y", positive=True)  # square roots of the variances
    noisy = sympy.exp(-t) * lam + (1 - sympy.exp(-t))
    return [
        Step(
            "The noisy variance.",
            r"\lambda_t = \alpha_t^2\lambda+\sigma_t^2 = 1+(\lambda-1)e^{-t}",
            identity(noisy, diffused(lam)),
        ),
        Step(
            "The distance of two Gaussians on the line.",
            r"W_2^2 = m^2+(\sqrt a-\sqrt b)^2",
            uses("gaussian_wasserstein"),
        ),
        Step(
            "With the means m and alpha m and these variances.",
            r"W_2^2 = (1-\alpha_t)^2m^2+(\sqrt\lambda-\sqrt{\lambda_t})^2",
            identity(
                SQUARED.subs({a: lam, b: diffused(lam), m: m - sympy.exp(-t / 2) * m}),
                mean + spread,
            ),
        ),
        Step(
            "The difference of the roots, by their sum.",
            r"\lambda-\lambda_t = (\lambda-1)(1-e^{-t}),\quad"
            r"\sqrt\lambda-\sqrt{\lambda_t} = (\lambda-\lambda_t)/(\sqrt\lambda+\sqrt{\lambda_t})",
            all_of(
                identity(lam - diffused(lam), (lam - 1) * (1 - sympy.exp(-t))),
                identity((x - y) * (x + y), x**2 - y**2),
            ),
        ),
        Step(
            "Its bounds: (x+y)^2 >= x^2, and (x-y)^2 <= |x^2 - y^2|.",
            r"(x+y)^2-x^2\ge0,\qquad|x^2-y^2|-(x-y)^2 = 2\min(x,y)\,|x-y|\ge0",
            all_of(
                nonnegative((x + y) ** 2 - x**2),
                nonnegative((x**2 - y**2) - (x - y) ** 2, {x: y + u}),
                nonnegative((y**2 - x**2) - (x - y) ** 2, {y: x + u}),
            ),
        ),
        Step(
            "Orders in t: 1 - e^{-t} <= t and 1 - e^{-t/2} <= t/2.",
            r"e^{-v}-1+v\ge0",
            above_tangent(sympy.exp(-v) - 1 + v, v, 0),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The integral of the squared difference of the quantile functions."""
    with mpmath.workdps(40):
        at, eigenvalue = mpmath.mpf(parameters["t"]), mpmath.mpf(parameters["lambda"])
        alpha, noise = mpmath.exp(-at / 2), -mpmath.expm1(-at)
        shift = mpmath.mpf(parameters["m"]) * (1 - alpha)
        first, second = mpmath.sqrt(eigenvalue), mpmath.sqrt(alpha**2 * eigenvalue + noise)

        def difference(z: mpmath.mpf) -> mpmath.mpf:
            return (shift + (first - second) * z) ** 2 * mpmath.npdf(z)

        return mpmath.quad(difference, [-14, -7, -3, 0, 3, 7, 14])


_POINT = {"lambda": 4.0, "m": 1.5, "t": 0.25}

LEMMA = Lemma(
    name="early_stopping",
    doc=__doc__,
    claim=r"W_2(p_0,p_t)^2 = \sum_i(1-\alpha_t)^2m_i^2+(\sqrt{\lambda_i}-\sqrt{\lambda_{i,t}})^2",
    kind="equality",
    assumptions=(r"$\lambda_i\ge0$", r"$t\ge0$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={"lambda": Range(0.01, 50.0), "m": Range(0.1, 5.0), "t": Range(0.01, 2.0)},
    witness=_POINT,
    wrong_variants=(
        WrongVariant(
            "the noise added to the standard deviation",
            steps=partial(
                steps,
                spread=(
                    sympy.sqrt(lam)
                    - sympy.sqrt(lam) * sympy.exp(-t / 2)
                    - sympy.sqrt(1 - sympy.exp(-t))
                )
                ** 2,
            ),
            bound=MEAN
            + (sympy.sqrt(lam) * (1 - sympy.exp(-t / 2)) - sympy.sqrt(1 - sympy.exp(-t))) ** 2,
            counterexample=_POINT,
        ),
        WrongVariant(
            "the shift of the mean forgotten",
            steps=partial(steps, mean=sympy.S.Zero),
            bound=SPREAD,
            counterexample=_POINT,
        ),
    ),
    also={"spread": SPREAD, "mean": MEAN},
)
