"""Oracles for samplers and their laws: plain loops, dense matrices, no product code."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

Step = Callable[[np.ndarray, float, float], np.ndarray]


def alpha(t: float) -> float:
    return math.exp(-t / 2)


def sigma(t: float) -> float:
    return math.sqrt(-math.expm1(-t))


class ScriptedNoise(np.random.Generator):
    """A generator that hands out given arrays, in order."""

    def __init__(self, arrays: list[np.ndarray]) -> None:
        super().__init__(np.random.PCG64(0))
        self.arrays = list(arrays)

    def standard_normal(self, size: object = None, *args: object, **kwargs: object) -> np.ndarray:
        array = self.arrays.pop(0)
        assert array.shape == tuple(size)
        return array.copy()


def run(name: str, score: Callable, times: np.ndarray, draws: list[np.ndarray]) -> np.ndarray:
    """The sampler `name` as its source writes it; `draws` are the start and the noises."""
    v, noises = draws[0], iter(draws[1:])
    grid = [float(t) for t in times]
    before = None
    for t, s in pairwise(grid):
        h, e = t - s, score(v, t)
        clean, noise = (v + sigma(t) ** 2 * e) / alpha(t), -sigma(t) * e
        if name == "euler-maruyama":
            v = v + h * (v / 2 + e) + math.sqrt(h) * next(noises)
        elif name == "exponential":
            # dX = (X/2 + e) du + dW with e fixed: variation of constants, by quadrature
            u, w = np.polynomial.legendre.leggauss(20)
            u, w = h * (u + 1) / 2, h * w / 2
            drift = float(np.sum(w * np.exp((h - u) / 2)))
            spread = float(np.sum(w * np.exp(h - u)))
            v = math.exp(h / 2) * v + drift * e + math.sqrt(spread) * next(noises)
        elif name == "ancestral":
            # posterior of V_s given V_t = v and X = clean: product of two normal densities
            r = math.exp(-h / 2)
            precision = 1 / sigma(s) ** 2 + r**2 / (1 - r**2)
            mean = (alpha(s) * clean / sigma(s) ** 2 + r * v / (1 - r**2)) / precision
            v = mean + math.sqrt(1 / precision) * next(noises)
        elif name == "euler":
            v = v - h * (-(v + e) / 2)
        elif name == "ddim":
            v = alpha(s) * clean + sigma(s) * noise
        elif name == "heun":
            y, change = v / alpha(t), sigma(s) / alpha(s) - sigma(t) / alpha(t)
            ahead = y + change * noise
            noise_ahead = -sigma(s) * score(alpha(s) * ahead, s)
            v = alpha(s) * (y + change * (noise + noise_ahead) / 2)
        elif name == "dpm++2m":
            # Algorithm 2 of arXiv 2211.01095
            level = [math.log(alpha(u) / sigma(u)) for u in (t, s)]
            step = level[1] - level[0]
            used = clean
            if before is not None:
                ratio = before[1] / step
                used = (1 + 1 / (2 * ratio)) * clean - 1 / (2 * ratio) * before[0]
            v = sigma(s) / sigma(t) * v - alpha(s) * (math.exp(-step) - 1) * used
            before = (clean, step)
        else:
            raise AssertionError(name)
    assert next(noises, None) is None
    return v


def denoised(score: Callable, v: np.ndarray, t: float) -> np.ndarray:
    """Tweedie."""
    return (v + sigma(t) ** 2 * score(v, t)) / alpha(t)


def affine_law(
    sample: Callable[[list[np.ndarray]], np.ndarray], noises: int, frames: int, channels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of ``sample(draws)``, read off by switching on one number at a time."""
    size = frames * channels
    count = (1 + noises) * size
    inputs = np.concatenate([np.zeros((1, count)), np.eye(count)])
    draws = [part.reshape(-1, frames, channels) for part in np.split(inputs, 1 + noises, axis=1)]
    output = sample(draws).reshape(count + 1, size)
    spread = output[1:] - output[0]
    return output[0], spread.T @ spread


def moment_deviation(draws: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> float:
    """Largest deviation of first and second moments of draws (n, ...), in standard errors."""
    n = len(draws)
    centred = draws.reshape(n, -1) - np.asarray(mean).reshape(-1)
    variance = np.diag(cov)
    first = np.abs(centred.mean(axis=0)) / np.sqrt(variance / n)
    spread = np.sqrt((np.outer(variance, variance) + cov**2) / n)
    second = np.abs(centred.T @ centred / n - cov) / spread
    return float(max(first.max(), second.max()))
