r"""The direct method: one gate per eigenmode of ``Gamma``, no iteration.

With ``Gamma = U diag(lambda) U^T`` and ``Sigma = Q diag(mu) Q^T`` the score is

    s = -sum_m u_m u_m^T B,   B = b Q diag(1 / (alpha^2 lambda_m mu_a + sigma^2)) Q^T:

an attention head of rank one per mode and a gate per channel. With fewer modes, the largest kept,
the others are served by a multiple of the identity, ``1 / (alpha^2 lbar mu_a + sigma^2)``, with
``lbar`` in the middle of the dropped eigenvalues ``[lambda_lo, lambda_hi]``. A dropped mode is then
off by the relative error

    r = alpha^2 mu (lbar - lambda) / (alpha^2 mu lbar + sigma^2)

which is largest, ``(hi - lo) / (hi + lo)`` with ``lo, hi`` the ends of the noisy eigenvalues
``alpha^2 mu lambda + sigma^2``, at both ends: no multiple of the identity does better there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unroll.errors import ArgumentError
from unroll.kernels import Kernel
from unroll.methods.gates import resolvent
from unroll.methods.spectra import spatial_spectrum
from unroll.schedules import alpha_sq, sigma_sq
from unroll.validation import (
    Array,
    diffusion_times,
    finite_array,
    integer,
    positive,
    spd_matrix,
    trailing_shape,
)

__all__ = ["Eigenmodes", "temporal_modes"]


def temporal_modes(kernel: Kernel, frames: int) -> tuple[Array, Array]:
    """Eigenvalues of ``Gamma``, largest first, none below 0, and the eigenvectors.

    Returns
    -------
    values
        Array (frames,).
    vectors
        Array (frames, frames); column ``m`` is ``u_m``.
    """
    values, vectors = np.linalg.eigh(kernel.matrix(frames))
    return np.maximum(values[::-1], 0.0), np.ascontiguousarray(vectors[:, ::-1])


@dataclass(frozen=True)
class Eigenmodes:
    """Which eigenmodes have a head of their own, and what the others are taken for.

    Attributes
    ----------
    values
        The kept eigenvalues of ``Gamma``, largest first.
    dropped
        Smallest and largest of the others; ``None`` if there are none.
    """

    values: tuple[float, ...]
    dropped: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        values = finite_array("values", self.values)
        if values.ndim != 1 or np.any(np.diff(values) > 0) or np.any(values < 0):
            condition = "must be eigenvalues of a covariance, largest first"
            raise ArgumentError("values", values, condition, "sort them; set negative ones to 0")
        if self.dropped is None and len(values) == 0:
            raise ArgumentError("values", values, "must not be empty", "keep at least one mode")
        if self.dropped is not None:
            low, high = (float(value) for value in finite_array("dropped", self.dropped))
            if not 0 <= low <= high or (len(values) and high > values[-1]):
                condition = "must ascend from 0 on and stay below what is kept"
                raise ArgumentError("dropped", self.dropped, condition, "keep the largest modes")

    @property
    def floor(self) -> float | None:
        """``lbar``: what the dropped eigenvalues are taken for; ``None`` if there are none."""
        return None if self.dropped is None else (self.dropped[0] + self.dropped[1]) / 2

    @classmethod
    def design(cls, kernel: Kernel, frames: int, modes: int | None = None) -> Eigenmodes:
        """Keep the `modes` largest eigenmodes (all by default).

        >>> from unroll import Exponential
        >>> Eigenmodes.design(Exponential(8.0, 2.0), frames=3, modes=1).floor is None
        False
        """
        frames = integer("frames", frames, 1)
        modes = frames if modes is None else integer("modes", modes, 0)
        if modes > frames:
            condition = f"must be at most frames = {frames}"
            raise ArgumentError("modes", modes, condition, "there are no more")
        values, _ = temporal_modes(kernel, frames)
        return cls._keep(values, modes)

    @classmethod
    def smallest(
        cls,
        kernel: Kernel,
        frames: int,
        spatial_eigenvalues: ArrayLike,
        t_min: float,
        tol: float,
    ) -> Eigenmodes:
        """The fewest modes whose `bound` is at most `tol`."""
        tol = positive("tol", tol)
        values, _ = temporal_modes(kernel, integer("frames", frames, 1))
        low, high = 0, len(values)  # the bound falls with every mode kept
        while low < high:
            middle = (low + high) // 2
            if cls._keep(values, middle).bound(spatial_eigenvalues, t_min) <= tol:
                high = middle
            else:
                low = middle + 1
        return cls._keep(values, low)

    @classmethod
    def _keep(cls, values: Array, modes: int) -> Eigenmodes:
        dropped = None
        if modes < len(values):
            dropped = (float(values[-1]), float(values[modes]))
        return cls(tuple(map(float, values[:modes])), dropped)

    def bound(self, spatial_eigenvalues: ArrayLike, t_min: float) -> float:
        """``(hi - lo) / (hi + lo + 2 x)``, ``x = (e^t_min - 1) / mu_max``: at least the error.

        Relative root-mean-square, for every ``t >= t_min``: the residual of a dropped mode falls
        with ``x``, and the error is a mean of residuals.
        """
        mu = spatial_spectrum(spatial_eigenvalues)
        x = float(np.expm1(positive("t_min", t_min)) / mu.max())
        if self.dropped is None:
            return 0.0
        low, high = self.dropped
        return (high - low) / (high + low + 2.0 * x)

    def relative_error(
        self, kernel: Kernel, frames: int, spatial_eigenvalues: ArrayLike, t: float
    ) -> float:
        """The exact relative root-mean-square error at ``t``, without rounding."""
        mu = spatial_spectrum(spatial_eigenvalues)
        values, _ = temporal_modes(kernel, frames)
        if len(self.values) + (self.dropped is not None) > len(values):
            condition = f"fewer than the {len(self.values)} modes kept"
            raise ArgumentError("frames", frames, condition, "give the length of the design")
        signal, noise = alpha_sq(positive("t", t)) * mu, sigma_sq(t)
        exact = resolvent(signal, noise, values[:, None])
        if self.floor is None:
            return 0.0
        residual = 1.0 - resolvent(signal, noise, self.floor) / exact
        residual[: len(self.values)] = 0.0
        return float(np.sqrt(np.sum(residual**2 * exact) / np.sum(exact)))

    def run(self, vectors: ArrayLike, spatial_cov: ArrayLike, b: ArrayLike, t: ArrayLike) -> Array:
        """The score that the kept modes give, for ``A_t s + b = 0``.

        Parameters
        ----------
        vectors
            Kept eigenvectors ``u_m`` in columns, array (frames, modes).
        spatial_cov
            ``Sigma``, array (channels, channels).
        b
            Right-hand side ``V - alpha M``, array (..., frames, channels).
        t
            Diffusion time, scalar or array (...,).
        """
        vectors = finite_array("vectors", vectors)
        if vectors.ndim != 2 or vectors.shape[1] != len(self.values):
            condition = f"must have shape (frames, {len(self.values)})"
            raise ArgumentError("vectors", vectors, condition, "give one column per kept mode")
        mu, rotation = np.linalg.eigh(spd_matrix("spatial_cov", spatial_cov))
        right = trailing_shape("b", b, len(vectors), len(mu)) @ rotation
        times = diffusion_times("t", t)[..., None]
        signal, noise = alpha_sq(times) * mu, sigma_sq(times) + 0.0 * mu
        poles = np.array(self.values)[:, None]
        gates = resolvent(signal[..., None, :], noise[..., None, :], poles)
        base = 0.0 * signal[..., None, :]
        if self.floor is not None:
            base = resolvent(signal, noise, self.floor)[..., None, :]
        score = -base * right - vectors @ ((gates - base) * (vectors.T @ right))
        result: Array = score @ rotation.T
        return result

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists; `from_dict` reads them back."""
        dropped = None if self.dropped is None else list(self.dropped)
        return {"values": list(self.values), "dropped": dropped}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Eigenmodes:
        """What `to_dict` described."""
        dropped = values["dropped"]
        return cls(tuple(values["values"]), None if dropped is None else (dropped[0], dropped[1]))
