r"""Exponential decay: a narrow band or one head suffices, and the depth does not depend on N.

Statement
---------
gamma(h) = exp(-(h/ell)^nu), 0 < nu <= 2, eig(Sigma) in [mu_min, mu_max], t >= t_min,
w = e^{t_min} - 1, 0 < tol < 1.  With T_0 the integral of gamma from 0 to N/2 and

    kappa = ((1 + 2 T_0) mu_max + w) / (f(pi) mu_min + w),  bounded: T_0 <= ell Gamma(1+1/nu),

the relative rms score error is at most tol with

- one softmax head with a sink (for nu = 1 one ALiBi head of slope 1/ell), or J + 1 ReLU heads,
  J >= ell log(N/delta)^{1/nu}, where delta = tol (f(pi) mu_min + w) / (2 mu_max (4 + 5 tol)), or,
  whatever N is, J >= ell log(1/(delta (1 - e^{-1/ell}))) - 1 for nu = 1,
  J >= ell max(1, log(ell/(nu delta)))^{1/nu} for nu > 1, J >= ell (2 log(C/delta))^{1/nu} with
  C = (2 ell/nu)(2b/e)^b, b = 1/nu - 1, for nu < 1,
- K >= log(2/tol) / log((kappa+1)/(kappa-1)) blocks of gradient descent, kappa/2 log(2/tol) is
  enough; or K >= arcosh(2/tol) / log((sqrt(kappa)+1)/(sqrt(kappa)-1)) blocks of the Chebyshev
  iteration, sqrt(kappa)/2 log(4/tol) is enough (with a band for kappa' <= kappa (1 + tol/2)),
- arithmetic that errs by at most tol/(2 (kappa'+1)) or tol/(sqrt(kappa')+1)^2 per block.

This is Theorem 1 of the paper, whose ell is our ell^nu: K = O(kappa log(1/tol)) and
J = O((ell^nu log(N/(tol sigma^2)))^{1/nu}).

Assumptions
-----------
0 < nu <= 2, 0 < mu_min <= mu_max, t_min > 0, 0 < tol < 1.

Proof
-----
f(pi) and the row sum enclose the spectrum, the tails bound what a band drops, the rates give the
depth, the perturbation lemma adds the two.  The shares of tol: rate 1/2, heads 1/4, rounding 1/4.

Kind
----
upper: the depth is exact for the worst spectrum in the interval, the enclosure of it is not.

Source
------
Fu, Dou, Guo, Wang & Chen, arXiv 2407.16134, Theorem 1; composed from the lemmas named.

Example
-------
>>> problem = dict(ell=8.0, nu=1.0, N=64, f_pi=0.0624, mu_min=1.0, mu_max=1.0, t=0.01, tol=1e-6)
>>> design = THEOREM.design(problem)
>>> design.bandwidth, design.depth["gradient"], design.depth["chebyshev"]
(63, 1674, 116)
"""

from __future__ import annotations

from functools import partial

import sympy

from proofs_check import lemmas
from proofs_check.discharge import all_of, identity, monotone, nonnegative
from proofs_check.lemmas._kernels import EXPONENTIAL
from proofs_check.lemmas.tail_count import GAMMA_FIRST
from proofs_check.lemmas.tail_geometric import delta
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J, N, ell, h, nu, t
from proofs_check.theorems._composition import compose, grows_like, mutations
from proofs_check.theorems._depth import rests_on
from proofs_check.theorems._evidence import (
    PARAMETERS,
    POINT,
    derived,
    measured,
    refutations,
)
from proofs_check.theorems.quantities import ERROR, HALF, TAIL_ALLOWED, mu_max, tail, tol, w
from proofs_check.theorems.theorem import Case, Theorem

_HALF = lemmas.get("tail_exponential").also["finite"].subs({J: 0, N: HALF + 1})
_COUNT = lemmas.get("tail_count").bound.subs(GAMMA_FIRST, EXPONENTIAL.subs(h, J + 1))
_LIMIT = (lemmas.get("growth_exponential").bound - 1) / 2
_TAIL = {
    "geometric": lemmas.get("tail_geometric"),
    "fast": lemmas.get("tail_exponential_fast"),
    "slow": lemmas.get("tail_exponential_slow"),
}
PAPER = ell * sympy.log(N / tail) ** (1 / nu)
"""Sufficient for a tail of ``delta_T``, for every nu; 18 mu_max/(tol sigma^2) >= 1/delta_T."""


