r"""The top of the symbol of a damped cosine: no eigenvalue lies above.

Statement
---------
For gamma(h) = e^{-h/ell} cos(omega h), omega = 2 pi / period, a = cosh(1/ell), s = sinh(1/ell),
k = |cos omega| and every N,

    lambda_max(Gamma_N) <= max f <= (coth(1/ell) + sqrt(1/s^2 + 1/sin^2(omega)))/2,

and where the two peaks have merged, k(a+k) >= 2, max f = s/(a-k).  Beside them lambda_max(Gamma) is
at most every Collatz-Wielandt quotient of |Gamma|.

Assumptions
-----------
ell > 0, period > 0, sin(omega) != 0 for the first bound.

Proof
-----
With S = |sin omega| and w = sqrt(s^2+S^2), the claim for the rational function f of c = cos(theta)
is that a quadratic polynomial of c is not negative; it is ((aS+w)c - k(S+aw))^2/(aS+w).  For merged
peaks the difference is (1-c)(k(a+k)-1-c) >= 0 times something positive.

Kind
----
tight: attained at cos(theta) = k(S+aw)/(aS+w) unless the peaks have merged.

Source
------
Own derivation; Collatz-Wielandt: R. Horn & C. Johnson, Matrix Analysis, 2nd ed., Theorem 8.1.18
(the spectral radius grows with |Gamma|).

Example
-------
>>> value, bound = LEMMA.sample({"ell": 8.0, "period": 16.0})
>>> bool(value < bound), round(float(bound), 6)
(True, 8.21891)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, smt
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
from proofs_check.lemmas._uses import uses
from proofs_check.step import Parameters, Step, WrongVariant

COTH, COSECH = (1 + TANH**2) / (2 * TANH), (1 - TANH**2) / (2 * TANH)
UPPER = (COTH + sympy.sqrt(COSECH**2 + 1 / sympy.sin(2 * sympy.pi / period) ** 2)) / 2


def merged(tanh: sympy.Expr, cosine: sympy.Expr) -> sympy.Expr:
    """s/(a-k)."""
    return 2 * tanh / (1 - cosine + (1 + cosine) * tanh**2)


def condition(tanh: sympy.Expr, cosine: sympy.Expr) -> sympy.Expr:
    """(1-T^2)(k(a+k)-2), not negative where the peaks have merged."""
    return cosine * (1 + tanh**2) + (cosine**2 - 2) * (1 - tanh**2)


def steps(sine_share: int = 1, least: int = 2) -> list[Step]:
    """The proof, for a claimed share of 1/sin^2(omega) and a claimed threshold of k(a+k)."""
    tanh, s, sine = (sympy.Symbol(name, positive=True) for name in ("T", "s", "S"))
    low, excess, g, y = sympy.symbols("p e g y", nonnegative=True)
    a, w = sympy.sqrt(1 + s**2), sympy.sqrt(s**2 + sine_share * sine**2)
    cosine = sympy.sqrt(1 - sine**2)
    slope, root = a * sine + w, cosine * (sine + a * w)
    at_omega = {A: a, S: s, k: cosine}
    return [
        *shared_steps(),
        Step(
            "The claim for f, multiplied out, is a square; a = cosh, s = sinh, S = |sin omega|, "
            "w = sqrt(s^2+S^2).",
            r"(aS+w)\big((aS+w)(c^2-2akc+k^2+s^2)-2s^2S(a-kc)\big) = "
            r"\big((aS+w)c-k(S+aw)\big)^2\ge0",
            identity(
                slope * (slope * BELOW - 2 * S**2 * sine * (A - k * c)).subs(at_omega),
                (slope * c - root) ** 2,
            ),
        ),
        Step(
            "Divided by positive numbers, that is f <= (aS+w)/(2sS).",
            r"f\le\frac{aS+w}{2sS} = \tfrac12\Big(\coth\frac1\ell+\sqrt{\tfrac1{s^2}+"
            r"\tfrac1{S^2}}\Big)",
            all_of(
                identity(slope / (2 * s * sine), (a / s + w / (s * sine)) / 2),
                identity((w / (s * sine)) ** 2, 1 / s**2 + 1 / sine**2),
                nonnegative(excess * g),
            ),
        ),
        half_angle_step(),
        Step(
            "The same in T = tanh(1/(2 ell)).",
            r"\coth\frac1\ell = \frac{1+T^2}{2T},\qquad\frac1s = \frac{1-T^2}{2T}",
            all_of(
                identity((A / S).subs(HALF_ANGLE), COTH.subs(TANH, tanh), automatic=True),
                identity((1 / S).subs(HALF_ANGLE), COSECH.subs(TANH, tanh), automatic=True),
            ),
        ),
        Step(
            "Merged peaks: the difference to the value at c = 1.",
            r"\frac1{a-k}-\frac fs = \frac{(1-c)\,(k(a+k)-1-c)}{(a-k)(c^2-2akc+k^2+s^2)}",
            identity(
                1 / (A - k) - SYMBOL / S,
                (1 - c) * (k * (A + k) - 1 - c) / ((A - k) * BELOW),
            ),
        ),
        Step(
            "Both factors are not negative for k(a+k) >= 2, with 1 - c = p.",
            r"(1-c)\,(k(a+k)-1-c)\ge0",
            nonnegative(low * (least + excess - 2 + low)),
            smt(
                (1 - c) * (k * (A + k) - 1 - c) >= 0,
                [k * (A + k) >= least, c >= -1, c <= 1],
            ),
        ),
        Step(
            "Merged peaks, value and condition in T.",
            r"\frac s{a-k} = \frac{2T}{1-k+(1+k)T^2},\qquad"
            r"(1-T^2)\,(k(a+k)-2) = k(1+T^2)+(k^2-2)(1-T^2)",
            all_of(
                identity((S / (A - k)).subs(HALF_ANGLE), merged(tanh, k)),
                identity(
                    (1 - tanh**2) * (k * (A + k) - 2).subs(HALF_ANGLE),
                    condition(tanh, k),
                ),
            ),
        ),
        parseval_step("high"),
        Step(
            "An eigenvector has lambda |y_i| <= sum_j |Gamma_ij| |y_j|, from where on the proof of "
            "Collatz-Wielandt speaks of |Gamma|.",
            r"|\Gamma_{ij}||y_j|-\pm\Gamma_{ij}y_j\ge0",
            all_of(
                nonnegative(g * y + g * y),
                uses("collatz_wielandt"),
            ),
            smt(
                sympy.And(g * y - k * y >= 0, g * y + k * y >= 0),
                [k <= g, k >= -g],
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The largest value of the series on a grid of angles."""
    return max(symbol_values(parameters))


