"""Proof steps, wrong variants, and the parameters with which a lemma is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from proofs_check.discharge.smt import z3_available
from proofs_check.outcome import FAILED, Discharge, Outcome

Parameters = Mapping[str, Any]
"""Parameter values by name: numbers that a test can draw."""

Measure = Callable[[Parameters], Any]
"""An independent computation of the bounded quantity (loops, mpmath or scipy)."""


@dataclass(frozen=True)
class StepResult:
    """A step after it ran: the outcome of its discharge and of the second opinion, if any."""

    sentence: str
    latex: str
    how: str
    outcome: Outcome
    second: Outcome | None = None

    @property
    def status(self) -> str:
        """The status of the step: failed if either discharge failed."""
        if self.second is not None and not self.second.ok:
            return FAILED
        return self.outcome.status

    @property
    def crashed(self) -> bool:
        """Whether a discharge raised instead of deciding."""
        return self.outcome.error or (self.second is not None and self.second.error)

    @property
    def why(self) -> str:
        """Detail of the discharge that decided the status."""
        if self.outcome.ok and self.second is not None and not self.second.ok:
            return self.second.detail
        return self.outcome.detail

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        result: dict[str, Any] = {
            "sentence": self.sentence,
            "latex": self.latex,
            "how": self.how,
            "status": self.status,
            "scope": self.outcome.scope,
            "detail": self.outcome.detail,
        }
        if self.second is not None:
            result["second"] = {"status": self.second.status, "detail": self.second.detail}
        return result


@dataclass(frozen=True)
class Step:
    """One step of a proof: a sentence, its formula in LaTeX, and a discharge that really runs.

    `second` is an independent discharge of the same fact (z3, where it is polynomial).  Where
    z3 is not installed the step rests on the first discharge alone, and the report says so by
    leaving the second one out.
    """

    sentence: str
    latex: str
    discharge: Discharge
    second: Discharge | None = None

    def run(self) -> StepResult:
        """Run the discharges; raises nothing."""
        second = None
        if self.second is not None and (self.second.how != "z3" or z3_available()):
            second = self.second.run()
        return StepResult(
            self.sentence, self.latex, self.discharge.how, self.discharge.run(), second
        )


@dataclass(frozen=True)
class Range:
    """Where a parameter is drawn from: ``[low, high]``, whole numbers if `integer`."""

    low: float
    high: float
    integer: bool = False


@dataclass(frozen=True)
class WrongVariant:
    """A claim that is close to the lemma and false, kept to show that the check can say no.

    Give at least one of the two refutations; every one given must refute.

    Attributes
    ----------
    name : str
        What is wrong, e.g. ``"exponent off by one"`` or ``"assumption c >= L/2 dropped"``.
    steps : callable or None
        The same proof machinery applied to the mutated claim: returns the mutated steps, of
        which at least one must fail by deciding (a crash does not count).
    counterexample : mapping or None
        Parameters at which the measured value violates the mutated bound.
    bound : sympy.Expr or None
        The mutated bound; None keeps the lemma's (an assumption was dropped).
    measure : callable or None
        The measurement with the assumption dropped; None keeps the lemma's.
    """

    name: str
    steps: Callable[[], Sequence[Step]] | None = None
    counterexample: Parameters | None = None
    bound: sympy.Expr | None = None
    measure: Measure | None = None


@dataclass(frozen=True)
class Rejection:
    """How a wrong variant was refuted, or that it was not."""

    variant: str
    rejected: bool
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"variant": self.variant, "rejected": self.rejected, "detail": self.detail}