def bandwidth(name: str) -> sympy.Expr:
    """The lemma's sufficient bandwidth for a tail of ``delta_T``."""
    return _TAIL[name].also["bandwidth"].subs(delta, tail)


def band_lemmas(
    geometric: sympy.Expr | None = None, paper: sympy.Expr = PAPER, constant: int = 18
) -> list[Step]:
    """The bandwidths: claimed ones at nu = 1 and of the paper, and a claimed constant."""
    geometric = bandwidth("geometric") if geometric is None else geometric
    limit = _TAIL["geometric"].also["limit"]
    s, u, v = sympy.symbols("s u v", nonnegative=True)
    y = sympy.Symbol("y", positive=True)
    return [
        rests_on(
            "tail_geometric",
            "Tail and bandwidth for nu = 1, exactly.",
            r"J\ge\ell\log\frac1{\delta(1-e^{-1/\ell})}-1\ \Rightarrow\ T_N(J)\le\delta",
        ),
        Step(
            "With the tail that a band may drop: its share of the tolerance, used up.",
            r"T_\infty(J) = \delta_T",
            identity(limit.subs(J, geometric), tail, automatic=True),
        ),
        rests_on(
            "tail_exponential_fast",
            "Tail and bandwidth for nu >= 1.",
            r"J\ge\ell\,\bigl(\max(1,\log\tfrac\ell{\nu\delta})\bigr)^{1/\nu}"
            r"\ \Rightarrow\ T_N(J)\le\delta",
        ),
        rests_on(
            "tail_exponential_slow",
            "Tail and bandwidth for nu < 1.",
            r"J\ge\ell\,\bigl(2\log\tfrac C\delta\bigr)^{1/\nu}\ \Rightarrow\ T_N(J)\le\delta",
        ),
        rests_on(
            "tail_count",
            "Every tail is at most the number of its lags times the first of them.",
            r"T_N(J)\le(N-1-J)\,\gamma(J+1)\le N\gamma(J)",
        ),
        Step(
            "So the paper's bandwidth suffices, for every nu.",
            r"J\ge\ell\Bigl(\log\frac N{\delta_T}\Bigr)^{1/\nu}"
            r"\ \Rightarrow\ N\gamma(J)\le\delta_T",
            all_of(
                identity(
                    N * EXPONENTIAL.subs(h, paper).subs(sympy.log(N / tail), y),
                    N * sympy.exp(-y),
                    automatic=True,
                ),
                identity(N * sympy.exp(-sympy.log(N / tail)), tail, automatic=True),
                monotone(sympy.exp(-y), y, "decreasing"),
            ),
        ),
        Step(
            "In its terms: w >= sigma^2 and tol < 1 bound what may be dropped from below.",
            r"\delta_T\ge\frac{\varepsilon\sigma^2}{18\,\mu_{\max}}\ \Rightarrow\ "
            r"J\le\Bigl(\ell^\nu\log\frac{18\,\mu_{\max}N}{\varepsilon\,\sigma^2}\Bigr)^{1/\nu}",
            all_of(
                nonnegative(
                    (TAIL_ALLOWED - tol * s / (constant * mu_max)) * mu_max,
                    {tol: 1 / (1 + u), w: s + v},
                ),
                identity(
                    sympy.exp(t) - 1 - (1 - sympy.exp(-t)),
                    sympy.exp(-t) * (sympy.exp(t) - 1) ** 2,
                ),
            ),
        ),
    ]


