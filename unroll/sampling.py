"""Samples by running the diffusion backwards with any score function.

The samplers are those of `unroll.samplers`; their exact laws are in `unroll.distribution`. All of
them start from N(start_mean, I). The true law at t_max is
N(alpha M, alpha^2 Gamma (x) Sigma + sigma^2 I): the start is off by
alpha(t_max)^2 (Gamma (x) Sigma - I), and no score repairs that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from unroll.samplers import SAMPLERS, Score, make_sampler, reverse_times
from unroll.samplers.stage import checked_shape
from unroll.samplers.stochastic import sde_coefficients
from unroll.validation import Array, choice

__all__ = ["SHORT_NAMES", "Score", "reverse_times", "sample_reverse", "sde_coefficients"]

#: Names of samplers for those who do not care which: reverse diffusion, probability flow.
SHORT_NAMES = {"sde": "ancestral", "ode": "heun"}


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
        Steps of the grid, which is uniform in the log signal-to-noise ratio (`reverse_times`).
    rng : int or numpy Generator
        Source of the start and, for stochastic methods, of the noise.
    method : str
        A name that `unroll.samplers.make_sampler` knows; ``"sde"`` is short for ``"ancestral"``,
        ``"ode"`` for ``"heun"``.
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
    size = checked_shape(shape)
    choice("method", method, [*SHORT_NAMES, *SAMPLERS])
    times = reverse_times(t_min, t_max, steps)
    sampler = make_sampler(SHORT_NAMES.get(method, method), times, denoise=denoise)
    return sampler.sample(score, size, rng=rng, start_mean=start_mean, progress=progress)
