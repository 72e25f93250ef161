r"""LaTeX formulas as MathML, which browsers typeset without a script or a font from elsewhere.

Only the LaTeX of the proofs and of sympy's printer is understood, and anything else is refused, so
that a mistyped formula is found by the tests and not by the reader.

>>> print(to_mathml(r"\kappa^2", display=False))
<math><mrow><msup><mi>κ</mi><mn>2</mn></msup></mrow></math>
"""

from __future__ import annotations

import html
import re

from proofs_check.latex_symbols import (
    ACCENTS,
    BLACKBOARD,
    FUNCTIONS,
    LIMITS,
    OPERATORS,
    SIZES,
    SPACES,
    SYMBOLS,
)
from unroll.errors import ArgumentError

__all__ = ["to_mathml"]

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[0-9.]+(?<!\.)|\s+|.", re.DOTALL)
_FENCES = "()[]|/⟨⟩‖⌊⌋⌈⌉"
_TIGHT = "|/‖"
"""No space around these: bars are fences, and which side they are on is not known."""
_ENVIRONMENTS = {"pmatrix": ("(", ")"), "matrix": ("", ""), "cases": ("{", "")}


def to_mathml(latex: str, display: bool = True, large: bool = False) -> str:
    """One ``<math>`` element.

    Parameters
    ----------
    latex
        A formula without dollar signs.
    display
        On a line of its own, or inside text.
    large
        Inside text, but with fractions and sums as large as on a line of its own.

    Raises
    ------
    ArgumentError
        The formula holds a command that is not understood, or its braces do not match.
    """
    parser = _Parser(latex)
    body = parser.row()
    if parser.peek():
        parser.refuse("unmatched")
    kind = ' display="block"' if display else ' displaystyle="true"' if large else ""
    return f"<math{kind}>{body}</math>"


