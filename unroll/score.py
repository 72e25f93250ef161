r"""The closed-form score of a noisy Gaussian process: the oracle everything is measured against.

With V_t = alpha X + sigma Z and Cov[vec X] = Gamma (x) Sigma (rows are frames, row-major vec),

    s_t(V) = -A_t^{-1} (V - alpha M),    A_t = alpha^2 Gamma (x) Sigma + sigma^2 I.

Sigma = Q diag(mu) Q^T splits it: column a of the rotated residual R Q meets the N x N system
alpha^2 mu_a Gamma + sigma^2 I. Two twins solve it: `solve_cholesky` factors each system (the
oracle), `solve_eigen` uses one eigendecomposition of Gamma for every t.

Shapes: N frames, d channels, `...` any batch; t is a scalar or broadcasts to the batch.
Source: the paper (arXiv 2407.16134), Section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from unroll.errors import ArgumentError
from unroll.schedules import alpha_sq, sigma_sq
from unroll.validation import Array, diffusion_times


@dataclass(frozen=True, eq=False)
class NoisyCovariance:
    """The family A_t = alpha_t^2 Gamma (x) Sigma + sigma_t^2 I over t > 0.

    Parameters
    ----------
    temporal_cov : array (frames, frames)
        Gamma, symmetric positive semi-definite; it may be singular to float64 precision.
    spatial_cov : array (channels, channels)
        Sigma, symmetric positive definite.
    """

    temporal_cov: Array
    spatial_cov: Array

    @cached_property
    def spatial_eigen(self) -> tuple[Array, Array]:
        """mu (channels,) ascending and Q (channels, channels) with Sigma = Q diag(mu) Q^T."""
        values, vectors = np.linalg.eigh(self.spatial_cov)
        return values, vectors

    @cached_property
    def temporal_eigen(self) -> tuple[Array, Array]:
        """lambda (frames,), clipped at 0, and U with Gamma = U diag(lambda) U^T."""
        values, vectors = np.linalg.eigh(self.temporal_cov)
        return np.maximum(values, 0.0), vectors

    def solve_cholesky(self, residual: Array, t: ArrayLike) -> Array:
        """A_t^{-1} residual, residual (..., frames, channels); a Cholesky factor per (t, mu)."""
        return self._over_times(self._cholesky_one, residual, t)

    def solve_eigen(self, residual: Array, t: ArrayLike) -> Array:
        """The same, by the eigendecomposition of Gamma: much faster for many t."""
        return self._over_times(self._eigen_one, residual, t)

    def _over_times(
        self, solve: Callable[[Array, float], Array], residual: Array, t: ArrayLike
    ) -> Array:
        times = diffusion_times("t", t)
        if times.ndim == 0:
            return solve(residual, float(times))
        batch = residual.shape[:-2]
        per_sequence = broadcast_times(times, batch)
        result = np.empty_like(residual)
        for one in np.unique(per_sequence):
            chosen = per_sequence == one
            result[chosen] = solve(residual[chosen], float(one))
        return result

    def _cholesky_one(self, residual: Array, t: float) -> Array:
        frames = self.temporal_cov.shape[0]
        mu, rotation = self.spatial_eigen
        rotated = residual @ rotation
        solved = np.empty_like(rotated)
        for channel, value in enumerate(mu):
            system = alpha_sq(t) * value * self.temporal_cov
            system[np.diag_indices(frames)] += sigma_sq(t)
            try:
                factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
            except LinAlgError:
                condition = "noise is below the rounding of a singular covariance"
                raise ArgumentError("t", t, condition, "give a larger diffusion time") from None
            columns = rotated[..., channel].reshape(-1, frames).T
            answer = cho_solve(factor, columns, check_finite=False)
            solved[..., channel] = answer.T.reshape(rotated.shape[:-1])
        return solved @ rotation.T

    def _eigen_one(self, residual: Array, t: float) -> Array:
        mu, rotation = self.spatial_eigen
        values, modes = self.temporal_eigen
        weights = alpha_sq(t) * values[:, None] * mu[None, :] + sigma_sq(t)
        spectral = modes.T @ (residual @ rotation)
        solved: Array = modes @ (spectral / weights) @ rotation.T
        return solved


def broadcast_times(t: Array, batch: tuple[int, ...]) -> Array:
    """Diffusion times spread over the batch shape."""
    try:
        return np.broadcast_to(t, batch)
    except ValueError:
        condition = f"shape {t.shape} does not broadcast to the batch shape {batch} of v"
        remedy = "give one t, or one per sequence of v (shape (..., frames, channels))"
        raise ArgumentError("t", t, condition, remedy) from None
