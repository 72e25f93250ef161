r"""Total variation is at most (KL/2)^{1/2}.

Statement
---------
For probabilities p and q on any number of points (and for densities, cell by cell)

    TV(p, q) = max_A |p(A) - q(A)| <= (KL(p | q)/2)^{1/2}.

Assumptions
-----------
q positive wherever p is.

Proof
-----
Two points: D(y) = x log(x/y) + (1-x) log((1-x)/(1-y)) - 2 (x-y)^2 vanishes at y = x and
D' = (y-x) (1-2y)^2 / (y(1-y)) has the sign of y-x.  Many points: on a set A of masses P, Q,
sum p log(p/q) >= P log(P/Q), term by term p log(p/q) >= p log(P/Q) + p - q P/Q by log u >= 1 - 1/u;
so merging points into A = {p > q} and its complement only makes KL smaller and keeps TV.

Kind
----
upper: attained only in the limit q -> p near probabilities 1/2; the constant 1/2 is the best one.

Source
------
T. Cover & J. Thomas, Elements of Information Theory, 2nd ed., Lemma 11.6.1 (Pinsker) and Theorem
2.7.1 (log-sum inequality).

Example
-------
>>> value, bound = LEMMA.sample({"points": 2, "seed": 4, "spread": 0.5})
>>> bool(0 < value < bound)
True
"""

from __future__ import annotations

import random
from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, limit, nonnegative, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._convexity import above_tangent
from proofs_check.step import Parameters, Range, Step, WrongVariant

kl = sympy.Symbol("KL", nonnegative=True)
"""KL(p | q)."""
BOUND = sympy.sqrt(kl / 2)


def steps(constant: sympy.Expr | int = 2) -> list[Step]:
    """The proof of KL >= constant TV^2 (2 is true)."""
    x, y = sympy.symbols("x y", positive=True)
    u, v = sympy.symbols("u v", nonnegative=True)
    r, w = sympy.Symbol("r", positive=True), sympy.Symbol("w", positive=True)
    n, i = (sympy.Symbol(name, integer=True, positive=True) for name in "ni")
    entropy, tangent = sympy.IndexedBase("k", real=True), sympy.IndexedBase("l", real=True)
    gap = sympy.Symbol("g", nonnegative=True)
    base = sympy.Symbol("b", real=True)
    mass_p, mass_q, p, q = sympy.symbols("P Q p q", positive=True)
    two = x * sympy.log(x / y) + (1 - x) * sympy.log((1 - x) / (1 - y)) - constant * (x - y) ** 2
    epsilon = sympy.Symbol("epsilon", positive=True)
    return [
        Step(
            "Two points: the difference vanishes at y = x, and its slope in y factors.",
            r"D(x) = 0,\qquad D'(y) = (y-x)\frac{(1-2y)^2}{y(1-y)}",
            all_of(
                identity(two.subs(y, x), 0, automatic=True),
                identity(sympy.diff(two, y), (y - x) * (1 - 2 * y) ** 2 / (y * (1 - y))),
            ),
        ),
        Step(
            "So it decreases before x and increases after it.",
            r"\frac{(1-2y)^2}{y(1-y)}\ge0\quad(0<y<1)",
            nonnegative((1 - 2 * y) ** 2 / (y * (1 - y)), {y: 1 / (1 + w)}),
        ),
        Step(
            "log u >= 1 - 1/u: with r = 1/u, r - 1 - log r is convex and touches 0 at 1.",
            r"r-1-\log r\ge0",
            above_tangent(r - 1 - sympy.log(r), r, 1),
        ),
        Step(
            "One point of a set with masses P and Q: r = qP/(pQ).",
            r"p\log\frac pq-\Bigl(p\log\frac PQ+p-q\frac PQ\Bigr) = p\,(r-1-\log r)",
            identity(
                p * sympy.log(p / q) - (p * sympy.log(mass_p / mass_q) + p - q * mass_p / mass_q),
                p * ((r - 1) - sympy.log(r)).subs(r, q * mass_p / (p * mass_q)),
            ),
        ),
        Step(
            "The points of a set add up, any number of them, and the tangents to P log(P/Q).",
            r"\sum_ip_i\log\frac{p_i}{q_i}\ge\sum_i(\cdots) = P\log\frac PQ+P-Q\frac PQ",
            all_of(
                sum_nonnegative(
                    sympy.Sum(entropy[i], (i, 1, n)) - sympy.Sum(tangent[i], (i, 1, n)),
                    entropy[i] - tangent[i],
                    (i, 1, n),
                    {entropy[i]: base + gap, tangent[i]: base},
                ),
                identity(
                    mass_p * sympy.log(mass_p / mass_q) + mass_p - mass_q * mass_p / mass_q,
                    mass_p * sympy.log(mass_p / mass_q),
                    automatic=True,
                ),
            ),
        ),
        Step(
            "The set A = {p > q} attains the total variation: other sets lose positive parts.",
            r"\sum_{p>q}(p-q)-\sum_A(p-q) = \sum_{p>q,\,\notin A}(p-q)+\sum_{p\le q,\,A}(q-p)",
            all_of(
                identity((u + v) - (u - w), v + w, automatic=True),
                nonnegative(v + w),
            ),
        ),
        Step(
            "The constant is the best one: two points, 1/2 and 1/2 + epsilon.",
            r"\lim_{\varepsilon\to0}\mathrm{KL}/\mathrm{TV}^2 = 2",
            limit(
                (-sympy.log(1 + 2 * epsilon) / 2 - sympy.log(1 - 2 * epsilon) / 2) / epsilon**2,
                epsilon,
                0,
                constant,
                side="+",
            ),
        ),
    ]


