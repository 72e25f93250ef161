r"""The gates of the Chebyshev iteration are bounded: eta_k L < 4 and 0 <= beta_k < 1.

Statement
---------
For the step sizes eta_k and momenta beta_k of lemma chebyshev, eta_k L <= 4 and beta_k <= 1 for
all k, m and L; gradient descent has eta L = 2L/(m+L) <= 2.  So a local rounding error of a gate is
multiplied by at most these numbers, whatever the condition number.

Assumptions
-----------
0 < m < L, so that 0 < z < 1; k >= 1 (eta_0 is the step of gradient descent, beta_0 = 0).

Proof
-----
4L/(sqrt m + sqrt L)^2 = (1+z)^2.  With Z = z^{2k} <= 1: 2(1+z^2) - (1+z)^2 = (1-z)^2 and
2(1+z^2 Z) - (1+z^2)(1+Z) = (1-Z)(1-z^2), which is also the gap of beta_k.

Kind
----
tight: attained in the limit kappa -> oo.

Source
------
Own derivation from G. Golub & R. Varga, Chebyshev semi-iterative methods I, Numer. Math. 3 (1961).

Example
-------
>>> value, bound = LEMMA.sample({"m": 1.0, "L": 9.0, "K": 1})
>>> round(float(value), 6), float(bound)
(2.647059, 4.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, ordered, smt
from proofs_check.lemma import Lemma
from proofs_check.lemmas.chebyshev import BETA, RHO, z
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import L, k, m

STEP_BOUND = sympy.Integer(4)
power = sympy.Symbol("Z", positive=True)
"""Stands for z^{2k}."""


def steps(bound: sympy.Expr = STEP_BOUND) -> list[Step]:
    """The proof, for a claimed bound of eta_k L."""
    gap = sympy.Symbol("q", positive=True)
    low, high = sympy.symbols("a b", positive=True)
    ratio = (high - low) / (high + low)
    # z and Z are both in (0, 1]: z = 1/(1+q), Z = 1/(1+p).
    excess = sympy.Symbol("p", nonnegative=True)
    inside = {z: 1 / (1 + gap), power: 1 / (1 + excess)}
    scaled = (1 + z) ** 2 * (1 + power) / (1 + z**2 * power)
    momentum = (z**2 + power) / (1 + z**2 * power)
    return [
        Step(
            "The step size in units of 1/L, with sqrt m = a and sqrt L = b.",
            r"\frac{4L}{(\sqrt m+\sqrt L)^2} = (1+z)^2",
            identity(4 * high**2 / (low + high) ** 2, (1 + ratio) ** 2),
            smt(sympy.Eq(4 * high**2 / (low + high) ** 2, (1 + ratio) ** 2, evaluate=False)),
        ),
        Step(
            "Two gaps, both squares or products of non-negative factors.",
            r"2(1+z^2)-(1+z)^2 = (1-z)^2,\quad 2(1+z^2Z)-(1+z^2)(1+Z) = (1-Z)(1-z^2)",
            all_of(
                identity(2 * (1 + z**2) - (1 + z) ** 2, (1 - z) ** 2),
                identity(
                    2 * (1 + z**2 * power) - (1 + z**2) * (1 + power), (1 - power) * (1 - z**2)
                ),
            ),
        ),
        Step(
            "So eta_k L is at most 4.",
            r"4-(1+z)^2\frac{1+Z}{1+z^2Z}\ge0\qquad(0<z<1,\ 0<Z\le1)",
            nonnegative(bound - scaled, inside),
            smt(scaled <= bound, [z < 1, power <= 1]),
        ),
        Step(
            "The momentum with Z in place of z^{2k}.",
            r"\beta_k = \frac{z^2+z^{2k}}{1+z^{2k+2}}",
            identity(BETA, momentum.subs(power, z ** (2 * k))),
        ),
        Step(
            "It is below 1.",
            r"1-\beta_k = \frac{(1-z^2)(1-Z)}{1+z^2Z}\ge0",
            nonnegative(1 - momentum, inside),
            smt(momentum <= 1, [z < 1, power <= 1]),
        ),
        Step(
            "Gradient descent, and the first step of the semi-iteration.",
            r"2-\frac{2L}{m+L} = \frac{2m}{m+L}\ge0",
            nonnegative(2 - 2 * L / (m + L), ordered(m, L)),
            smt(2 * L / (m + L) <= 2, [m <= L]),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """eta_K L, from the recursion of T_k: eta_k = 2 T_k(sigma) / (delta T_{k+1}(sigma))."""
    with mpmath.workdps(40):
        low, high = mpmath.mpf(parameters["m"]), mpmath.mpf(parameters["L"])
        half, argument = (high - low) / 2, (high + low) / (high - low)
        before, now = mpmath.mpf(1), argument
        for _ in range(parameters["K"]):
            before, now = now, 2 * argument * now - before
        return 2 * before / (half * now) * high


_WITNESS = {"m": 1e-12, "L": 1.0, "K": 1}

LEMMA = Lemma(
    name="step_bounds",
    doc=__doc__,
    claim=r"\eta_kL\le4,\qquad 0\le\beta_k\le1",
    kind="tight",
    assumptions=(r"$0<m<L$",),
    steps=steps(),
    bound=STEP_BOUND,
    measure=measure,
    parameters={
        "m": Range(1e-6, 1.0),
        "L": Range(1.5, 100.0),
        "K": Range(1, 40, integer=True),
    },
    witness=_WITNESS,
    witness_gap=1e-5,
    wrong_variants=(
        WrongVariant(
            "3 instead of 4",
            steps=partial(steps, sympy.Integer(3)),
            bound=sympy.Integer(3),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "the bound of gradient descent",
            steps=partial(steps, sympy.Integer(2)),
            bound=sympy.Integer(2),
            counterexample={"m": 0.1, "L": 10.0, "K": 3},
        ),
        WrongVariant(
            "the limit (1+z)^2 of eta_k L for all k",
            steps=partial(steps, (1 + z) ** 2),
            bound=(1 + RHO) ** 2,
            counterexample={"m": 0.1, "L": 10.0, "K": 3},
        ),
    ),
    also={"momentum_bound": sympy.Integer(1), "gradient_bound": sympy.Integer(2)},
)
