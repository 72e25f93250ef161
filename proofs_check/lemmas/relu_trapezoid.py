r"""Four ReLU heads make a trapezoid that picks out one lag: one at its score, zero at the others.

Statement
---------
Let c be the score of a lag, D > 0 the distance down to the next score, U > 0 up to the one before.
With R(x) = max(x, 0),

    H(s) = (3/D) [R(s-c+2D/3) - R(s-c+D/3)] - (3/U) [R(s-c-U/3) - R(s-c-2U/3)]

is 1 for c - D/3 <= s <= c + U/3 and 0 for s <= c - 2D/3 and for s >= c + 2U/3.  So
sum_{m<=J} gamma(m) H_m is gamma(m) at the lags m <= J and 0 beyond, with 4(J+1) heads, and scores
may be off by a third of a gap.

Assumptions
-----------
Scores strictly decrease with the lag (lemma knot_order).

Proof
-----
On each piece the sign of every argument is fixed; the active terms add up to 0, 1, 0.  Every other
knot is at distance at least D below or U above.

Kind
----
equality: the value at every knot.

Source
------
Fu, Dou, Guo, Wang & Chen, arXiv 2407.16134, Section 4 (four heads for every lag).

Example
-------
>>> value, bound = LEMMA.sample({"period": 16, "J": 2, "lag": 1, "ell": 4.0})
>>> bool(abs(value - bound) < 1e-14)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS
from proofs_check.step import Parameters, Range, Step, WrongVariant

OUTPUT = sympy.Symbol("output", nonnegative=True)
"""gamma at the lags that are kept, 0 beyond."""
D, U = sympy.symbols("D U", positive=True)


def steps(weight: sympy.Expr = 3 / D, cut: sympy.Expr = 2 * D / 3) -> list[Step]:
    """The proof, for a claimed weight and a claimed outer threshold of the lower flank."""
    s, c = sympy.symbols("s c", real=True)
    v = sympy.Symbol("v", nonnegative=True)
    arguments = [s - c + cut, s - c + D / 3, s - c - U / 3, s - c - 2 * U / 3]
    weights = [weight, -weight, -3 / U, 3 / U]
    pieces = {
        "below": ({s: c - 2 * D / 3 - v}, 0, sympy.Integer(0)),
        "plateau, left half": ({s: c - D / (3 * (1 + v))}, 2, sympy.Integer(1)),
        "plateau, right half": ({s: c + U / (3 * (1 + v))}, 2, sympy.Integer(1)),
        "above": ({s: c + 2 * U / 3 + v}, 4, sympy.Integer(0)),
    }

    def piece(place: dict[sympy.Symbol, sympy.Expr], active: int, value: sympy.Expr) -> Step:
        total = sum((weights[i] * arguments[i] for i in range(active)), sympy.Integer(0))
        signs = [
            nonnegative(a.subs(place) if i < active else -a.subs(place))
            for i, a in enumerate(arguments)
        ]
        return Step(
            f"Of the four terms {active} are active (s = {next(iter(place.values()))}, v >= 0); "
            f"their sum is {value}.",
            rf"H(s) = {value}",
            all_of(*signs, identity(total, value, automatic=True)),
        )

    return [
        *(piece(*entry) for entry in pieces.values()),
        Step(
            "The other knots are a whole gap away: beyond the flanks.",
            r"c-D\le c-\tfrac23D,\qquad c+U\ge c+\tfrac23U",
            all_of(
                nonnegative((c - 2 * D / 3) - (c - D - v)),
                nonnegative((c + U + v) - (c + 2 * U / 3)),
            ),
        ),
    ]


def _scores(parameters: Parameters) -> list[mpmath.mpf]:
    """c_m for the lags 0 .. period/2."""
    period = parameters["period"]
    return [mpmath.cos(2 * mpmath.pi * m / period) for m in range(period // 2 + 1)]


def measure(parameters: Parameters) -> mpmath.mpf:
    """One plus the sum of all heads at one score (plus one, so that zero has a scale)."""
    with mpmath.workdps(DIGITS):
        scores, scale = _scores(parameters), mpmath.mpf(parameters["ell"])
        offset = parameters.get("offset", 0)
        score = scores[parameters["lag"]] + offset
        total = mpmath.mpf(1)
        for m in range(parameters["J"] + 1):
            down = scores[m] - scores[m + 1]
            up = scores[m - 1] - scores[m] if m else down
            height = mpmath.exp(-m / scale)
            for factor, width, place in ((3, down, -2), (-3, down, -1), (-3, up, 1), (3, up, 2)):
                argument = score - scores[m] - width * place / 3
                total += height * factor / width * max(argument, mpmath.mpf(0))
        return total


def derive(parameters: Parameters) -> Parameters:
    """gamma(lag) for lag <= J, else 0."""
    with mpmath.workdps(DIGITS):
        kept = parameters["lag"] <= parameters["J"]
        decay = mpmath.exp(-parameters["lag"] / mpmath.mpf(parameters["ell"]))
        return {"output": decay if kept else 0}


_WITNESS = {"period": 16, "J": 5, "lag": 3, "ell": 4.0}

LEMMA = Lemma(
    name="relu_trapezoid",
    doc=__doc__,
    claim=r"\sum_{m\le J}\gamma(m)H_m(c_i) = \gamma(i)\,[i\le J]",
    kind="equality",
    assumptions=(r"$c_0>c_1>\dots>c_{N}$",),
    steps=steps(),
    bound=1 + OUTPUT,
    measure=measure,
    derive=derive,
    parameters={
        "period": Range(16, 60, integer=True),
        "J": Range(0, 6, integer=True),
        "lag": Range(0, 7, integer=True),
        "ell": Range(0.5, 8.0),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant("weight 2/D", steps=partial(steps, weight=2 / D)),
        WrongVariant("outer threshold at 4D/3", steps=partial(steps, cut=4 * D / 3)),
        WrongVariant(
            "scores off by half a gap",
            counterexample={**_WITNESS, "offset": 0.15},
        ),
    ),
    also={"tolerated": sympy.Min(D, U) / 3},
)
