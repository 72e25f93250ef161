"""From a plan to weights: one recipe per family of methods, one short call per stage."""

from __future__ import annotations

from collections.abc import Callable

from constructions.architecture import Architecture
from constructions.compile.boundary import compile_boundary
from constructions.compile.first_order import compile_first_order, iterate_channel
from constructions.compile.paper import compile_paper
from constructions.compile.preconditioned import compile_preconditioned
from constructions.compile.spectral import compile_spectral
from constructions.weights import Weights
from unroll.errors import ArgumentError
from unroll.plan import Plan

__all__ = ["check_fit", "compile_plan", "iterate_blocks", "iterate_channel"]

_RECIPES: dict[str, Callable[[Plan], Weights]] = {
    "boundary": compile_boundary,
    "preconditioned": compile_preconditioned,
    "spectral": compile_spectral,
}


def compile_plan(plan: Plan) -> Weights:
    """Write every weight of the model that a plan describes, in float64."""
    if plan.products is not None:
        return compile_paper(plan)
    return _RECIPES.get(plan.method_name, compile_first_order)(plan)


def iterate_blocks(architecture: Architecture) -> list[int]:
    """The blocks that complete an iterate, in order."""
    last = architecture.blocks[-1]  # a step ends as the model ends
    return [k for k, kind in enumerate(architecture.blocks) if kind == last]


def check_fit(architecture: Architecture, plan: Plan) -> None:
    """`ArgumentError` where an architecture is not the one that the plan compiles to.

    ``scores_from`` may differ: both settings compute the same.
    """
    planned = compile_plan(plan).architecture.to_dict()
    for name, value in architecture.to_dict().items():
        if value != planned[name] and name != "scores_from":
            raise ArgumentError(
                f"architecture.{name}",
                value,
                f"does not fit the plan, which compiles to {planned[name]!r}",
                "use the plan the model was built from, or build it anew",
            )
