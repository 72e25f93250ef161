"""Hypothesis strategies for kernels, covariances and whole problems."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from unroll import (
    CircleExponential,
    DampedCosine,
    Exponential,
    GaussianProcess,
    Kernel,
    Logarithmic,
    Polynomial,
)


def log_uniform(low: float, high: float) -> st.SearchStrategy[float]:
    """Positive floats, even in the logarithm; the ends are drawn too."""
    return st.floats(math.log(low), math.log(high)).map(lambda x: min(max(math.exp(x), low), high))


def length_scales(low: float = 0.05, high: float = 200.0) -> st.SearchStrategy[float]:
    return log_uniform(low, high)


def exponentials(max_exponent: float = 2.0) -> st.SearchStrategy[Exponential]:
    return st.builds(Exponential, length_scales(), st.floats(0.1, max_exponent))


def polynomials() -> st.SearchStrategy[Polynomial]:
    return st.builds(Polynomial, length_scales(), log_uniform(0.05, 20.0))


def logarithmics() -> st.SearchStrategy[Logarithmic]:
    return st.builds(Logarithmic, length_scales(), log_uniform(0.05, 20.0))


@st.composite
def circles(draw: st.DrawFn, max_frames: int = 32) -> CircleExponential:
    """Circle kernels that hold up to `max_frames` frames."""
    period = draw(st.integers(2 * max_frames, 5 * max_frames))
    return CircleExponential(draw(length_scales()), draw(st.floats(0.1, 2.0)), period=period)


def kernels(max_frames: int = 32) -> st.SearchStrategy[Kernel]:
    """Kernels that are positive and decrease."""
    return st.one_of(exponentials(), polynomials(), logarithmics(), circles(max_frames))


def any_kernels(max_frames: int = 32) -> st.SearchStrategy[Kernel]:
    return st.one_of(kernels(max_frames), damped_cosines())


def damped_cosines(max_length: float = 200.0) -> st.SearchStrategy[DampedCosine]:
    """Periods that divide the frames, and others; below two frames, too."""
    periods = st.one_of(log_uniform(0.3, 300.0), st.integers(1, 40).map(float), st.just(2.5))
    return st.builds(DampedCosine, length_scales(high=max_length), periods)


@st.composite
def spatial_covs(draw: st.DrawFn, channels: int, condition: float = 1e3) -> np.ndarray:
    """Symmetric positive definite matrices with a condition number of at most `condition`."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rotation, _ = np.linalg.qr(rng.standard_normal((channels, channels)))
    half = math.sqrt(condition)
    values = [draw(log_uniform(1 / half, half)) for _ in range(channels)]
    matrix = (rotation * values) @ rotation.T
    return (matrix + matrix.T) / 2


@st.composite
def problems(draw: st.DrawFn, max_frames: int = 12, max_channels: int = 3) -> GaussianProcess:
    """Gaussian processes, with and without a mean."""
    frames, channels = draw(st.integers(1, max_frames)), draw(st.integers(1, max_channels))
    kernel, cov = draw(any_kernels(max_frames)), draw(spatial_covs(channels))
    mean = None
    if draw(st.booleans()):
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        mean = rng.standard_normal((frames, channels))
    return GaussianProcess(kernel, frames, cov, mean)


def diffusion_times(low: float = 1e-3, high: float = 10.0) -> st.SearchStrategy[float]:
    return log_uniform(low, high)
