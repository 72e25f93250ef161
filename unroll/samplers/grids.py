"""Grids of diffusion times, from t_max down to t_min."""

from __future__ import annotations

import math

import numpy as np

from unroll.errors import ArgumentError
from unroll.validation import Array, choice, integer, positive

__all__ = ["SPACINGS", "reverse_times"]

SPACINGS = ("log-snr", "uniform", "log", "karras")
_RHO = 7.0


def reverse_times(t_min: float, t_max: float, steps: int, spacing: str = "log-snr") -> Array:
    """`steps` + 1 diffusion times from t_max down to t_min.

    Parameters
    ----------
    t_min, t_max : float
        Ends, 0 < t_min < t_max.
    steps : int
        Number of intervals.
    spacing : {"log-snr", "uniform", "log", "karras"}
        Equal steps in log(alpha / sigma), the default; in t; in log t; or in
        (sigma / alpha)^(1/7) (T. Karras et al., "Elucidating the Design Space of Diffusion-Based
        Generative Models", arXiv 2206.00364, equation 5). With the default every eigenvalue of the
        data gets the same relative error: in y = v / alpha over r = sigma / alpha the variance is
        lambda + r^2, so another eigenvalue is the same problem with r rescaled.

    >>> reverse_times(0.01, 5.0, 2).round(4).tolist()
    [5.0, 0.7962, 0.01]
    """
    t_min, t_max = positive("t_min", t_min), positive("t_max", t_max)
    if t_min >= t_max:
        raise ArgumentError("t_min", t_min, f"must be below t_max = {t_max}", "swap the two")
    steps = integer("steps", steps, 1)
    choice("spacing", spacing, SPACINGS)
    if spacing == "uniform":
        times = np.linspace(t_max, t_min, steps + 1)
    elif spacing == "log":
        times = np.geomspace(t_max, t_min, steps + 1)
    else:
        # log(sigma^2 / alpha^2) = log(e^t - 1) = t + log(1 - e^-t), which cannot overflow.
        ends = np.array([t + math.log(-math.expm1(-t)) for t in (t_max, t_min)])
        if spacing == "log-snr":
            ratios = np.linspace(ends[0], ends[1], steps + 1)
        else:
            roots = np.exp((ends - ends[0]) / (2 * _RHO))  # of the largest: no overflow
            ratios = 2 * _RHO * np.log(np.linspace(roots[0], roots[1], steps + 1)) + ends[0]
        times = np.logaddexp(0.0, ratios)
    times[0], times[-1] = t_max, t_min
    return np.asarray(times)
