r"""Gates that come close to multiples of the true ones cost what the ends of the spectrum lose.

Statement
---------
Let G have its eigenvalues in [l, u], A = aG + (1-a) with 0 < a < 1, and b = V - alpha M have the
covariance A.  A model iterates with PG + R instead of A, for the input CV - EM, where
Pl + R > 0, and the residual polynomial r of its q satisfies |r| <= delta on the eigenvalues of
PG + R.  Then s_hat = -q(PG+R)(CV - EM) has relative rms error at most delta + (1+delta) x with

    x = max_{lambda in {l, u}} |C (1 + a (lambda-1)) - (P lambda + R)| / (P lambda + R)
        + |C alpha - E| |M| / (S (P l + R)),

S the root mean square of the score.  A common factor of C, E, P, R changes nothing.  If C, E, P, R
are linear in t and a = exp(-t), the numerators g, k have the second derivatives

    g'' = (lambda-1) a (C - 2C'),    k'' = alpha (C/4 - C'),

and C = exp(t/2), of which C is an interpolant, has C - 2C' = 0: lemma ``interpolation`` then
charges one order less.

Assumptions
-----------
l <= u, P, R >= 0 with Pl + R > 0, C > 0, 0 < a < 1.

Proof
-----
1 - qCA = r + (1-r)(1 - CA/(PG+R)) on every eigenvector of G.  The quotient is monotone in lambda,
so both ends bound it.  The mean adds q (C alpha - E) M, and |q| <= (1+delta)/(Pl+R).

Kind
----
tight: attained at size 1 without a mean, when the iteration overshoots at the upper end.

Source
------
Own derivation, with lemma ``perturbation``.

Example
-------
>>> value, bound = LEMMA.sample(WITNESS)
>>> round(float(value), 12), round(float(bound), 12)
(0.548387096774, 0.548387096774)
"""

from __future__ import annotations

import random
from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, lemma, nonnegative, smt
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

a, alpha = sympy.symbols("a alpha", positive=True)
lower, upper, delta, mu = sympy.symbols("lower upper delta mu", nonnegative=True)
"""Ends of the spectrum of G, max |r|, and |M|/S."""
C, E, P, R = sympy.symbols("C E P R", positive=True)


def end(at: sympy.Expr) -> sympy.Expr:
    """What is lost at one eigenvalue of G."""
    return sympy.Abs(C * (1 + a * (at - 1)) - (P * at + R)) / (P * at + R)


MEAN = sympy.Abs(C * alpha - E) * mu / (P * lower + R)
BOUND = delta + (1 + delta) * (sympy.Max(end(lower), end(upper)) + MEAN)


