r"""The product of two numbers by ReLUs: error B^2 4^{-m-1} for |x|, |y| <= B, and zero stays zero.

Statement
---------
With the square f_m of lemma relu_square, |x|, |y| <= B and

    p_m(x, y) = B^2 [ f_m(|x+y|/(2B)) - f_m(|x-y|/(2B)) ],

|p_m(x, y) - xy| <= B^2 4^{-m-1}, and p_m(x, 0) = p_m(0, y) = 0 exactly.  The two errors of the
squares are of one sign, so they do not add up: there is no factor 2.

Assumptions
-----------
B > 0, |x| <= B, |y| <= B.

Proof
-----
Polarisation, with both arguments in [0, 1]; the difference of two numbers in [0, E] lies in
[-E, E].

Kind
----
tight: attained at x = y = 2^{-m-1} B.

Source
------
D. Yarotsky, Neural Networks 94 (2017) 103-114, arXiv 1610.01145, Proposition 3; used by Fu, Dou,
Guo, Wang & Chen, arXiv 2407.16134, for the products with functions of the diffusion time.

Example
-------
>>> value, bound = LEMMA.sample({"levels": 1, "size": 2.0, "x": 0.25, "y": 0.25})
>>> float(value), float(bound)
(0.25, 0.25)
"""

from __future__ import annotations

import itertools
from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, smt
from proofs_check.lemma import Lemma
from proofs_check.lemmas._uses import uses
from proofs_check.lemmas.relu_square import BOUND as SQUARE
from proofs_check.lemmas.relu_square import approximate_square
from proofs_check.step import Parameters, Range, Step, WrongVariant

size = sympy.Symbol("size", positive=True)
"""B, the bound of both factors."""
BOUND = size**2 * SQUARE


def steps(half: sympy.Expr = 1 / (2 * size), factor: sympy.Expr = size**2) -> list[Step]:
    """The proof, for a claimed scaling of the arguments and of the result."""
    x, y = sympy.symbols("x y", real=True)
    u, v, a, b = sympy.symbols("u v a b", nonnegative=True)
    error = sympy.Symbol("E", nonnegative=True)
    total, gap = ((x + y) * half) ** 2, ((x - y) * half) ** 2
    return [
        Step(
            "Polarisation.",
            r"B^2\Bigl[\Bigl(\frac{x+y}{2B}\Bigr)^2-\Bigl(\frac{x-y}{2B}\Bigr)^2\Bigr] = xy",
            identity(factor * (total - gap), x * y),
        ),
        Step(
            "The arguments are at most 1: B - x = a, B - y = b, and likewise for the other signs.",
            r"1-\frac{x+y}{2B} = \frac{(B-x)+(B-y)}{2B}\ge0",
            all_of(
                *(
                    nonnegative(1 - (i * x + j * y) * half, {x: i * (size - a), y: j * (size - b)})
                    for i, j in itertools.product((1, -1), repeat=2)
                )
            ),
            smt(
                sympy.And(
                    (x + y) * half <= 1,
                    -(x + y) * half <= 1,
                    (x - y) * half <= 1,
                    -(x - y) * half <= 1,
                ),
                [x <= size, -size <= x, y <= size, -size <= y],
            ),
        ),
        Step(
            "Each square is met from above, with an error in [0, 4^{-m-1}].",
            r"0\le f_m(z)-z^2\le4^{-m-1}",
            uses("relu_square"),
        ),
        Step(
            "The difference of two errors in [0, E] is at most E in absolute value.",
            r"E-(e_1-e_2)\ge0,\quad E+(e_1-e_2)\ge0",
            all_of(
                nonnegative(error - (u - v), {error: u + a}),
                nonnegative(error + (u - v), {error: v + b}),
            ),
            smt(sympy.And(u - v <= error, v - u <= error), [u <= error, v <= error]),
        ),
        Step(
            "With a factor zero both squares have the same argument.",
            r"|0+y| = |0-y|",
            all_of(
                identity(
                    sympy.Abs((x + y).subs(x, 0)), sympy.Abs((x - y).subs(x, 0)), automatic=True
                ),
                identity(
                    sympy.Abs((x + y).subs(y, 0)), sympy.Abs((x - y).subs(y, 0)), automatic=True
                ),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The error of the network; x and y are given in units of `size`."""
    with mpmath.workdps(40):
        b = mpmath.mpf(parameters["size"])
        x, y = b * mpmath.mpf(parameters["x"]), b * mpmath.mpf(parameters["y"])
        squares = [
            approximate_square(abs(z) / (2 * b), parameters["levels"]) for z in (x + y, x - y)
        ]
        return abs(b**2 * (squares[0] - squares[1]) - x * y)


_WITNESS = {"levels": 3, "size": 5.0, "x": 2.0**-4, "y": 2.0**-4}

LEMMA = Lemma(
    name="relu_product",
    doc=__doc__,
    claim=r"|p_m(x,y)-xy|\le B^2\,4^{-m-1}\quad(|x|,|y|\le B)",
    kind="tight",
    assumptions=(r"$|x|\le B$", r"$|y|\le B$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={
        "levels": Range(0, 12, integer=True),
        "size": Range(0.1, 50.0),
        "x": Range(-1.0, 1.0),
        "y": Range(-1.0, 1.0),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "half the constant",
            bound=BOUND / 2,
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "arguments divided by B instead of 2B",
            steps=partial(steps, half=1 / size, factor=size**2 / 4),
        ),
        WrongVariant("result scaled by B instead of B^2", steps=partial(steps, factor=size)),
        WrongVariant(
            "assumption |x| <= B dropped",
            counterexample={**_WITNESS, "x": 3.0, "y": 1.0},
        ),
    ),
)
