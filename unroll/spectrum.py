"""Enclosures of the spectrum of the noisy covariance ``A_t = alpha_t^2 G + sigma_t^2 I``.

``G = Gamma kron Sigma`` does not depend on the diffusion time, and ``alpha_t^2 + sigma_t^2 = 1``,
so one enclosure ``eig(G) in [lower, upper]`` serves every ``t``:
``eig(A_t) in [1 + a (lower - 1), 1 + a (upper - 1)]`` with ``a = exp(-t)``. The condition number
falls as ``t`` grows: the smallest ``t`` is the hardest.

The lower end of ``Gamma`` is the minimum of its symbol (sharp as the number of frames grows), the
upper end a Collatz-Wielandt quotient: for a matrix with positive entries and any positive vector
``x``, ``lambda_max <= max_i (Gamma x)_i / x_i``. A kernel with negative values has it for
``|Gamma| >= Gamma`` entry by entry, whose largest eigenvalue is not smaller, and beside it the
maximum of its symbol.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import eigvalsh, matmul_toeplitz, toeplitz

from unroll.kernels import Kernel
from unroll.schedules import alpha_sq, sigma_sq

if TYPE_CHECKING:
    from unroll.gaussian_process import GaussianProcess

__all__ = ["Spectrum", "enclose", "enclose_process", "spatial_bounds", "temporal_bounds"]

_UNIT_ROUNDOFF = np.finfo(np.float64).eps / 2
_POWER_STEPS = 40
_SMALLEST_ENTRY = 1e-9  # of a test vector, which must be positive
_SMALL = 64  # up to this size the smallest eigenvalue is computed


@dataclass(frozen=True)
class Spectrum:
    """``eig(Gamma kron Sigma)`` lies in ``[lower, upper]``, ``0 <= lower <= upper``."""

    lower: float
    upper: float

    def noisy(self, t: Any) -> tuple[Any, Any]:
        """Bounds ``(m_t, L_t)`` of ``eig(A_t)``; ``t`` a float or an array."""
        signal, noise = alpha_sq(t), sigma_sq(t)
        return signal * self.lower + noise, signal * self.upper + noise

    def condition_number(self, t: float) -> float:
        """``L_t / m_t``, largest at the smallest ``t``."""
        lower, upper = self.noisy(t)
        return float(upper / lower)

    def widened(self, radius: float) -> Spectrum:
        """The spectrum of a symmetric matrix at most ``radius`` away; ``lower`` may be negative."""
        return Spectrum(self.lower - radius, self.upper + radius)


def temporal_bounds(kernel: Kernel, frames: int) -> tuple[float, float]:
    """Bounds of ``eig(Gamma_N)``: ``kernel.symbol_min`` below, Collatz-Wielandt above.

    Up to 64 frames the computed smallest eigenvalue, less its backward error, serves where it is
    larger than ``kernel.symbol_min``; for kernels with negative values also the largest one, plus
    its backward error.
    """
    first_column = kernel.autocov(np.arange(frames))
    sizes = np.abs(first_column)
    vector = np.ones(frames)
    upper = kernel.symbol_max()
    for _ in range(_POWER_STEPS):
        image = matmul_toeplitz(sizes, vector)
        # matmul_toeplitz goes through the FFT: its absolute error in each entry is at most
        # about log2(size) roundings of ||column|| ||x||, added here so that the bound stays one
        slack = (
            8
            * _UNIT_ROUNDOFF
            * (math.log2(2 * frames) + 2)
            * float(np.linalg.norm(sizes) * np.linalg.norm(vector))
        )
        upper = min(upper, float(np.max((image + slack) / vector)))
        vector = np.maximum(image / image.max(), _SMALLEST_ENTRY)
    lower = kernel.symbol_min(frames)
    if frames <= _SMALL:
        # short sequences are better conditioned than the N-free bound knows
        values = eigvalsh(toeplitz(first_column))
        slack = 8 * frames * _UNIT_ROUNDOFF * float(values[-1])
        lower = max(lower, float(values[0]) - slack)
        if kernel.signed:
            upper = min(upper, float(values[-1]) + slack)
    return lower, upper


def spatial_bounds(spatial_cov: np.ndarray) -> tuple[float, float]:
    """Bounds of ``eig(Sigma)``: computed eigenvalues, widened by their backward error."""
    values = eigvalsh(spatial_cov)
    slack = 4 * len(values) * _UNIT_ROUNDOFF * float(values[-1])
    return max(float(values[0]) - slack, 0.0), float(values[-1]) + slack


def enclose_process(gp: GaussianProcess) -> Spectrum:
    """Enclose ``eig(Gamma kron Sigma)`` of a process, at irregular frame times too.

    For irregular times the eigenvalues of ``Gamma`` are computed, and widened by their backward
    error and by what a proof with factorisations leaves open (lemma ``floating_cholesky``);
    ``Gamma`` is positive semidefinite all the same.
    """
    if gp.frame_times is None:
        return enclose(gp.kernel, gp.frames, gp.spatial_cov)
    values = eigvalsh(gp.temporal_cov)
    slack = (24 + 4 * gp.frames) * gp.frames * _UNIT_ROUNDOFF * float(values[-1])
    temporal = max(float(values[0]) - slack, 0.0), float(values[-1]) + slack
    return _product(temporal, spatial_bounds(gp.spatial_cov))


def enclose(kernel: Kernel, frames: int, spatial_cov: np.ndarray) -> Spectrum:
    """Enclose ``eig(Gamma kron Sigma)``; both factors are positive semidefinite."""
    return _product(temporal_bounds(kernel, frames), spatial_bounds(spatial_cov))


def _product(temporal: tuple[float, float], spatial: tuple[float, float]) -> Spectrum:
    outward = 4 * _UNIT_ROUNDOFF  # the products round, too
    return Spectrum(
        temporal[0] * spatial[0] * (1 - outward), temporal[1] * spatial[1] * (1 + outward)
    )
