r"""Maximum likelihood: which kernel, which parameters, which spatial covariance, which mean.

x holds n independent sequences X_i with rows = frames; vec X_i ~ N(vec M, Gamma(theta) (x) Sigma).
gamma(0) = 1 fixes the scale that Gamma and Sigma share. For every theta the maximum over the rest
is known in closed form (P. Dutilleul, "The MLE algorithm for the matrix normal distribution",
J. Stat. Comput. Simul. 64 (1999)):

    M = mean of the X_i,
    Sigma(theta) = (1 / (n N)) sum_i (X_i - M)^T Gamma(theta)^{-1} (X_i - M).

What is left is the profile log-likelihood, a function of two numbers,

    -(n d / 2) log det Gamma - (n N / 2) log det Sigma(theta) - (n N d / 2) (1 + log 2 pi).

Its maximiser is the fixed point that alternating over (theta, Sigma) would reach: the Sigma step
is solved exactly inside every evaluation. A grid of starts, then Nelder-Mead from the best ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.optimize import minimize

from unroll.errors import ArgumentError
from unroll.fit_report import Candidate, FitReport
from unroll.gaussian_process import GaussianProcess
from unroll.kernels import Exponential, Kernel, Logarithmic, Polynomial
from unroll.validation import Array, choice, finite_array, generator, in_range

#: Smallest variance of a frame given the earlier ones. Below it Gamma cannot be inverted reliably
#: in float64, and the likelihood is rounding noise.
PREDICTION_VARIANCE = 1e-10

_BOUND_MARGIN = 1e-3  # in the search coordinates


@dataclass(frozen=True)
class _Family:
    """Search coordinates of one regime: log length_scale and a shape parameter."""

    make: Callable[[float, float], Kernel]
    shape_name: str
    shape_bounds: tuple[float, float]
    shape_is_log: bool
    shape_starts: tuple[float, ...]

    def kernel(self, point: Array) -> Kernel:
        shape = math.exp(point[1]) if self.shape_is_log else float(point[1])
        low, high = self.shape_bounds
        return self.make(math.exp(point[0]), min(max(shape, low), high))

    def bounds(self, frames: int) -> Array:
        """(2, 2): rows are (low, high) of the coordinates."""
        low, high = self.shape_bounds
        shape = (math.log(low), math.log(high)) if self.shape_is_log else (low, high)
        return np.array([(math.log(0.05), math.log(100.0 * frames)), shape])

    def starts(self, frames: int) -> list[Array]:
        lengths = np.geomspace(0.5, 4.0 * frames, 5)
        shapes = np.log(self.shape_starts) if self.shape_is_log else np.array(self.shape_starts)
        return [np.array([math.log(length), shape]) for length in lengths for shape in shapes]


_FAMILIES = {
    "exponential": _Family(Exponential, "exponent", (0.1, 2.0), False, (0.5, 1.0, 1.5, 1.9)),
    "polynomial": _Family(Polynomial, "power", (0.02, 50.0), True, (0.3, 1.0, 3.0, 10.0)),
    "logarithmic": _Family(Logarithmic, "power", (0.02, 50.0), True, (0.3, 1.0, 3.0, 10.0)),
}


class _Residuals:
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


def fit(
    x: ArrayLike,
    regimes: str | Sequence[str] = ("exponential", "polynomial", "logarithmic"),
    *,
    criterion: str = "bic",
    held_out: float = 0.2,
    rng: int | np.random.Generator = 0,
    mean: bool = True,
    progress: Callable[[str], None] | None = None,
) -> FitReport:
    """Fit every regime by maximum likelihood and choose one.

    Parameters
    ----------
    x : array (n, frames, channels)
        n independent sequences; frames >= 3.
    regimes : names of kernels
        Candidates, out of "exponential", "polynomial", "logarithmic".
    criterion : {"bic", "held_out"}
        Smallest BIC = -2 log-likelihood + parameters * log(n * frames), or largest mean
        log-likelihood of sequences left out.
    held_out : float
        Share of the sequences left out, in [0, 1). They are left out of a second fit, on which
        the held-out value is measured; the reported parameters come from all sequences.
    rng : int or numpy Generator
        Which sequences are left out.
    mean : bool
        Estimate the mean sequence (frames * channels numbers) or take it to be zero.
    progress : callable, optional
        Called with one line of text before each candidate.

    Returns
    -------
    FitReport
        All candidates; `.gp` is the chosen process.

    Raises
    ------
    ArgumentError
        NaN, a wrong number of axes, too few sequences (the message says how many are needed), a
        channel that is constant or a combination of others.
    """
    data = _data(x, bool(mean))
    names = _regimes(regimes)
    choice("criterion", criterion, ("bic", "held_out"))
    in_range("held_out", held_out, 0, 1, high_open=True)
    kept, left = _split(data, float(held_out), bool(mean), generator(rng))
    if criterion == "held_out" and left is None:
        needed = _needed(data.shape[1], data.shape[2], bool(mean))
        condition = f"cannot leave sequences out: {len(data)} given, the fit alone needs {needed}"
        remedy = 'give more sequences, a held_out in (0, 1), or use criterion="bic"'
        raise ArgumentError("held_out", held_out, condition, remedy)
    everything = _Residuals(data, bool(mean))
    _reject_singular_channels(everything)
    candidates = []
    for name in names:
        if progress is not None:
            progress(f"fitting the {name} regime")
        outside = None
        if left is not None:
            part = _Residuals(kept, bool(mean))
            gp = _process(part, _FAMILIES[name].kernel(_maximise(part, name)))
            outside = float(np.mean(gp.log_likelihood(left)))
        candidates.append(_candidate(everything, name, _maximise(everything, name), outside))
    return FitReport.choose(candidates, criterion, data.shape)


def _maximise(residuals: _Residuals, name: str) -> Array:
    """Coordinates of the largest profile likelihood of one regime."""
    family = _FAMILIES[name]
    bounds = family.bounds(residuals.frames)

    def cost(point: Array) -> float:
        value = residuals.profile(family.kernel(point))[0]
        return -value if math.isfinite(value) else 1e300

    ranked = sorted((cost(start), tuple(start)) for start in family.starts(residuals.frames))
    best = (math.inf, np.zeros(2))
    for _, start in ranked[:2]:
        point = np.array(start)
        # A second, smaller simplex: the first may collapse on the ridge length_scale ~ power.
        for width in (0.4, 0.05):
            found = minimize(
                cost,
                point,
                method="Nelder-Mead",
                bounds=bounds,
                options={
                    "initial_simplex": _simplex(point, width, bounds),
                    "xatol": 1e-6,
                    "fatol": 1e-7,
                    "maxfev": 400,
                },
            )
            point = found.x
        best = min(best, (float(found.fun), point), key=lambda pair: pair[0])
    return best[1]


def _simplex(point: Array, width: float, bounds: Array) -> Array:
    """Start triangle that lies inside the bounds."""
    corners = np.tile(point, (3, 1))
    for axis in range(2):
        step = width if point[axis] + width <= bounds[axis, 1] else -width
        corners[axis + 1, axis] += step
    return np.clip(corners, bounds[:, 0], bounds[:, 1])


def _process(residuals: _Residuals, kernel: Kernel) -> GaussianProcess:
    spatial_cov = residuals.profile(kernel)[1]
    return GaussianProcess(kernel, residuals.frames, spatial_cov, residuals.mean)


def _candidate(residuals: _Residuals, name: str, point: Array, held_out: float | None) -> Candidate:
    kernel = _FAMILIES[name].kernel(point)
    frames, channels = residuals.frames, residuals.channels
    parameters = 2 + channels * (channels + 1) // 2
    if residuals.mean is not None:
        parameters += frames * channels
    value = residuals.profile(kernel)[0]
    return Candidate(
        regime=name,
        gp=_process(residuals, kernel),
        log_likelihood=value,
        held_out_log_likelihood=held_out,
        bic=-2 * value + parameters * math.log(residuals.n * frames),
        parameters=parameters,
        at_bound=_at_bound(name, point, kernel, frames),
    )


def _at_bound(name: str, point: Array, kernel: Kernel, frames: int) -> tuple[str, ...]:
    family = _FAMILIES[name]
    found = []
    for axis, parameter in enumerate(("length_scale", family.shape_name)):
        for side, word in enumerate(("lower", "upper")):
            if abs(point[axis] - family.bounds(frames)[axis, side]) < _BOUND_MARGIN:
                found.append(f"{parameter} at its {word} bound {getattr(kernel, parameter):.4g}")
    smallest = float(np.diag(cholesky(kernel.matrix(frames), lower=True)).min()) ** 2
    if smallest < 2 * PREDICTION_VARIANCE:
        found.append("temporal covariance at the limit of what float64 can invert")
    return tuple(found)


def _data(x: ArrayLike, with_mean: bool) -> Array:
    data = finite_array("x", x, "remove or fill the missing values")
    if data.ndim != 3:
        condition = f"must have shape (n, frames, channels), got {data.ndim} axes {data.shape}"
        raise ArgumentError("x", data, condition, "add an axis of length 1 for a single channel")
    n, frames, channels = data.shape
    if frames < 3 or channels < 1:
        condition = f"has {frames} frames and {channels} channels"
        remedy = "give at least 3 frames (two parameters of the kernel) and 1 channel"
        raise ArgumentError("x", data, condition, remedy)
    needed = _needed(frames, channels, with_mean)
    if n < needed:
        mean = " and the mean" if with_mean else ""
        condition = f"{n} sequences cannot determine spatial_cov{mean}"
        remedy = f"give at least {needed} sequences of {frames} frames"
        raise ArgumentError("x", data, condition, remedy)
    return data


def _needed(frames: int, channels: int, with_mean: bool) -> int:
    """Fewest sequences: (n - 1) * frames > channels with a mean, n * frames > channels without."""
    return int(with_mean) + channels // frames + 1


def _regimes(regimes: str | Sequence[str]) -> list[str]:
    names = [regimes] if isinstance(regimes, str) else list(regimes)
    if not names:
        remedy = f"give one of {', '.join(_FAMILIES)}"
        raise ArgumentError("regimes", regimes, "names no kernel", remedy)
    return list(dict.fromkeys(choice("regimes", name, _FAMILIES) for name in names))


def _split(
    data: Array, share: float, with_mean: bool, draws: np.random.Generator
) -> tuple[Array, Array | None]:
    """Sequences to fit and sequences left out; None where too few would remain."""
    n, frames, channels = data.shape
    out = min(math.ceil(share * n), n - _needed(frames, channels, with_mean))
    if share == 0 or out < 1:
        return data, None
    order = draws.permutation(n)
    return data[order[out:]], data[order[:out]]


def _reject_constant_channels(x: Array, peak: Array) -> None:
    constant = np.flatnonzero(peak <= 1e-13 * np.max(np.abs(x), axis=(0, 1)))
    if constant.size:
        condition = f"channel {constant[0]} does not vary between sequences"
        raise ArgumentError("x", x, condition, "drop the channel")


def _reject_singular_channels(residuals: _Residuals) -> None:
    ratio = float(residuals.scale.max() / residuals.scale.min())
    if ratio > 1e6:
        condition = f"standard deviations of the channels differ by a factor of {ratio:.1e}"
        raise ArgumentError("x", residuals.rows, condition, "give the channels in like units")
    rows = residuals.rows.reshape(-1, residuals.channels)
    smallest = float(np.linalg.eigvalsh(rows.T @ rows / (residuals.n * residuals.frames))[0])
    if smallest < 1e-12:
        condition = f"a channel is a combination of others (correlation eigenvalue {smallest:.1e})"
        raise ArgumentError("x", rows, condition, "drop a channel")
