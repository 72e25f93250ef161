"""Combination, citation, and the numerical check that is called nothing better than that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from proofs_check.outcome import (
    CHECKED,
    CITED,
    EVERYWHERE,
    PROVED_BOX,
    PROVED_SYMPY,
    PROVED_Z3,
    Discharge,
    Outcome,
    failed,
)

if TYPE_CHECKING:
    from proofs_check.lemma import Lemma
    from proofs_check.report import Report

_WEAKEST_FIRST = (CITED, CHECKED, PROVED_BOX, PROVED_Z3, PROVED_SYMPY)
MIN_POINTS = 20


def all_of(*discharges: Discharge) -> Discharge:
    """All of them; the status is the weakest one, the scope is the narrowest one's."""

    def decide() -> Outcome:
        if not discharges:
            return failed("vacuous: nothing to discharge")
        outcomes = [discharge.run() for discharge in discharges]
        for discharge, outcome in zip(discharges, outcomes, strict=True):
            if not outcome.ok:
                return Outcome(
                    outcome.status, f"{discharge.how}: {outcome.detail}", error=outcome.error
                )
        weakest = min(outcomes, key=lambda outcome: _WEAKEST_FIRST.index(outcome.status))
        scopes = list(dict.fromkeys(o.scope for o in outcomes if o.scope != EVERYWHERE))
        pairs = zip(discharges, outcomes, strict=True)
        said = dict.fromkeys(f"{discharge.how}: {outcome.detail}" for discharge, outcome in pairs)
        return Outcome(weakest.status, "; ".join(said), scope=" and ".join(scopes) or EVERYWHERE)

    return Discharge(" + ".join(dict.fromkeys(discharge.how for discharge in discharges)), decide)


def cited(source: str, statement: str) -> Discharge:
    """A theorem of the literature, not proved here: `source` names work and number."""

    def decide() -> Outcome:
        if len(source.strip()) < 8 or len(statement.strip()) < 8:
            return failed("a citation needs a source with its number and a statement")
        return Outcome(CITED, f"{statement.strip()} [{source.strip()}]")

    return Discharge("cited", decide)


_IN_PROGRESS: list[str] = []


@cache
def checked(found: Lemma) -> Report:
    """A lemma's report, made once however many others rest on it; `prove` starts afresh."""
    return found.check()


def lemma(name: str) -> Discharge:
    """Another lemma of the registry; its proof is run, and its weakest status is inherited."""

    def decide() -> Outcome:
        # Lemmas are made of discharges, so the registry can only be imported when a step runs.
        from proofs_check import lemmas

        if name in _IN_PROGRESS:
            return failed(f"circular: {' -> '.join([*_IN_PROGRESS, name])}")
        _IN_PROGRESS.append(name)
        try:
            report = checked(lemmas.get(name))
        finally:
            _IN_PROGRESS.remove(name)
        if not report.ok:
            return failed(report.first_failure or f"lemma {name} has no steps")
        weakest = next(status for status in _WEAKEST_FIRST if status in report.counts)
        tally = ", ".join(f"{count} {status}" for status, count in report.counts.items())
        scopes = dict.fromkeys(s.outcome.scope for s in report.steps if s.status == PROVED_BOX)
        return Outcome(weakest, f"{name}: {tally}", scope=" and ".join(scopes) or EVERYWHERE)

    return Discharge(f"lemma {name}", decide)


def numerically(
    holds: Callable[[Mapping[str, Any]], bool], points: Iterable[Mapping[str, Any]]
) -> Discharge:
    """`holds(point)` at every point; at least `MIN_POINTS` different ones."""

    def decide() -> Outcome:
        tried = [dict(point) for point in points]
        different = {repr(sorted(point.items())) for point in tried}
        if len(different) < MIN_POINTS:
            return failed(f"only {len(different)} different points; {MIN_POINTS} are needed")
        for point in tried:
            if not holds(point):
                return failed(f"does not hold at {point}")
        return Outcome(CHECKED, f"{len(different)} points", scope="the points tried")

    return Discharge("numerical check", decide)
