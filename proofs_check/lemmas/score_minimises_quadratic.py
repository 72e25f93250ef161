r"""The score minimises a quadratic, and one gradient step is one attention plus one frame-wise map.

Statement
---------
With A_t = alpha^2 Gamma x Sigma + sigma^2 I (row-major vec) and g = V - alpha M let
f(s) = <s, A_t s>/2 + <s, g>.  Its gradient is, for all frames and channels,

    alpha^2 Gamma s Sigma + sigma^2 s + V - alpha M,

its only minimiser is the score s* = -A_t^{-1}(V - alpha M) of V ~ N(alpha M, A_t), and
f(s* + h) - f(s*) = <h, A_t h>/2 > 0.  Moreover E[X|V] = (V + sigma^2 s*)/alpha and
E[Z|V] = -sigma s* for V = alpha X + sigma Z.

Assumptions
-----------
Gamma, Sigma symmetric positive semidefinite, sigma > 0, alpha > 0 (any diffusion time t > 0).

Proof
-----
Entry by entry (Gamma s Sigma)_ia = sum_jb Gamma_ij Sigma_ab s_jb, which is the Kronecker product on
row-major indices.  f(s+h) - f(s) = <h, A s + g> + <h, A h>/2 for symbolic sizes.  The posterior of
X given V is Gaussian: its mean is where its log density is stationary, one eigenvalue at a time.

Kind
----
equality: f(s* + h) - f(s*) = <h, A_t h>/2.

Source
------
Fu, Dou, Guo, Wang & Chen, arXiv 2407.16134, Section 4; B. Efron, Tweedie's formula and selection
bias, J. Amer. Statist. Assoc. 106 (2011), equation (2.8).

Example
-------
>>> value, bound = LEMMA.sample({"g": 0.5, "a": 1.0, "b": 0.25, "c": 2.0, "t": 1.0, "seed": 0})
>>> bool(abs(value / bound - 1) < 1e-12)
True
"""

from __future__ import annotations

import random
from functools import partial
from itertools import product
from typing import Any

import mpmath
import sympy
from sympy.matrices.expressions.kronecker import kronecker_product

from proofs_check.discharge import (
    all_of,
    entry_identity,
    identity,
    nonnegative,
    positive,
    quadratic_identity,
    smt,
    sum_nonnegative,
)
from proofs_check.lemma import Lemma
from proofs_check.outcome import Discharge
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import N, d, t

alpha, sigma = sympy.symbols("alpha sigma", positive=True)
corr, s_aa, s_ab, s_bb = sympy.symbols("g a b c", real=True)
SHIFT = sympy.ImmutableMatrix(2, 2, sympy.symbols("h00 h01 h10 h11", real=True))
HALF = sympy.Rational(1, 2)
SIZES = ((1, 1), (1, 2), (2, 1), (2, 2), (3, 2))


def generic(letter: str, rows: int, columns: int, symmetric: bool = False) -> sympy.Matrix:
    """A matrix of independent real symbols."""

    def entry(i: int, j: int) -> sympy.Symbol:
        first, second = sorted((i, j)) if symmetric else (i, j)
        return sympy.Symbol(f"{letter}_{first}{second}", real=True)

    return sympy.Matrix(rows, columns, entry)


def dense(temporal: Any, spatial: Any, shift: Any, signal: Any, noise: Any) -> Any:
    """<h, A h> with the dense Kronecker product and the row-major vec of h."""
    vec = sympy.Matrix(list(shift))
    matrix = signal * kronecker_product(temporal, spatial) + noise * sympy.eye(len(vec))
    return sympy.expand((vec.T * matrix * vec)[0, 0])


BOUND = HALF * dense(
    sympy.Matrix([[1, corr], [corr, 1]]),
    sympy.Matrix([[s_aa, s_ab], [s_ab, s_bb]]),
    SHIFT,
    sympy.exp(-t),
    1 - sympy.exp(-t),
)


def _gradient_at_size(frames: int, channels: int, signal: Any) -> Discharge:
    temporal = generic("G", frames, frames, symmetric=True)
    spatial = generic("S", channels, channels, symmetric=True)
    s, drift = generic("s", frames, channels), generic("v", frames, channels)
    vec = sympy.Matrix(list(s))
    matrix = alpha**2 * kronecker_product(temporal, spatial) + sigma**2 * sympy.eye(len(vec))
    f = (vec.T * matrix * vec)[0, 0] / 2 + (vec.T * sympy.Matrix(list(drift)))[0, 0]
    by_entries = sympy.Matrix(frames, channels, lambda i, a: sympy.diff(f, s[i, a]))
    return identity(
        by_entries,
        signal * temporal * s * spatial + sigma**2 * s + drift,
        scope=f"frames x channels in {SIZES}",
    )