class _Parser:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, latex: str) -> None:
        self.latex = latex
        found = [match for match in _TOKEN.finditer(latex) if not match[0].isspace()]
        self.tokens = [match[0] for match in found]
        self.starts = [match.start() for match in found]
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def refuse(self, what: str) -> None:
        found = self.peek() or "the end"
        raise ArgumentError("latex", self.latex, f"{what} at {found!r}", "mend the formula")

    def expect(self, token: str) -> None:
        if self.peek() != token:
            self.refuse(f"{token!r} is missing")
        self.at += 1

    def row(self, *ends: str) -> str:
        """Everything up to one of `ends` (not eaten) or an unmatched brace."""
        parts = []
        while self.peek() and self.peek() not in (*ends, "}", r"\right", "&", r"\\", r"\end"):
            parts.append(self.scripted())
        return f"<mrow>{''.join(parts)}</mrow>"

    def scripted(self) -> str:
        """An atom with what stands below and above it."""
        limits = self.peek() in LIMITS
        space = self.peek().lstrip("\\") in FUNCTIONS
        base = "<mrow></mrow>" if self.peek() in ("_", "^") else self.atom()
        low = high = primes = ""
        while self.peek() in ("_", "^", "'"):
            mark = self.next()
            if mark == "'":
                primes += "′"
            elif mark == "_" and not low:
                low = self.argument()
            elif mark == "^" and not high:
                high = self.argument()
            else:
                self.refuse("two scripts")
        if primes:
            high = f"<mrow><mo>{primes}</mo>{high}</mrow>"
        below, above, both = (
            ("munder", "mover", "munderover")
            if limits
            else (
                "msub",
                "msup",
                "msubsup",
            )
        )
        if low and high:
            base = f"<{both}>{base}{low}{high}</{both}>"
        elif low or high:
            tag = below if low else above
            base = f"<{tag}>{base}{low or high}</{tag}>"
        if space and self.peek() not in ("(", "[", "", "}", r"\bigl", r"\Bigl", r"\left", "{"):
            base += '<mspace width="0.17em"></mspace>'
        return base

    def argument(self) -> str:
        """A group in braces, or one token: a single digit of a number."""
        token = self.peek()
        if token == "{":
            return self.group()
        if token[:1].isdigit() and len(token) > 1:
            self.tokens[self.at] = token[1:]
            return f"<mn>{token[0]}</mn>"
        if not token or token in ("}", "_", "^", "&"):
            self.refuse("an argument is missing")
        return self.atom()

    def group(self) -> str:
        self.expect("{")
        body = self.row()
        self.expect("}")
        return body

    def atom(self) -> str:
        token = self.next()
        name = token.lstrip("\\")
        if token == "{":
            self.at -= 1
            return self.group()
        if not token.startswith("\\"):
            return _character(token)
        if token in SYMBOLS:
            upright = ' mathvariant="normal"' if SYMBOLS[token].isupper() else ""
            return f"<mi{upright}>{SYMBOLS[token]}</mi>"
        if token in OPERATORS:
            return _operator(OPERATORS[token])
        if token in SPACES:
            return f'<mspace width="{SPACES[token]}"></mspace>'
        if name in FUNCTIONS:
            return f"<mi>{FUNCTIONS[name]}</mi>"
        if token in ACCENTS:
            return f"<mover accent='true'>{self.argument()}<mo>{ACCENTS[token]}</mo></mover>"
        if token in SIZES:
            return self.sized(SIZES[token])
        return self.structure(token)

    def structure(self, token: str) -> str:
        """Fractions, roots, text and environments."""
        if token in (r"\frac", r"\tfrac", r"\dfrac"):
            inside = f"<mfrac>{self.argument()}{self.argument()}</mfrac>"
            small = '<mstyle displaystyle="false">'
            return f"{small}{inside}</mstyle>" if token == r"\tfrac" else inside
        if token == r"\sqrt":
            if self.peek() == "[":
                self.next()
                index = self.row("]")
                self.expect("]")
                return f"<mroot>{self.argument()}{index}</mroot>"
            return f"<msqrt>{self.argument()}</msqrt>"
        if token == r"\binom":
            inside = f'<mfrac linethickness="0">{self.argument()}{self.argument()}</mfrac>'
            return f"<mrow><mo>(</mo>{inside}<mo>)</mo></mrow>"
        if token in (r"\text", r"\mathrm", r"\operatorname", r"\mathbb", r"\mathcal"):
            return self.words(token)
        if token == r"\left":
            opening = self.delimiter()
            body = self.row()
            self.expect(r"\right")
            return f"<mrow>{opening}{body}{self.delimiter()}</mrow>"
        if token == r"\begin":
            return self.environment()
        self.at -= 1
        self.refuse("unknown command")
        raise AssertionError

    def words(self, token: str) -> str:
        if token == r"\mathbb":
            return f"<mi>{BLACKBOARD[self.raw()]}</mi>"
        text = html.escape(self.raw(), quote=False)
        if token == r"\text":
            return f"<mtext>{text.replace(' ', '&#xa0;')}</mtext>"
        normal = ' mathvariant="normal"' if len(text) == 1 else ""
        return f"<mi{normal}>{text}</mi>"

    def raw(self) -> str:
        """A group's text with its spaces, or one character."""
        if self.peek() != "{":
            return self.next()
        start, depth = self.starts[self.at] + 1, 0
        while self.peek():
            end = self.starts[self.at]
            depth += {"{": 1, "}": -1}.get(self.next(), 0)
            if depth == 0:
                return self.latex[start:end]
        self.refuse("a brace is not closed")
        raise AssertionError

    def sized(self, size: str) -> str:
        token = self.next()
        sign = OPERATORS.get(token, token)
        if sign not in _FENCES and sign not in "{}":
            self.at -= 1
            self.refuse("not a delimiter")
        return f'<mo minsize="{size}" maxsize="{size}">{sign}</mo>'

    def delimiter(self) -> str:
        token = self.next()
        sign = "" if token == "." else OPERATORS.get(token, token)
        return f"<mo>{html.escape(sign)}</mo>" if sign else ""

    def environment(self) -> str:
        name = self.raw()
        if name not in _ENVIRONMENTS:
            self.refuse(f"unknown environment {name}")
        opening, closing = _ENVIRONMENTS[name]
        rows, cells = [], [self.row()]
        while self.peek() in ("&", r"\\"):
            if self.next() == "&":
                cells.append(self.row())
            else:
                rows.append(cells)
                cells = [self.row()]
        rows.append(cells)
        self.expect(r"\end")
        self.raw()
        body = "".join(
            f"<mtr>{''.join(f'<mtd>{cell}</mtd>' for cell in line)}</mtr>" for line in rows
        )
        fences = [f"<mo>{sign}</mo>" if sign else "" for sign in (opening, closing)]
        return f"<mrow>{fences[0]}<mtable>{body}</mtable>{fences[1]}</mrow>"


def _operator(sign: str) -> str:
    if sign in _TIGHT:
        return f'<mo stretchy="false" lspace="0" rspace="0">{sign}</mo>'
    if sign in _FENCES:
        return f'<mo stretchy="false">{sign}</mo>'
    return f"<mo>{html.escape(sign)}</mo>"


def _character(token: str) -> str:
    if token[0].isdigit():
        return f"<mn>{token}</mn>"
    if token.isalpha():
        return f"<mi>{token}</mi>"
    sign = {"-": "−", "*": "∗"}.get(token, token)
    return _operator(sign)
