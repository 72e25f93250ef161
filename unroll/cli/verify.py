"""`unroll verify`: the error of a saved model, measured against the closed form."""

from __future__ import annotations

import click

from unroll.cli.model_options import model_argument
from unroll.cli.output import (
    emit_json,
    json_option,
    progress_bar,
    progress_option,
    seed_option,
    table,
)


@click.command("verify")
@model_argument
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Noisy sequences for each diffusion time.",
)
@seed_option
@progress_option
@json_option
def command(model_path: str, samples: int, seed: int, progress: bool, as_json: bool) -> int:
    """Compare the model in DIR with the closed-form score over its range of diffusion times.

    Every block is compared with its reference iterate as well. Exit status 1 if the error exceeds
    the model's tolerance anywhere or a block leaves its reference.
    """
    from constructions import load, verify  # imports torch: seconds that --help need not wait

    model = load(model_path)
    bar = None

    def advance(done: int, total: int) -> None:
        nonlocal bar
        bar = bar or progress_bar(total, "verify", progress)
        bar.update(done - bar.n)

    result = verify(model, samples=samples, rng=seed, progress=advance)
    if bar is not None:
        bar.close()
    if as_json:
        emit_json(result.to_dict())
    else:
        click.echo(
            table(
                ("t", "relative error", "± s.e."),
                [
                    [f"{t:.4g}", f"{error:.3e}", f"{spread:.0e}"]
                    for t, error, spread in zip(
                        result.times, result.relative_error, result.standard_error, strict=True
                    )
                ],
            )
        )
        relation = "<=" if result.worst <= result.tol else ">"
        click.echo(f"\nworst {result.worst:.3e} {relation} tol {result.tol:g}")
        click.echo(f"first divergence: {result.first_divergence or 'none'}")
        click.echo("passed" if result.passed else "FAILED")
    return 0 if result.passed else 1
