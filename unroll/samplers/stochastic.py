r"""Samplers of the reverse diffusion dX = (X/2 + s) dh + dW, backwards from t to t - h.

All three are steps v <- a v + b s_t(v) + c z and of first order in h; they differ in what is held
fixed over a step and integrated exactly.
"""

from __future__ import annotations

import math

from unroll.schedules import sigma

__all__ = ["euler_maruyama", "exponential", "sde_coefficients"]


def euler_maruyama(t: float, s: float) -> tuple[float, float, float]:
    """a = 1 + h/2, b = h, c = sqrt(h): everything is held fixed."""
    h = t - s
    return 1 + h / 2, h, math.sqrt(h)


def exponential(t: float, s: float) -> tuple[float, float, float]:
    """a = e^{h/2}, b = 2 (e^{h/2} - 1), c^2 = e^h - 1: the score is held fixed.

    Source: S. Chen et al., "Sampling is as easy as learning the score", arXiv 2209.11215, section 2
    (there for dX = -X dt + sqrt(2) dW).
    """
    h = t - s
    return math.exp(h / 2), 2 * math.expm1(h / 2), math.sqrt(math.expm1(h))


def sde_coefficients(t: float, s: float) -> tuple[float, float, float]:
    """a = e^{h/2}, b = 2 sinh(h/2), c^2 = sigma_s^2 (1 - e^{-h}) / sigma_t^2.

    The denoised sequence D = (v + sigma_t^2 score) / alpha_t is held fixed, which makes the step
    the posterior of V_s given V_t and X = D (J. Ho et al., "Denoising Diffusion Probabilistic
    Models", arXiv 2006.11239, equation 7).
    """
    h = t - s
    return math.exp(h / 2), 2 * math.sinh(h / 2), sigma(s) * sigma(h) / sigma(t)
