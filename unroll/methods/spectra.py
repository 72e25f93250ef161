"""The preconditioned systems of one problem at all ``x``, and the step sizes that suit them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from unroll.errors import ArgumentError
from unroll.kernels import Kernel
from unroll.methods.embedding import embed
from unroll.methods.gates import chebyshev_series, log_series
from unroll.methods.outliers import Outliers, find_outliers
from unroll.methods.preconditioned_error import dense_error
from unroll.methods.ritz_steps import Samples, fit_steps, stable_order
from unroll.validation import Array, finite_array, positive

__all__ = ["MOST_STEPS", "Spectra", "log_noise_range", "spatial_spectrum"]

MOST_STEPS = 32
_MORE_STEPS = 6
_CONFIRMED = 256
_HARDEST = (-1.0, -0.9, -0.7)

#: Chebyshev coefficients of step sizes, one row each, in the order in which they are applied.
Rows = tuple[tuple[float, ...], ...]


def spatial_spectrum(spatial_eigenvalues: ArrayLike) -> Array:
    """Eigenvalues of ``Sigma`` as an array (channels,), or an `ArgumentError`."""
    mu = finite_array("spatial_eigenvalues", spatial_eigenvalues)
    if mu.ndim != 1 or len(mu) == 0 or mu.min() <= 0:
        condition = "must be a list of positive numbers"
        raise ArgumentError("spatial_eigenvalues", mu, condition, "give the eigenvalues of Sigma")
    return mu


def log_noise_range(
    spatial_eigenvalues: ArrayLike, t_min: float, t_max: float
) -> tuple[float, float]:
    """Range of ``log x``, ``x = (e^t - 1) / mu``, over diffusion times and spatial eigenvalues.

    >>> low, high = log_noise_range([0.5, 2.0], 0.01, 5.0)
    >>> round(low, 3), round(high, 3)
    (-5.293, 5.686)
    """
    mu = spatial_spectrum(spatial_eigenvalues)
    t_min, t_max = positive("t_min", t_min), positive("t_max", t_max)
    if t_min >= t_max:
        raise ArgumentError("t_min", t_min, f"must be below t_max={t_max}", "swap them")
    # log(e^t - 1) = t + log(1 - e^-t) does not overflow
    low, high = (t + math.log(-math.expm1(-t)) for t in (t_min, t_max))
    return low - math.log(mu.max()), high - math.log(mu.min())


class Spectra:
    """Spectra of ``P (Gamma + x I)`` over a range of ``x``.

    Parameters
    ----------
    kernel, frames
        The temporal covariance.
    log_range
        Ends of the range of ``log x``.
    """

    def __init__(self, kernel: Kernel, frames: int, log_range: tuple[float, float]) -> None:
        self.kernel, self.frames, self.log_range = kernel, frames, log_range
        self.period, self.symbol = embed(kernel, frames)
        self.column = kernel.autocov(np.arange(frames))
        self.samples = Samples(self.at, log_range)

    def gates(self, x: float) -> Array:
        """Eigenvalues of the circulant of ``P``."""
        return 1.0 / (self.symbol + x)

    def at(self, x: float) -> Outliers:
        """The spectrum at one ``x``."""
        return find_outliers(self.column, self.gates(x), self.period, x)

    def fit(self, steps: int, enough: float = 0.0) -> tuple[Rows, float]:
        """Step sizes in a stable order, and the largest error that they leave.

        Step sizes with an error of at most `enough` are taken without looking for better ones.
        """
        series, error = fit_steps(self.samples, steps, enough)
        hardest = chebyshev_series(tuple(series.T), -1.0)
        order = stable_order(hardest, 1.0 + self.samples.at(-1.0).excess)
        return tuple(tuple(map(float, series[k])) for k in order), error

    def fewest(self, tol: float, most: int = MOST_STEPS) -> Rows | None:
        """The fewest steps that leave at most `tol`; ``None`` where `most` are too few."""
        possible = 0
        for steps in range(1, most + 1):
            # more steps than needed make the best ones noise: the fewest say what is possible
            if not possible and self.samples.best_error(steps) > tol:
                continue
            possible = possible or steps
            if steps >= possible + _MORE_STEPS:
                break
            rows, error = self.fit(steps, tol)
            if error <= tol and self._confirms(rows, tol):
                return rows
        return None

    def _confirms(self, rows: Rows, tol: float) -> bool:
        """Whether products of matrices agree: where steps magnify much, eigenvalues are not enough.

        At a few ``x`` from the smallest, which is the hardest, on; short sequences only.
        """
        if self.frames > _CONFIRMED:
            return True
        for u in _HARDEST:
            x = self.samples.noise(u)
            sizes = np.array([log_series(row, self.log_range, x) for row in rows])
            left, total = dense_error(self.column, self.gates(x), self.period, x, sizes)
            if left > tol**2 * total:
                return False
        return True
