"""What a plan must satisfy, and how deep and how exact that makes it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from unroll.attention import Lowering
from unroll.gaussian_process import GaussianProcess
from unroll.measured_rounding import measured_rounding
from unroll.methods import Method
from unroll.plan import ErrorBudget
from unroll.rounding import guaranteed_rounding
from unroll.schedules import alpha_sq
from unroll.spectrum import Spectrum, spatial_bounds

__all__ = ["RATE_SHARE", "Request"]

# What must be left of tol for the rate. Splitting a tolerance costs depth only through its
# logarithm.
RATE_SHARE = 0.25
# What is left so that a proof that rounds outward still closes.
_OUTWARD_MARGIN = 1e-6


@dataclass(frozen=True)
class Request:
    """What was asked for, with the enclosure of the true spectrum."""

    gp: GaussianProcess
    solver: Method
    spectrum: Spectrum
    tol: float
    t_min: float
    t_max: float
    dtype: str
    activation: str
    rounding: str
    max_layers: int
    measured: dict[Any, float] = field(default_factory=dict, compare=False)

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

    def rounding_error(self, lowering: Lowering, spectrum: Spectrum, depth: int) -> float:
        """The rounding part of the error by the model asked for."""
        inputs = (self.gp, lowering, self.solver, spectrum, depth)
        if self.rounding == "guaranteed":
            return guaranteed_rounding(
                *inputs,
                t_min=self.t_min,
                t_max=self.t_max,
                dtype=self.dtype,
                activation=self.activation,
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
        kappa = spectrum.condition_number(self.t_min)
        depth = self.solver.depth(kappa, self.tol)
        while True:
            error = self.rounding_error(lowering, spectrum, min(depth, self.max_layers))
            room = self.tol * (1 - _OUTWARD_MARGIN) - (1 + self.tol) * relative - error
            if room < RATE_SHARE * self.tol:
                return None
            deeper = self.solver.depth(kappa, room)
            if deeper > self.max_layers:
                return deeper, spectrum, None
            if deeper <= depth:
                rate = self.solver.rate(kappa, depth)
                shares = (rate, (1 + rate) * relative, error)
                return depth, spectrum, ErrorBudget(*map(float, shares))
            depth = deeper
