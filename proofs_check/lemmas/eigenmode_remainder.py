r"""Modes served by one common gate: the largest residual is at an end of their spectrum.

Statement
---------
In units of alpha^2 mu the noisy covariance is Gamma + x I, x = (e^t - 1)/mu > 0. Let some
eigenmodes be served exactly and the others, with eigenvalues in [lo, hi], by the common gate
1/(c + x). Then the score has relative rms error at most

    max(hi - c, c - lo) / (c + x),

which falls with x. At c = (lo + hi)/2 it is (hi - lo)/(hi + lo + 2x).

Assumptions
-----------
0 <= lo <= hi, c + x > 0, lo + x > 0.

Proof
-----
The residual of an eigenvalue l is 1 - (l + x)/(c + x) = (c - l)/(c + x), linear in l; the error is
a weighted mean of squared residuals (lemma residual_polynomial), zero for modes served exactly.

Kind
----
tight: attained when all modes are served by the gate, at eigenvalues as far below c as above.

Source
------
Own derivation.

Example
-------
>>> value, bound = LEMMA.sample(_WITNESS)
>>> float(value), float(bound)
(0.5, 0.5)
"""

from __future__ import annotations

import random
from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

lo, hi = sympy.symbols("lo hi", nonnegative=True)
c = sympy.Symbol("c", nonnegative=True)
x = sympy.Symbol("x", positive=True)
BOUND = sympy.Max(hi - c, c - lo) / (c + x)


def steps(noise: sympy.Expr = c + x) -> list[Step]:
    """The proof, for a claimed denominator."""
    value = sympy.Symbol("l", nonnegative=True)
    u, v, more = sympy.symbols("u v w", nonnegative=True)
    n = sympy.Symbol("n", integer=True, positive=True)
    i = sympy.Symbol("i", integer=True, positive=True)
    weight, residual = sympy.IndexedBase("w", nonnegative=True), sympy.IndexedBase("r", real=True)
    one, left = sympy.Symbol("w_1", nonnegative=True), sympy.Symbol("R", nonnegative=True)
    return [
        Step(
            "The residual of an eigenvalue.",
            r"1-\frac{\lambda+x}{c+x} = \frac{c-\lambda}{c+x}",
            identity(1 - (value + x) / (c + x), (c - value) / noise),
        ),
        Step(
            "It lies between those of the ends.",
            r"\mathrm{lo}\le\lambda\le\mathrm{hi}:\quad"
            r"\frac{c-\mathrm{lo}}{c+x}-\frac{c-\lambda}{c+x}\ge0,\quad"
            r"\frac{\mathrm{hi}-c}{c+x}-\frac{\lambda-c}{c+x}\ge0",
            all_of(
                nonnegative(((c - lo) / (c + x) - (c - value) / (c + x)).subs(value, lo + u)),
                nonnegative(((hi - c) / (c + x) - (value - c) / (c + x)).subs(hi, value + u)),
            ),
        ),
        Step(
            "The error is a weighted mean of squared residuals: at most the largest of them.",
            r"R^2\sum_iw_i-\sum_iw_ir_i^2 = \sum_iw_i(R-r_i)(R+r_i)\ge0",
            sum_nonnegative(
                left**2 * sympy.Sum(weight[i], (i, 1, n))
                - sympy.Sum(weight[i] * residual[i] ** 2, (i, 1, n)),
                weight[i] * (left - residual[i]) * (left + residual[i]),
                (i, 1, n),
                {weight[i]: one, left: (u + v) / 2, residual[i]: (v - u) / 2},
            ),
        ),
        Step(
            "It falls with x.",
            r"\frac{d}{c+x}-\frac{d}{c+x+w} = \frac{d\,w}{(c+x)(c+x+w)}\ge0",
            nonnegative(u / (c + x) - u / (c + x + more)),
        ),
        Step(
            "At the middle both ends count the same.",
            r"\frac{\mathrm{hi}-c}{c+x} = \frac{c-\mathrm{lo}}{c+x} = "
            r"\frac{\mathrm{hi}-\mathrm{lo}}{\mathrm{hi}+\mathrm{lo}+2x},\qquad"
            r" c = \tfrac12(\mathrm{lo}+\mathrm{hi})",
            all_of(
                identity(
                    ((hi - c) / (c + x)).subs(c, (lo + hi) / 2), (hi - lo) / (hi + lo + 2 * x)
                ),
                identity(
                    ((c - lo) / (c + x)).subs(c, (lo + hi) / 2), (hi - lo) / (hi + lo + 2 * x)
                ),
            ),
        ),
    ]


