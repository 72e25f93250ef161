r"""Mixtures of Gaussians of the distance are positive semidefinite, on the line and in the plane.

Statement
---------
Let gamma(r) = int e^{-s r^2} dmu(s), mu >= 0.  For any points x_1 .. x_N of the line or the plane
the matrix gamma(|x_i - x_j|) is positive semidefinite: the frames of a sequence (lags), and the
frames on the circle (chords).

Assumptions
-----------
mu >= 0; by lemma bernstein_chain that covers all three regimes, 0 < nu <= 2, p, q > 0.

Proof
-----
e^{-s|x-y|^2} = e^{-s|x|^2} e^{-s|y|^2} e^{2s<x,y>}; the last factor is a double power series with
non-negative coefficients in products u(x) u(y), u = x_1^j x_2^k.  Each such product is a rank-one
matrix u u^T, with a^T u u^T a = (u^T a)^2 >= 0.  Sums and mixtures with weights >= 0 keep the sign.

Kind
----
upper: minus the smallest eigenvalue is at most 0.

Source
------
I. J. Schoenberg, Ann. of Math. 39 (1938) 811-841, Theorem 2; the expansion is classical.

Example
-------
>>> drawn = {"regime": 0, "ell": 1.0, "shape": 1.0, "N": 2, "seed": 0}
>>> value, bound = LEMMA.sample(drawn)
>>> bool(value < bound)
True
"""

from __future__ import annotations

import random
from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, RANGES, eigenvalues, kernel
from proofs_check.lemmas._uses import uses
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import N, k

s = sympy.Symbol("s", nonnegative=True)
"""Precision of one Gaussian of the mixture."""


def steps(sign: int = 1) -> list[Step]:
    """The proof; `sign = -1` claims it for weights of the other sign."""
    first, second, third, fourth = sympy.symbols("x_1 x_2 y_1 y_2", real=True)
    inner = first * third + second * fourth
    distance = (first - third) ** 2 + (second - fourth) ** 2
    j = sympy.Symbol("j", integer=True, nonnegative=True)
    feature = sympy.MatrixSymbol("u", N, 1)
    a = sympy.MatrixSymbol("a", N, 1)
    weight = sympy.Symbol("w", nonnegative=True)
    image = sympy.Symbol("v", real=True)
    x = sympy.Symbol("x", real=True)
    return [
        Step(
            "A Gaussian of the distance splits into two factors of one point and one of both.",
            r"e^{-s|x-y|^2} = e^{-s|x|^2}e^{-s|y|^2}e^{2s\langle x,y\rangle}",
            identity(
                sympy.exp(-s * distance),
                sympy.exp(-s * (first**2 + second**2))
                * sympy.exp(-s * (third**2 + fourth**2))
                * sympy.exp(2 * s * inner),
            ),
        ),
        Step(
            "The exponential series.",
            r"\sum_{j\ge0}\frac{x^j}{j!} = e^x",
            identity(
                sympy.Sum(x**j / sympy.factorial(j), (j, 0, sympy.oo)).doit(),
                sympy.exp(x),
                automatic=True,
            ),
        ),
        Step(
            "So the factor of both points is a double series of products u(x) u(y).",
            r"e^{2s\langle x,y\rangle} = \sum_{j,k}\frac{(2s)^{j+k}}{j!\,k!}"
            r"\,(x_1^jx_2^k)(y_1^jy_2^k)",
            all_of(
                identity(
                    (2 * s * first * third) ** j
                    / sympy.factorial(j)
                    * ((2 * s * second * fourth) ** k / sympy.factorial(k)),
                    (2 * s) ** (j + k)
                    / (sympy.factorial(j) * sympy.factorial(k))
                    * (first**j * second**k)
                    * (third**j * fourth**k),
                ),
                nonnegative((2 * s) ** (j + k) / (sympy.factorial(j) * sympy.factorial(k))),
            ),
        ),
        Step(
            "Each product is a rank-one matrix, positive semidefinite, for any number of points.",
            r"a^\top(uu^\top)a = (u^\top a)^2\ge0",
            all_of(
                identity(
                    a.T * (feature * feature.T) * a,
                    (feature.T * a).T * (feature.T * a),
                    automatic=True,
                ),
                nonnegative(image**2),
            ),
        ),
        Step(
            "Weights of the series and of the mixture are non-negative.",
            r"\sum w\,(u^\top a)^2\ge0",
            nonnegative(sign * weight * image**2),
        ),
        Step(
            "All regimes are such mixtures.",
            r"\gamma(r) = \int e^{-sr^2}\,d\mu(s),\quad\mu\ge0",
            uses("bernstein_chain"),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """Minus the smallest eigenvalue for random points of the plane, on a grid of 0.1."""
    with mpmath.workdps(DIGITS):
        rng, size = random.Random(parameters["seed"]), parameters["N"]
        places = rng.sample([(i, j) for i in range(30) for j in range(30)], size)
        return _smallest(parameters, [(mpmath.mpf(i) / 10, mpmath.mpf(j) / 10) for i, j in places])


def measure_on_a_line(parameters: Parameters) -> mpmath.mpf:
    """The same for the lags 0 .. N-1."""
    with mpmath.workdps(DIGITS):
        return _smallest(
            parameters, [(mpmath.mpf(i), mpmath.mpf(0)) for i in range(parameters["N"])]
        )


def _smallest(parameters: Parameters, points: list[tuple[mpmath.mpf, mpmath.mpf]]) -> mpmath.mpf:
    matrix = mpmath.matrix(len(points), len(points))
    for i, (a, b) in enumerate(points):
        for j, (c, d) in enumerate(points):
            matrix[i, j] = kernel(parameters, mpmath.hypot(a - c, b - d))
    return -eigenvalues(matrix)[0]


LEMMA = Lemma(
    name="positive_definite",
    doc=__doc__,
    claim=r"\sum_{i,j}a_ia_j\gamma(|x_i-x_j|)\ge0",
    kind="upper",
    assumptions=(r"$\mu\ge0$", r"$0<\nu\le2$, $p,q>0$"),
    steps=steps(),
    bound=sympy.S.Zero,
    measure=measure,
    parameters={**RANGES, "N": Range(1, 8, integer=True), "seed": Range(0, 10_000, integer=True)},
    wrong_variants=(
        WrongVariant("weights of the other sign", steps=partial(steps, sign=-1)),
        WrongVariant(
            "exponent nu = 4 > 2",
            measure=measure_on_a_line,
            counterexample={"regime": 0, "ell": 1.5, "shape": 4.0, "N": 6},
        ),
    ),
)
