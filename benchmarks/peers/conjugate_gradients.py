"""Conjugate gradients with FFT products and T. Chan's circulant preconditioner.

Source: T. Chan, An optimal circulant preconditioner for Toeplitz systems (1988); R. Chan and
M. Ng, Conjugate gradient methods for Toeplitz systems (1996).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from benchmarks.method import Method
from unroll.validation import Array

_MOST_ITERATIONS = 500
#: Calibration gives up after so many iterations without progress: the rounding floor is reached.
_PATIENCE = 15

Watch = Callable[[Array, float], bool]


class CirculantCG(Method):
    """All sequences and channels iterate together, until the relative residual is ``rtol``."""

    name = "FFT-PCG (T. Chan)"
    rtol = 1e-6

    def setup(self, t: float) -> None:
        """Spectra of the embedding of A_t, and of the circulant nearest to A_t, inverted."""
        frames, dtype = self.problem.frames, self.problem.dtype
        columns = self.problem.columns(t)
        lags = np.arange(frames)
        mirrored = np.roll(columns[:, ::-1], 1, axis=1)  # entry k is column N - k
        nearest = ((frames - lags) * columns + lags * mirrored) / frames
        self._size = next_fast_len(2 * frames - 1, real=True)
        embedding = np.zeros((len(columns), self._size))
        embedding[:, :frames] = columns
        embedding[:, self._size - frames + 1 :] = columns[:, :0:-1]
        self._spectrum = rfft(embedding).real[:, None].astype(dtype)
        self._inverse = (1 / rfft(nearest).real)[:, None].astype(dtype)

    def solve(self, v: Array) -> Array:
        """The score; the number of iterations is left in `iterations`."""
        return self.rotate_back(-self.iterate(self.rotate(v)))

    def calibrate(self, t: float, v: Array, exact: Array, target: float) -> None:
        """The residual at the first iterate as accurate as wanted, or as rounding allows."""
        solution = -self.rotate(exact.astype(np.float64))
        scale = np.linalg.norm(solution)
        seen: list[tuple[float, float]] = []

        def watch(x: Array, residual: float) -> bool:
            seen.append((float(np.linalg.norm(x - solution) / scale), residual))
            errors = [error for error, _ in seen]
            stuck = len(errors) - int(np.argmin(errors)) > _PATIENCE
            return errors[-1] <= target or stuck

        self.iterate(self.rotate(v), watch)
        rounding = 8 * float(np.finfo(self.problem.dtype).eps)
        floor = max(target, 1.2 * min(error for error, _ in seen))
        steps, self.rtol = next(
            (k, max(1.001 * residual, rounding))
            for k, (error, residual) in enumerate(seen, 1)
            if error <= floor
        )
        self.note = f"rtol {self.rtol:.1e}, {steps} iterations"

    def iterate(self, b: Array, watch: Watch | None = None) -> Array:
        """Solve for right-hand sides (channels, batch, frames); ``watch`` may stop it instead."""
        x, r = np.zeros_like(b), b.copy()
        p = self._precondition(r)
        rz = _dot(r, p)
        scale = float(np.linalg.norm(b))
        for _ in range(_MOST_ITERATIONS):
            q = self._multiply(p)
            step = rz / _dot(p, q)
            x += step * p
            r -= step * q
            residual = float(np.linalg.norm(r)) / scale
            if watch(x, residual) if watch else residual <= self.rtol:
                break
            z = self._precondition(r)
            rz, previous = _dot(r, z), rz
            p *= rz / previous
            p += z
        return x

    def _multiply(self, x: Array) -> Array:
        spectral = rfft(x, self._size)
        spectral *= self._spectrum
        product: Array = irfft(spectral, self._size, overwrite_x=True)[..., : self.problem.frames]
        return product

    def _precondition(self, x: Array) -> Array:
        spectral = rfft(x)
        spectral *= self._inverse
        return np.asarray(irfft(spectral, self.problem.frames, overwrite_x=True))


def _dot(x: Array, y: Array) -> Array:
    return np.asarray(np.einsum("...n,...n->...", x, y))[..., None]
