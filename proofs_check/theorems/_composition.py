"""The skeleton of all three proofs, and the false claims that it must get stuck at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import sympy

from proofs_check.discharge import all_of, limit
from proofs_check.outcome import Discharge
from proofs_check.step import Step, WrongVariant
from proofs_check.theorems._budget import (
    band_steps,
    head_steps,
    lowering_steps,
    total_steps,
)
from proofs_check.theorems._depth import depth_steps, rests_on, spectrum_steps
from proofs_check.theorems.quantities import (
    ALLOWED,
    DEPTH,
    DEPTH_SIMPLE,
    GAIN,
    KAPPA,
    LOWER,
    T_0,
    TAIL_ALLOWED,
    mu_max,
    w,
)


@dataclass(frozen=True)
class Claims:
    """The formulas that the shared steps are about; the defaults are the true ones."""

    depth: Mapping[str, sympy.Expr]
    simple: Mapping[str, sympy.Expr]
    allowed: sympy.Expr
    tail_allowed: sympy.Expr
    gain: Mapping[str, sympy.Expr]


TRUE = Claims(DEPTH, DEPTH_SIMPLE, ALLOWED, TAIL_ALLOWED, GAIN)


def compose(
    claims: Claims,
    *,
    all_lags: Sequence[Step],
    heads: Sequence[Step],
    band: Sequence[Step],
    growth: Sequence[Step],
) -> list[Step]:
    """Spectrum, depth, heads, shares, sum, and at last how all of it grows.

    Parameters
    ----------
    all_lags
        The regime's bound T_0 of the sum of all lags.
    heads
        Heads that leave out nothing or a controlled error at every lag.
    band
        The regime's bandwidths, or that there are none.
    growth
        Growth in N and tol.
    """
    return [
        *spectrum_steps(),
        *all_lags,
        *depth_steps(claims.depth, claims.simple),
        *lowering_steps(claims.allowed),
        *band_steps(claims.tail_allowed),
        *band,
        *head_steps(),
        *heads,
        *total_steps(claims.gain),
        *growth,
        rests_on(
            "symbol_elementary",
            "In closed form (for the exponential regime where nu <= 1): f(pi) >= (1 - gamma(1))/2.",
            r"\frac{1-\gamma(1)}2\le f_\pi\le1-\gamma(1)",
        ),
        Step(
            "The condition number grows in proportion to T_0.",
            r"\frac\kappa{T_0}\to\frac{2\mu_{\max}}{f_\pi\mu_{\min}+w}\quad(T_0\to\infty)",
            limit(KAPPA / T_0, T_0, sympy.oo, 2 * mu_max / (LOWER + w)),
        ),
    ]


def grows_like(
    sentence: str,
    latex: str,
    *ratios: tuple[sympy.Expr, sympy.Symbol, sympy.Expr],
    because: Sequence[Discharge] = (),
) -> Step:
    """Quotients of a formula and its order have positive limits: ``(quotient, variable, limit)``
    with the variable growing without bound; `because` holds the algebra that led to it.
    """
    return Step(
        sentence,
        latex,
        all_of(
            *because,
            *(limit(ratio, variable, sympy.oo, value) for ratio, variable, value in ratios),
        ),
    )


def mutations(steps: Callable[..., list[Step]]) -> list[WrongVariant]:
    """Every shared formula made a little too generous."""
    half = {name: formula / 2 for name, formula in DEPTH.items()}
    wrong = {
        "half the depth of gradient descent": replace(
            TRUE, depth={**DEPTH, "gradient": half["gradient"]}
        ),
        "half the depth of the Chebyshev iteration": replace(
            TRUE, depth={**DEPTH, "chebyshev": half["chebyshev"]}
        ),
        "kappa/3 instead of kappa/2 in the elementary depth": replace(
            TRUE, simple={**DEPTH_SIMPLE, "gradient": DEPTH_SIMPLE["gradient"] * 2 / 3}
        ),
        "sqrt(kappa)/3 instead of sqrt(kappa)/2 in the elementary depth": replace(
            TRUE, simple={**DEPTH_SIMPLE, "chebyshev": DEPTH_SIMPLE["chebyshev"] * 2 / 3}
        ),
        "heads may leave out a quarter more": replace(TRUE, allowed=ALLOWED * 5 / 4),
        "a band drops every lag once": replace(TRUE, tail_allowed=2 * TAIL_ALLOWED),
        "rounding errors amplified kappa/2 times": replace(
            TRUE, gain={**GAIN, "gradient": GAIN["gradient"] - sympy.Rational(1, 2)}
        ),
    }
    return [
        WrongVariant(name, steps=partial(steps, claims=claims)) for name, claims in wrong.items()
    ]