def steps(signal: Any = alpha**2, half: Any = HALF, variance: Any = sigma**2) -> list[Step]:
    """The proof, for claimed factors: of Gamma s Sigma, of <h, A h>, of s in Tweedie's formula."""
    temporal, spatial = sympy.MatrixSymbol("G", N, N), sympy.MatrixSymbol("S", d, d)
    s = sympy.MatrixSymbol("s", N, d)
    i, j, a, b = sympy.symbols("i j a b", integer=True, nonnegative=True)
    room = sympy.Symbol("u", integer=True, nonnegative=True)
    n = sympy.Symbol("n", integer=True, positive=True)
    index = sympy.Symbol("l", integer=True, positive=True)
    matrix, inverse = sympy.MatrixSymbol("A", n, n), sympy.MatrixSymbol("B", n, n)
    x, h, g = (sympy.MatrixSymbol(letter, n, 1) for letter in "xhg")
    eigenvalue, coordinate = sympy.IndexedBase("c", nonnegative=True), sympy.IndexedBase("y")
    c, y = sympy.Symbol("c", nonnegative=True), sympy.Symbol("y", real=True)
    v, mean, point = sympy.symbols("v mu x", real=True)

    def f(argument: Any) -> Any:
        return (argument.T * matrix * argument) / 2 + argument.T * g

    spread = sympy.Symbol("c", positive=True)
    score = -(v - alpha * mean) / (alpha**2 * spread + sigma**2)
    tweedie = (v + variance * score) / alpha
    misfit = (v - alpha * point) ** 2 / (2 * sigma**2)
    prior = (point - mean) ** 2 / (2 * spread)
    summand = (alpha**2 * eigenvalue[index] + sigma**2) * coordinate[index] ** 2
    return [
        Step(
            "An entry of Gamma s Sigma^T as a double sum, for all sizes.",
            r"(\Gamma s\Sigma^\top)_{ia} = \sum_{j,b}\Gamma_{ij}\Sigma_{ab}s_{jb}",
            entry_identity(
                temporal * s * spatial.T,
                i,
                a,
                sympy.Sum(temporal[i, j] * spatial[a, b] * s[j, b], (j, 0, N - 1), (b, 0, d - 1)),
            ),
        ),
        Step(
            "Row-major indices j d + b, 0 <= b < d, have quotient j, for all sizes: the sum is the "
            "Kronecker product acting on vec(s).",
            r"j\le\frac{jd+b}d<j+1",
            all_of(
                nonnegative((j * d + b) / d - j),
                positive(j + 1 - (j * d + b) / d, {d: b + 1 + room}),
            ),
        ),
        Step(
            "The gradient entry by entry, by differentiating f with the dense Kronecker product.",
            r"\nabla f(s) = \alpha^2\Gamma s\Sigma+\sigma^2s+V-\alpha M",
            all_of(
                *(_gradient_at_size(rows, columns, signal) for rows, columns in SIZES),
            ),
        ),
        Step(
            "Second-order expansion for all sizes: the linear term is the gradient.",
            r"f(x+h)-f(x) = \langle h,Ax+g\rangle+\tfrac12\langle h,Ah\rangle",
            quadratic_identity(
                f(x + h) - f(x),
                h.T * (matrix * x + g) + half * h.T * matrix * h,
                symmetric=[matrix],
            ),
        ),
        Step(
            "The score is a stationary point.",
            r"A(-A^{-1}g)+g = 0",
            identity(matrix * (-(matrix.I * g)), -g, automatic=True),
        ),
        Step(
            "The quadratic term is positive, so there is no other minimiser: in the eigenbasis.",
            r"\langle h,Ah\rangle = \sum_l(\alpha^2c_l+\sigma^2)y_l^2\ge\sigma^2\|h\|^2",
            sum_nonnegative(
                sympy.Sum(summand, (index, 1, n))
                - sympy.Sum(sigma**2 * coordinate[index] ** 2, (index, 1, n)),
                summand - sigma**2 * coordinate[index] ** 2,
                (index, 1, n),
                {eigenvalue[index]: c, coordinate[index]: y},
            ),
            smt((alpha**2 * c + sigma**2) * y**2 >= sigma**2 * y**2),
        ),
        Step(
            "It is the score: the expansion of the Gaussian log density, with B = A^{-1}.",
            r"-\tfrac12\langle g+h,B(g+h)\rangle+\tfrac12\langle g,Bg\rangle = "
            r"\langle h,-Bg\rangle-\tfrac12\langle h,Bh\rangle",
            quadratic_identity(
                -((g + h).T * inverse * (g + h)) / 2 + (g.T * inverse * g) / 2,
                h.T * (-(inverse * g)) - half * h.T * inverse * h,
                symmetric=[inverse],
            ),
        ),
        Step(
            "Tweedie: the posterior log density of X is stationary at (V + sigma^2 s)/alpha.",
            r"\partial_x\Bigl[\tfrac{(v-\alpha x)^2}{2\sigma^2}+\tfrac{(x-\mu)^2}{2c}\Bigr] = 0",
            identity(sympy.diff(misfit + prior, point).subs(point, tweedie), 0),
        ),
        Step(
            "Noise prediction: Z = (V - alpha X)/sigma.",
            r"\frac{v-\alpha\,E[X|V]}\sigma = -\sigma s",
            identity((v - alpha * tweedie) / sigma, -sigma * score, automatic=True),
        ),
    ]


