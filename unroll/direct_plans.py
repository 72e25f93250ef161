"""Plans for the methods that are not first-order iterations: preconditioned, and direct.

The step sizes of the preconditioned iteration come from the spectrum of the preconditioned
operator, and its rate is the exact error that they leave, largest over a fine grid of diffusion
times: a prediction, where `proofs_check.certify` gives a proof. Rounding is an estimate for both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unroll.attention import Lowering
from unroll.errors import ArgumentError
from unroll.gaussian_process import GaussianProcess
from unroll.lowering_choice import choose_lowering
from unroll.measured_rounding import measured_direct_rounding, measured_preconditioned_rounding
from unroll.methods.eigenmodes import Eigenmodes
from unroll.methods.inverse_symbol import InverseSymbol, smallest_steps
from unroll.methods.outliers import find_outliers
from unroll.methods.ritz_steps import lobatto
from unroll.plan import ErrorBudget, Plan
from unroll.refusals import DepthError, room_is_gone
from unroll.request import Demand
from unroll.rounding import unit_roundoff
from unroll.spectrum import Spectrum

__all__ = ["plan_direct", "plan_preconditioned"]

_MOST_FRAMES_DIRECT = 4096  # an eigendecomposition of that size is a matter of a minute


@dataclass(frozen=True)
class _Preconditioned(Demand):
    """A demand on the preconditioned iteration."""

    options: dict[str, Any] = field(default_factory=dict, compare=False)

    def mu(self) -> np.ndarray:
        """Eigenvalues of ``Sigma``."""
        return np.asarray(np.linalg.eigvalsh(self.gp.spatial_cov))

    def design(self, tol: float) -> InverseSymbol:
        """The fewest steps that leave at most ``tol``."""
        gp = self.gp
        return smallest_steps(gp.kernel, gp.frames, self.mu(), self.t_min, self.t_max, tol)

    def rounding_error(self, attention: str, design: InverseSymbol) -> float:
        """Estimated, with a lowering of the same kind where the sequence is stood in for."""

        def lowering_of(frames: int) -> Lowering:
            return self.shortened(frames).lowering(attention)

        return measured_preconditioned_rounding(
            self.gp, lowering_of, design, t_min=self.t_min, t_max=self.t_max, dtype=self.dtype
        )

    def shortened(self, frames: int) -> _Preconditioned:
        """The same demand on fewer frames."""
        if frames == self.gp.frames:
            return self
        gp = GaussianProcess(self.gp.kernel, frames, self.gp.spatial_cov)
        return _Preconditioned(**vars(self) | {"gp": gp})

    def lowering(self, attention: str) -> Lowering:
        """The heads that carry ``Gamma``."""
        return choose_lowering(self, attention, **self.options)

    def fits(self, lowering: Lowering) -> bool:
        """A residual is computed anew at every step: its rounding is like that of one product."""
        return lowering.rounding(self.gp.kernel, self.gp.frames, self.gp.channels) < math.inf


@dataclass(frozen=True)
class _Direct(Demand):
    """A demand on the direct method, which has no lowering."""

    def fits(self, lowering: Lowering) -> bool:
        """No lowering does."""
        return False


def plan_preconditioned(
    gp: GaussianProcess,
    spectrum: Spectrum,
    rounding: str,
    attention: str,
    relu: dict[str, Any],
    **common: Any,
) -> Plan:
    """The preconditioned iteration with the fewest steps.

    Raises
    ------
    ArgumentError
        ``tol`` leaves no room besides truncation and rounding; more layers than allowed.
    """
    demand = _Preconditioned(gp=gp, spectrum=spectrum, rounding=rounding, options=relu, **common)
    lowering = demand.lowering(attention)
    radius, relative = demand.perturbation(lowering)
    first = demand.design(demand.tol)
    error = demand.rounding_error(attention, first)
    room = demand.room(relative, error)
    if room is None:
        raise room_is_gone(demand, "preconditioned", relative, error)
    column = lowering.autocov(demand.gp.kernel, demand.gp.frames)
    target = room
    while True:  # the spectrum is that of Gamma; with what the heads carry, a little may be missing
        design = demand.design(target)
        rate = _predicted(design, column)
        if rate <= room:
            break
        target /= 10
        if target < 1e-3 * room:
            raise room_is_gone(demand, "preconditioned", relative, error)
    layers = 2 * design.count
    if layers > demand.max_layers:
        raise DepthError(
            layers,
            "method",
            "preconditioned",
            f"needs {layers} layers for tol={demand.tol:g}, more than "
            f"max_layers={demand.max_layers}",
            "raise t_min, tol or max_layers",
        )
    return demand.plan(
        method_name="preconditioned",
        lowering=lowering,
        depth=design.count,
        spectrum=spectrum.widened(radius),
        budget=ErrorBudget(rate, (1 + rate) * float(relative), error),
        preconditioner=design,
    )


def plan_direct(gp: GaussianProcess, spectrum: Spectrum, rounding: str, **common: Any) -> Plan:
    """The direct method with the fewest eigenmodes.

    Raises
    ------
    ArgumentError
        ``tol`` is below what rounding allows, or the sequence is too long for an
        eigendecomposition.
    """
    demand = _Direct(gp=gp, spectrum=spectrum, rounding=rounding, **common)
    if gp.frames > _MOST_FRAMES_DIRECT:
        raise ArgumentError(
            "method",
            "spectral",
            f"needs an eigendecomposition of {gp.frames} frames, more than {_MOST_FRAMES_DIRECT}",
            "use method='preconditioned', which needs none",
        )
    mu = np.linalg.eigvalsh(gp.spatial_cov)
    every = Eigenmodes.design(gp.kernel, gp.frames)
    error = measured_direct_rounding(
        gp, every, t_min=demand.t_min, t_max=demand.t_max, dtype=demand.dtype
    )
    # the eigenpairs are those of a matrix that is N u ||Gamma|| away: a perturbed operator
    kappa = spectrum.condition_number(demand.t_min)
    error += gp.frames * unit_roundoff("float64") * kappa
    room = demand.tol - error
    if room <= 0:
        raise room_is_gone(demand, "spectral", 0.0, error)
    wanted = Eigenmodes.smallest(gp.kernel, gp.frames, mu, demand.t_min, room)
    if not wanted.values:
        wanted = Eigenmodes.design(gp.kernel, gp.frames, 1)
    return demand.plan(
        method_name="spectral",
        lowering=None,
        depth=1,
        budget=ErrorBudget(wanted.bound(mu, demand.t_min), 0.0, error),
        modes=wanted,
    )


def _predicted(design: InverseSymbol, column: np.ndarray) -> float:
    """The largest error over twice as many points as the step sizes have coefficients."""
    low, high = design.log_range
    symbol, errors = np.array(design.symbol), []
    for u in lobatto(2 * design.terms + 1):
        x = math.exp((low + high) / 2 + (high - low) / 2 * u)
        spectrum = find_outliers(column, 1 / (symbol + x), design.period, x)
        errors.append(spectrum.error(np.array(design.steps(x))))
    return max(errors)
