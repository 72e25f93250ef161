"""celerite2: O(N) for the exponential kernel with exponent 1, in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.method import Method
from benchmarks.peers.only_exponential import refuse_others
from benchmarks.problem import Problem
from unroll.schedules import alpha_sq, sigma_sq
from unroll.validation import Array


class Celerite(Method):
    """A semiseparable Cholesky factor per mu (Foreman-Mackey et al., 2017)."""

    name = "celerite2"
    general = False
    growth = (1.0, 1.0)
    module = "celerite2"

    @classmethod
    def refusal(cls, problem: Problem) -> str | None:
        """Only the exponential kernel with exponent 1."""
        return refuse_others(problem) or super().refusal(problem)

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        # exp(-h / l), whatever parameters the kernel has it from
        self._rate = -math.log(problem.autocov[1])
        self._positions = np.arange(problem.frames, dtype=np.float64)

    def setup(self, t: float) -> None:
        """One factor per mu."""
        self._factors = [self._factor(alpha_sq(t) * mu, t) for mu in self.problem.spatial_eigen[0]]

    def _factor(self, scale: float, t: float) -> Any:
        import celerite2
        from celerite2.terms import RealTerm

        process = celerite2.GaussianProcess(RealTerm(a=scale, c=self._rate), mean=0.0)
        process.compute(self._positions, diag=np.full_like(self._positions, sigma_sq(t)))
        return process

    def solve(self, v: Array) -> Array:
        """A forward and a backward sweep per mu, all sequences at once."""
        x = self.rotate(v)
        for channel, factor in enumerate(self._factors):
            x[channel] = -factor.apply_inverse(x[channel].T).T
        return self.rotate_back(x)
