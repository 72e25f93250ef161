"""What a plan must satisfy, and how deep and how exact that makes it.

The budget (theory: residual polynomial plus perturbation of the operator) is

    error <= delta_K + (1 + delta_K) (e_t / m~_t + (1 + e_t / m~_t) x) + rounding,

with ``e_t = alpha_t^2 ||Gamma~ - Gamma|| ||Sigma||`` and ``m~_t >= m_t - e_t > 0`` the smallest
eigenvalue of the operator that the heads carry, and ``x`` what gates that come from a network are
off by (`unroll.gate_design`; 0 for exact gates). Every term is largest at ``t_min``: ``alpha_t^2``
and the condition number fall as ``t`` grows.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from unroll.attention import Lowering
from unroll.gate_design import GateErrors, design_gates, scaled_spectrum
from unroll.gate_network import GateNetwork
from unroll.gaussian_process import GaussianProcess
from unroll.measured_rounding import measured_rounding
from unroll.methods import Method
from unroll.plan import ErrorBudget, Plan
from unroll.rounding import guaranteed_rounding
from unroll.schedules import alpha_sq
from unroll.spectrum import Spectrum, spatial_bounds

__all__ = ["PROOF_SHARE", "RATE_GROWTH", "RATE_SHARE", "Demand", "Request"]

# What must be left of tol for the rate. Splitting a tolerance costs depth only through its
# logarithm.
RATE_SHARE = 0.25
# What a proof adds to a rate that was predicted at points: a share of it, and a share of tol for
# interpolation in t.
RATE_GROWTH, PROOF_SHARE = 1.03, 0.011
_ASKED = ("gp", "spectrum", "tol", "t_min", "t_max", "dtype", "activation")
# What a network may cost: units grow like the cube root of its inverse.
_GATE_SHARE = 0.2
# What is left so that a proof that rounds outward still closes.
_OUTWARD_MARGIN = 1e-6


@dataclass(frozen=True)
class Demand(ABC):
    """What was asked for, with the enclosure of the true spectrum."""

    gp: GaussianProcess
    spectrum: Spectrum
    tol: float
    t_min: float
    t_max: float
    dtype: str
    activation: str
    rounding: str
    max_layers: int

    def perturbation(self, lowering: Lowering) -> tuple[float, float]:
        """``(e, e_t / m~_t)`` at ``t_min``: the operator's error before the diffusion scales it,
        and relative to the smallest eigenvalue that is left (``inf`` where none is left).
        """
        norm = spatial_bounds(self.gp.spatial_cov)[1]
        radius = lowering.operator_error(self.gp.kernel, self.gp.frames) * norm
        radius *= 1 + _OUTWARD_MARGIN
        smallest = self.spectrum.widened(radius).noisy(self.t_min)[0]
        scaled = float(alpha_sq(self.t_min)) * radius
        return radius, scaled / smallest if smallest > 0 else math.inf

    def room(self, relative: float, rounding: float) -> float | None:
        """What is left of ``tol`` for the rate; ``None`` where that is too little."""
        room = self.tol * (1 - _OUTWARD_MARGIN) - (1 + self.tol) * relative - rounding
        return room if room >= RATE_SHARE * self.tol else None

    def closes(self, rate: float, room: float) -> bool:
        """Whether a predicted rate fits, for a guarantee with what its proof adds."""
        if self.rounding == "guaranteed":
            return RATE_GROWTH * rate + PROOF_SHARE * self.tol <= room
        return rate <= room

    def plan(self, **choices: Any) -> Plan:
        """The plan with these choices, everything else as it was asked for."""
        asked = {name: getattr(self, name) for name in _ASKED}
        return Plan(**asked | {"rounding_model": self.rounding} | choices)

    @abstractmethod
    def fits(self, lowering: Lowering) -> bool:
        """Whether the tolerance leaves room with this lowering."""


@dataclass(frozen=True)
class Gates:
    """Gates of a first-order method: the network they come from, if any, what that costs, and the
    condition number that the step sizes are chosen for.
    """

    network: GateNetwork | None
    error: float
    condition: float


@dataclass(frozen=True)
class Request(Demand):
    """A demand on a first-order method."""

    solver: Method
    conditioning: str = "exact"
    measured: dict[Any, float] = field(default_factory=dict, compare=False)
    networks: dict[Spectrum, Gates] = field(default_factory=dict, compare=False)

    def fits(self, lowering: Lowering) -> bool:
        """Whether the tolerance leaves room with this lowering."""
        return self.solve(lowering) is not None

    def gates(self, spectrum: Spectrum) -> Gates:
        """How the gates come about for an operator with this spectrum."""
        if spectrum not in self.networks:
            self.networks[spectrum] = self._gates(spectrum)
        return self.networks[spectrum]

    def _gates(self, spectrum: Spectrum) -> Gates:
        if self.conditioning == "exact":
            return Gates(None, 0.0, spectrum.condition_number(self.t_min))
        errors = GateErrors.of(self.gp, spectrum, self.t_min, self.t_max)
        network, x = design_gates(errors, _GATE_SHARE * self.tol, self.activation)
        scaled = scaled_spectrum(network, spectrum, self.t_max)
        return Gates(network, x, scaled.upper / scaled.lower)

    def rounding_error(self, lowering: Lowering, spectrum: Spectrum, depth: int) -> float:
        """The rounding part of the error by the model asked for."""
        inputs, gates = (self.gp, lowering, self.solver, spectrum, depth), self.gates(spectrum)
        if self.rounding == "guaranteed":
            return guaranteed_rounding(
                *inputs,
                t_min=self.t_min,
                t_max=self.t_max,
                dtype=self.dtype,
                activation=self.activation,
                network=(gates.error, gates.condition) if gates.network else None,
            )
        key = (lowering, self.solver.name, depth)
        if key not in self.measured:
            self.measured[key] = measured_rounding(*inputs, t_min=self.t_min, t_max=self.t_max)
        return self.measured[key]

    def solve(self, lowering: Lowering) -> tuple[int, Spectrum, ErrorBudget | None] | None:
        """Depth, spectrum and budget; ``None`` where the tolerance leaves no room.

        A depth above ``max_layers`` comes without a budget: counting its roundings would take as
        long as running it.
        """
        radius, relative = self.perturbation(lowering)
        spectrum = self.spectrum.widened(radius)
        if not relative < self.tol:
            return None
        gates = self.gates(spectrum)
        kappa, off = gates.condition, (1 + relative) * gates.error
        depth = self.solver.depth(kappa, self.tol)
        while True:
            error = self.rounding_error(lowering, spectrum, min(depth, self.max_layers))
            room = self.room(relative + off, error)
            if room is None:
                return None
            deeper = self.solver.depth(kappa, room)
            if deeper > self.max_layers:
                return deeper, spectrum, None
            if deeper <= depth:
                rate = self.solver.rate(kappa, depth)
                shares = (rate, (1 + rate) * relative, error, (1 + rate) * off)
                return depth, spectrum, ErrorBudget(*map(float, shares))
            depth = deeper
