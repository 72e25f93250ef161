r"""W2 of two Gaussians on the line: distance of the means and of the standard deviations.

Statement
---------
For p = N(m, a) and q = N(0, b)

    W2(p, q)^2 = m^2 + (sqrt a - sqrt b)^2.

Covariances that share their eigenvectors: W2^2 is the sum over the eigenvectors.

Assumptions
-----------
a, b >= 0.

Proof
-----
The coupling (m + sqrt(a) Z, sqrt(b) Z) attains it.  For any coupling of mean m and variances a, b,
0 <= E (sqrt(b) U - sqrt(a) V)^2 = 2ab - 2 sqrt(ab) E UV for the centred parts, so E UV <= sqrt(ab).
The coordinates of a coupling of vectors couple the coordinates: sums bound sums, and independent
optimal pairs attain them.

Kind
----
equality: for all means and variances.

Source
------
C. Givens & R. Shortt, Michigan Math. J. 31 (1984) 231-240, Proposition 7.

Example
-------
>>> value, bound = LEMMA.sample({"m": 0.0, "a": 4.0, "b": 1.0})
>>> round(float(value), 6), float(bound)
(1.0, 1.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, integration, nonnegative, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

m = sympy.Symbol("m", real=True)
"""Difference of the means."""
a, b = sympy.symbols("a b", positive=True)
"""Variances of p and q."""
BOUND = m**2 + (sympy.sqrt(a) - sympy.sqrt(b)) ** 2


def steps(squared: sympy.Expr = BOUND) -> list[Step]:
    """The proof, for a claimed squared distance."""
    z = sympy.Symbol("z", real=True)
    x, y = sympy.symbols("U V", real=True)
    gap = sympy.Symbol("g", nonnegative=True)
    mixed = sympy.Symbol("c", real=True)
    n, i = (sympy.Symbol(name, integer=True, positive=True) for name in "ni")
    pair, least = sympy.IndexedBase("E", nonnegative=True), sympy.IndexedBase("W", nonnegative=True)
    density = sympy.exp(-(z**2) / 2) / sympy.sqrt(2 * sympy.pi)
    slope = sympy.sqrt(a) - sympy.sqrt(b)
    cost = a + b + m**2 - 2 * mixed
    return [
        Step(
            "Mean and second moment of a standard normal variable.",
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
            "The coupling by one normal variable has this cost.",
            r"E(m+\sqrt aZ-\sqrt bZ)^2 = m^2+(\sqrt a-\sqrt b)^2",
            identity(
                sympy.expand((m + (sympy.sqrt(a) - sympy.sqrt(b)) * z) ** 2)
                .subs(z**2, 1)
                .subs(z, 0),
                squared,
                automatic=True,
            ),
        ),
        Step(
            "Any coupling: the square of sqrt(b) U - sqrt(a) V, in expectation.",
            r"0\le E(\sqrt bU-\sqrt aV)^2 = 2ab-2\sqrt{ab}\,E[UV]",
            identity(
                sympy.expand((sympy.sqrt(b) * x - sympy.sqrt(a) * y) ** 2)
                .subs({x**2: a, y**2: b})
                .subs(x * y, mixed),
                2 * a * b - 2 * sympy.sqrt(a * b) * mixed,
                automatic=True,
            ),
        ),
        Step(
            "So E[UV] = sqrt(ab) - g with g >= 0, and the cost is at least the stated one.",
            r"m^2+a+b-2E[UV]-W_2^2 = 2g\ge0",
            all_of(
                identity(cost.subs(mixed, sympy.sqrt(a * b) - gap) - squared, 2 * gap),
                nonnegative(2 * gap),
                identity(slope**2, a + b - 2 * sympy.sqrt(a * b)),
            ),
        ),
        Step(
            "Vectors: the coordinates of any coupling cost at least their own distance.",
            r"\sum_iE_i-\sum_iW_i = \sum_i(E_i-W_i)\ge0",
            sum_nonnegative(
                sympy.Sum(pair[i], (i, 1, n)) - sympy.Sum(least[i], (i, 1, n)),
                pair[i] - least[i],
                (i, 1, n),
                {pair[i]: a + gap, least[i]: a},
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The integral of the squared difference of the quantile functions."""
    with mpmath.workdps(30):
        shift = mpmath.mpf(parameters["m"])
        first, second = (mpmath.sqrt(mpmath.mpf(parameters[name])) for name in ("a", "b"))

        def difference(z: mpmath.mpf) -> mpmath.mpf:
            return (shift + first * z - second * z) ** 2 * mpmath.npdf(z)

        return mpmath.quad(difference, [-14, -7, -3, 0, 3, 7, 14])


def measure_independent(parameters: Parameters) -> mpmath.mpf:
    """The cost of independent draws."""
    return mpmath.mpf(parameters["m"]) ** 2 + parameters["a"] + parameters["b"]


_POINT = {"m": 1.5, "a": 4.0, "b": 0.25}

LEMMA = Lemma(
    name="gaussian_wasserstein",
    doc=__doc__,
    claim=r"W_2(N(m,a),N(0,b))^2 = m^2+(\sqrt a-\sqrt b)^2",
    kind="equality",
    assumptions=(r"$a,b\ge0$",),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={"m": Range(0.1, 5.0), "a": Range(0.05, 10.0), "b": Range(0.05, 10.0)},
    witness=_POINT,
    wrong_variants=(
        WrongVariant(
            "difference of the variances",
            steps=partial(steps, m**2 + (a - b) ** 2),
            bound=m**2 + (a - b) ** 2,
            counterexample=_POINT,
        ),
        WrongVariant(
            "independent draws as the coupling",
            steps=partial(steps, m**2 + a + b),
            measure=measure_independent,
            counterexample=_POINT,
        ),
    ),
)
