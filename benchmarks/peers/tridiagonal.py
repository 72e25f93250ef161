r"""The precision of the exponential kernel with exponent 1 is tridiagonal: LAPACK pttrf, pttrs.

With K = Gamma^{-1} tridiagonal (frames are a Markov chain) and c = alpha^2 mu,

    (c Gamma + sigma^2 I)^{-1} = (c I + sigma^2 K)^{-1} K.

scipy.linalg.solveh_banded calls the same LAPACK code, but factors anew for each call.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import get_lapack_funcs

from benchmarks.method import Method
from benchmarks.peers.only_exponential import refuse_others
from benchmarks.problem import Problem
from unroll.schedules import alpha_sq, sigma_sq
from unroll.validation import Array


class Tridiagonal(Method):
    """A tridiagonal factor per mu."""

    name = "tridiagonal (solveh_banded)"
    general = False
    growth = (1.0, 1.0)

    @classmethod
    def refusal(cls, problem: Problem) -> str | None:
        """Only the exponential kernel with exponent 1."""
        return refuse_others(problem) or super().refusal(problem)

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        ratio = problem.autocov[1]
        diagonal = np.full(problem.frames, 1 + ratio**2)
        diagonal[[0, -1]] = 1.0
        self._diagonal = (diagonal / (1 - ratio**2)).astype(problem.dtype)
        self._off = np.full(problem.frames - 1, -ratio / (1 - ratio**2), dtype=problem.dtype)
        self._factorize, self._substitute = get_lapack_funcs(("pttrf", "pttrs"), (self._diagonal,))

    def setup(self, t: float) -> None:
        """One factor per mu."""
        noise = self._diagonal.dtype.type(sigma_sq(t))
        self._factors = []
        for mu in self.problem.spatial_eigen[0].astype(self.problem.dtype):
            diagonal = noise * self._diagonal + mu * self._diagonal.dtype.type(alpha_sq(t))
            self._factors.append(self._factorize(diagonal, noise * self._off)[:2])

    def solve(self, v: Array) -> Array:
        """Multiply with K, then substitute forwards and backwards."""
        x = self.rotate(v)
        product = x * self._diagonal
        product[..., 1:] += self._off * x[..., :-1]
        product[..., :-1] += self._off * x[..., 1:]
        np.negative(product, out=product)
        for channel, (diagonal, off) in enumerate(self._factors):
            # the transposed view is Fortran-ordered: solved in place
            solution, _ = self._substitute(diagonal, off, product[channel].T, overwrite_b=True)
            product[channel] = solution.T
        return self.rotate_back(product)
