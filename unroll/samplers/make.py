"""A sampler by name, on a grid."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from unroll.errors import ArgumentError
from unroll.samplers.deterministic import ddim, dpm_solver_pp, euler, heun
from unroll.samplers.stage import Sampler, Stage
from unroll.samplers.stochastic import euler_maruyama, exponential, sde_coefficients
from unroll.schedules import alpha, sigma_sq
from unroll.validation import Array, choice, diffusion_times

__all__ = ["SAMPLERS", "make_sampler"]

Steps = tuple[tuple[Stage, ...], ...]
_Build = Callable[[Array], Steps]


def _each(coefficients: Callable[[float, float], tuple[float, float, float]]) -> _Build:
    """One stage per interval, v <- a v + b score + c z."""

    def build(times: Array) -> Steps:
        return tuple((Stage.step(t, *coefficients(t, s)),) for t, s in pairwise(map(float, times)))

    return build


def _heun(times: Array) -> Steps:
    return tuple(heun(t, s) for t, s in pairwise(map(float, times)))


#: Name to a function from a grid to steps.
SAMPLERS: dict[str, _Build] = {
    "euler-maruyama": _each(euler_maruyama),
    "exponential": _each(exponential),
    "ancestral": _each(sde_coefficients),
    "euler": _each(euler),
    "ddim": _each(ddim),
    "heun": _heun,
    "dpm++2m": dpm_solver_pp,
}


def make_sampler(name: str, times: ArrayLike, *, denoise: bool = True) -> Sampler:
    """A sampler on a grid.

    Parameters
    ----------
    name : str
        Reverse diffusion: ``"euler-maruyama"``, ``"exponential"`` (score held fixed over a step),
        ``"ancestral"`` (denoised sequence held fixed: DDPM). Probability flow: ``"euler"``,
        ``"ddim"``, ``"heun"``, ``"dpm++2m"``.
    times : array (steps + 1,)
        Diffusion times, strictly falling, such as `reverse_times` gives.
    denoise : bool
        Whether the sampler returns E[X | V] at the last time (Tweedie; one more evaluation).

    >>> from unroll.samplers import reverse_times
    >>> sampler = make_sampler("heun", reverse_times(0.01, 5.0, 10))
    >>> sampler.evaluations, sampler.registers, sampler.stochastic
    (21, 2, False)
    """
    build = SAMPLERS[choice("sampler", name, SAMPLERS)]
    grid = diffusion_times("times", times)
    if grid.ndim != 1 or len(grid) < 2 or np.any(np.diff(grid) >= 0):
        condition = "must be at least two diffusion times, strictly falling"
        raise ArgumentError("times", times, condition, "use reverse_times(t_min, t_max, steps)")
    steps = build(grid)
    last = _tweedie(float(grid[-1]), len(steps[0][0].read)) if denoise else None
    return Sampler(name, tuple(map(float, grid)), steps, last)


def _tweedie(t: float, registers: int) -> Stage:
    """x_0 <- (x_0 + sigma_t^2 score) / alpha_t; the other registers are dropped."""
    first = np.eye(registers)[0]
    return Stage(
        t=t,
        read=tuple(map(float, first)),
        keep=tuple(tuple(map(float, row)) for row in np.outer(first, first) / alpha(t)),
        gain=tuple(map(float, first * sigma_sq(t) / alpha(t))),
        noise=(0.0,) * registers,
    )
