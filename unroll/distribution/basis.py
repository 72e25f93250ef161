"""The basis in which a process and its noise, at every diffusion time, are independent numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from unroll.errors import ArgumentError
from unroll.gaussian_process import GaussianProcess
from unroll.validation import Array

__all__ = ["EigenBasis", "Process", "eigen_basis"]


@dataclass(frozen=True, eq=False)
class EigenBasis:
    """Orthonormal vectors ``u_m^(a) (x) q_a`` for mode m and spatial direction a.

    Attributes
    ----------
    temporal : array (1 or channels, frames, frames)
        Columns ``u_m``, one matrix for all spatial directions or one for each.
    spatial : array (channels, channels)
        Columns ``q_a``.
    """

    temporal: Array
    spatial: Array

    def coefficients(self, x: Array) -> Array:
        """Coefficients (..., modes, channels) of sequences x (..., frames, channels)."""
        return self._mix(x @ self.spatial, np.swapaxes(self.temporal, 1, 2))

    def sequences(self, coefficients: Array) -> Array:
        """The inverse of `coefficients`."""
        return self._mix(coefficients, self.temporal) @ self.spatial.T

    def covariance(self, variances: Array) -> Array:
        """The dense covariance (N d, N d) of independent coefficients of these variances (N, d)."""
        frames, channels = variances.shape
        vectors = self.sequences(np.eye(frames * channels).reshape(-1, frames, channels))
        rows = vectors.reshape(frames * channels, -1)
        dense: Array = (rows.T * variances.reshape(-1)) @ rows
        return (dense + dense.T) / 2

    def variances(self, covariance: Array) -> Array:
        """Variances (N, d) of the coefficients under a dense covariance (N d, N d)."""
        channels = len(self.spatial)
        frames = covariance.shape[0] // channels
        rows = self.sequences(np.eye(frames * channels).reshape(-1, frames, channels))
        rows = rows.reshape(frames * channels, -1)
        return np.asarray(np.sum((rows @ covariance) * rows, axis=1).reshape(frames, channels))

    def same(self, other: EigenBasis) -> bool:
        """Whether the vectors are the same numbers."""
        return self is other or (
            np.array_equal(self.temporal, other.temporal)
            and np.array_equal(self.spatial, other.spatial)
        )

    @staticmethod
    def _mix(x: Array, matrices: Array) -> Array:
        if len(matrices) == 1:
            return np.asarray(matrices[0] @ x)
        return np.asarray(np.einsum("anm,...ma->...na", matrices, x))


class Process(Protocol):
    """A Gaussian process of sequences: `GaussianProcess`, or one conditioned on observations."""

    @property
    def frames(self) -> int:
        """Frames of a sequence."""

    @property
    def channels(self) -> int:
        """Channels of a frame."""

    @property
    def mean(self) -> Array:
        """Mean sequence (frames, channels)."""

    def score(self, v: Array, t: float) -> Array:
        """Closed-form score of noisy sequences."""


def eigen_basis(process: Process) -> tuple[EigenBasis, Array]:
    """The eigenbasis of a process and its eigenvalues, array (modes, channels).

    For Gamma (x) Sigma these are lambda_m mu_a.
    """
    if isinstance(process, GaussianProcess):
        mu, rotation = process.noisy_cov.spatial_eigen
        values, modes = process.noisy_cov.temporal_eigen
        return EigenBasis(modes[None], rotation), np.outer(values, mu)
    own = getattr(process, "eigen_basis", None)
    if not isinstance(own, tuple):
        remedy = "give a GaussianProcess or a ConditionalProcess"
        raise ArgumentError("process", process, "has no eigenbasis", remedy)
    basis, eigenvalues = own
    return basis, eigenvalues
