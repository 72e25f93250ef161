"""`unroll fit`: from sequences in a file to a Gaussian process in gp.json."""

from __future__ import annotations

import click

from unroll.cli.output import (
    emit_json,
    json_option,
    progress_bar,
    progress_option,
    seed_option,
    writable_file,
)
from unroll.fitting import fit
from unroll.sequences import read_sequences

_REGIMES = ("exponential", "polynomial", "logarithmic")
_ON_REQUEST = ("damped_cosine",)


@click.command("fit")
@click.argument("data", metavar="DATA", type=click.Path(dir_okay=False))
@click.option(
    "--out",
    "out",
    type=click.Path(dir_okay=False),
    default="gp.json",
    show_default=True,
    metavar="GP.JSON",
    help="File to write.",
)
@click.option(
    "--regime",
    "regimes",
    type=click.Choice(_REGIMES + _ON_REQUEST),
    multiple=True,
    help=f"Kernel to consider; repeat for several [default: {', '.join(_REGIMES)}].",
)
@click.option(
    "--criterion",
    type=click.Choice(["bic", "held_out"]),
    default="bic",
    show_default=True,
    help="Choose by penalised likelihood, or by that of sequences left out.",
)
@click.option(
    "--held-out",
    type=float,
    default=0.2,
    show_default=True,
    help="Share of the sequences to leave out of a second fit; 0 for none.",
)
@click.option(
    "--mean/--no-mean",
    "mean",
    default=True,
    help="Fit a mean sequence, or take it to be zero [default: fit].",
)
@seed_option
@progress_option
@json_option
def command(
    data: str,
    out: str,
    regimes: tuple[str, ...],
    criterion: str,
    held_out: float,
    mean: bool,
    seed: int,
    progress: bool,
    as_json: bool,
) -> None:
    """Fit kernel, spatial covariance and mean to DATA by maximum likelihood.

    DATA is a .npy array of shape (n, frames, channels), or a .csv with the header
    sequence,frame,CHANNEL,... and one row per frame of every sequence: the sequence's label, the
    frame's number (0, 1, 2, ...) and one number per channel.

    Every decay regime is fitted, and damped_cosine where --regime asks for it; the table shows all
    of them and which was chosen.
    """
    target = writable_file("--out", out, ".json")
    x = read_sequences(data).x
    names = regimes or _REGIMES
    with progress_bar(len(names), "fit", progress) as bar:

        def advance(line: str) -> None:
            bar.set_postfix_str(line)
            bar.update()

        report = fit(
            x,
            names,
            criterion=criterion,
            held_out=held_out,
            rng=seed,
            mean=mean,
            progress=advance,
        )
    report.gp.save(target)
    if as_json:
        emit_json({"out": out, **report.to_dict(), "warnings": list(report.warnings)})
        return
    click.echo(f"{x.shape[0]} sequences of {x.shape[1]} frames x {x.shape[2]} channels\n")
    click.echo(str(report))
    for warning in report.warnings:
        click.echo(f"note: {warning}", err=True)
    click.echo(f"\nsaved in {out}")
