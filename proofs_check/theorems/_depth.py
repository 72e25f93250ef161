"""Steps that all theorems share: from the spectrum to the depth."""

from __future__ import annotations

from collections.abc import Mapping

import sympy

from proofs_check.discharge import all_of, identity, lemma, monotone, nonnegative
from proofs_check.lemmas.row_sums import AFTER, BEFORE, CENTRE, ROW
from proofs_check.step import Step
from proofs_check.symbols import K, kappa
from proofs_check.theorems.quantities import (
    DEPTH,
    DEPTH_SIMPLE,
    KAPPA,
    LOWER,
    METHODS,
    RATE,
    RATE_LEMMA,
    RATE_SHARE,
    T_0,
    UPPER,
    mu_max,
    tol,
    w,
)

ROOT = {"gradient": kappa, "chebyshev": sympy.sqrt(kappa)}
"""What x is in the contraction (x - 1)/(x + 1)."""
_LATEX_ROOT = {"gradient": r"\kappa", "chebyshev": r"\sqrt\kappa"}
_TITLE = {"gradient": "Gradient descent", "chebyshev": "Chebyshev"}
_above = sympy.Symbol("q", positive=True)


def rests_on(name: str, sentence: str, latex: str) -> Step:
    """A step that is a lemma: its proof runs, and its weakest status is the step's."""
    return Step(sentence, latex, lemma(name))


def spectrum_steps() -> list[Step]:
    """The eigenvalues of A_t, and why t_min is the hardest diffusion time."""
    return [
        rests_on(
            "score_minimises_quadratic",
            "A block is one step on the quadratic that the score minimises.",
            r"s_t=-A_t^{-1}(V-\alpha_tM)",
        ),
        rests_on(
            "symbol_minimum",
            "No eigenvalue of the temporal covariance is below f(pi), for any number of frames.",
            r"\lambda_{\min}(\Gamma)\ge f_\pi>0",
        ),
        rests_on(
            "operator_norm",
            "No eigenvalue of a symmetric matrix is above its largest absolute row sum.",
            r"\|E\|_2\le\max_i\sum_j|E_{ij}|\le|e_0|+2\sum_{0<k<N}|e_k|",
        ),
        rests_on(
            "row_sums",
            "The middle row of the temporal covariance has the largest sum.",
            r"\max_i\sum_j\gamma(|i-j|)\le1+2\sum_{0<k\le N/2}\gamma(k)",
        ),
        Step(
            "So no eigenvalue of the temporal covariance is above 1 + 2 T_0.",
            r"\lambda_{\max}(\Gamma)\,\mu_{\max}\le(1+2T_0)\,\mu_{\max},"
            r"\qquad T_0\ge\sum_{0<k\le N/2}\gamma(k)",
            identity(
                ROW.subs({BEFORE: 1 + T_0, AFTER: 1 + T_0, CENTRE: 1}) * mu_max,
                UPPER,
                automatic=True,
            ),
        ),
        rests_on(
            "noisy_spectrum",
            "Noise improves the condition number: it is largest at t_min.",
            r"\kappa_t\le\frac{u_Gu_S+w_t}{l_Gl_S+w_t},\quad w_t = e^t-1",
        ),
        Step(
            "With the bounds of both spectra.",
            r"\kappa = \frac{(1+2T_0)\mu_{\max}+w}{f_\pi\mu_{\min}+w},\quad w = e^{t_{\min}}-1",
            identity(KAPPA, (UPPER + w) / (LOWER + w), automatic=True),
        ),
    ]


def depth_steps(
    depth: Mapping[str, sympy.Expr] = DEPTH,
    simple: Mapping[str, sympy.Expr] = DEPTH_SIMPLE,
) -> list[Step]:
    """Sufficient depths, for claimed formulas."""
    steps = [
        rests_on(
            "residual_polynomial",
            "The error of K blocks is at most the largest residual on the spectrum.",
            r"\bigl(E\|\hat s-s\|^2/E\|s\|^2\bigr)^{1/2}\le\delta_K = \max_{[m,L]}|r_K|",
        )
    ]
    for method in METHODS:
        steps += _rate(method)
        steps += [_sufficient(method, depth[method]), _simple(method, simple[method])]
    return [
        *steps,
        rests_on(
            "chebyshev_optimality",
            "No iteration of this kind needs fewer blocks for every spectrum in the interval.",
            r"\max_{[m,L]}|r|\ge1/\cosh(cK)\qquad(\deg r\le K,\ r(0)=1)",
        ),
    ]


