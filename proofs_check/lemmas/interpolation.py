r"""Piecewise linear interpolation, one ReLU per knot, is off by at most h^2 max|f''| / 8.

Statement
---------
Let f have a second derivative with |f''| <= M on [a, b], b - a = h.  The line p through (a, f(a))
and (b, f(b)) obeys

    |f(x) - p(x)| <= M (x-a)(b-x)/2 <= M h^2/8.

On knots t_0 < t_1 < ... the interpolant is f(t_0) plus one ReLU per knot, with the changes of the
slope as weights.  n pieces of an interval of length T reach the error eps if
n >= T (M/(8 eps))^{1/2}.

Assumptions
-----------
f twice continuously differentiable, h > 0, a <= x <= b.

Proof
-----
p - f is the integral of f'' against a kernel that is not negative and has the integral
(x-a)(b-x)/2; the largest value is at the midpoint.  The network: passing a knot adds the change of
the slope, by induction over the knots.

Kind
----
tight: attained at the midpoint for quadratics.

Source
------
P. Davis, Interpolation and Approximation, Theorem 3.1.1 (remainder); Peano kernel: ibid., Section
3.7.

Example
-------
>>> value, bound = LEMMA.sample({"width": 2.0, "M": 1.0, "omega": 0.0, "phase": 0, "position": 0.5})
>>> float(value), float(bound)
(0.5, 0.5)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, integration, nonnegative, smt
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

width = sympy.Symbol("width", positive=True)
"""h, distance of two knots."""
M = sympy.Symbol("M", nonnegative=True)
"""max |f''|."""
BOUND = M * width**2 / 8


def steps(bound: sympy.Expr = BOUND) -> list[Step]:
    """The proof, for a claimed bound."""
    f = sympy.Function("f")
    s, a, x, b = sympy.symbols("s a x b", real=True)
    u, v = sympy.symbols("u v", nonnegative=True)  # x - a, b - x
    p, q = sympy.symbols("p q", positive=True)
    slope = f(s).diff(s)
    left, right = (s - a) * slope - f(s), (b - s) * slope + f(s)
    fx, fa, fb, dfx = sympy.symbols("f_x f_a f_b f'_x", real=True)
    pieces = (b - x) * ((x - a) * dfx - fx + fa) + (x - a) * (fb - (b - x) * dfx - fx)
    value, knot, following, slope_0, slope_1, at = sympy.symbols("f_j t_j t_k s_0 s_1 t", real=True)
    accuracy, top = sympy.symbols("eps M", positive=True)
    pieces_needed = p * sympy.sqrt(top / (8 * accuracy))
    curvature, kernel = sympy.Symbol("f''", real=True), sympy.Symbol("G", nonnegative=True)
    return [
        Step(
            "Both halves of the kernel integrate by parts.",
            r"\bigl[(s-a)f'-f\bigr]' = (s-a)f'',\qquad\bigl[(b-s)f'+f\bigr]' = (b-s)f''",
            all_of(
                identity(sympy.diff(left, s), (s - a) * slope.diff(s), automatic=True),
                identity(sympy.diff(right, s), (b - s) * slope.diff(s), automatic=True),
            ),
        ),
        Step(
            "With the factors (b-x)/(b-a) and (x-a)/(b-a) they give the line minus f.",
            r"p(x)-f(x) = \int_a^bG(x,s)\,f''(s)\,ds",
            identity(pieces / (b - a), fa + (fb - fa) * (x - a) / (b - a) - fx),
        ),
        Step(
            "The kernel is not negative: u = x-a, v = b-x and s-a, b-s are not.",
            r"G = \frac{(b-x)(s-a)}{b-a}\ (s\le x),\qquad\frac{(x-a)(b-s)}{b-a}\ (s\ge x)",
            nonnegative(u * v / (p + q)),
        ),
        Step(
            "Its integral.",
            r"\int_a^bG\,ds = (x-a)(b-x)/2",
            all_of(
                integration(
                    q * s / (p + q),
                    (s, 0, p),
                    q * p**2 / (2 * (p + q)),
                    antiderivative=q * s**2 / (2 * (p + q)),
                ),
                identity(q * p**2 / (2 * (p + q)) + p * q**2 / (2 * (p + q)), p * q / 2),
            ),
        ),
        Step(
            "So |f''| <= M bounds the error: G (M - f'') and G (M + f'') are not negative.",
            r"\int G\,(M\mp f'')\,ds\ge0",
            all_of(
                nonnegative(kernel * (M - curvature), {M: curvature + u}),
                nonnegative(kernel * (M + curvature), {M: v - curvature}),
            ),
            smt(
                sympy.And(kernel * curvature <= kernel * M, -kernel * curvature <= kernel * M),
                [curvature <= M, curvature >= -M],
            ),
        ),
        Step(
            "The largest value is at the midpoint.",
            r"\frac{Mh^2}8-\frac M2(x-a)(b-x) = \frac M2\Bigl(x-\frac{a+b}2\Bigr)^2\ge0",
            nonnegative(bound.subs(width, u + v) - M * u * v / 2),
        ),
        Step(
            "Attained: f = M x^2/2.",
            r"\frac M2\Bigl(\frac{a^2+b^2}2-\Bigl(\frac{a+b}2\Bigr)^2\Bigr) = \frac{Mh^2}8",
            identity(M / 2 * ((a**2 + b**2) / 2 - ((a + b) / 2) ** 2), bound.subs(width, b - a)),
        ),
        Step(
            "The number of pieces: width T/n.",
            r"n = T\sqrt{M/(8\varepsilon)}:\quad\frac M8\frac{T^2}{n^2} = \varepsilon",
            identity(bound.subs({width: p / pieces_needed, M: top}), accuracy, automatic=True),
        ),
        Step(
            "The network, by induction over the knots: a ReLU with the change of the slope.",
            r"f_j+s_0(t-t_j)+(s_1-s_0)(t-t_{j+1}) = f_{j+1}+s_1(t-t_{j+1})",
            identity(
                value + slope_0 * (at - knot) + (slope_1 - slope_0) * (at - following),
                (value + slope_0 * (following - knot)) + slope_1 * (at - following),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """|f - p| for f'' = M cos(omega x + phase), or for M x^2/2 at omega = 0."""
    with mpmath.workdps(60):
        size, omega = mpmath.mpf(parameters["M"]), mpmath.mpf(parameters["omega"])
        h, position = mpmath.mpf(parameters["width"]), mpmath.mpf(parameters["position"])

        def f(x: mpmath.mpf) -> mpmath.mpf:
            if abs(omega) < mpmath.mpf("1e-6"):
                return size * x**2 / 2
            return -size * mpmath.cos(omega * x + parameters["phase"]) / omega**2

        line = f(mpmath.mpf(0)) + (f(h) - f(mpmath.mpf(0))) * position
        return abs(f(h * position) - line)


_WITNESS = {"width": 0.5, "M": 3.0, "omega": 0.0, "phase": 0, "position": 0.5}

LEMMA = Lemma(
    name="interpolation",
    doc=__doc__,
    claim=r"|f(x)-p(x)|\le\frac{h^2}8\max|f''|",
    kind="tight",
    assumptions=(r"$|f''|\le M$ on $[a,b]$, $b-a=h$", r"$a\le x\le b$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={
        "width": Range(0.01, 3.0),
        "M": Range(0.01, 10.0),
        "omega": Range(0.0, 5.0),
        "phase": Range(0, 6, integer=True),
        "position": Range(0.0, 1.0),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "h^2/12 instead of h^2/8",
            steps=partial(steps, BOUND * 2 / 3),
            bound=BOUND * 2 / 3,
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "first order: M h/8",
            steps=partial(steps, BOUND / width),
            bound=BOUND / width,
            counterexample={**_WITNESS, "width": 2.0},
        ),
        WrongVariant(
            "assumption x <= b dropped",
            counterexample={**_WITNESS, "position": 1.5},
        ),
    ),
)
