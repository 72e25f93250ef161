"""Run experiments by name: their jobs side by side, then a table for each."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from constructions.learned.experiments.sweep import Job, sweep
from constructions.learned.experiments.table import Table, origin
from unroll.validation import choice

__all__ = ["EXPERIMENTS", "RESULTS", "configuration", "experiment", "measure", "run"]

#: In the order in which they are told.
EXPERIMENTS = (
    "distribution_error",
    "sequence_length",
    "architectures",
    "attention_maps",
    "unrolling_probes",
    "moving_ball",
    "off_assumptions",
)
#: Where saved tables are.
RESULTS = Path(__file__).parent / "results"


def experiment(name: str) -> Any:
    """The module of an experiment: ``Config``, ``jobs``, ``measure``, ``summary``, ``figure``."""
    choice("name", name, EXPERIMENTS)
    return import_module(f"constructions.learned.experiments.{name}")


def configuration(name: str, *, full: bool) -> Any:
    """The small or the full configuration of an experiment."""
    config = experiment(name).Config
    return config.full() if full else config.small()


def measure(job: Job, device: str) -> dict[str, Any]:
    """Run a job of any experiment."""
    found: dict[str, Any] = experiment(job["experiment"]).measure(job, device)
    return found


def run(
    names: Iterable[str], *, full: bool = False, folder: str | Path, **options: Any
) -> dict[str, Table]:
    """Measure what is missing and summarise what is there.

    Parameters
    ----------
    names
        From `EXPERIMENTS`.
    full
        The configurations of the saved tables, or small ones.
    folder
        Where single results are kept: a run that is started again continues.
    **options
        Those of `constructions.learned.experiments.sweep.sweep`.

    Returns
    -------
    Name to table; experiments without a single result are left out.
    """
    configs = {name: configuration(name, full=full) for name in names}
    jobs = [
        job | {"experiment": name}
        for name, config in configs.items()
        for job in experiment(name).jobs(config)
    ]
    jobs.sort(key=lambda job: int(job["seed"]))  # every case once before any a second time
    records = sweep(measure, jobs, folder=folder, **options)
    tables = {}
    for name, config in configs.items():
        own = [record for record in records if record["experiment"] == name]
        if own:
            tables[name] = experiment(name).summary(own, config)
            tables[name].origin = origin(options.get("device", "cpu"))
    return tables
