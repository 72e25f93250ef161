"""The proof report as a document: theorems, the table of regimes, what to trust, the lemmas."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from proofs_check import theorems
from proofs_check.lemma import section
from proofs_check.outcome import CHECKED, CITED, FAILED, PROVED_BOX
from proofs_check.render import (
    Block,
    Formula,
    Heading,
    Items,
    Steps,
    Table,
    Text,
    Verbatim,
    to_html,
    to_markdown,
)
from proofs_check.report import ProofReport, Report
from proofs_check.step import StepResult
from proofs_check.theorems.formulas import COLUMNS, formulas, reference_rows, scaling_rows

__all__ = ["blocks", "markdown", "page"]


def markdown(report: ProofReport) -> str:
    """The report in Markdown, formulas in LaTeX."""
    return to_markdown(list(blocks(report)))


def page(report: ProofReport) -> str:
    """The report as one HTML page, formulas in MathML."""
    return to_html(list(blocks(report)))


def blocks(report: ProofReport) -> Iterator[Block]:
    """The document, format aside."""
    yield Heading("What is proved", level=1)
    yield Text(_verdict(report))
    yield Table(["discharged by", "steps"], [[name, str(n)] for name, n in report.counts.items()])
    for theorem in report.theorems:
        yield from _theorem(theorem)
    if len(report.theorems) > 1:
        yield from _side_by_side()
    yield from _trust(report)
    if report.rejections:
        yield from _refuted(report)
    if report.lemmas:
        yield Heading("Lemmas")
        for lemma in report.lemmas:
            yield from _lemma(lemma)


def _verdict(report: ProofReport) -> str:
    parts = [
        f"{len(found)} {word}{'s' if len(found) != 1 else ''}"
        for found, word in ((report.theorems, "theorem"), (report.lemmas, "lemma"))
        if found
    ]
    failures = [r.first_failure for r in report.reports if r.first_failure]
    said = "every step is discharged." if not failures else f"NOT proved: {' '.join(failures)}"
    return f"{' and '.join(parts)}: {said}"


def _theorem(report: Report) -> Iterator[Block]:
    theorem = theorems.get(report.name)
    yield Heading(f"Theorem: {report.name} decay", anchor=f"theorem-{report.name}")
    yield Text(report.title + ".")
    yield Formula(report.claim)
    yield Text("Assumptions: " + "; ".join(report.assumptions) + ".")
    yield Verbatim(section(theorem.doc, "Statement"))
    yield Text(
        "The formulas, as the steps prove them and as they are evaluated (for heads that leave "
        r"something out, $\kappa'$ takes the place of $\kappa$):"
    )
    yield Table(["", "formula"], [[f.words, f"${f.latex}$"] for f in formulas(theorem)])
    yield Text("Rests on: " + ", ".join(f"[{name}](#lemma-{name})" for name in report.rests_on))
    yield Steps([_step(step) for step in report.steps])
    yield Text(f"Source: {report.source}")


def _lemma(report: Report) -> Iterator[Block]:
    yield Heading(report.title, level=3, anchor=f"lemma-{report.name}")
    yield Text(f"`{report.name}`, {report.kind}.")
    yield Formula(report.claim)
    if report.assumptions:
        yield Text("Assumptions: " + "; ".join(report.assumptions) + ".")
    yield Steps([_step(step) for step in report.steps], folded=True)
    yield Text(f"Source: {report.source}")


def _step(step: StepResult) -> tuple[str, str, str]:
    status = step.status
    if status == FAILED:
        status = f"{FAILED}: {step.why}"
    elif step.how.startswith("lemma "):
        status = f"{status}{' by' if status == CITED else ':'} {step.how}"
    if step.second is not None and step.second.ok:
        status += f", {step.second.status}"
    return step.sentence, step.latex, status


def _side_by_side() -> Iterator[Block]:
    yield Heading("The regimes side by side")
    yield Text(
        r"How heads and depth grow; $w=e^{t_{\min}}-1$, $\tau$ is the error of the exponentials at "
        r"every lag, proportional to $\varepsilon/N$. One softmax head with a sink serves every "
        r"row. Fitted rates need far fewer exponentials than the theorems, and are checked lag by "
        r"lag (lemma exponential_sum_lags). In terms of $\kappa$ the depth is "
        r"$\frac\kappa2\log\frac2\varepsilon$ or $\frac{\sqrt\kappa}2\log\frac4\varepsilon$ in "
        r"every row."
    )
    yield Table(
        ["regime", *COLUMNS.values()],
        [
            [f"{row.regime}, ${row.condition}$", *(f"${row.latex(name)}$" for name in COLUMNS)]
            for row in scaling_rows()
        ],
    )
    yield Text(
        r"The theorems evaluated at $N=1024$, $\ell=8$, $\Sigma=I$, $t_{\min}=0.01$, "
        r"$\varepsilon=10^{-6}$:"
    )
    yield Table(["kernel", "J", "M", "κ", "gradient descent", "Chebyshev"], reference_rows())


def _trust(report: ProofReport) -> Iterator[Block]:
    steps = [step for found in report.reports for step in found.steps]
    own = [step for step in steps if not step.how.startswith("lemma ")]
    seconded = sum(step.second is not None and step.second.ok for step in own)
    by_sympy = sum("sympy" in step.status for step in own)
    boxed = [r.name for r in report.lemmas if PROVED_BOX in r.counts]
    sampled = [r.name for r in report.lemmas if CHECKED in r.counts]
    cited = report.citations
    yield Heading("What must you trust?")
    yield Table(
        ["", "for", "why it may be wrong"],
        [
            [
                f"sympy's simplifier{_version('sympy')}",
                f"{by_sympy} steps",
                "a wrong simplification; every identity and sign is also tried at exact points",
            ],
            [
                f"z3{_version('z3-solver')}",
                f"{seconded} of these, a second time",
                "not at all: nothing rests on it alone",
            ],
            [
                f"flint (arb){_version('python-flint')}",
                f"steps of {_names(boxed)}; every certificate and audit",
                "a ball that does not contain its value",
            ],
            [
                "IEEE arithmetic",
                "certificates: rounding is counted by its model, floats are read as they are",
                "a sum computed with more error than n u per term",
            ],
            [
                "sampling",
                _names(sampled),
                "true at the points tried, elsewhere not proved",
            ],
            [
                f"{len(cited)} cited theorems",
                "listed below, with the lemmas that cite them",
                "misquoted, or used outside their assumptions",
            ],
            [
                "the translation",
                "sentences and formulas against the expressions that were checked",
                "a step that proves something else than it says: read the lemma's file",
            ],
        ],
    )
    if cited:
        yield Table(
            ["cited, not proved here", "by"],
            [
                [_escape(citation), ", ".join(_link(report, name) for name in names)]
                for citation, names in cited.items()
            ],
        )


def _refuted(report: ProofReport) -> Iterator[Block]:
    yield Heading("Refuted on purpose")
    rejected = sum(rejection.rejected for rejection in report.rejections)
    yield Text(
        f"{rejected} of {len(report.rejections)} wrong variants (a constant too small, an "
        "assumption dropped) are rejected by the same machinery."
    )
    wrong = [f"ACCEPTED: {r.variant}: {r.detail}" for r in report.rejections if not r.rejected]
    if wrong:
        yield Items(wrong)


def _names(found: list[str]) -> str:
    return ", ".join(f"[{name}](#lemma-{name})" for name in found) or "nothing"


def _link(report: ProofReport, name: str) -> str:
    kind = "theorem" if name in {theorem.name for theorem in report.theorems} else "lemma"
    return f"[{name}](#{kind}-{name})"


def _escape(citation: str) -> str:
    """The source in round brackets: square ones would be read as a link."""
    return citation.replace("[", "(").replace("]", ")")


def _version(package: str) -> str:
    try:
        return f" {version(package)}"
    except PackageNotFoundError:
        return " (not installed)"
