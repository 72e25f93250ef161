"""Gaussian laws of sequences: dense, or independent coefficients in an eigenbasis."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike

from unroll.distribution.basis import EigenBasis
from unroll.errors import ArgumentError
from unroll.validation import Array, finite_array, generator, integer

__all__ = ["DenseLaw", "EigenLaw", "Law"]


class Law(ABC):
    """N(mean, covariance) on sequences (frames, channels); vec is row-major."""

    @property
    @abstractmethod
    def mean(self) -> Array:
        """Mean sequence, array (frames, channels)."""

    @abstractmethod
    def covariance(self) -> Array:
        """Dense covariance of vec, array (N d, N d)."""

    @abstractmethod
    def root(self) -> Array:
        """A matrix L with L L^T the covariance, array (N d, N d)."""

    @abstractmethod
    def variances(self, basis: EigenBasis) -> Array:
        """Variances of the coefficients in a basis, array (modes, channels)."""

    @property
    def frames(self) -> int:
        """Frames of a sequence."""
        return int(self.mean.shape[0])

    @property
    def channels(self) -> int:
        """Channels of a frame."""
        return int(self.mean.shape[1])

    def sample(self, n: int, rng: int | np.random.Generator = 0) -> Array:
        """n independent sequences, array (n, frames, channels)."""
        white = generator(rng).standard_normal((integer("n", n, 1), self.mean.size))
        drawn: Array = (white @ self.root().T).reshape(n, *self.mean.shape) + self.mean
        return drawn

    def mode_errors(self, basis: EigenBasis, eigenvalues: Array) -> Array:
        """Relative error of the variance of every mode, array (modes, channels).

        ``u^T C u / lambda - 1`` for the modes ``u`` and eigenvalues ``lambda`` of the target
        (`eigen_basis`). A dense law may also correlate modes; these numbers do not show that.
        """
        return self.variances(basis) / eigenvalues - 1.0

    def __repr__(self) -> str:
        return f"{type(self).__name__}(frames={self.frames}, channels={self.channels})"


class DenseLaw(Law):
    """Mean (frames, channels) and dense covariance (N d, N d), which is symmetrised.

    Raises
    ------
    ArgumentError
        Shapes that do not fit, NaN, or a covariance with an eigenvalue that is negative by more
        than rounding.
    """

    def __init__(self, mean: ArrayLike, covariance: ArrayLike) -> None:
        self._mean = finite_array("mean", mean)
        matrix = finite_array("covariance", covariance)
        size = self._mean.size
        if self._mean.ndim != 2 or size == 0:
            shape = f"shape {self._mean.shape}"
            raise ArgumentError("mean", mean, f"has {shape}", "give (frames, channels)")
        if matrix.shape != (size, size):
            condition = f"must have shape {(size, size)}, got shape {matrix.shape}"
            raise ArgumentError("covariance", matrix, condition, "match frames * channels")
        self._covariance = (matrix + matrix.T) / 2
        values, vectors = np.linalg.eigh(self._covariance)
        if values[0] < -(size**2) * np.finfo(float).eps * max(values[-1], 0.0):
            condition = f"must not have a negative eigenvalue, found {values[0]:.3g}"
            raise ArgumentError("covariance", matrix, condition, "give a covariance matrix")
        self._root: Array = vectors * np.sqrt(np.maximum(values, 0.0))

    @property
    def mean(self) -> Array:
        """Mean sequence, array (frames, channels)."""
        return self._mean

    def covariance(self) -> Array:
        """Dense covariance of vec, array (N d, N d)."""
        return self._covariance

    def root(self) -> Array:
        """Eigenvectors times roots of eigenvalues."""
        return self._root

    def variances(self, basis: EigenBasis) -> Array:
        """Variances of the coefficients in a basis, array (modes, channels)."""
        return basis.variances(self._covariance)


class EigenLaw(Law):
    """Independent coefficients in an eigenbasis: means and variances (modes, channels)."""

    def __init__(self, basis: EigenBasis, means: Array, variances: Array) -> None:
        self.basis = basis
        self.coefficient_means = finite_array("means", means)
        self.coefficient_variances = finite_array("variances", variances)
        if np.any(self.coefficient_variances < 0):
            smallest = float(self.coefficient_variances.min())
            raise ArgumentError("variances", variances, f"holds {smallest:.3g}", "give variances")

    @property
    def mean(self) -> Array:
        """Mean sequence, array (frames, channels)."""
        return self.basis.sequences(self.coefficient_means)

    def covariance(self) -> Array:
        """Dense covariance of vec, array (N d, N d)."""
        return self.basis.covariance(self.coefficient_variances)

    def root(self) -> Array:
        """Basis vectors in columns, times standard deviations."""
        deviations = np.sqrt(self.coefficient_variances).reshape(-1)
        vectors = self.basis.sequences(
            np.eye(len(deviations)).reshape(-1, *self.coefficient_variances.shape)
        )
        return np.asarray(vectors.reshape(len(deviations), -1).T * deviations)

    def sample(self, n: int, rng: int | np.random.Generator = 0) -> Array:
        """n independent sequences, array (n, frames, channels)."""
        shape = (integer("n", n, 1), *self.coefficient_variances.shape)
        white = generator(rng).standard_normal(shape)
        scaled = white * np.sqrt(self.coefficient_variances) + self.coefficient_means
        return self.basis.sequences(scaled)

    def variances(self, basis: EigenBasis) -> Array:
        """Variances of the coefficients in a basis, array (modes, channels)."""
        if self.basis.same(basis):
            return self.coefficient_variances
        return basis.variances(self.covariance())
