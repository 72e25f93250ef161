r"""Gradient descent contracts by (kappa-1)/(kappa+1), and no fixed step does better.

Statement
---------
From s_0 = 0 the iteration s_{k+1} = s_k - eta (A s_k + b) with eta = 2/(m+L) has the residual
polynomial r_K(lambda) = (1 - eta lambda)^K, and for eig(A) in [m, L]

    max |r_K| = ((L-m)/(L+m))^K = ((kappa-1)/(kappa+1))^K.

For every other step the maximum of |1 - eta lambda| is larger.

Assumptions
-----------
0 < m <= L, m <= lambda <= L.

Proof
-----
On an eigenvector the iteration is scalar; induction gives its closed form.  With positive slacks
lambda = m + u, L = m + u + w the gap rate^2 - (1 - eta lambda)^2 is 4uw/(2m+u+w)^2.  Optimality:
L (1 - eta m) - m (1 - eta L) = L - m whatever eta is, so both factors cannot be smaller.

Kind
----
tight: attained at lambda = m and at lambda = L.

Source
------
Fu, Dou, Guo, Wang & Chen, arXiv 2407.16134, Section 4 (the unrolled iteration); Y. Saad, Iterative
Methods for Sparse Linear Systems, 2nd ed., Example 4.1 (optimal Richardson step).

Example
-------
>>> value, bound = LEMMA.sample({"m": 1.0, "L": 3.0, "K": 2, "position": 0.0})
>>> float(value), float(bound)
(0.25, 0.25)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.common_steps import powers_keep_order
from proofs_check.discharge import all_of, identity, nonnegative, ordered, recurrence, smt
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import K, L, k, kappa, lam, m

ETA = 2 / (m + L)
RATE = (L - m) / (L + m)
eta, b = sympy.symbols("eta b", real=True)


def steps(step_size: sympy.Expr = ETA, rate: sympy.Expr = RATE) -> list[Step]:
    """The proof, for any claimed step size and rate (wrong ones make it fail)."""
    iterate = -b * (1 - (1 - eta * lam) ** k) / lam
    factor = 1 - step_size * lam
    slacks = ordered(m, lam, L)
    size = sympy.Symbol("M", nonnegative=True)
    above, below = sympy.symbols("u_1 u_2", nonnegative=True)
    return [
        Step(
            "On an eigenvector the iterate has a closed form.",
            r"s_k = -\frac{1-(1-\eta\lambda)^k}{\lambda}\,b",
            recurrence(iterate, k, lambda _, s: s - eta * (lam * s + b), initial=[0]),
        ),
        Step(
            "So the residual polynomial is a power.",
            r"r_k(\lambda) = 1-\lambda q_k(\lambda) = (1-\eta\lambda)^k",
            identity(1 + lam * iterate / b, (1 - eta * lam) ** k, automatic=True),
        ),
        Step(
            "One factor is at most the rate on the whole interval.",
            r"\mathrm{rate}^2-(1-\eta\lambda)^2 = 4uw/(2m+u+w)^2 \ge 0",
            nonnegative(rate**2 - factor**2, slacks),
            smt(factor**2 <= rate**2, [m <= lam, lam <= L]),
        ),
        powers_keep_order(),
        Step(
            "The rate is attained at the lower end, and with the other sign at the upper end.",
            r"1-\eta m = \mathrm{rate},\qquad 1-\eta L = -\mathrm{rate}",
            all_of(
                identity(factor.subs(lam, m), rate),
                identity(factor.subs(lam, L), -rate),
            ),
        ),
        Step(
            "In terms of the condition number.",
            r"\frac{L-m}{L+m} = \frac{\kappa-1}{\kappa+1}",
            identity(rate.subs(L, kappa * m), (kappa - 1) / (kappa + 1)),
        ),
        Step(
            "No step size does better: both end factors at most M force M at least the rate.",
            r"(L+m)M \ge L(1-\eta m) - m(1-\eta L) = L-m",
            all_of(
                identity(L * (1 - eta * m) - m * (1 - eta * L), (L + m) * rate),
                nonnegative((L + m) * size - (L * (size - above) - m * (below - size))),
            ),
            smt(
                size >= rate,
                [
                    m <= L,
                    1 - eta * m <= size,
                    -size <= 1 - eta * m,
                    1 - eta * L <= size,
                    -size <= 1 - eta * L,
                ],
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """|r_K(lambda)|, by running the scalar iteration at lambda = m + position (L - m)."""
    with mpmath.workdps(40):
        low, high = mpmath.mpf(parameters["m"]), mpmath.mpf(parameters["L"])
        eigenvalue = low + mpmath.mpf(parameters["position"]) * (high - low)
        s = mpmath.mpf(0)
        for _ in range(parameters["K"]):
            s = s - 2 / (low + high) * (eigenvalue * s + 1)
        return abs(eigenvalue * s + 1)


LEMMA = Lemma(
    name="gradient_descent",
    doc=__doc__,
    claim=r"\max_{[m,L]}|r_K| = \left(\frac{\kappa-1}{\kappa+1}\right)^K,\ \eta=\frac{2}{m+L}",
    kind="tight",
    assumptions=(r"$0<m\le L$", r"eigenvalues in $[m,L]$"),
    steps=steps(),
    bound=RATE**K,
    measure=measure,
    parameters={
        "m": Range(0.01, 1.0),
        "L": Range(1.0, 100.0),
        "K": Range(1, 30, integer=True),
        "position": Range(0.0, 1.0),
    },
    witness={"m": 0.5, "L": 7.0, "K": 9, "position": 0.0},
    wrong_variants=(
        WrongVariant("step 1/L with the rate of the optimal step", steps=partial(steps, 1 / L)),
        WrongVariant("rate (L-m)/L instead of (L-m)/(L+m)", steps=partial(steps, rate=(L - m) / L)),
        WrongVariant(
            "rate of the Chebyshev iteration",
            steps=partial(
                steps,
                rate=(sympy.sqrt(L) - sympy.sqrt(m)) / (sympy.sqrt(L) + sympy.sqrt(m)),
            ),
            bound=((sympy.sqrt(L) - sympy.sqrt(m)) / (sympy.sqrt(L) + sympy.sqrt(m))) ** K,
            counterexample={"m": 1.0, "L": 100.0, "K": 5, "position": 1.0},
        ),
        WrongVariant(
            "exponent K+1",
            bound=RATE ** (K + 1),
            counterexample={"m": 0.5, "L": 7.0, "K": 9, "position": 0.0},
        ),
        WrongVariant(
            "assumption lambda <= L dropped",
            counterexample={"m": 0.5, "L": 7.0, "K": 9, "position": 1.1},
        ),
    ),
    also={"step_size": ETA, "rate": RATE},
)
