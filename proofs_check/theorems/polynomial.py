r"""Polynomial decay: a band for p > 1, a few exponentials for every p, and depth that may grow.

Statement
---------
gamma(h) = (1 + h/ell)^{-p}, p > 0, eig(Sigma) in [mu_min, mu_max], t >= t_min, w = e^{t_min} - 1,
0 < tol < 1.  With kappa = ((1 + 2 T_0) mu_max + w) / (f(pi) mu_min + w) and

    T_0 = ell/(p-1) (p > 1),  ell log(1 + (N/2)/ell) (p = 1; for p > 1, too),
    T_0 = ell/(1-p) [(1 + (N/2)/ell)^{1-p} - 1] (p < 1), N/2 rounded down,

the relative rms score error is at most tol with one of

- one softmax head with a sink;
- M = n + r + 1 exponential (ALiBi) heads with the rates e^{k eta}/ell, k = -n .. r,
  eta = pi^2/(2 log(1 + 6 2^{p/2}/tau)), n + 1 >= log(3 (eta + 1/p)/(Gamma(p) tau))/(p eta),
  e^{(r+1) eta} >= max(p + 1, 2 log(3 (1+eta) (2p/e)^p/(Gamma(p) tau))), where
  tau = tol (f(pi) mu_min + w) / ((2N-1) mu_max (4 + 5 tol)): M = O(log(1/tau)^2/p);
- J + 1 ReLU heads, delta = tol (f(pi) mu_min + w) / (2 mu_max (4 + 5 tol)):
  J >= ell [(ell/((p-1) delta))^{1/(p-1)} - 1] for p > 1, whatever N is; for p <= 1 the bandwidth
  is a fixed fraction of N, and for p < 1 no smaller one, J >= N - 1 - o(N), keeps the tail,

and the depth and arithmetic of the exponential theorem, in terms of this kappa:
kappa = O(1) for p > 1, O(log N) for p = 1, O(N^{1-p}) for p < 1.

Assumptions
-----------
p > 0, 0 < mu_min <= mu_max, t_min > 0, 0 < tol < 1.

Proof
-----
As for the exponential theorem; the quadrature lemma with its parameters chosen gives the number of
exponentials, the integral test the tails.

Kind
----
upper: the depth is exact for the worst spectrum in the interval, the enclosure of it is not.

Source
------
Composed from the lemmas named; exponential regime: Fu, Dou, Guo, Wang & Chen, arXiv 2407.16134,
Theorem 1.

Example
-------
>>> problem = dict(ell=8.0, power=2.0, N=64, f_pi=0.1, mu_min=1.0, mu_max=1.0, t=0.01, tol=1e-6)
>>> design = THEOREM.design(problem)
>>> design.exponentials, design.depth["gradient"], design.depth["chebyshev"]
(77, 1122, 95)
"""

from __future__ import annotations

from functools import partial

import sympy

from proofs_check import lemmas
from proofs_check.discharge import all_of, identity, monotone
from proofs_check.lemmas._kernels import POLYNOMIAL
from proofs_check.lemmas.tail_polynomial_summable import delta
from proofs_check.lemmas.trapezoid_polynomial import left, right
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J, N, ell, h, power
from proofs_check.theorems import _mixture_polynomial as mixture
from proofs_check.theorems._composition import compose, grows_like, mutations
from proofs_check.theorems._depth import rests_on
from proofs_check.theorems._evidence import PARAMETERS, POINT, derived, measured, refutations
from proofs_check.theorems._mixtures import every_lag_step
from proofs_check.theorems.quantities import ERROR, HALF, tail, tol, w
from proofs_check.theorems.theorem import Case, Theorem

_TAIL = {name: lemmas.get(f"tail_polynomial_{name}") for name in ("summable", "critical", "slow")}
_GROWTH = lemmas.get("growth_polynomial").also


def total(name: str, last: sympy.Expr = HALF) -> sympy.Expr:
    """The lemma's tail from lag 0 on, up to the lag `last`."""
    return _TAIL[name].bound.subs({J: 0, N: last + 1})


def bandwidth(name: str) -> sympy.Expr:
    """The lemma's sufficient bandwidth for a tail of ``delta_T``."""
    return _TAIL[name].also["bandwidth"].subs(delta, tail)


