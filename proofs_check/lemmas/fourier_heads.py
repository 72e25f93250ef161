r"""The temporal matrix is a sum of C cosines of the lag, exactly, from C = 2N-2 on.

Statement
---------
Let c_k = gamma(min(k, C-k)), k = 0, ..., C-1, and

    w_m = (1/C) sum_k c_k cos(2 pi m k/C),        omega_m = 2 pi m/C.

If C >= 2N-2 (and C >= 1), then for all frames i, j < N

    Gamma_ij = gamma(|i-j|) = sum_{m=0}^{C-1} w_m cos(omega_m (i-j)).

C w_m are the eigenvalues of the circulant matrix with first row c.  With C = 2N-3 the largest lag
is answered with gamma(N-2) instead of gamma(N-1).

Assumptions
-----------
C >= 2N-2.  (2N-1 is needed where gamma(-h) differs from gamma(h).)

Proof
-----
Roots of unity z = e^{2 pi i r/C}: their powers are a geometric series whose sum vanishes because
z^C = 1, unless z = 1; and z = 1 only for multiples r of C.  So the transform is inverted.  The
symmetry c_k = c_{C-k} makes it real, and C >= 2N-2 puts every lag in the first half of the row.

Kind
----
equality: for all frames.

Source
------
C. Dietrich & G. Newsam, SIAM J. Sci. Comput. 18 (1997) 1088-1107, Section 2 (minimal embedding).

Example
-------
>>> value, bound = LEMMA.sample({**_POINT, "frames": 2, "extra": 0, "lag": 1, "ell": 1.0})
>>> bool(abs(value - bound) < 1e-30), float(bound)
(True, 0.25)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, smt, summation
from proofs_check.lemma import Lemma
from proofs_check.lemmas._convexity import decreasing_on
from proofs_check.lemmas._kernels import POLYNOMIAL, kernel
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import N

C = sympy.Symbol("C", integer=True, positive=True)
"""Size of the circulant."""
SMALLEST = 2 * N - 2


def steps(smallest: sympy.Expr = SMALLEST, scale: sympy.Expr = 1 / C) -> list[Step]:
    """The proof, for a claimed smallest size and scale of the weights."""
    whole = {"integer": True, "nonnegative": True}
    m, k, n = (sympy.Symbol(name, **whole) for name in "mkn")
    rest, more = (sympy.Symbol(name, **whole) for name in "uv")
    r = sympy.Symbol("r", integer=True)
    phi = sympy.Symbol("phi", positive=True)
    z = sympy.Symbol("z", complex=True, nonzero=True)
    root = sympy.exp(2 * sympy.pi * sympy.I * r / C)
    row = sympy.IndexedBase("c", real=True)
    phase = 2 * sympy.pi * sympy.I * m / C
    return [
        Step(
            "The powers of z are a geometric series, by telescoping.",
            r"\sum_{m=0}^{C-1}z^m = \frac{z^C-1}{z-1},\quad z\ne1",
            summation(z**m, (m, 0, n), (z ** (n + 1) - 1) / (z - 1)),
        ),
        Step(
            "A C-th root of unity has z^C = 1, so the sum vanishes; z = 1 for multiples of C.",
            r"z = e^{2\pi ir/C}:\quad z^C = 1,\qquad r = nC\Rightarrow z = 1",
            all_of(
                identity(root**C, 1, automatic=True),
                identity(root.subs(r, n * C), 1, automatic=True),
            ),
        ),
        Step(
            "Otherwise z differs from 1: 0 < r < C suffices, and cos < 1 on (0, 2 pi).",
            r"|z-1|^2 = 2-2\cos(2\pi r/C),\quad\cos\phi = \cos(2\pi-\phi)",
            all_of(
                identity(
                    (root - 1) * sympy.conjugate(root - 1), 2 - 2 * sympy.cos(2 * sympy.pi * r / C)
                ),
                decreasing_on(sympy.cos(phi), phi, 0, sympy.pi),
                identity(sympy.cos(0), 1, automatic=True),
                identity(sympy.cos(2 * sympy.pi - phi), sympy.cos(phi), automatic=True),
            ),
        ),
        Step(
            "Transform and back: in the double sum only k = n is left, C times 1/C.",
            r"\sum_mw_me^{i\omega_mn} = \sum_kc_k\cdot\frac1C\sum_me^{i\omega_m(n-k)} = c_n",
            all_of(
                identity(sympy.exp(phase * n) * sympy.exp(-phase * k), sympy.exp(phase * (n - k))),
                identity(C * scale, 1, automatic=True),
                identity(
                    sympy.Sum(row[k] * sympy.KroneckerDelta(k, n), (k, 0, C - 1))
                    .doit()
                    .subs(C, n + 1 + rest),
                    row[n],
                    automatic=True,
                ),
            ),
        ),
        Step(
            "The row is symmetric: the sines of k and C-k cancel, and the weights are symmetric.",
            r"\sin\tfrac{2\pi m(C-k)}C = -\sin\tfrac{2\pi mk}C,\quad"
            r"\cos\tfrac{2\pi(C-m)k}C = \cos\tfrac{2\pi mk}C",
            all_of(
                identity(
                    sympy.sin(2 * sympy.pi * m * (C - k) / C), -sympy.sin(2 * sympy.pi * m * k / C)
                ),
                identity(
                    sympy.cos(2 * sympy.pi * (C - m) * k / C), sympy.cos(2 * sympy.pi * m * k / C)
                ),
            ),
        ),
        Step(
            "Every lag n <= N-1 lies in the first half, so c_n = gamma(n).",
            r"(C-n)-n\ge0\quad(C\ge2N-2,\ n\le N-1)",
            nonnegative((C - n) - n, {C: smallest.subs(N, n + 1 + rest) + more}),
            smt(C - n >= n, [smallest <= C, n <= N - 1]),
        ),
        Step(
            "The lag of (i, j) is |i-j| and the cosine is even.",
            r"\cos(-\omega n) = \cos(\omega n)",
            identity(
                sympy.cos(-phase / sympy.I * n), sympy.cos(phase / sympy.I * n), automatic=True
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """The double sum of cosines, at the lag `lag` modulo the number of frames."""
    with mpmath.workdps(40):
        frames = parameters["frames"]
        circle = max(1, 2 * frames - 2 + parameters["extra"])
        lag = parameters["lag"] % frames
        values = {**parameters, "regime": 1, "shape": parameters["power"]}
        row = [kernel(values, min(k, circle - k)) for k in range(circle)]
        total = mpmath.mpf(0)
        for m in range(circle):
            omega = 2 * mpmath.pi * m / circle
            weight = mpmath.fsum(row[k] * mpmath.cos(omega * k) for k in range(circle)) / circle
            total += weight * mpmath.cos(omega * lag)
        return total


def derive(parameters: Parameters) -> Parameters:
    """The lag as h."""
    return {**parameters, "h": parameters["lag"] % parameters["frames"]}


_POINT = {"frames": 6, "extra": 0, "lag": 5, "ell": 3.0, "power": 2.0}

LEMMA = Lemma(
    name="fourier_heads",
    doc=__doc__,
    claim=r"\gamma(|i-j|) = \sum_{m=0}^{C-1}w_m\cos\frac{2\pi m(i-j)}C,\qquad C\ge2N-2",
    kind="equality",
    assumptions=(r"$C\ge2N-2$", r"$0\le i,j<N$"),
    steps=steps(),
    bound=POLYNOMIAL,
    measure=measure,
    derive=derive,
    parameters={
        "frames": Range(1, 10, integer=True),
        "extra": Range(0, 9, integer=True),
        "lag": Range(0, 9, integer=True),
        "ell": Range(0.5, 20.0),
        "power": Range(0.3, 4.0),
    },
    witness=_POINT,
    wrong_variants=(
        WrongVariant(
            "C = 2N-3: the circle is too short",
            steps=partial(steps, smallest=2 * N - 3),
            counterexample={**_POINT, "extra": -1},
        ),
        WrongVariant(
            "C = N", steps=partial(steps, smallest=N), counterexample={**_POINT, "extra": -4}
        ),
        WrongVariant(
            "weights without 1/C",
            steps=partial(steps, scale=sympy.S.One),
            bound=POLYNOMIAL * 10,
            counterexample=_POINT,
        ),
    ),
    also={"smallest": SMALLEST},
)