_WITNESS = {"ell": 2.0, "period": 4.0}

LEMMA = Lemma(
    name="damped_cosine_peak",
    doc=__doc__,
    claim=r"\lambda_{\max}(\Gamma_N)\le\tfrac12\Big(\coth\frac1\ell+"
    r"\sqrt{\sinh^{-2}(1/\ell)+\sin^{-2}\omega}\Big)",
    kind="tight",
    assumptions=(r"$\gamma(h)=e^{-h/\ell}\cos(2\pi h/P)$", r"$\sin\omega\ne0$"),
    steps=steps(),
    bound=UPPER,
    measure=measure,
    parameters=RANGES,
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant("half of 1/sin^2(omega)", steps=partial(steps, sine_share=2)),
        WrongVariant("peaks merged from k(a+k) = 1 on", steps=partial(steps, least=1)),
        WrongVariant(
            "half the peak of the envelope, coth(1/(2 ell))/2",
            bound=1 / (2 * TANH),
            counterexample={"ell": 4.0, "period": 24.0},
        ),
        WrongVariant(
            "the value at the end next to omega, whatever the peaks",
            bound=merged(TANH, COSINE),
            counterexample={"ell": 4.0, "period": 6.0},
        ),
    ),
    also={"upper": UPPER, "merged": merged(TANH, COSINE), "condition": condition(TANH, COSINE)},
)
