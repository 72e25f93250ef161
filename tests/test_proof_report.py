"""The proof report: complete, readable offline, and honest about what was not proved."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.dom import minidom

import pytest
import sympy

from proofs_check import lemmas, prove, theorems
from proofs_check.discharge import all_of, cited, identity, positive
from proofs_check.discharge.other import checked
from proofs_check.lemma import Lemma
from proofs_check.mathml import to_mathml
from proofs_check.outcome import STATUSES
from proofs_check.prove import selected
from proofs_check.render import Heading, Steps, Table, Text, inline, to_html, to_markdown
from proofs_check.report import ProofReport
from proofs_check.step import Rejection, Step
from proofs_check.theorems.formulas import COLUMNS, formulas, scaling_rows
from unroll.errors import ArgumentError

x = sympy.Symbol("x", positive=True)


@pytest.fixture(scope="module")
def everything() -> ProofReport:
    """All theorems, and the lemmas of one of them: the whole document without the whole time."""
    found: list[Lemma] = [*theorems.every(), *selected("exponential")[1:]]
    rejections = (Rejection("one", True, ""), Rejection("another", False, "it goes through"))
    return ProofReport(tuple(checked(lemma) for lemma in found), rejections)


# --- MathML -----------------------------------------------------------------------------------


def tree(latex: str) -> str:
    """The MathML, which must be well formed."""
    found = to_mathml(latex)
    minidom.parseString(found.replace("&#xa0;", " "))
    return re.sub(r"<math[^>]*>|</math>", "", found)


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        ("x", "<mrow><mi>x</mi></mrow>"),
        (r"\frac12", "<mrow><mfrac><mn>1</mn><mn>2</mn></mfrac></mrow>"),
        (r"\frac\ell\nu", "<mrow><mfrac><mi>ℓ</mi><mi>ν</mi></mfrac></mrow>"),
        ("10^{-6}", "<mrow><msup><mn>10</mn><mrow><mo>−</mo><mn>6</mn></mrow></msup></mrow>"),
        ("s_k^2", "<mrow><msubsup><mi>s</mi><mi>k</mi><mn>2</mn></msubsup></mrow>"),
        ("a_12", "<mrow><msub><mi>a</mi><mn>1</mn></msub><mn>2</mn></mrow>"),
        (r"\sum_k k", "<mrow><munder><mo>∑</mo><mi>k</mi></munder><mi>k</mi></mrow>"),
        (
            r"\gamma''",
            "<mrow><msup><mi>γ</mi><mrow><mo>′′</mo></mrow></msup></mrow>",
        ),
        (r"\text{a b}", "<mrow><mtext>a&#xa0;b</mtext></mrow>"),
        (r"\mathrm{KL}", "<mrow><mi>KL</mi></mrow>"),
        ("a<b", "<mrow><mi>a</mi><mo>&lt;</mo><mi>b</mi></mrow>"),
    ],
)
def test_formula(latex: str, expected: str) -> None:
    assert tree(latex) == expected


@pytest.mark.parametrize(
    "latex", [r"\quadK", r"\frac{1}", "{x", "x}", "x__2", r"\begin{align}x\end{align}", r"\Bigl x"]
)
def test_mistyped_formulas_are_refused(latex: str) -> None:
    with pytest.raises(ArgumentError):
        to_mathml(latex)


def test_structures() -> None:
    assert tree(r"\left(\sqrt[3]{x}\right)").count("mroot") == 2
    assert tree(r"\begin{pmatrix}A&B\\C&D\end{pmatrix}").count("<mtd>") == 4
    assert 'linethickness="0"' in tree(r"\binom nk")
    assert 'minsize="1.6em"' in tree(r"\Bigl(x\Bigr)")
    assert "ℤ" in tree(r"\mathbb Z")
    assert to_mathml("x", display=False).startswith("<math><mrow>")


def written(lemma: Lemma) -> list[str]:
    """Every formula that a reader of the report meets."""
    inside = [m for text in lemma.assumptions for m in re.findall(r"\$(.+?)\$", text)]
    return [lemma.claim, *(step.latex for step in lemma.steps), *inside]


@pytest.mark.parametrize("name", [*theorems.NAMES, *lemmas.names()])
def test_every_formula_of_the_proofs_can_be_typeset(name: str) -> None:
    lemma = theorems.get(name) if name in theorems.NAMES else lemmas.get(name)
    for latex in written(lemma):
        tree(latex)


@pytest.mark.parametrize("name", theorems.NAMES)
def test_every_formula_of_a_theorem_can_be_typeset(name: str) -> None:
    for formula in formulas(theorems.get(name)):
        tree(formula.latex)
    for row in scaling_rows():
        for column in COLUMNS:
            tree(row.latex(column))


# --- the document -----------------------------------------------------------------------------


class Outline(HTMLParser):
    """Open elements, anchors, links, and anything that would need the network."""

    VOID = ("meta", "br", "hr", "img", "link")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        named = dict(attrs)
        assert "src" not in named
        if named.get("id"):
            assert named["id"] not in self.anchors
            self.anchors.add(str(named["id"]))
        if tag == "a":
            self.links.add(str(named["href"]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_complete_and_needs_nothing_else(everything: ProofReport) -> None:
    page = everything.to_html()
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    assert "script" not in outline.tags
    assert "link" not in outline.tags
    assert {"math", "mfrac", "msup", "details", "table"} <= outline.tags
    assert all(link.startswith("#") for link in outline.links)
    known = {f"#{anchor}" for anchor in outline.anchors}
    shown = {f"#lemma-{lemma.name}" for lemma in everything.lemmas}
    assert shown <= known
    assert {link for link in outline.links if link in shown or "theorem" in link} <= known
    assert "url(" not in page
    assert "@import" not in page
    for lemma in everything.lemmas:
        assert lemma.source.replace("&", "&amp;") in page or lemma.source in page
    if not any(r"\qquadf" in step.latex for r in everything.reports for step in r.steps):
        assert r"\frac" not in page, "a formula that was not typeset"


def test_document_says_what_was_not_proved(everything: ProofReport) -> None:
    text = everything.to_markdown().replace(r"\|", "|")
    assert "## What must you trust?" in text
    for trusted in ("sympy's simplifier", "z3", "flint", "IEEE arithmetic"):
        assert trusted in text
    assert len(everything.citations) >= 10
    for citation, names in everything.citations.items():
        assert citation.split("[")[0].strip() in text
        assert all(name in text for name in names)
    for status, count in everything.counts.items():
        assert f"| {status} | {count} |" in text
    assert "1 of 2 wrong variants" in text
    assert "ACCEPTED: another" in text
    for regime in theorems.NAMES:
        assert f"Theorem: {regime} decay" in text
    assert text.count("$$") % 2 == 0


def test_regimes_side_by_side(everything: ProofReport) -> None:
    text = everything.to_markdown()
    table = text[text.index("## The regimes side by side") :].split("\n\n")[2]
    lines = table.splitlines()
    assert len(lines) == 2 + len(scaling_rows())
    assert all(line.count("|") == len(COLUMNS) + 2 for line in lines)
    assert "N^{1 - p}" in table
    assert "The regimes side by side" not in prove("gradient_descent").to_markdown()


def test_a_failure_is_said_first() -> None:
    lemma = lemmas.get("gradient_descent")
    broken = replace(lemma, steps=[*lemma.steps, Step("False.", "-x>0", positive(-x))])
    report = ProofReport((broken.check(),))
    assert not report.ok
    text = report.to_markdown()
    assert "NOT proved: gradient_descent: False." in text
    assert "failed: negative" in text
    assert 'class="status failed"' in report.to_html()


def test_citations_are_told_from_inherited_ones(everything: ProofReport) -> None:
    lemma = lemmas.get("gradient_descent")
    theorem = cited("A Book, Theorem 1", "something is so")
    both = all_of(identity((x + 1) ** 2, x**2 + 2 * x + 1), theorem)
    steps = [Step("One.", "x", theorem), Step("Two.", "x", both)]
    report = replace(lemma, steps=steps).check()
    assert report.citations == ("something is so [A Book, Theorem 1]",)
    assert report.to_dict()["cites"] == list(report.citations)
    resting = everything.theorems[0]
    assert resting.citations == ()
    assert "cited" in resting.counts


def test_prove_selects() -> None:
    assert [lemma.name for lemma in selected("neumann")] == ["neumann"]
    names = [lemma.name for lemma in selected()]
    assert names == [*theorems.NAMES, *lemmas.names()]
    with pytest.raises(ArgumentError, match="gradient_descent"):
        selected("gradient_ascend")
    done: list[str] = []
    report = prove("rounding_gradient", falsify=True, progress=done.append)
    assert done == ["rounding_gradient"]
    assert report.rejections
    assert set(report.counts) <= set(STATUSES)


def test_rendering_escapes() -> None:
    assert inline("a < b & `c<d`") == "a &lt; b &amp; <code>c&lt;d</code>"
    assert inline("[x](#y)") == '<a href="#y">x</a>'
    blocks = [
        Heading("T", level=1),
        Text("a"),
        Table(["a|b"], [["c|d"]]),
        Steps([("x_1 * <y>", r"\broken", "proved (sympy)")]),
    ]
    text = to_markdown(blocks)
    assert r"a\|b" in text
    assert r"x\_1 \* \<y\>" in text
    page = to_html(blocks)
    assert "<title>T</title>" in page
    assert r"<code>\broken</code>" in page
    assert "x_1 * &lt;y&gt;" in page


@pytest.mark.slow
def test_everything_is_proved() -> None:
    report = prove()
    assert report.ok
    assert len(report.theorems) == 3
