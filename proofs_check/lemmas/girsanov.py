r"""Sampling with a wrong score costs at most half the integral of its mean square error in KL.

Statement
---------
Let p_t be the law of the forward process dX = -X/2 dt + dW, and q_t the law at t of the process
that starts from q_T and runs backwards, dY = (Y/2 + s_hat(Y)) d(T-t) + dW.  Then

    KL(p_{t_min} | q_{t_min}) <= KL(p_T | q_T) + (1/2) int_{t_min}^T E_{p_t} |s_hat - s|^2 dt,

and the difference is (1/2) int E_{p_t} |s_hat - grad log q_t|^2 dt.  The constant 1/2 is the best
one.  For p_0 = N(0, lambda) and the score of N(0, c) in place of the true one the right side is

    KL(p_T | q_T) + (1/2) [ log((e^t + lambda-1)/(e^t + c-1)) - (lambda-c)/(e^t + c-1) ]_{t_min}^T.

Assumptions
-----------
Densities that decay with their derivatives (Gaussians do); without that, Girsanov's theorem
(cited).  lambda, c > 0, 0 <= t_min < T.

Proof
-----
Both densities obey their Fokker-Planck equations.  Pointwise, d/dt of p log(p/q) is a divergence
minus (p/2) [ (s_hat - s)^2 - (s_hat - (log q)')^2 ]; in several dimensions the same holds for every
coordinate's part of the equations.  For Gaussians the divergences integrate to zero, and all is
explicit.

Kind
----
tight: attained when the process starts as a Gaussian diffused from N(0, c).

Source
------
S. Chen, S. Chewi, J. Li, Y. Li, A. Salim & A. Zhang, arXiv 2209.11215, Section 5 (Girsanov's
theorem for this process); J.-F. Le Gall, Brownian Motion, Martingales, and Stochastic Calculus,
Theorem 5.22.

Example
-------
>>> value, bound = LEMMA.sample({**_WITNESS, "start": 1.0})
>>> bool(value < bound)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, limit, nonnegative
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import lam, t

c = sympy.Symbol("c", positive=True)
"""Variance whose score is used."""
start = sympy.Symbol("start", positive=True)
"""Variance of q_T."""
t_min, t_max = sympy.symbols("t_min t_max", nonnegative=True)
HALF = sympy.Rational(1, 2)


def diffused(variance: sympy.Expr, at: sympy.Expr = t) -> sympy.Expr:
    """Variance at t of a Gaussian coordinate with the given variance at 0."""
    return 1 + (variance - 1) * sympy.exp(-at)


def gaussian_kl(first: sympy.Expr, second: sympy.Expr) -> sympy.Expr:
    """KL(N(0, first) | N(0, second))."""
    return (first / second - 1 - sympy.log(first / second)) / 2


def primitive(at: sympy.Expr) -> sympy.Expr:
    """Antiderivative in t of the mean square score error (1/c_t - 1/lambda_t)^2 lambda_t."""
    w = sympy.exp(at)
    return sympy.log((w + lam - 1) / (w + c - 1)) - (lam - c) / (w + c - 1)


BOUND = gaussian_kl(diffused(lam, t_max), start) + HALF * (primitive(t_max) - primitive(t_min))


def steps(factor: sympy.Expr = HALF) -> list[Step]:
    """The proof, for a claimed factor of the integral."""
    x, z = sympy.symbols("x z", real=True)
    p, q, s_hat = (sympy.Function(name)(x) for name in ("p", "q", "s"))
    p_flux = x * p / 2 + p.diff(x) / 2
    q_flux = (x / 2 + s_hat) * q - q.diff(x) / 2
    change = p_flux.diff(x) * (sympy.log(p / q) + 1) - p / q * q_flux.diff(x)
    flux = p_flux * (sympy.log(p / q) + 1) - p / q * q_flux
    score, other = p.diff(x) / p, q.diff(x) / q
    a, b = sympy.Symbol("lambda_t", positive=True), sympy.Symbol("b", real=True)
    generated = sympy.Symbol("C", positive=True)
    rho = a / generated
    slope_a, slope_c = 1 - a, -generated + 2 * b * generated - 1
    loss = -(
        sympy.diff(gaussian_kl(a, generated), a) * slope_a
        + sympy.diff(gaussian_kl(a, generated), generated) * slope_c
    )
    used = 1 / diffused(c)
    return [
        Step(
            "Fokker-Planck for q with the true score is the equation of p: the drift is right.",
            r"\partial_x\bigl[(\tfrac x2+\tfrac{p'}p)p\bigr]-\tfrac12p'' = "
            r"\partial_x(\tfrac x2p)+\tfrac12p''",
            identity(q_flux.subs(q, p).doit().subs(s_hat, score).doit(), p_flux),
        ),
        Step(
            "The change of relative entropy, pointwise and for any densities and any s_hat.",
            r"p_t\bigl(\log\tfrac pq+1\bigr)-\tfrac pqq_t = \partial_x(\cdot)"
            r"-\tfrac p2\bigl[(\hat s-\tfrac{p'}p)^2-(\hat s-\tfrac{q'}q)^2\bigr]",
            identity(
                change,
                flux.diff(x) - factor * p * ((s_hat - score) ** 2 - (s_hat - other) ** 2),
            ),
        ),
        Step(
            "For Gaussians the bracket is p times a cubic polynomial: it vanishes at both ends.",
            r"x^3e^{-x^2/(2\lambda)}\to0",
            all_of(
                limit(z**3 * sympy.exp(-(z**2) / (2 * lam)), z, sympy.oo, 0),
                limit(z**3 * sympy.exp(-(z**2) / (2 * lam)), z, -sympy.oo, 0),
            ),
        ),
        Step(
            "The term that is dropped is not negative.",
            r"\tfrac p2\bigl(\hat s-\tfrac{q'}q\bigr)^2\ge0",
            nonnegative(factor * a * b**2),
        ),
        Step(
            "Without decay of the densities: the measures on paths.",
            r"\mathrm{KL}(p_{t_{\min}}|q_{t_{\min}})\le\mathrm{KL}(\text{paths}) = "
            r"\mathrm{KL}(p_T|q_T)+\tfrac12\int E|\hat s-s|^2dt",
            cited(
                "Le Gall, Brownian Motion, Martingales, and Stochastic Calculus, Theorem 5.22; "
                "Chen et al., arXiv 2209.11215, Section 5",
                "Girsanov's theorem, and the approximation argument without Novikov's condition",
            ),
        ),
        Step(
            "One Gaussian coordinate, s_hat = -b v with any b(t): exactly.",
            r"-\frac{d}{dt}\mathrm{KL} = \tfrac12\lambda_t\Bigl(b-\frac1{\lambda_t}\Bigr)^2"
            r"-\tfrac12\lambda_t\Bigl(b-\frac1{C_t}\Bigr)^2",
            identity(loss, factor * a * ((b - 1 / a) ** 2 - (b - rho / a) ** 2)),
        ),
        Step(
            "The variances obey lambda' = 1 - lambda and C' = -C + 2bC - 1; with b = 1/c_t the "
            "second has the solution c_t.",
            r"\lambda_t = 1+(\lambda-1)e^{-t},\qquad-c_t+2-1 = c_t'",
            all_of(
                identity(sympy.diff(diffused(lam), t), 1 - diffused(lam), automatic=True),
                identity(
                    sympy.diff(diffused(c), t),
                    -diffused(c) + 2 * used * diffused(c) - 1,
                    automatic=True,
                ),
            ),
        ),
        Step(
            "The integral of the mean square error, in closed form.",
            r"\int\Bigl(\frac1{c_t}-\frac1{\lambda_t}\Bigr)^2\lambda_t\,dt = "
            r"\log\frac{e^t+\lambda-1}{e^t+c-1}-\frac{\lambda-c}{e^t+c-1}",
            identity(sympy.diff(primitive(t), t), (used - 1 / diffused(lam)) ** 2 * diffused(lam)),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """KL at t_min: the variance of the generated law by its differential equation."""
    with mpmath.workdps(20):
        low, high = mpmath.mpf(parameters["t_min"]), mpmath.mpf(parameters["t_max"])
        wrong = mpmath.mpf(parameters["c"])

        def slope(back: mpmath.mpf, variance: mpmath.mpf) -> mpmath.mpf:
            used = 1 / (1 + (wrong - 1) * mpmath.exp(back - high))
            return variance * (1 - 2 * used) + 1

        solution = mpmath.odefun(slope, 0, mpmath.mpf(parameters["start"]))
        generated = solution(high - low)
        ratio = (1 + (mpmath.mpf(parameters["lambda"]) - 1) * mpmath.exp(-low)) / generated
        return (ratio - 1 - mpmath.log(ratio)) / 2


_C, _T = 0.5, 1.5
_WITNESS = {
    "lambda": 2.0,
    "c": _C,
    "t_min": 0.125,
    "t_max": _T,
    "start": 1 + (mpmath.mpf(_C) - 1) * mpmath.exp(-mpmath.mpf(_T)),
}

LEMMA = Lemma(
    name="girsanov",
    doc=__doc__,
    claim=r"\mathrm{KL}(p_{t_{\min}}|q_{t_{\min}})\le"
    r"\mathrm{KL}(p_T|q_T)+\tfrac12\int_{t_{\min}}^TE\|\hat s-s\|^2dt",
    kind="tight",
    assumptions=(
        r"$dX=-\tfrac12X\,dt+dW$, reverse process with the full score",
        r"densities that decay, or Girsanov's theorem",
    ),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={
        "lambda": Range(0.05, 20.0),
        "c": Range(0.2, 5.0),
        "start": Range(0.3, 3.0),
        "t_min": Range(0.05, 0.5),
        "t_max": Range(1.0, 3.0),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "a quarter instead of a half",
            steps=partial(steps, factor=sympy.Rational(1, 4)),
            bound=gaussian_kl(diffused(lam, t_max), start)
            + (primitive(t_max) - primitive(t_min)) / 4,
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "the error at the start forgotten",
            bound=HALF * (primitive(t_max) - primitive(t_min)),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "expectation under the generated law: variance c_t instead of lambda_t",
            bound=gaussian_kl(diffused(lam, t_max), start)
            + (primitive(t_max) - primitive(t_min)).subs({lam: c, c: lam}, simultaneous=True) / 2,
            counterexample=_WITNESS,
        ),
    ),
    also={"kl": gaussian_kl(lam, c), "primitive": primitive(t)},
)
