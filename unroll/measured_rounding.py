"""What rounding costs in practice: an estimate, by running a method in float32.

The guaranteed bound of `unroll.rounding` charges every sum its worst case. Here the arithmetic of a
model is carried out in float32, with gates computed in float64 and rounded once, on noisy sequences
at three diffusion times, and compared with float64. The largest relative error seen, times a
safety factor, is an estimate that random problems stay below; it cannot be certified. Rounding
errors are in proportion to the unit roundoff, which gives the estimate for float64.

Long sequences are stood in for by their first frames; the estimate is then raised by the ratio of
the condition numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import irfft, rfft
from scipy.linalg import toeplitz

from unroll.gaussian_process import GaussianProcess
from unroll.methods.eigenmodes import temporal_modes
from unroll.methods.gates import resolvent
from unroll.schedules import alpha, sigma_sq
from unroll.spectrum import enclose

if TYPE_CHECKING:
    from unroll.attention import Lowering
    from unroll.methods import Method
    from unroll.methods.boundary import BoundaryCorrection
    from unroll.methods.eigenmodes import Eigenmodes
    from unroll.methods.inverse_symbol import InverseSymbol
    from unroll.spectrum import Spectrum

__all__ = [
    "measured_boundary_rounding",
    "measured_direct_rounding",
    "measured_preconditioned_rounding",
    "measured_rounding",
]

# Sums in another order, and an activation, differ from this run by a few times its own error.
_SAFETY = 6.0
_VALUES = 1024  # enough numbers for a stable root mean square
_MOST_FRAMES = 256  # longer sequences are stood in for

Run = Callable[[str, np.ndarray, np.ndarray], np.ndarray]
"""(type, noisy sequences (times, sequences, frames, channels), times) to scores."""


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
    """Six times the largest relative rounding error seen in float32, for a first-order method."""

    def run(kind: str, v: np.ndarray, times: np.ndarray) -> np.ndarray:
        temporal = lowering.carried(gp.kernel, gp.frames, kind)
        return _iterate(gp, temporal, method, spectrum, depth, v, times)

    return _compare(gp, run, t_min, t_max)


def measured_preconditioned_rounding(
    gp: GaussianProcess,
    lowering_of: Callable[[int], Lowering],
    design: InverseSymbol,
    *,
    t_min: float,
    t_max: float,
    dtype: str,
) -> float:
    """The same for the preconditioned iteration; ``lowering_of`` maps a length to a lowering."""
    short = _shortened(gp)
    lowering = lowering_of(short.frames)
    mu, rotation = np.linalg.eigh(gp.spatial_cov)

    def run(kind: str, v: np.ndarray, times: np.ndarray) -> np.ndarray:
        temporal = lowering.carried(gp.kernel, short.frames, kind)
        t = times[:, None, None, None]
        a, noise = alpha(t), sigma_sq(t)
        steps = [np.asarray(x).astype(kind) for x in design.steps(noise / (a * a * mu))]
        gates = resolvent(a[..., None] ** 2, noise[..., None], mu[:, None] * design.symbol)
        rows = np.fft.irfft(gates[:, 0, 0], n=design.period)[..., : short.frames]
        preconditioner = np.stack([[toeplitz(row) for row in rows_t] for rows_t in rows])
        preconditioner = preconditioner[:, None].astype(kind)  # [times, 1, d, N, N]
        right = ((v - a * short.mean) @ rotation).astype(kind)
        weight, a2, noise = mu.astype(kind), (a * a).astype(kind), noise.astype(kind)
        s = np.zeros_like(right)
        for eta in steps:
            residual = a2 * (temporal @ s) * weight + noise * s + right
            corrected = preconditioner @ np.moveaxis(residual, -1, -2)[..., None]
            s = s - eta * np.moveaxis(corrected[..., 0], -2, -1)
        return np.asarray(s, dtype=np.float64)

    return _compare(short, run, t_min, t_max) * _scale(gp, short, t_min, dtype)


def measured_direct_rounding(
    gp: GaussianProcess, modes: Eigenmodes, *, t_min: float, t_max: float, dtype: str
) -> float:
    """The same for the direct method."""
    short = _shortened(gp)
    kept = min(len(modes.values), short.frames)
    values, vectors = temporal_modes(gp.kernel, short.frames)
    mu, rotation = np.linalg.eigh(gp.spatial_cov)

    def run(kind: str, v: np.ndarray, times: np.ndarray) -> np.ndarray:
        t = times[:, None, None, None]
        a, noise = alpha(t), sigma_sq(t)
        gates = resolvent(a * a, noise, values[:kept, None] * mu)
        base = 0.0 if modes.floor is None else resolvent(a * a, noise, modes.floor * mu)
        right = ((v - a * short.mean) @ rotation).astype(kind)
        u = vectors[:, :kept].astype(kind)
        shared = np.asarray(base).astype(kind)
        s = -shared * right - u @ ((gates - base).astype(kind) * (u.T @ right))
        return np.asarray(s, dtype=np.float64)

    return _compare(short, run, t_min, t_max) * _scale(gp, short, t_min, dtype)


def measured_boundary_rounding(
    gp: GaussianProcess, design: BoundaryCorrection, *, t_min: float, t_max: float, dtype: str
) -> float:
    """The same for the boundary-corrected inverse symbol.

    Long sequences are not stood in for: they are drawn by circulant embedding and transformed by
    FFT, as structured execution does.
    """
    mu, rotation = np.linalg.eigh(gp.spatial_cov)
    ends, symbol = design.ends, np.array(design.symbol)
    times = np.array([t_min, math.sqrt(t_min * t_max), t_max])[:, None, None]
    a, noise = alpha(times), sigma_sq(times)
    waves = resolvent(a[..., None] ** 2, noise[..., None], mu[:, None] * symbol)
    signal = a[..., 0] ** 2 * mu
    middle = (design.middle(noise[..., 0] / signal) / signal[..., None, None])[:, None]
    count = max(4, math.ceil(_VALUES / (gp.frames * gp.channels)))
    white = np.random.default_rng(0).standard_normal((3, count, gp.channels, design.period))
    drawn = irfft(rfft(white) / np.sqrt(waves), design.period)[..., : gp.frames]
    v = np.swapaxes(drawn, -1, -2) @ rotation.T + a[..., None] * gp.mean

    def run(kind: str) -> np.ndarray:
        u, gates, inner = ends.astype(kind), waves.astype(kind), middle.astype(kind)
        centred = v.astype(kind) - a[..., None].astype(kind) * gp.mean.astype(kind)
        right = np.swapaxes(centred @ rotation.astype(kind), -1, -2)
        s = irfft(rfft(right, design.period) * gates, design.period)[..., : gp.frames]
        s = s + ((right @ u)[..., None, :] @ inner)[..., 0, :] @ u.T
        result: np.ndarray = -np.swapaxes(s, -1, -2) @ rotation.T.astype(kind)
        return result.astype(np.float64)

    unit = float(np.finfo(dtype).eps / np.finfo(np.float32).eps)
    return _SAFETY * unit * _largest_difference(run("float32"), run("float64"))


def _largest_difference(rounded: np.ndarray, exact: np.ndarray) -> float:
    """Largest root mean square over sequences, (times, sequences, frames, channels)."""
    error = np.linalg.norm(rounded - exact, axis=(-2, -1)) / np.linalg.norm(exact, axis=(-2, -1))
    return float(np.sqrt(np.mean(error**2, axis=1)).max())


def _compare(gp: GaussianProcess, run: Run, t_min: float, t_max: float) -> float:
    sequences = max(4, math.ceil(_VALUES / (gp.frames * gp.channels)))
    times = np.array([t_min, math.sqrt(t_min * t_max), t_max])
    v = np.stack([gp.sample_noisy(sequences, float(t), rng=0) for t in times])
    rounded, exact = (run(kind, v, times) for kind in ("float32", "float64"))
    return _SAFETY * _largest_difference(rounded, exact)


def _shortened(gp: GaussianProcess) -> GaussianProcess:
    if gp.frames <= _MOST_FRAMES:
        return gp
    mean = gp.mean[:_MOST_FRAMES] if gp.has_mean else None
    return GaussianProcess(gp.kernel, _MOST_FRAMES, gp.spatial_cov, mean)


def _scale(gp: GaussianProcess, short: GaussianProcess, t_min: float, dtype: str) -> float:
    """From a float32 run on fewer frames to the type and the frames asked for."""
    kappa, known = (
        enclose(p.kernel, p.frames, p.spatial_cov).condition_number(t_min) for p in (gp, short)
    )
    unit = np.finfo(dtype).eps / np.finfo(np.float32).eps
    return float(unit) * max(1.0, kappa / known)


def _iterate(
    gp: GaussianProcess,
    temporal: np.ndarray,
    method: Method,
    spectrum: Spectrum,
    depth: int,
    v: np.ndarray,
    times: np.ndarray,
) -> np.ndarray:
    """The last iterate, every operation of a block in the type of ``temporal``."""
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
