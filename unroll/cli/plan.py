"""`unroll plan`: what every construction would cost, before anything is built."""

from __future__ import annotations

from typing import Any

import click

from unroll.candidates import Candidate, candidates, frontier
from unroll.cli.model_options import gp_argument, range_options
from unroll.cli.output import emit_json, json_option, table
from unroll.gaussian_process import GaussianProcess

_FORMATS = {
    "layers": "{}",
    "heads": "{}",
    "parameters": "{:,}",
    "flops": "{:.2e}",
    "memory": "{:.2e}",
    "bound": "{:.2e}",
    "certified": "{:.2e}",
}


@click.command("plan")
@gp_argument
@range_options
@click.option("--certify", is_flag=True, help="Prove a bound for every row (takes longer).")
@json_option
def command(gp_path: str, certify: bool, as_json: bool, **options: Any) -> None:
    """Layers, heads, parameters, flops, memory and error of every construction.

    GP.JSON is what `unroll fit` writes. `neumann` is `gradient` by another name and is not listed
    twice; conditioning `products` is the model of Fu et al. as they build it (--preset paper).
    Flops are those of one plain forward pass for one sequence, memory is in bytes. The bound is
    the planned relative rms score error, for every t in the range: proved beforehand for
    first-order methods in float64, a prediction for the others; --certify proves it. A star marks
    the constructions that no other beats in layers, heads, parameters and flops alike. Below the
    table stands why a row would be refused.
    """
    gp = GaussianProcess.load(gp_path)
    found = candidates(gp, **options)
    best = frontier(found)
    rows = [_row(one, one in best, certify) for one in found]
    if as_json:
        emit_json({"gp": gp_path, **options, "plans": rows})
        return
    click.echo(
        f"{gp.kernel}, {gp.frames} frames x {gp.channels} channels; tol {options['tol']:g} for t "
        f"in [{options['t_min']:g}, {options['t_max']:g}], {options['dtype']}\n"
    )
    shown = [name for name in _FORMATS if certify or name != "certified"]
    header = ("", "method", "attention", "conditioning", *shown)
    click.echo(table(header, [_cells(row, shown) for row in rows]))
    for row in rows:
        if row["reason"]:
            names = f"{row['method']} x {row['attention']} x {row['conditioning']}"
            click.echo(f"\n{names}: {row['reason']}")


def _cells(row: dict[str, Any], shown: list[str]) -> list[str]:
    names = [row[name] for name in ("method", "attention", "conditioning")]
    return ["*" if row["frontier"] else "", *names] + [
        "-" if row[name] is None else _FORMATS[name].format(row[name]) for name in shown
    ]


def _row(one: Candidate, best: bool, certify: bool) -> dict[str, Any]:
    """One combination: its sizes, and the reason if it would not be built."""
    row: dict[str, Any] = dict.fromkeys(_FORMATS)
    row |= {
        "method": one.method,
        "attention": one.attention,
        "conditioning": one.conditioning,
        "layers": one.layers,
        "frontier": best,
        "reason": one.reason,
    }
    if one.cost is not None:
        sizes = ("heads", "parameters", "flops", "memory")
        row |= {name: getattr(one.cost, name) for name in sizes}
    if one.plan is not None:
        row["bound"] = one.plan.budget.total
    if certify and one.plan is not None and one.reason is None:
        row |= _certified(one)
    return row


def _certified(one: Candidate) -> dict[str, Any]:
    from proofs_check import CertificateError, certify  # slow to import: only where it is wanted

    assert one.plan is not None
    try:
        return {"certified": certify(one.plan).bound}
    except CertificateError as refusal:
        return {"reason": f"no certificate: {refusal}"}
