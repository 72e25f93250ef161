"""Proof steps that several lemmas need, stated once."""

from __future__ import annotations

import sympy

from proofs_check.discharge import all_of, identity, nonnegative
from proofs_check.step import Step
from proofs_check.symbols import K


def powers_keep_order() -> Step:
    """0 <= a <= rho implies a^K <= rho^K, by induction on K."""
    small, gap, difference = sympy.symbols("a u D", nonnegative=True)
    large = small + gap
    return Step(
        "Powers keep the order, by induction on K: D >= 0 stands for the case K.",
        r"\rho^{K+1}-a^{K+1} = \rho\,(\rho^K-a^K) + a^K(\rho-a) \ge 0",
        all_of(
            identity(
                large ** (K + 1) - small ** (K + 1),
                large * (large**K - small**K) + small**K * gap,
            ),
            nonnegative(large * difference + small**K * gap),
        ),
    )
