"""`unroll prove`: run the proofs and say how each step was discharged."""

from __future__ import annotations

import click

from unroll.cli.output import emit_json, json_option


@click.command("prove")
@click.argument("name", metavar="[REGIME]", required=False)
@click.option(
    "--falsify", is_flag=True, help="Also refute the stored wrong variants of every statement."
)
@json_option
def command(name: str | None, falsify: bool, as_json: bool) -> int:
    """Check every lemma and theorem, or those of one regime, or one by name.

    Each step is proved by computer algebra, proved a second time where possible, checked
    numerically, or cited, and the report says which. Exit status 1 if any step fails.
    """
    from proofs_check import prove  # imports sympy

    report = prove(name, falsify=falsify)
    if as_json:
        emit_json(report.to_dict())
    else:
        click.echo(str(report))
    return 0 if report.ok else 1
