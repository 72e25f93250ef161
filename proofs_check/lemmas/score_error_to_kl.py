r"""A relative rms score error tol costs tol^2/2 sum log((e^T+lambda-1)/(e^{t_min}+lambda-1)) in KL.

Statement
---------
If E|s_hat - s|^2 <= tol^2 E|s|^2 for all t in [t_min, T], then the integral of lemma girsanov is at
most

    (tol^2/2) int_{t_min}^T tr(A_t^{-1}) dt
        = (tol^2/2) sum_i log( (e^T + lambda_i - 1) / (e^{t_min} + lambda_i - 1) ),

the sum over the eigenvalues lambda_i of the noise-free covariance Gamma x Sigma: logarithmic, and
not 1/t_min, for singular data; never above (tol^2/2) n (T - t_min) where all lambda_i >= 1.

Assumptions
-----------
lambda_i > 0 (lambda_i = 0 too if t_min > 0), 0 <= t_min < T.

Proof
-----
E|s_t|^2 = tr(A_t^{-1} A_t A_t^{-1}) = sum_i 1/lambda_{i,t} with the noisy eigenvalue
lambda_{i,t} = 1 + (lambda_i - 1) e^{-t}; and 1/lambda_{i,t} = e^t/(e^t + lambda_i - 1) has the
antiderivative log(e^t + lambda_i - 1).

Kind
----
equality: for every eigenvalue (the measured quantity is half the integral for one of them).

Source
------
Own derivation, with lemma girsanov.

Example
-------
>>> value, bound = LEMMA.sample({"lambda": 1.0, "tol": 0.5, "t_min": 0.0, "t_max": 2.0})
>>> float(value), float(bound)
(0.25, 0.25)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._uses import uses
from proofs_check.lemmas.girsanov import diffused, t_max, t_min
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import lam, t

tol = sympy.Symbol("tol", nonnegative=True)
"""Relative rms score error, the same for all t."""


def primitive(at: sympy.Expr) -> sympy.Expr:
    """Antiderivative of 1/lambda_t."""
    return sympy.log(sympy.exp(at) + lam - 1)


INVERSE = 1 / diffused(lam)
PRIMITIVE = primitive(t)
BOUND = tol**2 / 2 * (primitive(t_max) - primitive(t_min))


def steps(inverse: sympy.Expr = INVERSE, antiderivative: sympy.Expr = PRIMITIVE) -> list[Step]:
    """The proof, for a claimed mean square of a score coordinate and its antiderivative."""
    n, i = (sympy.Symbol(name, integer=True, positive=True) for name in "ni")
    u, v = sympy.symbols("u v", nonnegative=True)
    score = sympy.IndexedBase("S", nonnegative=True)
    error = sympy.IndexedBase("E", nonnegative=True)
    b = sympy.Symbol("b", real=True)
    return [
        Step(
            "One coordinate of the score in the eigenbasis: -b/lambda_t, b of variance lambda_t.",
            r"E\bigl[(b/\lambda_t)^2\bigr] = \lambda_t/\lambda_t^2 = 1/\lambda_t",
            identity(
                sympy.expand((b / diffused(lam)) ** 2).subs(b**2, diffused(lam)),
                inverse,
                automatic=True,
            ),
        ),
        Step(
            "The denominator is positive for every t >= 0.",
            r"1+(\lambda-1)e^{-t} = \lambda e^{-t}+(1-e^{-t})>0",
            all_of(
                identity(diffused(lam), lam * sympy.exp(-t) + (1 - sympy.exp(-t))),
                nonnegative(lam * v + (1 - v), {v: 1 / (1 + u)}),
            ),
        ),
        Step(
            "Its integral.",
            r"\frac{d}{dt}\log(e^t+\lambda-1) = \frac{e^t}{e^t+\lambda-1} = \frac1{\lambda_t}",
            identity(sympy.diff(antiderivative, t), inverse),
        ),
        Step(
            "The relative error, slice by slice: tol^2 S_i - E_i >= 0 adds up over any partition.",
            r"\int\bigl(\mathrm{tol}^2E|s|^2-E|\hat s-s|^2\bigr)dt\ge0",
            sum_nonnegative(
                tol**2 * sympy.Sum(score[i], (i, 1, n)) - sympy.Sum(error[i], (i, 1, n)),
                tol**2 * score[i] - error[i],
                (i, 1, n),
                {score[i]: v, error[i]: tol**2 * v - u},
            ),
        ),
        Step(
            "For lambda >= 1 the integrand is at most 1, so the logarithm is at most T - t_min.",
            r"1-\frac{e^t}{e^t+\lambda-1} = \frac{\lambda-1}{e^t+\lambda-1}\ge0",
            nonnegative(1 - sympy.exp(t) / (sympy.exp(t) + lam - 1), {lam: 1 + u}),
        ),
        Step(
            "Half of this integral bounds the relative entropy, beside the error at the start.",
            r"\mathrm{KL}\le\mathrm{KL}_T+\tfrac12\int E|\hat s-s|^2\,dt",
            uses("girsanov"),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """Half the integral of tol^2 / lambda_t by quadrature."""
    with mpmath.workdps(32):
        low, high = mpmath.mpf(parameters["t_min"]), mpmath.mpf(parameters["t_max"])
        eigenvalue = mpmath.mpf(parameters["lambda"])
        cuts = [low + (high - low) * mpmath.mpf(2) ** -k for k in (40, 16, 8, 6, 4, 3, 2, 1)]
        total = mpmath.quad(
            lambda at: 1 / (1 + (eigenvalue - 1) * mpmath.exp(-at)), [low, *cuts, high]
        )
        return mpmath.mpf(parameters["tol"]) ** 2 / 2 * total


_POINT = {"lambda": 0.25, "tol": 0.5, "t_min": 0.125, "t_max": 4.0}

LEMMA = Lemma(
    name="score_error_to_kl",
    doc=__doc__,
    claim=r"\frac12\int_{t_{\min}}^T\mathrm{tol}^2\,\mathrm{tr}(A_t^{-1})\,dt = "
    r"\frac{\mathrm{tol}^2}2\sum_i\log\frac{e^T+\lambda_i-1}{e^{t_{\min}}+\lambda_i-1}",
    kind="equality",
    assumptions=(r"$E\|\hat s-s\|^2\le\mathrm{tol}^2E\|s\|^2$ on $[t_{\min},T]$",),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    parameters={
        "lambda": Range(0.01, 50.0),
        "tol": Range(0.01, 1.0),
        "t_min": Range(0.01, 0.5),
        "t_max": Range(1.0, 8.0),
    },
    witness=_POINT,
    wrong_variants=(
        WrongVariant(
            "mean square of the score 1/lambda_t^2",
            steps=partial(steps, inverse=1 / diffused(lam) ** 2),
        ),
        WrongVariant(
            "log lambda_t without the factor e^t",
            steps=partial(steps, antiderivative=sympy.log(diffused(lam))),
            bound=tol**2 / 2 * sympy.log(diffused(lam, t_max) / diffused(lam, t_min)),
            counterexample=_POINT,
        ),
        WrongVariant(
            "tol instead of tol^2",
            bound=BOUND / tol,
            counterexample=_POINT,
        ),
    ),
    also={"primitive": PRIMITIVE},
)
