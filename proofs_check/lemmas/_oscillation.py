"""The symbol of a damped oscillation: formulas and steps that its two lemmas share."""

from __future__ import annotations

from typing import Any

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, positive, smt
from proofs_check.lemmas._kernels import DIGITS
from proofs_check.lemmas._steps import primitive
from proofs_check.lemmas._uses import uses
from proofs_check.step import Parameters, Range, Step
from proofs_check.symbols import ell

period = sympy.Symbol("period", positive=True)
"""Frames per turn; omega = 2 pi / period."""
TANH = sympy.tanh(1 / (2 * ell))
"""T, between 0 and 1."""
COSINE = sympy.Abs(sympy.cos(2 * sympy.pi / period))
"""|cos(omega)|."""
A, S = sympy.Symbol("a", positive=True), sympy.Symbol("s", positive=True)
"""cosh(1/ell) > 1 and sinh(1/ell)."""
k, c = sympy.symbols("k c", real=True)
"""cos(omega) and cos(theta)."""
BELOW = c**2 - 2 * A * k * c + k**2 + A**2 - 1
"""Denominator of the symbol."""
SYMBOL = S * (A - k * c) / BELOW

RANGES = {"ell": Range(0.2, 6.0), "period": Range(2.5, 40.0)}
_T = sympy.Symbol("T", positive=True)
HALF_ANGLE = {A: (1 + _T**2) / (1 - _T**2), S: 2 * _T / (1 - _T**2)}
"""a and s in terms of T."""
GRID = 24
"""Steps of theta between 0 and pi that a measurement looks at."""


def shared_steps(share: sympy.Expr = sympy.S.Half) -> list[Step]:
    """The closed form, for a claimed share of each of the two Poisson kernels."""
    i, j = sympy.symbols("i j", real=True)
    r, z, y = sympy.symbols("r z y")
    g, u = sympy.symbols("g u", nonnegative=True)
    v = sympy.Symbol("v", positive=True)
    product = sympy.Symbol("p", real=True)

    def poisson(cosine: sympy.Expr) -> sympy.Expr:
        return (1 - r**2) / (1 - 2 * r * cosine + r**2)

    closed = SYMBOL.subs(
        {
            A: (1 / r + r) / 2,
            S: (1 / r - r) / 2,
            c: (z + 1 / z) / 2,
            k: (y + 1 / y) / 2,
        },
        simultaneous=True,
    )
    both = share * (poisson((z / y + y / z) / 2) + poisson((z * y + 1 / (z * y)) / 2))
    return [
        Step(
            "A product of cosines is a sum: the symbol is the mean of two symbols of e^{-h/ell}, "
            "moved by plus and minus omega.",
            r"2\cos h\omega\cos h\theta = \cos h(\theta-\omega)+\cos h(\theta+\omega)",
            identity(2 * sympy.cos(i) * sympy.cos(j), sympy.cos(j - i) + sympy.cos(j + i)),
        ),
        Step(
            "Those are Poisson kernels.",
            r"P(x) = \frac{1-r^2}{1-2r\cos x+r^2},\qquad r = e^{-1/\ell}",
            uses("exponential_symbol"),
        ),
        Step(
            "Both together, with z = e^{i theta}, y = e^{i omega}, a = cosh(1/ell), "
            "s = sinh(1/ell), k = cos(omega), c = cos(theta).",
            r"f(\theta) = \tfrac12P(\theta-\omega)+\tfrac12P(\theta+\omega) = "
            r"\frac{s\,(a-kc)}{c^2-2akc+k^2+s^2}",
            identity(both, closed),
        ),
        Step(
            "The denominator is positive, with a = 1 + v and kc = 1 - u.",
            r"c^2-2akc+k^2+s^2 = (c-k)^2+(a-1)(a+1-2kc)>0",
            all_of(
                identity(BELOW, (c - k) ** 2 + (A - 1) * (A + 1 - 2 * k * c)),
                positive(g + (A - 1) * (A + 1 - 2 * product), {A: 1 + v, product: 1 - u}),
            ),
            smt(BELOW > 0, [A > 1, k >= -1, k <= 1, c >= -1, c <= 1]),
        ),
        Step(
            "Moving theta by pi changes the signs of k and c: k >= 0 without loss.",
            r"f(-c,-k) = f(c,k)",
            identity(SYMBOL.subs({c: -c, k: -k}, simultaneous=True) / SYMBOL, 1, automatic=True),
        ),
    ]


def half_angle_step() -> Step:
    """cosh and sinh by the hyperbolic tangent of half the argument."""
    full = 1 / ell
    return Step(
        "T = tanh(1/(2 ell)) gives both a and s.",
        r"\cosh\frac1\ell = \frac{1+T^2}{1-T^2},\qquad\sinh\frac1\ell = \frac{2T}{1-T^2}",
        all_of(
            *(
                identity(
                    HALF_ANGLE[symbol].subs(_T, TANH).rewrite(sympy.exp),
                    function(full).rewrite(sympy.exp),
                )
                for symbol, function in ((A, sympy.cosh), (S, sympy.sinh))
            )
        ),
    )


def parseval_step(side: str) -> Step:
    """Every eigenvalue is a mean of the symbol, so it lies between the symbol's ends."""
    theta = sympy.Symbol("theta", real=True)
    i, j = sympy.symbols("i j", integer=True, positive=True)
    gap, weight = sympy.symbols("w X", nonnegative=True)
    relation = r"\ge\min f" if side == "low" else r"\le\max f"
    return Step(
        "Parseval: a quadratic form of Gamma is an integral of the symbol times |X|^2 >= 0, with "
        "X = sum_j x_j e^{ij theta}.",
        rf"\frac{{x^\top\Gamma x}}{{|x|^2}} = \frac{{\int f|X|^2}}{{\int|X|^2}}{relation}",
        all_of(
            primitive(
                sympy.cos(j * theta),
                (theta, -sympy.pi, sympy.pi),
                sympy.Integer(0),
                sympy.sin(j * theta) / j,
            ),
            identity(
                sympy.cos(i * theta) * sympy.cos(j * theta)
                + sympy.sin(i * theta) * sympy.sin(j * theta),
                sympy.cos((i - j) * theta),
            ),
            nonnegative(gap * weight),
        ),
    )


def symbol_values(parameters: Parameters) -> list[Any]:
    """f on a grid from 0 to pi, both ends included, as a sum over lags."""
    with mpmath.workdps(DIGITS + 10):
        ratio = mpmath.exp(-1 / mpmath.mpf(parameters["ell"]))
        turn = 2 * mpmath.pi / mpmath.mpf(parameters["period"])
        lags = int(mpmath.ceil((DIGITS + 8) * mpmath.log(10) * mpmath.mpf(parameters["ell"])))
        gamma = [ratio**lag * mpmath.cos(turn * lag) for lag in range(1, lags + 1)]
        values = []
        for step in range(GRID + 1):
            # cos(h theta) by Chebyshev's recursion
            first = mpmath.cospi(mpmath.mpf(step) / GRID)
            before, now, total = mpmath.mpf(1), first, mpmath.mpf(1)
            for value in gamma:
                total += 2 * value * now
                before, now = now, 2 * first * now - before
            values.append(total)
        return values
