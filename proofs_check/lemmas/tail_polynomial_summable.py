r"""For p > 1 the polynomial tail is at most ell/(p-1) (1+J/ell)^{1-p}, for any number of frames.

Statement
---------
For gamma(h) = (1 + h/ell)^{-p}, p > 1, 0 <= J < N,

    T_N(J) <= ell/(p-1) (1 + J/ell)^{1-p},

and every J >= ell [(ell/((p-1) delta))^{1/(p-1)} - 1] has T_N(J) <= delta: the bandwidth does not
depend on N, and grows like delta^{-1/(p-1)}.

Assumptions
-----------
p > 1, 0 <= J < N.

Proof
-----
The kernel decreases, so the sum is below the integral, which has an elementary antiderivative that
vanishes at infinity.  Solve for J.

Kind
----
tight: in the limit of a long length scale (all N at once).

Source
------
Elementary; the integral test.

Example
-------
>>> value, bound = LEMMA.sample({"ell": 8.0, "power": 2.0, "J": 8})
>>> bool(value < bound), float(bound)
(True, 4.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, limit, monotone, positive
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, POLYNOMIAL, grid
from proofs_check.lemmas._steps import decreases, primitive, sum_below_integral
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J, ell, h, power

delta = sympy.Symbol("delta", positive=True)
"""Tolerated tail."""
TAIL = ell / (power - 1) * (1 + J / ell) ** (1 - power)
BANDWIDTH = ell * ((ell / ((power - 1) * delta)) ** (1 / (power - 1)) - 1)


def steps(tail: sympy.Expr = TAIL, bandwidth: sympy.Expr = BANDWIDTH) -> list[Step]:
    """The proof, for a claimed tail and a claimed bandwidth."""
    x, start, stop, e = sympy.symbols("x a z e", positive=True)
    claimed = tail.subs(power, 1 + e)
    gamma = POLYNOMIAL.subs({h: x, power: 1 + e})
    antiderivative = -claimed.subs(J, x)
    return [
        Step("The kernel decreases.", r"\gamma'(h)\le0", decreases("polynomial")),
        sum_below_integral(),
        Step(
            "The antiderivative, p = 1 + e.",
            r"\int_J^z\gamma = \frac\ell{p-1}\Bigl[(1+J/\ell)^{1-p}-(1+z/\ell)^{1-p}\Bigr]",
            primitive(
                gamma,
                (x, start, stop),
                claimed.subs(J, start) - claimed.subs(J, stop),
                antiderivative,
            ),
        ),
        Step(
            "The part beyond is positive and tends to 0.",
            r"0<(1+z/\ell)^{1-p}\to0",
            all_of(
                positive(TAIL.subs({power: 1 + e, J: stop})),
                limit((1 + x) ** -e, x, sympy.oo, 0),
            ),
        ),
        Step(
            "At the stated bandwidth the bound equals delta, and it decreases in J.",
            r"\frac\ell{p-1}(1+J/\ell)^{1-p} = \delta",
            all_of(
                identity(claimed.subs(J, bandwidth.subs(power, 1 + e)) / delta, 1, automatic=True),
                monotone(claimed.subs(J, x), x, "decreasing"),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The tail of all lags beyond J, a Hurwitz zeta function."""
    parameters = grid(parameters)
    with mpmath.workdps(DIGITS):
        scale, p = mpmath.mpf(parameters["ell"]), mpmath.mpf(parameters["power"])
        if parameters.get("N") is None:
            return scale**p * mpmath.zeta(p, parameters["J"] + 1 + scale)
        lags = range(parameters["J"] + 1, parameters["N"])
        return mpmath.fsum((1 + k / scale) ** -p for k in lags)


_WITNESS = {"ell": 1000.0, "power": 2.0, "J": 10}

LEMMA = Lemma(
    name="tail_polynomial_summable",
    doc=__doc__,
    claim=r"T_N(J)\le\frac\ell{p-1}\Bigl(1+\frac J\ell\Bigr)^{1-p}",
    kind="tight",
    assumptions=(r"$\gamma(h)=(1+h/\ell)^{-p}$, $p>1$", r"$0\le J<N$"),
    steps=steps(),
    bound=TAIL,
    measure=measure,
    derive=grid,
    parameters={
        "ell": Range(0.5, 20.0),
        "power": Range(1.2, 4.0),
        "J": Range(0, 200, integer=True),
    },
    witness=_WITNESS,
    witness_gap=1e-2,
    wrong_variants=(
        WrongVariant(
            "ell/p instead of ell/(p-1)",
            steps=partial(steps, tail=ell / power * (1 + J / ell) ** (1 - power)),
            bound=ell / power * (1 + J / ell) ** (1 - power),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "power p instead of p-1",
            steps=partial(steps, tail=ell / (power - 1) * (1 + J / ell) ** (-power)),
            bound=ell / (power - 1) * (1 + J / ell) ** (-power),
            counterexample={"ell": 8.0, "power": 2.0, "J": 100},
        ),
        WrongVariant(
            "bandwidth with the exponent 1/p",
            steps=partial(
                steps, bandwidth=ell * ((ell / ((power - 1) * delta)) ** (1 / power) - 1)
            ),
        ),
        WrongVariant(
            "assumption p > 1 dropped: p = 1/2",
            counterexample={"ell": 8.0, "power": 0.5, "J": 8, "N": 1000},
        ),
    ),
    also={"bandwidth": BANDWIDTH},
)
