"""Options that `plan` and `build` share: the arguments of `make_plan`, spelled for a shell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["gp_argument", "model_argument", "range_options"]

Function = TypeVar("Function", bound=Callable[..., Any])

gp_argument = click.argument("gp_path", metavar="GP.JSON", type=click.Path(dir_okay=False))
model_argument = click.argument("model_path", metavar="DIR", type=click.Path())


def range_options(function: Function) -> Function:
    """Accuracy, range of the diffusion time, precision."""
    for option in (
        click.option(
            "--max-layers",
            type=int,
            default=4000,
            show_default=True,
            help="Refuse a plan with more blocks.",
        ),
        click.option(
            "--dtype",
            type=click.Choice(["float64", "float32"]),
            default="float64",
            show_default=True,
            help="Precision of the weights and of the forward pass.",
        ),
        click.option(
            "--t-max", type=float, default=5.0, show_default=True, help="Largest diffusion time."
        ),
        click.option(
            "--t-min", type=float, default=0.01, show_default=True, help="Smallest diffusion time."
        ),
        click.option(
            "--tol",
            type=float,
            default=1e-6,
            show_default=True,
            help="Relative rms score error, for every t in [t-min, t-max].",
        ),
    ):
        function = option(function)
    return function