def steps(overshoot: sympy.Expr = 1 + delta, curvature: int = 2) -> list[Step]:
    """The proof, for a claimed factor of x and a claimed coefficient of C' in g''."""
    r = sympy.Symbol("r", real=True)
    lam, loss, score = sympy.symbols("lambda x S", positive=True)
    u, v, w, share = sympy.symbols("u v w s", nonnegative=True)
    start, slope, p0, p1, r0, r1, e0, e1 = sympy.symbols(
        "C_0 C_1 P_0 P_1 R_0 R_1 E_0 E_1", real=True
    )
    time = sympy.Symbol("t", real=True)
    factor = sympy.Symbol("f", positive=True)
    scaled, true = P * lam + R, 1 + a * (lam - 1)
    quotient = (C * true - scaled) / scaled
    line = start + slope * time
    g = line * (1 + sympy.exp(-time) * (lam - 1)) - ((p0 + p1 * time) * lam + r0 + r1 * time)
    k = line * sympy.exp(-time / 2) - (e0 + e1 * time)
    return [
        Step(
            "On an eigenvector of G, with q = (1-r)/(P lambda + R).",
            r"1-qCA = r+(1-r)\Bigl(1-\frac{CA}{P\lambda+R}\Bigr)",
            identity(1 - (1 - r) / scaled * C * true, r - (1 - r) * quotient),
        ),
        Step(
            "So the error there is at most delta + (1+delta) x.",
            r"\delta+(1+\delta)x\mp\bigl(r-(1-r)g\bigr)\ge0\quad(|r|\le\delta,\ |g|\le x)",
            nonnegative(
                delta + overshoot * loss - (r + (1 - r) * w),
                {delta: u + v, r: v - u, loss: w + share},
            ),
            smt(
                sympy.And(
                    r - (1 - r) * mu <= delta + overshoot * loss,
                    -(r - (1 - r) * mu) <= delta + overshoot * loss,
                ),
                [r <= delta, -delta <= r, mu <= loss, -loss <= mu],
            ),
        ),
        Step(
            "The quotient is monotone in lambda: its derivative has a numerator without lambda.",
            r"\frac{d}{d\lambda}\frac{CA-(P\lambda+R)}{P\lambda+R}"
            r" = \frac{C\,(aR-(1-a)P)}{(P\lambda+R)^2}",
            identity(sympy.diff(quotient, lam), C * (a * R - (1 - a) * P) / scaled**2),
        ),
        Step(
            "Norms of the parts add up; the Frobenius norm takes operator norms column by column.",
            r"\|\hat s-s\|\le\bigl(\delta+(1+\delta)x\bigr)S+\|q\|\,|C\alpha-E|\,\|M\|",
            all_of(
                lemma("perturbation"),
                cited(
                    "Horn & Johnson, Matrix Analysis, 2nd ed., Section 5.1",
                    "the triangle inequality in the mean square",
                ),
            ),
        ),
        Step(
            "The scaled eigenvalue is at least P l + R, and |1-r| at most 1+delta.",
            r"\frac{1+\delta}{Pl+R}-\frac{1-r}{P\lambda+R}\ge0",
            nonnegative(
                overshoot / (P * lower + R) - (1 - r) / scaled,
                {delta: u + v, r: v - u, lam: lower + w},
            ),
        ),
        Step(
            "A common factor of all gates cancels.",
            r"\frac{fCA-f(P\lambda+R)}{f(P\lambda+R)} = \frac{CA-(P\lambda+R)}{P\lambda+R}",
            identity(quotient.xreplace({C: factor * C, P: factor * P, R: factor * R}), quotient),
        ),
        Step(
            "Second derivatives, for gates that are linear in t.",
            r"g'' = (\lambda-1)e^{-t}(C-2C'),\qquad k'' = e^{-t/2}(C/4-C')",
            all_of(
                identity(
                    sympy.diff(g, time, 2),
                    (lam - 1) * sympy.exp(-time) * (line - curvature * slope),
                    automatic=True,
                ),
                identity(
                    sympy.diff(k, time, 2),
                    sympy.exp(-time / 2) * (line / 4 - slope),
                    automatic=True,
                ),
            ),
        ),
        Step(
            "A linear function is largest at an end of its piece, and P lambda + R at a knot.",
            r"x-\bigl((1-\theta)p+\theta q\bigr)\ge0\quad(p,q\le x,\ 0\le\theta\le1)",
            nonnegative(
                loss - ((1 - share) * u + share * v),
                {loss: u + w, v: u + w / (1 + score), share: 1 / (1 + score)},
            ),
            smt(
                (1 - share) * mu + share * r <= loss,
                [mu <= loss, r <= loss, share <= 1],
            ),
        ),
        Step(
            "The scale exp(t/2) leaves nothing of g'' at its own slope.",
            r"c = e^{t/2}:\quad c-2c' = 0",
            identity(
                sympy.exp(time / 2) - curvature * sympy.diff(sympy.exp(time / 2), time),
                0,
                automatic=True,
            ),
        ),
    ]


def derive(parameters: Parameters) -> dict[str, mpmath.mpf]:
    """Gates near c, c alpha, c a, c (1-a), and the rate of K gradient steps."""
    with mpmath.workdps(40):
        value = {name: mpmath.mpf(x) for name, x in parameters.items()}
        low, signal = value["lower"], value["a"]
        high = low + value["width"]
        gates = {
            "C": value["scale"],
            "E": value["scale"] * mpmath.sqrt(signal) * (1 + value["e"]),
            "P": value["scale"] * signal * (1 + value["p"]),
            "R": value["scale"] * (1 - signal) * (1 + value["r"]),
        }
        bottom, top = (gates["P"] * x + gates["R"] for x in (low, high))
        return {
            **gates,
            "lower": low,
            "upper": high,
            "a": signal,
            "alpha": mpmath.sqrt(signal),
            "mu": value["mu"],
            "delta": ((top - bottom) / (top + bottom)) ** parameters["K"],
        }


