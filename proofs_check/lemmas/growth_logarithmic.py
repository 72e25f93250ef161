r"""Logarithmic regime: the largest eigenvalue grows like N/(log N)^q, almost like N.

Statement
---------
For gamma(h) = (1 + log(1 + h/ell))^{-q}, with n = N - 1,

    1 + n gamma(n) <= lambda_max(Gamma_N) <= 1 + 2 ell (sqrt(1+n/ell) - 1) + 2^{q+1} n gamma(n),

and n gamma(n) = n/(1 + log(1+n/ell))^q dominates the square root.  The condition number of A_t at
fixed t grows alike.

Assumptions
-----------
ell, q > 0.

Proof
-----
Split the lags where 1 + k/ell = sqrt(1+n/ell) = e^{y/2}: the shorter ones are at most
ell (e^{y/2} - 1) in number and gamma <= 1; each of the others, at most n, is at most
(1+y/2)^{-q} <= 2^q (1+y)^{-q} = 2^q gamma(n).  Lower bound: lemma growth_floor.

Kind
----
upper: within a factor 2^{q+1} of the floor, asymptotically.

Source
------
Own derivation.

Example
-------
>>> value, bound = LEMMA.sample({"ell": 8.0, "power": 1.0, "N": 10})
>>> bool(value < bound)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, limit, monotone, nonnegative, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, LOGARITHMIC, eigenvalues, gram, grid
from proofs_check.lemmas._steps import decreases
from proofs_check.lemmas._uses import uses
from proofs_check.lemmas.noisy_spectrum import KAPPA, high
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import N, ell, h, power

LAST = N - 1
GAMMA_LAST = LOGARITHMIC.subs(h, LAST)
FLOOR = 1 + LAST * GAMMA_LAST
UPPER = 1 + 2 * ell * (sympy.sqrt(1 + LAST / ell) - 1) + 2 ** (power + 1) * LAST * GAMMA_LAST


def steps(half: sympy.Expr = sympy.S.Half, front: sympy.Expr = 2**power) -> list[Step]:
    """The proof, for a claimed exponent of the split and a claimed factor of gamma(n)."""
    y, x = sympy.symbols("y x", positive=True)
    i, m = (sympy.Symbol(name, integer=True, positive=True) for name in "im")
    term = sympy.IndexedBase("g", nonnegative=True)
    cap, long, below = sympy.symbols("c b u", nonnegative=True)
    split = ell * (sympy.exp(half * y) - 1)
    last = ell * (sympy.exp(y) - 1)
    return [
        Step(
            "The norm of a symmetric Toeplitz matrix is at most its lags counted twice.",
            r"\lambda_{\max}(\Gamma_N)\le1+2\sum_{k=1}^{n}\gamma(k)",
            uses("operator_norm"),
        ),
        Step("The kernel decreases.", r"\gamma'(h)\le0", decreases("logarithmic")),
        Step(
            "With n = ell (e^y - 1): the split and the kernel there and at the end.",
            r"\gamma\bigl(\ell(e^{y/2}-1)\bigr) = (1+y/2)^{-q},\quad\gamma(n) = (1+y)^{-q}",
            all_of(
                identity(LOGARITHMIC.subs(h, split), (1 + y / 2) ** -power, automatic=True),
                identity(LOGARITHMIC.subs(h, last), (1 + y) ** -power, automatic=True),
                identity(sympy.sqrt(1 + last / ell), sympy.exp(y / 2), automatic=True),
            ),
        ),
        Step(
            "Beyond the split: (1+y)/2 <= 1 + y/2, and x^{-q} decreases.",
            r"(1+y/2)^{-q}\le\Bigl(\frac{1+y}2\Bigr)^{-q} = 2^q(1+y)^{-q}",
            all_of(
                nonnegative((1 + y / 2) - (1 + y) / 2),
                monotone(x**-power, x, "decreasing"),
                identity(((1 + y) / 2) ** -power, front * (1 + y) ** -power),
            ),
        ),
        Step(
            "Each part is at most its number of lags times its largest value, term by term.",
            r"\sum_{k=1}^n\gamma(k)\le\ell(e^{y/2}-1)\cdot1+n\cdot2^q\gamma(n)",
            sum_nonnegative(
                sympy.Sum(cap, (i, 1, m)) - sympy.Sum(term[i], (i, 1, m)),
                cap - term[i],
                (i, 1, m),
                {cap: long + below, term[i]: long},
            ),
        ),
        Step(
            "Together, the bound as stated.",
            r"1+2\bigl[\ell(e^{y/2}-1)+2^qn\gamma(n)\bigr]",
            identity(
                1 + 2 * (ell * (sympy.exp(y / 2) - 1) + 2**power * last * (1 + y) ** -power),
                (
                    1
                    + 2 * ell * (sympy.exp(y / 2) - 1)
                    + 2 ** (power + 1) * last * (1 + y) ** -power
                ),
            ),
        ),
        Step(
            "The square root is negligible, so floor and bound are of the order n gamma(n).",
            r"\frac{e^{y/2}}{e^y(1+y)^{-q}} = (1+y)^qe^{-y/2}\to0",
            all_of(
                limit((1 + y) ** power * sympy.exp(-y / 2), y, sympy.oo, 0),
                uses("growth_floor"),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """lambda_max of the N x N matrix."""
    parameters = grid(parameters)
    with mpmath.workdps(DIGITS):
        kernel = {"regime": 2, "ell": parameters["ell"], "shape": parameters["power"]}
        return eigenvalues(gram(kernel, parameters["N"]))[-1]


LEMMA = Lemma(
    name="growth_logarithmic",
    doc=__doc__,
    claim=r"1+n\gamma(n)\le\lambda_{\max}(\Gamma_N)\le1+2\ell(\sqrt{1+n/\ell}-1)+2^{q+1}n\gamma(n)",
    kind="upper",
    assumptions=(r"$\gamma(h)=(1+\log(1+h/\ell))^{-q}$, $\ell,q>0$",),
    steps=steps(),
    bound=UPPER,
    measure=measure,
    derive=grid,
    parameters={
        "ell": Range(0.3, 16.0),
        "power": Range(0.1, 3.0),
        "N": Range(1, 10, integer=True),
    },
    wrong_variants=(
        WrongVariant(
            "split at the fourth root",
            steps=partial(steps, half=sympy.Rational(1, 4)),
        ),
        WrongVariant(
            "without the factor 2^q",
            steps=partial(steps, front=sympy.Integer(1)),
        ),
        WrongVariant(
            "the floor as a bound",
            bound=FLOOR,
            counterexample={"ell": 0.5, "power": 2.0, "N": 8},
        ),
    ),
    also={
        "floor": FLOOR,
        "condition_number": KAPPA.subs(high, UPPER),
    },
)
