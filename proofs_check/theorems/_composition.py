"""The skeleton of all three proofs, and the false claims that it must get stuck at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import sympy

from proofs_check.discharge import all_of, limit
from proofs_check.outcome import Discharge
from proofs_check.step import Step, WrongVariant
from proofs_check.symbols import N
from proofs_check.theorems._budget import (
    band_steps,
    head_steps,
    lowering_steps,
    total_steps,
)
from proofs_check.theorems._depth import depth_steps, rests_on, spectrum_steps
from proofs_check.theorems._mixtures import every_lag_step
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


def compose(
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
        *depth_steps(),
        *lowering_steps(),
        *band_steps(),
        *band,
        *head_steps(),
        *heads,
        *total_steps(),
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


def mutations() -> list[WrongVariant]:
    """Every shared formula made a little too generous, in the steps that are about it."""

    def scaled(
        formulas: Mapping[str, sympy.Expr], name: str, factor: sympy.Expr
    ) -> dict[str, sympy.Expr]:
        return {**formulas, name: formulas[name] * factor}

    half, two_thirds = sympy.Rational(1, 2), sympy.Rational(2, 3)
    wrong = {
        "half the depth of gradient descent": partial(
            depth_steps, depth=scaled(DEPTH, "gradient", half)
        ),
        "half the depth of the Chebyshev iteration": partial(
            depth_steps, depth=scaled(DEPTH, "chebyshev", half)
        ),
        "kappa/3 instead of kappa/2 in the elementary depth": partial(
            depth_steps, simple=scaled(DEPTH_SIMPLE, "gradient", two_thirds)
        ),
        "sqrt(kappa)/3 instead of sqrt(kappa)/2 in the elementary depth": partial(
            depth_steps, simple=scaled(DEPTH_SIMPLE, "chebyshev", two_thirds)
        ),
        "heads may leave out a quarter more": partial(
            lowering_steps, allowed=ALLOWED * sympy.Rational(5, 4)
        ),
        "a band drops every lag once": partial(band_steps, tail_allowed=2 * TAIL_ALLOWED),
        "every lag of the exponentials counted once": partial(
            lambda allowed: [every_lag_step(allowed)], ALLOWED / (N * mu_max)
        ),
        "rounding errors amplified kappa/2 times": partial(
            total_steps, gain={**GAIN, "gradient": GAIN["gradient"] - half}
        ),
    }
    return [WrongVariant(name, steps=steps) for name, steps in wrong.items()]
