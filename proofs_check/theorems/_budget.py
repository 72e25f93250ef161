"""Steps that all theorems share: what heads may leave out, rounding, and the sum of the shares."""

from __future__ import annotations

from collections.abc import Mapping

import sympy

from proofs_check import lemmas
from proofs_check.discharge import all_of, identity, monotone, nonnegative, positive
from proofs_check.lemmas.operator_norm import BOUND as ROW_SUM
from proofs_check.lemmas.operator_norm import centre, others
from proofs_check.lemmas.perturbation import delta
from proofs_check.outcome import Discharge
from proofs_check.step import Step
from proofs_check.symbols import kappa
from proofs_check.theorems._depth import ROOT, rests_on
from proofs_check.theorems.quantities import (
    ALLOWED,
    ERROR,
    GAIN,
    KAPPA_HEADS,
    LOWER,
    LOWERING_SHARE,
    METHODS,
    RATE_SHARE,
    ROUNDING_LEMMA,
    ROUNDING_SHARE,
    TAIL_ALLOWED,
    E,
    mu_max,
    tol,
    w,
)


def lowering_steps(allowed: sympy.Expr = ALLOWED) -> list[Step]:
    """What the heads may leave out: definiteness, share and condition number."""
    smallest, cost, gap, top, more = sympy.symbols("m e g U v", positive=True)
    share = sympy.simplify(allowed / (LOWER + w))
    return [
        rests_on(
            "perturbation",
            "Heads that leave out a part of norm E, in units of alpha^2, cost this much.",
            r"\delta_K+(1+\delta_K)\frac E{f_\pi\mu_{\min}+w_t-E}",
        ),
        Step(
            "The cost grows with E and falls as t grows.",
            r"\frac d{dE}\frac E{m-E}\ge0,\qquad\frac d{dw}\frac E{m+w-E}\le0",
            all_of(
                monotone(cost / (smallest - cost), cost, "increasing", {smallest: cost + gap}),
                monotone(cost / (gap + more), more, "decreasing"),
            ),
        ),
        rests_on(
            "banded_definite",
            "A band that drops little stays positive definite; one that drops more need not.",
            r"\lambda_{\min}(\tilde A)\ge\lambda_{\min}(A)-2\alpha^2T_N(J)\,\|\Sigma\|",
        ),
        Step(
            "Here it does.",
            r"E\le\frac{\varepsilon}{4+5\varepsilon}(f_\pi\mu_{\min}+w)\ \Rightarrow\ "
            r"f_\pi\mu_{\min}+w-E>0",
            positive(1 - share),
        ),
        Step(
            "So much may be left out for a quarter of the tolerance, as 1 + delta_K <= 1 + tol.",
            r"E = \frac{\varepsilon}{4+5\varepsilon}(f_\pi\mu_{\min}+w)\ \Rightarrow\ "
            r"(1+\varepsilon)\frac E{f_\pi\mu_{\min}+w-E} = \frac\varepsilon4",
            identity((1 + tol) * allowed / (LOWER + w - allowed), LOWERING_SHARE * tol),
        ),
        Step(
            "The condition number of what such heads carry is hardly larger.",
            r"\kappa'\le\frac{\kappa(4+5\varepsilon)+\varepsilon}{4+4\varepsilon}",
            all_of(
                identity(
                    (top + allowed) / (LOWER + w - allowed),
                    KAPPA_HEADS.subs(kappa, top / (LOWER + w)),
                ),
                monotone(
                    (top + cost) / (smallest - cost), cost, "increasing", {smallest: cost + gap}
                ),
            ),
        ),
    ]


def band_steps(tail_allowed: sympy.Expr = TAIL_ALLOWED) -> list[Step]:
    """What a band of lags may drop."""
    return [
        Step(
            "A band drops every lag twice, so its lags may have this total.",
            r"\|\Gamma_J-\Gamma\|\,\|\Sigma\|\le2T_N(J)\,\mu_{\max},\qquad"
            r"\delta_T = \frac{\varepsilon\,(f_\pi\mu_{\min}+w)}{2\mu_{\max}(4+5\varepsilon)}",
            identity(
                mu_max * ROW_SUM.subs({centre: 0, others: tail_allowed}), ALLOWED, automatic=True
            ),
        ),
    ]


def head_steps() -> list[Step]:
    """Attention that carries what it is asked to, exactly."""
    return [
        rests_on(
            "softmax_sink",
            "One softmax head with an attention sink carries any positive kernel.",
            r"\frac{\gamma(|i-j|)}{\sum_k\gamma(|i-k|)+(Z-D_i)} = \frac{\gamma(|i-j|)}Z",
        ),
        rests_on(
            "relu_interpolant",
            "A band of lags takes one ReLU head per lag, J + 1 in all.",
            r"\sum_{m=0}^Ja_m\max(c_k-c_{m+1},0) = \gamma(k)\ (k\le J),\ 0\ (k>J)",
        ),
        rests_on(
            "relu_trapezoid",
            "In the paper's way it takes four per lag, 4 (J + 1) in all.",
            r"H_m(c_k) = 1\ (k=m),\ 0\ (k\ne m)",
        ),
    ]


def total_steps(gain: Mapping[str, sympy.Expr] = GAIN) -> list[Step]:
    """Rounding and the sum of the shares."""
    cost = sympy.Symbol("c", positive=True)
    total = RATE_SHARE * tol + LOWERING_SHARE * tol + ROUNDING_SHARE * tol
    steps = [
        rests_on(
            ROUNDING_LEMMA[method],
            f"Rounding errors of the blocks add up ({method}): at most to this multiple.",
            rf"|e_K|\le{formula}\,\max_k|\xi_k|",
        )
        for method, formula in (
            ("gradient", r"\tfrac12(\kappa'+1)"),
            ("chebyshev", r"\tfrac14(\sqrt{\kappa'}+1)^2"),
        )
    ]
    return [
        *steps,
        Step(
            "So blocks whose arithmetic errs by at most xi stay within a quarter of the tolerance.",
            r"\xi\le\frac{\varepsilon}{2(\kappa'+1)}\ \text{(gradient)},\qquad"
            r"\xi\le\frac{\varepsilon}{(\sqrt{\kappa'}+1)^2}\ \text{(Chebyshev)}",
            all_of(*(_limit(method, gain[method]) for method in METHODS)),
        ),
        Step(
            "The bound grows with the rate, so in exact arithmetic it is at most 3/4 of the "
            "tolerance.",
            r"\delta_K+(1+\delta_K)\frac E{f_\pi\mu_{\min}+w-E}"
            r"\le\frac\varepsilon2+\frac\varepsilon4",
            all_of(
                nonnegative(
                    (RATE_SHARE + LOWERING_SHARE) * tol
                    - ERROR.subs({delta: RATE_SHARE * tol, E: ALLOWED}, simultaneous=True)
                ),
                monotone(delta + (1 + delta) * cost, delta, "increasing"),
            ),
        ),
        Step(
            "Rate, lowering and rounding use up the tolerance and no more.",
            r"\frac\varepsilon2+\frac\varepsilon4+\frac\varepsilon4=\varepsilon",
            identity(total, tol, automatic=True),
        ),
    ]


def _limit(method: str, gain: sympy.Expr) -> Discharge:
    """The lemma's amplification in terms of kappa."""
    found = lemmas.get(ROUNDING_LEMMA[method]).also["limit"]
    (contraction,) = found.free_symbols
    root = ROOT[method]
    return identity(found.subs(contraction, (root - 1) / (root + 1)), gain)
