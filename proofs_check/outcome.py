"""What a discharged proof step can say about itself.

The six statuses are the whole vocabulary of a proof report.  A step that a
machine did not prove is never called proved: it is *cited* (somebody else's
theorem, with the source), *checked numerically* (true at the points tried), or
*failed*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from unroll.errors import ArgumentError

PROVED_SYMPY = "proved (sympy)"
PROVED_Z3 = "proved (z3)"
PROVED_BOX = "proved on a box (arb)"
CHECKED = "checked numerically"
CITED = "cited"
FAILED = "failed"

STATUSES = (PROVED_SYMPY, PROVED_Z3, PROVED_BOX, CHECKED, CITED, FAILED)

EVERYWHERE = "all parameter values"


@dataclass(frozen=True)
class Outcome:
    """Result of running one discharge.

    Attributes
    ----------
    status : str
        One of `STATUSES`.
    detail : str
        What was done, or why it failed (with the offending point if there is one).
    scope : str
        For which parameters the status holds, e.g. ``"all parameter values"`` or
        ``"sizes 2 x 3"``.  A box or a fixed size is never reported as everywhere.
    error : bool
        The discharge crashed instead of deciding.  A crash fails a proof, but it does not
        count as the rejection of a wrong variant.
    """

    status: str
    detail: str
    scope: str = EVERYWHERE
    error: bool = False

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ArgumentError("status", self.status, "unknown", f"use one of {STATUSES}")

    @property
    def ok(self) -> bool:
        """Not failed."""
        return self.status != FAILED

    @property
    def proved(self) -> bool:
        """Proved for all parameter values in scope (a box does not count)."""
        return self.status in (PROVED_SYMPY, PROVED_Z3)


@dataclass(frozen=True)
class Discharge:
    """A way to establish a step: a description, and a function that really does it."""

    how: str
    decide: Callable[[], Outcome]

    def run(self) -> Outcome:
        """Run it; any exception becomes a failed outcome, so that a report is always complete."""
        try:
            return self.decide()
        except Exception as error:  # a proof report must survive any failure
            return Outcome(FAILED, f"{type(error).__name__}: {error}", error=True)


def failed(detail: str) -> Outcome:
    """The failing outcome, with its reason."""
    return Outcome(FAILED, detail)
