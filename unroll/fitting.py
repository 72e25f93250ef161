r"""Fit a Gaussian process to sequences: which kernel, which parameters, which covariance and mean.

Every regime is fitted by maximum likelihood. The spatial covariance and the mean are known in
closed form for each kernel (`unroll.profile_likelihood`), so the search runs over two numbers: a
grid of starts, then Nelder-Mead from the best ones. Its maximiser is the fixed point that
alternating over kernel and covariance would reach, the covariance step being exact in every
evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cholesky
from scipy.optimize import minimize

from unroll.errors import ArgumentError
from unroll.fit_report import Candidate, FitReport
from unroll.gaussian_process import GaussianProcess
from unroll.kernels import DampedCosine, Exponential, Kernel, Logarithmic, Polynomial
from unroll.profile_likelihood import PREDICTION_VARIANCE, Residuals
from unroll.validation import Array, choice, finite_array, generator, in_range

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


@dataclass(frozen=True)
class _Oscillation(_Family):
    """The likelihood has a maximum for every period that fits a few times: starts closer by."""

    def starts(self, frames: int) -> list[Array]:
        lengths = np.geomspace(0.5, 4.0 * frames, 5)
        turns = np.linspace(0.5, frames / 2, min(frames, 64))  # a sequence has room for so many
        return [np.log([length, frames / turn]) for length in lengths for turn in turns]


_FAMILIES = {
    "exponential": _Family(Exponential, "exponent", (0.1, 2.0), False, (0.5, 1.0, 1.5, 1.9)),
    "polynomial": _Family(Polynomial, "power", (0.02, 50.0), True, (0.3, 1.0, 3.0, 10.0)),
    "logarithmic": _Family(Logarithmic, "power", (0.02, 50.0), True, (0.3, 1.0, 3.0, 10.0)),
    "damped_cosine": _Oscillation(DampedCosine, "period", (2.0, 1e5), True, ()),
}


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
        Candidates, out of "exponential", "polynomial", "logarithmic", "damped_cosine". The last is
        tried only where it is asked for.
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
    everything = Residuals(data, bool(mean))
    everything.reject_singular_channels()
    candidates = []
    for name in names:
        if progress is not None:
            progress(f"fitting the {name} regime")
        best, outside = _maximise(everything, name, _FAMILIES[name].starts(data.shape[1])), None
        if left is not None:
            part = Residuals(kept, bool(mean))
            # The optimum does not depend on the start: this one saves a second grid.
            gp = _process(part, _FAMILIES[name].kernel(_maximise(part, name, [best])))
            outside = float(np.mean(gp.log_likelihood(left)))
        candidates.append(_candidate(everything, name, best, outside))
    return FitReport.choose(candidates, criterion, data.shape)


def _maximise(residuals: Residuals, name: str, starts: list[Array]) -> Array:
    """Coordinates of the largest profile likelihood of one regime."""
    family = _FAMILIES[name]
    bounds = family.bounds(residuals.frames)

    def cost(point: Array) -> float:
        value = residuals.profile(family.kernel(point))[0]
        return -value if math.isfinite(value) else 1e300

    def descend(start: Array, width: float, tolerance: float) -> Array:
        simplex = _simplex(start, width, bounds)
        options = {
            "initial_simplex": simplex,
            "xatol": tolerance,
            "fatol": tolerance,
            "maxfev": 400,
        }
        found = minimize(cost, start, method="Nelder-Mead", bounds=bounds, options=options)
        return np.asarray(found.x)

    coarse = [descend(start, 0.4, 1e-2) for start in sorted(starts, key=cost)[:2]]
    # A second, smaller simplex: the first may collapse on the ridge length_scale ~ power.
    return descend(min(coarse, key=cost), 0.05, 1e-6)


def _simplex(point: Array, width: float, bounds: Array) -> Array:
    """Start triangle that lies inside the bounds."""
    corners = np.tile(point, (3, 1))
    for axis in range(2):
        step = width if point[axis] + width <= bounds[axis, 1] else -width
        corners[axis + 1, axis] += step
    return np.clip(corners, bounds[:, 0], bounds[:, 1])


def _process(residuals: Residuals, kernel: Kernel) -> GaussianProcess:
    spatial_cov = residuals.profile(kernel)[1]
    return GaussianProcess(kernel, residuals.frames, spatial_cov, residuals.mean)


def _candidate(residuals: Residuals, name: str, point: Array, held_out: float | None) -> Candidate:
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
