r"""Iterates of gradient descent never exceed |z|/sqrt(m) for inputs A^{1/2} z.

Statement
---------
Let s_k be the iterate for b = A^{1/2} z with the step eta = 2/(m+L) and eig(A) in [m, L].  Then
|s_k| <= |z|/sqrt(m): on every eigenvalue

    (1 - r_k(lambda))/sqrt(lambda) <= 1/sqrt(m),      1 - r_k(lambda) <= max(1, eta lambda).

If A = a G + c with a, c >= 0 and 0 <= eig(G) <= U, also |G s_k| <= eta L |z| U/sqrt(L) with
L = a U + c.

Assumptions
-----------
0 < m <= L, m <= lambda <= L, k >= 1.

Proof
-----
r_k = (1 - eta lambda)^k (lemma gradient_descent).  Up to eta lambda = 1 it lies in [0, 1], beyond
in [-x, x] with eta lambda = 1 + x.  There (eta lambda)^2/lambda <= eta^2 L <= 1/m, because
1/m - 4L/(m+L)^2 = (L-m)^2/(m(m+L)^2).

Kind
----
tight: attained at m = L.

Source
------
Own derivation; the unrolled iteration is that of Fu, Dou, Guo, Wang & Chen, arXiv 2407.16134,
Section 4.

Example
-------
>>> value, bound = LEMMA.sample({"m": 0.25, "L": 0.75, "K": 1, "position": 1.0})
>>> round(float(value), 6), float(bound)
(1.732051, 2.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.common_steps import powers_keep_order
from proofs_check.discharge import all_of, identity, lemma, nonnegative, ordered, smt
from proofs_check.lemma import Lemma
from proofs_check.lemmas.gradient_descent import ETA
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import L, lam, m

BOUND = 1 / sympy.sqrt(m)


def steps(squared: sympy.Expr = 1 / m, step_size: sympy.Expr = ETA) -> list[Step]:
    """The proof, for a claimed squared bound and a claimed step size."""
    r, x = sympy.symbols("r x", real=True)
    u, v, w = sympy.symbols("u v w", nonnegative=True)
    a, c, gamma = sympy.symbols("a c gamma", positive=True)
    top = gamma + w  # U
    above, here = a * top + c, a * gamma + c
    eta = sympy.Symbol("eta", positive=True)
    return [
        Step(
            "The residual polynomial is a power.",
            r"r_k(\lambda) = (1-\eta\lambda)^k",
            lemma("gradient_descent"),
        ),
        powers_keep_order(),
        Step(
            "Where eta lambda <= 1 the power r lies in [0, 1], and 1 - r as well.",
            r"1-(1-r)^2 = r(2-r)\ge0,\qquad\tfrac1m-\tfrac1\lambda\ge0",
            all_of(
                nonnegative(1 - (1 - r) ** 2, {r: 1 / (1 + u)}),
                nonnegative(squared - 1 / lam, {lam: m + u}),
            ),
            smt(sympy.And((1 - r) ** 2 <= 1, 1 - r >= 0), [r >= 0, r <= 1]),
        ),
        Step(
            "Beyond, eta lambda = 1 + x with x <= 1, and the power lies in [-x, x].",
            r"(1+x)^2-(1-r)^2 = (x+r)(2+x-r)\ge0,\qquad2-\eta L = \tfrac{2m}{m+L}\ge0",
            all_of(
                nonnegative((1 + x) ** 2 - (1 - r) ** 2, {x: (u + v) / 2, r: (v - u) / 2}),
                nonnegative(2 - step_size * L),
            ),
            smt((1 - r) ** 2 <= (1 + x) ** 2, [r <= x, -x <= r, x >= 0]),
        ),
        Step(
            "There (eta lambda)^2/lambda is at most eta^2 L, and that at most 1/m.",
            r"\tfrac1m-\eta^2L = \frac{(L-m)^2}{m(m+L)^2}\ge0",
            all_of(
                nonnegative(step_size**2 * L - step_size**2 * lam, {L: lam + u}),
                nonnegative(squared - step_size**2 * L, ordered(m, L)),
            ),
            smt(step_size**2 * L <= squared, [m <= L]),
        ),
        Step(
            "With G: gamma^2/lambda grows with gamma, and so does (eta lambda gamma)^2/lambda; "
            "eta L >= 1.",
            r"\frac{U^2}{aU+c}-\frac{\gamma^2}{a\gamma+c}\ge0,"
            r"\quad\eta^2(U^2(aU+c)-\gamma^2(a\gamma+c))\ge0,\quad\eta L-1 = \tfrac{L-m}{L+m}\ge0",
            all_of(
                nonnegative(sympy.together(top**2 / above - gamma**2 / here)),
                nonnegative(sympy.expand(eta**2 * (top**2 * above - gamma**2 * here))),
                identity(step_size * L - 1, (L - m) / (L + m)),
                nonnegative((L - m) / (L + m), ordered(m, L)),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """|s_K| by the scalar iteration for b = sqrt(lambda)."""
    with mpmath.workdps(40):
        low, high = mpmath.mpf(parameters["m"]), mpmath.mpf(parameters["L"])
        eigenvalue = low + mpmath.mpf(parameters["position"]) * (high - low)
        s = mpmath.mpf(0)
        for _ in range(parameters["K"]):
            s = s - 2 / (low + high) * (eigenvalue * s + mpmath.sqrt(eigenvalue))
        return abs(s)


_WITNESS = {"m": 4.0, "L": 4.0, "K": 1, "position": 0.0}

LEMMA = Lemma(
    name="iterate_range",
    doc=__doc__,
    claim=r"\frac{1-r_k(\lambda)}{\sqrt\lambda}\le\frac1{\sqrt m},"
    r"\quad1-r_k(\lambda)\le\max(1,\eta\lambda)",
    kind="tight",
    assumptions=(r"$0<m\le L$", r"$m\le\lambda\le L$", r"$k\ge1$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={
        "m": Range(0.01, 1.0),
        "L": Range(1.0, 100.0),
        "K": Range(1, 30, integer=True),
        "position": Range(0.0, 1.0),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "nine tenths of the bound",
            steps=partial(steps, sympy.Rational(81, 100) / m),
            bound=BOUND * sympy.Rational(9, 10),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "1/sqrt(L)",
            steps=partial(steps, 1 / L),
            bound=1 / sympy.sqrt(L),
            counterexample={"m": 0.5, "L": 7.0, "K": 60, "position": 0.0},
        ),
        WrongVariant("the step 4/(m+L)", steps=partial(steps, step_size=2 * ETA)),
        WrongVariant(
            "assumption lambda <= L dropped",
            counterexample={"m": 0.5, "L": 7.0, "K": 9, "position": 1.5},
        ),
    ),
)
