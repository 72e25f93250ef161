"""Theorem: lemmas composed into a sufficient number of heads and blocks for one decay regime.

A theorem is a lemma whose steps are other lemmas and the algebra between them; the same report,
the same falsification. Beside the claim it holds the formulas, case by case of the regime's
parameter, and evaluates them: `Theorem.design`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import mpmath
import sympy

from proofs_check import lemmas
from proofs_check.lemma import Lemma
from proofs_check.lemmas.perturbation import delta
from proofs_check.report import Report
from proofs_check.step import Parameters, Step
from proofs_check.symbols import J, K, N, kappa
from proofs_check.theorems.numbers import number
from proofs_check.theorems.quantities import (
    DEPTH,
    ERROR,
    GAIN,
    KAPPA,
    KAPPA_HEADS,
    LAG_ALLOWED,
    LOWER,
    NOISE,
    RATE,
    ROUNDING_SHARE,
    T_0,
    TAIL_ALLOWED,
    UPPER,
    E,
    mu_max,
    tol,
    w,
)
from unroll.errors import ArgumentError

_USES = re.compile(r"\blemma (\w+)")


@dataclass(frozen=True)
class Case:
    """A range of the regime's parameter and its formulas, all of them upper bounds.

    Attributes
    ----------
    condition
        The range in LaTeX, such as ``p>1``.
    holds
        Whether parameters are in it.
    total
        Bound of the sum of gamma(k) over 0 < k <= N/2.
    total_limit
        Bound of the sum over 0 < k < N in a form that shows how it grows, or does not, with N.
    tail
        Bound of the sum over J < k < N; None where no band is offered.
    bandwidth
        Sufficient bandwidth for a tail of ``delta_T`` (round up; N - 1 is always enough).
    exponentials
        Sufficient number of exponentials for an error of ``tau`` at every lag (already rounded).
    orders
        Growth in N, tol and the regime's parameters, for reading, by column of the table.
    monotone
        Whether gamma is completely monotone in the lag.
    """

    condition: str
    holds: Callable[[Parameters], bool]
    total: sympy.Expr
    total_limit: sympy.Expr
    tail: sympy.Expr | None
    bandwidth: sympy.Expr | None
    exponentials: sympy.Expr | None
    orders: Mapping[str, sympy.Expr | None]
    monotone: bool = True


@dataclass(frozen=True)
class Design:
    """A theorem evaluated at one problem: what suffices, and the error that it then guarantees.

    Attributes
    ----------
    condition
        Which case applied.
    condition_number
        ``kappa`` at t_min.
    bandwidth
        Lags that ReLU heads must carry; they are ``bandwidth + 1`` heads.
    exponentials
        Number of exponential heads, or None where the theorem offers none.
    depth
        Blocks by method with exact heads (softmax with a sink, or ALiBi for nu = 1).
    depth_banded
        Blocks by method with the banded heads.
    block_error
        Largest error of one block's arithmetic, by method, relative to the score.
    values
        Every symbol that was evaluated, by name.
    """

    condition: str
    condition_number: float
    bandwidth: int
    exponentials: int | None
    depth: Mapping[str, int]
    depth_banded: Mapping[str, int]
    block_error: Mapping[str, float]
    values: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Theorem(Lemma):
    """A lemma composed of lemmas, with formulas for every case of its regime."""

    regime: str
    cases: tuple[Case, ...]
    kernel: sympy.Expr
    """gamma(h)."""
    parts: tuple[tuple[str, str, sympy.Expr], ...] = ()
    """Further formulas worth reading: LaTeX name, words, expression."""
    power_name: str = "p"
    """How the regime's ``power`` is written."""

    @cached_property
    def rests_on(self) -> tuple[str, ...]:
        """The lemmas that its steps name, and those that these rest on, in order of use."""
        found: dict[str, None] = {}

        def visit(steps: Any) -> None:
            for step in steps:
                for name in uses(step):
                    if name not in found:
                        visit(lemmas.get(name).steps)
                        found[name] = None

        visit(self.steps)
        return tuple(found)

    def _report(self, steps: Sequence[Step]) -> Report:
        return replace(super()._report(steps), role="theorem", rests_on=self.rests_on)

    def case(self, parameters: Parameters) -> Case:
        """The case that applies."""
        for case in self.cases:
            if case.holds(parameters):
                return case
        raise ArgumentError("parameters", dict(parameters), "fit no case", "see the assumptions")

    def design(self, parameters: Parameters) -> Design:
        """Evaluate every formula.

        Parameters
        ----------
        parameters
            ``ell``, ``nu`` or ``power``, ``N``, ``f_pi``, ``mu_min``, ``mu_max``, ``t`` (t_min)
            and ``tol``.
        """
        case, values = self.case(parameters), dict(parameters)
        values["w"] = number(NOISE, values)
        values["T_0"] = number(case.total, values)
        values["kappa"] = number(KAPPA, values)
        values["delta_T"] = number(TAIL_ALLOWED, values)
        values["tau"] = min(mpmath.mpf(1), number(LAG_ALLOWED, values))
        largest = int(values["N"]) - 1
        values["T_all"] = number(case.total, {**values, N.name: 2 * largest})
        bandwidth = largest
        if values["T_all"] <= values["delta_T"]:
            bandwidth = 0
        elif case.bandwidth is not None:
            wanted = number(case.bandwidth, values)
            bandwidth = largest if wanted >= largest else max(1, int(mpmath.ceil(wanted)))
        heads = {**values, "kappa": number(KAPPA_HEADS, values)}
        exponentials = case.exponentials
        return Design(
            condition=case.condition,
            condition_number=float(values["kappa"]),
            bandwidth=bandwidth,
            exponentials=None if exponentials is None else int(number(exponentials, values)),
            depth={name: _depth(name, values) for name in DEPTH},
            depth_banded={name: _depth(name, heads) for name in DEPTH},
            block_error={
                name: float(number(ROUNDING_SHARE * tol / GAIN[name], heads)) for name in GAIN
            },
            values=values,
        )

    def left_out(self, design: Design, bandwidth: int) -> mpmath.mpf:
        """``E``: what a band of this width leaves out at most, times |Sigma|."""
        tail = self.case(design.values).tail
        if bandwidth >= int(design.values["N"]) - 1:
            return mpmath.mpf(0)
        dropped = design.values["T_all"]
        if tail is not None and bandwidth > 0:
            dropped = min(dropped, number(tail, {**design.values, J.name: bandwidth}))
        return number(2 * mu_max * T_0, {**design.values, T_0.name: dropped})

    def rate(self, design: Design, method: str, depth: int, left_out: mpmath.mpf) -> mpmath.mpf:
        """``delta_K`` for heads that leave out ``E``."""
        values = {**design.values, E.name: left_out, K.name: depth}
        values[kappa.name] = number((UPPER + w + E) / (LOWER + w - E), values)
        return number(RATE[method], values)

    def error(self, design: Design, method: str, depth: int, bandwidth: int | None = None) -> float:
        """The relative rms error in exact arithmetic; `bandwidth` None means exact heads."""
        left_out = mpmath.mpf(0) if bandwidth is None else self.left_out(design, bandwidth)
        rate = self.rate(design, method, depth, left_out)
        return float(number(ERROR, {**design.values, E.name: left_out, delta.name: rate}))


def uses(step: Step) -> tuple[str, ...]:
    """Names of the lemmas that a step rests on."""
    return tuple(dict.fromkeys(_USES.findall(step.discharge.how)))


def _depth(method: str, values: Parameters) -> int:
    """The sufficient depth, a whole number; one block where nothing is left to contract."""
    if values[kappa.name] <= 1:
        return 1
    return max(1, int(mpmath.ceil(number(DEPTH[method], values))))
