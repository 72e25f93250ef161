"""What the commands share: options, progress, tables and JSON on the right streams."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from unroll.errors import ArgumentError
from unroll.samplers import SAMPLERS
from unroll.sampling import SHORT_NAMES

__all__ = [
    "emit_json",
    "json_option",
    "progress_bar",
    "progress_option",
    "sampler_option",
    "seed_option",
    "table",
    "writable_file",
]

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of text."
)
progress_option = click.option(
    "--progress/--no-progress", default=True, help="Progress on standard error [default: on]."
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed."
)
sampler_option = click.option(
    "--sampler",
    type=click.Choice([*SHORT_NAMES, *SAMPLERS]),
    default="ode",
    show_default=True,
    help="sde is short for ancestral (reverse diffusion), ode for heun (probability flow).",
)


def writable_file(argument: str, path: str, suffix: str) -> Path:
    """The path of a file to write, checked before the work whose result it is to hold."""
    target = Path(path)
    if target.suffix != suffix:
        raise ArgumentError(argument, path, f"must end in {suffix}", f"name a {suffix} file")
    if target.is_dir():
        raise ArgumentError(argument, path, "is a folder", f"name a {suffix} file")
    if not target.parent.is_dir():
        condition = f"folder {target.parent} does not exist"
        raise ArgumentError(argument, path, condition, "create it first")
    if not os.access(target.parent, os.W_OK):
        condition = f"folder {target.parent} is not writable"
        raise ArgumentError(argument, path, condition, "name a file in another folder")
    return target


def emit_json(document: Any) -> None:
    """Print one JSON object. Infinity and NaN, which JSON lacks, become null."""
    click.echo(json.dumps(_finite(document), ensure_ascii=False, allow_nan=False))


def progress_bar(total: int, label: str, show: bool = True) -> Any:
    """A progress bar on standard error; in a log file, a line every few seconds."""
    live = sys.stderr.isatty()
    return tqdm(
        total=total,
        desc=label,
        disable=not show,
        leave=not live,
        dynamic_ncols=True,
        mininterval=0.1 if live else 5.0,
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Plain text columns; a column of numbers is aligned to the right.

    >>> print(table(["method", "layers"], [["gradient", "1526"], ["chebyshev", "108"]]))
    method     layers
    gradient     1526
    chebyshev     108
    """
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    numeric = [all(_is_number(line[i]) for line in lines[1:]) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )


def _is_number(cell: str) -> bool:
    return not cell.strip("-") or cell.lstrip("-±")[:1].isdigit()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
