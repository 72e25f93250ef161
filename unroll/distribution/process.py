r"""Laws that need no sampler: the data, the noisy data, and the reverse process in continuous time.

Per eigenvalue lambda of the data, with lambda_t = alpha_t^2 lambda + sigma_t^2 and the exact score,
a coefficient of variance c at t_max arrives at t with variance

    probability flow:   c lambda_t / lambda_{t_max}
    reverse diffusion:  lambda_t + (r lambda_t / lambda_{t_max})^2 (c - lambda_{t_max}),

r = e^{-(t_max - t)/2}: the first scales, the second draws V_t given V_{t_max}, a linear regression
with slope r lambda_t / lambda_{t_max}. Deviations of the mean from alpha_{t_max} M are multiplied
by the root of the first factor, and by that slope.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from unroll.distribution.basis import Process, eigen_basis
from unroll.distribution.law import EigenLaw
from unroll.errors import ArgumentError
from unroll.samplers.stage import start_array
from unroll.schedules import alpha, alpha_sq, sigma_sq
from unroll.validation import choice, positive

__all__ = ["data_law", "noisy_law", "reverse_law"]


def data_law(process: Process) -> EigenLaw:
    """The law of the data: N(M, Gamma (x) Sigma)."""
    basis, eigenvalues = eigen_basis(process)
    return EigenLaw(basis, basis.coefficients(process.mean), eigenvalues)


def noisy_law(process: Process, t: float) -> EigenLaw:
    """The law of V_t: N(alpha_t M, alpha_t^2 Gamma (x) Sigma + sigma_t^2 I)."""
    time = positive("t", t)
    basis, eigenvalues = eigen_basis(process)
    means = alpha(time) * basis.coefficients(process.mean)
    return EigenLaw(basis, means, alpha_sq(time) * eigenvalues + sigma_sq(time))


def reverse_law(
    process: Process,
    t_max: float,
    t_min: float,
    *,
    dynamics: str = "sde",
    start_mean: ArrayLike | None = None,
) -> EigenLaw:
    """The law at t_min of the exact reverse process that starts from N(start_mean, I) at t_max.

    Parameters
    ----------
    process
        The data.
    t_max, t_min : float
        0 < t_min < t_max.
    dynamics : {"sde", "ode"}
        Reverse diffusion or probability flow; started from the true law at t_max both arrive at
        `noisy_law`.
    start_mean : array that broadcasts to (frames, channels), optional
        Mean of the start; zero by default.
    """
    late, early = positive("t_max", t_max), positive("t_min", t_min)
    if early >= late:
        raise ArgumentError("t_min", t_min, f"must be below t_max = {t_max}", "swap the two")
    choice("dynamics", dynamics, ("sde", "ode"))
    start, end = noisy_law(process, late), noisy_law(process, early)
    frames, channels = process.frames, process.channels
    mean = start_array(0.0 if start_mean is None else start_mean, frames, channels)
    offset = start.basis.coefficients(mean) - start.coefficient_means
    before, after = start.coefficient_variances, end.coefficient_variances
    if dynamics == "ode":
        slope, variances = np.sqrt(after / before), after / before
    else:
        slope = math.exp((early - late) / 2) * after / before
        variances = after + slope**2 * (1.0 - before)
    return EigenLaw(start.basis, end.coefficient_means + slope * offset, variances)
