r"""In all three regimes gamma is a completely monotone function of the squared lag.

Statement
---------
gamma(h) = phi(h^2) with phi completely monotone, for every length scale:

    exponential   phi(u) = exp(-(sqrt(u)/ell)^nu)              0 < nu <= 2
    polynomial    phi(u) = (1 + sqrt(u)/ell)^{-p}              p > 0
    logarithmic   phi(u) = (1 + log(1 + sqrt(u)/ell))^{-q}     q > 0

By Bernstein's theorem gamma(h) = int e^{-s h^2} dmu(s), a mixture of Gaussians with non-negative
weights.  For the exponential regime with nu <= 1 and for the other two, gamma is also completely
monotone in the lag h itself: gamma(h) = int e^{-sh} dm(s), the moments x = e^{-s} in [0, 1].

Assumptions
-----------
0 < nu <= 2 in the squared lag, 0 < nu <= 1 in the lag.  Both fail beyond: the second derivative
changes sign.

Proof
-----
By induction on n the n-th derivatives of e^{-u}, (1+u)^{-p}, u^{-b} have closed forms with the
sign (-1)^n.  So u^a (0 < a <= 1, derivative a u^{-(1-a)}) and log(1+u) (derivative 1/(1+u)) are
Bernstein.  Each phi is a composition of those; lemma complete_monotonicity.

Kind
----
upper: minus the signed derivative is at most 0.

Source
------
R. Schilling, R. Song & Z. Vondracek, Bernstein Functions, 2nd ed., Theorem 1.4 (Bernstein);
I. J. Schoenberg, Ann. of Math. 39 (1938) 811-841, Theorems 2 and 3 (the link with distances).

Example
-------
>>> value, bound = LEMMA.sample({"regime": 1, "ell": 1.0, "shape": 1.0, "n": 1, "u": 1.0})
>>> float(value), float(bound)
(-0.125, 0.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, limit, positive, recurrence
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import EXPONENTIAL, LOGARITHMIC, POLYNOMIAL, RANGES, kernel
from proofs_check.lemmas._uses import uses
from proofs_check.outcome import Discharge
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import ell, h, nu, power

n = sympy.Symbol("n", integer=True, nonnegative=True)
u = sympy.Symbol("u", positive=True)
b = sympy.Symbol("b", positive=True)
"""b = 1 - a: the derivative of u^a is a u^{-b}, 0 < a < 1."""


def derivatives(function: sympy.Expr, size: sympy.Expr, sign: int = -1) -> Discharge:
    """The n-th derivative is sign^n size, for symbolic n, and size > 0."""
    return all_of(
        recurrence(sign**n * size, n, lambda _, value: sympy.diff(value, u), [function]),
        positive(size),
    )


def steps(sign: int = -1, gap: sympy.Expr = b) -> list[Step]:
    """The proof, for a claimed sign of the derivatives of (1+u)^{-p} and a claimed b = 1 - a."""
    a = sympy.Symbol("a", positive=True)
    shifted = sympy.gamma(power + n) / sympy.gamma(power) * (1 + u) ** (-power - n)
    scaled = sympy.gamma(gap + n) / sympy.gamma(gap) * u ** (-gap - n)
    inner = sympy.sqrt(u) / ell
    chains = (
        (EXPONENTIAL, sympy.exp(-(u ** (nu / 2)) / ell**nu)),
        (POLYNOMIAL, (1 + inner) ** -power),
        (LOGARITHMIC, (1 + sympy.log(1 + inner)) ** -power),
    )
    return [
        Step(
            "e^{-u} is completely monotone: every derivative changes the sign.",
            r"(e^{-u})^{(n)} = (-1)^ne^{-u}",
            derivatives(sympy.exp(-u), sympy.exp(-u)),
        ),
        Step(
            "(1+u)^{-p} is, for p > 0: closed form of the n-th derivative, by induction.",
            r"\bigl((1+u)^{-p}\bigr)^{(n)} = (-1)^n\frac{\Gamma(p+n)}{\Gamma(p)}(1+u)^{-p-n}",
            derivatives((1 + u) ** -power, shifted, sign),
        ),
        Step(
            "u^a is Bernstein: the derivative is 1 for a = 1, and a u^{-b} for 0 < a < 1.",
            r"(u^a)' = a\,u^{-(1-a)},\ (u^{-b})^{(n)}=(-1)^n\tfrac{\Gamma(b+n)}{\Gamma(b)}u^{-b-n}",
            all_of(
                identity(sympy.diff(u**a, u), a * u ** (-(1 - a))),
                derivatives(u**-gap, scaled),
            ),
        ),
        Step(
            "log(1+u) is Bernstein: its derivative is the case p = 1.",
            r"\log(1+u)' = (1+u)^{-1}",
            identity(
                sympy.diff(sympy.log(1 + u), u), ((1 + u) ** -power).subs(power, 1), automatic=True
            ),
        ),
        Step(
            "At h = sqrt(u) each kernel is a chain of these, with nu/2 <= 1.",
            r"e^{-(\sqrt u/\ell)^\nu},\quad(1+\sqrt u/\ell)^{-p},\quad"
            r"(1+\log(1+\sqrt u/\ell))^{-q}",
            all_of(*(identity(g.subs(h, sympy.sqrt(u)), c, automatic=True) for g, c in chains)),
        ),
        Step(
            "Compositions of Bernstein functions are Bernstein, and a completely monotone function "
            "of one is completely monotone.  In h the same chains start with h^nu, nu <= 1, or h.",
            r"\mathrm{CM}\circ\mathrm{Bernstein}\subset\mathrm{CM}",
            uses("complete_monotonicity"),
        ),
        Step(
            "A completely monotone function is a mixture of exponentials.",
            r"\varphi(u) = \int_{[0,\infty)}e^{-su}\,d\mu(s),\quad\mu\ge0",
            cited(
                "Schilling, Song & Vondracek, Bernstein Functions, 2nd ed., Theorem 1.4",
                "Bernstein's theorem: CM functions are Laplace transforms of non-negative measures",
            ),
        ),
        Step(
            "The weights add up to 1, and none sits at s = 0, because gamma tends to 0.",
            r"\mu([0,\infty))=\gamma(0)=1,\qquad\mu(\{0\})=\lim_{h\to\infty}\gamma(h)=0",
            all_of(
                identity(EXPONENTIAL.subs(h, 0), 1, automatic=True),
                identity(POLYNOMIAL.subs(h, 0), 1, automatic=True),
                identity(LOGARITHMIC.subs(h, 0), 1, automatic=True),
                limit(sympy.exp(-u), u, sympy.oo, 0),
                limit((1 + u) ** -power, u, sympy.oo, 0),
                limit(sympy.log(1 + u), u, sympy.oo, sympy.oo),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """Minus the signed n-th derivative of phi, differentiated numerically."""
    with mpmath.workdps(50):
        order, at = parameters["n"], mpmath.mpf(parameters["u"])
        signed = mpmath.diff(lambda x: kernel(parameters, mpmath.sqrt(x)), at, order)
        return -((-1) ** order) * signed


def measure_in_the_lag(parameters: Parameters) -> mpmath.mpf:
    """The same for gamma as a function of the lag."""
    with mpmath.workdps(50):
        order, at = parameters["n"], mpmath.mpf(parameters["u"])
        return -((-1) ** order) * mpmath.diff(lambda x: kernel(parameters, x), at, order)


LEMMA = Lemma(
    name="bernstein_chain",
    doc=__doc__,
    claim=r"\gamma(h)=\varphi(h^2),\quad(-1)^n\varphi^{(n)}\ge0",
    kind="upper",
    assumptions=(r"$\ell>0$, $0<\nu\le2$, $p,q>0$",),
    steps=steps(),
    bound=sympy.S.Zero,
    measure=measure,
    parameters={**RANGES, "n": Range(0, 5, integer=True), "u": Range(0.1, 4.0)},
    wrong_variants=(
        WrongVariant(
            "exponent nu > 2, u^{-b} with b < 0",
            steps=partial(steps, gap=-b),
            counterexample={"regime": 0, "ell": 1.0, "shape": 3.0, "n": 2, "u": 0.01},
        ),
        WrongVariant(
            "completely monotone in the lag for 1 < nu <= 2",
            measure=measure_in_the_lag,
            counterexample={"regime": 0, "ell": 1.0, "shape": 1.5, "n": 2, "u": 0.01},
        ),
        WrongVariant("derivatives of (1+u)^{-p} of one sign", steps=partial(steps, sign=1)),
        WrongVariant(
            "power p < 0 (growth)",
            counterexample={"regime": 1, "ell": 1.0, "shape": -1.0, "n": 1, "u": 1.0},
        ),
    ),
    also={"exponential": EXPONENTIAL, "polynomial": POLYNOMIAL, "logarithmic": LOGARITHMIC},
)
