r"""Truncating a slow kernel fails for the matrix itself, not only for the bound of its error.

Statement
---------
Let Gamma_J keep the lags up to J of a decreasing kernel.  For 0 <= J < N - 1

    |Gamma - Gamma_J|_2 >= (N-J)(N-1-J)/N gamma(N-1),

so an error of at most delta forces (N-1-J)^2 <= delta N/gamma(N-1), that is
J >= N - 1 - sqrt(delta N/gamma(N-1)).  In the logarithmic regime, and the polynomial one with
p < 1, J/N -> 1: no bandwidth short of nearly all lags approximates the matrix in norm.

Assumptions
-----------
gamma positive and decreasing.

Proof
-----
The Rayleigh quotient of the vector of ones is the sum of the dropped entries over N: lag k occurs
2(N-k) times, and 2 sum_{J<k<N} (N-k) = (N-J)(N-1-J); every entry is at least gamma(N-1).

Kind
----
tight: equality for N = 2, J = 0.

Source
------
Own derivation; Rayleigh quotient: R. Horn & C. Johnson, Matrix Analysis, 2nd ed., Theorem 4.2.2.

Example
-------
>>> drawn = {"regime": 2, "ell": 8.0, "shape": 1.0, "J": 2, "N": 9}
>>> value, bound = LEMMA.sample(drawn)
>>> bool(value < bound)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import (
    all_of,
    cited,
    identity,
    limit,
    nonnegative,
    smt,
    sum_nonnegative,
    summation,
)
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import (
    DIGITS,
    LOGARITHMIC,
    POLYNOMIAL,
    RANGES,
    eigenvalues,
    kernel,
)
from proofs_check.lemmas._steps import kernels_decrease
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J, N, ell, h

delta = sympy.Symbol("delta", positive=True)
"""Tolerated error of the matrix."""
GAMMA_LAST = sympy.Symbol("gamma_last", positive=True)
"""gamma(N-1)."""
FLOOR = (N - J) * (N - 1 - J) / N * GAMMA_LAST
NEEDED = N - 1 - sympy.sqrt(delta * N / GAMMA_LAST)


def steps(entries: sympy.Expr = (N - J) * (N - 1 - J)) -> list[Step]:
    """The proof, for a claimed number of dropped entries."""
    i, n = (sympy.Symbol(name, integer=True, positive=True) for name in "in")
    term, count = sympy.IndexedBase("g", nonnegative=True), sympy.IndexedBase("c", nonnegative=True)
    last, excess, u, v, w = sympy.symbols("g e u v w", nonnegative=True)
    y, e, x = sympy.symbols("y e_p x", positive=True)
    power = sympy.Symbol("power", positive=True)
    return [
        kernels_decrease(),
        Step(
            "Every dropped entry is at least the last lag; lag k occurs c_k times.",
            r"\sum_kc_k\gamma(k)-\gamma(N-1)\sum_kc_k\ge0",
            sum_nonnegative(
                sympy.Sum(count[i] * term[i], (i, 1, n)) - last * sympy.Sum(count[i], (i, 1, n)),
                count[i] * (term[i] - last),
                (i, 1, n),
                {term[i]: last + excess, count[i]: u},
            ),
        ),
        Step(
            "The number of dropped entries: lag k = N - i occurs 2i times, i = 1 .. N-1-J.",
            r"2\sum_{i=1}^{N-1-J}i = (N-J)(N-1-J)",
            all_of(
                summation(2 * i, (i, 1, n), n * (n + 1)),
                identity((N - 1 - J) * (N - 1 - J + 1), entries, automatic=True),
            ),
        ),
        Step(
            "The norm is at least the Rayleigh quotient of the ones, a vector of squared length N.",
            r"\|E\|_2\ge\frac{1^\top E1}{1^\top1}",
            cited(
                "Horn & Johnson, Matrix Analysis, 2nd ed., Theorem 4.2.2",
                "the largest eigenvalue is the maximum of the Rayleigh quotient",
            ),
        ),
        Step(
            "Solved for the bandwidth, with n = N - 1 - J <= N - J.",
            r"n^2\gamma(N-1)/N\le\|E\|\le\delta\ \Rightarrow\ n\le\sqrt{\delta N/\gamma(N-1)}",
            nonnegative(FLOOR - (N - 1 - J) ** 2 / N * GAMMA_LAST, {N: J + 1 + u}),
            smt(v <= w, [v**2 * x <= y, sympy.Eq(w**2 * x, y)]),
        ),
        Step(
            "Logarithmic regime: 1/gamma(N-1) is negligible against N = 1 + ell (e^{y-1} - 1).",
            r"\frac{\delta N}{\gamma(N-1)N^2} = \frac{\delta y^q}{1+\ell(e^{y-1}-1)}\to0",
            all_of(
                identity(
                    LOGARITHMIC.subs(h, ell * (sympy.exp(y - 1) - 1)) * y**power,
                    1,
                    automatic=True,
                ),
                limit(y**power * sympy.exp(-y), y, sympy.oo, 0),
            ),
        ),
        Step(
            "Polynomial regime, p = 1/(1+e) < 1, with N - 1 = ell x.",
            r"\frac{\delta(1+x)^p}{1+\ell x}\to0",
            all_of(
                identity(POLYNOMIAL.subs(h, ell * x) * (1 + x) ** power, 1, automatic=True),
                limit((1 + x) ** (-e / (1 + e)), x, sympy.oo, 0),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """1/|Gamma - Gamma_J|_2, from the eigenvalues."""
    with mpmath.workdps(DIGITS):
        size = parameters["N"]
        dropped = mpmath.matrix(size, size)
        for i in range(size):
            for j in range(size):
                if abs(i - j) > parameters["J"]:
                    dropped[i, j] = kernel(parameters, i - j)
        found = eigenvalues(dropped)
        return 1 / max(abs(found[0]), abs(found[-1]))


def derive(parameters: Parameters) -> Parameters:
    """gamma(N-1)."""
    with mpmath.workdps(DIGITS):
        return {**parameters, "gamma_last": kernel(parameters, parameters["N"] - 1)}


_WITNESS = {"regime": 2, "ell": 8.0, "shape": 1.0, "J": 0, "N": 2}

LEMMA = Lemma(
    name="band_norm_floor",
    doc=__doc__,
    claim=r"\|\Gamma-\Gamma_J\|_2\ge\frac{(N-J)(N-1-J)}N\,\gamma(N-1)",
    kind="tight",
    assumptions=(r"$\gamma$ positive and decreasing", r"$0\le J<N-1$"),
    steps=steps(),
    bound=1 / FLOOR,
    measure=measure,
    derive=derive,
    parameters={**RANGES, "J": Range(0, 4, integer=True), "N": Range(6, 10, integer=True)},
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "(N-J)^2 dropped entries",
            steps=partial(steps, (N - J) ** 2),
            bound=1 / ((N - J) ** 2 / N * GAMMA_LAST),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "assumption of decrease dropped: p = -3",
            counterexample={**_WITNESS, "regime": 1, "ell": 0.5, "shape": -3.0, "N": 8},
        ),
    ),
    also={
        "needed": NEEDED,
        "needed_logarithmic": NEEDED.subs(GAMMA_LAST, LOGARITHMIC.subs(h, N - 1)),
        "needed_polynomial": NEEDED.subs(GAMMA_LAST, POLYNOMIAL.subs(h, N - 1)),
    },
)
