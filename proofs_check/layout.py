"""What the file of a saved model must look like, for every family of methods.

A `Layout` is derived from the plan. `proofs_check.description` compares the description of the
architecture with it entry by entry, and the tensors with the shapes that the description gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from proofs_check.certificate import CertificateError
from unroll.gate_design import OUTPUTS
from unroll.methods import METHODS
from unroll.plan import Plan

__all__ = ["FREE_GROUPS", "Kind", "Layout", "layout_of"]

FREE_GROUPS = ("sink_start", "sink_end", "position")
"""Position channels of any size, which a lowering's queries and keys read."""

_NO_LINEAR = {"sinusoids": False, "gated": False, "baseline": False}
_BY_LAG = {"pair_bias": False}
_BY_PAIR = {"pair_bias": True, "relative_bias": False}
_NO_SCORES = {"relative_bias": False, "pair_bias": False, "sinks": 0}
_SINUSOIDS = {"score": "linear", "score_channels": 2, "sinusoids": True} | _NO_SCORES

_RANK_ONE = {"score": "linear", "score_channels": 1, "sinusoids": False} | _NO_SCORES


@dataclass(frozen=True)
class Kind:
    """A kind of block.

    Attributes
    ----------
    attention
        Entries of the attention layer as they must be; those that are not here are free.
    listens
        Number of time features.
    hidden
        Feed-forward width; ``None`` where any positive width will do.
    """

    attention: dict[str, Any]
    listens: int
    hidden: int | None = None


@dataclass(frozen=True)
class Layout:
    """What the architecture of a plan must say.

    Attributes
    ----------
    groups
        Channel groups to sizes; position channels of any size may stand beside them if
        ``free_groups``.
    kinds, blocks
        Kinds of blocks, and the kind of every block.
    time_steps, time_terms
        Entries of the same names.
    time
        Names of the parameters of the time features to their shapes.
    two_ended
        Allowed values of that entry.
    conditioning, time_hidden
        Entries of the same names.
    """

    groups: dict[str, int]
    kinds: dict[str, Kind]
    blocks: list[str]
    time_steps: int
    time_terms: int
    time: dict[str, tuple[int, ...]]
    free_groups: bool = True
    two_ended: tuple[bool, ...] = (False, True)
    conditioning: str = "exact"
    time_hidden: int = 0


def layout_of(plan: Plan) -> Layout:
    """The layout of the model that a plan compiles to."""
    if plan.method_name in METHODS:
        return _first_order(plan)
    if plan.preconditioner is not None:
        return _preconditioned(plan)
    if plan.boundary is not None:
        return _boundary(plan)
    if plan.modes is not None:
        return _spectral(plan)
    raise CertificateError(f"plan.method={plan.method_name!r}: the audit does not understand it")


def _carries(plan: Plan) -> dict[str, Any]:
    """Attention that carries ``Gamma`` as the plan's lowering does."""
    assert plan.lowering is not None
    heads = {"heads": plan.lowering.heads, "value_channels": plan.gp.channels}
    if plan.lowering.score == "linear":
        return heads | _SINUSOIDS | {"gated": False, "baseline": False}
    bias = _BY_LAG if plan.gp.frame_times is None else _BY_PAIR
    return heads | {"score": plan.lowering.score} | bias | _NO_LINEAR


def _groups(plan: Plan, *names: str) -> dict[str, int]:
    mean = ("mean",) if plan.gp.has_mean else ()
    return dict.fromkeys((*names, "v", *mean), plan.gp.channels)


def _first_order(plan: Plan) -> Layout:
    momentum, network = plan.method.has_momentum, plan.conditioning
    time: dict[str, tuple[int, ...]] = {"spectrum": (2,)}
    if network:
        time = {"up": (network.units,), "up_bias": (network.units,)}
        time |= {"down": (network.units, OUTPUTS), "down_bias": (OUTPUTS,)}
    return Layout(
        groups=_groups(plan, *(("s_even", "s_odd") if momentum else ("s",))),
        kinds={"step": Kind(_carries(plan), listens=1 + OUTPUTS if network else 6)},
        blocks=["step"] * plan.depth,
        time_steps=plan.depth if momentum and not network else 1,
        time_terms=0,
        time=time,
        conditioning="mlp" if network else "exact",
        time_hidden=network.units if network else 0,
    )


def _preconditioned(plan: Plan) -> Layout:
    design, d = plan.preconditioner, plan.gp.channels
    assert design is not None
    heads = {"heads": len(design.symbol), "value_channels": d}
    correction = heads | _SINUSOIDS | {"gated": True, "baseline": False}
    return Layout(
        groups=_groups(plan, "s", "r"),
        kinds={
            "residual": Kind(_carries(plan), listens=4),
            "correction": Kind(correction, listens=4 + d),
        },
        blocks=["residual", "correction"] * plan.depth,
        time_steps=plan.depth,
        time_terms=design.terms,
        time={"spatial": (d,), "log_range": (2,), "steps": (plan.depth, design.terms)},
    )


def _boundary(plan: Plan) -> Layout:
    design, d = plan.boundary, plan.gp.channels
    assert design is not None
    shared = {"value_channels": d, "gated": True, "baseline": False}
    waves = _SINUSOIDS | shared | {"heads": len(design.symbol)}
    ends = _RANK_ONE | shared | {"heads": design.heads}
    return Layout(
        groups=_groups(plan, "s") | {"ends": design.rank},
        kinds={"circulant": Kind(waves, 2, 0), "ends": Kind(ends, 2, 0)},
        blocks=["circulant", "ends"],
        time_steps=1,
        time_terms=0,
        time={},
        free_groups=False,
        two_ended=(False,),
    )


def _spectral(plan: Plan) -> Layout:
    d, modes = plan.gp.channels, plan.modes
    assert modes is not None
    floor = modes.floor is not None
    attention = {"heads": len(modes.values), "value_channels": d, "gated": True, "baseline": floor}
    listens = 2 + 2 * d * floor
    hidden = None if floor else 0
    return Layout(
        groups=_groups(plan, "s") | {"modes": len(modes.values)},
        kinds={"direct": Kind(_RANK_ONE | attention, listens, hidden)},
        blocks=["direct"],
        time_steps=1,
        time_terms=int(floor),
        time={"baseline": (d,)} if floor else {},
        free_groups=False,
        two_ended=(False,),
    )
