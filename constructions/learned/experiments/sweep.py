"""Run many small jobs side by side and keep every result: local processes, or a Dask cluster.

A job is plain data; what it measured is one JSON file in the folder, named after the job, and
``sweep.log`` says when each was done or how it failed. A sweep that is started again runs what is
missing. Jobs run in the order given, so that one that is cut short has every case with the first
seeds.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from unroll.errors import ArgumentError
from unroll.validation import integer

__all__ = ["Job", "Measure", "results", "sweep", "sweep_groups"]

Job = dict[str, Any]
"""Everything that a measurement depends on, JSON-ready."""

Measure = Callable[[Job, str], dict[str, Any]]
"""(job, device) to numbers; a function that other processes can import."""


def sweep(
    measure: Measure,
    jobs: Sequence[Job],
    *,
    folder: str | Path,
    workers: int = 1,
    device: str = "cpu",
    client: Any = None,
    deadline: float | None = None,
    progress: bool = True,
    failed: list[str] | None = None,
) -> list[dict[str, Any]]:
    """The results of all jobs that are done, each with its job.

    Parameters
    ----------
    measure, jobs
        What to do with what.
    folder
        Where results are kept.
    workers
        Local processes; 1 runs in this one.
    device
        Passed on.
    client
        A `distributed.Client`: its cluster runs the jobs instead.
    deadline
        Seconds after which no further job is started.
    progress
        Whether to show a bar.
    failed
        Gets the errors of jobs that failed; without it the first one is raised in the end.

    Raises
    ------
    ArgumentError
        Jobs failed, and all others are done.
    """
    integer("workers", workers, 1)
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    missing = [job for job in jobs if _read(place, job) is None]
    end = None if deadline is None else time.monotonic() + deadline
    failures: list[str] = [] if failed is None else failed
    with tqdm(total=len(jobs), initial=len(jobs) - len(missing), disable=not progress) as bar:
        for job, outcome in _outcomes(measure, missing, workers, device, client, end):
            if isinstance(outcome, str):
                failures.append(f"{outcome}, in {job}")
            else:
                _write(place, job, outcome)
            _log(place, job, outcome)
            bar.update()
    if failures and failed is None:
        raise ArgumentError(
            "jobs",
            f"{len(failures)} of {len(jobs)}",
            f"failed, the first with {failures[0]}",
            "repair it and run again: what is done is kept",
        )
    return results(jobs, place)


def results(jobs: Sequence[Job], folder: str | Path) -> list[dict[str, Any]]:
    """What is there of jobs, each with its job."""
    found = ((job, _read(Path(folder), job)) for job in jobs)
    return [job | result for job, result in found if result is not None]


def sweep_groups(
    measure: Callable[[Sequence[Job], str], list[dict[str, Any]]],
    groups: Sequence[Sequence[Job]],
    *,
    folder: str | Path,
    device: str = "cpu",
    deadline: float | None = None,
    progress: bool = True,
    failed: list[str] | None = None,
) -> None:
    """The same for jobs that are run a group at a time, in this process.

    Parameters are those of `sweep`; a group that fails is left to it.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    for group in tqdm(groups, disable=not progress):
        missing = [job for job in group if _read(place, job) is None]
        late = deadline is not None and time.monotonic() - start > deadline
        if late or not missing:
            continue
        outcome = _attempt(measure, missing, device)
        if isinstance(outcome, str):
            if failed is None:
                raise ArgumentError(
                    "jobs", f"a group of {len(missing)}", f"failed with {outcome}", "repair it"
                )
            failed.append(outcome)
            for job in missing:
                _log(place, job, outcome)
        else:
            for job, result in zip(missing, outcome, strict=True):
                _write(place, job, result)
                _log(place, job, result)


def _outcomes(
    measure: Measure,
    jobs: Sequence[Job],
    workers: int,
    device: str,
    client: Any,
    end: float | None,
) -> Iterator[tuple[Job, dict[str, Any] | str]]:
    """Results, or error messages, as they come in."""
    if client is None and workers == 1:
        for job in jobs:
            if end is not None and time.monotonic() > end:
                return
            yield job, _attempt(measure, job, device)
        return
    if client is not None:
        yield from _spread(client, measure, jobs, device, end)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_alone) as pool:
        yield from _spread(pool, measure, jobs, device, end, most=workers)


def _spread(
    pool: Any,
    measure: Measure,
    jobs: Sequence[Job],
    device: str,
    end: float | None,
    most: int | None = None,
) -> Iterator[tuple[Job, dict[str, Any] | str]]:
    """Hand jobs out a few at a time: what has not begun at the deadline never does."""
    most = 2 * len(pool.scheduler_info()["workers"]) if most is None else most
    waiting, running = list(jobs), dict[Any, Job]()
    extra = {} if isinstance(pool, ProcessPoolExecutor) else {"pure": False}
    while waiting or running:
        while waiting and len(running) < most:
            if end is not None and time.monotonic() > end:
                waiting.clear()
                break
            job = waiting.pop(0)
            running[pool.submit(_attempt, measure, job, device, **extra)] = job
        if not running:
            return
        for future in _finished(running):
            yield running.pop(future), future.result()


def _finished(running: Mapping[Any, Job]) -> list[Any]:
    """The futures that are done, at least one of them."""
    if isinstance(next(iter(running)), Future):
        return [*wait(running, return_when=FIRST_COMPLETED).done]
    import distributed

    waited = distributed.wait([*running], return_when=FIRST_COMPLETED)
    return [*waited.done]


def _attempt(measure: Callable[..., Any], job: Any, device: str) -> Any:
    """A result, or what went wrong: exceptions do not cross processes well."""
    try:
        return measure(job, device)
    except Exception as error:  # whatever it is, other jobs go on
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"line {where.lineno} of {Path(where.filename).name}"
        return f"{type(error).__name__}: {error} ({place})"


def _alone() -> None:
    """One thread for each process."""
    torch.set_num_threads(1)


def _path(folder: Path, job: Job) -> Path:
    text = json.dumps(job, sort_keys=True)
    return folder / f"{hashlib.blake2b(text.encode(), digest_size=10).hexdigest()}.json"


def _read(folder: Path, job: Job) -> dict[str, Any] | None:
    """The result of a job; ``None`` where there is none, or half of one."""
    try:
        document = json.loads(_path(folder, job).read_text("utf-8"))
        result: dict[str, Any] = document["result"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return result if document.get("job") == job else None


def _log(folder: Path, job: Job, outcome: dict[str, Any] | str) -> None:
    """A line for each job that ended."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    what = f"failed {outcome}" if isinstance(outcome, str) else "done"
    with (folder / "sweep.log").open("a", encoding="utf-8") as file:
        file.write(f"{now} {_path(folder, job).stem} {' '.join(what.split())}\n")


def _write(folder: Path, job: Job, result: dict[str, Any]) -> None:
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"job": job, "result": result}, file)
    os.replace(temporary, _path(folder, job))
