r"""The symbol of a damped cosine is smallest at 0 or pi; no eigenvalue lies below.

Statement
---------
For gamma(h) = e^{-h/ell} cos(omega h), omega = 2 pi / period, T = tanh(1/(2 ell)) and every N,

    lambda_min(Gamma_N) >= min f = sinh(1/ell)/(cosh(1/ell)+|cos omega|)
                                 = 2T/(1+|cos omega|+(1-|cos omega|)T^2) > 0,

attained at theta = pi if cos(omega) >= 0, else at theta = 0.  So damped cosines are positive
definite at every length.

Assumptions
-----------
ell > 0, period > 0.

Proof
-----
f is the mean of two Poisson kernels, a rational function of c = cos(theta).  For k = cos(omega)
>= 0 the difference f - s/(a+k) is (1+c)(k(a-k)+1-c) >= 0 times something positive, and it vanishes
at c = -1.  Quadratic forms of Gamma are means of f.

Kind
----
equality: a closed form of min f.

Source
------
Own derivation; forms as means of the symbol: U. Grenander & G. Szego, Toeplitz Forms and Their
Applications, Section 5.2.

Example
-------
>>> value, bound = LEMMA.sample({"ell": 8.0, "period": 16.0})
>>> round(float(value), 6), round(float(bound), 6)
(0.064878, 0.064878)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import identity, nonnegative, smt
from proofs_check.lemma import Lemma
from proofs_check.lemmas._oscillation import (
    BELOW,
    COSINE,
    HALF_ANGLE,
    RANGES,
    SYMBOL,
    TANH,
    A,
    S,
    c,
    half_angle_step,
    k,
    parseval_step,
    period,
    shared_steps,
    symbol_values,
)
from proofs_check.step import Parameters, Step, WrongVariant
from proofs_check.symbols import ell


def in_tanh(tanh: sympy.Expr, cosine: sympy.Expr) -> sympy.Expr:
    """s/(a+k)."""
    return 2 * tanh / (1 + cosine + (1 - cosine) * tanh**2)


LOWER = in_tanh(TANH, COSINE)


def steps(end: int = -1, share: sympy.Expr = sympy.S.Half) -> list[Step]:
    """The proof, for a claimed cos(theta) of the minimum and a claimed share of each kernel."""
    tanh = sympy.Symbol("T", positive=True)
    u, v, low, high = sympy.symbols("u v p q", nonnegative=True)
    smallest = S / (A - end * k)
    return [
        *shared_steps(share),
        Step(
            "At c = -1 the symbol is s/(a+k).",
            r"f|_{c=-1} = \frac s{a+k}",
            identity(
                SYMBOL.subs(c, end).subs(S, sympy.sqrt(A**2 - 1)),
                smallest.subs(S, sympy.sqrt(A**2 - 1)),
            ),
        ),
        Step(
            "Elsewhere the difference is a multiple of (1+c)(k(a-k)+1-c).",
            r"\frac{f}{s}-\frac1{a+k} = \frac{(1+c)\,(k(a-k)+1-c)}{(a+k)(c^2-2akc+k^2+s^2)}",
            identity(
                SYMBOL / S - smallest / S,
                (1 + c) * (k * (A - k) + 1 - c) / ((A + k) * BELOW),
            ),
        ),
        Step(
            "Both factors are not negative: 1 + c = p, 1 - c = q, a = 1 + v, k = 1/(1+u).",
            r"(1+c)\,(k(a-k)+1-c)\ge0\quad(0\le k\le1<a)",
            nonnegative(low * (k * (A - k) + high), {A: 1 + v, k: 1 / (1 + u)}),
            smt(
                (1 + c) * (k * (A - k) + 1 - c) >= 0,
                [A > 1, k >= 0, k <= 1, c >= -1, c <= 1],
            ),
        ),
        half_angle_step(),
        Step(
            "The same in T = tanh(1/(2 ell)).",
            r"\frac s{a+k} = \frac{2T}{1+k+(1-k)T^2}",
            identity(smallest.subs(HALF_ANGLE), in_tanh(tanh, k)),
        ),
        parseval_step("low"),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The smallest value of the series on a grid of angles that has both ends."""
    return min(symbol_values(parameters))


_WITNESS = {"ell": 2.0, "period": 7.0}

LEMMA = Lemma(
    name="damped_cosine_symbol",
    doc=__doc__,
    claim=r"\lambda_{\min}(\Gamma_N)\ge\min f = \frac{\sinh(1/\ell)}"
    r"{\cosh(1/\ell)+|\cos\omega|}>0",
    kind="equality",
    assumptions=(r"$\gamma(h)=e^{-h/\ell}\cos(2\pi h/P)$",),
    steps=steps(),
    bound=LOWER,
    measure=measure,
    parameters=RANGES,
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "smallest at the end next to omega",
            steps=partial(steps, end=1),
            bound=in_tanh(TANH, -COSINE),
            counterexample=_WITNESS,
        ),
        WrongVariant("the sum of the two kernels", steps=partial(steps, share=sympy.S.One)),
        WrongVariant(
            "cos(omega) without its modulus",
            bound=in_tanh(TANH, sympy.cos(2 * sympy.pi / period)),
            counterexample={"ell": 2.0, "period": 3.0},
        ),
        WrongVariant(
            "that of the envelope, tanh(1/(2 ell))",
            bound=sympy.tanh(1 / (2 * ell)),
            counterexample=_WITNESS,
        ),
    ),
    also={"lower": LOWER},
)
