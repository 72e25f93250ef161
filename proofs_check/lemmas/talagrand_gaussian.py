r"""Wasserstein distance from relative entropy: W2^2 <= 2 b KL against a Gaussian of variance b.

Statement
---------
For p = N(m, a) and q = N(0, b)

    W2(p, q)^2 = m^2 + (sqrt a - sqrt b)^2 <= 2 b KL(p | q),
    KL(p | q) = (a/b - 1 - log(a/b) + m^2/b)/2.

For covariances that share their eigenvectors both sides add up over the eigenvalues, and 2 b
becomes twice the largest eigenvalue of q; for every p the inequality is Talagrand's (cited).

Assumptions
-----------
a, b > 0.

Proof
-----
With rho = sqrt(a/b) the difference is 2b (rho - 1 - log rho).

Kind
----
tight: attained when only the means differ.

Source
------
M. Talagrand, Geom. Funct. Anal. 6 (1996) 587-600, Theorem 1.1; C. Villani, Topics in Optimal
Transportation, Section 9.3.

Example
-------
>>> value, bound = LEMMA.sample({"m": 3.0, "a": 2.0, "b": 2.0})
>>> round(float(value), 9), float(bound)
(9.0, 9.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._convexity import above_tangent
from proofs_check.lemmas._uses import uses
from proofs_check.lemmas.gaussian_wasserstein import BOUND as SQUARED
from proofs_check.lemmas.gaussian_wasserstein import a, b, m
from proofs_check.step import Parameters, Range, Step, WrongVariant

KL = (a / b - 1 - sympy.log(a / b) + m**2 / b) / 2
BOUND = 2 * b * KL


def steps(factor: sympy.Expr = 2 * b) -> list[Step]:
    """The proof, for a claimed factor of KL."""
    rho = sympy.Symbol("rho", positive=True)
    n, i = (sympy.Symbol(name, integer=True, positive=True) for name in "ni")
    distance = sympy.IndexedBase("W", nonnegative=True)
    entropy = sympy.IndexedBase("k", nonnegative=True)
    u, v, w, slack, top = sympy.symbols("u v w s b_max", nonnegative=True)
    return [
        Step(
            "The squared distance of two Gaussians on the line.",
            r"W_2^2 = m^2+(\sqrt a-\sqrt b)^2",
            uses("gaussian_wasserstein"),
        ),
        Step(
            "The difference of both sides, with a = rho^2 b.",
            r"2b\,\mathrm{KL}-W_2^2 = 2b\,(\rho-1-\log\rho)",
            identity(
                sympy.expand_log((factor * KL - SQUARED).subs(a, rho**2 * b)),
                2 * b * (rho - 1 - sympy.log(rho)),
            ),
        ),
        Step(
            "The logarithm is below its tangent at 1.",
            r"\rho-1-\log\rho\ge0",
            above_tangent(rho - 1 - sympy.log(rho), rho, 1),
        ),
        Step(
            "Many eigenvalues: W_i <= 2 b_i k_i <= 2 b_max k_i add up.",
            r"2b_{\max}\sum_ik_i-\sum_iW_i\ge0",
            sum_nonnegative(
                2 * top * sympy.Sum(entropy[i], (i, 1, n)) - sympy.Sum(distance[i], (i, 1, n)),
                2 * top * entropy[i] - distance[i],
                (i, 1, n),
                {top: u + v, entropy[i]: w, distance[i]: 2 * u * w - slack},
            ),
        ),
        Step(
            "For any p, and q a Gaussian in several dimensions.",
            r"W_2(p,q)^2\le2\lambda_{\max}(\Sigma_q)\,\mathrm{KL}(p|q)",
            cited(
                "Talagrand, Geom. Funct. Anal. 6 (1996) 587-600, Theorem 1.1",
                "the transportation inequality for Gaussian measures",
            ),
        ),
        Step(
            "Attained: a = b leaves m^2 on both sides.",
            r"2b\cdot\frac{m^2}{2b} = m^2",
            all_of(
                identity((factor * KL).subs(a, b), m**2, automatic=True),
                identity(SQUARED.subs(a, b), m**2, automatic=True),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """W2^2 by the quantile coupling: integral over a standard normal variable."""
    with mpmath.workdps(30):
        shift = mpmath.mpf(parameters["m"])
        slope = mpmath.sqrt(mpmath.mpf(parameters["a"])) - mpmath.sqrt(mpmath.mpf(parameters["b"]))
        return mpmath.quad(
            lambda z: (shift + slope * z) ** 2 * mpmath.npdf(z), [-14, -7, -3, 0, 3, 7, 14]
        )


_WITNESS = {"m": 3.0, "a": 2.0, "b": 2.0}

LEMMA = Lemma(
    name="talagrand_gaussian",
    doc=__doc__,
    claim=r"W_2(p,q)^2\le2b\,\mathrm{KL}(p\,|\,q),\qquad q = N(0,b)",
    kind="tight",
    assumptions=(r"$p = N(m,a)$, $q = N(0,b)$, $a,b>0$",),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={"m": Range(0.1, 5.0), "a": Range(0.05, 10.0), "b": Range(0.05, 10.0)},
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "b instead of 2b",
            steps=partial(steps, factor=b),
            bound=b * KL,
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "the variance of p instead of that of q",
            steps=partial(steps, factor=2 * a),
            bound=2 * a * KL,
            counterexample={"m": 3.0, "a": 0.5, "b": 2.0},
        ),
    ),
    also={"kl": KL},
)
