r"""The circle kernel's matrix is a corner of a circulant, whose smallest eigenvalue bounds it.

Statement
---------
Frames at e_i = r (sin 2 pi i/C, cos 2 pi i/C) have the chord 2 r |sin(pi (i-j)/C)|.  The matrix
g(i-j) = gamma(chord) over all C places is a circulant with the eigenvalues

    f_m = sum_{k<C} g(k) cos(2 pi m k/C) >= 0,          m = 0 .. C-1,

and for N <= C its leading N x N block has lambda_min(Gamma_N) >= min_m f_m.  For C >= 2N the chord
increases with the lag, so that the kernel decreases.

Assumptions
-----------
0 < nu <= 2; N <= C (beyond, places repeat and the matrix is singular); C >= 2N for monotone lags.

Proof
-----
The chord by the addition theorems.  f_m >= 0: points of the plane, lemma positive_definite.
Eigenvectors: g has period C, and e^{i t(j+k)} = e^{itj} e^{itk}.  The block: a vector padded with
zeros has the same quadratic form and the same length.

Kind
----
upper: minus the smallest eigenvalue is at most -min f_m.

Source
------
Fu, Dou, Guo, Wang & Chen, arXiv 2407.16134, Section 3 (the kernel); P. Davis, Circulant Matrices,
Theorem 3.2.2; R. Horn & C. Johnson, Matrix Analysis, 2nd ed., Theorem 4.2.2 (Rayleigh quotient).

Example
-------
>>> drawn = {"ell": 1.0, "nu": 1.0, "radius": 1.0, "N": 1, "extra": 0}
>>> value, bound = LEMMA.sample(drawn)
>>> bool(value <= bound), float(value)
(True, -1.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, positive
from proofs_check.lemma import Lemma
from proofs_check.lemmas._kernels import DIGITS, eigenvalues
from proofs_check.lemmas._uses import uses
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import N

CIRCULANT_MIN = sympy.Symbol("f_min", nonnegative=True)
"""min_m f_m."""


def steps(period_factor: int = 2) -> list[Step]:
    """The proof, for a claimed period C of the chord: `period_factor` pi over the angle step."""
    i, j, k, m = (sympy.Symbol(name, integer=True) for name in "ijkm")
    period = sympy.Symbol("C", integer=True, positive=True)
    radius = sympy.Symbol("r", positive=True)
    rest = sympy.Symbol("M", integer=True, positive=True)
    angle, theta = sympy.symbols("phi theta", real=True)
    first, second = 2 * sympy.pi * i / period, 2 * sympy.pi * j / period
    chord_sq = radius**2 * (
        (sympy.sin(first) - sympy.sin(second)) ** 2 + (sympy.cos(first) - sympy.cos(second)) ** 2
    )
    block, cross = sympy.MatrixSymbol("A", N, N), sympy.MatrixSymbol("B", N, rest)
    corner = sympy.MatrixSymbol("D", rest, rest)
    x = sympy.MatrixSymbol("x", N, 1)
    padded = sympy.BlockMatrix([[x], [sympy.ZeroMatrix(rest, 1)]])
    whole = sympy.BlockMatrix([[block, cross], [cross.T, corner]])
    u, v = sympy.symbols("u v", positive=True)
    return [
        Step(
            "The squared distance of two places on the circle is the squared chord.",
            r"|e_i-e_j|^2 = 4r^2\sin^2\frac{\pi(i-j)}C",
            identity(chord_sq, 4 * radius**2 * sympy.sin((first - second) / 2) ** 2),
        ),
        Step(
            "It has period C in the lag and is even, so the matrix of all C places is a circulant.",
            r"\sin^2\frac{\pi(k+C)}C = \sin^2\frac{\pi k}C = \sin^2\frac{\pi(C-k)}C",
            all_of(
                identity(
                    sympy.sin(angle + period_factor * sympy.pi / 2) ** 2,
                    sympy.sin(angle) ** 2,
                    automatic=True,
                ),
                identity(sympy.sin(sympy.pi - angle) ** 2, sympy.sin(angle) ** 2, automatic=True),
            ),
        ),
        Step(
            "Its eigenvectors are the characters, which have period C as well.",
            r"\sum_kg(k)e^{im\theta(j+k)} = e^{im\theta j}\sum_kg(k)e^{im\theta k}",
            all_of(
                identity(
                    sympy.exp(sympy.I * m * theta * (j + k)),
                    sympy.exp(sympy.I * m * theta * j) * sympy.exp(sympy.I * m * theta * k),
                ),
                identity(
                    sympy.exp(sympy.I * m * 2 * sympy.pi / period * period), 1, automatic=True
                ),
            ),
        ),
        Step(
            "Symmetric circulants have a basis of such eigenvectors: the f_m are all eigenvalues.",
            r"f_m = \sum_{k<C}g(k)\cos\frac{2\pi mk}C",
            cited("P. Davis, Circulant Matrices, Theorem 3.2.2", "the Fourier matrix diagonalises"),
        ),
        Step(
            "They are non-negative: the places are points of the plane.",
            r"f_m\ge0",
            uses("positive_definite"),
        ),
        Step(
            "A vector padded with zeros has the same quadratic form, and the same length.",
            r"\binom x0^\top\begin{pmatrix}A&B\\B^\top&D\end{pmatrix}\binom x0 = x^\top Ax",
            all_of(
                identity(
                    sympy.block_collapse(padded.T * whole * padded),
                    x.T * block * x,
                    automatic=True,
                ),
                identity(sympy.block_collapse(padded.T * padded), x.T * x, automatic=True),
            ),
        ),
        Step(
            "So every Rayleigh quotient of the block is one of the circulant: at least min f_m.",
            r"\lambda_{\min}(\Gamma_N)=\min_x\frac{x^\top Ax}{x^\top x}\ge\min_mf_m",
            cited(
                "Horn & Johnson, Matrix Analysis, 2nd ed., Theorem 4.2.2",
                "the smallest eigenvalue is the minimum of the Rayleigh quotient",
            ),
        ),
        Step(
            "With C = 2N + w every lag k = N - v < N has pi k/C < pi/2, where the sine increases.",
            r"\tfrac12-\frac kC = \frac{2v+w}{2(2N+w)}>0",
            positive(sympy.Rational(1, 2) - (N - v) / (2 * N + u)),
        ),
    ]


def _chord_kernel(parameters: Parameters, lag: int) -> mpmath.mpf:
    """gamma at the chord, from the two embedded points."""
    period = 2 * parameters["N"] + parameters["extra"]
    angle, radius = 2 * mpmath.pi * lag / period, mpmath.mpf(parameters["radius"])
    chord = mpmath.hypot(radius * mpmath.sin(angle), radius * (1 - mpmath.cos(angle)))
    return mpmath.exp(-((chord / mpmath.mpf(parameters["ell"])) ** mpmath.mpf(parameters["nu"])))


def measure(parameters: Parameters) -> mpmath.mpf:
    """Minus the smallest eigenvalue of the N x N matrix."""
    with mpmath.workdps(DIGITS):
        size = parameters["N"]
        matrix = mpmath.matrix(size, size)
        for i in range(size):
            for j in range(size):
                matrix[i, j] = _chord_kernel(parameters, i - j)
        return -eigenvalues(matrix)[0]


def derive(parameters: Parameters) -> Parameters:
    """The smallest f_m, by summing cosines."""
    with mpmath.workdps(DIGITS):
        period = 2 * parameters["N"] + parameters["extra"]
        g = [_chord_kernel(parameters, k) for k in range(period)]
        turn = 2 * mpmath.pi / period
        sums = (
            mpmath.fsum(g[k] * mpmath.cos(turn * ((m * k) % period)) for k in range(period))
            for m in range(period)
        )
        return {"f_min": min(sums)}


LEMMA = Lemma(
    name="circle_kernel",
    doc=__doc__,
    claim=r"\lambda_{\min}(\Gamma_N)\ge\min_m\sum_{k<C}g(k)\cos\frac{2\pi mk}C\ge0",
    kind="upper",
    assumptions=(r"$0<\nu\le2$", r"$N\le C$ (monotone lags: $C\ge2N$)"),
    steps=steps(),
    bound=-CIRCULANT_MIN,
    measure=measure,
    derive=derive,
    parameters={
        "ell": Range(0.2, 4.0),
        "nu": Range(0.2, 1.9),
        "radius": Range(0.2, 2.0),
        "N": Range(1, 7, integer=True),
        "extra": Range(0, 5, integer=True),
    },
    wrong_variants=(
        WrongVariant("period C/2", steps=partial(steps, period_factor=1)),
        WrongVariant(
            "assumption N <= C dropped: places repeat",
            counterexample={"ell": 1.0, "nu": 1.0, "radius": 1.0, "N": 6, "extra": -7},
        ),
        WrongVariant(
            "twice the smallest eigenvalue of the circulant",
            bound=-2 * CIRCULANT_MIN,
            counterexample={"ell": 1.0, "nu": 1.0, "radius": 1.0, "N": 7, "extra": 0},
        ),
    ),
    also={"circulant_min": CIRCULANT_MIN},
)
