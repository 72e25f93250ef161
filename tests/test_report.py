"""The report model: one set of blocks, two renderings."""

import base64
from html.parser import HTMLParser
from pathlib import Path

import pytest

from unroll.report import Figure, Formula, Heading, Items, Table, Text, to_html, to_markdown

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


class Outline(HTMLParser):
    """Tags that are open, all text, and every attribute that could reach outside."""

    VOID = frozenset({"meta", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture
def blocks(tmp_path: Path) -> list:
    (tmp_path / "a.png").write_bytes(PNG)
    return [
        Heading("Title <1>", 1),
        Text("At most $δ_{K} ≤ 10^{-6}$ & `a < b`, **sure**."),
        Items(["one", "$x_{1}$"]),
        Formula("s_{k+1} = s_{k} − η"),
        Table(["name", "value|s"], [["a", "1"], ["b", "2"]], "Caption."),
        Figure("a.png", "A figure of $Γ$. More words."),
    ]


def test_html_is_well_formed_and_self_contained(blocks: list, tmp_path: Path) -> None:
    page = to_html(blocks, tmp_path)
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    assert len(outline.sources) == 1
    head, data = outline.sources[0].split(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == PNG
    text = "".join(outline.text)
    assert "Title <1>" in text
    assert "a < b" in text
    assert "$" not in page
    assert 'alt="A figure of Γ."' in page


def test_markdown(blocks: list) -> None:
    lines = to_markdown(blocks).splitlines()
    assert lines[0] == "# Title <1>"
    assert "At most δ<sub><i>K</i></sub> ≤ 10<sup>-6</sup> & `a < b`, **sure**." in lines
    assert "- one" in lines
    row = lines.index(r"| name | value\|s |")
    assert lines[row + 1 : row + 4] == ["| :-- | --: |", "| a | 1 |", "| b | 2 |"]
    assert "![A figure of Γ.](a.png)" in lines


def test_missing_figure_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        to_html([Figure("absent.png", "")], tmp_path)
