"""Measurements that other processes can import: quick ones, failing ones, dying ones."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

Job = dict[str, Any]


def square(job: Job, device: str) -> dict[str, Any]:
    """Leaves a mark of every call where the job says."""
    if "marks" in job:
        Path(job["marks"], f"{job['x']}-{time.monotonic_ns()}").touch()
    return {"square": job["x"] ** 2, "device": device, "process": os.getpid()}


def fails_at_two(job: Job, device: str) -> dict[str, Any]:
    if job["x"] == 2:
        raise ZeroDivisionError("two is too many")
    return square(job, device)


def slow(job: Job, device: str) -> dict[str, Any]:
    time.sleep(0.2)
    return square(job, device)
