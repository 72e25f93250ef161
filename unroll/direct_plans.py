"""Plans for the methods that are not first-order iterations: preconditioned, and direct.

The step sizes of the preconditioned iteration come from the spectrum of the preconditioned
operator, and its rate is the exact error that they leave, largest over a fine grid of diffusion
times: a prediction, where `proofs_check.certify` gives a proof. Rounding is a bound or an estimate;
in float64, where nothing else is asked for, the bound if no step has to pay for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
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
from unroll.rounding_direct import guaranteed_direct_rounding
from unroll.rounding_preconditioned import guaranteed_preconditioned_rounding
from unroll.spectrum import Spectrum

__all__ = ["plan_direct", "plan_preconditioned"]

_MOST_FRAMES_DIRECT = 4096  # an eigendecomposition of that size is a matter of a minute
# What it charges for eigenvectors, in N u ||Gamma|| / m.
_PROVED_EIGENPAIRS = 12.0


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

    def modes(self, most: int, rounding: float) -> Eigenmodes | None:
        """The fewest, if that is at most so many; all of them, if that is allowed."""
        gp, mu = self.gp, np.linalg.eigvalsh(self.gp.spatial_cov)
        if most == gp.frames:
            return Eigenmodes.design(gp.kernel, gp.frames)
        modes = Eigenmodes.smallest(gp.kernel, gp.frames, mu, self.t_min, self.tol - rounding)
        if not modes.values:
            modes = Eigenmodes.design(gp.kernel, gp.frames, 1)
        return modes if len(modes.values) <= most else None

    def rounding_error(self, kept: int) -> float:
        """Of the block, and of eigenpairs: they are those of a matrix ``N u ||Gamma||`` away."""
        gp, proved = self.gp, self.rounding == "guaranteed"
        moved = gp.frames * unit_roundoff("float64") * self.spectrum.condition_number(self.t_min)
        if not proved:
            every = Eigenmodes((0.0,) * gp.frames)  # only their number matters
            return moved + measured_direct_rounding(
                gp, every, t_min=self.t_min, t_max=self.t_max, dtype=self.dtype
            )
        modes = Eigenmodes((0.0,) * kept, None if kept == gp.frames else (0.0, 0.0))
        # what a proof charges: for eigenvectors, and for where the modes without a head lie
        charged = _PROVED_EIGENPAIRS + (4 * gp.frames + 8 * kept if modes.dropped else 0)
        return charged * moved + guaranteed_direct_rounding(
            gp,
            modes,
            self.spectrum,
            t_min=self.t_min,
            dtype=self.dtype,
            activation=self.activation,
        )

    def fits(self, lowering: Lowering) -> bool:
        """No lowering does."""
        return False


def plan_preconditioned(
    gp: GaussianProcess,
    spectrum: Spectrum,
    rounding: str | None,
    attention: str,
    relu: dict[str, Any],
    **common: Any,
) -> Plan:
    """The preconditioned iteration with the fewest steps.

    Parameters
    ----------
    rounding
        ``"guaranteed"`` or ``"measured"``; ``None`` for the former, where that costs no step.

    Raises
    ------
    ArgumentError
        ``tol`` leaves no room besides truncation and rounding; more layers than allowed.
    """
    model = rounding or "measured"
    demand = _Preconditioned(gp=gp, spectrum=spectrum, rounding=model, options=relu, **common)
    lowering = demand.lowering(attention)
    radius, relative = demand.perturbation(lowering)
    spectrum = spectrum.widened(radius)
    column = lowering.autocov(demand.gp.kernel, demand.gp.frames)

    def bound(design: InverseSymbol) -> float:
        return guaranteed_preconditioned_rounding(
            gp,
            lowering,
            design,
            spectrum,
            t_min=demand.t_min,
            dtype=demand.dtype,
            activation=demand.activation,
        )

    design, target = demand.design(demand.tol), math.inf
    while True:
        proved = demand.rounding == "guaranteed"
        error = bound(design) if proved else demand.rounding_error(attention, design)
        room = demand.room(relative, error)
        if room is None:
            raise room_is_gone(demand, "preconditioned", relative, error)
        rate = _predicted(design, column)
        if demand.closes(rate, room):
            break
        # the spectrum is that of Gamma; with what the heads carry, a little may be missing
        target = min(room, target / 10)
        if target < 1e-3 * room:
            raise room_is_gone(demand, "preconditioned", relative, error)
        design = demand.design(target)
    if rounding is None and demand.dtype == "float64":
        stricter = replace(demand, rounding="guaranteed")
        room = stricter.room(relative, bound(design))
        if room is not None and stricter.closes(rate, room):
            demand, error = stricter, bound(design)
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
        spectrum=spectrum,
        budget=ErrorBudget(rate, (1 + rate) * float(relative), error),
        preconditioner=design,
    )


def plan_direct(
    gp: GaussianProcess, spectrum: Spectrum, rounding: str | None, **common: Any
) -> Plan:
    """The direct method with the fewest eigenmodes.

    Parameters
    ----------
    rounding
        ``"guaranteed"`` or ``"measured"``; ``None`` for the former, where it fits.

    Raises
    ------
    ArgumentError
        ``tol`` is below what rounding allows, or the sequence is too long for an
        eigendecomposition.
    """
    if gp.frames > _MOST_FRAMES_DIRECT:
        raise ArgumentError(
            "method",
            "spectral",
            f"needs an eigendecomposition of {gp.frames} frames, more than {_MOST_FRAMES_DIRECT}",
            "use method='preconditioned', which needs none",
        )
    models = [rounding] if rounding else ["measured"]
    if rounding is None and common["dtype"] == "float64":
        models.insert(0, "guaranteed")
    for model in models:
        demand = _Direct(gp=gp, spectrum=spectrum, rounding=model, **common)
        for most in (gp.frames - 1, gp.frames):  # with a common gate for some of the modes, or none
            error = demand.rounding_error(most)
            modes = demand.modes(most, error) if error < demand.tol else None
            if modes is not None:
                return demand.plan(
                    method_name="spectral",
                    lowering=None,
                    depth=1,
                    budget=ErrorBudget(
                        modes.bound(np.linalg.eigvalsh(gp.spatial_cov), demand.t_min),
                        0.0,
                        demand.rounding_error(len(modes.values)),
                    ),
                    modes=modes,
                )
    raise room_is_gone(demand, "spectral", 0.0, error)


def _predicted(design: InverseSymbol, column: np.ndarray) -> float:
    """The largest error over twice as many points as the step sizes have coefficients."""
    low, high = design.log_range
    symbol, errors = np.array(design.symbol), []
    for u in lobatto(2 * design.terms + 1):
        x = math.exp((low + high) / 2 + (high - low) / 2 * u)
        spectrum = find_outliers(column, 1 / (symbol + x), design.period, x)
        errors.append(spectrum.error(np.array(design.steps(x))))
    return max(errors)
