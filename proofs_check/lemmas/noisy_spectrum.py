r"""Noise improves the condition number: kappa_t = (u+w)/(l+w), w = e^t - 1, falls with t.

Statement
---------
Let eig(Gamma) lie in [l_G, u_G] and eig(Sigma) in [l_S, u_S], all >= 0, and l = l_G l_S,
u = u_G u_S.  Then, with alpha^2 = e^{-t}, sigma^2 = 1 - e^{-t}, w = sigma^2/alpha^2 = e^t - 1,

    eig(A_t) in [alpha^2 (l + w), alpha^2 (u + w)],   kappa_t <= (u + w)/(l + w),

which decreases in t from u/l to 1; so the smallest t is the hardest.  It is affine in u: a growth
of lambda_max(Gamma) with N is a growth of kappa_t at fixed t.

Assumptions
-----------
0 <= l_G, 0 <= l_S, t > 0.

Proof
-----
Eigenvalues of Gamma kron Sigma are the products; products of non-negative numbers keep the order;
A_t shifts and scales them.  The derivative in w is -(u-l)/(l+w)^2.

Kind
----
tight: attained by the matrix with the eigenvalues l and u.

Source
------
R. Horn & C. Johnson, Topics in Matrix Analysis, Theorem 4.2.12 (Kronecker products).

Example
-------
>>> drawn = {"low": 0.5, "high": 2.0, "spatial_low": 1.0, "spatial_high": 1.0, "t": 1.0}
>>> value, bound = LEMMA.sample(drawn)
>>> bool(abs(value - bound) < 1e-15)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, limit, nonnegative, positive, smt
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import t

low, high = sympy.symbols("low high", nonnegative=True)
"""eig(Gamma) lies in [low, high]."""
spatial_low, spatial_high = sympy.symbols("spatial_low spatial_high", nonnegative=True)
"""eig(Sigma) lies in [spatial_low, spatial_high]."""
NOISE = sympy.exp(t) - 1
"""w = sigma^2/alpha^2."""
LOWER = sympy.exp(-t) * (low * spatial_low + NOISE)
UPPER = sympy.exp(-t) * (high * spatial_high + NOISE)
KAPPA = (high * spatial_high + NOISE) / (low * spatial_low + NOISE)


def steps(noise: sympy.Expr = NOISE) -> list[Step]:
    """The proof, for a claimed ratio of noise to signal."""
    a, b, u, v = sympy.symbols("a b u v", nonnegative=True)
    value = sympy.Symbol("x", nonnegative=True)
    w = sympy.Symbol("w", positive=True)
    kappa = (a + u + w) / (a + w)
    return [
        Step(
            "The eigenvalues of a Kronecker product are the products of the eigenvalues.",
            r"\mathrm{eig}(\Gamma\otimes\Sigma) = \{\lambda_i\mu_j\}",
            cited(
                "Horn & Johnson, Topics in Matrix Analysis, Theorem 4.2.12",
                "eigenvalues of Kronecker products",
            ),
        ),
        Step(
            "Products of non-negative numbers keep the order.",
            r"\lambda\mu-l_Gl_S\ge0",
            nonnegative((a + u) * (b + v) - a * b),
            smt(a * b <= (a + u) * (b + v)),
        ),
        Step(
            "The noisy covariance shifts and scales every eigenvalue, and adds no more than that.",
            r"\alpha_t^2\lambda+\sigma_t^2 = \alpha_t^2(\lambda+w),\quad w=e^t-1",
            identity(sympy.exp(-t) * value + 1 - sympy.exp(-t), sympy.exp(-t) * (value + noise)),
        ),
        Step(
            "The condition number falls with w, and w grows with t.",
            r"\frac{\partial}{\partial w}\frac{u+w}{l+w} = -\frac{u-l}{(l+w)^2}\le0,\quad w'=e^t",
            all_of(
                identity(sympy.diff(kappa, w), -u / (a + w) ** 2),
                nonnegative(u / (a + w) ** 2),
                positive(sympy.diff(NOISE, t)),
            ),
        ),
        Step(
            "Its limits: no noise, and nothing but noise.",
            r"\kappa_t\to u/l\ (w\to0),\qquad\kappa_t\to1\ (w\to\infty)",
            all_of(
                identity(kappa.subs(w, 0), (a + u) / a, automatic=True),
                limit(kappa, w, sympy.oo, 1),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """Ratio of the extreme eigenvalues of A_t for two-by-two Gamma and Sigma."""
    with mpmath.workdps(DIGITS):
        t_ = mpmath.mpf(parameters["t"])
        alpha_sq = mpmath.exp(-t_)
        temporal = (mpmath.mpf(parameters["low"]), mpmath.mpf(parameters["high"]))
        spatial = (mpmath.mpf(parameters["spatial_low"]), mpmath.mpf(parameters["spatial_high"]))
        found = [alpha_sq * a * b + (1 - alpha_sq) for a in temporal for b in spatial]
        return max(found) / min(found)


_WITNESS = {"low": 0.25, "high": 8.0, "spatial_low": 0.5, "spatial_high": 2.0, "t": 0.5}

LEMMA = Lemma(
    name="noisy_spectrum",
    doc=__doc__,
    claim=r"\kappa_t\le\frac{u_Gu_S+w}{l_Gl_S+w},\quad w=e^t-1",
    kind="tight",
    assumptions=(r"eigenvalues of $\Gamma$, $\Sigma$ in $[l_G,u_G]$, $[l_S,u_S]$, all $\ge0$",),
    steps=steps(),
    bound=KAPPA,
    measure=measure,
    parameters={
        "low": Range(0.0, 1.0),
        "high": Range(1.0, 50.0),
        "spatial_low": Range(0.1, 1.0),
        "spatial_high": Range(1.0, 5.0),
        "t": Range(0.01, 5.0),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "w = e^t instead of e^t - 1",
            steps=partial(steps, noise=sympy.exp(t)),
            bound=(high * spatial_high + sympy.exp(t)) / (low * spatial_low + sympy.exp(t)),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "assumption low >= 0 dropped: an indefinite matrix",
            counterexample={**_WITNESS, "low": -0.375, "t": 0.75},
        ),
    ),
    also={"lower": LOWER, "upper": UPPER, "noise": NOISE},
)
