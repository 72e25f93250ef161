r"""With many frames the smallest eigenvalue comes down to f(pi): no better bound exists.

Statement
---------
For every kernel that decreases to 0 and every N,

    lambda_min(Gamma_N) <= f(pi) + (2/N) sum_{n=1}^N gamma(n),

and the right side tends to f(pi).  With lemma symbol_minimum lambda_min(Gamma_N) -> f(pi):
f(pi) is the best lower bound that holds for every N.

Assumptions
-----------
gamma decreases to 0, gamma(0) = 1.

Proof
-----
Test vector x_i = (-1)^i: adding frame number n to a sequence of n frames adds
S_n = 1 + 2 sum_{k<=n} (-1)^k gamma(k) to x^T Gamma x, so the Rayleigh quotient is the mean of
S_0 .. S_{N-1}.  |S_n - f(pi)| <= 2 gamma(n+1) (lemma alternating_enclosure); means of a sequence
that tends to 0 tend to 0.

Kind
----
upper: N = 1 shows a gap of f(pi) + 2 gamma(1) - 1.

Source
------
U. Grenander & G. Szego, Toeplitz Forms and Their Applications, Section 5.2 (the limit, for summable
kernels); the rate is our own.

Example
-------
>>> value, bound = LEMMA.sample({"regime": 0, "ell": 1.0, "shape": 1.0, "N": 9})
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
    quadratic_identity,
    smt,
    sum_nonnegative,
    summation,
)
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import (
    DIGITS,
    RANGES,
    eigenvalues,
    gram,
    kernel,
    symbol_at_pi,
)
from proofs_check.lemmas._uses import uses
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import N

SYMBOL = sympy.Symbol("f_pi", nonnegative=True)
"""f(pi)."""
MASS = sympy.Symbol("mass", nonnegative=True)
"""sum of gamma(n) over n = 1 .. N."""
BOUND = SYMBOL + 2 * MASS / N


def steps(copies: int = 2) -> list[Step]:
    """The proof, for a claimed number of times that a lag occurs in a new row and column."""
    matrix, border = sympy.MatrixSymbol("A", N, N), sympy.MatrixSymbol("b", N, 1)
    x, y = sympy.MatrixSymbol("x", N, 1), sympy.MatrixSymbol("y", 1, 1)
    corner = sympy.MatrixSymbol("C", 1, 1)
    grown = sympy.BlockMatrix([[matrix, border], [border.T, corner]])
    column = sympy.BlockMatrix([[x], [y]])
    n, j = (sympy.Symbol(name, integer=True, nonnegative=True) for name in "nj")
    i = sympy.Symbol("i", integer=True, positive=True)
    form = sympy.Function("Q")
    error, term = sympy.IndexedBase("e", real=True), sympy.IndexedBase("g", nonnegative=True)
    size, u, v, epsilon = sympy.symbols("g u v epsilon", nonnegative=True)
    start = sympy.Symbol("M", positive=True)
    return [
        Step(
            "A new frame adds its own entry and twice its row: x^T Gamma x as a bordered form.",
            r"\binom xy^\top\begin{pmatrix}A&b\\b^\top&c\end{pmatrix}\binom xy = "
            r"x^\top Ax+2\,y\,b^\top x+c\,y^2",
            quadratic_identity(
                sympy.block_collapse(column.T * grown * column),
                x.T * matrix * x + copies * y.T * border.T * x + y.T * corner * y,
                [matrix],
            ),
        ),
        Step(
            "With x_i = (-1)^i the frame n sees frame j at lag k = n - j with the sign (-1)^k.",
            r"(-1)^n(-1)^j = (-1)^{n-j}",
            identity((-1) ** n * (-1) ** j, (-1) ** (n - j)),
        ),
        Step(
            "So the form of N frames is S_0 + ... + S_{N-1}, by telescoping, and |x|^2 = N.",
            r"Q_{n+1}-Q_n = S_n,\qquad\frac{x^\top\Gamma_Nx}{x^\top x} = \frac1N\sum_{n<N}S_n",
            summation(form(i) - form(i - 1), (i, 1, N), form(N) - form(0)),
        ),
        Step(
            "The smallest eigenvalue is at most every Rayleigh quotient.",
            r"\lambda_{\min}(\Gamma_N)\le\frac{x^\top\Gamma_Nx}{x^\top x}",
            cited(
                "Horn & Johnson, Matrix Analysis, 2nd ed., Theorem 4.2.2",
                "the smallest eigenvalue is the minimum of the Rayleigh quotient",
            ),
        ),
        Step(
            "Every partial sum is near f(pi).",
            r"|S_n-f(\pi)|\le2\gamma(n+1)",
            uses("alternating_enclosure"),
        ),
        Step(
            "Summed, with e_n = S_n - f(pi) <= 2 gamma(n+1).",
            r"\frac1N\sum_{n<N}(S_n-f(\pi))\le\frac2N\sum_{n=1}^N\gamma(n)",
            sum_nonnegative(
                2 * sympy.Sum(term[i], (i, 1, N)) - sympy.Sum(error[i], (i, 1, N)),
                2 * term[i] - error[i],
                (i, 1, N),
                {term[i]: size, error[i]: 2 * size - u},
            ),
        ),
        Step(
            "The mean tends to 0: the first M terms are at most 1, the others (N = M + v) at most "
            "any given epsilon.",
            r"\frac1N\sum_{n=1}^N\gamma(n)\le\frac MN+\epsilon\to\epsilon",
            all_of(
                nonnegative(start / (start + v) + epsilon - (start + epsilon * v) / (start + v)),
                limit(start / N, N, sympy.oo, 0),
            ),
            smt(start + epsilon * v <= (start + v) * (start / (start + v) + epsilon)),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """lambda_min of the N x N matrix."""
    with mpmath.workdps(DIGITS):
        return eigenvalues(gram(parameters, parameters["N"]))[0]


def derive(parameters: Parameters) -> Parameters:
    """f(pi) and the sum of gamma over the lags 1 .. N."""
    with mpmath.workdps(DIGITS):
        lags = range(1, parameters["N"] + 1)
        return {
            "N": parameters["N"],
            "f_pi": symbol_at_pi(parameters),
            "mass": mpmath.fsum(kernel(parameters, k) for k in lags),
        }


LEMMA = Lemma(
    name="symbol_limit",
    doc=__doc__,
    claim=r"\lambda_{\min}(\Gamma_N)\le f(\pi)+\frac2N\sum_{n=1}^N\gamma(n)\to f(\pi)",
    kind="upper",
    assumptions=(r"$\gamma$ decreases to $0$", r"$\gamma(0)=1$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={**RANGES, "N": Range(1, 10, integer=True)},
    wrong_variants=(
        WrongVariant("a new row without its column", steps=partial(steps, copies=1)),
        WrongVariant(
            "f(pi) itself: the limit is not attained",
            bound=SYMBOL,
            counterexample={"regime": 0, "ell": 1.0, "shape": 1.0, "N": 6},
        ),
        WrongVariant(
            "mean of gamma divided by N once more",
            bound=SYMBOL + 2 * MASS / N**3,
            counterexample={"regime": 0, "ell": 0.5, "shape": 1.0, "N": 2},
        ),
    ),
)
