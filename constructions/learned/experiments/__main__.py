"""``python -m constructions.learned.experiments``: run experiments, print and save their tables."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import torch

from constructions.learned.experiments.run import EXPERIMENTS, SIZES, experiment, run
from constructions.learned.experiments.table import Table
from unroll.errors import ArgumentError


@click.command()
@click.argument("names", nargs=-1, metavar="NAME...", required=True)
@click.option(
    "--size",
    type=click.Choice(SIZES),
    default="small",
    show_default=True,
    help="Seconds on two cores; minutes on two cores, as the saved tables; or for a GPU.",
)
@click.option("--workers", default=1, show_default=True, help="Local processes.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Where single results are kept.")
@click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler whose workers run the jobs.")
@click.option(
    "--only", type=click.Choice(["networks", "others"]), help="Jobs that train networks, or others."
)
@click.option(
    "--together", default=1, show_default=True, help="Networks trained at once, on a GPU."
)
@click.option("--deadline", type=float, help="Seconds after which no further job is started.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to save tables and figures.")
def main(
    names: tuple[str, ...],
    size: str,
    workers: int,
    device: str,
    folder: Path | None,
    scheduler: str | None,
    only: str | None,
    together: int,
    deadline: float | None,
    out: Path | None,
) -> None:
    """Run experiments NAME... (or "all") and save their tables and figures."""
    torch.set_num_threads(1)  # networks this small gain nothing by more
    chosen = EXPERIMENTS if "all" in names else names
    failed: list[str] = []
    with ExitStack() as stack:
        temporary = stack.enter_context(tempfile.TemporaryDirectory())
        try:
            client = None
            if scheduler:
                from distributed import Client

                client = stack.enter_context(Client(scheduler))
            tables = run(
                chosen,
                size=size,
                folder=folder or temporary,
                workers=workers,
                device=device,
                client=client,
                only=only,
                together=together,
                deadline=deadline,
                failed=failed,
            )
        except ArgumentError as error:
            raise click.ClickException(str(error)) from None
    for name, table in tables.items():
        click.echo(f"\n{name}\n\n{table.markdown()}")
        if out is not None:
            table.save(out / f"{name}.{size}.json")
            _draw(experiment(name), table, out / f"{name}.{size}.png")
    if failed:
        raise click.ClickException(f"{len(failed)} jobs failed, the first with {failed[0]}")


def _draw(module: Any, table: Table, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    FigureCanvasAgg(figure)
    module.figure(table, figure.subplots())
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
