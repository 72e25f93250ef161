r"""Two softmax heads carry a kernel of either sign: one its positive, one its negative part.

Statement
---------
Let gamma(0) .. gamma(N-1) be any real numbers, gamma_+ and gamma_- >= 0 their positive and negative
part, c_k the sum of a part over the lags 0 .. k, and Z > 2 c_{N-1} - c_0 a number for each.  A head
has the weights gamma_+-(|i-j|) before normalisation, none where the part is zero, and two sinks
with value zero and the weights

    c_{N-1} - c_i + u/2,    c_{N-1} - c_{n-1-i} + u/2,    u = Z - (2 c_{N-1} - c_0),

in a sequence of n <= N frames.  Then for every such n, with output maps Z_+ and -Z_-,

    Z_+ P_+(i, j) - Z_- P_-(i, j) = gamma(|i-j|).

Assumptions
-----------
n <= N, each Z > 2 c_{N-1} - c_0.  A weight of zero is the logit -oo; the finite logit that stands
for it in a model has an exponential below every rounding.

Proof
-----
gamma = gamma_+ - gamma_-.  The row sum of a part is c_i + c_{n-1-i} - c_0, so that the sinks fill
every denominator up to Z; their weights are positive since c_k increases.

Kind
----
equality: the sum of the two heads' weights of a key, each times its output map.

Source
------
Own derivation.

Example
-------
>>> drawn = {"ell": 4.0, "period": 5.0, "N": 8, "short": 0.7, "query": 0.0, "key": 0.5, "room": 0.5}
>>> value, bound = LEMMA.sample(drawn)
>>> bool(abs(value - bound) < 1e-15), round(float(bound), 6)
(True, -0.490694)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, positive, smt
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS
from proofs_check.lemmas._uses import uses
from proofs_check.step import Parameters, Range, Step, WrongVariant

GAMMA = sympy.Symbol("gamma", real=True)
"""gamma(|i-j|), of either sign."""


def steps(second: int = -1, slack: int = 1) -> list[Step]:
    """The proof, for a claimed sign of the second output map and a claimed multiple of u."""
    plus, minus, size = sympy.symbols("g_+ g_- G", nonnegative=True)
    upper, lower = sympy.symbols("Z_+ Z_-", positive=True)
    start, more, rest, last = sympy.symbols("c_0 x y w", nonnegative=True)
    room = sympy.Symbol("u", positive=True)
    before, after = start + more, start + rest
    # c_{N-1} is at least both of the sums that a frame of a shorter sequence meets
    whole = start + more + rest + last
    normalizer = 2 * whole - start + room
    sinks = [whole - reached + slack * room / 2 for reached in (before, after)]
    return [
        Step(
            "The parts: gamma_+ = (|gamma|+gamma)/2 and gamma_- = (|gamma|-gamma)/2.",
            r"\gamma = \gamma_+-\gamma_-,\qquad\gamma_\pm\ge0",
            identity((size + GAMMA) / 2 - (size - GAMMA) / 2, GAMMA, automatic=True),
            smt(
                sympy.And((size + GAMMA) / 2 >= 0, (size - GAMMA) / 2 >= 0),
                [size - GAMMA >= 0, size + GAMMA >= 0],
            ),
        ),
        Step(
            "Row i of a sequence of n frames has the sum c_i + c_{n-1-i} - c_0.",
            r"D_i = c_i+c_{n-1-i}-c_0",
            uses("row_sums"),
        ),
        Step(
            "The sinks fill it up to Z, whatever n is.",
            r"D_i+(c_{N-1}-c_i+\tfrac u2)+(c_{N-1}-c_{n-1-i}+\tfrac u2) = 2c_{N-1}-c_0+u = Z",
            identity(before + after - start + sum(sinks), normalizer, automatic=True),
        ),
        Step(
            "Their weights are positive, as logits need: c_k increases in k and i, n-1-i < N.",
            r"c_{N-1}-c_i+\tfrac u2>0",
            all_of(*(positive(weight) for weight in sinks)),
        ),
        Step(
            "With equal denominators every head is its part over Z (a weight of zero stays one).",
            r"P_\pm(i,j) = \gamma_\pm(|i-j|)/Z_\pm",
            uses("softmax_sink"),
        ),
        Step(
            "The output maps undo Z and subtract the second head.",
            r"Z_+\frac{\gamma_+}{Z_+}-Z_-\frac{\gamma_-}{Z_-} = \gamma",
            identity(
                upper * (plus / upper) + second * lower * (minus / lower),
                plus - minus,
                automatic=True,
            ),
        ),
        Step(
            "Both parts are at most |gamma|, so neither head is larger than |gamma| asks for.",
            r"|\gamma|-\gamma_\pm\ge0",
            nonnegative(plus + minus - plus),
        ),
    ]


def _places(parameters: Parameters) -> tuple[int, int, int]:
    """Frames of the shorter sequence, query and key."""
    n = 1 + int(parameters["short"] * (parameters["N"] - 1))
    return n, int(parameters["query"] * (n - 1)), int(parameters["key"] * (n - 1))


def _gamma(parameters: Parameters, lag: int) -> mpmath.mpf:
    lag = abs(lag)
    wave = mpmath.cos(2 * mpmath.pi * lag / mpmath.mpf(parameters["period"]))
    return mpmath.exp(-lag / mpmath.mpf(parameters["ell"])) * wave


def measure(parameters: Parameters) -> mpmath.mpf:
    """Two softmaxes over the keys and two sinks each, in a sequence of n frames."""
    with mpmath.workdps(DIGITS):
        n, query, key = _places(parameters)
        total = mpmath.mpf(0)
        for sign in (1, -1):
            lags = range(parameters["N"])
            part = [max(sign * _gamma(parameters, lag), mpmath.mpf(0)) for lag in lags]
            if parameters.get("absolute"):
                part = [abs(_gamma(parameters, lag)) * (sign > 0) for lag in lags]
            whole = mpmath.fsum(part)
            room = mpmath.mpf(parameters["room"])
            scale = 2 * whole - part[0] + room
            sinks = [
                whole - mpmath.fsum(part[: reach + 1]) + room / 2
                for reach in (query, n - 1 - query)
            ]
            weights = [part[abs(query - j)] for j in range(n)]
            logits = [mpmath.log(x) for x in [*weights, *sinks] if x > 0]
            top = max(logits)
            denominator = mpmath.fsum(mpmath.exp(x - top) for x in logits)
            if weights[key] > 0:
                total += sign * scale * mpmath.exp(mpmath.log(weights[key]) - top) / denominator
        return total


def derive(parameters: Parameters) -> Parameters:
    """gamma at the lag of query and key."""
    with mpmath.workdps(DIGITS):
        _, query, key = _places(parameters)
        return {"gamma": _gamma(parameters, query - key)}


_WITNESS = {
    "ell": 4.0,
    "period": 12.0,
    "N": 9,
    "short": 1.0,
    "query": 0.25,
    "key": 0.25,
    "room": 0.5,
}
_NEGATIVE = {**_WITNESS, "period": 4.0, "query": 0.0}

LEMMA = Lemma(
    name="signed_heads",
    doc=__doc__,
    claim=r"Z_+P_+(i,j)-Z_-P_-(i,j) = \gamma(|i-j|)",
    kind="equality",
    assumptions=(r"$n\le N$", r"$Z_\pm>2c_{N-1}-c_0$"),
    steps=steps(),
    bound=GAMMA,
    measure=measure,
    derive=derive,
    parameters={
        "ell": Range(0.5, 8.0),
        "period": Range(2.1, 15.0),
        "N": Range(1, 12, integer=True),
        "short": Range(0.0, 1.0),
        "query": Range(0.0, 1.0),
        "key": Range(0.0, 1.0),
        "room": Range(0.01, 2.0),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "the second head added",
            steps=partial(steps, second=1),
            bound=sympy.Abs(GAMMA),
            counterexample=_NEGATIVE,
        ),
        WrongVariant("the whole slack in each sink", steps=partial(steps, slack=2)),
        WrongVariant("no slack: Z = 2 c_{N-1} - c_0", steps=partial(steps, slack=0)),
        WrongVariant("one head, for |gamma|", counterexample={**_NEGATIVE, "absolute": True}),
    ),
)
