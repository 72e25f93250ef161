r"""The error of the preconditioned iteration as an analytic function of complex noise.

Statement
---------
Let A_z = G + z I with G positive semidefinite, and P_z = E^T (F + z I)^{-1} E with F a symmetric
positive semidefinite matrix and E^T E = I. For z = w e^{i phi}, w > 0, |phi| < pi, and step sizes
eta_k let r(h) = prod_k (1 - eta_k h). Then

    |tr(r(P_z A_z)^2 A_z^{-1}) / tr(A_z^{-1})| <= sec(phi/2)^2 prod_k (1 + |eta_k| sec(phi/2) h)^2

where h is the largest eigenvalue of P_w A_w.

Assumptions
-----------
|phi| < pi; G and F positive semidefinite.

Proof
-----
For f >= 0, |f + z|^2 = (f + w)^2 - 4 f w sin^2(phi/2) >= (f + w)^2 cos^2(phi/2), and
|f + z| <= f + w. So P_z = P_w^{1/2} C P_w^{1/2} with |C| <= sec(phi/2), A_z = A_w^{1/2} D A_w^{1/2}
with |D| <= 1: in the norm of A_w, |P_z A_z| <= sec(phi/2) |A_w^{1/2} P_w^{1/2}|^2 = sec(phi/2) h.
In the same coordinates A_z^{-1}, a function of G, is itself, and its trace norm is at most
sec(phi/2) tr(A_w^{-1}). Below, every 1/(f + z) lies in the sector of half angle phi/2 around
e^{-i phi/2}, so that |tr(A_z^{-1})| >= cos(phi/2) sum |1/(f + z)| >= cos(phi/2) tr(A_w^{-1}).

Kind
----
upper: h bounds a norm, and the norms of factors multiply.

Source
------
Own derivation; R. Horn & C. Johnson, Topics in Matrix Analysis, Section 3.4 (trace norm).

Example
-------
>>> value, bound = LEMMA.sample({"size": 2, "phi": 1.0, "w": 0.5, "steps": 2, "seed": 1})
>>> bool(value <= bound)
True
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, nonnegative, smt
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

phi = sympy.Symbol("phi", real=True)
eta, h = sympy.symbols("eta h", nonnegative=True)
"""|eta_k|, one for all steps in the stated bound, and the largest eigenvalue of P_w A_w."""
K = sympy.Symbol("steps", integer=True, nonnegative=True)
SINE = sympy.sin(phi / 2) ** 2
SCORE = 1 / sympy.cos(phi / 2)
FACTOR = 1 + eta * h / sympy.cos(phi / 2)
BOUND = SCORE**2 * FACTOR ** (2 * K)


def steps(sine: sympy.Expr = SINE, sector: int = 2) -> list[Step]:
    """The proof, for a claimed loss in |f + z|^2 and a claimed opening of the sector."""
    f, w = sympy.symbols("f w", positive=True)
    squared = (f + w * sympy.cos(phi)) ** 2 + (w * sympy.sin(phi)) ** 2
    half = sympy.Symbol("c", positive=True)  # cos^2(phi/2)
    rest = sympy.Symbol("s", nonnegative=True)  # sin^2(phi/2)
    root, inner, d, c = (sympy.Symbol(n, commutative=False) for n in ("S", "Q", "D", "C"))
    angle = sympy.Symbol("psi", real=True)
    return [
        Step(
            "The modulus of f + z.",
            r"|f+we^{i\varphi}|^2 = (f+w)^2-4fw\sin^2(\varphi/2)",
            identity(squared, (f + w) ** 2 - 4 * f * w * sine),
        ),
        Step(
            "So it lies between cos(phi/2) (f + w) and f + w; c and s stand for the squares of "
            "cos(phi/2) and sin(phi/2).",
            r"(f+w)^2-4fws-(f+w)^2c = s\,(f-w)^2\ge0\qquad(c+s=1)",
            all_of(
                identity(
                    ((f + w) ** 2 - 4 * f * w * rest - (f + w) ** 2 * half).subs(half, 1 - rest),
                    rest * (f - w) ** 2,
                ),
                nonnegative(rest * (f - w) ** 2),
                nonnegative(4 * f * w * rest),
            ),
            smt(
                (f + w) ** 2 - 4 * f * w * rest >= (f + w) ** 2 * half,
                [sympy.Eq(half + rest, 1, evaluate=False), rest >= 0],
            ),
        ),
        Step(
            "Both matrices in terms of those at w: S = A_w^{1/2}, Q = P_w^{1/2}.",
            r"S(P_zA_z)S^{-1} = (SQ)\,C\,(QS)\,D",
            identity(
                root * (inner * c * inner) * (root * d * root) * root**-1,
                (root * inner) * c * (inner * root) * d,
                automatic=True,
            ),
        ),
        Step(
            "Quadratic forms of a normal matrix are bounded by those of its modulus, so that "
            "|C| <= sec(phi/2) and |D| <= 1; |S Q|^2 is the largest eigenvalue of P_w A_w.",
            r"\|S(P_zA_z)S^{-1}\|\le\frac{h}{\cos(\varphi/2)}",
            cited(
                "Horn & Johnson, Topics in Matrix Analysis, Section 3.4",
                "norms of products; |x^* N y| <= (x^* |N| x)^{1/2} (y^* |N| y)^{1/2} for normal N",
            ),
        ),
        Step(
            "The argument of 1/(f+z) is between 0 and -phi: it is in a sector around -phi/2, in "
            "which real parts add up.",
            r"\mathrm{Re}\bigl(e^{i\varphi/2}(f+w\,e^{-i\varphi})\bigr) = (f+w)\cos(\varphi/2)",
            identity(
                f * sympy.cos(phi / 2) + w * sympy.cos(phi / 2 - phi),
                (f + w) * sympy.cos(phi / sector),
            ),
        ),
        Step(
            "|tr(A_z^{-1})| is at least the real part of e^{i phi/2} tr(A_z^{-1}): every term of "
            "it, (f+w) cos(phi/2)/|f+z|^2, is at least cos(phi/2)/(f+w); here c = 1/(1+s).",
            r"\frac{(f+w)\cos(\varphi/2)}{|f+z|^2}-\frac{\cos(\varphi/2)}{f+w}\ge0",
            all_of(
                *(
                    nonnegative(
                        (f + w) / ((f - w) ** 2 + 4 * f * w / (1 + rest)) - 1 / (f + w),
                        {larger: smaller + half},
                    )
                    for larger, smaller in ((f, w), (w, f))
                )
            ),
        ),
        Step(
            "Together: twice the product, once sec(phi/2) above and once below.",
            r"\frac{\mathrm{tr}(A_w^{-1})}{\cos(\varphi/2)}\cdot"
            r"\frac1{\cos(\varphi/2)\,\mathrm{tr}(A_w^{-1})} = \frac1{\cos^2(\varphi/2)}",
            identity(
                (1 / sympy.cos(angle)) / sympy.cos(angle),
                SCORE.subs(phi, 2 * angle) ** 2,
                automatic=True,
            ),
        ),
    ]


def _problem(parameters: Parameters) -> tuple[Any, Any, Any, list[Any]]:
    """G, F, E and the step sizes."""
    size, rng = parameters["size"], random.Random(parameters["seed"])
    large = size + rng.randint(0, 2)

    def semidefinite(n: int) -> Any:
        factor = mpmath.matrix(n, n)
        for i in range(n):
            for j in range(n):
                factor[i, j] = mpmath.mpf(rng.randint(-99, 99)) / 80
        return factor * factor.T

    noise = mpmath.matrix(large, large)
    for i in range(large):
        for j in range(large):
            noise[i, j] = mpmath.mpf(rng.randint(-99, 99)) / 99
    basis, _ = mpmath.qr(noise + 3 * mpmath.eye(large))
    etas = [
        mpmath.mpc(rng.randint(-99, 99), rng.randint(-99, 99)) / 99
        for _ in range(parameters["steps"])
    ]
    return semidefinite(size), semidefinite(large), basis[:, :size], etas


def _pair(parameters: Parameters, z: Any) -> tuple[Any, Any]:
    """P_z and A_z."""
    g, f, e, _ = _problem(parameters)
    inverse = (f + z * mpmath.eye(f.rows)) ** -1
    return e.T * inverse * e, g + z * mpmath.eye(g.rows)


def measure(parameters: Parameters) -> mpmath.mpf:
    """The modulus of the quotient of traces, from complex dense matrices."""
    with mpmath.workdps(40):
        z = mpmath.mpf(parameters["w"]) * mpmath.expj(mpmath.mpf(parameters["phi"]))
        p, a = _pair(parameters, z)
        residual = mpmath.eye(a.rows)
        for step in _problem(parameters)[3]:
            residual = (mpmath.eye(a.rows) - step * p * a) * residual
        inverse = a**-1
        above = residual * residual * inverse
        n = range(a.rows)
        total = mpmath.fsum(above[i, i] for i in n)
        return abs(total / mpmath.fsum(inverse[i, i] for i in n))


def derive(parameters: Parameters) -> Parameters:
    """h at the modulus; the step sizes by their largest modulus."""
    with mpmath.workdps(40):
        p, a = _pair(parameters, mpmath.mpf(parameters["w"]))
        root = mpmath.cholesky(a)
        largest = max(mpmath.eigsy(root.T * p * root, eigvals_only=True))
        sizes = [abs(x) for x in _problem(parameters)[3]]
        return {
            "phi": parameters["phi"],
            "h": largest,
            "eta": max(sizes, default=mpmath.mpf(0)),
            "steps": parameters["steps"],
        }


_POINT = {"size": 3, "phi": 2.5, "w": 0.5, "steps": 1, "seed": 1}

LEMMA = Lemma(
    name="preconditioned_analytic",
    doc=__doc__,
    claim=r"\Bigl|\frac{\mathrm{tr}(r(P_zA_z)^2A_z^{-1})}{\mathrm{tr}(A_z^{-1})}\Bigr|\le"
    r"\frac1{\cos^2(\varphi/2)}\prod_k\Bigl(1+\frac{|\eta_k|\,h}{\cos(\varphi/2)}\Bigr)^2",
    kind="upper",
    assumptions=(r"$z=we^{i\varphi}$, $|\varphi|<\pi$", r"$G,F\succeq0$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "size": Range(1, 3, integer=True),
        "phi": Range(-3.0, 3.0),
        "w": Range(0.01, 3.0),
        "steps": Range(0, 3, integer=True),
        "seed": Range(0, 10_000, integer=True),
    },
    wrong_variants=(
        WrongVariant(
            "sin^2(phi/4) instead of sin^2(phi/2)",
            steps=partial(steps, sine=sympy.sin(phi / 4) ** 2),
        ),
        WrongVariant("a sector half as wide", steps=partial(steps, sector=4)),
        WrongVariant(
            "the error of real noise: no more than 1 without a step size",
            bound=sympy.S.One,
            counterexample=_POINT,
        ),
    ),
    also={"score": SCORE, "factor": FACTOR},
)
