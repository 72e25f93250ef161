"""Blocks of text and formulas, as Markdown with LaTeX and as HTML with MathML.

Text may hold `code` and formulas between dollar signs. Both formats are complete in one file: no
script, no font and no network is needed to read them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from proofs_check.mathml import to_mathml
from unroll.errors import ArgumentError

__all__ = [
    "Block",
    "Formula",
    "Heading",
    "Items",
    "Steps",
    "Table",
    "Text",
    "Verbatim",
    "to_html",
    "to_markdown",
]


@dataclass(frozen=True)
class Heading:
    """A heading that other places can point to; level 1 is the title."""

    text: str
    level: int = 2
    anchor: str = ""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Formula:
    """A formula on a line of its own, in LaTeX."""

    latex: str


@dataclass(frozen=True)
class Verbatim:
    """Text as it stands."""

    text: str


@dataclass(frozen=True)
class Items:
    """A bulleted list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Steps:
    """A proof: sentence, formula in LaTeX and status of every step; folded away if long."""

    steps: Sequence[tuple[str, str, str]]
    folded: bool = False


@dataclass(frozen=True)
class Table:
    """A table of text."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


Block = Heading | Text | Formula | Verbatim | Items | Steps | Table


def to_markdown(blocks: Sequence[Block]) -> str:
    """GitHub-flavoured Markdown."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def to_html(blocks: Sequence[Block]) -> str:
    """One self-contained page."""
    titles = [block.text for block in blocks if isinstance(block, Heading) and block.level == 1]
    body = "\n".join(_html(block) for block in blocks)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(titles[0] if titles else 'Proofs')}</title>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _markdown(block: Block) -> str:
    match block:
        case Heading(text, level, anchor):
            mark = f'<a id="{anchor}"></a>\n\n' if anchor else ""
            return f"{mark}{'#' * level} {text}"
        case Text(text):
            return text
        case Formula(latex):
            return f"$${latex}$$"
        case Verbatim(text):
            return f"```text\n{text}\n```"
        case Items(items):
            return "\n".join(f"- {item}" for item in items)
        case Steps(steps):
            return "\n".join(
                f"{number}. {_plain(sentence)} *({status})*\n\n    $${latex}$$\n"
                for number, (sentence, latex, status) in enumerate(steps, 1)
            ).rstrip()
        case Table(header, rows):
            lines = [header, ["---"] * len(header), *rows]
            return "\n".join(
                f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |"
                for line in lines
            )


def _plain(sentence: str) -> str:
    """A sentence of the proofs holds no markup: stars and underscores mean themselves."""
    return re.sub(r"([*_\[\]<>])", r"\\\1", sentence)


def _html(block: Block) -> str:
    match block:
        case Heading(text, level, anchor):
            mark = f' id="{anchor}"' if anchor else ""
            return f"<h{level}{mark}>{inline(text)}</h{level}>"
        case Text(text):
            return f"<p>{inline(text)}</p>"
        case Formula(latex):
            return f'<div class="formula">{_math(latex, display=True)}</div>'
        case Verbatim(text):
            return f"<pre>{html.escape(text, quote=False)}</pre>"
        case Items(items):
            return "<ul>" + "".join(f"<li>{inline(item)}</li>" for item in items) + "</ul>"
        case Steps(steps, folded):
            entries = "".join(
                f"<li>{html.escape(sentence, quote=False)} "
                f'<span class="status {_kind(status)}">{html.escape(status)}</span>'
                f'<div class="formula">{_math(latex, display=True)}</div></li>'
                for sentence, latex, status in steps
            )
            proof = f"<ol>{entries}</ol>"
            summary = f"<summary>Proof in {len(steps)} steps</summary>"
            return f"<details>{summary}{proof}</details>" if folded else proof
        case Table(header, rows):
            head = "".join(f"<th>{inline(cell)}</th>" for cell in header)
            body = "".join(
                f"<tr>{''.join(f'<td>{inline(cell, large=True)}</td>' for cell in row)}</tr>"
                for row in rows
            )
            return (
                f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
                f"<tbody>{body}</tbody></table></div>"
            )


def inline(text: str, large: bool = False) -> str:
    """Code, links and formulas inside a line, to HTML.

    >>> inline("`tol` is $\\\\varepsilon$")
    '<code>tol</code> is <math><mrow><mi>ε</mi></mrow></math>'
    """
    pieces = re.split(r"\$([^$]+)\$", text)
    return "".join(
        _math(piece, display=False, large=large) if at % 2 else _words(piece)
        for at, piece in enumerate(pieces)
    )


def _words(text: str) -> str:
    text = html.escape(text, quote=False)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    return re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", r'<a href="\2">\1</a>', text)


def _math(latex: str, display: bool, large: bool = False) -> str:
    """MathML, or the formula as it stands where it cannot be read: a report is always complete."""
    try:
        return to_mathml(latex, display, large)
    except ArgumentError:
        return f"<code>{html.escape(latex, quote=False)}</code>"


def _kind(status: str) -> str:
    return status.split()[0].rstrip(":")


_STYLE = """
body { font: 17px/1.55 Georgia, "Times New Roman", serif; color: #1c2733; background: #fff;
       max-width: 60rem; margin: 3rem auto; padding: 0 1.2rem; }
h1, h2, h3 { font-family: system-ui, sans-serif; line-height: 1.25; margin: 2.2em 0 0.6em; }
h1 { margin-top: 0; } h2 { border-bottom: 1px solid #d5dde5; padding-bottom: 0.25em; }
code, pre { font: 0.86em/1.5 ui-monospace, Menlo, Consolas, monospace; background: #f1f4f7;
            border-radius: 3px; }
code { padding: 0.1em 0.3em; } pre { padding: 0.8em 1em; overflow-x: auto; }
.formula { overflow-x: auto; overflow-y: hidden; margin: 0.5em 0; padding: 0.2em 0; }
math { font-size: 1.08em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1.4em 0; font: 0.88em/1.45 system-ui, sans-serif; }
th, td { padding: 0.35em 0.8em; text-align: left; border-bottom: 1px solid #e4e9ee;
         vertical-align: top; }
th { border-bottom: 1.5px solid #93a1ad; }
li { margin: 0.5em 0; }
details { margin: 0.8em 0; } summary { cursor: pointer; font-family: system-ui, sans-serif; }
.status { font: 0.74em system-ui, sans-serif; padding: 0.1em 0.5em; border-radius: 1em;
          background: #dcefe4; color: #14532d; white-space: nowrap; }
.status.cited { background: #e3e9f5; color: #1e3a6e; }
.status.checked { background: #fbeed2; color: #6b4a05; }
.status.failed { background: #f8d9d6; color: #7a1712; }
@media print { details > * { display: block; } }
"""
