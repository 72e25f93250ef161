r"""cos(omega (i-j)) is the inner product of sinusoidal positions, and half the frequencies suffice.

Statement
---------
With phi(i) = (cos omega i, sin omega i)

    <phi(i), phi(j)> = cos(omega (i-j)),        |phi(i)| = 1,

so one linear-attention head with queries and keys phi adds the matrix cos(omega (i-j)) times any
gate.  For omega_m = 2 pi m/C the frequencies m and C-m give the same matrix: the C frequencies need
floor(C/2) + 1 heads.

Assumptions
-----------
None on omega, i, j; i-j whole for the pairing of m and C-m.

Proof
-----
Addition theorem; C = 2c or 2c+1 for the count.

Kind
----
equality: for all positions and frequencies.

Source
------
A. Vaswani et al., arXiv 1706.03762, Section 3.5 (sinusoidal positions); A. Katharopoulos et al.,
arXiv 2006.16236, Section 3 (linear attention).

Example
-------
>>> value, bound = LEMMA.sample({"i": 3, "j": 3, "omega": 0.5})
>>> float(value), float(bound)
(1.0, 1.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant

omega = sympy.Symbol("omega", real=True)
i, j = sympy.symbols("i j", real=True)
ENTRY = sympy.cos(omega * (i - j))


def features(position: sympy.Expr) -> sympy.Matrix:
    """phi(position)."""
    return sympy.Matrix([sympy.cos(omega * position), sympy.sin(omega * position)])


def steps(entry: sympy.Expr = ENTRY, heads: int = 1) -> list[Step]:
    """The proof, for a claimed entry and number of heads beyond C // 2."""
    m, lag, half = (sympy.Symbol(name, integer=True, nonnegative=True) for name in "mnc")
    circle = sympy.Symbol("C", integer=True, positive=True)
    angle = 2 * sympy.pi * m * lag / circle
    return [
        Step(
            "The inner product is the addition theorem.",
            r"\cos\omega i\cos\omega j+\sin\omega i\sin\omega j = \cos\omega(i-j)",
            identity(features(i).dot(features(j)), entry),
        ),
        Step(
            "Every feature vector has length 1.",
            r"\cos^2\omega i+\sin^2\omega i = 1",
            identity(features(i).dot(features(i)), 1),
        ),
        Step(
            "The frequencies m and C-m agree at whole lags.",
            r"\cos\frac{2\pi(C-m)n}C = \cos\frac{2\pi mn}C",
            identity(sympy.cos(2 * sympy.pi * (circle - m) * lag / circle), sympy.cos(angle)),
        ),
        Step(
            "So m = 0, ..., floor(C/2) cover all: for the others C-m is among them.",
            r"m = \lfloor C/2\rfloor+1+u:\quad\lfloor C/2\rfloor-(C-m)\ge0\quad(C = 2c,\ 2c+1)",
            all_of(
                *(
                    nonnegative((half + heads - 1) - (size - m), {m: half + heads + lag})
                    for size in (2 * half, 2 * half + 1)
                ),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """One entry of a linear-attention head: inner product of query and key."""
    with mpmath.workdps(40):
        frequency = mpmath.mpf(parameters["omega"])
        query, key = (
            (mpmath.cos(frequency * p), mpmath.sin(frequency * p))
            for p in (parameters["i"], parameters["j"])
        )
        return mpmath.fdot(query, key)


def measure_cosine_only(parameters: Parameters) -> mpmath.mpf:
    """The same without the sine coordinate."""
    with mpmath.workdps(40):
        frequency = mpmath.mpf(parameters["omega"])
        return mpmath.cos(frequency * parameters["i"]) * mpmath.cos(frequency * parameters["j"])


_POINT = {"i": 7, "j": 3, "omega": 0.3}

LEMMA = Lemma(
    name="position_features",
    doc=__doc__,
    claim=r"\langle\varphi_\omega(i),\varphi_\omega(j)\rangle = \cos\omega(i-j)",
    kind="equality",
    assumptions=(r"$\varphi_\omega(i)=(\cos\omega i,\sin\omega i)$",),
    steps=steps(),
    bound=ENTRY,
    measure=measure,
    parameters={
        "i": Range(0, 500, integer=True),
        "j": Range(0, 500, integer=True),
        "omega": Range(0.01, 3.0),
    },
    witness=_POINT,
    wrong_variants=(
        WrongVariant(
            "the sum of the positions instead of their difference",
            steps=partial(steps, sympy.cos(omega * (i + j))),
            bound=sympy.cos(omega * (i + j)),
            counterexample=_POINT,
        ),
        WrongVariant(
            "cosine features alone",
            measure=measure_cosine_only,
            counterexample=_POINT,
        ),
        WrongVariant("one head less than floor(C/2) + 1", steps=partial(steps, heads=0)),
    ),
)
