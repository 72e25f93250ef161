"""Plans for the boundary-corrected inverse symbol: two blocks, one pass, any regime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unroll.attention import Lowering
from unroll.errors import ArgumentError
from unroll.gaussian_process import GaussianProcess
from unroll.measured_rounding import measured_boundary_rounding
from unroll.methods.boundary import BoundaryCorrection
from unroll.plan import ErrorBudget, Plan
from unroll.refusals import DepthError, room_is_gone
from unroll.request import PROOF_SHARE, RATE_GROWTH, Demand
from unroll.rounding_boundary import guaranteed_boundary_rounding
from unroll.spectrum import Spectrum

__all__ = ["plan_boundary"]

# Of tol, for the rate: it is nearly the same for every t, and a few samples that measure it spread.
_SHARE = 0.5


@dataclass(frozen=True)
class _Boundary(Demand):
    """A demand on the method, which has no lowering."""

    def design(self, tol: float) -> tuple[BoundaryCorrection, float]:
        """The fewest heads, and what they leave."""
        gp = self.gp
        mu = np.linalg.eigvalsh(gp.spatial_cov)
        found = BoundaryCorrection.fewest(gp.kernel, gp.frames, mu, self.t_min, self.t_max, tol)
        if found is None:
            raise ArgumentError(
                "tol",
                self.tol,
                f"is out of reach of method 'boundary': a few vectors at the ends of {gp.frames} "
                f"frames do not carry what the inverse symbol lacks at t={self.t_min:g}",
                "use method='spectral' for short sequences or method='preconditioned', or raise "
                "tol or t_min",
            )
        return found

    def rounding_error(self, design: BoundaryCorrection) -> float:
        """Of both blocks."""
        if self.rounding == "guaranteed":
            return guaranteed_boundary_rounding(
                self.gp, self.spectrum, **design.arrays(), t_min=self.t_min, dtype=self.dtype
            )
        return measured_boundary_rounding(
            self.gp, design, t_min=self.t_min, t_max=self.t_max, dtype=self.dtype
        )

    def fits(self, lowering: Lowering) -> bool:
        """No lowering does."""
        return False


def plan_boundary(
    gp: GaussianProcess, spectrum: Spectrum, rounding: str | None, **common: Any
) -> Plan:
    """The correction with the fewest heads.

    Parameters
    ----------
    rounding
        ``"guaranteed"`` or ``"measured"``; ``None`` for the former, where it fits.

    Raises
    ------
    ArgumentError
        ``tol`` leaves no room besides rounding, is out of reach, or ``max_layers`` is 1.
    """
    if common["max_layers"] < 2:
        raise DepthError(
            2, "method", "boundary", "needs 2 layers, more than max_layers=1", "raise max_layers"
        )
    models = [rounding] if rounding else ["measured"]
    if rounding is None and common["dtype"] == "float64":
        models.insert(0, "guaranteed")
    for model in models:
        demand = _Boundary(gp=gp, spectrum=spectrum, rounding=model, **common)
        # what rounding costs hardly depends on the heads: a few tries are enough
        target = _SHARE * demand.tol
        for _ in range(3):
            design, rate = demand.design(target)
            error = demand.rounding_error(design)
            room = demand.room(0.0, error)
            if room is None:
                break
            if demand.closes(rate, room):
                return demand.plan(
                    method_name="boundary",
                    lowering=None,
                    depth=1,
                    budget=ErrorBudget(rate, 0.0, error),
                    boundary=design,
                )
            target = min(target, (room - PROOF_SHARE * demand.tol) / RATE_GROWTH)
    raise room_is_gone(demand, "boundary", 0.0, error)
