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
from unroll.refusals import DepthError

#: Deeper plans are not planned in full just to count their weights: their depth is enough.
_COUNTED = 20_000
#: Errors about these arguments belong to one combination; others are the caller's mistake.
_OF_THE_ROW = ("method", "attention", "tol", "bandwidth")


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
    rms score error, for every t in the range. Below the table stands why a row would be refused.
    """
    gp = GaussianProcess.load(gp_path)
    limits: dict[str, Any] = {
        "t_min": t_min,
        "t_max": t_max,
        "dtype": dtype,
        "max_layers": max_layers,
    }
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
    click.echo(table(header, [_cells(row) for row in rows]))
    for row in rows:
        if row["reason"]:
            click.echo(f"\n{row['method']} x {row['attention']}: {row['reason']}")


def _cells(row: dict[str, Any]) -> list[str]:
    formats = {"layers": "{}", "heads": "{}", "parameters": "{:,}", "flops": "{:.2e}"}
    formats["bound"] = "{:.2e}"
    return [row["method"], row["attention"]] + [
        "-" if row[name] is None else form.format(row[name]) for name, form in formats.items()
    ]


def _row(
    gp: GaussianProcess, *, method: str, attention: str, max_layers: int, **limits: Any
) -> dict[str, Any]:
    """One combination: its sizes, and the reason if it would not be built."""
    row: dict[str, Any] = {"method": method, "attention": attention}
    row |= dict.fromkeys(("layers", "heads", "parameters", "flops", "bound", "reason"))
    request = {"method": method, "attention": attention, **limits}
    try:
        plan = make_plan(gp, **request, max_layers=max_layers)
    except DepthError as error:  # too deep to build, not to describe
        row |= {"layers": error.depth, "reason": str(error)}
        if error.depth > _COUNTED:
            return row
        plan = make_plan(gp, **request, max_layers=2 * _COUNTED)
    except ArgumentError as error:
        if error.argument not in _OF_THE_ROW or not 0 < limits["tol"] < 1:
            raise  # nothing to do with this combination
        return row | {"reason": str(error)}
    row |= {"layers": plan.depth, "heads": plan.heads, "bound": plan.budget.total}
    from constructions import compile_plan, summarize  # imports torch: only with a plan at hand

    cost = summarize(compile_plan(plan), plan)
    return row | {"parameters": cost.parameters, "flops": cost.flops}
