"""Lemma: a claim, the proof that a machine checks, and the means to measure and to refute it.

A lemma lives in its own file under `proofs_check.lemmas`.  It is stated once,
as a sympy expression: the proof steps are about that expression, and the tests
evaluate that expression against an independent computation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import mpmath
import sympy

from proofs_check.evaluate import evaluate
from proofs_check.outcome import FAILED
from proofs_check.report import Report
from proofs_check.step import Measure, Parameters, Range, Rejection, Step, WrongVariant
from unroll.errors import ArgumentError

KINDS = ("equality", "tight", "upper")
SECTIONS = ("Statement", "Assumptions", "Proof", "Kind", "Source", "Example")

REFUTATION_MARGIN = mpmath.mpf("1e-9")
"""A counterexample must violate the bound by this relative margin, far above all rounding."""


@dataclass(frozen=True, kw_only=True, eq=False)  # hashable: by identity
class Lemma:
    """One claim of the theory.

    Parameters
    ----------
    name : str
        The module's name.
    doc : str
        The module's docstring, with the sections of `SECTIONS`; its first line is the title.
    claim : str
        The claim in LaTeX.
    kind : {"equality", "tight", "upper"}
        ``equality``: value = bound always.  ``tight``: value <= bound, attained at `witness`.
        ``upper``: value <= bound.
    assumptions : sequence of str
        Side conditions in words or LaTeX, beside the symbols' own assumptions.
    steps : sequence of Step
        The proof.
    bound : sympy.Expr
        The claimed value or bound, the expression that the steps are about.
    measure : callable
        ``measure(parameters)``: independent computation of the bounded quantity.
    parameters : mapping of str to Range
        What a test may draw.
    derive : callable or None
        ``derive(parameters)``: values of the bound's symbols by name, where they are not
        themselves parameters.
    witness : mapping or None
        Parameters at which the bound is attained (kinds ``tight`` and ``equality``).
    witness_gap : float
        Relative gap allowed at the witness; above rounding only where the bound is attained in
        a limit.
    wrong_variants : sequence of WrongVariant
        At least one.
    """

    name: str
    doc: str
    claim: str
    kind: str
    assumptions: Sequence[str]
    steps: Sequence[Step]
    bound: sympy.Expr
    measure: Measure
    parameters: Mapping[str, Range]
    wrong_variants: Sequence[WrongVariant]
    derive: Callable[[Parameters], Parameters] | None = None
    witness: Parameters | None = None
    witness_gap: float = 1e-12
    also: Mapping[str, Any] = field(default_factory=dict)
    """Further sympy expressions other modules compose from, by name."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ArgumentError("kind", self.kind, "unknown", f"use one of {KINDS}")
        if self.kind != "upper" and self.witness is None:
            raise ArgumentError("witness", None, f"kind {self.kind} needs one", "add it")
        if not self.wrong_variants:
            raise ArgumentError("wrong_variants", (), "at least one is needed", "add a false claim")

    @property
    def title(self) -> str:
        """First line of the docstring."""
        return self.doc.strip().splitlines()[0].rstrip(".")

    @property
    def source(self) -> str:
        """The docstring's Source section."""
        return " ".join(section(self.doc, "Source").split())

    def check(self) -> Report:
        """Run every step of the proof; raises nothing."""
        return self._report(self.steps)

    def bound_at(self, parameters: Parameters, bound: sympy.Expr | None = None) -> mpmath.mpf:
        """The claimed bound as a number, from the expression of the proof."""
        values = self.derive(parameters) if self.derive else parameters
        return evaluate(self.bound if bound is None else bound, values)

    def sample(self, parameters: Parameters) -> tuple[mpmath.mpf, mpmath.mpf]:
        """``(measured value, claimed bound)`` at one choice of parameters."""
        return mpmath.mpf(self.measure(parameters)), self.bound_at(parameters)

    def reject(self, variant: WrongVariant) -> Rejection:
        """Refute a wrong variant; not rejected if its proof passes or its counterexample obeys."""
        details = []
        if variant.steps is not None:
            results = (step.run() for step in variant.steps())
            stuck = next((result for result in results if result.status == FAILED), None)
            if stuck is None:
                return Rejection(variant.name, False, "the mutated proof goes through")
            if stuck.crashed:
                return Rejection(variant.name, False, f"crashed: {stuck.why}")
            details.append(f"proof fails at {stuck.sentence!r}: {stuck.why}")
        if variant.counterexample is not None:
            measure = variant.measure or self.measure
            value = mpmath.mpf(measure(variant.counterexample))
            bound = self.bound_at(variant.counterexample, variant.bound)
            excess = abs(value - bound) if self.kind == "equality" else value - bound
            if not excess > REFUTATION_MARGIN * (abs(value) + abs(bound)):
                return Rejection(variant.name, False, "the counterexample obeys the bound")
            details.append(f"value {mpmath.nstr(value, 6)} against {mpmath.nstr(bound, 6)}")
        if not details:
            return Rejection(variant.name, False, "no refutation is stored")
        return Rejection(variant.name, True, "; ".join(details))

    def _report(self, steps: Sequence[Step]) -> Report:
        return Report(
            name=self.name,
            title=self.title,
            kind=self.kind,
            claim=self.claim,
            assumptions=tuple(self.assumptions),
            source=self.source,
            steps=tuple(step.run() for step in steps),
        )


def section(doc: str, title: str) -> str:
    """Text of one underlined section of a docstring; empty if there is none."""
    lines = [line.strip() for line in doc.splitlines()]
    for at, line in enumerate(lines[:-1]):
        if line == title and set(lines[at + 1]) == {"-"}:
            rest = lines[at + 2 :]
            ends = [i for i in range(1, len(rest)) if rest[i] and set(rest[i]) == {"-"}]
            return "\n".join(rest[: ends[0] - 1] if ends else rest).strip()
    return ""
