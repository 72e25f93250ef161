"""Branch and bound in ball arithmetic: a positive expression on a compact parameter box.

Rigorous on the box, and reported as nothing more than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy

from proofs_check.outcome import PROVED_BOX, Discharge, Outcome, failed

PRECISION_BITS = 128


def covering(
    expr: Any, box: Mapping[sympy.Symbol, tuple[Any, Any]], *, max_boxes: int = 20_000
) -> Discharge:
    """``expr > 0`` for all parameters in `box` (symbol -> (low, high), low < high, both finite).

    Boxes that are not decided are halved along their relatively widest side.  An expression that
    vanishes somewhere on the box cannot be covered: shrink the box or factor out the zero.
    """

    def decide() -> Outcome:
        import flint

        from proofs_check.enclose import enclose, interval

        missing = expr.free_symbols ^ set(box)
        if missing:
            return failed(f"box and expression disagree about {sorted(map(str, missing))}")
        edges = {s: (sympy.Rational(a), sympy.Rational(b)) for s, (a, b) in box.items()}
        flat = [s for s, (a, b) in edges.items() if not a < b]
        if flat or not edges:
            return failed(f"the box collapsed to a point in {flat or 'every direction'}")
        previous, flint.ctx.prec = flint.ctx.prec, PRECISION_BITS
        try:
            pending, used = [edges], 0
            while pending:
                piece = pending.pop()
                used += 1
                value = enclose(expr, {s: interval(*ends) for s, ends in piece.items()})
                if value > 0:
                    continue
                middle = {s: (a + b) / 2 for s, (a, b) in piece.items()}
                if enclose(expr.subs(middle), {}) <= 0:
                    return failed(f"not positive at {middle}")
                if used >= max_boxes:
                    return failed(f"undecided after {used} boxes, e.g. near {middle}")
                widest = max(
                    piece, key=lambda s: (piece[s][1] - piece[s][0]) / (edges[s][1] - edges[s][0])
                )
                low, high = piece[widest]
                pending += [
                    {**piece, widest: (low, middle[widest])},
                    {**piece, widest: (middle[widest], high)},
                ]
        finally:
            flint.ctx.prec = previous
        domain = ", ".join(f"{s} in [{a}, {b}]" for s, (a, b) in edges.items())
        return Outcome(PROVED_BOX, f"{used} boxes", scope=domain)

    return Discharge("covering", decide)
