r"""What the theorems are about: formulas, each built from the bounds that the lemmas prove.

With :math:`w_t = e^t - 1 = \sigma_t^2/\alpha_t^2` (noise to signal) the noisy covariance is
:math:`A_t = \alpha_t^2(\Gamma\otimes\Sigma + w_t I)`, so everything depends on t through w_t alone.
The tolerance is spent in three shares: a half on the rate, a quarter each on the lowering (what
the heads leave out) and on rounding.

================ =========================================================================
name             meaning
================ =========================================================================
``LOWER``        f(pi) mu_min, a lower bound of eig(Gamma x Sigma)
``UPPER``        (1 + 2 T_0) mu_max, an upper bound; T_0 >= the sum of gamma over 0 < k <= N/2
``KAPPA``        condition number of A_t at t_min, where it is largest
``ALLOWED``      |Gamma~ - Gamma| |Sigma| that the lowering may cost
``KAPPA_HEADS``  condition number of what such heads carry
``DEPTH``        sufficient number of blocks, by method (round up)
``DEPTH_SIMPLE`` a little more, in elementary form
================ =========================================================================
"""

from __future__ import annotations

import sympy

from proofs_check import lemmas
from proofs_check.lemmas.perturbation import delta, e
from proofs_check.lemmas.symbol_minimum import SYMBOL
from proofs_check.lemmas.trapezoid_polynomial import left, right
from proofs_check.symbols import K, L, N, ell, kappa, m, nu, power, t

METHODS = ("gradient", "chebyshev")
RATE_LEMMA = {"gradient": "gradient_descent", "chebyshev": "chebyshev"}
ROUNDING_LEMMA = {"gradient": "rounding_gradient", "chebyshev": "rounding"}

tol = sympy.Symbol("tol", positive=True)
"""Relative rms score error, below 1."""
w = sympy.Symbol("w", positive=True)
"""Noise to signal ratio sigma^2/alpha^2 at t_min."""
NOISE = sympy.exp(t) - 1
mu_min, mu_max = sympy.symbols("mu_min mu_max", positive=True)
"""eig(Sigma) lies in [mu_min, mu_max]."""
T_0 = sympy.Symbol("T_0", nonnegative=True)
"""Bound of the sum of gamma(k) over 0 < k <= N/2."""
E = sympy.Symbol("E", nonnegative=True)
"""|Gamma~ - Gamma| |Sigma| of the lowering."""
tail = sympy.Symbol("delta_T", positive=True)
"""Sum of the lags that a band may drop."""
HALF = sympy.floor(N / 2)
"""The longest lag of the middle row on either side."""
tau = sympy.Symbol("tau", positive=True)
"""Error that each lag of a sum of exponentials may have."""

RATE_SHARE = sympy.Rational(1, 2)
LOWERING_SHARE = sympy.Rational(1, 4)
ROUNDING_SHARE = sympy.Rational(1, 4)

LOWER = SYMBOL * mu_min
UPPER = (1 + 2 * T_0) * mu_max
KAPPA = (UPPER + w) / (LOWER + w)

SHARE = sympy.cancel(LOWERING_SHARE * tol / (1 + tol + LOWERING_SHARE * tol))
"""ALLOWED relative to LOWER + w: solves (1 + tol) x / (1 - x) = tol/4."""
ALLOWED = SHARE * (LOWER + w)
TAIL_ALLOWED = ALLOWED / (2 * mu_max)
"""A band drops every lag twice."""
LAG_ALLOWED = ALLOWED / ((2 * N - 1) * mu_max)
"""2 N - 1 lags, the same error at each."""
KAPPA_HEADS = (kappa + SHARE) / (1 - SHARE)

_RATES = {
    # the lemmas' rates in terms of the condition number
    "gradient": (kappa - 1) / (kappa + 1),
    "chebyshev": (sympy.sqrt(kappa) - 1) / (sympy.sqrt(kappa) + 1),
}
RATE = {
    name: lemmas.get(RATE_LEMMA[name]).bound.subs({L: kappa * m}).subs(m, 1) for name in METHODS
}
"""delta_K as a function of kappa and K: the lemmas' bounds on [1, kappa]."""
DEPTH = {
    "gradient": sympy.log(2 / tol) / sympy.log((kappa + 1) / (kappa - 1)),
    "chebyshev": sympy.acosh(2 / tol)
    / sympy.log((sympy.sqrt(kappa) + 1) / (sympy.sqrt(kappa) - 1)),
}
DEPTH_SIMPLE = {
    "gradient": kappa / 2 * sympy.log(2 / tol),
    "chebyshev": sympy.sqrt(kappa) / 2 * sympy.log(4 / tol),
}
GAIN = {"gradient": (kappa + 1) / 2, "chebyshev": ((sympy.sqrt(kappa) + 1) / 2) ** 2}
"""How much the errors of single blocks can add up to (lemmas on rounding)."""

ERROR = lemmas.get("perturbation").bound.subs({e: E, m: LOWER + w - E}, simultaneous=True)
"""The relative rms error in exact arithmetic: delta is delta_K for KAPPA_HEADS."""

_NAMES = {
    tol: r"\varepsilon",
    ell: r"\ell",
    SYMBOL: r"f_\pi",
    mu_min: r"\mu_{\min}",
    mu_max: r"\mu_{\max}",
    tail: r"\delta_T",
    power: "p",
    nu: r"\nu",
    kappa: r"\kappa",
    T_0: "T_0",
    delta: r"\delta_K",
    K: "K",
    left: "n",
    right: "r",
}


def readable(expr: sympy.Expr, power_name: str = "p") -> str:
    r"""LaTeX with the theory's letters; `power_name` is p or q.

    >>> readable(DEPTH_SIMPLE["gradient"])
    '\\frac{\\kappa \\log{\\left(\\frac{2}{\\varepsilon} \\right)}}{2}'
    """
    latex = str(sympy.latex(expr, symbol_names={**_NAMES, power: power_name}))
    return latex.replace(r"\operatorname{acosh}", r"\operatorname{arcosh}")
