r"""A bounded read-out misses a Gaussian score by at most R P_n^{1/2} + S P_{n+2}^{1/2}.

Statement
---------
Let s = -A^{-1/2} z with z a standard normal vector of n numbers and S^2 = E|s|^2 = tr(A^{-1}), and
let P be the projection onto the ball of radius R.  With P_k the probability that a chi-square
variable with k degrees of freedom exceeds q^2:

- while |z| <= q, if then |s| <= R: |P(x) - s| <= |x - s| for every x;
- else, for every x, (E[|P(x) - s|^2; |z| > q])^{1/2} <= R P_n^{1/2} + S P_{n+2}^{1/2}.

Assumptions
-----------
A symmetric positive definite, R >= 0, q >= 0.

Proof
-----
For |x| = a > R and |s| <= R, |x-s|^2 - |P(x)-s|^2 = a^2 - R^2 - 2(1-R/a)<x,s> >= (a-R)^2.  Beyond q
the error is at most R + |s|, and the triangle inequality holds for root mean squares.  By symmetry
E[z z^T; |z| > q] is a multiple of I, of trace E[y; y > q^2] with y chi-square; its density f_n has
y f_n(y) = n f_{n+2}(y).

Kind
----
tight: attained with R = 0.

Source
------
Own derivation; Fu, Dou, Guo, Wang & Chen, arXiv 2407.16134, Section 3, clip the read-out.

Example
-------
>>> value, bound = LEMMA.sample({"n": 2, "quantile": 2.0, "lambda": 1.0, "R": 0.0})
>>> bool(abs(value - bound) < 1e-12), round(float(bound), 6)
(True, 0.901117)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, nonnegative, smt
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

radius = sympy.Symbol("R", nonnegative=True)
score = sympy.Symbol("S", positive=True)
"""(tr A^{-1})^{1/2}."""
missed, missed_energy = sympy.symbols("P_n P_n2", nonnegative=True)
"""Tails of chi-square with n and with n + 2 degrees of freedom."""
BOUND = radius * sympy.sqrt(missed) + score * sympy.sqrt(missed_energy)


def steps(more: int = 1) -> list[Step]:
    """The proof; ``more`` halves the degrees of freedom that the factor y adds."""
    size, v, root, energy = sympy.symbols("a v p y", nonnegative=True)
    u = sympy.Symbol("u", positive=True)
    inner = sympy.Symbol("i", real=True)
    both = sympy.Symbol("c", real=True)
    h, x = sympy.symbols("h x", positive=True)  # h = n/2
    n = sympy.Symbol("n", integer=True, positive=True)
    j = sympy.Symbol("j", integer=True, positive=True)
    g = sympy.IndexedBase("g", positive=True)
    common = sympy.Symbol("t", nonnegative=True)

    def density(half: sympy.Expr) -> sympy.Expr:
        return x ** (half - 1) * sympy.exp(-x / 2) / (2**half * sympy.gamma(half))

    return [
        Step(
            "Projecting brings x no further from a point of the ball; <x,s> = aR - v, v >= 0, by "
            "Cauchy-Schwarz, and a = R + u.",
            r"a^2-R^2-2\Bigl(1-\frac Ra\Bigr)\langle x,s\rangle-(a-R)^2\ge0",
            nonnegative(
                size**2 - radius**2 - 2 * (1 - radius / size) * inner - (size - radius) ** 2,
                {inner: (radius + u) * radius - v, size: radius + u},
            ),
        ),
        Step(
            "Beyond q the error is at most R + |s|; their root mean squares add up, from "
            "c = E[|s|; |z|>q] <= p y (Cauchy-Schwarz) with p = P_n^{1/2}, y^2 = E[|s|^2; |z|>q].",
            r"(Rp+y)^2-(R^2p^2+2Rc+y^2) = 2R(py-c)\ge0",
            nonnegative(
                (radius * root + energy) ** 2
                - (radius**2 * root**2 + 2 * radius * both + energy**2),
                {both: root * energy - v},
            ),
            smt(
                radius**2 * root**2 + 2 * radius * both + energy**2
                <= (radius * root + energy) ** 2,
                [both <= root * energy],
            ),
        ),
        Step(
            "A standard normal law keeps its form when coordinates change place or sign.",
            r"E[z_iz_j;|z|>q] = t\ (i=j),\qquad0\ (i\ne j)",
            cited(
                "Muirhead, Aspects of Multivariate Statistical Theory, Section 1.5",
                "spherical laws are invariant under orthogonal maps",
            ),
        ),
        Step(
            "So the energy of the score is t tr(A^{-1}), with g_j its eigenvalues.",
            r"\sum_jg_jt = t\sum_jg_j,\qquad\sum_{j\le n}t = nt",
            all_of(
                identity(
                    sympy.Sum(g[j] * common, (j, 1, n)).expand(),
                    sympy.expand(common * sympy.Sum(g[j], (j, 1, n))),
                    automatic=True,
                ),
                identity(sympy.Sum(common, (j, 1, n)).doit(), n * common, automatic=True),
            ),
        ),
        Step(
            "And n t is the mean of a chi-square variable beyond q^2, whose density f_n has "
            "y f_n = n f_{n+2} (h = n/2).",
            r"y\,f_n(y) = n\,f_{n+2}(y)",
            identity(sympy.gammasimp(x * density(h) / density(h + more)), 2 * h, automatic=True),
        ),
    ]


def derive(parameters: Parameters) -> Parameters:
    """The tails from incomplete gamma functions."""
    with mpmath.workdps(30):
        n, half = parameters["n"], mpmath.mpf(parameters["quantile"]) ** 2 / 2
        tails = [mpmath.gammainc(mpmath.mpf(k) / 2, half, regularized=True) for k in (n, n + 2)]
        size = mpmath.sqrt(n / mpmath.mpf(parameters["lambda"]))
        return {"R": parameters["R"], "S": size, "P_n": tails[0], "P_n2": tails[1]}


def measure(parameters: Parameters) -> mpmath.mpf:
    """The worst x = -R s/|s| for A = lambda I: an integral over the length of z."""
    with mpmath.workdps(30):
        n, scale = parameters["n"], mpmath.sqrt(mpmath.mpf(parameters["lambda"]))
        start = mpmath.mpf(parameters["quantile"])

        def integrand(r: mpmath.mpf) -> mpmath.mpf:
            weight = r ** (n - 1) * mpmath.exp(-(r**2) / 2)
            return (mpmath.mpf(parameters["R"]) + r / scale) ** 2 * weight

        total = mpmath.quad(integrand, [start, start + 2, start + 5, start + 10, start + 25])
        normaliser = mpmath.mpf(2) ** (mpmath.mpf(n) / 2 - 1) * mpmath.gamma(mpmath.mpf(n) / 2)
        return mpmath.sqrt(total / normaliser)


_WITNESS = {"n": 5, "quantile": 3.0, "lambda": 0.5, "R": 0.0}

LEMMA = Lemma(
    name="projected_tail",
    doc=__doc__,
    claim=r"\bigl(E[\|P(x)-s\|^2;\|z\|>q]\bigr)^{1/2}\le RP_n^{1/2}+SP_{n+2}^{1/2}",
    kind="tight",
    assumptions=(r"$s=-A^{-1/2}z$, $z$ standard normal", r"$\|P(x)\|\le R$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "n": Range(1, 12, integer=True),
        "quantile": Range(0.5, 8.0),
        "lambda": Range(0.1, 10.0),
        "R": Range(0.0, 20.0),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "as many degrees of freedom for the energy",
            steps=partial(steps, more=0),
            bound=BOUND.subs(missed_energy, missed),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "the score's own energy forgotten",
            bound=radius * sympy.sqrt(missed),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "the radius forgotten",
            bound=score * sympy.sqrt(missed_energy),
            counterexample={**_WITNESS, "R": 2.0},
        ),
    ),
)
