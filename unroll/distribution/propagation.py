r"""The law of a sampler's output: mean and covariance through its affine stages.

With a score S_t v + b_t a stage is an affine map of the registers, x <- K x + k + noise z, with
K_ij = keep_ij I + gain_i read_j S_t and k_i = gain_i b_t, so mean and covariance follow

    m <- K m + k,    C <- K C K^T + noise noise^T (x) I.

Two twins: with the closed form, S_t = -1/lambda_t in every eigendirection, and one recursion of the
registers' small covariance serves all eigenvalues at once; with any affine score, full matrices.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from unroll.distribution.affine_score import AffineScore
from unroll.distribution.basis import Process, eigen_basis
from unroll.distribution.law import DenseLaw, EigenLaw, Law
from unroll.samplers.stage import Sampler, Stage, start_array
from unroll.schedules import alpha, alpha_sq, sigma_sq
from unroll.validation import Array, instance

__all__ = ["push", "sampler_law"]


def sampler_law(
    sampler: Sampler, score: Process | AffineScore, *, start_mean: ArrayLike | None = None
) -> Law:
    """The exact law of what `sampler` returns.

    Parameters
    ----------
    sampler : Sampler
        From `unroll.samplers.make_sampler`.
    score : GaussianProcess, ConditionalProcess or AffineScore
        A process: its closed-form score, by one recursion per eigenvalue; the result is an
        `EigenLaw`. An `AffineScore`: that score, by full matrices; a `DenseLaw`.
    start_mean : array that broadcasts to (frames, channels), optional
        Mean of the start N(start_mean, I); zero by default.

    Examples
    --------
    >>> from unroll import Exponential, GaussianProcess
    >>> from unroll.samplers import make_sampler, reverse_times
    >>> gp = GaussianProcess(Exponential(4.0), frames=8, spatial_cov=[[1.0]])
    >>> sampler = make_sampler("dpm++2m", reverse_times(0.01, 8.0, 50))
    >>> law = sampler_law(sampler, gp)
    >>> round(float(law.covariance()[0, 0]), 2)
    0.99
    """
    instance("sampler", sampler, Sampler, "make one with make_sampler")
    mean = start_array(0.0 if start_mean is None else start_mean, score.frames, score.channels)
    if isinstance(score, AffineScore):
        return _dense(sampler, score, mean)
    return _eigen(sampler, score, mean)


def push(stage: Stage, law: EigenLaw, process: Process) -> EigenLaw:
    """The law after one stage with the closed-form score; registers above 0 start at zero."""
    return _recursion([stage], law.coefficient_means, law.coefficient_variances, process)


def _eigen(sampler: Sampler, process: Process, start_mean: Array) -> EigenLaw:
    basis, eigenvalues = eigen_basis(process)
    start = basis.coefficients(start_mean)
    return _recursion(sampler.stages, start, np.ones_like(eigenvalues), process)


def _recursion(
    stages: Iterable[Stage], start_means: Array, start_variances: Array, process: Process
) -> EigenLaw:
    basis, eigenvalues = eigen_basis(process)
    clean = basis.coefficients(process.mean)
    stages = list(stages)
    registers, shape = len(stages[0].read), eigenvalues.shape
    means, covariances = np.zeros((registers, *shape)), np.zeros((registers, registers, *shape))
    means[0], covariances[0, 0] = start_means, start_variances
    for stage in stages:
        slope = -1.0 / (alpha_sq(stage.t) * eigenvalues + sigma_sq(stage.t))
        keep, through, gain, noise = _arrays(stage)
        maps = keep[:, :, None, None] + through[:, :, None, None] * slope
        shift = gain[:, None, None] * (-slope * alpha(stage.t) * clean)
        means = np.einsum("ij...,j...->i...", maps, means) + shift
        covariances = np.einsum("ij...,jk...,lk...->il...", maps, covariances, maps)
        covariances += np.outer(noise, noise)[:, :, None, None]
    return EigenLaw(basis, means[0], covariances[0, 0])


def _dense(sampler: Sampler, score: AffineScore, start_mean: Array) -> DenseLaw:
    size = start_mean.size
    identity = np.eye(size)
    mean = np.zeros(sampler.registers * size)
    covariance = np.zeros((len(mean), len(mean)))
    mean[:size], covariance[:size, :size] = start_mean.reshape(-1), identity
    for stage in sampler.stages:
        matrix, shift = score.at(stage.t)
        keep, through, gain, noise = _arrays(stage)
        maps = np.kron(keep, identity) + np.kron(through, matrix)
        mean = maps @ mean + np.kron(gain, shift)
        covariance = maps @ covariance @ maps.T + np.kron(np.outer(noise, noise), identity)
    return DenseLaw(mean[:size].reshape(start_mean.shape), covariance[:size, :size])


def _arrays(stage: Stage) -> tuple[Array, Array, Array, Array]:
    """keep, gain read^T, gain and noise."""
    gain = np.array(stage.gain)
    return np.array(stage.keep), np.outer(gain, stage.read), gain, np.array(stage.noise)
