"""The cases, and what a method is spared: sizes where it is predicted to take too long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.measure import Result, Settings, measure, too_slow
from benchmarks.method import Method
from benchmarks.problem import Problem
from unroll import Exponential, Kernel, Logarithmic, Polynomial

#: Kernels by the name under which they are tabulated.
KERNELS: dict[str, Kernel] = {
    "exponential": Exponential(8.0),
    "polynomial": Polynomial(8.0, 2.0),
    "logarithmic": Logarithmic(8.0, 1.0),
    "exponential-16": Exponential(16.0),
}
#: Size at which a method is tried first, where no smaller one is asked for.
_PILOT = 256


@dataclass(frozen=True)
class Group:
    """Cases that differ in N alone."""

    kernel: str
    channels: int
    dtype: str
    t: float

    def problem(self, frames: int) -> Problem:
        """The problem with that many frames."""
        return Problem(KERNELS[self.kernel], frames, self.channels, self.dtype)


@dataclass(frozen=True)
class Case:
    """The results of all methods on one problem."""

    group: Group
    frames: int
    results: list[Result]


def run_group(
    group: Group,
    sizes: Sequence[int],
    methods: Sequence[type[Method]],
    settings: Settings,
    report: Callable[[str], None] = lambda line: None,
) -> Iterator[Case]:
    """Measure ascending sizes; from each, the seconds of the next are predicted."""
    seen: dict[str, tuple[int, Result]] = {}
    sizes = sorted(sizes)
    pilot = [_PILOT] if sizes[0] > 2 * _PILOT else []
    for frames in [*pilot, *sizes]:
        report(f"{group.kernel}, d = {group.channels}, {group.dtype}, t = {group.t}, N = {frames}")
        skipped = {}
        for method in methods:
            reason = method.refusal(group.problem(frames)) or _prediction(
                method, frames, seen.get(method.name), settings
            )
            if reason:
                skipped[method.name] = Result(method.name, skipped=reason)
        running = [method for method in methods if method.name not in skipped]
        effort = replace(settings, rounds=1) if frames not in sizes else settings
        measured = measure(group.problem(frames), group.t, running, effort)
        results = {**skipped, **{result.method: result for result in measured}}
        seen.update({result.method: (frames, result) for result in measured})
        if frames in sizes:
            yield Case(group, frames, [results[method.name] for method in methods])


def _prediction(
    method: type[Method], frames: int, last: tuple[int, Result] | None, settings: Settings
) -> str | None:
    """The seconds predicted, where they are above what the settings allow."""
    if last is None:
        return None
    size, result = last
    constructor, score = (float(frames / size) ** power for power in method.growth)
    once = constructor * (result.constructor or 0.0)
    if once > settings.once and not method.always:
        return f"~{once:.0f} s once"
    seconds = too_slow(result, settings, setup=score, solve=score)
    return f"~{seconds}" if seconds else None
