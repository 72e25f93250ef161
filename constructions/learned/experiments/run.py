"""Run experiments by name: their jobs side by side, then a table for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from constructions.learned.experiments.common import SIZES, training
from constructions.learned.experiments.sweep import Job, results, sweep, sweep_groups
from constructions.learned.experiments.table import Table, origin
from constructions.learned.together import signature, train_together
from constructions.learned.training import train
from unroll.validation import choice

__all__ = [
    "EXPERIMENTS",
    "RESULTS",
    "SIZES",
    "configuration",
    "experiment",
    "measure",
    "run",
    "saved",
]

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


def saved(name: str, size: str = "standard") -> Table:
    """The saved table of an experiment."""
    return Table.load(RESULTS / f"{experiment(name).NAME}.{size}.json")


def _kind(job: Job) -> str:
    return "networks" if job["trains"] == "network" else "others"


def _of_groups(options: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in options.items() if k in ("device", "deadline", "progress", "failed")}


def experiment(name: str) -> Any:
    """The module of an experiment: ``Config``, ``jobs``, ``measure``, ``summary``, ``figure``."""
    choice("name", name, EXPERIMENTS)
    return import_module(f"constructions.learned.experiments.{name}")


def configuration(name: str, size: str) -> Any:
    """The configuration of an experiment, by one of `SIZES`."""
    return experiment(name).Config.sized(size)


def measure(job: Job, device: str) -> dict[str, Any]:
    """Run a job of any experiment."""
    module, model = experiment(job["experiment"]), None
    if job["trains"]:
        model, data = module.prepare(job)
        model = train(model, data, training(job, len(data), device), progress=False).ema
    found: dict[str, Any] = module.evaluate(job, model)
    return found


def measure_together(jobs: Sequence[Job], device: str) -> list[dict[str, Any]]:
    """Run jobs that train networks of one shape, all at once."""
    prepared = [experiment(job["experiment"]).prepare(job) for job in jobs]
    data = [x for _, x in prepared]
    configs = [training(job, len(x), device) for job, x in zip(jobs, data, strict=True)]
    models = train_together([model for model, _ in prepared], data, configs, progress=False)
    return [
        experiment(job["experiment"]).evaluate(job, model)
        for job, model in zip(jobs, models, strict=True)
    ]


def grouped(jobs: Sequence[Job], most: int) -> list[list[Job]]:
    """Jobs whose networks can be trained together, up to so many; the order is kept roughly."""
    groups: dict[str, list[Job]] = {}
    found: list[list[Job]] = []
    for job in jobs:
        prepared = experiment(job["experiment"]).prepare(job)
        key = repr(signature(prepared[0], training(job, len(prepared[1]), "cpu")))
        group = groups.setdefault(key, [])
        if not group:
            found.append(group)
        group.append(job)
        if len(group) == most:
            del groups[key]
    return found


def run(
    names: Iterable[str],
    *,
    size: str = "small",
    folder: str | Path,
    only: str | None = None,
    together: int = 1,
    **options: Any,
) -> dict[str, Table]:
    """Measure what is missing and summarise what is there.

    Parameters
    ----------
    names
        From `EXPERIMENTS`.
    size
        One of `SIZES`.
    folder
        Where single results are kept: a run that is started again continues.
    only
        ``"networks"`` runs jobs that train networks, ``"others"`` all the others; tables are made
        of everything that is in the folder.
    together
        How many networks of one shape are trained at once: for a GPU.
    **options
        Those of `constructions.learned.experiments.sweep.sweep`.

    Returns
    -------
    Name to table; experiments without a single result are left out.
    """
    configs = {name: configuration(name, size) for name in names}
    jobs = [
        job | {"experiment": name}
        for name, config in configs.items()
        for job in experiment(name).jobs(config)
    ]
    jobs.sort(key=lambda job: int(job["seed"]))  # every case once before any a second time
    run_now = [job for job in jobs if only in (None, _kind(job))]
    if together > 1:
        networks = [job for job in run_now if _kind(job) == "networks"]
        sweep_groups(
            measure_together, grouped(networks, together), folder=folder, **_of_groups(options)
        )
    sweep(measure, run_now, folder=folder, **options)
    records = results(jobs, folder)
    tables = {}
    for name, config in configs.items():
        own = [record for record in records if record["experiment"] == name]
        if own:
            tables[name] = experiment(name).summary(own, config)
            tables[name].origin = origin(options.get("device", "cpu"))
    return tables
