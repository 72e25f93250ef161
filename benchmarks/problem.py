"""One benchmark problem: a Gaussian process whose covariance is never formed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft

from unroll import ArgumentError, Kernel
from unroll.schedules import alpha, alpha_sq, sigma, sigma_sq
from unroll.validation import Array

#: Sequences that are scored at once.
BATCH = 16


@dataclass(frozen=True)
class Problem:
    """Zero-mean Gaussian process of N frames and d channels, and the precision to compute in.

    Parameters
    ----------
    kernel
        Temporal kernel.
    frames, channels
        N and d. The spatial covariance has eigenvalues 0.5 ... 2, or is 1 where d = 1.
    dtype
        ``"float64"`` or ``"float32"``.
    """

    kernel: Kernel
    frames: int
    channels: int = 1
    dtype: str = "float64"

    @cached_property
    def autocov(self) -> Array:
        """gamma(0), ..., gamma(N - 1), float64: the first column of Gamma."""
        return self.kernel.autocov(np.arange(self.frames))

    @cached_property
    def spatial_cov(self) -> Array:
        """Sigma (channels, channels)."""
        if self.channels == 1:
            return np.ones((1, 1))
        normal = np.random.default_rng(self.channels).normal(size=(self.channels, self.channels))
        basis = np.linalg.qr(normal)[0]
        return np.asarray(basis * np.linspace(0.5, 2.0, self.channels) @ basis.T)

    @cached_property
    def spatial_eigen(self) -> tuple[Array, Array]:
        """mu (channels,) and Q with Sigma = Q diag(mu) Q^T, float64."""
        values, vectors = np.linalg.eigh(self.spatial_cov)
        return values, vectors

    def columns(self, t: float) -> Array:
        """First columns of alpha^2 mu Gamma + sigma^2 I, (channels, frames), float64."""
        columns = alpha_sq(t) * self.spatial_eigen[0][:, None] * self.autocov
        columns[:, 0] += sigma_sq(t)
        return np.asarray(columns)

    def noisy(self, t: float, *, seed: int = 0, batch: int = BATCH) -> Array:
        """Draws of V_t (batch, frames, channels) in the problem's precision.

        White noise is filtered with the root of a circulant of size 2 N whose leading block is
        Gamma: exact, in O(N log N).
        """
        draws = np.random.default_rng(seed)
        size = 2 * self.frames
        lags = np.arange(size)
        spectrum = scipy.fft.rfft(self.kernel.autocov(np.minimum(lags, size - lags))).real
        if spectrum.min() < -1e-12 * spectrum.max():
            condition = "has no circulant embedding of twice its length"
            raise ArgumentError("kernel", self.kernel, condition, "give a convex kernel")
        white = draws.standard_normal((batch, self.channels, size))
        filtered = scipy.fft.irfft(np.sqrt(np.maximum(spectrum, 0.0)) * scipy.fft.rfft(white), size)
        values, vectors = self.spatial_eigen
        clean = filtered[..., : self.frames].swapaxes(-1, -2) @ (vectors * np.sqrt(values)).T
        noise = draws.standard_normal(clean.shape)
        return np.ascontiguousarray(alpha(t) * clean + sigma(t) * noise, dtype=self.dtype)
