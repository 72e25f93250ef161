"""Report: what was proved, how, and what was not.

A report is a value.  It never raises and never prints; the reader rejects it or not.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from proofs_check.outcome import CITED, FAILED, PROVED_SYMPY, PROVED_Z3, STATUSES
from proofs_check.step import Rejection, StepResult

# how `all_of` joins the detail of a citation with that of its neighbours
_CITATION = re.compile(r"(?:^|; )cited: (.*?\])(?=$|; )")


@dataclass(frozen=True)
class Report:
    """The checked proof of one lemma or theorem.

    `rests_on` names the lemmas that a theorem composes, those that they rest on included.
    """

    name: str
    title: str
    kind: str
    claim: str
    assumptions: tuple[str, ...]
    source: str
    steps: tuple[StepResult, ...]
    role: str = "lemma"
    rests_on: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """No step failed (cited and numerical steps count as what they are: not failed)."""
        return bool(self.steps) and all(step.status != FAILED for step in self.steps)

    @property
    def proved(self) -> bool:
        """Every step was proved for all values in its scope: nothing cited, boxed or numerical."""
        return bool(self.steps) and all(
            step.status in (PROVED_SYMPY, PROVED_Z3) for step in self.steps
        )

    @property
    def counts(self) -> dict[str, int]:
        """Number of steps by status, in the order of `STATUSES`, zeros left out."""
        found = Counter(step.status for step in self.steps)
        return {status: found[status] for status in STATUSES if found[status]}

    @property
    def citations(self) -> tuple[str, ...]:
        """What its own steps cite and do not prove: statement and source."""
        found: dict[str, None] = {}
        for step in self.steps:
            detail = step.outcome.detail
            own = step.how == "cited" and step.status == CITED
            found.update(dict.fromkeys([detail] if own else _CITATION.findall(detail)))
        return tuple(found)

    @property
    def first_failure(self) -> str | None:
        """One sentence about the first failed step, or None."""
        for step in self.steps:
            if step.status == FAILED:
                return f"{self.name}: {step.sentence} {step.how}: {step.why}"
        return None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "role": self.role,
            "title": self.title,
            "kind": self.kind,
            "claim": self.claim,
            "assumptions": list(self.assumptions),
            "source": self.source,
            "ok": self.ok,
            "proved": self.proved,
            "counts": self.counts,
            "rests_on": list(self.rests_on),
            "cites": list(self.citations),
            "steps": [step.to_dict() for step in self.steps],
        }

    def to_markdown(self) -> str:
        """Heading, claim, and one numbered line per step with its status."""
        lines = [f"### {self.title}", "", f"$${self.claim}$$", ""]
        if self.assumptions:
            lines += [f"Assumptions: {'; '.join(self.assumptions)}.", ""]
        for number, step in enumerate(self.steps, 1):
            seconded = f", {step.second.status}" if step.second else ""
            lines.append(f"{number}. {step.sentence} ${step.latex}$ *({step.status}{seconded})*")
        return "\n".join([*lines, "", f"Source: {self.source}", ""])

    def to_latex(self) -> str:
        """A lemma or theorem environment with its proof, the status after every step."""
        body = "\n".join(
            f"  \\item {step.sentence} \\[{step.latex}\\] {{\\footnotesize[{step.status}]}}"
            for step in self.steps
        )
        head, tail = f"\\begin{{{self.role}}}[{self.title}]", f"\\end{{{self.role}}}"
        return (
            f"{head}\n  \\[{self.claim}\\]\n{tail}\n"
            f"\\begin{{proof}}\\begin{{enumerate}}\n{body}\n\\end{{enumerate}}\\end{{proof}}\n"
        )

    def __str__(self) -> str:
        verdict = "ok" if self.ok else "FAILED"
        tally = ", ".join(f"{number} {status}" for status, number in self.counts.items())
        name = f"theorem {self.name}" if self.role == "theorem" else self.name
        return f"{name} [{self.kind}] {verdict}: {tally}"


@dataclass(frozen=True)
class ProofReport:
    """Reports of theorems and lemmas, and the rejections of their wrong variants if those ran."""

    reports: tuple[Report, ...]
    rejections: tuple[Rejection, ...] = ()

    @property
    def theorems(self) -> tuple[Report, ...]:
        """The reports of theorems."""
        return tuple(report for report in self.reports if report.role == "theorem")

    @property
    def lemmas(self) -> tuple[Report, ...]:
        """The reports of lemmas."""
        return tuple(report for report in self.reports if report.role == "lemma")

    @property
    def ok(self) -> bool:
        """Every proof went through and every wrong variant was rejected."""
        return bool(self.reports) and all(
            [*(r.ok for r in self.reports), *(r.rejected for r in self.rejections)]
        )

    @property
    def counts(self) -> dict[str, int]:
        """Number of steps by status over all theorems and lemmas.

        A step that is another lemma counts with the weakest status of that lemma's steps.
        """
        total: Counter[str] = Counter()
        for report in self.reports:
            total.update(report.counts)
        return {status: total[status] for status in STATUSES if total[status]}

    @property
    def citations(self) -> dict[str, tuple[str, ...]]:
        """What is cited and not proved, with the names of the lemmas that cite it."""
        found: dict[str, list[str]] = {}
        for report in self.reports:
            for citation in report.citations:
                found.setdefault(citation, []).append(report.name)
        return {citation: tuple(names) for citation, names in found.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "ok": self.ok,
            "counts": self.counts,
            "theorems": [report.to_dict() for report in self.theorems],
            "lemmas": [report.to_dict() for report in self.lemmas],
            "cites": {citation: list(names) for citation, names in self.citations.items()},
            "wrong_variants": [rejection.to_dict() for rejection in self.rejections],
        }

    def to_markdown(self) -> str:
        """The whole report with formulas in LaTeX between dollar signs."""
        from proofs_check.document import markdown

        return markdown(self)

    def to_html(self) -> str:
        """One page that needs no network: formulas as MathML."""
        from proofs_check.document import page

        return page(self)

    def __str__(self) -> str:
        lines = [str(report) for report in self.reports]
        lines += [r.first_failure or "" for r in self.reports if not r.ok]
        lines += [
            f"NOT REJECTED: {rejection.variant}: {rejection.detail}"
            for rejection in self.rejections
            if not rejection.rejected
        ]
        tally = ", ".join(f"{number} {status}" for status, number in self.counts.items())
        return "\n".join([*lines, f"in all: {tally}"])
