r"""Polynomial regime: the largest eigenvalue is bounded for p > 1, grows like log N, like N^{1-p}.

Statement
---------
For gamma(h) = (1 + h/ell)^{-p} and every N, lambda_max(Gamma_N) is at most

    1 + 2 ell/(p-1)                                        p > 1
    1 + 2 ell log(1 + (N-1)/ell)                           p = 1
    1 + 2 ell/(1-p) [(1 + (N-1)/ell)^{1-p} - 1]            p < 1

and for p <= 1 these orders are right (lemma growth_floor).  The condition number of A_t at fixed t
grows alike.

Assumptions
-----------
ell, p > 0.

Proof
-----
Twice the tail from J = 0 (lemmas operator_norm and tail_polynomial_summable, _critical, _slow).
Divided by N^{1-p} the bound tends to 2 ell^p/(1-p) and the floor to ell^p.

Kind
----
upper: nearly attained for long length scales, as N grows.

Source
------
Own derivation.

Example
-------
>>> value, bound = LEMMA.sample({"ell": 8.0, "power": 2.0, "N": 12})
>>> bool(value < bound), float(bound)
(True, 17.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, limit
from proofs_check.lemma import Lemma
from proofs_check.lemmas import tail_polynomial_critical as critical
from proofs_check.lemmas import tail_polynomial_slow as slow
from proofs_check.lemmas import tail_polynomial_summable as summable
from proofs_check.lemmas._kernels import DIGITS, eigenvalues, gram, grid
from proofs_check.lemmas._uses import uses
from proofs_check.lemmas.noisy_spectrum import KAPPA, high
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J, N, ell, power

SUMMABLE = 1 + 2 * ell / (power - 1)
CRITICAL = 1 + 2 * ell * sympy.log(1 + (N - 1) / ell)
SLOW = 1 + 2 * ell / (1 - power) * ((1 + (N - 1) / ell) ** (1 - power) - 1)
UPPER = sympy.Piecewise((SUMMABLE, power > 1), (CRITICAL, sympy.Eq(power, 1)), (SLOW, True))


def steps(times: int = 2, order: sympy.Expr = 1 - power) -> list[Step]:
    """The proof, for a claimed factor of the tail and a claimed order of growth."""
    x, e = sympy.symbols("x e", positive=True)
    fewer = {power: 1 / (1 + e)}
    frames = {N: 1 + ell * x}
    growth, ratio = x**order, 1 + 1 / x
    return [
        Step(
            "The norm of a symmetric Toeplitz matrix is at most its lags counted twice.",
            r"\lambda_{\max}(\Gamma_N)\le1+2T_N(0)",
            uses("operator_norm"),
        ),
        Step(
            "The tails from J = 0.",
            r"1+2T_N(0)",
            all_of(
                uses("tail_polynomial_summable"),
                uses("tail_polynomial_critical"),
                uses("tail_polynomial_slow"),
                identity(1 + times * summable.TAIL.subs(J, 0), SUMMABLE, automatic=True),
                identity(1 + times * critical.TAIL.subs(J, 0), CRITICAL),
                identity(1 + times * slow.TAIL.subs(J, 0), SLOW),
            ),
        ),
        Step(
            "Order for p = 1/(1+e) < 1, with N - 1 = ell x: bound and floor over x^{1-p}.",
            r"\frac{1+\frac{2\ell}{1-p}[(1+x)^{1-p}-1]}{x^{1-p}}\to\frac{2\ell}{1-p},\quad"
            r"\frac{1+\ell x(1+x)^{-p}}{x^{1-p}}\to\ell",
            all_of(
                identity((1 + x) ** (1 - power) / growth, ratio ** (1 - power)),
                identity(x * (1 + x) ** -power / growth, ratio**-power),
                limit(ratio, x, sympy.oo, 1),
                limit(1 / x ** (e / (1 + e)), x, sympy.oo, 0),
                identity(
                    (SLOW.subs(frames)).subs(fewer),
                    1 + 2 * ell * (1 + e) / e * ((1 + x) ** (e / (1 + e)) - 1),
                ),
                uses("growth_floor"),
            ),
        ),
        Step(
            "Order for p = 1: bound and floor over log x.",
            r"\frac{1+2\ell\log(1+x)}{\log x}\to2\ell,\quad"
            r"\frac{\ell\log\frac{\ell+1+\ell x/2}{\ell+1}}{\log x}\to\ell",
            all_of(
                limit(sympy.log(1 + x) / sympy.log(x), x, sympy.oo, 1),
                limit(sympy.log(1 + ell * x / (2 * (ell + 1))) / sympy.log(x), x, sympy.oo, 1),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """lambda_max of the N x N matrix."""
    parameters = grid(parameters)
    with mpmath.workdps(DIGITS):
        kernel = {"regime": 1, "ell": parameters["ell"], "shape": parameters["power"]}
        return eigenvalues(gram(kernel, parameters["N"]))[-1]


LEMMA = Lemma(
    name="growth_polynomial",
    doc=__doc__,
    claim=r"\lambda_{\max}(\Gamma_N)\le1+2T_N(0) = O(1),\ O(\log N),\ O(N^{1-p})",
    kind="upper",
    assumptions=(r"$\gamma(h)=(1+h/\ell)^{-p}$, $\ell,p>0$",),
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
            "the lags counted once",
            steps=partial(steps, times=1),
            bound=(1 + UPPER) / 2,
            counterexample={"ell": 8.0, "power": 3.0, "N": 24},
        ),
        WrongVariant(
            "growth N^{1-p/2} for the order N^{1-p}",
            steps=partial(steps, order=1 - power / 2),
        ),
        WrongVariant(
            "the bound of p > 1 for p < 1: no bound without N",
            bound=SUMMABLE,
            counterexample={"ell": 8.0, "power": 0.5, "N": 8},
        ),
    ),
    also={
        "summable": SUMMABLE,
        "critical": CRITICAL,
        "slow": SLOW,
        "condition_number_summable": KAPPA.subs(high, SUMMABLE),
        "condition_number_critical": KAPPA.subs(high, CRITICAL),
        "condition_number_slow": KAPPA.subs(high, SLOW),
    },
)
