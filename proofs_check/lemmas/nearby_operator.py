r"""A score that is good for a nearby operator is good: (1 + delta) e/m on top of its own error.

Statement
---------
Let |A' - A|_2 <= e, eig(A') >= m > 0, and let the linear map B have relative rms error delta as an
approximation of A'^{-1}, in the mean over right-hand sides with covariance A':

    |(B - A'^{-1}) A'^{1/2}|_F <= delta |A'^{-1/2}|_F.

As an approximation of A^{-1}, in the mean over right-hand sides with covariance A, its relative rms
error is at most delta + (1 + delta) e/m. Lemma perturbation is the case B = q(A').

Assumptions
-----------
A and A' symmetric positive definite.

Proof
-----
B - A^{-1} = (B - A'^{-1}) + A'^{-1} (A - A') A^{-1}. As quadratic forms, A <= A' + e and that is at
most (1 + e/m) A', so that A'^{-1} <= (1 + e/m) A^{-1}: the first part is at most delta (1 + e/m)
times |A^{-1/2}|_F, the second at most e/m times it.

Kind
----
tight: attained at size 1.

Source
------
Own derivation; R. Horn & C. Johnson, Matrix Analysis, 2nd ed., Corollary 7.7.4 (order of inverses).

Example
-------
>>> value, bound = LEMMA.sample({"size": 1, "seed": 0, "off": 0.25, "e": 0.5})
>>> float(value), float(bound)
(0.875, 0.875)
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, nonnegative, smt
from proofs_check.lemma import Lemma
from proofs_check.lemmas.perturbation import delta, e
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import lam, m

BOUND = delta + (1 + delta) * e / m


def steps(bound: sympy.Expr = BOUND, growth: sympy.Expr = 1 + e / m) -> list[Step]:
    """The proof, for a claimed bound and a claimed factor between the quadratic forms."""
    b, true, near, root = (sympy.Symbol(n, commutative=False) for n in ("B", "A", "A'", "S"))
    slack, score = sympy.symbols("s S", nonnegative=True)
    return [
        Step(
            "The error splits into that for the nearby operator and the difference of inverses.",
            r"B-A^{-1} = (B-A'^{-1})+A'^{-1}(A-A')A^{-1}",
            identity(
                b - true**-1,
                (b - near**-1) + near**-1 * (true - near) * true**-1,
            ),
        ),
        Step(
            "The second part, with S = A^{1/2}: norms |A'^{-1}| <= 1/m and |A - A'| <= e.",
            r"A'^{-1}(A-A')A^{-1}S = A'^{-1}(A-A')S^{-1}",
            all_of(
                identity(
                    near**-1 * (root**2 - near) * root**-2 * root,
                    near**-1 * (root**2 - near) * root**-1,
                    automatic=True,
                ),
                nonnegative(1 / m - 1 / (m + slack)),
            ),
        ),
        Step(
            "As quadratic forms A <= A' + e <= (1 + e/m) A', on every eigenvalue of A'.",
            r"(1+e/m)\lambda-(\lambda+e) = e\,(\lambda-m)/m\ge0",
            nonnegative((growth * lam - (lam + e)).subs(lam, m + slack)),
            smt(lam + e <= (1 + e / m) * lam, [m <= lam]),
        ),
        Step(
            "Inverses reverse the order, and |X A^{1/2}|_F^2 = tr(X A X^T) is monotone in A.",
            r"A\preceq cA'\Rightarrow A'^{-1}\preceq cA^{-1},\quad"
            r"\|XA^{1/2}\|_F\le\sqrt c\,\|XA'^{1/2}\|_F",
            cited(
                "Horn & Johnson, Matrix Analysis, 2nd ed., Corollary 7.7.4 and Section 5.6",
                "inverses reverse the order of positive definite matrices; traces keep it",
            ),
        ),
        Step(
            "So the first part is at most delta sqrt(c) sqrt(c) S with c = 1 + e/m.",
            r"\sqrt c\,\delta\,\sqrt c\,S+\frac em\,S = \Bigl(\delta+(1+\delta)\frac em\Bigr)S",
            identity(sympy.sqrt(growth) ** 2 * delta * score + e / m * score, bound * score),
        ),
    ]


def _problem(parameters: Parameters) -> tuple[Any, Any, Any]:
    """A', A at distance e, and B."""
    size, rng = parameters["size"], random.Random(parameters["seed"])
    distance, off = mpmath.mpf(parameters["e"]), mpmath.mpf(parameters["off"])
    if size == 1:
        return mpmath.matrix([[1]]), mpmath.matrix([[1 + distance]]), mpmath.matrix([[1 + off]])
    noise, bend = mpmath.matrix(size, size), mpmath.matrix(size, size)
    for i in range(size):
        for j in range(size):
            noise[i, j] = mpmath.mpf(rng.randint(-99, 99)) / 100
            bend[i, j] = off * mpmath.mpf(rng.randint(-99, 99)) / 100
    vectors, _ = mpmath.qr(noise + 3 * mpmath.eye(size))
    spectrum = [1 + 4 * mpmath.mpf(rng.randint(0, 100)) / 100 for _ in range(size)]
    near = vectors * mpmath.diag(spectrum) * vectors.T
    shift = mpmath.matrix(size, size)
    for i in range(size):
        shift[i, size - 1 - i] = distance  # symmetric, of spectral norm e
    return near, near + shift, near**-1 + bend


def _relative(b: Any, operator: Any) -> mpmath.mpf:
    """|(B - A^{-1}) A^{1/2}|_F / |A^{-1/2}|_F from traces."""
    inverse = operator**-1
    off = b - inverse
    error = off * operator * off.T
    n = range(operator.rows)
    return mpmath.sqrt(mpmath.fsum(error[i, i] for i in n) / mpmath.fsum(inverse[i, i] for i in n))


def measure(parameters: Parameters) -> mpmath.mpf:
    """Relative rms error for the true operator."""
    with mpmath.workdps(40):
        _, true, b = _problem(parameters)
        return _relative(b, true)


def measure_scaled(parameters: Parameters) -> mpmath.mpf:
    """The same with A twice as far from A' as assumed."""
    return measure({**parameters, "e": 2 * parameters["e"]})


def derive(parameters: Parameters) -> Parameters:
    """delta and m."""
    with mpmath.workdps(40):
        near, _, b = _problem(parameters)
        smallest = min(mpmath.eigsy(near, eigvals_only=True))
        return {"delta": _relative(b, near), "m": smallest, "e": parameters["e"]}


_WITNESS = {"size": 1, "seed": 0, "off": 0.25, "e": 0.5}

LEMMA = Lemma(
    name="nearby_operator",
    doc=__doc__,
    claim=r"\text{relative rms error}\le\delta+(1+\delta)\,\frac{e}{m}",
    kind="tight",
    assumptions=(
        r"$A$, $A'$ symmetric positive definite",
        r"$\|A'-A\|_2\le e$",
        r"eigenvalues of $A'$ at least $m>0$",
    ),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "size": Range(1, 4, integer=True),
        "seed": Range(0, 10_000, integer=True),
        "off": Range(0.0, 0.9),
        "e": Range(0.0, 0.9),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant(
            "delta + e/m",
            steps=partial(steps, bound=delta + e / m),
            bound=delta + e / m,
            counterexample=_WITNESS,
        ),
        WrongVariant("A <= A' as quadratic forms", steps=partial(steps, growth=sympy.S.One)),
        WrongVariant(
            "assumption |A' - A| <= e violated by a factor of two",
            measure=measure_scaled,
            counterexample=_WITNESS,
        ),
    ),
)
