"""linear_operator, the solver of GPyTorch: a Toeplitz operator plus a diagonal.

Its default ``cg_tolerance`` is 1: beyond the sizes that it solves by Cholesky, the default answer
is some twenty per cent wrong. The tolerance here is the loosest that reaches the target error.
"""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch

from benchmarks.method import Method, relative_error
from unroll.schedules import alpha_sq, sigma_sq
from unroll.validation import Array

#: Tolerances that calibration tries. Below, its conjugate gradients stop making progress: they
#: divide by at least 1e-10.
_TOLERANCES = (1e-5, 3e-6, 1e-6, 3e-7)
#: Rank of the pivoted Cholesky preconditioner; of 0, 15, 50, 100, 200 none is fastest everywhere.
_RANK = 50


class LinearOperator(Method):
    """Up to ``max_cholesky_size`` a dense factor, beyond it preconditioned conjugate gradients."""

    name = "linear_operator (GPyTorch)"
    growth = (1.0, 1.6)
    module = "linear_operator"
    uses_torch = True
    tolerance = _TOLERANCES[0]

    def calibrate(self, t: float, v: Array, exact: Array, target: float) -> None:
        """Try tolerances from loose to tight; keep the most accurate where none is enough."""
        if self._factor is not None:
            self.note = "Cholesky"
            return
        errors = {}
        for self.tolerance in _TOLERANCES:
            with warnings.catch_warnings(record=True) as stagnation:
                warnings.simplefilter("always")
                errors[self.tolerance] = relative_error(self.solve(v), exact)
            if errors[self.tolerance] <= target or stagnation:
                break
        self.tolerance = min(errors, key=lambda tolerance: errors[tolerance])
        self.note = f"cg_tolerance {self.tolerance:.0e}"

    def setup(self, t: float) -> None:
        """The operator; its dense factor where it would take one."""
        from linear_operator import settings
        from linear_operator.operators import ToeplitzLinearOperator

        dtype = getattr(torch, self.problem.dtype)
        mu = self.problem.spatial_eigen[0][:, None]
        columns = torch.as_tensor(alpha_sq(t) * mu * self.problem.autocov, dtype=dtype)
        noise = torch.full((self.problem.channels, 1), sigma_sq(t), dtype=dtype)
        with torch.no_grad():
            self._operator: Any = ToeplitzLinearOperator(columns).add_diagonal(noise)
            small = self.problem.frames <= settings.max_cholesky_size.value()
            # its own cache does not survive a call of `solve`
            self._factor = self._operator.cholesky().to_dense() if small else None

    def solve(self, v: Array) -> Array:
        """All channels as one batch, all sequences as right-hand sides."""
        right = torch.from_numpy(self.rotate(v)).mT
        with torch.no_grad(), ExitStack() as stack:
            if self._factor is not None:
                solution = torch.cholesky_solve(right, self._factor)
            else:
                for setting in self._settings():
                    stack.enter_context(setting)
                solution = self._operator.solve(right)
        return self.rotate_back(-np.ascontiguousarray(solution.mT.numpy()))

    def _settings(self) -> list[Any]:
        from linear_operator import settings

        return [
            settings.cg_tolerance(self.tolerance),
            settings.min_preconditioning_size(1),
            settings.max_preconditioner_size(_RANK),
        ]
