"""`unroll build`: weights for a problem, saved as a folder that `load` reads."""

from __future__ import annotations

from typing import Any

import click

from unroll.attention import LOWERINGS
from unroll.candidates import OBJECTIVES
from unroll.cli.model_options import gp_argument, range_options
from unroll.cli.output import emit_json, json_option
from unroll.gaussian_process import GaussianProcess
from unroll.plan import METHOD_NAMES
from unroll.planner import make_plan
from unroll.rounding import ACTIVATION_ROUNDINGS


@click.command("build")
@gp_argument
@click.option(
    "--method",
    type=click.Choice([*METHOD_NAMES, "auto"]),
    help="Method to unroll; `neumann` is `gradient` by another name, `auto` the best of all "
    "[default: chebyshev].",
)
@click.option(
    "--attention",
    type=click.Choice(list(LOWERINGS)),
    help="Attention that carries the temporal covariance [default: softmax; none for spectral].",
)
@click.option(
    "--objective",
    type=click.Choice(list(OBJECTIVES)),
    help="What `--method auto` makes smallest [default: depth].",
)
@range_options
@click.option(
    "--heads",
    type=click.Choice(["knot", "trapezoid"]),
    help="ReLU attention: one head per lag, or the paper's four [default: knot].",
)
@click.option("--bandwidth", type=int, help="ReLU attention: largest lag kept [default: chosen].")
@click.option(
    "--activation",
    type=click.Choice(list(ACTIVATION_ROUNDINGS)),
    help="Activation of the feed-forward layers [default: relu].",
)
@click.option(
    "--conditioning",
    type=click.Choice(["exact", "mlp"]),
    help="How t reaches the gates: exact functions, or a network of t [default: exact].",
)
@click.option("--preset", type=click.Choice(["paper"]), help="The model as Fu et al. build it.")
@click.option(
    "--out", "out", type=click.Path(), required=True, metavar="DIR", help="Folder to write."
)
@json_option
def command(gp_path: str, out: str, as_json: bool, **request: Any) -> None:
    """Write the weights of a transformer whose score is that of GP.JSON.

    DIR holds model.safetensors (the weights) and model.json (plan, problem, library version); an
    existing model there is replaced, any other folder is left alone.
    """
    plan = make_plan(GaussianProcess.load(gp_path), **request)
    from constructions import build  # imports torch: only when there is something to build

    model = build(plan)
    model.save(out)
    if as_json:
        emit_json({"out": out, **model.summary().to_dict()})
    else:
        click.echo(f"{model.summary()}\n\nsaved in {out}")
