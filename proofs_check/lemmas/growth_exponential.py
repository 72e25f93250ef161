r"""Exponential regime: the largest eigenvalue, and so the depth, stays bounded as N grows.

Statement
---------
For gamma(h) = exp(-(h/ell)^nu) and every N

    lambda_max(Gamma_N) <= 1 + 2 ell Gamma(1 + 1/nu);   for nu = 1 even <= coth(1/(2 ell)).

With lemma symbol_minimum the condition number of A_t is bounded in N, at every t > 0.

Assumptions
-----------
ell, nu > 0.

Proof
-----
Twice the tail from J = 0 (lemmas operator_norm, tail_exponential), and
(ell/nu) Gamma(1/nu) = ell Gamma(1 + 1/nu).  nu = 1: the sum is exactly r/(1-r).

Kind
----
upper: for nu = 1 and a long length scale nearly attained as N grows.

Source
------
Own derivation; NIST Digital Library of Mathematical Functions, 5.5.1.

Example
-------
>>> value, bound = LEMMA.sample({"ell": 4.0, "nu": 1.0, "N": 12})
>>> bool(value < bound), float(bound)
(True, 9.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, eigenvalues, gram, grid
from proofs_check.lemmas._uses import uses
from proofs_check.lemmas.noisy_spectrum import KAPPA, high
from proofs_check.lemmas.tail_exponential import TAIL
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J, ell, nu

UPPER = 1 + 2 * ell * sympy.gamma(1 + 1 / nu)
UPPER_LAPLACE = sympy.coth(1 / (2 * ell))


def steps(upper: sympy.Expr = UPPER) -> list[Step]:
    """The proof, for a claimed bound."""
    ratio = sympy.Symbol("r", positive=True)
    tail, room = sympy.symbols("T u", nonnegative=True)
    z = sympy.Symbol("z", positive=True)
    return [
        Step(
            "The norm of a symmetric Toeplitz matrix is at most its lags counted twice.",
            r"\lambda_{\max}(\Gamma_N)\le1+2T_N(0)",
            uses("operator_norm"),
        ),
        Step(
            "The tail from J = 0, for every N.",
            r"T_N(0)\le\frac\ell\nu\Gamma\Bigl(\frac1\nu,0\Bigr)",
            uses("tail_exponential"),
        ),
        Step(
            "The incomplete gamma function is complete at 0.",
            r"1+\frac{2\ell}\nu\Gamma(1/\nu) = 1+2\ell\,\Gamma(1+1/\nu)",
            all_of(
                identity(
                    sympy.uppergamma(1 / nu, z).subs(z, 0), sympy.gamma(1 / nu), automatic=True
                ),
                identity(1 + 2 * ell / nu * sympy.gamma(1 / nu), upper),
                identity(
                    TAIL.subs(J, z),
                    ell / nu * sympy.uppergamma(1 / nu, (z / ell) ** nu),
                    automatic=True,
                ),
            ),
        ),
        Step(
            "A sum below its bound gives an eigenvalue below the bound.",
            r"1+2T\le1+2(T+u)",
            nonnegative(1 + 2 * (tail + room) - (1 + 2 * tail)),
        ),
        Step(
            "For nu = 1 the sum is geometric, r = e^{-1/ell}.",
            r"1+\frac{2r}{1-r} = \frac{1+r}{1-r} = \coth\frac1{2\ell}",
            all_of(
                identity(1 + 2 * ratio / (1 - ratio), (1 + ratio) / (1 - ratio)),
                uses("exponential_symbol"),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """lambda_max of the N x N matrix."""
    parameters = grid(parameters)
    with mpmath.workdps(DIGITS):
        kernel = {"regime": 0, "ell": parameters["ell"], "shape": parameters["nu"]}
        return eigenvalues(gram(kernel, parameters["N"]))[-1]


_WITNESS = {"ell": 2.0, "nu": 1.0, "N": 16}

LEMMA = Lemma(
    name="growth_exponential",
    doc=__doc__,
    claim=r"\lambda_{\max}(\Gamma_N)\le1+2\ell\,\Gamma(1+1/\nu)",
    kind="upper",
    assumptions=(r"$\gamma(h)=e^{-(h/\ell)^\nu}$, $\ell,\nu>0$",),
    steps=steps(),
    bound=UPPER,
    measure=measure,
    derive=grid,
    parameters={
        "ell": Range(0.3, 16.0),
        "nu": Range(0.2, 2.0),
        "N": Range(1, 10, integer=True),
    },
    wrong_variants=(
        WrongVariant(
            "the lags counted once",
            steps=partial(steps, upper=1 + ell * sympy.gamma(1 + 1 / nu)),
            bound=1 + ell * sympy.gamma(1 + 1 / nu),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "Gamma(1/nu) in the place of Gamma(1 + 1/nu)",
            steps=partial(steps, upper=1 + 2 * ell * sympy.gamma(1 / nu)),
        ),
    ),
    also={
        "upper_laplace": UPPER_LAPLACE,
        "condition_number": KAPPA.subs(high, UPPER),
    },
)
