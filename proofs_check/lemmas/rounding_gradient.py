r"""Rounding errors of gradient descent are amplified at most (kappa + 1)/2 times.

Statement
---------
Let every step s_{k+1} = s_k - eta (A s_k + b), eta = 2/(m+L), commit a local error xi_k of size at
most xi.  Then on an eigenvector e_K = sum_{j<K} (1 - eta lambda)^{K-1-j} xi_j, and with
rho = (L-m)/(L+m)

    |e_K| <= (1 - rho^K)/(1 - rho) xi <= (kappa + 1)/2 xi.

Assumptions
-----------
0 < m < L, m <= lambda <= L, |xi_k| <= xi.

Proof
-----
Superposition by induction; |1 - eta lambda| <= rho by the lemma on gradient descent; the geometric
sum telescopes.

Kind
----
tight: attained at lambda = m with equal errors.

Source
------
Own derivation; size of one step's error: N. Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed., Lemma 3.1.

Example
-------
>>> value, bound = LEMMA.sample({"m": 1.0, "L": 3.0, "K": 3, "position": 0.0, "seed": -1})
>>> float(value), float(bound)
(1.75, 1.75)
"""

from __future__ import annotations

import random
from functools import partial

import mpmath
import sympy

from proofs_check.discharge import (
    all_of,
    identity,
    limit,
    nonnegative,
    ordered,
    recurrence,
    smt,
    sum_nonnegative,
    summation,
)
from proofs_check.lemma import Lemma
from proofs_check.lemmas.gradient_descent import RATE
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import K, L, k, kappa, lam, m

rho = sympy.Symbol("rho", positive=True)
GAIN = (1 - rho**K) / (1 - rho)
LIMIT = 1 / (1 - rho)


def steps(gain: sympy.Expr = GAIN, limit_gain: sympy.Expr = LIMIT) -> list[Step]:
    """The proof, for a claimed gain and limit."""
    factor, b, eta, now, computed, xi = sympy.symbols("g b eta s s_h xi", real=True)
    n = sympy.Symbol("n", integer=True, nonnegative=True)
    j = sympy.Symbol("j", integer=True, nonnegative=True)
    u, v, weight, size = sympy.symbols("u v w xi_max", nonnegative=True)
    fraction, power = sympy.symbols("q Z", positive=True)
    w, source = sympy.IndexedBase("w", nonnegative=True), sympy.IndexedBase("xi", real=True)
    return [
        Step(
            "The error is multiplied by 1 - eta lambda and receives the local error.",
            r"e_{k+1} = (1-\eta\lambda)e_k+\xi_k",
            identity(
                (computed - eta * (lam * computed + b) + xi) - (now - eta * (lam * now + b)),
                (1 - eta * lam) * (computed - now) + xi,
            ),
        ),
        Step(
            "The response to a unit impulse after n further steps is a power, by induction.",
            r"(1-\eta\lambda)^n",
            recurrence(factor**n, n, lambda _, e: factor * e, initial=[1]),
        ),
        Step(
            "Its size is at most the rate to the same power (lemma gradient_descent).",
            r"|1-\eta\lambda|\le\rho",
            nonnegative(RATE**2 - (1 - 2 * lam / (m + L)) ** 2, ordered(m, lam, L)),
            smt((1 - 2 * lam / (m + L)) ** 2 <= RATE**2, [m <= lam, lam <= L]),
        ),
        Step(
            "Every source is weighted at most by its bound, term by term.",
            r"\xi\sum_jw_j-\sum_jw_j\xi_j = \sum_jw_j(\xi-\xi_j)\ge0",
            sum_nonnegative(
                size * sympy.Sum(w[j], (j, 0, k)) - sympy.Sum(w[j] * source[j], (j, 0, k)),
                w[j] * (size - source[j]),
                (j, 0, k),
                {w[j]: weight, size: (u + v) / 2, source[j]: (v - u) / 2},
            ),
        ),
        Step(
            "The weights sum to the gain, by telescoping.",
            r"\sum_{j=0}^{K-1}\rho^j = \frac{1-\rho^K}{1-\rho}",
            summation(rho**j, (j, 0, n), gain.subs(K, n + 1)),
        ),
        Step(
            "The gain is below its limit; rho = 1/(1+q), and Z stands for rho^K.",
            r"\frac1{1-\rho}-\frac{1-\rho^K}{1-\rho} = \frac{\rho^K}{1-\rho}>0",
            nonnegative(limit_gain - gain.subs(rho**K, power), {rho: 1 / (1 + fraction)}),
        ),
        Step(
            "In terms of the condition number.",
            r"\frac1{1-\rho} = \frac{\kappa+1}2",
            identity(limit_gain.subs(rho, RATE).subs(L, kappa * m), (kappa + 1) / 2),
        ),
        Step(
            "The limit is attained as K grows, so no constant below it serves for all K.",
            r"\lim_{K\to\infty}\frac{1-\rho^K}{1-\rho} = \frac1{1-\rho}",
            all_of(
                limit(
                    gain.subs(rho, 1 / (1 + fraction)),
                    K,
                    sympy.oo,
                    limit_gain.subs(rho, 1 / (1 + fraction)),
                ),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """|e_K|: the iteration run with and without local errors in [-1, 1] (seed -1: all equal 1)."""
    with mpmath.workdps(40):
        low, high = mpmath.mpf(parameters["m"]), mpmath.mpf(parameters["L"])
        eigenvalue = low + mpmath.mpf(parameters["position"]) * (high - low)
        rng = random.Random(parameters["seed"])
        exact, rounded = mpmath.mpf(0), mpmath.mpf(0)
        for _ in range(parameters["K"]):
            error = 1 if parameters["seed"] < 0 else mpmath.mpf(rng.randint(-100, 100)) / 100
            exact = exact - 2 / (low + high) * (eigenvalue * exact + 1)
            rounded = rounded - 2 / (low + high) * (eigenvalue * rounded + 1) + error
        return abs(rounded - exact)


_WITNESS = {"m": 0.5, "L": 7.0, "K": 9, "position": 0.0, "seed": -1}

LEMMA = Lemma(
    name="rounding_gradient",
    doc=__doc__,
    claim=r"|e_K|\le\frac{1-\rho^K}{1-\rho}\max_k|\xi_k|\le\frac{\kappa+1}2\max_k|\xi_k|",
    kind="tight",
    assumptions=(r"$0<m<L$", r"eigenvalues in $[m,L]$", r"$|\xi_k|\le\xi$"),
    steps=steps(),
    bound=GAIN.subs(rho, RATE),
    measure=measure,
    parameters={
        "m": Range(0.01, 1.0),
        "L": Range(1.5, 100.0),
        "K": Range(1, 30, integer=True),
        "position": Range(0.0, 1.0),
        "seed": Range(-1, 10_000, integer=True),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "one term too few",
            steps=partial(steps, gain=GAIN.subs(K, K - 1)),
            bound=GAIN.subs(rho, RATE).subs(K, K - 1),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "limit kappa/2 instead of (kappa+1)/2",
            steps=partial(steps, limit_gain=LIMIT - sympy.Rational(1, 2)),
            bound=L / (2 * m),
            counterexample={**_WITNESS, "K": 60},
        ),
        WrongVariant(
            "assumption lambda <= L dropped",
            counterexample={**_WITNESS, "position": 1.2, "K": 30},
        ),
    ),
    also={"gain": GAIN, "limit": LIMIT, "rate": RATE},
)