def measure(parameters: Parameters) -> mpmath.mpf:
    """Relative rms error of K gradient steps, eigenvalue by eigenvalue, with the mean on top."""
    with mpmath.workdps(40):
        value, rng = derive(parameters), random.Random(parameters["seed"])
        low, high, signal = value["lower"], value["upper"], value["a"]
        size = parameters["size"]
        spots = [mpmath.mpf(rng.randint(0, 100)) / 100 for _ in range(size)] if size > 1 else [1]
        step = 2 / (value["P"] * (low + high) + 2 * value["R"])
        directions = [mpmath.mpf(rng.randint(1, 9)) for _ in spots]
        norm = mpmath.sqrt(mpmath.fsum(x**2 for x in directions))
        eigenvalues = [low + (high - low) * spot for spot in spots]
        noisy = [signal * x + 1 - signal for x in eigenvalues]
        energy = mpmath.fsum(1 / x for x in noisy)  # S^2
        error = mpmath.mpf(0)
        for eigenvalue, true, direction in zip(eigenvalues, noisy, directions, strict=True):
            operator = value["P"] * eigenvalue + value["R"]
            inverse = mpmath.mpf(0)
            for _ in range(parameters["K"]):
                inverse += step * (1 - operator * inverse)
            error += (inverse * value["C"] - 1 / true) ** 2 * true
            mean = value["mu"] * mpmath.sqrt(energy) * direction / norm
            error += (inverse * (value["C"] * value["alpha"] - value["E"]) * mean) ** 2
        return mpmath.sqrt(error / energy)


WITNESS = {
    "size": 1,
    "seed": 0,
    "K": 1,
    "lower": 0.5,
    "width": 1.5,
    "a": 0.5,
    "scale": 1.0,
    "p": -0.25,
    "r": 0.0,
    "e": 0.0,
    "mu": 0.0,
}

LEMMA = Lemma(
    name="scaled_gates",
    doc=__doc__,
    claim=r"\text{relative rms error}\le\delta+(1+\delta)\,x",
    kind="tight",
    assumptions=(
        r"eigenvalues of $G$ in $[l,u]$, $A=aG+1-a$",
        r"$P,R\ge0$, $Pl+R>0$",
        r"$|r|\le\delta$ on the eigenvalues of $PG+R$",
    ),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "size": Range(1, 4, integer=True),
        "seed": Range(0, 10_000, integer=True),
        "K": Range(1, 6, integer=True),
        "lower": Range(0.01, 1.5),
        "width": Range(0.01, 20.0),
        "a": Range(0.01, 0.99),
        "scale": Range(0.1, 10.0),
        "p": Range(-0.3, 0.3),
        "r": Range(-0.3, 0.3),
        "e": Range(-0.3, 0.3),
        "mu": Range(0.0, 3.0),
    },
    witness=WITNESS,
    wrong_variants=(
        WrongVariant(
            "x without the factor 1 + delta",
            steps=partial(steps, overshoot=sympy.Integer(1)),
            bound=delta + sympy.Max(end(lower), end(upper)) + MEAN,
            counterexample=WITNESS,
        ),
        WrongVariant(
            "the lower end alone",
            bound=delta + (1 + delta) * (end(lower) + MEAN),
            counterexample=WITNESS,
        ),
        WrongVariant(
            "the mean left out",
            bound=delta + (1 + delta) * sympy.Max(end(lower), end(upper)),
            counterexample={**WITNESS, "p": 0.0, "e": 0.3, "mu": 3.0},
        ),
        WrongVariant("C - 3C' in the second derivative", steps=partial(steps, curvature=3)),
    ),
)
