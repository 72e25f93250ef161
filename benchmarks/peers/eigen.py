"""One eigendecomposition of Gamma, reused for every t."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh, toeplitz

from benchmarks.method import Method
from benchmarks.problem import Problem
from unroll.schedules import alpha_sq, sigma_sq
from unroll.validation import Array


class Eigen(Method):
    """Gamma = U diag(lambda) U^T in the constructor; a new t costs N divisions per mu."""

    name = "eigh, reused"
    growth = (3.0, 2.0)
    dense_matrices = 3

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        # in float64: float32 loses the small eigenvalues
        values, vectors = eigh(toeplitz(problem.autocov), driver="evd", overwrite_a=True)
        self._values = np.maximum(values, 0.0)
        self._vectors = np.ascontiguousarray(vectors, dtype=problem.dtype)

    def setup(self, t: float) -> None:
        """Minus the reciprocal eigenvalues of A_t, (channels, 1, frames)."""
        mu = self.problem.spatial_eigen[0][:, None]
        weights = -1 / (alpha_sq(t) * mu * self._values + sigma_sq(t))
        self._weights = weights[:, None, :].astype(self.problem.dtype)

    def solve(self, v: Array) -> Array:
        """To the eigenbasis, weigh, and back."""
        spectral = self.rotate(v) @ self._vectors
        spectral *= self._weights
        return self.rotate_back(spectral @ self._vectors.T)
