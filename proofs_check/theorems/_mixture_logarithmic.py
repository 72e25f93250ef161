"""How many exponentials carry the logarithmic kernel: lemma trapezoid_logarithmic made concrete."""

from __future__ import annotations

import sympy

from proofs_check import lemmas
from proofs_check.discharge import all_of, identity, monotone, nonnegative, positive
from proofs_check.lemmas.trapezoid_logarithmic import LEAST_GAMMA, average, theta
from proofs_check.lemmas.trapezoid_polynomial import CORNER as EDGE_RATE
from proofs_check.lemmas.trapezoid_polynomial import left, spacing, strip
from proofs_check.step import Step
from proofs_check.symbols import N, ell, power
from proofs_check.theorems._mixtures import STRIP, eta, geometric_step, heads, spacing_for, x, y
from proofs_check.theorems.quantities import tau

THETA = sympy.Rational(1, 4)
_MIDDLE = average(1 / sympy.sqrt(2))
"""c, the average at cos(STRIP)."""
_INNER = average((1 - THETA) / sympy.sqrt(2))
"""d."""
SPACING = spacing_for(_MIDDLE, tau / 6)
SMALLEST = sympy.log(3 * (1 + eta) * N / (LEAST_GAMMA * ell * tau)) / eta
"""n + 1."""
CORNER = sympy.log(6 * _INNER / tau) / THETA
"""e^{(r + 1) eta}."""
HEADS = heads(SPACING, SMALLEST, CORNER, 1)
ORDER = sympy.log(1 / tau) * sympy.log(N / (ell * tau))


def steps(
    step: sympy.Expr = SPACING,
    smallest: sympy.Expr = SMALLEST,
    corner: sympy.Expr | None = None,
) -> list[Step]:
    """Every term of lemma trapezoid_logarithmic, for claimed choices."""
    found = lemmas.get("trapezoid_logarithmic").also
    (at,) = found["discretisation"].free_symbols - {power, strip, spacing}
    edge, inner, excess = sympy.symbols("c d v", positive=True)
    corner = sympy.log(6 * inner / tau) / THETA if corner is None else corner
    discretisation = found["discretisation"].subs(strip, STRIP)
    return [
        Step(
            "The strip pi/4 and theta = 1/4 are admissible.",
            r"(1-\tfrac14)\cos\tfrac\pi4>\tfrac1e",
            positive((1 - THETA) * sympy.cos(STRIP) - 1 / sympy.E),
        ),
        Step(
            "The spacing makes both discretisation terms together a third of tau.",
            r"\eta = \frac{\pi^2}{2\log(1+12c/\tau)},\ c=(1-\tfrac12\log2)^{-q}:\quad "
            r"D(1+\tfrac h\ell)+D(1)\le2D(1) = \frac\tau3",
            all_of(
                identity(2 * discretisation.subs({at: 1, spacing: step}), tau / 3, automatic=True),
                monotone((1 + y) ** -power, y, "decreasing"),
            ),
        ),
        geometric_step(),
        Step(
            "So many small rates leave out a third of tau over all lags below N.",
            r"n+1\ge\frac1\eta\log\frac{24(1+\eta)N}{7\ell\tau}:\quad"
            r"\frac N\ell\,\frac87(1+\eta)\,e^{-(n+1)\eta}\le\frac\tau3",
            all_of(
                identity(
                    found["small_rates"] * (1 - sympy.exp(-spacing)) / spacing,
                    sympy.exp(-(left + 1) * spacing) / LEAST_GAMMA,
                    automatic=True,
                ),
                identity(
                    N / ell * (1 + eta) / LEAST_GAMMA * sympy.exp(-sympy.expand(eta * smallest)),
                    tau / 3,
                    automatic=True,
                ),
                monotone(sympy.exp(-eta * x), x, "decreasing"),
            ),
        ),
        Step(
            "Large rates: with that spacing the bracket is at most 2d (d, c >= 1 and tau <= 1).",
            r"(1+\log\tfrac34)^{-q}+D(\tfrac34)\le d+d\,\frac\tau{6c}\le2d,"
            r"\quad d=(1+\log\tfrac34-\tfrac12\log2)^{-q}",
            all_of(
                identity(
                    discretisation.subs({at: 1 - THETA, spacing: step}),
                    _INNER * tau / (6 * _MIDDLE),
                    automatic=True,
                ),
                nonnegative(
                    2 * inner - inner - inner * tau / (6 * edge),
                    {tau: 1 / (1 + excess), edge: 1 + y},
                ),
                positive(sympy.log(2)),
                positive(1 + sympy.log((1 - THETA) / sympy.sqrt(2))),
            ),
        ),
        Step(
            "Rates up to X/l leave out another third, X = e^{(r+1) eta}.",
            r"X\ge4\log\frac{6d}\tau:\quad2d\,e^{-X/4}\le\frac\tau3",
            all_of(
                identity(
                    found["large_rates"] * sympy.exp(theta * EDGE_RATE),
                    average(1 - theta) + found["discretisation"].subs(at, 1 - theta),
                    automatic=True,
                ),
                identity(2 * inner * sympy.exp(-THETA * corner), tau / 3, automatic=True),
                monotone(sympy.exp(-THETA * x), x, "decreasing"),
            ),
        ),
    ]