def band_lemmas(summable: sympy.Expr | None = None) -> list[Step]:
    """The bandwidths, for a claimed one for p > 1, and that there is none below N for p < 1."""
    e = sympy.Symbol("e", positive=True)
    summable = bandwidth("summable") if summable is None else summable
    return [
        *(
            rests_on(f"tail_polynomial_{name}", f"Tail and bandwidth for {words}.", formula)
            for name, words, formula in (
                (
                    "summable",
                    "p > 1",
                    r"J\ge\ell\Bigl[\Bigl(\frac\ell{(p-1)\delta}\Bigr)^{1/(p-1)}-1\Bigr]"
                    r"\ \Rightarrow\ T_N(J)\le\delta",
                ),
                (
                    "critical",
                    "p = 1",
                    r"J\ge(\ell+N-1)e^{-\delta/\ell}-\ell\ \Rightarrow\ T_N(J)\le\delta",
                ),
                (
                    "slow",
                    "p < 1",
                    r"\bigl(1+\tfrac J\ell\bigr)^{1-p}\ge\bigl(1+\tfrac{N-1}\ell\bigr)^{1-p}"
                    r"-(1-p)\tfrac\delta\ell\ \Rightarrow\ T_N(J)\le\delta",
                ),
            )
        ),
        Step(
            "With the tail that a band may drop: the bandwidth for p > 1 uses it up.",
            r"J = \ell\Bigl[\Bigl(\frac\ell{(p-1)\delta_T}\Bigr)^{1/(p-1)}-1\Bigr]"
            r"\ \Rightarrow\ T_N(J)\le\delta_T",
            identity(
                _TAIL["summable"].bound.subs(J, summable).subs(power, 1 + e), tail, automatic=True
            ),
        ),
        rests_on(
            "truncation_floor",
            "For p < 1 no bandwidth short of nearly all lags keeps the tail small.",
            r"T_N(J)\le\delta\ \Rightarrow\ J\ge N-1-\delta\,(1+\tfrac{N-1}\ell)^p",
        ),
    ]


def steps() -> list[Step]:
    """The proof."""
    e, x, y, s = sympy.symbols("e x y s", positive=True)
    fast = {power: 1 + e}
    logarithm = {h: ell * (sympy.exp(y) - 1)}
    return compose(
        all_lags=[
            rests_on(
                "growth_polynomial",
                "All lags together, and the largest eigenvalue: bounded, log N or N^{1-p}.",
                r"T_N(0)\le\frac\ell{p-1},\quad\ell\log\bigl(1+\tfrac{N-1}\ell\bigr),\quad"
                r"\frac\ell{1-p}\Bigl[\bigl(1+\tfrac{N-1}\ell\bigr)^{1-p}-1\Bigr]\qquad"
                r"(p>1,\ p=1,\ p<1)",
            ),
            Step(
                "The tails from lag 0 on; T_0 is the same with the lag N/2 in the place of N - 1.",
                r"1+2T_N(0)",
                all_of(
                    *(
                        identity(1 + 2 * total(name, N - 1), _GROWTH[name], automatic=True)
                        for name in _TAIL
                    )
                ),
            ),
            Step(
                "The kernel falls with p, so the bound for p = 1 serves for p > 1, too.",
                r"\frac{\partial}{\partial p}(1+\tfrac h\ell)^{-p}\le0",
                monotone(POLYNOMIAL.subs(logarithm), power, "decreasing"),
            ),
        ],
        heads=[
            rests_on(
                "laplace_polynomial",
                "The kernel is a mixture of exponentials of the lag: heads with linear biases.",
                r"(1+\tfrac h\ell)^{-p} = "
                r"\frac1{\Gamma(p)}\int_0^\infty x^{p-1}e^{-x}e^{-xh/\ell}dx",
            ),
            rests_on(
                "trapezoid_polynomial",
                "The trapezoidal rule in the logarithm of the rate, and its error at every lag.",
                r"\Bigl|\gamma(h)-\sum_{k=-n}^rw_ke^{-x_kh/\ell}\Bigr|\le"
                r"\gamma(h)\frac{2(\cos a)^{-p}}{e^{2\pi a/\eta}-1}+\text{two tails}",
            ),
            every_lag_step(),
            *mixture.steps(),
        ],
        band=band_lemmas(),
        growth=[
            grows_like(
                "Growth with the accuracy, delta = 1/x and tau = e^{-x}.",
                r"\frac J{\delta^{-1/(p-1)}}\to\ell\Bigl(\frac\ell{p-1}\Bigr)^{1/(p-1)},\qquad"
                r"\frac1{\eta\log(1/\tau)}\to\frac2{\pi^2},\quad\frac{p\,n\,\eta}{\log(1/\tau)}\to1",
                (
                    sympy.expand(bandwidth("summable").subs(fast).subs(tail, 1 / x) / x ** (1 / e)),
                    x,
                    ell * (ell / e) ** (1 / e),
                ),
                (sympy.log(1 + s * sympy.exp(x)) / x, x, sympy.S.One),
                (sympy.log(s * sympy.exp(x)) / x, x, sympy.S.One),
            ),
        ],
    )


