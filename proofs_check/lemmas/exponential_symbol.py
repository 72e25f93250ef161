r"""For nu = 1 the symbol of the exponential kernel is a Poisson kernel; f(pi) = tanh(1/(2 ell)).

Statement
---------
For gamma(h) = e^{-h/ell}, r = e^{-1/ell},

    f(theta) = 1 + 2 sum_{k>=1} r^k cos(k theta) = (1-r^2)/(1-2 r cos(theta)+r^2),

increasing in cos(theta), so tanh(1/(2 ell)) = f(pi) <= f(theta) <= f(0) = coth(1/(2 ell)).

Assumptions
-----------
ell > 0.

Proof
-----
Geometric sums of w = r e^{i theta} and its conjugate telescope, |w|^n = r^n -> 0.  The derivative
in cos(theta) is 2r(1-r^2) over a square.  (1-e^{-y})/(1+e^{-y}) = tanh(y/2).

Kind
----
equality: a closed form.

Source
------
U. Grenander & G. Szego, Toeplitz Forms and Their Applications, Section 5.3 (the Kac-Murdock-Szego
matrix).

Example
-------
>>> value, bound = LEMMA.sample({"ell": 8.0})
>>> round(float(value), 6), round(float(bound), 6)
(0.062419, 0.062419)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, limit, positive, summation
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import ell

r = sympy.Symbol("r", positive=True)
"""gamma(1) = e^{-1/ell} < 1."""
LOWER = sympy.tanh(1 / (2 * ell))
UPPER = sympy.coth(1 / (2 * ell))


def poisson(cosine: sympy.Expr, middle: int = 2) -> sympy.Expr:
    """The symbol as a function of cos(theta)."""
    return (1 - r**2) / (1 - middle * r * cosine + r**2)


def steps(lower: sympy.Expr = LOWER, middle: int = 2) -> list[Step]:
    """The proof, for a claimed f(pi) and a claimed factor of r cos(theta)."""
    w, z = sympy.symbols("w z")
    n = sympy.Symbol("n", integer=True, positive=True)
    k = sympy.Symbol("k", integer=True, positive=True)
    q = sympy.Symbol("q", positive=True)
    cosine = sympy.Symbol("c", real=True)
    shrink = {r: 1 / (1 + q)}
    at_kernel = {r: sympy.exp(-1 / ell)}
    return [
        Step(
            "Geometric sum of w = r e^{i theta}, and of its conjugate.",
            r"\sum_{k=1}^nw^k = \frac{w(1-w^n)}{1-w}",
            summation(w**k, (k, 1, n), w * (1 - w**n) / (1 - w)),
        ),
        Step(
            "The remainder is of size r^n, r = 1/(1+q), and tends to 0.",
            r"|w^n| = r^n\to0",
            limit((1 + q) ** (-n), n, sympy.oo, 0),
        ),
        Step(
            "Both together, with z = e^{i theta}, z + 1/z = 2 cos(theta).",
            r"1+\frac{rz}{1-rz}+\frac{r/z}{1-r/z} = \frac{1-r^2}{1-2r\cos\theta+r^2}",
            identity(
                1 + r * z / (1 - r * z) + r / z / (1 - r / z), poisson((z + 1 / z) / 2, middle)
            ),
        ),
        Step(
            "The denominator is positive, with c = cos(theta) = v - 1 and c = 1 - u.",
            r"1-2rc+r^2 = (1-r)^2+2r(1-c)>0",
            positive(
                (1 - 2 * r * cosine + r**2).subs(cosine, 1 - sympy.Symbol("u", nonnegative=True)),
                shrink,
            ),
        ),
        Step(
            "The symbol increases with cos(theta).",
            r"\frac{\partial f}{\partial c} = \frac{2r(1-r^2)}{(1-2rc+r^2)^2}>0",
            all_of(
                identity(
                    sympy.diff(poisson(cosine), cosine),
                    2 * r * (1 - r**2) / (1 - 2 * r * cosine + r**2) ** 2,
                    automatic=True,
                ),
                positive(2 * r * (1 - r**2), shrink),
            ),
        ),
        Step(
            "Its ends, as hyperbolic functions.",
            r"f(\pi) = \frac{1-r}{1+r} = \tanh\frac1{2\ell},\qquad "
            r"f(0) = \frac{1+r}{1-r} = \coth\frac1{2\ell}",
            all_of(
                identity(poisson(sympy.Integer(-1)), (1 - r) / (1 + r)),
                identity(poisson(sympy.Integer(1)), (1 + r) / (1 - r)),
                identity(((1 - r) / (1 + r)).subs(at_kernel), lower.rewrite(sympy.exp)),
                identity(((1 + r) / (1 - r)).subs(at_kernel), UPPER.rewrite(sympy.exp)),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The alternating series, term by term until the terms are below the precision."""
    with mpmath.workdps(DIGITS + 10):
        ratio = mpmath.exp(-1 / mpmath.mpf(parameters["ell"]))
        total, term = mpmath.mpf(1), mpmath.mpf(1)
        while abs(term) > mpmath.eps:
            term *= -ratio
            total += 2 * term
        return total


_WITNESS = {"ell": 2.0}

LEMMA = Lemma(
    name="exponential_symbol",
    doc=__doc__,
    claim=r"f(\pi) = \tanh\frac1{2\ell}\le f(\theta)\le\coth\frac1{2\ell}",
    kind="equality",
    assumptions=(r"$\gamma(h)=e^{-h/\ell}$",),
    steps=steps(),
    bound=LOWER,
    measure=measure,
    parameters={"ell": Range(0.1, 20.0)},
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "tanh(1/ell)",
            steps=partial(steps, lower=sympy.tanh(1 / ell)),
            bound=sympy.tanh(1 / ell),
            counterexample=_WITNESS,
        ),
        WrongVariant("1 - r cos(theta) + r^2 in the denominator", steps=partial(steps, middle=1)),
        WrongVariant("value at 0 instead of pi", bound=UPPER, counterexample=_WITNESS),
    ),
    also={"lower": LOWER, "upper": UPPER},
)
