"""prove(): run the proofs and report how each step was discharged."""

from __future__ import annotations

from proofs_check import lemmas
from proofs_check.report import ProofReport


def prove(name: str | None = None, *, falsify: bool = False) -> ProofReport:
    """Check one lemma by name, or all of them.

    Parameters
    ----------
    name : str or None
        A lemma's name (see `proofs_check.lemmas.names`); None for all.
    falsify : bool
        Also refute the stored wrong variants; a variant that is not rejected makes the report
        fail.

    Returns
    -------
    ProofReport
        ``ok``, ``counts`` by status, ``to_dict()``; printing it gives one line per lemma.

    Raises
    ------
    ArgumentError
        If there is no lemma of that name.

    Examples
    --------
    >>> print(prove("gradient_descent"))
    gradient_descent [tight] ok: 7 proved (sympy)
    in all: 7 proved (sympy)
    """
    chosen = lemmas.every() if name is None else (lemmas.get(name),)
    return ProofReport(
        reports=tuple(lemma.check() for lemma in chosen),
        rejections=tuple(
            lemma.reject(variant) for lemma in chosen if falsify for variant in lemma.wrong_variants
        ),
    )
