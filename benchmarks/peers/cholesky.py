"""Dense Cholesky: one factor per t and eigenvalue of the spatial covariance."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve, toeplitz

from benchmarks.method import Method
from benchmarks.problem import Problem
from unroll.schedules import alpha_sq, sigma_sq
from unroll.validation import Array


class Cholesky(Method):
    """Factors alpha^2 mu Gamma + sigma^2 I for each mu; then two triangular solves each."""

    name = "Cholesky"
    growth = (2.0, 3.0)
    dense_matrices = 1
    dense_per_channel = True

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self._gamma = toeplitz(problem.autocov.astype(problem.dtype))

    def setup(self, t: float) -> None:
        """One factor per mu."""
        self._factors = [self._factor(alpha_sq(t) * mu, t) for mu in self.problem.spatial_eigen[0]]

    def _factor(self, scale: float, t: float) -> tuple[Array, bool]:
        system = self._gamma * self._gamma.dtype.type(scale)
        system[np.diag_indices(len(system))] += sigma_sq(t)
        # the transpose is Fortran-ordered: LAPACK overwrites it without a copy
        factor, lower = cho_factor(system.T, lower=True, overwrite_a=True, check_finite=False)
        return factor, lower

    def solve(self, v: Array) -> Array:
        """Two triangular solves per mu, all sequences at once."""
        x = self.rotate(v)
        for channel, factor in enumerate(self._factors):
            x[channel] = -cho_solve(factor, x[channel].T, check_finite=False).T
        return self.rotate_back(x)
