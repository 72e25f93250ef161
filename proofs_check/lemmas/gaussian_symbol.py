r"""For nu = 2 Poisson summation writes f(pi) as a sum of positive terms.

Statement
---------
For gamma(h) = e^{-(h/ell)^2},

    f(pi) = 1 + 2 sum_{k>=1} (-1)^k e^{-(k/ell)^2}
          = 2 ell sqrt(pi) sum_{m>=0} e^{-(pi ell (2m+1)/2)^2}.

Every term is positive: f(pi) > 0, and each partial sum of the right side is a lower bound, with no
cancellation.

Assumptions
-----------
ell > 0; the right side converges fast for ell >= 1, the left side for ell <= 1.

Proof
-----
The Fourier transform g(w) of the kernel obeys g' = -(ell^2 w/2) g, by parts; g(0) = ell sqrt(pi).
Poisson summation samples it at the odd multiples of pi, which come in pairs of equal value.

Kind
----
equality: both series converge to the same value.

Source
------
Poisson summation: NIST Digital Library of Mathematical Functions, 1.8.14; 20.7.32 (Jacobi).

Example
-------
>>> value, bound = LEMMA.sample({"ell": 2.0})
>>> round(float(value), 9), round(float(bound), 9)
(0.000366708, 0.000366708)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, integration, limit, positive, recurrence
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import ell

m = sympy.Symbol("m", integer=True, nonnegative=True)
TERM = 2 * ell * sympy.sqrt(sympy.pi) * sympy.exp(-((sympy.pi * ell * (2 * m + 1) / 2) ** 2))
TERMS = 12
"""Terms of the right side in `BOUND`: what is left out is below 1e-500 for ell >= 1."""
BOUND = sympy.Sum(TERM, (m, 0, TERMS - 1))


def steps(term: sympy.Expr = TERM, rate: sympy.Expr = ell**2 / 4) -> list[Step]:
    """The proof, for a claimed term and a claimed rate of the transform's decay."""
    x, w = sympy.Symbol("x", real=True), sympy.Symbol("w", real=True)
    kernel = sympy.exp(-((x / ell) ** 2))
    transform = ell * sympy.sqrt(sympy.pi) * sympy.exp(-rate * w**2)
    return [
        Step(
            "Integration by parts: the boundary term vanishes at infinity.",
            r"\frac{d}{dx}\Bigl[\tfrac{\ell^2}2e^{-x^2/\ell^2}\sin wx\Bigr] = "
            r"-xe^{-x^2/\ell^2}\sin wx+\tfrac{\ell^2w}2e^{-x^2/\ell^2}\cos wx",
            all_of(
                identity(
                    sympy.diff(ell**2 / 2 * kernel * sympy.sin(w * x), x),
                    -x * kernel * sympy.sin(w * x) + ell**2 * w / 2 * kernel * sympy.cos(w * x),
                    automatic=True,
                ),
                limit(kernel, x, sympy.oo, 0),
            ),
        ),
        Step(
            "So g(w), the transform, obeys g' = -(ell^2 w/2) g, and the claimed form does.",
            r"g(w) = \int e^{-x^2/\ell^2}\cos wx\,dx = \ell\sqrt\pi\,e^{-\ell^2w^2/4}",
            all_of(
                identity(sympy.diff(transform, w), -(ell**2) * w / 2 * transform, automatic=True),
                integration(
                    sympy.exp(-(x**2)),
                    (x, -sympy.oo, sympy.oo),
                    sympy.sqrt(sympy.pi),
                    antiderivative=sympy.sqrt(sympy.pi) / 2 * sympy.erf(x),
                ),
            ),
        ),
        Step(
            "Poisson summation, with (-1)^k = cos(k pi).",
            r"\sum_{k\in\mathbb Z}(-1)^k\gamma(k) = \sum_{m\in\mathbb Z}g\bigl((2m+1)\pi\bigr)",
            cited(
                "NIST Digital Library of Mathematical Functions, 1.8.14",
                "Poisson's summation formula",
            ),
        ),
        Step(
            "g is even, so m and -m-1 give the same term; it is the claimed one.",
            r"2g\bigl((2m+1)\pi\bigr) = 2\ell\sqrt\pi\,e^{-(\pi\ell(2m+1)/2)^2}",
            all_of(
                identity(
                    transform.subs(w, (2 * (-m - 1) + 1) * sympy.pi)
                    / transform.subs(w, (2 * m + 1) * sympy.pi),
                    1,
                    automatic=True,
                ),
                identity(2 * transform.subs(w, (2 * m + 1) * sympy.pi), term, automatic=True),
            ),
        ),
        Step(
            "Every term is positive, so partial sums increase and f(pi) > 0.",
            r"2\ell\sqrt\pi\,e^{-(\pi\ell(2m+1)/2)^2}>0",
            positive(TERM),
        ),
        Step(
            "The terms fall faster than a geometric series: the next has the extra exponent.",
            r"(2m+3)^2-(2m+1)^2 = 8(m+1)",
            recurrence((2 * m + 1) ** 2, m, lambda i, square: square + 8 * (i + 1), [1]),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The alternating series with enough digits for its cancellation."""
    with mpmath.workdps(60 + int(1.1 * parameters["ell"] ** 2)):
        scale = mpmath.mpf(parameters["ell"])
        total, k, term = mpmath.mpf(1), 1, mpmath.mpf(1)
        while term > mpmath.eps:
            term = mpmath.exp(-((k / scale) ** 2))
            total += 2 * (-1) ** k * term
            k += 1
        return total


_WITNESS = {"ell": 1.5}

LEMMA = Lemma(
    name="gaussian_symbol",
    doc=__doc__,
    claim=r"f(\pi) = 2\ell\sqrt\pi\sum_{m\ge0}e^{-(\pi\ell(2m+1)/2)^2}",
    kind="equality",
    assumptions=(r"$\gamma(h)=e^{-(h/\ell)^2}$",),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={"ell": Range(1.0, 8.0)},
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "one of the two equal frequencies only",
            steps=partial(steps, term=TERM / 2),
            bound=BOUND / 2,
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "transform with e^{-ell^2 w^2/2}",
            steps=partial(steps, rate=ell**2 / 2),
        ),
    ),
    also={"term": TERM},
)
