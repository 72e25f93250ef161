r"""One softmax head with an attention sink is exactly Gamma/Z, for any positive kernel.

Statement
---------
Query i has the logits log gamma(|i-j|) for the keys j = 1 .. N and log(Z - D_i) for one more key,
the sink, whose value is zero, D_i = sum_j gamma(|i-j|).  For Z > max_i D_i the attention weight of
key j is gamma(|i-j|)/Z: every denominator is Z.

Z > D_i is needed: with any real sink logit b the denominator D_i + e^b exceeds D_i, so no sink
makes it Z <= D_i (at Z = D_i the logit would have to be -oo).

Assumptions
-----------
gamma > 0, Z > max_i D_i.

Proof
-----
exp undoes log, so the exponentials add up to D_i + (Z - D_i).  The weights of the keys add up to
D_i/Z < 1, and the sink takes the rest.  Subtracting a common logit first changes nothing.

Kind
----
equality: the weight of a key.

Source
------
Own derivation; attention sinks: G. Xiao et al., Efficient Streaming Language Models with Attention
Sinks, arXiv 2309.17453.

Example
-------
>>> drawn = {"regime": 2, "ell": 8.0, "shape": 1.0, "N": 6, "query": 0.5, "key": 0.0, "room": 0.5}
>>> value, bound = LEMMA.sample(drawn)
>>> bool(abs(value - bound) < 1e-15)
True
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, positive, smt, summation
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, RANGES, kernel
from proofs_check.step import Parameters, Range, Step, WrongVariant

GAMMA, Z = sympy.symbols("gamma normalizer", positive=True)
"""gamma(|i-j|), and the common denominator."""
WEIGHT = GAMMA / Z


def steps(sink: int = 1, least: int = 1) -> list[Step]:
    """The proof, for a claimed factor of Z - D in the sink and a claimed bound least D < Z."""
    row, room, shift = sympy.symbols("D u c", positive=True)
    i, n = (sympy.Symbol(name, integer=True, positive=True) for name in "in")
    total = sympy.Function("S")
    normalizer = least * row + room
    filler = sympy.exp(sympy.log(sink * room))
    return [
        Step(
            "Exponentials of the logits: the entries themselves, and Z - D_i for the sink.",
            r"e^{\log\gamma} = \gamma,\qquad e^{\log(Z-D_i)} = Z-D_i>0",
            all_of(
                identity(sympy.exp(sympy.log(GAMMA)), GAMMA, automatic=True),
                positive(Z - row, {Z: normalizer}),
            ),
        ),
        Step(
            "The denominator: the row sum telescopes, and the sink fills it up to Z.",
            r"\sum_j\gamma(|i-j|)+(Z-D_i) = Z",
            all_of(
                summation(total(i) - total(i - 1), (i, 1, n), total(n) - total(0)),
                identity(row + filler, normalizer, automatic=True),
            ),
        ),
        Step(
            "So the weight of a key is gamma/Z.",
            r"\frac{\gamma}{D_i+(Z-D_i)} = \frac\gamma Z",
            identity(GAMMA / (row + filler), WEIGHT.subs(Z, normalizer), automatic=True),
        ),
        Step(
            "A common shift of the logits, as softmax applies it, cancels.",
            r"\frac{e^{x-c}}{\sum e^{y-c}} = \frac{e^x}{\sum e^y}",
            identity(
                sympy.exp(sympy.log(GAMMA) - shift) / (row * sympy.exp(-shift)),
                GAMMA / row,
                automatic=True,
            ),
        ),
        Step(
            "The value of the sink is zero, so the output is the sum over the keys; their weights "
            "add up to D/Z < 1.",
            r"1-D_i/Z = (Z-D_i)/Z>0",
            positive(1 - row / normalizer),
        ),
        Step(
            "No real sink logit makes the denominator as small as D_i.",
            r"D_i+e^b>D_i",
            positive(row + sympy.exp(sympy.Symbol("b", real=True)) - row),
            smt(Z - row > 0, [sympy.Eq(Z, row + room)]),
        ),
        Step(
            "A power of two just above (1 + 1/16) max D is large enough and below 17/8 max D.",
            r"D<\tfrac{17}{16}D\le2^k<\tfrac{17}8D",
            all_of(
                positive(sympy.Rational(17, 16) * row - row),
                nonnegative(2 * sympy.Rational(17, 16) * row - sympy.Rational(17, 8) * row + room),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The weight of one key, a softmax over the N keys and the sink."""
    with mpmath.workdps(DIGITS):
        size = parameters["N"]
        query = int(parameters["query"] * (size - 1))
        key = int(parameters["key"] * (size - 1))
        logits = [mpmath.log(kernel(parameters, query - j)) for j in range(size)]
        row = mpmath.fsum(kernel(parameters, query - j) for j in range(size))
        room = _normalizer(parameters) - row
        if parameters.get("without_sink"):
            room = mpmath.mpf("1e-30")
        sink = mpmath.log(room) if room > 0 else mpmath.mpf(-50)
        top = max([*logits, sink])
        exponentials = [mpmath.exp(x - top) for x in [*logits, sink]]
        return exponentials[key] / mpmath.fsum(exponentials)


def _normalizer(parameters: Parameters) -> mpmath.mpf:
    """(1 + room) times the largest row sum."""
    size = parameters["N"]
    sums = [mpmath.fsum(kernel(parameters, i - j) for j in range(size)) for i in range(size)]
    return max(sums) * (1 + mpmath.mpf(parameters["room"]))


def derive(parameters: Parameters) -> Parameters:
    """gamma at the lag of query and key, and Z."""
    with mpmath.workdps(DIGITS):
        size = parameters["N"]
        lag = int(parameters["query"] * (size - 1)) - int(parameters["key"] * (size - 1))
        return {"gamma": kernel(parameters, lag), "normalizer": _normalizer(parameters)}


_WITNESS = {
    "regime": 2,
    "ell": 8.0,
    "shape": 1.0,
    "N": 9,
    "query": 0.0,
    "key": 0.5,
    "room": 0.25,
}

LEMMA = Lemma(
    name="softmax_sink",
    doc=__doc__,
    claim=r"\mathrm{softmax}(\log\gamma(|i-\cdot|),\log(Z-D_i))_j = \gamma(|i-j|)/Z",
    kind="equality",
    assumptions=(r"$\gamma>0$", r"$Z>\max_iD_i$"),
    steps=steps(),
    bound=WEIGHT,
    measure=measure,
    derive=derive,
    parameters={
        **RANGES,
        "N": Range(1, 12, integer=True),
        "query": Range(0.0, 1.0),
        "key": Range(0.0, 1.0),
        "room": Range(0.01, 2.0),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant("sink of half the size", steps=partial(steps, sink=sympy.S.Half)),
        WrongVariant("Z > D/2 is enough", steps=partial(steps, least=sympy.S.Half)),
        WrongVariant(
            "no sink: the row sums differ",
            counterexample={**_WITNESS, "without_sink": True},
        ),
        WrongVariant(
            "assumption Z > D dropped",
            counterexample={**_WITNESS, "query": 0.5, "room": -0.25},
        ),
    ),
    also={"weight": WEIGHT},
)
