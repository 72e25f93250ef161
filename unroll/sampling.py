r"""Reverse-process samplers for any score function.

Both run on a grid that is uniform in the log signal-to-noise ratio, log(alpha_t / sigma_t): for
Gaussian data of any eigenvalue this beat grids in t, log t and powers of sigma.

* `"sde"`: an exponential integrator of the reverse diffusion. The linear part and the noise are
  integrated exactly with the denoised sequence D = (v + sigma_t^2 s) / alpha_t held fixed over
  the step, which makes it the posterior of V_s given V_t and X = D (J. Ho et al., "Denoising
  Diffusion Probabilistic Models", arXiv 2006.11239, equation 7). First order in the step.
* `"ode"`: Heun's method on the probability-flow equation in y = v / alpha_t over
  r = sigma_t / alpha_t, dy/dr = noise prediction (T. Karras et al., "Elucidating the Design Space
  of Diffusion-Based Generative Models", arXiv 2206.00364, Algorithm 1). Second order; two score
  evaluations a step.

Both start from N(start_mean, I). The true law at t_max is N(alpha M, alpha^2 Gamma (x) Sigma +
sigma^2 I): the start is off by alpha(t_max)^2 (Gamma (x) Sigma - I), and no score repairs that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unroll.errors import ArgumentError
from unroll.schedules import alpha, sigma, sigma_sq
from unroll.validation import Array, choice, finite_array, generator, integer, positive

#: v (n, frames, channels) and one diffusion time t to the score, same shape as v.
Score = Callable[[Array, float], Any]


def reverse_times(t_min: float, t_max: float, steps: int) -> Array:
    """`steps` + 1 diffusion times from t_max down to t_min, uniform in log(alpha / sigma).

    >>> reverse_times(0.01, 5.0, 2).round(4).tolist()
    [5.0, 0.7962, 0.01]
    """
    t_min, t_max = positive("t_min", t_min), positive("t_max", t_max)
    if t_min >= t_max:
        raise ArgumentError("t_min", t_min, f"must be below t_max = {t_max}", "swap the two")
    steps = integer("steps", steps, 1)
    # log(sigma^2 / alpha^2) = log(e^t - 1) = t + log(1 - e^-t), which cannot overflow.
    ends = [t + math.log(-math.expm1(-t)) for t in (t_max, t_min)]
    times = np.logaddexp(0.0, np.linspace(ends[0], ends[1], steps + 1))
    times[0], times[-1] = t_max, t_min
    return np.asarray(times)


def sde_coefficients(t: float, s: float) -> tuple[float, float, float]:
    """(a, b, c) of the step v <- a v + b score(v, t) + c z from t down to s < t, z ~ N(0, I).

    a = e^{h/2}, b = 2 sinh(h/2), c^2 = sigma_s^2 (1 - e^{-h}) / sigma_t^2 with h = t - s.
    """
    h = t - s
    return math.exp(h / 2), 2 * math.sinh(h / 2), sigma(s) * sigma(h) / sigma(t)


def sample_reverse(
    score: Score,
    shape: tuple[int, int, int],
    *,
    t_min: float,
    t_max: float,
    steps: int,
    rng: int | np.random.Generator = 0,
    method: str = "sde",
    denoise: bool = True,
    start_mean: ArrayLike | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Array:
    """Draw sequences by running the diffusion backwards.

    Parameters
    ----------
    score : callable
        `score(v, t)` with v (n, frames, channels) and a float t returns an array like v: the
        closed form `gp.score` or an approximation of it.
    shape : (n, frames, channels)
        How many sequences, and their shape.
    t_min, t_max : float
        Range of diffusion times, 0 < t_min < t_max.
    steps : int
        Steps of the grid.
    rng : int or numpy Generator
        Source of the start and, for `"sde"`, of the noise.
    method : {"sde", "ode"}
        See the module's docstring. `"ode"` maps the start deterministically.
    denoise : bool
        Return E[X | V] at t_min (Tweedie; one more evaluation), whose covariance is a little
        below that of X. If False return V at t_min, whose exact law is
        N(alpha M, alpha^2 Gamma (x) Sigma + sigma^2 I).
    start_mean : array that broadcasts to (frames, channels), optional
        Mean of the start; alpha(t_max) * M removes the start's bias in the mean.
    progress : callable, optional
        Called as progress(done, steps) after each step.

    Returns
    -------
    array (n, frames, channels), float64

    Raises
    ------
    ArgumentError
        An argument out of range, or a score of the wrong shape or with NaN.
    """
    size = _shape(shape)
    choice("method", method, ("sde", "ode"))
    times = reverse_times(t_min, t_max, steps)
    if not callable(score):
        raise ArgumentError("score", score, "must be callable", "give a function (v, t) -> score")
    draws = generator(rng)
    v = draws.standard_normal(size)
    if start_mean is not None:
        v = v + _broadcast_mean(start_mean, size)
    for done in range(steps):
        t, s = float(times[done]), float(times[done + 1])
        if method == "sde":
            a, b, c = sde_coefficients(t, s)
            v = a * v + b * _evaluate(score, v, t) + c * draws.standard_normal(size)
        else:
            v = _heun_step(score, v, t, s)
        if progress is not None:
            progress(done + 1, steps)
    if not denoise:
        return v
    last = float(times[-1])
    clean: Array = (v + sigma_sq(last) * _evaluate(score, v, last)) / alpha(last)
    return clean


def _heun_step(score: Score, v: Array, t: float, s: float) -> Array:
    """One step in y = v / alpha over r = sigma / alpha, dy/dr = -sigma * score."""
    change = sigma(s) / alpha(s) - sigma(t) / alpha(t)
    y = v / alpha(t)
    slope = -sigma(t) * _evaluate(score, v, t)
    ahead = y + change * slope
    slope_ahead = -sigma(s) * _evaluate(score, alpha(s) * ahead, s)
    stepped: Array = alpha(s) * (y + change * (slope + slope_ahead) / 2)
    return stepped


def _evaluate(score: Score, v: Array, t: float) -> Array:
    value = np.asarray(score(v, t), dtype=np.float64)
    if value.shape != v.shape:
        condition = f"returned shape {value.shape} for v of shape {v.shape}"
        raise ArgumentError("score", score, condition, "return one value per entry of v")
    if not np.all(np.isfinite(value)):
        condition = f"returned NaN or infinity at t = {t:.6g}"
        raise ArgumentError("score", score, condition, "check the range of t the score is made for")
    return value


def _shape(shape: Any) -> tuple[int, int, int]:
    if not isinstance(shape, tuple | list) or len(shape) != 3:
        condition = "must be three integers (n, frames, channels)"
        raise ArgumentError("shape", shape, condition, "give for example (100, 64, 2)")
    n, frames, channels = (integer("shape", size, 1) for size in shape)
    return n, frames, channels


def _broadcast_mean(start_mean: ArrayLike, size: tuple[int, int, int]) -> Array:
    mean = finite_array("start_mean", start_mean)
    try:
        return np.broadcast_to(mean, size[1:])
    except ValueError:
        condition = f"shape {mean.shape} does not broadcast to (frames, channels) = {size[1:]}"
        remedy = "give one value per frame and channel"
        raise ArgumentError("start_mean", mean, condition, remedy) from None
