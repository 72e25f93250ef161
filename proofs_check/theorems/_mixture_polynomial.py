"""How many exponentials carry the polynomial kernel: lemma trapezoid_polynomial made concrete."""

from __future__ import annotations

import sympy

from proofs_check import lemmas
from proofs_check.discharge import all_of, identity, monotone, nonnegative
from proofs_check.lemmas._convexity import above_tangent
from proofs_check.lemmas.trapezoid_polynomial import left, right, spacing, strip
from proofs_check.step import Step
from proofs_check.symbols import power
from proofs_check.theorems._mixtures import STRIP, eta, geometric_step, heads, spacing_for, x
from proofs_check.theorems.quantities import tau

SPACING = spacing_for(2 ** (power / 2), tau / 3)
"""cos(STRIP)^-power = 2^(power/2)."""
SMALLEST = sympy.log(3 * (eta + 1 / power) / (sympy.gamma(power) * tau)) / (power * eta)
"""n + 1."""
_LARGE = 3 * (1 + eta) * (2 * power / sympy.E) ** power / sympy.gamma(power)
CORNER = sympy.Max(power + 1, 2 * sympy.log(_LARGE / tau))
"""e^{(r + 1) eta}."""
HEADS = heads(SPACING, SMALLEST, CORNER, 0)
ORDER = sympy.log(1 / tau) ** 2 / power


def steps(
    step: sympy.Expr = SPACING,
    smallest: sympy.Expr = SMALLEST,
    corner: sympy.Expr | None = None,
) -> list[Step]:
    """Every term of lemma trapezoid_polynomial is at most tau/3, for claimed choices."""
    found = lemmas.get("trapezoid_polynomial").also
    large = sympy.Symbol("C", positive=True)
    corner = 2 * sympy.log(large / tau) if corner is None else corner
    margin = sympy.Symbol("v", nonnegative=True)
    return [
        Step(
            "The spacing makes the discretisation a third of tau (gamma <= 1).",
            r"\eta = \frac{\pi^2}{2\log(1+6\cdot2^{p/2}/\tau)}:\quad"
            r"\frac{2\cdot2^{p/2}}{e^{\pi^2/(2\eta)}-1} = \frac\tau3",
            identity(
                found["discretisation"].subs(strip, STRIP).subs(spacing, step),
                tau / 3,
                automatic=True,
            ),
        ),
        geometric_step(),
        Step(
            "So many small rates leave out a third of tau, more of them less.",
            r"n+1\ge\frac1{p\eta}\log\frac{3(\eta+1/p)}{\Gamma(p)\tau}:\quad"
            r"\frac{(\eta+1/p)\,e^{-p(n+1)\eta}}{\Gamma(p)}\le\frac\tau3",
            all_of(
                identity(
                    found["small_rates"] * (1 - sympy.exp(-power * spacing)) / spacing,
                    sympy.exp(-power * (left + 1) * spacing) / sympy.gamma(power),
                    automatic=True,
                ),
                identity(
                    (eta + 1 / power)
                    / sympy.gamma(power)
                    * sympy.exp(-sympy.expand(power * eta * smallest)),
                    tau / 3,
                    automatic=True,
                ),
                monotone(sympy.exp(-power * eta * x), x, "decreasing"),
            ),
        ),
        Step(
            "Half of the exponent pays for the power of the largest rate.",
            r"X^pe^{-X}\le\Bigl(\frac{2p}e\Bigr)^pe^{-X/2}",
            above_tangent(x / 2 - power * sympy.log(x / (2 * power)) - power, x, 2 * power),
        ),
        Step(
            "Rates up to X/l leave out another third, X = e^{(r+1) eta} >= p + 1.",
            r"X\ge2\log\frac{3(1+\eta)(2p/e)^p}{\Gamma(p)\,\tau}:\quad"
            r"\frac{1+\eta}{\Gamma(p)}\Bigl(\frac{2p}e\Bigr)^pe^{-X/2}\le\frac\tau3",
            all_of(
                identity(
                    found["large_rates"].subs(right, sympy.log(x) / spacing - 1)
                    * (1 - sympy.exp(-(x - power) * spacing))
                    / spacing,
                    x**power * sympy.exp(-x) / sympy.gamma(power),
                    automatic=True,
                ),
                nonnegative(1 - 1 / (x - power), {x: power + 1 + margin}),
                identity(large / 3 * sympy.exp(-corner / 2), tau / 3, automatic=True),
                monotone(sympy.exp(-x / 2), x, "decreasing"),
            ),
        ),
    ]
