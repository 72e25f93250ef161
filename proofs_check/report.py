"""Report: what was proved, how, and what was not.

A report is a value.  It never raises and never prints; the reader rejects it or not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from proofs_check.outcome import FAILED, PROVED_SYMPY, PROVED_Z3, STATUSES
from proofs_check.step import Rejection, StepResult


@dataclass(frozen=True)
class Report:
    """The checked proof of one lemma."""

    name: str
    title: str
    kind: str
    claim: str
    assumptions: tuple[str, ...]
    source: str
    steps: tuple[StepResult, ...]

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
            "title": self.title,
            "kind": self.kind,
            "claim": self.claim,
            "assumptions": list(self.assumptions),
            "source": self.source,
            "ok": self.ok,
            "proved": self.proved,
            "counts": self.counts,
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
        """A lemma environment with its proof; statuses are footnote-sized text after each step."""
        body = "\n".join(
            f"  \\item {step.sentence} \\[{step.latex}\\] {{\\footnotesize[{step.status}]}}"
            for step in self.steps
        )
        return (
            f"\\begin{{lemma}}[{self.title}]\n  \\[{self.claim}\\]\n\\end{{lemma}}\n"
            f"\\begin{{proof}}\\begin{{enumerate}}\n{body}\n\\end{{enumerate}}\\end{{proof}}\n"
        )

    def __str__(self) -> str:
        verdict = "ok" if self.ok else "FAILED"
        tally = ", ".join(f"{number} {status}" for status, number in self.counts.items())
        return f"{self.name} [{self.kind}] {verdict}: {tally}"


@dataclass(frozen=True)
class ProofReport:
    """Reports of several lemmas, and the rejections of their wrong variants if those were run."""

    reports: tuple[Report, ...]
    rejections: tuple[Rejection, ...] = ()

    @property
    def ok(self) -> bool:
        """Every proof went through and every wrong variant was rejected."""
        return bool(self.reports) and all(
            [*(r.ok for r in self.reports), *(r.rejected for r in self.rejections)]
        )

    @property
    def counts(self) -> dict[str, int]:
        """Number of steps by status over all lemmas."""
        total: Counter[str] = Counter()
        for report in self.reports:
            total.update(report.counts)
        return {status: total[status] for status in STATUSES if total[status]}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "ok": self.ok,
            "counts": self.counts,
            "lemmas": [report.to_dict() for report in self.reports],
            "wrong_variants": [rejection.to_dict() for rejection in self.rejections],
        }

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
