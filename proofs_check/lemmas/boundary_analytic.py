r"""The error of one pass with rank-one heads as an analytic function of complex noise.

Statement
---------
Let A_z = G + z I with G positive semidefinite, and

    B_z = E^T (F + z I)^{-1} E + sum_h rho_h v_h v_h^T / (z + p_h)

with F symmetric positive semidefinite, E^T E = I, p_h >= 0 and any real rho_h. For real z = w > 0
the relative mean square error of -B_w b, b of covariance A_w, is

    e(w) = tr((I - B_w A_w)^2 A_w^{-1}) / tr(A_w^{-1}),

and for z = w e^{i phi}, |phi| < pi, the same quotient is analytic in log z and at most

    |e(z)| <= sec(phi/2)^2 (1 + sec(phi/2) (h + c))^2,

where c = sum_h |rho_h| v_h^T A_w v_h / (w + p_h), and h is the largest eigenvalue of
E^T (F + w I)^{-1} E A_w.

Assumptions
-----------
|phi| < pi; G and F positive semidefinite; p_h >= 0.

Proof
-----
(B - A^{-1}) A (B - A^{-1}) = (I - BA) A^{-1} (I - AB), whose trace is that of (I - BA)^2 A^{-1}.
Lemma preconditioned_analytic with one step of size 1 bounds the quotient by the norm of S B_z S,
S = A_w^{1/2}. The first part of it has norm sec(phi/2) h there. S v v^T S has the norm v^T A_w v,
and |z + p| >= cos(phi/2) (w + p): the others add up to sec(phi/2) c. Each term of c is a quotient
(a + w b)/(w + p), monotone in w, so that between two w it is at most its value at one of them.

Kind
----
upper: norms of the parts add.

Source
------
Own derivation; R. Horn & C. Johnson, Topics in Matrix Analysis, Section 3.4 (trace norm).

Example
-------
>>> value, bound = LEMMA.sample({"size": 2, "phi": 1.0, "w": 0.5, "heads": 2, "seed": 1})
>>> bool(value <= bound)
True
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import mpmath
import sympy

from proofs_check.discharge import all_of, cited, identity, nonnegative
from proofs_check.lemma import Lemma
from proofs_check.lemmas._uses import uses
from proofs_check.step import Parameters, Range, Step, WrongVariant

phi = sympy.Symbol("phi", real=True)
h, c = sympy.symbols("h c", nonnegative=True)
"""The largest eigenvalue of the first part times A_w, and the sum over heads."""
signed = sympy.Symbol("signed", nonnegative=True)
"""|sum_h rho_h v_h^T A_w v_h / (w + p_h)|, of a wrong variant."""
SECANT = 1 / sympy.cos(phi / 2)
BOUND = SECANT**2 * (1 + SECANT * (h + c)) ** 2


def steps(power: int = 1, rank: int = 2) -> list[Step]:
    """The proof, for a claimed power of B in the error and a claimed exponent of |S v|."""
    a, b = (sympy.Symbol(name, commutative=False) for name in ("A", "B"))
    long, wide, inner = sympy.symbols("x2 y2 xy", positive=True)
    room = sympy.Symbol("u", nonnegative=True)
    w, p, form, length = sympy.symbols("w p a b", positive=True)
    x1, x2, x3 = sympy.symbols("x_1 x_2 x_3", real=True)
    vector = sympy.Matrix([x1, x2, x3])
    return [
        Step(
            "The error of -B b is (A^{-1} - B) b.",
            r"(B-A^{-1})A(B-A^{-1}) = (I-BA)A^{-1}(I-AB)",
            identity(
                sympy.expand((b - a**-1) * a * (b - a**-1)),
                sympy.expand((1 - b * a) * a**-1 * (1 - a * b)),
                automatic=True,
            ),
        ),
        Step(
            "So its mean square is the trace that lemma preconditioned_analytic is about, for one "
            "step of size 1.",
            r"(I-BA)A^{-1}(I-AB) = (I-BA)^2A^{-1}",
            all_of(
                identity(
                    sympy.expand((1 - b * a) * a**-1 * (1 - a * b)),
                    sympy.expand((1 - b**power * a) * (1 - b * a) * a**-1),
                    automatic=True,
                ),
                uses("preconditioned_analytic"),
            ),
        ),
        Step(
            "Of B_z its proof uses the norm of S B_z S alone, in which norms of parts add: h is "
            "what the first part contributes.",
            r"\|SB_zS\|\le\frac{h+c}{\cos(\varphi/2)}",
            all_of(
                cited(
                    "Horn & Johnson, Topics in Matrix Analysis, Section 3.4",
                    "|tr(X D^{-1} Y A_w^{-1})| <= |X| |D^{-1}| |Y| tr(A_w^{-1}), and norms add",
                ),
                identity(SECANT**2 * (1 + SECANT * h + SECANT * c) ** 2, BOUND),
            ),
        ),
        Step(
            "A head's part: x x^T with x = S v has the one eigenvalue |x|^2 = v^T A_w v.",
            r"xx^\top\,x = |x|^2\,x",
            identity(
                vector * (vector.T * vector),
                sum(x**rank for x in vector) * vector,
                automatic=True,
                scope="three coordinates",
            ),
        ),
        Step(
            "In any number of coordinates: |x^T y|^2 <= |x|^2 |y|^2, the rest u being the squared "
            "length of y less its part along x.",
            r"|x|^2|y|^2-(x^\top y)^2 = |x|^2\,\bigl|y-\tfrac{x^\top y}{|x|^2}x\bigr|^2\ge0",
            all_of(
                identity(
                    long * (wide - 2 * inner / long * inner + (inner / long) ** 2 * long),
                    long * wide - inner**2,
                ),
                nonnegative(long * wide - inner**2, {wide: room + inner**2 / long}),
            ),
        ),
        Step(
            "Between two noises each term is at most its value at one of them.",
            r"\frac{d}{dw}\frac{a+wb}{w+p} = \frac{bp-a}{(w+p)^2}",
            identity(
                sympy.diff((form + w * length) / (w + p), w),
                (length * p - form) / (w + p) ** 2,
            ),
        ),
    ]


def _problem(parameters: Parameters) -> tuple[Any, Any, Any, list[tuple[Any, Any, Any]]]:
    """G, F, E and the heads (rho, p, v)."""
    size, rng = parameters["size"], random.Random(parameters["seed"])
    large = size + rng.randint(0, 2)

    def table(rows: int, columns: int) -> Any:
        entries = [[rng.randint(-99, 99) for _ in range(columns)] for _ in range(rows)]
        return mpmath.matrix(entries) / 80

    g, f = table(size, size), table(large, large)
    basis, _ = mpmath.qr(table(large, large) + 3 * mpmath.eye(large))
    heads = [
        (mpmath.mpf(rng.randint(-99, 99)) / 30, mpmath.mpf(rng.randint(0, 99)) / 50, table(size, 1))
        for _ in range(parameters["heads"])
    ]
    if parameters["seed"] < 0:  # heads that undo each other at w = 1/2, but not at other arguments
        v = mpmath.ones(size, 1)
        heads = [(mpmath.mpf(99), mpmath.mpf(0), v), (mpmath.mpf(-297), mpmath.mpf(1), v)]
    return g * g.T, f * f.T, basis[:, :size], heads


def _pair(parameters: Parameters, z: Any) -> tuple[Any, Any, Any]:
    """The two parts of B_z, and A_z."""
    g, f, e, heads = _problem(parameters)
    first = e.T * (f + z * mpmath.eye(f.rows)) ** -1 * e
    second = mpmath.zeros(g.rows, g.rows)
    for rho, p, v in heads:
        second += rho * v * v.T / (z + p)
    return first, second, g + z * mpmath.eye(g.rows)


def measure(parameters: Parameters) -> mpmath.mpf:
    """The modulus of the quotient, as the mean square of an error, from complex dense matrices."""
    with mpmath.workdps(40):
        z = mpmath.mpf(parameters["w"]) * mpmath.expj(mpmath.mpf(parameters["phi"]))
        first, second, a = _pair(parameters, z)
        error = first + second - a**-1
        above, below = error * a * error, a**-1
        n = range(a.rows)
        return abs(mpmath.fsum(above[i, i] for i in n) / mpmath.fsum(below[i, i] for i in n))


def derive(parameters: Parameters) -> Parameters:
    """h and c at the modulus."""
    with mpmath.workdps(40):
        w = mpmath.mpf(parameters["w"])
        first, _, a = _pair(parameters, w)
        root = mpmath.cholesky(a)
        terms = [rho * (v.T * a * v)[0] / (w + p) for rho, p, v in _problem(parameters)[3]]
        return {
            "phi": parameters["phi"],
            "h": max(mpmath.eigsy(root.T * first * root, eigvals_only=True)),
            "c": mpmath.fsum(abs(x) for x in terms),
            "signed": abs(mpmath.fsum(terms)),
        }


_POINT = {"size": 1, "phi": 1.0, "w": 0.5, "heads": 2, "seed": -1}

LEMMA = Lemma(
    name="boundary_analytic",
    doc=__doc__,
    claim=r"\Bigl|\frac{\mathrm{tr}((I-B_zA_z)^2A_z^{-1})}{\mathrm{tr}(A_z^{-1})}\Bigr|\le"
    r"\frac1{\cos^2(\varphi/2)}\Bigl(1+\frac{h+c}{\cos(\varphi/2)}\Bigr)^2",
    kind="upper",
    assumptions=(r"$z=we^{i\varphi}$, $|\varphi|<\pi$", r"$G,F\succeq0$, $p_h\ge0$"),
    steps=steps(),
    bound=BOUND,
    measure=measure,
    derive=derive,
    parameters={
        "size": Range(1, 3, integer=True),
        "phi": Range(-3.0, 3.0),
        "w": Range(0.01, 3.0),
        "heads": Range(0, 3, integer=True),
        "seed": Range(0, 10_000, integer=True),
    },
    wrong_variants=(
        WrongVariant("(I - B^2 A)(I - BA) in the trace", steps=partial(steps, power=2)),
        WrongVariant("|S v| instead of its square", steps=partial(steps, rank=1)),
        WrongVariant(
            "no heads: the bound of the first part alone",
            bound=BOUND.subs(c, 0),
            counterexample=_POINT,
        ),
        WrongVariant(
            "amplitudes that cancel at real noise",
            bound=BOUND.subs(c, signed),
            counterexample=_POINT,
        ),
    ),
    also={"secant": SECANT},
)
