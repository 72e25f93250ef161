"""Sentences that follow from numbers: an ordering or a slope holds, fails, or is left open."""

from __future__ import annotations

from constructions.learned.experiments.table import Interval

__all__ = ["falls", "slopes_said"]


def falls(change: str, before: Interval, after: Interval, what: str) -> str:
    """Whether the means fall, by more than both intervals."""
    if after.high < before.low:
        verdict = "falls, as the theory says"
    elif after.low > before.high:
        verdict = "RISES, against the theory"
    else:
        verdict = "is not told apart"
    return f"{change}: {what} {verdict} ({before} to {after})"


def slopes_said(where: str, found: Interval, theory: float) -> str:
    """Whether a slope's interval holds the theory's."""
    if found.low <= theory <= found.high:
        verdict = f"agrees with {theory:g}"
    elif found.mean > theory:
        verdict = f"is above {theory:g}"
    else:
        verdict = f"is below {theory:g}"
    return f"{where}: slope {found} {verdict}"