def _rate(method: str) -> list[Step]:
    """The lemma's rate through exp or cosh, and that it grows with kappa."""
    contraction, c = sympy.symbols("z c", positive=True)
    root, inner = ROOT[method], _LATEX_ROOT[method]
    through_c = sympy.exp(-c * K) if method == "gradient" else 1 / sympy.cosh(c * K)
    formula = "e^{-cK}" if method == "gradient" else r"1/\cosh(cK)"
    of_z = RATE[method].subs((root - 1) / (root + 1), contraction)
    grows = [monotone((_above - 1) / (_above + 1), _above, "increasing")]
    if method == "chebyshev":
        power = sympy.Symbol("Z", positive=True)
        inside = {power: 1 / (1 + _above)}
        grows.append(monotone(2 * power / (1 + power**2), power, "increasing", inside))
    return [
        rests_on(
            RATE_LEMMA[method],
            f"{_TITLE[method]}: its rate.",
            rf"\delta_K = {formula},\qquad e^{{-c}} = \frac{{{inner}-1}}{{{inner}+1}}",
        ),
        Step(
            f"{_TITLE[method]}: the rate in this form; it grows with the condition number.",
            rf"\delta_K = {formula},\qquad\frac{{d\delta_K}}{{d\kappa}}\ge0",
            all_of(
                identity(
                    of_z.subs(contraction, sympy.exp(-c)).rewrite(sympy.exp),
                    through_c.rewrite(sympy.exp),
                    automatic=True,
                ),
                *grows,
            ),
        ),
    ]


def _sufficient(method: str, depth: sympy.Expr) -> Step:
    """At the claimed depth the rate is its share, and beyond it less."""
    c, extra, exponent = sympy.symbols("c v y", positive=True)
    root, inner = ROOT[method], _LATEX_ROOT[method]
    log_base = sympy.log((root + 1) / (root - 1))
    through = sympy.exp(-exponent) if method == "gradient" else 1 / sympy.cosh(exponent)
    above = r"\log(2/\varepsilon)"
    if method == "chebyshev":
        above = r"\operatorname{arcosh}(2/\varepsilon)"
    return Step(
        f"{_TITLE[method]}: at this depth, and beyond it, the rate is at most tol/2.",
        rf"K\ge\frac{{{above}}}{{\log\frac{{{inner}+1}}{{{inner}-1}}}}"
        r"\ \Rightarrow\ \delta_K\le\frac\varepsilon2",
        all_of(
            identity(
                through.subs(exponent, sympy.simplify(depth * log_base)),
                RATE_SHARE * tol,
                automatic=True,
            ),
            monotone(through.subs(exponent, c * extra), extra, "decreasing"),
        ),
    )


def _simple(method: str, simple: sympy.Expr) -> Step:
    """The elementary form is not smaller: log((1+x)/(1-x)) >= 2x, arcosh y <= log 2y."""
    x, y, v, logarithm = sympy.symbols("x y v Lambda", positive=True)
    root, inner = ROOT[method], _LATEX_ROOT[method]
    excess = sympy.log((1 + x) / (1 - x)) - 2 * x
    ratio = 2 / tol if method == "gradient" else 4 / tol
    parts = [
        identity(excess.subs(x, 0), 0, automatic=True),
        nonnegative(sympy.simplify(sympy.diff(excess, x)), {x: 1 / (1 + _above)}),
        nonnegative(simple.subs(sympy.log(ratio), logarithm) - logarithm / (2 / root + v)),
    ]
    why = rf"\log\frac{{{inner}+1}}{{{inner}-1}}\ge\frac2{{{inner}}}"
    if method == "chebyshev":
        why += r",\quad\operatorname{arcosh}y\le\log2y"
        parts += [
            identity(
                sympy.cosh(sympy.log(2 * y)).rewrite(sympy.exp) - y, 1 / (4 * y), automatic=True
            ),
            identity(2 * RATE_SHARE**-1 / tol, ratio, automatic=True),
        ]
    number = "2" if method == "gradient" else "4"
    return Step(
        f"{_TITLE[method]}: an elementary depth, not smaller, so it suffices, too.",
        rf"{why}\ \Rightarrow\ K\ge\frac{{{inner}}}2\log\frac{number}\varepsilon",
        all_of(*parts),
    )
