"""`unroll plan`: what every method and attention would cost, before anything is built."""

from __future__ import annotations

from typing import Any

import click

from unroll.attention import LOWERINGS
from unroll.cli.model_options import gp_argument, range_options
from unroll.cli.output import emit_json, json_option, table
from unroll.errors import ArgumentError
from unroll.gaussian_process import GaussianProcess
from unroll.methods import METHODS
from unroll.planner import make_plan


@click.command("plan")
@gp_argument
@range_options
@json_option
def command(
    gp_path: str,
    tol: float,
    t_min: float,
    t_max: float,
    dtype: str,
    max_layers: int,
    as_json: bool,
) -> None:
    """Layers, heads, parameters, flops and bound for every method x attention.

    GP.JSON is what `unroll fit` writes. `neumann` is `gradient` by another name and is not listed
    twice. Flops are those of one forward pass for one sequence. The bound is the planned relative
    rms score error, for every t in the range.
    """
    gp = GaussianProcess.load(gp_path)
    limits = {"t_min": t_min, "t_max": t_max, "dtype": dtype, "max_layers": max_layers}
    rows = [
        _row(gp, method=method, attention=attention, tol=tol, **limits)
        for method in METHODS
        if method != "neumann"
        for attention in LOWERINGS
    ]
    if as_json:
        emit_json({"gp": gp_path, "tol": tol, **limits, "plans": rows})
        return
    click.echo(
        f"{gp.kernel}, {gp.frames} frames x {gp.channels} channels; tol {tol:g} for t in "
        f"[{t_min:g}, {t_max:g}], {dtype}\n"
    )
    header = ("method", "attention", "layers", "heads", "parameters", "flops", "bound")
    cells = [
        [row["method"], row["attention"]]
        + (
            ["-"] * 5
            if row["reason"]
            else [
                str(row["layers"]),
                str(row["heads"]),
                str(row["parameters"]),
                f"{row['flops']:.3g}",
                f"{row['bound']:.2e}",
            ]
        )
        for row in rows
    ]
    click.echo(table(header, cells))
    for row in rows:
        if row["reason"]:
            click.echo(f"\n{row['method']} x {row['attention']}: {row['reason']}")


def _row(gp: GaussianProcess, *, method: str, attention: str, **limits: Any) -> dict[str, Any]:
    """One combination: its sizes, or the reason why there is no such plan."""
    row: dict[str, Any] = {"method": method, "attention": attention, "reason": None}
    sizes: dict[str, Any] = dict.fromkeys(("layers", "heads", "parameters", "flops", "bound"))
    try:
        plan = make_plan(gp, method=method, attention=attention, **limits)
    except ArgumentError as error:
        # What is wrong with this method or attention belongs in its row; what is wrong with the
        # common arguments, such as a negative tolerance, is the caller's and ends the command.
        if error.argument not in ("method", "attention", "tol", "bandwidth") or not (
            0 < limits["tol"] < 1
        ):
            raise
        return {**row, **sizes, "reason": str(error)}
    from constructions.sizes import sizes_of  # imports torch: only when there is a plan to size

    cost = sizes_of(plan)
    return {
        **row,
        "layers": plan.depth,
        "heads": plan.heads,
        "parameters": cost.parameters,
        "flops": cost.flops,
        "bound": plan.budget.total,
    }
