"""One case: the error, seconds and memory of every method on one problem."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import count

from benchmarks.memory import Memory, traced
from benchmarks.method import Method, relative_error
from benchmarks.problem import Problem
from benchmarks.reference import exact_score
from benchmarks.timing import Seconds, Task, in_turns, seconds_of
from unroll.validation import Array

#: A constructor that took less is called once more, untraced, to be timed.
_QUICK = 0.5


@dataclass(frozen=True)
class Result:
    """What one method did on one problem.

    Attributes
    ----------
    method
        Its name.
    skipped
        Why it did not run; then what follows is None, or what was seen before it was stopped.
    note
        Settings chosen for it.
    error
        Measured relative rms score error.
    first_setup, first_solve
        Seconds of its very first score, in two parts.
    constructor
        Seconds of what is done once for all t.
    new_t, further
        Seconds of a score at a new t, set-up included, and of one more at the same t.
    bytes_score
        The most held while scoring at a new t: what the constructor and `setup` keep, and the
        working memory.
    """

    method: str
    skipped: str | None = None
    note: str = ""
    error: float | None = None
    first_setup: float | None = None
    first_solve: float | None = None
    constructor: float | None = None
    new_t: Seconds | None = None
    further: Seconds | None = None
    bytes_score: int | None = None

    @property
    def seconds_setup(self) -> float | None:
        """Seconds of `setup`: the difference of the medians, or the first where it was stopped."""
        if self.new_t and self.further:
            return max(self.new_t.median - self.further.median, 0.0)
        return self.first_setup

    @property
    def seconds_solve(self) -> float | None:
        """Seconds of `solve`: the median, or the first where it was stopped there."""
        return self.further.median if self.further else self.first_solve


@dataclass(frozen=True)
class Settings:
    """How much effort a case is worth.

    Attributes
    ----------
    target
        Error that methods with a tolerance are set to.
    rounds, budget
        Samples per method, and seconds that one method's samples may take; see `in_turns`.
    patience, setup_patience
        A method that takes longer, in seconds, to solve or to set up for one t, is skipped.
    once
        The same for its constructor, where `suite` can predict it.
    """

    target: float = 1e-6
    rounds: int = 9
    budget: float = 0.6
    patience: float = 0.5
    setup_patience: float = 2.0
    once: float = 5.0


def measure(
    problem: Problem, t: float, methods: Iterable[type[Method]], settings: Settings
) -> list[Result]:
    """Run the methods on one problem, in turns."""
    v = problem.noisy(t)
    exact = exact_score(problem, v, t)
    results: list[Result] = []
    tasks: dict[str, Task] = {}
    for method in methods:
        reason = method.refusal(problem)
        if reason is not None:
            results.append(Result(method.name, skipped=reason))
            continue
        made, result = _prepare(method, problem, t, v, exact, settings)
        results.append(result)
        if result.skipped is None:
            tasks[f"new {method.name}"] = _new_t(made, t, v)
            tasks[f"further {method.name}"] = _further(made, v)
    seconds = in_turns(tasks, rounds=settings.rounds, budget=settings.budget)
    return [
        replace(
            result,
            new_t=seconds.get(f"new {result.method}"),
            further=seconds.get(f"further {result.method}"),
        )
        for result in results
    ]


def _prepare(
    method: type[Method], problem: Problem, t: float, v: Array, exact: Array, settings: Settings
) -> tuple[Method, Result]:
    """Construct, calibrate, check and trace."""
    made, constructor, built = _construct(method, problem)
    result = Result(
        method.name,
        constructor=constructor,
        first_setup=seconds_of(lambda: made.setup(t)),
        first_solve=seconds_of(lambda: made.solve(v)),
    )
    reason = too_slow(result, settings)
    if reason:
        return made, replace(result, skipped=f"takes {reason}")
    made.calibrate(t, v, exact, settings.target)
    error = relative_error(made.solve(v), exact)
    used = traced(lambda: _score(made, t, v), uses_torch=method.uses_torch)
    memory = built.held + used.peak
    return made, replace(result, note=made.note, error=error, bytes_score=memory)


def too_slow(
    result: Result, settings: Settings, *, setup: float = 1.0, solve: float = 1.0
) -> str | None:
    """The seconds that are above what the settings allow, if any, after scaling by factors."""
    for label, seconds, allowed in (
        (" to set up", setup * (result.seconds_setup or 0.0), settings.setup_patience),
        ("", solve * (result.seconds_solve or 0.0), settings.patience),
    ):
        if seconds > allowed:
            return f"{seconds:.2g} s{label}" if seconds < 9.5 else f"{seconds:.0f} s{label}"
    return None


def _construct(method: type[Method], problem: Problem) -> tuple[Method, float, Memory]:
    """The method, the seconds it took to make, and the memory."""
    made: list[tuple[float, Method]] = []

    def build() -> Method:
        start = time.process_time()
        built = method(problem)
        made.append((time.process_time() - start, built))
        return built

    memory = traced(build, uses_torch=method.uses_torch)
    if made[-1][0] < _QUICK:
        build()  # once more, untraced: tracing slows Python down
    seconds, latest = made[-1]
    return latest, latest.seconds_built or seconds, memory


def _score(made: Method, t: float, v: Array) -> Array:
    made.setup(t)
    return made.solve(v)


def _new_t(made: Method, t: float, v: Array) -> Callable[[], Array]:
    """A score at a t that was not seen before, however often it is called.

    The t differ by parts in a million million: calibration still holds, caches do not.
    """
    calls = count(1)
    return lambda: _score(made, t * (1 + 1e-12 * next(calls)), v)


def _further(made: Method, v: Array) -> Callable[[], Array]:
    return lambda: made.solve(v)
