"""A proof step that rests on another lemma: that lemma's proof runs, and its weakness is kept."""

from __future__ import annotations

from functools import cache

from proofs_check.discharge import all_of
from proofs_check.outcome import Discharge, Outcome, failed


@cache
def _outcome(name: str) -> Outcome:
    from proofs_check.lemmas import get

    return all_of(*(step.discharge for step in get(name).steps)).run()


def uses(name: str) -> Discharge:
    """The lemma `name` holds; the status is that of its weakest step (cited, if it cites)."""

    def decide() -> Outcome:
        found = _outcome(name)
        if not found.ok:
            return failed(f"lemma {name} fails: {found.detail}")
        return Outcome(found.status, f"lemma {name}, its weakest step", scope=found.scope)

    return Discharge(f"lemma {name}", decide)
