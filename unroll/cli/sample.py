"""`unroll sample`: sequences drawn by running the diffusion backwards with a model's score."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path

import click
import numpy as np

from unroll.cli.model_options import model_argument
from unroll.cli.output import (
    emit_json,
    json_option,
    progress_bar,
    progress_option,
    sampler_option,
    seed_option,
    writable_file,
)
from unroll.sampling import sample_reverse


@click.command("sample")
@model_argument
@click.option(
    "-n", "n", type=click.IntRange(min=1), default=100, show_default=True, help="How many."
)
@click.option(
    "--out", "out", type=click.Path(), required=True, metavar="FILE.NPY", help="File to write."
)
@sampler_option
@click.option(
    "--steps", type=click.IntRange(min=1), default=100, show_default=True, help="Sampler steps."
)
@seed_option
@progress_option
@json_option
def command(
    model_path: str,
    n: int,
    out: str,
    sampler: str,
    steps: int,
    seed: int,
    progress: bool,
    as_json: bool,
) -> None:
    """Draw n sequences with the model in DIR; an array (n, frames, channels) of float64.

    The sampler runs over the model's whole range of diffusion times. The start at t_max is unit
    noise around the mean, and the last step returns E[X | V] at t_min: a model built with a wide
    range (--t-min 1e-4 --t-max 10) leaves little of either approximation.
    """
    target = writable_file("--out", out, ".npy")
    from constructions import load  # imports torch: seconds that --help need not wait
    from unroll.cli.scores import model_score

    model = load(model_path)
    plan = model.plan
    with progress_bar(steps, "sample", progress) as bar:
        x = sample_reverse(
            model_score(model),
            (n, plan.gp.frames, plan.gp.channels),
            t_min=plan.t_min,
            t_max=plan.t_max,
            steps=steps,
            rng=seed,
            method=sampler,
            start_mean=math.exp(-plan.t_max / 2) * plan.gp.mean,
            progress=lambda done, total: bar.update(done - bar.n),
        )
    _save(target, x)
    if as_json:
        emit_json({"out": out, "shape": list(x.shape), "sampler": sampler, "steps": steps})
    else:
        click.echo(f"{n} sequences of {x.shape[1]} frames x {x.shape[2]} channels in {out}")


def _save(target: Path, x: np.ndarray) -> None:
    """Write whole or not at all."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, x)
        part.chmod(0o644)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
