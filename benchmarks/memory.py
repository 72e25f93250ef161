"""Memory that a method holds and needs: numpy's by tracemalloc, torch's by its profiler.

Buffers that compiled code frees before it returns, without numpy or torch knowing, are not seen.
"""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

# the profiler announces itself on standard error otherwise; read when torch is imported
os.environ.setdefault("KINETO_LOG_LEVEL", "99")

import torch


@dataclass(frozen=True)
class Memory:
    """Bytes: the most held at any moment, and what is left while the result is kept."""

    peak: int
    held: int

    def __add__(self, other: Memory) -> Memory:
        return Memory(self.peak + other.peak, self.held + other.held)


def traced(call: Callable[[], object], *, uses_torch: bool = False) -> Memory:
    """Memory of a call, which is made once, or twice where it uses torch.

    The peaks of numpy and of torch are added, as if they came at the same moment.
    """
    memory = _numpy_memory(call)
    return memory + _torch_memory(call) if uses_torch else memory


def _numpy_memory(call: Callable[[], object]) -> Memory:
    tracemalloc.start()
    try:
        result = call()
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    del result
    return Memory(peak, held)


def _torch_memory(call: Callable[[], object]) -> Memory:
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        result = call()
    assert profile.profiler is not None
    assert profile.profiler.kineto_results is not None
    events = profile.profiler.kineto_results.events()
    memory = [event for event in events if event.name() == "[memory]"]
    held, peak = 0, 0
    for event in sorted(memory, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    del result
    return Memory(peak, held)