def _eigenvalues(parameters: Parameters) -> list[mpmath.mpf]:
    """Eigenvalues of the modes that share the gate, both ends among them."""
    rng = random.Random(parameters["seed"])
    low, gap = mpmath.mpf(parameters["lo"]), mpmath.mpf(parameters["gap"])
    inner = [low + gap * rng.randint(0, 100) / 100 for _ in range(parameters["inner"])]
    return [low, low + gap, *inner]


def measure(parameters: Parameters) -> mpmath.mpf:
    """Relative rms error of the direct method, from dense matrices in a rotated basis."""
    with mpmath.workdps(40):
        rng, noise = random.Random(parameters["seed"] + 1), mpmath.mpf(parameters["x"])
        shared = _eigenvalues(parameters)
        kept = [shared[1] + rng.randint(0, 100) / mpmath.mpf(20) for _ in range(parameters["kept"])]
        values, size = [*kept, *shared], parameters["kept"] + len(shared)
        skew = mpmath.matrix(size, size)
        for i in range(size):
            for j in range(i):
                skew[i, j] = mpmath.mpf(rng.randint(-9, 9)) / 10
                skew[j, i] = -skew[i, j]
        one = mpmath.eye(size)
        basis = (one - skew) * (one + skew) ** -1  # Cayley: orthogonal
        centre = derive(parameters)["c"]
        gates = [1 / (v + noise) for v in kept] + [1 / (centre + noise)] * len(shared)
        approximate = basis * mpmath.diag(gates) * basis.T
        covariance = basis * mpmath.diag([v + noise for v in values]) * basis.T
        inverse = covariance**-1
        off = approximate - inverse
        error, score = off * covariance * off.T, inverse
        return mpmath.sqrt(
            mpmath.fsum(error[i, i] for i in range(size))
            / mpmath.fsum(score[i, i] for i in range(size))
        )


def derive(parameters: Parameters) -> Parameters:
    """Ends of the spectrum, and the gate's eigenvalue."""
    low, gap = mpmath.mpf(parameters["lo"]), mpmath.mpf(parameters["gap"])
    return {
        "lo": low,
        "hi": low + gap,
        "c": low + mpmath.mpf(parameters["share"]) * gap,
        "x": mpmath.mpf(parameters["x"]),
    }


_WITNESS = {"lo": 0.5, "gap": 2.0, "share": 0.5, "x": 0.5, "inner": 0, "kept": 0, "seed": 0}

LEMMA = Lemma(
    name="eigenmode_remainder",
    doc=__doc__,
    claim=r"\text{relative rms error}\le"
    r"\frac{\max(\mathrm{hi}-c,\ c-\mathrm{lo})}{c+x}",
    kind="tight",
    assumptions=(r"$0\le\mathrm{lo}\le\mathrm{hi}$", r"$c+x>0$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "lo": Range(0.0, 2.0),
        "gap": Range(0.01, 5.0),
        "share": Range(0.0, 1.0),
        "x": Range(0.01, 3.0),
        "inner": Range(0, 2, integer=True),
        "kept": Range(0, 2, integer=True),
        "seed": Range(0, 10_000, integer=True),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "the noise twice",
            steps=partial(steps, c + 2 * x),
            bound=sympy.Max(hi - c, c - lo) / (c + 2 * x),
            counterexample=_WITNESS,
        ),
        WrongVariant(
            "the upper end alone",
            bound=(hi - c) / (c + x),
            counterexample={**_WITNESS, "share": 0.9},
        ),
        WrongVariant(
            "half the distance of the ends",
            bound=(hi - lo) / (2 * (hi + lo + 2 * x)),
            counterexample=_WITNESS,
        ),
    ),
)
