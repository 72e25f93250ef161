r"""The likelihood of sequences with everything but the temporal kernel maximised out.

x holds n independent sequences X_i with rows = frames; vec X_i ~ N(vec M, Gamma(theta) (x) Sigma).
gamma(0) = 1 fixes the scale that Gamma and Sigma share. For every theta the maximum over the rest
is known in closed form (P. Dutilleul, "The MLE algorithm for the matrix normal distribution",
J. Stat. Comput. Simul. 64 (1999)):

    M = mean of the X_i,
    Sigma(theta) = (1 / (n N)) sum_i (X_i - M)^T Gamma(theta)^{-1} (X_i - M).

What is left is the profile log-likelihood, a function of theta alone,

    -(n d / 2) log det Gamma - (n N / 2) log det Sigma(theta) - (n N d / 2) (1 + log 2 pi).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from unroll.errors import ArgumentError
from unroll.kernels import Kernel
from unroll.validation import Array

#: Smallest variance of a frame given the earlier ones. Below it Gamma cannot be inverted reliably
#: in float64, and the likelihood is rounding noise.
PREDICTION_VARIANCE = 1e-10


class Residuals:
    """What the likelihood needs of the data: centred, scaled, at most N d pseudo-sequences."""

    def __init__(self, x: Array, with_mean: bool) -> None:
        self.n, self.frames, self.channels = x.shape
        self.mean = x.mean(axis=0) if with_mean else None
        centred = x if self.mean is None else x - self.mean
        peak = np.max(np.abs(centred), axis=(0, 1))
        _reject_constant_channels(x, peak)
        deviation = np.sqrt(np.mean((centred / peak) ** 2, axis=(0, 1)))
        self.scale = peak * deviation
        centred = centred / self.scale
        size = self.frames * self.channels
        if self.n > size:
            # Only sums over sequences enter; the triangular factor has the same ones.
            factor = np.asarray(np.linalg.qr(centred.reshape(self.n, size), mode="r"))
            centred = factor.reshape(size, self.frames, self.channels)
        self.rows = np.ascontiguousarray(np.moveaxis(centred, 1, 0)).reshape(self.frames, -1)

    def profile(self, kernel: Kernel) -> tuple[float, Array]:
        """Profile log-likelihood and the maximising Sigma; -inf where Gamma is not invertible."""
        nothing = -math.inf, np.empty((0, 0))
        try:
            temporal = cholesky(kernel.matrix(self.frames), lower=True, check_finite=False)
        except LinAlgError:
            return nothing
        diagonal = np.diag(temporal)
        if diagonal.min() ** 2 < PREDICTION_VARIANCE:
            return nothing
        white = solve_triangular(temporal, self.rows, lower=True, check_finite=False)
        white = white.reshape(-1, self.channels)
        unit = white.T @ white / (self.n * self.frames)
        log_det_unit = np.linalg.slogdet(unit)[1]
        # Back from unit-variance channels to the units of the data.
        log_det_spatial = log_det_unit + 2 * float(np.sum(np.log(self.scale)))
        total, channels = self.n * self.frames, self.channels
        value = (
            -self.n * channels * float(np.sum(np.log(diagonal)))
            - total / 2 * log_det_spatial
            - total * channels / 2 * (1 + math.log(2 * math.pi))
        )
        return value, unit * np.outer(self.scale, self.scale)

    def reject_singular_channels(self) -> None:
        """Refuse channels that float64 cannot tell from combinations of others."""
        ratio = float(self.scale.max() / self.scale.min())
        if ratio > 1e6:
            condition = f"standard deviations of the channels differ by a factor of {ratio:.1e}"
            raise ArgumentError("x", self.rows, condition, "give the channels in like units")
        rows = self.rows.reshape(-1, self.channels)
        smallest = float(np.linalg.eigvalsh(rows.T @ rows / (self.n * self.frames))[0])
        if smallest < 1e-12:
            condition = (
                f"a channel is a combination of others (correlation eigenvalue {smallest:.1e})"
            )
            raise ArgumentError("x", rows, condition, "drop a channel")


def _reject_constant_channels(x: Array, peak: Array) -> None:
    constant = np.flatnonzero(peak <= 1e-13 * np.max(np.abs(x), axis=(0, 1)))
    if constant.size:
        condition = f"channel {constant[0]} does not vary between sequences"
        raise ArgumentError("x", x, condition, "drop the channel")
