"""What rounding costs in practice: an estimate, by running the iteration in float32.

The guaranteed bound of `unroll.rounding` charges every sum its worst case. Here the arithmetic of a
block is carried out in float32, with gates computed in float64 and rounded once, on noisy sequences
at three diffusion times, and compared with float64. The largest relative error seen, times a
safety factor, is an estimate that random problems stay below; it cannot be certified.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from unroll.schedules import alpha, sigma_sq

if TYPE_CHECKING:
    from unroll.attention import Lowering
    from unroll.gaussian_process import GaussianProcess
    from unroll.methods import Method
    from unroll.spectrum import Spectrum

__all__ = ["measured_rounding"]

# Sums in another order, and an activation, differ from this run by a few times its own error.
_SAFETY = 6.0
_VALUES = 1024  # enough numbers for a stable root mean square


def measured_rounding(
    gp: GaussianProcess,
    lowering: Lowering,
    method: Method,
    spectrum: Spectrum,
    depth: int,
    *,
    t_min: float,
    t_max: float,
) -> float:
    """Six times the largest relative rounding error seen in float32."""
    sequences = max(4, math.ceil(_VALUES / (gp.frames * gp.channels)))
    times = np.array([t_min, math.sqrt(t_min * t_max), t_max])
    v = np.stack([gp.sample_noisy(sequences, float(t), rng=0) for t in times])
    rounded, exact = (
        _run(gp, lowering.carried(gp.kernel, gp.frames, kind), method, spectrum, depth, v, times)
        for kind in ("float32", "float64")
    )
    error = np.linalg.norm(rounded - exact, axis=(-2, -1)) / np.linalg.norm(exact, axis=(-2, -1))
    return _SAFETY * float(np.sqrt(np.mean(error**2, axis=1)).max())


def _run(
    gp: GaussianProcess,
    temporal: np.ndarray,
    method: Method,
    spectrum: Spectrum,
    depth: int,
    v: np.ndarray,
    times: np.ndarray,
) -> np.ndarray:
    """The last iterate, every operation of a block in the type of ``temporal``.

    ``v`` is an array (times, sequences, frames, channels).
    """
    kind = temporal.dtype
    spatial, mean, noisy = (x.astype(kind) for x in (gp.spatial_cov, gp.mean, v))
    t = times[:, None, None, None]
    a, noise = alpha(t), sigma_sq(t)
    lower, upper = spectrum.noisy(t)
    previous, current = np.zeros_like(noisy), np.zeros_like(noisy)
    for k in range(depth):
        eta = method.step_size(k, lower, upper)
        beta = method.momentum(k, lower, upper)
        gates = (-eta * a * a, 1 + beta - eta * noise, -1 - beta, -eta, eta * a)
        mix, own, old, fresh, centre = (np.asarray(gate).astype(kind) for gate in gates)
        attention = mix * (temporal @ (current @ spatial))
        layer = own * current + old * previous + fresh * noisy + centre * mean
        previous, current = current, previous + (attention + layer)
    return current.astype(np.float64)
