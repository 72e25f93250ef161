"""What plans and models are measured against: formulas, loops and dense matrices, no product code.

The exact relative root-mean-square error of an affine score ``s_hat`` needs no random draws. With
``V = alpha M + A^{1/2} z``, ``z`` standard normal, ``s_hat(V) - s(V) = E z + c`` is affine in ``z``
and ``E ||E z + c||^2 = ||E||_F^2 + ||c||^2``, against ``E ||s||^2 = ||A^{-1/2}||_F^2``.

Rounding is not affine. Where it grows with the input, as with a zero mean, the columns of ``E``
carry it as a random draw would; next to a large mean it is noise of constant size, which every
column would count anew: `SampledError` draws sequences for that case.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import mpmath
import numpy as np
import scipy.linalg

from unroll import (
    CircleExponential,
    DampedCosine,
    Exponential,
    GaussianProcess,
    Kernel,
    Logarithmic,
    Plan,
    Polynomial,
)


def autocov(kernel: Kernel, lag: int) -> float:
    """gamma(lag) from the formulas of the regimes."""
    if isinstance(kernel, CircleExponential):
        radius = kernel.radius or kernel.period / (2 * math.pi)
        chord = 2 * radius * abs(math.sin(math.pi * lag / kernel.period))
        return _stretched(chord / kernel.length_scale, kernel.exponent)
    relative = lag / kernel.length_scale
    if isinstance(kernel, Exponential):
        return _stretched(relative, kernel.exponent)
    if isinstance(kernel, DampedCosine):
        with mpmath.workdps(40):  # for its digits next to the zeros
            return _stretched(relative, 1.0) * float(
                mpmath.cospi(mpmath.mpf(2 * lag) / kernel.period)
            )
    if isinstance(kernel, Polynomial):
        return (1 + relative) ** -kernel.power
    assert isinstance(kernel, Logarithmic)
    return (1 + math.log1p(relative)) ** -kernel.power


def _stretched(relative: float, exponent: float) -> float:
    """exp(-relative^exponent), zero where the power overflows."""
    if relative > 0 and exponent * math.log(relative) > 700:
        return 0.0
    return math.exp(-(relative**exponent))


def temporal_cov(kernel: Kernel, frames: int) -> np.ndarray:
    """Gamma, entry by entry."""
    return np.array([[autocov(kernel, abs(i - j)) for j in range(frames)] for i in range(frames)])


def noisy_cov(gp: GaussianProcess, t: float) -> np.ndarray:
    """A_t, dense, shape (N d, N d)."""
    clean = np.kron(temporal_cov(gp.kernel, gp.frames), gp.spatial_cov)
    return math.exp(-t) * clean - math.expm1(-t) * np.eye(len(clean))


class ExactError:
    """The exact relative rms error of affine scores for one problem at one diffusion time.

    `inputs` are ``alpha M`` and ``alpha M + A^{1/2} e_i``, array (1 + N d, N, d).
    """

    def __init__(self, gp: GaussianProcess, t: float) -> None:
        values, vectors = scipy.linalg.eigh(noisy_cov(gp, t))
        self.t, self.size = t, gp.frames * gp.channels
        self.eigenvalues = values
        root = (vectors * np.sqrt(values)) @ vectors.T
        offset = math.exp(-t / 2) * gp.mean
        shape = (self.size, gp.frames, gp.channels)
        self.inputs = np.concatenate([offset[None], offset + root.reshape(shape)])
        self.scores = -((vectors / np.sqrt(values)) @ vectors.T)
        self.norm = math.sqrt(float(np.sum(1 / values)))

    def __call__(self, outputs: np.ndarray) -> float:
        """The error of a score whose values at `inputs` are `outputs`."""
        flat = np.asarray(outputs, dtype=np.float64).reshape(1 + self.size, self.size)
        constant = flat[0]
        return float(self._norm(flat[1:] - constant - self.scores, constant))

    def distance(self, one: np.ndarray, other: np.ndarray) -> float:
        """rms distance of two affine scores, relative to the rms of the exact one."""
        flat = (np.asarray(one, np.float64) - np.asarray(other, np.float64)).reshape(
            1 + self.size, self.size
        )
        return float(self._norm(flat[1:] - flat[0], flat[0]))

    def _norm(self, linear: np.ndarray, constant: np.ndarray) -> float:
        return math.sqrt(float(np.sum(linear**2) + np.sum(constant**2))) / self.norm


class SampledError:
    """The relative rms error of any score over draws of ``V ~ p_t``; the interface of `ExactError`.

    `inputs` are the draws, array (n, N, d).
    """

    def __init__(self, gp: GaussianProcess, t: float, n: int = 256, seed: int = 0) -> None:
        self.t, rng = t, np.random.default_rng(seed)
        values, vectors = scipy.linalg.eigh(noisy_cov(gp, t))
        z = rng.standard_normal((n, len(values)))
        shape = (n, gp.frames, gp.channels)
        offset = math.exp(-t / 2) * gp.mean
        self.inputs = offset + ((z * np.sqrt(values)) @ vectors.T).reshape(shape)
        self.scores = -((z / np.sqrt(values)) @ vectors.T).reshape(shape)

    def __call__(self, outputs: np.ndarray) -> float:
        return self.distance(outputs, self.scores)

    def distance(self, one: np.ndarray, other: np.ndarray) -> float:
        difference = np.asarray(one, np.float64) - np.asarray(other, np.float64)
        return float(np.linalg.norm(difference) / np.linalg.norm(self.scores))


def residual_gradient(x: np.ndarray, lower: float, upper: float, depth: int) -> np.ndarray:
    """r_K(x) of gradient descent: a product of K equal factors."""
    value = np.ones_like(x)
    for _ in range(depth):
        value = value * (1 - 2 * x / (lower + upper))
    return value


def residual_chebyshev(x: np.ndarray, lower: float, upper: float, depth: int) -> np.ndarray:
    """r_K(x) = T_K((theta - x) / delta) / T_K(theta / delta), the latter as cosh(K arcosh)."""
    theta, delta = (upper + lower) / 2, (upper - lower) / 2
    if delta == 0:
        return np.zeros_like(x)
    angle = depth * math.acosh(theta / delta)
    log_denominator = angle + math.log1p(math.exp(-2 * angle)) - math.log(2)
    # rounding may leave x outside by a digit
    argument = np.clip((theta - x) / delta, -1, 1)
    return np.cos(depth * np.arccos(argument)) * math.exp(-log_denominator)


RESIDUALS = {
    "gradient": residual_gradient,
    "neumann": residual_gradient,
    "chebyshev": residual_chebyshev,
}


def reference_iterates(plan: Plan, v: np.ndarray, t: float) -> Iterator[np.ndarray]:
    """The iterates of a plan in 64-bit mantissas (`numpy.longdouble`), from other formulas.

    Gradient descent as written in theory books; Chebyshev as Algorithm 12.1 of Saad, *Iterative
    Methods for Sparse Linear Systems*, which carries the last step and not the last iterate.
    """
    real = np.longdouble
    gp, bandwidth = plan.gp, plan.bandwidth
    temporal = temporal_cov(gp.kernel, gp.frames).astype(real)
    lags = np.abs(np.subtract.outer(np.arange(gp.frames), np.arange(gp.frames)))
    if bandwidth is not None:
        temporal[lags > bandwidth] = 0
    spatial = gp.spatial_cov.astype(real)
    noise = -np.expm1(-real(t))
    signal = 1 - noise
    lower, upper = (
        signal * real(end) + noise for end in (plan.spectrum.lower, plan.spectrum.upper)
    )
    b = v.astype(real) - np.exp(-real(t) / 2) * gp.mean.astype(real)
    theta, delta = (upper + lower) / 2, (upper - lower) / 2

    def residual(s: np.ndarray) -> np.ndarray:
        return -b - signal * (temporal @ (s @ spatial)) - noise * s

    s = np.zeros_like(b)
    if plan.method_name != "chebyshev":
        for _ in range(plan.depth):
            s = s + residual(s) / theta
            yield s
        return
    ratio = delta / theta
    step = residual(s) / theta
    for _ in range(plan.depth):
        s = s + step
        yield s
        following = 1 / (2 * theta - delta * ratio) * delta  # T_{k} / T_{k+1} at theta / delta
        # 2 rho_{k+1} / delta stays finite where the ends of the spectrum meet
        scale = 2 / (2 * theta - delta * ratio)
        step = following * ratio * step + scale * residual(s)
        ratio = following
