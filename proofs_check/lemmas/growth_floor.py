r"""The largest eigenvalue is at least one plus the sum of the first half of the lags.

Statement
---------
For gamma >= 0, with M the whole part of N/2,

    lambda_max(Gamma_N) >= 1 + sum_{k=1}^M gamma(k),   and, gamma decreasing,
    lambda_max(Gamma_N) >= 1 + (N-1) gamma(N-1).

So kappa_t grows with N wherever the lags are not summable: at least like N^{1-p} in the polynomial
regime with p < 1, like log N for p = 1, like N/(log N)^q in the logarithmic regime.

Assumptions
-----------
gamma(0) = 1, gamma >= 0; decreasing for the second floor.

Proof
-----
Rayleigh quotient of the ones: adding frame number n adds 1 + 2 P_n, P_n = sum_{k<=n} gamma(k),
so it is 1 + (2/N) sum_{n<N} P_n.  P_n increases, and N - M >= N/2 of the n are at least M.
Second floor: every entry off the diagonal is at least gamma(N-1).

Kind
----
tight: equality for N = 2.

Source
------
Own derivation; Rayleigh quotient: R. Horn & C. Johnson, Matrix Analysis, 2nd ed., Theorem 4.2.2.

Example
-------
>>> value, bound = LEMMA.sample({"regime": 1, "ell": 8.0, "shape": 1.0, "N": 9})
>>> bool(value < bound)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, nonnegative, smt, summation
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import (
    DIGITS,
    LOGARITHMIC,
    POLYNOMIAL,
    RANGES,
    eigenvalues,
    gram,
    kernel,
)
from proofs_check.lemmas._steps import kernels_decrease, primitive
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import N, ell, h, power

HALF_MASS = sympy.Symbol("half_mass", nonnegative=True)
"""Sum of gamma over the lags 1 .. N/2."""
FLOOR = 1 + HALF_MASS
LAST = N - 1


def steps(share: sympy.Expr = sympy.S.Half) -> list[Step]:
    """The proof, for a claimed share of the partial sums that are at least P_M."""
    i, n = (sympy.Symbol(name, integer=True, positive=True) for name in "in")
    form = sympy.Function("Q")
    part, u, v = sympy.symbols("P u v", nonnegative=True)
    x, start, stop = sympy.symbols("x a b", positive=True)
    size, middle = sympy.symbols("N M", positive=True)
    return [
        Step(
            "A new frame adds its own entry and twice its row: the form of N ones is the sum of "
            "the 1 + 2 P_n.",
            r"Q_{n+1}-Q_n = 1+2P_n,\qquad\frac{1^\top\Gamma1}{N} = 1+\frac2N\sum_{n<N}P_n",
            summation(form(i) - form(i - 1), (i, 1, n), form(n) - form(0)),
        ),
        Step(
            "P_n increases and is >= 0; the n from M <= N/2 to N-1 are N - M >= N/2 of them.",
            r"\frac2N\sum_{n<N}P_n\ge\frac2N(N-M)P_M\ge P_M",
            all_of(
                nonnegative(
                    2 / size * ((size - middle) * (part + v)) - 2 * share * part,
                    {size: 2 * middle + u},
                ),
                identity(2 * share, 1, automatic=True),
            ),
            smt(
                2 * (size - middle) * part >= size * part,
                [2 * middle <= size],
            ),
        ),
        Step(
            "The largest eigenvalue is at least every Rayleigh quotient.",
            r"\lambda_{\max}\ge\frac{x^\top\Gamma x}{x^\top x}",
            cited(
                "Horn & Johnson, Matrix Analysis, 2nd ed., Theorem 4.2.2",
                "the largest eigenvalue is the maximum of the Rayleigh quotient",
            ),
        ),
        kernels_decrease(),
        Step(
            "The simpler floor: N diagonal entries, N(N-1) others of at least gamma(N-1) = g.",
            r"\frac1N\bigl(N+N(N-1)\gamma(N-1)\bigr) = 1+(N-1)\gamma(N-1)",
            identity((size + size * (size - 1) * part) / size, 1 + (size - 1) * part),
        ),
        Step(
            "For p = 1 the first half is at least an integral that grows like log N.",
            r"\sum_{k=1}^M\gamma(k)\ge\int_1^{M+1}\frac{\ell\,dx}{\ell+x}"
            r"\ge\ell\log\frac{\ell+(N+1)/2}{\ell+1}",
            all_of(
                primitive(
                    POLYNOMIAL.subs({h: x, power: 1}),
                    (x, start, stop),
                    ell * sympy.log(ell + stop) - ell * sympy.log(ell + start),
                    ell * sympy.log(ell + x),
                ),
                # M >= (N-1)/2
                nonnegative((middle + 1) - (size + 1) / 2, {size: 2 * middle + 1 - 1 / (1 + u)}),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """1/lambda_max of the N x N matrix."""
    with mpmath.workdps(DIGITS):
        return 1 / eigenvalues(gram(parameters, parameters["N"]))[-1]


def derive(parameters: Parameters) -> Parameters:
    """The sum of the first half of the lags."""
    with mpmath.workdps(DIGITS):
        lags = range(1, parameters["N"] // 2 + 1)
        return {
            "N": parameters["N"],
            "half_mass": mpmath.fsum(kernel(parameters, k) for k in lags),
        }


_WITNESS = {"regime": 2, "ell": 8.0, "shape": 1.0, "N": 2}

LEMMA = Lemma(
    name="growth_floor",
    doc=__doc__,
    claim=r"\lambda_{\max}(\Gamma_N)\ge1+\sum_{k\le N/2}\gamma(k)",
    kind="tight",
    assumptions=(r"$\gamma\ge0$, $\gamma(0)=1$",),
    steps=steps(),
    bound=1 / FLOOR,
    measure=measure,
    derive=derive,
    parameters={**RANGES, "N": Range(1, 10, integer=True)},
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "three quarters of the partial sums",
            steps=partial(steps, share=sympy.Rational(3, 4)),
            bound=1 / (1 + sympy.Rational(3, 2) * HALF_MASS),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "twice the first half",
            bound=1 / (1 + 2 * HALF_MASS),
            counterexample=_WITNESS,
        ),
    ),
    also={
        "floor": FLOOR,
        "polynomial": 1 + LAST * POLYNOMIAL.subs(h, LAST),
        "critical": 1 + ell * sympy.log((ell + (N + 1) / 2) / (ell + 1)),
        "logarithmic": 1 + LAST * LOGARITHMIC.subs(h, LAST),
    },
)