def steps() -> list[Step]:
    """The proof."""
    y, c = sympy.symbols("y c", positive=True)
    return compose(
        all_lags=[
            rests_on(
                "tail_exponential",
                "The lags up to N/2 are at most an incomplete gamma function.",
                r"T_0 = \frac\ell\nu\Bigl[\Gamma\bigl(\tfrac1\nu\bigr)-\Gamma\bigl(\tfrac1\nu,"
                r"\bigl(\tfrac{\lfloor N/2\rfloor}\ell\bigr)^\nu\bigr)\Bigr]",
            ),
            rests_on(
                "growth_exponential",
                "The largest eigenvalue is bounded in N.",
                r"\lambda_{\max}(\Gamma)\le1+2\ell\,\Gamma(1+\tfrac1\nu)",
            ),
            Step(
                "Because all lags together are.",
                r"T_0\le\frac\ell\nu\Gamma\bigl(\tfrac1\nu\bigr) = \ell\,\Gamma(1+\tfrac1\nu)",
                identity(1 + 2 * ell / nu * sympy.gamma(1 / nu), 1 + 2 * _LIMIT),
            ),
        ],
        heads=[
            Step(
                "For nu = 1 the kernel is one exponential: one head.",
                r"e^{-(h/\ell)^1} = e^{-h/\ell}",
                identity(EXPONENTIAL.subs(nu, 1), sympy.exp(-h / ell), automatic=True),
            ),
        ],
        band=band_lemmas(),
        growth=[
            grows_like(
                "The bandwidths grow with the logarithm of the accuracy, delta = e^{-y}.",
                r"\frac{\log(\ell/(\nu\delta))}{\log(1/\delta)}\to1,\qquad"
                r"\frac{2\log(C/\delta)}{\log(1/\delta)}\to2",
                (sympy.log(ell / nu * sympy.exp(y)) / y, y, sympy.Integer(1)),
                (2 * sympy.log(c * sympy.exp(y)) / y, y, sympy.Integer(2)),
            )
        ],
    )


def case(condition: str, low: float, high: float, name: str, heads: int | None) -> Case:
    """The formulas for low <= nu <= high; where these are equal, with nu put in."""
    found = _TAIL[name]

    def at(expr: sympy.Expr) -> sympy.Expr:
        return sympy.expand_func(expr.subs(nu, low)) if low == high else expr

    exponentials = None if heads is None else sympy.Integer(heads)
    return Case(
        condition=condition,
        holds=lambda parameters: low <= parameters["nu"] <= high,
        total=at(_HALF),
        total_limit=at(_LIMIT),
        tail=sympy.Min(at(found.bound), at(_COUNT), evaluate=False),
        bandwidth=sympy.Min(at(bandwidth(name)), at(PAPER), evaluate=False),
        exponentials=exponentials,
        orders={
            "kappa": sympy.Integer(1),
            "bandwidth": at(ell * sympy.log(1 / (tol * w)) ** (1 / nu)),
            "exponentials": exponentials,
        },
        monotone=high <= 1,
    )


def measure(parameters: Parameters) -> float:
    """The error of the design, from dense matrices."""
    return measured(THEOREM, parameters)


_WITNESS = {**POINT, "ell": 4.0, "nu": 1.0}

THEOREM: Theorem = Theorem(
    name="exponential",
    regime="exponential",
    doc=__doc__,
    claim=r"J = O\Bigl(\bigl(\ell^\nu\log\tfrac N{\varepsilon\sigma^2}\bigr)^{1/\nu}\Bigr),\quad "
    r"K = O\bigl(\kappa\log\tfrac1\varepsilon\bigr)\ \text{or}\ "
    r"O\bigl(\sqrt\kappa\log\tfrac1\varepsilon\bigr),\quad\kappa = O(1)\ (N\to\infty)",
    kind="upper",
    assumptions=(
        r"$\gamma(h)=e^{-(h/\ell)^\nu}$, $0<\nu\le2$",
        r"eigenvalues of $\Sigma$ in $[\mu_{\min},\mu_{\max}]$, $\mu_{\min}>0$",
        r"$t\ge t_{\min}>0$, $0<\varepsilon<1$",
    ),
    steps=steps(),
    bound=ERROR,
    measure=measure,
    derive=lambda parameters: derived(THEOREM, parameters),
    parameters={**PARAMETERS, "ell": Range(0.3, 8.0), "nu": Range(0.2, 2.0)},
    wrong_variants=(
        *refutations(lambda: THEOREM, _WITNESS, {**_WITNESS, "N": 400}),
        WrongVariant(
            "bandwidth ell log(1/delta)",
            steps=partial(band_lemmas, geometric=ell * sympy.log(1 / tail)),
        ),
        WrongVariant(
            "the paper's bandwidth with the exponent nu",
            steps=partial(band_lemmas, paper=ell * sympy.log(N / tail) ** nu),
        ),
        WrongVariant(
            "10 instead of 18 in the paper's shape", steps=partial(band_lemmas, constant=10)
        ),
        *mutations(),
    ),
    cases=(
        case(r"\nu=1", 1, 1, "geometric", 1),
        case(r"\nu>1", 1, 2, "fast", None),
        case(r"0<\nu<1", 0, 1, "slow", None),
    ),
    kernel=EXPONENTIAL,
    parts=((r"J\ge", "the paper's bandwidth, for every nu", PAPER),),
)
