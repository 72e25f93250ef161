r"""Rounding errors of the Chebyshev iteration are amplified at most ((sqrt kappa + 1)/2)^2 times.

Statement
---------
Let every step of the three-term iteration commit a local error xi_k, of size at most xi.  With
sigma = theta/delta, x = (theta-lambda)/delta the error of the last iterate on an eigenvector is

    e_K = sum_{j<K} U_{K-1-j}(x) T_{j+1}(sigma)/T_K(sigma) xi_j,

and |U_n| <= n+1 on [-1, 1].  Hence |e_K| <= G_K xi with the closed form

    G_K = [ (1-z^K)(1-z^{K+2})/(1-z)^2 - K z^K ] / (1+z^{2K}) <= 1/(1-z)^2 = ((sqrt kappa + 1)/2)^2,

z = (sqrt kappa - 1)/(sqrt kappa + 1); G_K tends to its bound as K grows.

Assumptions
-----------
0 < m < L, m <= lambda <= L, |xi_k| <= xi.

Proof
-----
With y_k = T_k(sigma) e_k the recursion becomes y_{k+1} = 2x y_k - y_{k-1} + T_{k+1}(sigma) xi_k,
whose response to a unit impulse is U_n: superposition, by induction.  U_{n+1} = x U_n + T_{n+1}
bounds U_n.  These are identities of polynomials in x = (y+1/y)/2, so the two values y = -1, 1 where
a quotient is 0/0 follow by continuity.  The sum is two telescoping sums in z and 1/z.

Kind
----
tight: attained at lambda = m with equal errors xi_j = xi.

Source
------
Own derivation; size of one step's error: N. Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed., Lemma 3.1.

Example
-------
>>> value, bound = LEMMA.sample({"m": 1.0, "L": 9.0, "K": 2, "position": 0.0, "seed": -1})
>>> round(float(value), 6), round(float(bound), 6)
(2.176471, 2.176471)
"""

from __future__ import annotations

import random
from functools import partial

import mpmath
import sympy

from proofs_check.discharge import (
    all_of,
    cited,
    identity,
    limit,
    nonnegative,
    recurrence,
    smt,
    sum_nonnegative,
    summation,
)
from proofs_check.lemma import Lemma
from proofs_check.lemmas.chebyshev import BETA, ETA, RHO, THETA, chebyshev_t, delta, y, z
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import K, k, kappa


def amplification(base: sympy.Expr, power: sympy.Expr) -> sympy.Expr:
    """G_K as a function of z and of z^K."""
    leading = (1 - power) * (1 - power * base**2) / (1 - base) ** 2
    return (leading - K * power) / (1 + power**2)


GAIN = amplification(z, z**K)
LIMIT = 1 / (1 - z) ** 2


def chebyshev_u(w: sympy.Expr, n: sympy.Expr) -> sympy.Expr:
    """U_n at (w + 1/w)/2."""
    return (w ** (n + 1) - w ** (-n - 1)) / (w - 1 / w)


