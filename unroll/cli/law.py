"""`unroll law`: the exact law of what a sampler returns with a saved model, split into causes."""

from __future__ import annotations

import math
from typing import Any

import click
import numpy as np

from unroll.cli.model_options import model_argument
from unroll.cli.output import (
    emit_json,
    json_option,
    progress_bar,
    progress_option,
    sampler_option,
    table,
)
from unroll.distribution import Causes, eigen_basis, split_causes, total_variation
from unroll.errors import ArgumentError
from unroll.gaussian_process import GaussianProcess
from unroll.samplers import make_sampler, reverse_times
from unroll.sampling import SHORT_NAMES
from unroll.validation import Array


@click.command("law")
@model_argument
@sampler_option
@click.option(
    "--steps", type=click.IntRange(min=1), default=100, show_default=True, help="Sampler steps."
)
@progress_option
@json_option
def command(model_path: str, sampler: str, steps: int, progress: bool, as_json: bool) -> None:
    """How far the law of what `unroll sample` draws with the model in DIR is from the data.

    Nothing is sampled: mean and covariance follow from the affine map that the model is at every
    diffusion time. The distance is split into early stopping at t_min, the start at t_max, the
    steps of the sampler, and the model's score. Matrices are dense: for sequences of up to a few
    thousand numbers.
    """
    from constructions import load  # imports torch: seconds that --help need not wait
    from constructions.adapters import affine_score

    model = load(model_path)
    plan = model.plan
    times = reverse_times(plan.t_min, plan.t_max, steps)
    chain = make_sampler(SHORT_NAMES.get(sampler, sampler), times)
    score = affine_score(model)
    evaluate = score.score
    start = math.exp(-plan.t_max / 2) * plan.gp.mean
    total = len({stage.t for stage in chain.stages})
    with progress_bar(total, "law", progress) as bar:

        def counted(v: Array, t: float) -> Array:
            bar.update()
            return np.asarray(evaluate(v, t))

        score.score = counted
        causes = split_causes(plan.gp, chain, score, start_mean=start)
    document = _document(causes, plan.gp) | {"sampler": chain.name, "steps": steps}
    if as_json:
        emit_json(document)
    else:
        click.echo(_page(document))


def _document(causes: Causes, gp: GaussianProcess) -> dict[str, Any]:
    """Everything that is told, as numbers."""
    last = causes.laws["score"]
    basis, eigenvalues = eigen_basis(gp)
    errors = last.mode_errors(basis, eigenvalues)
    try:
        distance = total_variation(causes.laws["data"], last)
        variation = {"value": distance.value, "lower": distance.lower, "upper": distance.upper}
    except ArgumentError:  # singular to float64 precision
        variation = {"value": math.nan, "lower": 0.0, "upper": 1.0}
    return {
        **causes.to_dict(),
        "total_variation": variation,
        "eigenvalue_errors": {"lowest": float(np.min(errors)), "highest": float(np.max(errors))},
    }


def _page(document: dict[str, Any]) -> str:
    """The same as text."""
    kl = document["kl"] | {"together": document["total_kl"]}
    distances = document["wasserstein"] | {"together": document["total_wasserstein"]}
    rows = [(cause, f"{w:.3e}", _number(kl[cause])) for cause, w in distances.items()]
    variation, errors = document["total_variation"], document["eigenvalue_errors"]
    return "\n".join(
        [
            table(("cause", "Wasserstein", "KL (signed)"), rows),
            "",
            f"total variation {_number(variation['value'])}, "
            f"by theorems between {variation['lower']:.3e} and {variation['upper']:.3e}",
            f"covariance      {document['covariance_error']:.3e} relative (Frobenius)",
            f"eigenvalues     {errors['lowest']:+.3e} to {errors['highest']:+.3e} relative",
        ]
    )


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3e}"
