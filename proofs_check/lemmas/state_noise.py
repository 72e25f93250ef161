r"""The state of linear attention is off by a few roundings of the norms of features and values.

Statement
---------
Linear attention sums keys times values over frames, S = F^T v, before queries read the sum. If
every entry is off by at most g sum_j |F_jh| |v_j|, as sums in floating point are, then in norm the
state is off by at most

    g |F|_F |v|.

The same holds for what queries read, F S, with |S| in place of |v|.

Assumptions
-----------
|error of an entry| <= g times the sum of the absolute values of its terms.

Proof
-----
Cauchy-Schwarz for every entry, sum_j |F_jh| |v_j| <= |F_h| |v|; the squares of the columns' norms
add up to |F|_F^2.

Kind
----
tight: attained at size 1, and by features of equal size with errors of equal sign.

Source
------
Own derivation; entries: N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., Lemma
3.1.

Example
-------
>>> value, bound = LEMMA.sample({"frames": 3, "heads": 2, "seed": -1, "g": 0.5})
>>> bool(abs(value / bound - 1) < 1e-12)
True
"""

from __future__ import annotations

import random
from functools import partial

import mpmath
import sympy

from proofs_check.discharge import cited, identity, nonnegative, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

g, features, values = sympy.symbols("g F v", nonnegative=True)
"""Relative error of an entry, and the norms of features and values."""
BOUND = g * features * values


def steps(bound: sympy.Expr = BOUND) -> list[Step]:
    """The proof, for a claimed bound."""
    n = sympy.Symbol("n", integer=True, positive=True)
    j = sympy.Symbol("j", integer=True, positive=True)
    f, v = sympy.IndexedBase("f", nonnegative=True), sympy.IndexedBase("v", nonnegative=True)
    one, other = sympy.symbols("f_j v_j", nonnegative=True)
    mean = sympy.Symbol("mu", real=True)
    square, product = sympy.symbols("V P", positive=True)
    column = sympy.IndexedBase("c", nonnegative=True)
    entry = sympy.IndexedBase("e", nonnegative=True)
    size, short = sympy.symbols("c_h u", nonnegative=True)
    return [
        Step(
            "A sum of n products is off by at most gamma_n times the sum of absolute values.",
            r"|\mathrm{fl}(S_h)-S_h|\le\gamma_n\sum_j|F_{jh}|\,|v_j|",
            cited(
                "N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., Lemma 3.1",
                "products of n factors (1 + d_i), |d_i| <= u, differ from 1 by at most gamma_n",
            ),
        ),
        Step(
            "Cauchy-Schwarz, as a sum of squares.",
            r"\sum_jf_j^2-2\mu\sum_jf_jv_j+\mu^2\sum_jv_j^2 = \sum_j(f_j-\mu v_j)^2\ge0",
            sum_nonnegative(
                sympy.Sum(f[j] ** 2, (j, 1, n))
                - 2 * mean * sympy.Sum(f[j] * v[j], (j, 1, n))
                + mean**2 * sympy.Sum(v[j] ** 2, (j, 1, n)),
                (f[j] - mean * v[j]) ** 2,
                (j, 1, n),
                {f[j]: one, v[j]: other},
            ),
        ),
        Step(
            "At mu = P/V, with V the sum of squares of v and P the sum of products.",
            r"V\Bigl(Q-2\mu P+\mu^2V\Bigr) = QV-P^2\ge0",
            identity(
                (square * (size - 2 * mean * product + mean**2 * square)).subs(
                    mean, product / square
                ),
                size * square - product**2,
            ),
        ),
        Step(
            "Over the heads: squared errors e_h are at most g^2 c_h V, and c_h add up to |F|_F^2.",
            r"g^2V\sum_hc_h-\sum_he_h = \sum_h(g^2Vc_h-e_h)\ge0",
            sum_nonnegative(
                g**2 * square * sympy.Sum(column[j], (j, 1, n)) - sympy.Sum(entry[j], (j, 1, n)),
                g**2 * square * column[j] - entry[j],
                (j, 1, n),
                {column[j]: size, entry[j]: g**2 * square * size - short},
            ),
        ),
        Step(
            "The square of the claim.",
            r"(g\,\|F\|_F\,\|v\|)^2 = g^2\,\|F\|_F^2\,\|v\|^2",
            nonnegative(bound**2 - (g**2 * features**2 * values**2 - short)),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The norm of the largest error of a state that its entries allow (seed -1: all equal)."""
    with mpmath.workdps(40):
        features, values = _problem(parameters)
        relative = mpmath.mpf(parameters["g"])
        total = mpmath.mpf(0)
        for column in features:
            entry = mpmath.fsum(abs(a * b) for a, b in zip(column, values, strict=True))
            total += (relative * entry) ** 2
        return mpmath.sqrt(total)


def _problem(parameters: Parameters) -> tuple[list[list[mpmath.mpf]], list[mpmath.mpf]]:
    """Columns of features, and values."""
    rng, n = random.Random(parameters["seed"]), parameters["frames"]

    def draw() -> mpmath.mpf:
        return mpmath.mpf(100 if parameters["seed"] == -1 else rng.randint(-99, 99)) / 50

    return [[draw() for _ in range(n)] for _ in range(parameters["heads"])], [
        draw() for _ in range(n)
    ]


def derive(parameters: Parameters) -> Parameters:
    """Norms."""
    with mpmath.workdps(40):
        features, values = _problem(parameters)
        return {
            "g": parameters["g"],
            "F": mpmath.sqrt(mpmath.fsum(x**2 for column in features for x in column)),
            "v": mpmath.sqrt(mpmath.fsum(x**2 for x in values)),
        }


_WITNESS = {"frames": 4, "heads": 3, "seed": -1, "g": 0.25}

LEMMA = Lemma(
    name="state_noise",
    doc=__doc__,
    claim=r"\|\mathrm{fl}(F^\top v)-F^\top v\|\le\gamma\,\|F\|_F\,\|v\|",
    kind="tight",
    assumptions=(r"$|\mathrm{fl}(S_h)-S_h|\le\gamma\sum_j|F_{jh}||v_j|$",),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "frames": Range(1, 6, integer=True),
        "heads": Range(1, 5, integer=True),
        "seed": Range(0, 10_000, integer=True),
        "g": Range(0.01, 1.0),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "half of it", steps=partial(steps, BOUND / 2), bound=BOUND / 2, counterexample=_WITNESS
        ),
        WrongVariant("without the norm of the values", bound=g * features, counterexample=_WITNESS),
    ),
)