def steps(
    gain: sympy.Expr = GAIN, limit_gain: sympy.Expr = LIMIT, impulse: int = 0, growth: int = 1
) -> list[Step]:
    """The proof, for a claimed gain, limit, impulse response U_{n+impulse}, |U_n| <= n+growth."""
    x = (y + 1 / y) / 2
    ratio = chebyshev_t(z, k) / chebyshev_t(z, k + 1)
    eigenvalue = THETA - delta * x
    now, before, eta, beta, a, xi = sympy.symbols("e_k e_- eta beta A xi", real=True)
    j = sympy.Symbol("j", integer=True, nonnegative=True)
    i = sympy.Symbol("i", integer=True, positive=True)
    n = sympy.Symbol("n", integer=True, nonnegative=True)
    p, u, q, v = sympy.symbols("p u q v", nonnegative=True)
    point, second, first = sympy.symbols("x U T", real=True)
    fraction = sympy.Symbol("q_z", positive=True)
    power = sympy.Symbol("Z", positive=True)
    size, weight = sympy.symbols("xi_max w", nonnegative=True)
    g, w = sympy.IndexedBase("xi", real=True), sympy.IndexedBase("w", nonnegative=True)
    forward = (1 - (i + 1) * z**i + i * z ** (i + 1)) / (1 - z) ** 2
    backward = forward.subs(z, 1 / z)
    return [
        Step(
            "Errors obey the homogeneous recursion with the local error as its source.",
            r"e_{k+1} = (1-\eta_k\lambda+\beta_k)\,e_k-\beta_k e_{k-1}+\xi_k",
            identity(
                now - eta * a * now + beta * (now - before) + xi,
                (1 - eta * a + beta) * now - beta * before + xi,
            ),
        ),
        Step(
            "Its coefficients are ratios of Chebyshev values at sigma, for symbolic k >= 1.",
            r"1-\eta_k\lambda+\beta_k = 2x\frac{T_k(\sigma)}{T_{k+1}(\sigma)},\quad"
            r"\beta_k = \frac{T_{k-1}(\sigma)}{T_{k+1}(\sigma)}",
            all_of(
                identity(1 - ETA * eigenvalue + BETA, 2 * x * ratio),
                identity(BETA, chebyshev_t(z, k - 1) / chebyshev_t(z, k + 1)),
            ),
        ),
        Step(
            "So y_k = T_k(sigma) e_k obeys Chebyshev's recursion with a source.",
            r"y_{k+1} = 2x\,y_k-y_{k-1}+T_{k+1}(\sigma)\,\xi_k",
            identity(
                chebyshev_t(z, k + 1) * ((1 - ETA * eigenvalue + BETA) * now - BETA * before + xi),
                2 * x * (chebyshev_t(z, k) * now)
                - chebyshev_t(z, k - 1) * before
                + chebyshev_t(z, k + 1) * xi,
            ),
        ),
        Step(
            "The response to a unit impulse is U_n: U_{-1} = 0, U_0 = 1, induction.",
            r"U_n = \frac{w^{n+1}-w^{-n-1}}{w-1/w},\quad U_{n+1}=2xU_n-U_{n-1}",
            all_of(
                identity(chebyshev_u(y, sympy.Integer(impulse - 1)), 0, automatic=True),
                recurrence(
                    chebyshev_u(y, n + impulse), n, lambda _, r, s: 2 * x * r - s, [1, 2 * x]
                ),
            ),
        ),
        Step(
            "U_n is bounded by n+1, by induction: U_0 = 1 and the triangle inequality.",
            r"U_{n+1} = xU_n+T_{n+1},\quad |x|\,|U_n|+|T_{n+1}|\le(n+1)+1",
            all_of(
                identity(chebyshev_u(y, n + 1), x * chebyshev_u(y, n) + chebyshev_t(y, n + 1)),
                identity(chebyshev_u(y, sympy.Integer(0)), growth, automatic=True),
                # p, u are |x|, |U_n|; p + q = 1 and u + v = n + 1.
                nonnegative((p + q) * (u + v) - p * u),
            ),
            smt(
                point * second + first <= n + 1 + growth,
                [
                    point <= 1,
                    point >= -1,
                    first <= 1,
                    first >= -1,
                    second <= n + growth,
                    -(n + growth) <= second,
                ],
            ),
        ),
        Step(
            "Every source is weighted at most by its bound, term by term.",
            r"\xi\sum_jw_j-\sum_jw_j\xi_j = \sum_jw_j(\xi-\xi_j)\ge0",
            sum_nonnegative(
                size * sympy.Sum(w[j], (j, 0, k)) - sympy.Sum(w[j] * g[j], (j, 0, k)),
                w[j] * (size - g[j]),
                (j, 0, k),
                {w[j]: weight, size: (u + v) / 2, g[j]: (v - u) / 2},
            ),
        ),
        Step(
            "The weights, with i = K - j, are two geometric progressions.",
            r"i\,\frac{T_{K-i+1}(\sigma)}{T_K(\sigma)} = "
            r"\frac{i\,z^{i-1}+z^{2K}\,i\,z^{1-i}}{1+z^{2K}}",
            identity(
                i * chebyshev_t(z, K - i + 1) / chebyshev_t(z, K),
                (i * z ** (i - 1) + z ** (2 * K) * i * z ** (1 - i)) / (1 + z ** (2 * K)),
            ),
        ),
        Step(
            "Both sums telescope.",
            r"\sum_{i=1}^ni\,z^{i-1} = \frac{1-(n+1)z^n+nz^{n+1}}{(1-z)^2}\text{, and for }1/z",
            all_of(
                summation(i * z ** (i - 1), (i, 1, K), forward.subs(i, K)),
                summation(i * z ** (1 - i), (i, 1, K), backward.subs(i, K)),
            ),
        ),
        Step(
            "Together they are the gain.",
            r"G_K = \frac1{1+z^{2K}}\Bigl[\frac{(1-z^K)(1-z^{K+2})}{(1-z)^2}-Kz^K\Bigr]",
            identity(
                (forward + z ** (2 * i) * backward).subs(i, K) / (1 + z ** (2 * K)),
                gain,
            ),
        ),
        Step(
            "The gain is below its limit; z = 1/(1+q), and Z stands for z^K.",
            r"\frac{1}{(1-z)^2}-G_K = "
            r"\frac{1}{1+Z^2}\Bigl[\frac{Z^2(1-z^2)+Z(1+z^2)}{(1-z)^2}+KZ\Bigr]>0",
            nonnegative(
                limit_gain - gain.subs(z**K, power),
                {z: 1 / (1 + fraction)},
            ),
        ),
        Step(
            "In terms of the condition number.",
            r"\frac1{1-z} = \frac{\sqrt\kappa+1}2",
            identity(
                limit_gain.subs(z, (sympy.sqrt(kappa) - 1) / (sympy.sqrt(kappa) + 1)),
                ((sympy.sqrt(kappa) + 1) / 2) ** 2,
            ),
        ),
        Step(
            "The limit is attained as K grows, so no constant below it serves for all K.",
            r"\lim_{K\to\infty}G_K = \frac1{(1-z)^2}",
            limit(
                gain.subs(z, 1 / (1 + fraction)),
                K,
                sympy.oo,
                limit_gain.subs(z, 1 / (1 + fraction)),
            ),
        ),
        Step(
            "A dot product of n terms commits a relative error of at most gamma_n.",
            r"|\mathrm{fl}(x^\top y)-x^\top y|\le\gamma_n|x|^\top|y|,\quad\gamma_n=\frac{nu}{1-nu}",
            cited(
                "N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., Lemma 3.1",
                "products of n factors (1 + d_i), |d_i| <= u, differ from 1 by at most gamma_n",
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """|e_K|: the iteration run with and without local errors in [-1, 1] (seed -1: all equal 1)."""
    with mpmath.workdps(60):
        low, high = mpmath.mpf(parameters["m"]), mpmath.mpf(parameters["L"])
        eigenvalue = low + mpmath.mpf(parameters["position"]) * (high - low)
        roots = mpmath.sqrt(low), mpmath.sqrt(high)
        ratio = (roots[1] - roots[0]) / (roots[1] + roots[0])
        rng = random.Random(parameters["seed"])
        exact, rounded = [mpmath.mpf(0)] * 2, [mpmath.mpf(0)] * 2
        for step in range(parameters["K"]):
            if step == 0:
                eta, beta = 2 / (low + high), mpmath.mpf(0)
            else:
                below = 1 + ratio ** (2 * step + 2)
                eta = 4 / (roots[0] + roots[1]) ** 2 * (1 + ratio ** (2 * step)) / below
                beta = ratio**2 * (1 + ratio ** (2 * step - 2)) / below
            error = 1 if parameters["seed"] < 0 else mpmath.mpf(rng.randint(-100, 100)) / 100
            for pair, source in ((exact, 0), (rounded, error)):
                move = -eta * (eigenvalue * pair[1] + 1) + beta * (pair[1] - pair[0])
                pair[0], pair[1] = pair[1], pair[1] + move + source
        return abs(rounded[1] - exact[1])


_WITNESS = {"m": 0.5, "L": 7.0, "K": 9, "position": 0.0, "seed": -1}
BOUND = GAIN.subs(z, RHO)

LEMMA = Lemma(
    name="rounding",
    doc=__doc__,
    claim=r"|e_K|\le G_K\max_k|\xi_k|,\qquad G_K\le\Bigl(\frac{\sqrt\kappa+1}2\Bigr)^2",
    kind="tight",
    assumptions=(r"$0<m<L$", r"eigenvalues in $[m,L]$", r"$|\xi_k|\le\xi$"),
    steps=steps(),
    bound=BOUND,
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
            "limit 1/(1-z)^2 made smaller by a tenth",
            steps=partial(steps, limit_gain=LIMIT * sympy.Rational(9, 10)),
            bound=sympy.Rational(9, 10) * LIMIT.subs(z, RHO),
            counterexample={**_WITNESS, "K": 30},
        ),
        WrongVariant(
            "gain (sqrt kappa + 1)/2 to the first power",
            steps=partial(steps, limit_gain=1 / (1 - z)),
            bound=1 / (1 - RHO),
            counterexample=_WITNESS,
        ),
        WrongVariant("impulse response one index late", steps=partial(steps, impulse=-1)),
        WrongVariant("|U_n| <= n", steps=partial(steps, growth=0)),
        WrongVariant(
            "the factor 1/(1+z^{2K}) applied twice",
            steps=partial(steps, gain=GAIN / (1 + z ** (2 * K))),
        ),
        WrongVariant(
            "assumption lambda >= m dropped",
            counterexample={**_WITNESS, "position": -0.01},
        ),
    ),
    also={"gain": GAIN, "limit": LIMIT},
)
