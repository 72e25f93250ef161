"""The command: run both data sets in a new folder, write figures and report, print a summary."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from unroll import datasets
from unroll.cli.demo.folder import new_folder
from unroll.cli.output import emit_json, json_option, progress_option, seed_option, table
from unroll.errors import ArgumentError
from unroll.report import to_html, to_markdown
from unroll.storage import write_json


@click.command("demo")
@click.option(
    "--out",
    "out",
    type=click.Path(),
    default="unroll-demo",
    show_default=True,
    metavar="DIR",
    help="Folder to write; only an earlier demo is replaced.",
)
@click.option(
    "--data",
    "names",
    type=click.Choice(datasets.names()),
    multiple=True,
    help="Data set; repeat for several [default: all].",
)
@click.option(
    "--samples",
    type=click.IntRange(min=200),
    default=1000,
    show_default=True,
    help="Sequences to draw.",
)
@click.option(
    "--steps", type=click.IntRange(min=2), default=50, show_default=True, help="Sampler steps."
)
@seed_option
@progress_option
@json_option
def command(
    out: str,
    names: tuple[str, ...],
    samples: int,
    steps: int,
    seed: int,
    progress: bool,
    as_json: bool,
) -> int:
    """Fit the bundled real data, plan, build, verify and sample; tables and figures in DIR.

    Takes a few minutes. DIR/report.html is self-contained; report.md says the same. Exit status 1
    if a model does not keep its tolerance.
    """
    if find_spec("matplotlib") is None:
        remedy = "install the extra: pip install 'unrolled-transformers[figures]'"
        raise ArgumentError("demo", "figures", "matplotlib is not installed", remedy)
    # imports torch: seconds that --help need not wait
    from unroll.cli.demo.document import document
    from unroll.cli.demo.pictures import draw
    from unroll.cli.demo.study import Settings, study

    settings = Settings(samples=samples, steps=steps, seed=seed)
    started = time.monotonic()
    studies = []
    with new_folder(Path(out)) as folder:
        for name in names or datasets.names():
            studies.append(study(name, settings, folder / name, progress))
            draw(studies[-1], folder / name)
        blocks = document(studies)
        (folder / "report.md").write_text(to_markdown(blocks), encoding="utf-8")
        (folder / "report.html").write_text(to_html(blocks, folder), encoding="utf-8")
        numbers: dict[str, Any] = {s.data.name: s.to_dict() for s in studies}
        write_json(folder / "numbers.json", numbers)
    passed = all(built.verification.passed for s in studies for built in s.built)
    if as_json:
        emit_json({"out": out, "passed": passed, **numbers})
        return 0 if passed else 1
    for s in studies:
        click.echo(f"{s.data.title}: {s.report.chosen.kernel}\n")
        rows = [
            [
                built.name,
                f"{built.plan.tol:g}",
                f"{built.plan.t_min:g}",
                str(built.plan.depth),
                str(built.plan.heads),
                f"{built.plan.budget.total:.2e}",
                f"{built.verification.worst:.2e}",
                "passed" if built.verification.passed else "FAILED",
            ]
            for built in s.built
        ]
        header = ("model", "tol", "t_min", "layers", "heads", "planned", "measured", "verify")
        click.echo(table(header, rows) + "\n")
    seconds = time.monotonic() - started
    click.echo(f"{seconds:.0f} s; report in {Path(out) / 'report.html'} and report.md")
    return 0 if passed else 1
