"""`unroll prove`: run the proofs and say how each step was discharged."""

from __future__ import annotations

from pathlib import Path

import click

from unroll.cli.output import (
    emit_json,
    json_option,
    progress_bar,
    progress_option,
    writable_file,
)
from unroll.errors import ArgumentError

_FORMATS = {".md": "to_markdown", ".html": "to_html"}


@click.command("prove")
@click.argument("name", metavar="[REGIME|LEMMA]", required=False)
@click.option(
    "--falsify", is_flag=True, help="Also refute the stored wrong variants of every statement."
)
@click.option(
    "--out",
    "out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the report, formulas typeset, to FILE.md or FILE.html.",
)
@progress_option
@json_option
def command(name: str | None, falsify: bool, out: str | None, progress: bool, as_json: bool) -> int:
    """Check every theorem and lemma, or those of one regime, or one lemma.

    REGIME is exponential, polynomial or logarithmic: its theorem, and the lemmas that this
    composes. Each step is proved by computer algebra, proved a second time where possible, checked
    numerically, or cited, and the report says which. Exit status 1 if any step fails.
    """
    target, suffix = None, ""
    if out is not None:
        suffix = Path(out).suffix
        if suffix not in _FORMATS:
            raise ArgumentError("--out", out, "must end in .md or .html", "name such a file")
        target = writable_file("--out", out, suffix)
    from proofs_check import prove  # imports sympy
    from proofs_check.prove import selected

    with progress_bar(len(selected(name)), "prove", progress) as bar:

        def advance(done: str) -> None:
            bar.set_postfix_str(done)
            bar.update()

        report = prove(name, falsify=falsify, progress=advance)
    if target is not None:
        part = target.with_name(f"{target.name}.part")
        part.write_text(getattr(report, _FORMATS[suffix])(), encoding="utf-8")
        part.replace(target)
    if as_json:
        emit_json({**report.to_dict(), "out": out})
    else:
        click.echo(str(report))
        if target is not None:
            click.echo(f"\nsaved in {out}")
    return 0 if report.ok else 1
