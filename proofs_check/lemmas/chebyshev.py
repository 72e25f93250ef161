r"""The Chebyshev semi-iteration reaches 2 rho^K/(1+rho^{2K}).

Statement
---------
Let theta = (m+L)/2, delta = (L-m)/2, z = (sqrt L - sqrt m)/(sqrt L + sqrt m).  The three-term
iteration s_{k+1} = s_k - eta_k (A s_k + b) + beta_k (s_k - s_{k-1}) from s_0 = 0 with

    eta_0 = 1/theta, beta_0 = 0, and for k >= 1
    eta_k = 4/(sqrt m + sqrt L)^2 (1+z^{2k})/(1+z^{2k+2}), beta_k = z^2 (1+z^{2k-2})/(1+z^{2k+2}),

has the residual polynomial r_k(lambda) = T_k((theta-lambda)/delta) / T_k(theta/delta).  For eig(A)
in [m, L] its maximum is 1/T_K(theta/delta) = 2 z^K/(1+z^{2K}), z = (sqrt kappa-1)/(sqrt kappa+1).
With steps 1/x_j at the roots x_j of r_K the two-term iteration has the same r_K.

Assumptions
-----------
0 < m < L, m <= lambda <= L.

Proof
-----
T_k((w+1/w)/2) = (w^k + w^{-k})/2 satisfies T_{k+1} = 2x T_k - T_{k-1} for symbolic k.  Writing
theta/delta = (z+1/z)/2 and (theta-lambda)/delta = (y+1/y)/2 with complex y, the recursion for the
residual is an identity in z^k and y^k: induction.  On [-1, 1], y = exp(i phi) and x = cos phi.

Kind
----
tight: attained at lambda = m.

Source
------
G. Golub & R. Varga, Chebyshev semi-iterative methods I, Numer. Math. 3 (1961), Section 2;
Y. Saad, Iterative Methods for Sparse Linear Systems, 2nd ed., Section 12.3.2 and Theorem 6.25.

Example
-------
>>> value, bound = LEMMA.sample({"m": 1.0, "L": 9.0, "K": 1, "position": 0.0})
>>> float(value), float(bound)
(0.8, 0.8)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import (
    all_of,
    cited,
    identity,
    nonnegative,
    ordered,
    recurrence,
    smt,
)
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import K, L, k, kappa, lam, m

z = sympy.Symbol("z", positive=True)
y = sympy.Symbol("y", nonzero=True, complex=True)
"""Parameter of a spectral point, on the unit circle for points of [m, L]."""
delta = sympy.Symbol("delta", positive=True)

THETA = delta * (z + 1 / z) / 2
"""The centre of the interval, in terms of its half-width delta and z."""
ETA = 2 * z / delta * (1 + z ** (2 * k)) / (1 + z ** (2 * k + 2))
BETA = z**2 * (1 + z ** (2 * k - 2)) / (1 + z ** (2 * k + 2))
RHO = (sympy.sqrt(L) - sympy.sqrt(m)) / (sympy.sqrt(L) + sympy.sqrt(m))
RATE = 2 * z**K / (1 + z ** (2 * K))


def chebyshev_t(w: sympy.Expr, n: sympy.Expr) -> sympy.Expr:
    """T_n at (w + 1/w)/2."""
    return (w**n + w ** (-n)) / 2


def steps(
    step_size: sympy.Expr = ETA, momentum: sympy.Expr = BETA, rate: sympy.Expr = RATE
) -> list[Step]:
    """The proof, for claimed coefficients (in z, delta, k) and a claimed rate (in z, K)."""
    x = (y + 1 / y) / 2
    phi, slope = sympy.symbols("phi s", real=True)
    j = sympy.Symbol("j", integer=True, positive=True)
    low, high, root = sympy.symbols("a b c", positive=True)
    ratio = (high - low) / (high + low)
    # The residual rho_k = A s_k + b, linearly in s_k: one coordinate stands for all.
    a, b, now, before, eta, beta = sympy.symbols("A b s_k s_- eta beta", real=True)
    residual = (a * now + b, a * before + b)
    return [
        Step(
            "Chebyshev polynomials in the exponential parametrisation, by induction.",
            r"T_k\bigl(\tfrac{w+1/w}2\bigr) = \tfrac{w^k+w^{-k}}2,\quad T_{k+1}=2xT_k-T_{k-1}",
            recurrence(chebyshev_t(y, k), k, lambda _, t, u: 2 * x * t - u, [1, x]),
        ),
        Step(
            "The same on [-1, 1], where x = cos phi.",
            r"T_k(\cos\varphi) = \cos k\varphi",
            recurrence(
                sympy.cos(k * phi),
                k,
                lambda _, t, u: 2 * sympy.cos(phi) * t - u,
                [1, sympy.cos(phi)],
            ),
        ),
        Step(
            "So |T_k| <= 1 there, with equality at x = 1.",
            r"1-\cos^2 k\varphi = \sin^2 k\varphi \ge 0,\quad T_k(1)=1",
            all_of(
                identity(1 - sympy.cos(k * phi) ** 2, sympy.sin(k * phi) ** 2),
                nonnegative(slope**2),
                identity(chebyshev_t(y, k).subs(y, 1), 1, automatic=True),
            ),
        ),
        Step(
            "The point lambda = 0 corresponds to theta/delta, whose parameter is z.",
            r"\frac{L+m}{L-m} = \frac{z+1/z}2,\quad z=\frac{\sqrt L-\sqrt m}{\sqrt L+\sqrt m}",
            identity((high**2 + low**2) / (high**2 - low**2), (ratio + 1 / ratio) / 2),
        ),
        Step(
            "The leading factor of the step size in these terms.",
            r"\frac4{(\sqrt m+\sqrt L)^2} = \frac{2z}\delta",
            identity(4 / (low + high) ** 2, 2 * ratio / ((high**2 - low**2) / 2)),
            smt(
                sympy.Eq(4 / (low + high) ** 2, 4 * ratio / (high**2 - low**2), evaluate=False),
                [low < high],
            ),
        ),
        Step(
            "The residual A s + b obeys the same three-term recursion, without b.",
            r"\varrho_{k+1} = \varrho_k-\eta_kA\varrho_k+\beta_k(\varrho_k-\varrho_{k-1})",
            identity(
                a * (now - eta * residual[0] + beta * (now - before)) + b,
                residual[0] - eta * a * residual[0] + beta * (residual[0] - residual[1]),
            ),
        ),
        Step(
            "Induction for symbolic k: r_0 = 1, r_1 = 1 - lambda/theta, and the recursion.",
            r"r_k(\lambda) = T_k\bigl((\theta-\lambda)/\delta\bigr)/T_k(\theta/\delta)",
            recurrence(
                chebyshev_t(y, k) / chebyshev_t(z, k),
                k,
                lambda _, r, old: (1 - step_size * (THETA - delta * x)) * r + momentum * (r - old),
                [1, 1 - (THETA - delta * x) / THETA],
            ),
        ),
        Step(
            "The maximum is the value at lambda = m, where (theta-lambda)/delta = 1.",
            r"1/T_K(\theta/\delta) = 2z^K/(1+z^{2K})",
            identity(1 / chebyshev_t(z, K), rate),
        ),
        Step(
            "The rate in terms of the condition number.",
            r"z = \frac{\sqrt\kappa-1}{\sqrt\kappa+1}",
            identity(RHO.subs(L, kappa * m), (sympy.sqrt(kappa) - 1) / (sympy.sqrt(kappa) + 1)),
        ),
        Step(
            "The interval maps into [-1, 1], so the bound holds on all of it.",
            r"\delta^2-(\theta-\lambda)^2 = (\lambda-m)(L-\lambda)\ge0",
            nonnegative(((L - m) / 2) ** 2 - ((m + L) / 2 - lam) ** 2, ordered(m, lam, L)),
            smt(((m + L) / 2 - lam) ** 2 <= ((L - m) / 2) ** 2, [m <= lam, lam <= L]),
        ),
        Step(
            "The roots of T_K are cosines of odd multiples of pi/(2K).",
            r"\cos\Bigl(K\,\frac{(2j-1)\pi}{2K}\Bigr) = 0",
            identity(sympy.cos(K * ((2 * j - 1) * sympy.pi / (2 * K))), 0, automatic=True),
        ),
        Step(
            "They give r_K as a product with r_K(0) = 1, so the steps 1/x_j lead to the same r_K.",
            r"\prod_{j=1}^K(1-\lambda/x_j) = r_K(\lambda),\quad "
            r"x_j=\theta-\delta\cos\tfrac{(2j-1)\pi}{2K}",
            all_of(
                identity((1 - lam / root).subs(lam, root), 0, automatic=True),
                cited(
                    "Horn & Johnson, Matrix Analysis, 2nd ed., Section 0.4 (factor theorem)",
                    "a polynomial of degree K is given by K distinct roots and one more value",
                ),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """|r_K(lambda)|, by running the three-term iteration as written in the statement."""
    with mpmath.workdps(60):
        low, high = mpmath.mpf(parameters["m"]), mpmath.mpf(parameters["L"])
        eigenvalue = low + mpmath.mpf(parameters["position"]) * (high - low)
        roots = mpmath.sqrt(low), mpmath.sqrt(high)
        ratio = (roots[1] - roots[0]) / (roots[1] + roots[0])
        previous, s = mpmath.mpf(0), mpmath.mpf(0)
        for step in range(parameters["K"]):
            if step == 0:
                eta, beta = 2 / (low + high), mpmath.mpf(0)
            else:
                below = 1 + ratio ** (2 * step + 2)
                eta = 4 / (roots[0] + roots[1]) ** 2 * (1 + ratio ** (2 * step)) / below
                beta = ratio**2 * (1 + ratio ** (2 * step - 2)) / below
            previous, s = s, s - eta * (eigenvalue * s + 1) + beta * (s - previous)
        return abs(eigenvalue * s + 1)


_WITNESS = {"m": 0.5, "L": 7.0, "K": 9, "position": 0.0}
BOUND = RATE.subs(z, RHO)

LEMMA = Lemma(
    name="chebyshev",
    doc=__doc__,
    claim=r"\max_{[m,L]}|r_K| = \frac{2\rho^K}{1+\rho^{2K}},"
    r"\ \rho=\frac{\sqrt\kappa-1}{\sqrt\kappa+1}",
    kind="tight",
    assumptions=(r"$0<m<L$", r"eigenvalues in $[m,L]$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={
        "m": Range(0.01, 1.0),
        "L": Range(1.5, 100.0),
        "K": Range(1, 30, integer=True),
        "position": Range(0.0, 1.0),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "momentum one index ahead: z^2 (1+z^{2k})/(1+z^{2k+2})",
            steps=partial(steps, momentum=z**2 * (1 + z ** (2 * k)) / (1 + z ** (2 * k + 2))),
        ),
        WrongVariant("the limit of the step size for k -> oo", steps=partial(steps, 2 * z / delta)),
        WrongVariant(
            "constant 1 instead of 2/(1+rho^{2K})",
            steps=partial(steps, rate=z**K),
            bound=RHO**K,
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "exponent K+1",
            steps=partial(steps, rate=RATE.subs(K, K + 1)),
            bound=BOUND.subs(K, K + 1),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "assumption lambda >= m dropped",
            counterexample={**_WITNESS, "position": -0.01},
        ),
    ),
    also={"rho": RHO, "eta": ETA, "beta": BETA, "theta": THETA},
)
