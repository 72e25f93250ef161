"""Sweeps: every job once, here or elsewhere; results survive interruptions; failures are told."""

from __future__ import annotations

import json
import os

import pytest
import sweep_measures

from constructions.learned.experiments.sweep import results, sweep, sweep_groups
from unroll import ArgumentError

JOBS = [{"x": x, "tag": None, "list": [1.5, 2]} for x in range(6)]
SQUARES = [x**2 for x in range(6)]


def squares(records) -> list[int]:
    return [record["square"] for record in records]


def marked(folder, count=6):
    marks = folder / "marks"
    marks.mkdir(exist_ok=True)
    return marks, [{"x": x, "marks": str(marks)} for x in range(count)]


def test_in_this_process(tmp_path):
    found = sweep(sweep_measures.square, JOBS, folder=tmp_path, device="here", progress=False)
    assert squares(found) == SQUARES
    assert all(record.items() >= job.items() for record, job in zip(found, JOBS, strict=True))
    assert {record["process"] for record in found} == {os.getpid()}
    assert {record["device"] for record in found} == {"here"}
    assert results(JOBS, tmp_path) == found
    assert results([*JOBS, {"x": 9}], tmp_path) == found


def test_in_processes(tmp_path):
    found = sweep(sweep_measures.slow, JOBS, folder=tmp_path, workers=2, progress=False)
    assert squares(found) == SQUARES
    processes = {record["process"] for record in found}
    assert len(processes) == 2
    assert os.getpid() not in processes


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_on_a_dask_cluster(tmp_path):
    """The same call, the same results, from several processes of a cluster."""
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(processes=True, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(_find_tests, os.path.dirname(__file__))
        jobs = [*JOBS, {"x": 2, "tag": "once more"}]
        failed: list[str] = []
        found = sweep(
            sweep_measures.fails_at_two,
            jobs,
            folder=tmp_path,
            client=client,
            progress=False,
            failed=failed,
        )
        assert len(failed) == 2, "on failure the others go on"
        assert "ZeroDivisionError: two is too many" in failed[0]
        done = sweep(sweep_measures.slow, jobs, folder=tmp_path, client=client, progress=False)
    assert squares(found) == [0, 1, 9, 16, 25]
    assert squares(done) == [*SQUARES, 4]
    processes = {record["process"] for record in done}
    assert os.getpid() not in processes
    assert len(processes) == 2


def _find_tests(folder):
    import sys

    sys.path.insert(0, folder)


def test_a_sweep_that_is_started_again_runs_what_is_missing(tmp_path):
    marks, jobs = marked(tmp_path)
    sweep(sweep_measures.square, jobs[:4], folder=tmp_path / "f", progress=False)
    assert len([*marks.iterdir()]) == 4
    found = sweep(sweep_measures.square, jobs, folder=tmp_path / "f", progress=False)
    assert len([*marks.iterdir()]) == 6
    assert squares(found) == SQUARES


@pytest.mark.parametrize("damage", ["{", "", "[1]", '{"job": {"x": 7}, "result": {"square": 0}}'])
def test_half_a_record_is_measured_again(damage, tmp_path):
    sweep(sweep_measures.square, JOBS, folder=tmp_path, progress=False)
    for path in tmp_path.glob("*.json"):
        if json.loads(path.read_text())["job"]["x"] == 3:
            path.write_text(damage)
    assert squares(results(JOBS, tmp_path)) == [0, 1, 4, 16, 25]
    found = sweep(sweep_measures.square, JOBS, folder=tmp_path, progress=False)
    assert squares(found) == SQUARES


@pytest.mark.parametrize("workers", [1, 2])
def test_failures_are_told_when_the_others_are_done(workers, tmp_path):
    options = {"folder": tmp_path, "workers": workers, "progress": False}
    words = r"1 of 6.*two is too many.*'x': 2.*run again"
    with pytest.raises(ArgumentError, match=words) as caught:
        sweep(sweep_measures.fails_at_two, JOBS, **options)
    assert caught.value.argument == "jobs"
    assert squares(results(JOBS, tmp_path)) == [0, 1, 9, 16, 25]
    assert squares(sweep(sweep_measures.square, JOBS, **options)) == SQUARES
    lines = (tmp_path / "sweep.log").read_text().splitlines()
    assert [" done" in line for line in lines].count(True) == 6
    assert sum(" failed ZeroDivisionError: two is too many" in line for line in lines) == 1
    assert {line.split()[1] for line in lines} == {p.stem for p in tmp_path.glob("*.json")}


@pytest.mark.parametrize("workers", [1, 2])
def test_after_the_deadline_no_job_is_started(workers, tmp_path):
    options = {"folder": tmp_path, "workers": workers, "progress": False}
    found = sweep(sweep_measures.slow, JOBS, deadline=0.1, **options)
    assert len(found) < 6
    assert squares(sweep(sweep_measures.slow, JOBS, **options)) == SQUARES


def test_groups(tmp_path):
    def measure(jobs, device):
        calls.append([job["x"] for job in jobs])
        return [sweep_measures.square(job, device) for job in jobs]

    calls: list[list[int]] = []
    sweep(sweep_measures.square, JOBS[1:2], folder=tmp_path, progress=False)
    groups = [JOBS[:3], JOBS[3:]]
    sweep_groups(measure, groups, folder=tmp_path, progress=False)
    assert calls == [[0, 2], [3, 4, 5]], "what is there is not measured again"
    assert squares(results(JOBS, tmp_path)) == SQUARES
    sweep_groups(measure, groups, folder=tmp_path, progress=False)
    assert len(calls) == 2


def test_groups_that_fail(tmp_path):
    def measure(jobs, device):
        if jobs[0]["x"] == 0:
            raise MemoryError("too many networks")
        return [sweep_measures.square(job, device) for job in jobs]

    groups = [JOBS[:3], JOBS[3:]]
    with pytest.raises(ArgumentError, match=r"group of 3.*too many networks"):
        sweep_groups(measure, groups, folder=tmp_path, progress=False)
    failed: list[str] = []
    sweep_groups(measure, groups, folder=tmp_path, progress=False, failed=failed)
    assert len(failed) == 1
    assert squares(results(JOBS, tmp_path)) == [9, 16, 25]
    sweep_groups(measure, groups[1:], folder=tmp_path / "late", progress=False, deadline=-1.0)
    assert not results(JOBS, tmp_path / "late")


def test_workers_must_be_positive(tmp_path):
    with pytest.raises(ArgumentError, match="at least 1"):
        sweep(sweep_measures.square, JOBS, folder=tmp_path, workers=0)