def _probabilities(parameters: Parameters) -> tuple[list[mpmath.mpf], list[mpmath.mpf]]:
    """p, and q at a distance that `spread` sets; seed -1 is two nearly equal points."""
    if parameters["seed"] == -1:
        shift = mpmath.mpf(parameters["spread"])
        return [mpmath.mpf(1) / 2] * 2, [mpmath.mpf(1) / 2 + shift, mpmath.mpf(1) / 2 - shift]
    rng = random.Random(parameters["seed"])
    first = [mpmath.mpf(rng.randint(1, 100)) for _ in range(parameters["points"])]
    second = [
        x * mpmath.exp(mpmath.mpf(parameters["spread"]) * rng.randint(-9, 9) / 3) for x in first
    ]
    return [x / sum(first) for x in first], [x / sum(second) for x in second]


def measure(parameters: Parameters) -> mpmath.mpf:
    """Total variation as half the sum of the absolute differences."""
    with mpmath.workdps(50):
        first, second = _probabilities(parameters)
        return mpmath.fsum(abs(x - y) for x, y in zip(first, second, strict=True)) / 2


def derive(parameters: Parameters) -> Parameters:
    """KL by its sum."""
    with mpmath.workdps(50):
        first, second = _probabilities(parameters)
        pairs = zip(first, second, strict=True)
        return {"KL": max(mpmath.mpf(0), mpmath.fsum(x * mpmath.log(x / y) for x, y in pairs))}


LEMMA = Lemma(
    name="pinsker",
    doc=__doc__,
    claim=r"\mathrm{TV}(p,q)\le\sqrt{\mathrm{KL}(p|q)/2}",
    kind="upper",
    assumptions=(r"$q>0$ wherever $p>0$",),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "points": Range(2, 7, integer=True),
        "seed": Range(0, 10_000, integer=True),
        "spread": Range(0.01, 2.0),
    },
    wrong_variants=(
        WrongVariant(
            "(KL/3)^{1/2}",
            steps=partial(steps, constant=3),
            bound=sympy.sqrt(kl / 3),
            counterexample={"points": 2, "seed": -1, "spread": 0.125},
        ),
        WrongVariant(
            "KL instead of its root",
            bound=kl,
            counterexample={"points": 2, "seed": -1, "spread": 0.125},
        ),
    ),
    also={"kl": kl},
)
