"""scipy.linalg.solve_toeplitz: Levinson's recursion, O(N^2) and no N x N matrix."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_toeplitz

from benchmarks.method import Method
from unroll.validation import Array


class Levinson(Method):
    """Keeps nothing: each evaluation repeats the recursion. scipy computes in float64."""

    name = "solve_toeplitz"
    growth = (1.0, 2.0)

    def setup(self, t: float) -> None:
        """First columns of the systems."""
        self._columns = self.problem.columns(t)

    def solve(self, v: Array) -> Array:
        """One recursion per mu, all sequences at once."""
        x = self.rotate(v)
        for channel, column in enumerate(self._columns):
            x[channel] = -solve_toeplitz(column, x[channel].T, check_finite=False).T
        return self.rotate_back(np.ascontiguousarray(x))