def _case(condition: str, name: str, low: float, high: float) -> Case:
    """The formulas for low <= p <= high."""
    growth = {
        "summable": sympy.S.One,
        "critical": sympy.log(N),
        "slow": N ** (1 - power),
    }[name]
    band = ell * (1 / (tol * w)) ** (1 / (power - 1)) if name == "summable" else N
    summed = total(name)
    if name == "summable":
        summed = sympy.Min(summed, total("critical"), evaluate=False)
    return Case(
        condition=condition,
        holds=lambda parameters: low <= parameters["power"] <= high,
        total=summed,
        total_limit=total(name, N - 1),
        tail=_TAIL[name].bound,
        bandwidth=bandwidth(name),
        exponentials=mixture.HEADS,
        orders={"kappa": growth, "bandwidth": band, "exponentials": mixture.ORDER},
    )


def measure(parameters: Parameters) -> float:
    """The error of the design, from dense matrices."""
    return measured(THEOREM, parameters)


_WITNESS = {**POINT, "ell": 3.0, "power": 4.0}

THEOREM: Theorem = Theorem(
    name="polynomial",
    regime="polynomial",
    doc=__doc__,
    claim=r"M = O\Bigl(\tfrac1p\log^2\tfrac1\tau\Bigr),\quad "
    r"J = O\Bigl(\ell\,(\varepsilon\sigma^2)^{-1/(p-1)}\Bigr)\ (p>1),\quad"
    r"\kappa = O(1),\ O(\log N),\ O(N^{1-p})\ \text{for}\ p>1,\ p=1,\ p<1",
    kind="upper",
    assumptions=(
        r"$\gamma(h)=(1+h/\ell)^{-p}$, $p>0$",
        r"eigenvalues of $\Sigma$ in $[\mu_{\min},\mu_{\max}]$, $\mu_{\min}>0$",
        r"$t\ge t_{\min}>0$, $0<\varepsilon<1$",
    ),
    steps=steps(),
    bound=ERROR,
    measure=measure,
    derive=lambda parameters: derived(THEOREM, parameters),
    parameters={**PARAMETERS, "ell": Range(0.3, 8.0), "power": Range(0.2, 4.0)},
    wrong_variants=(
        *refutations(lambda: THEOREM, _WITNESS, {**_WITNESS, "N": 400, "digits": 1.0}),
        WrongVariant(
            "bandwidth with the exponent 1/p",
            steps=partial(
                band_lemmas, summable=ell * ((ell / ((power - 1) * tail)) ** (1 / power) - 1)
            ),
        ),
        WrongVariant(
            "half the small rates", steps=partial(mixture.steps, smallest=mixture.SMALLEST / 2)
        ),
        WrongVariant("twice the spacing", steps=partial(mixture.steps, step=2 * mixture.SPACING)),
        *mutations(),
    ),
    kernel=POLYNOMIAL,
    parts=(
        (r"\eta =", "spacing of the exponentials in the logarithm of their rate", mixture.SPACING),
        (r"n+1\ge", "small rates", mixture.SMALLEST),
        (r"e^{(r+1)\eta}\ge", "large rates", mixture.CORNER),
        (r"M =", "exponentials: n + r + 1", left + right + 1),
    ),
    cases=(
        _case("p>1", "summable", 1 + 2**-40, float("inf")),
        _case("p=1", "critical", 1 - 2**-40, 1 + 2**-40),
        _case("p<1", "slow", 0, 1),
    ),
)
