"""prove(): run the proofs and report how each step was discharged."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from proofs_check import lemmas, theorems
from proofs_check.discharge.other import checked
from proofs_check.lemma import Lemma
from proofs_check.report import ProofReport
from unroll.errors import ArgumentError

__all__ = ["prove", "selected"]


def prove(
    name: str | None = None,
    *,
    falsify: bool = False,
    progress: Callable[[str], None] | None = None,
) -> ProofReport:
    """Check one lemma, the theorem of one regime with the lemmas it rests on, or everything.

    Parameters
    ----------
    name : str or None
        ``"exponential"``, ``"polynomial"`` or ``"logarithmic"`` for a theorem and exactly the
        lemmas that it composes; a lemma's name (see `proofs_check.lemmas.names`) for that lemma;
        None for all.
    falsify : bool
        Also refute the stored wrong variants; a variant that is not rejected makes the report
        fail.
    progress : callable or None
        Called with every name that is done.

    Returns
    -------
    ProofReport
        ``ok``, ``counts`` by status, ``to_dict()``, ``to_markdown()``, ``to_html()``; printing it
        gives one line per theorem and lemma.

    Raises
    ------
    ArgumentError
        If there is no theorem and no lemma of that name.

    Examples
    --------
    >>> print(prove("gradient_descent"))
    gradient_descent [tight] ok: 7 proved (sympy)
    in all: 7 proved (sympy)
    """
    checked.cache_clear()
    reports, rejections = {}, []
    chosen = selected(name)
    # lemmas first: theorems rest on them, and each is checked once
    for lemma in sorted(chosen, key=lambda found: isinstance(found, theorems.Theorem)):
        reports[lemma] = checked(lemma)
        if falsify:
            rejections += [lemma.reject(variant) for variant in lemma.wrong_variants]
        if progress is not None:
            progress(lemma.name)
    return ProofReport(tuple(reports[lemma] for lemma in chosen), tuple(rejections))


def selected(name: str | None = None) -> tuple[Lemma, ...]:
    """What `prove` checks: theorems, then lemmas in the order of their use or names."""
    if name is None:
        return (*theorems.every(), *lemmas.every())
    if name in theorems.NAMES:
        theorem = theorems.get(name)
        return (theorem, *(lemmas.get(used) for used in theorem.rests_on))
    if name in lemmas.names():
        return (lemmas.get(name),)
    near = get_close_matches(name, lemmas.names(), n=3, cutoff=0.4)
    remedy = f"choose a theorem ({', '.join(theorems.NAMES)})"
    if near:
        remedy += f" or a lemma, such as {', '.join(near)}"
    raise ArgumentError("name", name, "no such theorem or lemma", remedy)