def _problem(parameters: Parameters) -> tuple[Any, Any, Any, Any]:
    """Gamma, Sigma, the drift V - alpha M and the shift h, all 2 x 2."""
    rng = random.Random(parameters["seed"])
    numbers = [mpmath.mpf(rng.randint(-200, 200)) / 100 for _ in range(8)]
    corr_value, first, mixed, last = (mpmath.mpf(parameters[name]) for name in "gabc")
    temporal = [[mpmath.mpf(1), corr_value], [corr_value, mpmath.mpf(1)]]
    spatial = [[first, mixed], [mixed, last]]
    drift = [[numbers[0], numbers[1]], [numbers[2], numbers[3]]]
    shift = [[numbers[4], numbers[5]], [numbers[6], numbers[7]]]
    return temporal, spatial, drift, shift


def measure(parameters: Parameters) -> mpmath.mpf:
    """f(s*+h) - f(s*), f by four nested loops, s* from a dense solve with the covariance."""
    with mpmath.workdps(40):
        temporal, spatial, drift, shift = _problem(parameters)
        signal = mpmath.exp(-mpmath.mpf(parameters["t"]))
        pairs = list(product(range(2), repeat=2))

        def covariance(i: int, a: int, j: int, b: int) -> Any:
            same = 1 if (i, a) == (j, b) else 0
            return signal * temporal[i][j] * spatial[a][b] + (1 - signal) * same

        def f(s: Any) -> Any:
            total = mpmath.fsum(s[i][a] * drift[i][a] for i, a in pairs)
            for (i, a), (j, b) in product(pairs, repeat=2):
                total += s[i][a] * covariance(i, a, j, b) * s[j][b] / 2
            return total

        matrix = mpmath.matrix([[covariance(*row, *column) for column in pairs] for row in pairs])
        solution = mpmath.lu_solve(matrix, mpmath.matrix([-drift[i][a] for i, a in pairs]))
        best = [[solution[2 * i + a] for a in range(2)] for i in range(2)]
        moved = [[best[i][a] + shift[i][a] for a in range(2)] for i in range(2)]
        return f(moved) - f(best)


def derive(parameters: Parameters) -> Parameters:
    """The entries of h, drawn from the seed."""
    shift = _problem(parameters)[3]
    return {**parameters, **{f"h{i}{a}": shift[i][a] for i in range(2) for a in range(2)}}


_WITNESS = {"g": 0.5, "a": 1.0, "b": 0.25, "c": 2.0, "t": 1.0, "seed": 0}

LEMMA = Lemma(
    name="score_minimises_quadratic",
    doc=__doc__,
    claim=r"\nabla f(s) = \alpha_t^2\Gamma s\Sigma+\sigma_t^2s+V-\alpha_tM,\quad"
    r" f(s^*+h)-f(s^*) = \tfrac12\langle h,A_th\rangle",
    kind="equality",
    assumptions=(r"$\Gamma$, $\Sigma$ symmetric positive semidefinite", r"$t>0$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "g": Range(-0.9, 0.9),
        "a": Range(0.5, 2.0),
        "b": Range(-0.45, 0.45),
        "c": Range(0.5, 2.0),
        "t": Range(0.01, 5.0),
        "seed": Range(0, 10_000, integer=True),
    },
    witness=_WITNESS,
    wrong_variants=(
        WrongVariant("alpha instead of alpha^2 in the gradient", steps=partial(steps, alpha)),
        WrongVariant(
            "<h, A h> without the factor 1/2",
            steps=partial(steps, half=sympy.Integer(1)),
            bound=2 * BOUND,
            counterexample=_WITNESS,
        ),
        WrongVariant("Tweedie with sigma instead of sigma^2", steps=partial(steps, variance=sigma)),
        WrongVariant(
            "Gamma and Sigma exchanged in the Kronecker product",
            bound=HALF
            * dense(
                sympy.Matrix([[s_aa, s_ab], [s_ab, s_bb]]),
                sympy.Matrix([[1, corr], [corr, 1]]),
                SHIFT,
                sympy.exp(-t),
                1 - sympy.exp(-t),
            ),
            counterexample=_WITNESS,
        ),
    ),
)
