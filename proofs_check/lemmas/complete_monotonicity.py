r"""Products and compositions keep complete monotonicity.

Statement
---------
A smooth f on (0, oo) is completely monotone (CM) if (-1)^n f^{(n)} >= 0 for n = 0, 1, 2, ...;
g is a Bernstein function if g >= 0 and g' is CM.  Then

    f, g CM                  =>  f g CM;
    f CM, g Bernstein        =>  f o g CM;
    g_1, g_2 Bernstein       =>  g_1 o g_2 Bernstein.

Assumptions
-----------
Derivatives of all orders on (0, oo).  The inner function must be Bernstein: u^2 is increasing and
convex, and exp(-u^2) is not CM.

Proof
-----
Leibniz' rule has non-negative coefficients (Pascal's triangle, by induction), and the sign (-1)^n
splits over its two factors: products.  For f o g, strong induction on the order, for all CM f at
once: (f o g)' = -((-f') o g) g', and -f' is CM again, so that the derivatives of order n+1 of f o g
are Leibniz sums of derivatives of order at most n of (-f') o g and of g'.  Finally (g_1 o g_2)' =
(g_1' o g_2) g_2' is a product of CM functions.

Kind
----
upper: minus the signed derivative is at most 0.

Source
------
R. Schilling, R. Song & Z. Vondracek, Bernstein Functions, 2nd ed., Theorem 3.7 (composition) and
Corollary 1.6 (products); the induction here is our own.

Example
-------
>>> value, bound = LEMMA.sample({"n": 2, "u": 1.0, "p": 1.0, "a": 0.5})
>>> bool(value < bound), float(bound)
(True, 0.0)
"""

from __future__ import annotations

from functools import partial

import mpmath
import sympy

from proofs_check.discharge import all_of, identity, nonnegative, sum_nonnegative
from proofs_check.lemma import Lemma
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import k

n = sympy.Symbol("n", integer=True, nonnegative=True)


def steps(inner_sign: int = 1) -> list[Step]:
    """The proof; `inner_sign = -1` claims it for an inner derivative that does not alternate."""
    i = sympy.Symbol("i", integer=True, positive=True)
    u = sympy.Symbol("u", positive=True)
    f, g = sympy.Function("f"), sympy.Function("g")
    first, second = sympy.IndexedBase("f", real=True), sympy.IndexedBase("g", real=True)
    size_f, size_g, value = sympy.symbols("F G v", nonnegative=True)
    product = sympy.binomial(n, k) * first[k] * second[k]
    return [
        Step(
            "Leibniz' rule, by induction on the order: its coefficients obey Pascal's rule.",
            r"\binom n{i-1}+\binom ni = \binom{n+1}i",
            identity(sympy.binomial(n, i - 1) + sympy.binomial(n, i), sympy.binomial(n + 1, i)),
        ),
        Step(
            "Products, term by term: f^{(k)} = (-1)^k F, g^{(n-k)} = (-1)^{n-k} G, F, G >= 0.",
            r"(-1)^n(fg)^{(n)} = \sum_{k=0}^n\binom nk F_kG_{n-k}\ge0",
            sum_nonnegative(
                (-1) ** n * sympy.Sum(product, (k, 0, n)),
                (-1) ** n * product,
                (k, 0, n),
                {first[k]: (-1) ** k * size_f, second[k]: (-1) ** (n - k) * size_g},
            ),
        ),
        Step(
            "The chain rule.",
            r"(f\circ g)' = (f'\circ g)\,g' = -\bigl((-f')\circ g\bigr)\,g'",
            identity(
                sympy.diff(f(g(u)), u),
                sympy.diff(f(g(u)), g(u)) * sympy.diff(g(u), u),
                automatic=True,
            ),
        ),
        Step(
            "If f is CM, so is -f': F_{k+1} = (-1)^{k+1} f^{(k+1)} is its signed derivative.",
            r"(-1)^k(-f')^{(k)} = (-1)^{k+1}f^{(k+1)}",
            identity((-1) ** k * (-first[k + 1]), (-1) ** (k + 1) * first[k + 1]),
        ),
        Step(
            "Composition, strong induction: F belongs to (-f') o g, G to g', up to order n.",
            r"(-1)^{n+1}(f\circ g)^{(n+1)} = \sum_{k=0}^n\binom nk F_kG_{n-k}\ge0",
            sum_nonnegative(
                (-1) ** (n + 1) * -sympy.Sum(product, (k, 0, n)),
                (-1) ** (n + 1) * -product,
                (k, 0, n),
                {
                    first[k]: (-1) ** k * size_f,
                    second[k]: (inner_sign * (-1)) ** (n - k) * size_g,
                },
            ),
        ),
        Step(
            "Bernstein in Bernstein: it is >= 0, and its derivative is a product of CM functions.",
            r"(g_1\circ g_2)' = (g_1'\circ g_2)\,g_2'",
            all_of(
                identity(
                    sympy.diff(f(g(u)), u),
                    sympy.diff(f(g(u)), g(u)) * sympy.diff(g(u), u),
                    automatic=True,
                ),
                nonnegative(value * size_f),
            ),
        ),
    ]


def measure(parameters: Parameters) -> mpmath.mpf:
    """Minus the signed n-th derivative of (1 + log(1 + u^a))^{-p}, differentiated numerically."""
    with mpmath.workdps(50):
        p, a = mpmath.mpf(parameters["p"]), mpmath.mpf(parameters["a"])

        def composed(x: mpmath.mpf) -> mpmath.mpf:
            return (1 + mpmath.log(1 + x**a)) ** -p

        at, order = mpmath.mpf(parameters["u"]), parameters["n"]
        return -((-1) ** order) * mpmath.diff(composed, at, order)


LEMMA = Lemma(
    name="complete_monotonicity",
    doc=__doc__,
    claim=r"f\ \text{CM},\ g\ \text{Bernstein}\ \Rightarrow\ (-1)^n(f\circ g)^{(n)}\ge0",
    kind="upper",
    assumptions=(r"$(-1)^nf^{(n)}\ge0$ for $n\ge0$", r"$g\ge0$, $(-1)^ng^{(n+1)}\ge0$ for $n\ge0$"),
    steps=steps(),
    bound=sympy.S.Zero,
    measure=measure,
    parameters={
        "n": Range(0, 5, integer=True),
        "u": Range(0.1, 4.0),
        "p": Range(0.1, 3.0),
        "a": Range(0.1, 1.0),
    },
    wrong_variants=(
        WrongVariant(
            "inner function with derivatives of one sign (u^3)",
            steps=partial(steps, inner_sign=-1),
            counterexample={"n": 2, "u": 0.1, "p": 1.0, "a": 3.0},
        ),
    ),
)
