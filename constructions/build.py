"""One call from a Gaussian process to a transformer."""

from __future__ import annotations

from typing import Any

from constructions.compile import compile_plan
from constructions.unrolled import UnrolledTransformer
from unroll.errors import ArgumentError
from unroll.gaussian_process import GaussianProcess
from unroll.plan import Plan
from unroll.planner import make_plan

__all__ = ["build"]


def build(problem: GaussianProcess | Plan, **options: Any) -> UnrolledTransformer:
    """A transformer, written by hand, that computes the score of a Gaussian process.

    Parameters
    ----------
    problem
        A Gaussian process, or a plan made with `unroll.make_plan`.
    **options
        Those of `unroll.make_plan`; none with a plan.

    Examples
    --------
    >>> from unroll import Exponential, GaussianProcess
    >>> gp = GaussianProcess(Exponential(4.0), frames=16, spatial_cov=[[1.0]])
    >>> build(gp, method="chebyshev", attention="softmax", tol=1e-3).plan.heads
    1
    """
    if isinstance(problem, Plan):
        if options:
            raise ArgumentError(
                "options", [*options], "cannot be given with a plan", "give them to make_plan"
            )
        plan = problem
    elif isinstance(problem, GaussianProcess):
        plan = make_plan(problem, **options)
    else:
        raise ArgumentError(
            "problem", type(problem).__name__, "is not a GaussianProcess or Plan", "make one first"
        )
    return UnrolledTransformer.from_weights(compile_plan(plan), plan)
