"""Seconds of several tasks in turns, so that whatever else the machine does hits all alike.

Seconds are the process's CPU seconds. All methods run in one thread and wait for nothing, so on an
idle machine that is the time on the wall; on a busy one the others' turns are not counted.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Task = Callable[[], object]
#: A task takes part in so many rounds at least, unless it is slow, in seconds: then once will do,
#: and it needs no warming up.
_LEAST, _SLOW = 3, 1.0


@dataclass(frozen=True)
class Seconds:
    """Seconds per call: median, quartiles and number of samples."""

    median: float
    low: float
    high: float
    samples: int

    @classmethod
    def of(cls, samples: list[float]) -> Seconds:
        """Summary of at least one sample."""
        if len(samples) == 1:
            return cls(samples[0], samples[0], samples[0], 1)
        low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
        return cls(median, low, high, len(samples))


def seconds_of(task: Task, calls: int = 1) -> float:
    """Seconds per call, over some calls in a row."""
    start = time.process_time()
    for _ in range(calls):
        task()
    return (time.process_time() - start) / calls


def in_turns(
    tasks: Mapping[str, Task], *, rounds: int = 9, sample: float = 2e-3, budget: float = 0.6
) -> dict[str, Seconds]:
    """Time every task once per round, in alternating order.

    Parameters
    ----------
    tasks
        Name to what is timed.
    rounds
        Samples per task.
    sample
        Shortest sample in seconds; fast tasks are called several times in a row to fill it.
    budget
        Seconds that one task may take in all: slow tasks take part in fewer rounds, spread out.
    """
    calls, every = {}, {}
    for name, task in tasks.items():
        once = seconds_of(task)
        if once < _SLOW:  # first calls take longer: caches, plans, allocations
            once = seconds_of(task)
        calls[name] = max(1, round(sample / max(once, 1e-7)))
        least = _LEAST if once < _SLOW else 1
        affordable = min(rounds, max(least, int(budget / max(once, sample))))
        every[name] = rounds // affordable
    samples: dict[str, list[float]] = {name: [] for name in tasks}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for index in range(rounds):
            turn = list(tasks) if index % 2 == 0 else list(tasks)[::-1]
            for name in turn:
                if index % every[name] == 0:
                    samples[name].append(seconds_of(tasks[name], calls[name]))
    finally:
        if collecting:
            gc.enable()
    return {name: Seconds.of(values) for name, values in samples.items()}
