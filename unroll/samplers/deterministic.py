r"""Samplers of the probability flow dv/dt = -(v + s_t(v)) / 2, backwards from t to s.

With D = (v + sigma_t^2 score) / alpha_t the denoised sequence, epsilon = -sigma_t score the noise,
y = v / alpha_t and r = sigma_t / alpha_t, the flow is dy/dr = epsilon.
"""

from __future__ import annotations

import math
from itertools import pairwise

from unroll.samplers.stage import Stage
from unroll.schedules import alpha, sigma, sigma_sq
from unroll.validation import Array

__all__ = ["ddim", "dpm_solver_pp", "euler", "heun"]

Steps = tuple[tuple[Stage, ...], ...]


def euler(t: float, s: float) -> tuple[float, float, float]:
    """Euler's method in t: a = 1 + h/2, b = h/2. First order."""
    h = t - s
    return 1 + h / 2, h / 2, 0.0


def ddim(t: float, s: float) -> tuple[float, float, float]:
    """v <- alpha_s D + sigma_s epsilon: Euler's method in y over r. First order.

    Source: J. Song et al., "Denoising Diffusion Implicit Models", arXiv 2010.02502, equation 12
    with sigma = 0.
    """
    growth = alpha(s) / alpha(t)
    return growth, sigma(t) * (growth * sigma(t) - sigma(s)), 0.0


def heun(t: float, s: float) -> tuple[Stage, ...]:
    """Heun's method in y over r; two evaluations a step, second order.

    Register 1 holds Euler's prediction. Source: T. Karras et al., "Elucidating the Design Space of
    Diffusion-Based Generative Models", arXiv 2206.00364, Algorithm 1.
    """
    growth = alpha(s) / alpha(t)
    change = sigma(s) - growth * sigma(t)  # alpha_s (r_s - r_t)
    first, second = -change * sigma(t), -change * sigma(s)
    return (
        Stage(t, (1.0, 0.0), ((growth, 0.0), (growth, 0.0)), (first / 2, first), (0.0, 0.0)),
        Stage(s, (0.0, 1.0), ((1.0, 0.0), (0.0, 0.0)), (second / 2, 0.0), (0.0, 0.0)),
    )


def dpm_solver_pp(times: Array) -> Steps:
    """DPM-Solver++(2M): one evaluation a step, second order.

    With lambda = log(alpha / sigma), h = lambda_s - lambda_t and the previous step's ratio
    rho = h_previous / h, v <- (sigma_s / sigma_t) v + alpha_s (1 - e^{-h}) D', where
    D' = (1 + 1/(2 rho)) D - 1/(2 rho) D_previous, and D' = D in the first step. Register 1 holds
    D_previous. Source: C. Lu et al., "DPM-Solver++", arXiv 2211.01095, Algorithm 2. There is no
    lower-order final step: this grid ends above t = 0.
    """
    levels = [_log_ratio(float(t)) for t in times]
    steps = []
    for k, (t, s) in enumerate(pairwise(map(float, times))):
        h = levels[k + 1] - levels[k]
        extra = h / (2 * (levels[k] - levels[k - 1])) if k else 0.0
        shrink = sigma(s) / sigma(t)
        weight = alpha(s) - alpha(t) * shrink  # alpha_s (1 - e^{-h})
        denoised = (1 / alpha(t), sigma_sq(t) / alpha(t))  # of v and of the score
        new = weight * (1 + extra)
        stage = Stage(
            t,
            (1.0, 0.0),
            ((shrink + new * denoised[0], -weight * extra), (denoised[0], 0.0)),
            (new * denoised[1], denoised[1]),
            (0.0, 0.0),
        )
        steps.append((stage,))
    return tuple(steps)


def _log_ratio(t: float) -> float:
    """log(alpha / sigma), without overflow."""
    return -(t + math.log(-math.expm1(-t))) / 2
