"""Which problems the methods for the exponential kernel with exponent 1 take."""

from benchmarks.problem import Problem
from unroll import Exponential


def refuse_others(problem: Problem) -> str | None:
    """The reason, where the kernel is another one."""
    kernel = problem.kernel
    fits = isinstance(kernel, Exponential) and kernel.exponent == 1 and problem.frames > 1
    return None if fits else "exponential ν=1 only"
