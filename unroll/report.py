"""A report written once and read twice: the same blocks as Markdown and as one HTML file.

Text may hold `code`, **bold** and formulas between dollar signs, in Unicode with ``_{...}`` and
``^{...}`` for what stands low and high: ``$δ_{K} ≤ 10^{-6}$``. Both formats get the same inline
HTML for formulas, so that no reader needs a script or a network to see them.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Block",
    "Figure",
    "Formula",
    "Heading",
    "Items",
    "Table",
    "Text",
    "to_html",
    "to_markdown",
]


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Items:
    """A bulleted list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Formula:
    """A formula on a line of its own, without the dollar signs."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table; columns after the first are numbers unless `left` counts more columns of words."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    left: int = 1


@dataclass(frozen=True)
class Figure:
    """A PNG, by its path relative to the report."""

    path: str
    caption: str


Block = Heading | Text | Items | Formula | Table | Figure


def to_markdown(blocks: Iterable[Block]) -> str:
    """GitHub-flavoured Markdown; figures by relative path."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def to_html(blocks: Sequence[Block], folder: Path) -> str:
    """One self-contained HTML page; figures, read from `folder`, are embedded."""
    titles = [block.text for block in blocks if isinstance(block, Heading) and block.level == 1]
    body = "\n".join(_html(block, folder) for block in blocks)
    title = html.escape(titles[0]) if titles else "Report"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def inline(text: str) -> str:
    """Inline markup to HTML.

    >>> inline("at most $δ_{K}$ with `tol`, **always**")
    'at most δ<sub><i>K</i></sub> with <code>tol</code>, <b>always</b>'
    """
    text = html.escape(text, quote=False)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", text)
    return re.sub(r"\$([^$]+)\$", lambda match: _formula(match[1]), text)


def _formula(text: str) -> str:
    """A formula to HTML: letters that stand alone are variables, hence italic."""
    text = re.sub(r"(?<![A-Za-z&])([A-Za-z])(?![A-Za-z])", r"<i>\1</i>", text)
    text = re.sub(r"_\{([^}]*)\}", r"<sub>\1</sub>", text)
    return re.sub(r"\^\{([^}]*)\}", r"<sup>\1</sup>", text)


def _markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {text}"
        case Text(text):
            return _markdown_inline(text)
        case Items(items):
            return "\n".join(f"- {_markdown_inline(item)}" for item in items)
        case Formula(text):
            return f'<p align="center">{_formula(html.escape(text, quote=False))}</p>'
        case Figure(path, caption):
            return f"![{_plain(caption)}]({path})\n\n*{_markdown_inline(caption)}*"
        case Table(header, rows, caption, left):
            lines = [
                header,
                [":--" if i < left else "--:" for i in range(len(header))],
                *rows,
            ]
            cells = [[_markdown_inline(c).replace("|", "\\|") for c in line] for line in lines]
            return "\n".join(f"| {' | '.join(line)} |" for line in cells) + (
                f"\n\n*{_markdown_inline(caption)}*"
            )


def _plain(caption: str) -> str:
    """The first sentence, without markup: what stands in for a figure that is not seen."""
    return re.sub(r"[$`*{}_^]", "", re.split(r"(?<=[.;:]) ", caption)[0])


def _markdown_inline(text: str) -> str:
    """Markdown knows code and bold itself; only formulas become HTML."""
    return re.sub(r"\$([^$]+)\$", lambda match: _formula(html.escape(match[1], quote=False)), text)


def _html(block: Block, folder: Path) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{inline(text)}</h{level}>"
        case Text(text):
            return f"<p>{inline(text)}</p>"
        case Items(items):
            return "<ul>" + "".join(f"<li>{inline(item)}</li>" for item in items) + "</ul>"
        case Formula(text):
            return f'<p class="formula">{_formula(html.escape(text, quote=False))}</p>'
        case Figure(path, caption):
            data = base64.b64encode((folder / path).read_bytes()).decode()
            return (
                f'<figure><img alt="{html.escape(_plain(caption))}" '
                f'src="data:image/png;base64,{data}">'
                f"<figcaption>{inline(caption)}</figcaption></figure>"
            )
        case Table(header, rows, caption, left):

            def line(cells: Sequence[str], tag: str) -> str:
                marks = [' class="word"' if i < left else "" for i in range(len(cells))]
                parts = [
                    f"<{tag}{mark}>{inline(cell)}</{tag}>"
                    for mark, cell in zip(marks, cells, strict=True)
                ]
                return f"<tr>{''.join(parts)}</tr>"

            return (
                f'<div class="wide"><table><caption>{inline(caption)}</caption>'
                f"<thead>{line(header, 'th')}</thead><tbody>"
                + "".join(line(row, "td") for row in rows)
                + "</tbody></table></div>"
            )


_STYLE = """
body { font: 17px/1.55 Georgia, "Times New Roman", serif; color: #1c2733; background: #fff;
       max-width: 60rem; margin: 3rem auto; padding: 0 1.2rem; }
h1, h2, h3 { font-family: system-ui, sans-serif; line-height: 1.25; margin: 2.2em 0 0.6em; }
h1 { margin-top: 0; } h2 { border-bottom: 1px solid #d5dde5; padding-bottom: 0.25em; }
code { font: 0.88em ui-monospace, Menlo, Consolas, monospace; background: #f1f4f7;
       padding: 0.1em 0.3em; border-radius: 3px; }
.formula { text-align: center; font-size: 1.12em; margin: 1.2em 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1.4em auto; font: 0.86em/1.4 system-ui, sans-serif;
        font-variant-numeric: tabular-nums; }
caption { caption-side: bottom; text-align: left; padding-top: 0.6em; color: #55636f; }
th, td { padding: 0.3em 0.8em; text-align: right; border-bottom: 1px solid #e4e9ee; }
th { border-bottom: 1.5px solid #93a1ad; } .word { text-align: left; }
figure { margin: 1.8em 0; } img { max-width: 100%; height: auto; }
figcaption { font: 0.86em/1.45 system-ui, sans-serif; color: #55636f; }
sub, sup { line-height: 0; }
"""
