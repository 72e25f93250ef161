"""The exact score: dense and closed form where that is possible, else certified by its residual."""

from __future__ import annotations

import numpy as np
from scipy.linalg import matmul_toeplitz

from benchmarks.peers.conjugate_gradients import CirculantCG
from benchmarks.problem import Problem
from unroll import GaussianProcess
from unroll.schedules import alpha_sq, sigma_sq
from unroll.validation import Array

#: Largest N at which the dense closed form is the reference.
DENSE_FRAMES = 1024
#: Relative rms error that a reference may have: a thousandth of what it is to resolve.
TRUSTED = 1e-9


def exact_score(problem: Problem, v: Array, t: float) -> Array:
    """Score of the sequences v (batch, frames, channels), float64.

    Raises
    ------
    RuntimeError
        Beyond `DENSE_FRAMES`, where the residual does not prove the error to be below `TRUSTED`.
    """
    v = np.asarray(v, dtype=np.float64)
    if problem.frames <= DENSE_FRAMES:
        gp = GaussianProcess(problem.kernel, problem.frames, problem.spatial_cov)
        return gp.score(v, t)
    double = Problem(problem.kernel, problem.frames, problem.channels)
    solver = CirculantCG(double)
    solver.rtol = 1e-12
    solver.setup(t)
    score = solver.solve(v)
    bound = error_bound(double, v, t, score)
    if bound > TRUSTED:
        raise RuntimeError(f"reference: error bound {bound:.1e} at N = {problem.frames}, t = {t}")
    return score


def error_bound(problem: Problem, v: Array, t: float, score: Array) -> float:
    """Bound on the relative error of a score: ||A s + v|| / (lambda_min(A) ||s||).

    The product is scipy's, the smallest eigenvalue the kernel's certified one: neither comes from
    the solver that found the score.
    """
    product = matmul_toeplitz(problem.autocov, np.moveaxis(score, 1, 0).reshape(problem.frames, -1))
    product = np.moveaxis(product.reshape(problem.frames, len(v), problem.channels), 0, 1)
    residual = alpha_sq(t) * product @ problem.spatial_cov + sigma_sq(t) * score + v
    smallest = problem.kernel.symbol_min(problem.frames) * problem.spatial_eigen[0][0]
    lowest = alpha_sq(t) * smallest + sigma_sq(t)
    return float(np.linalg.norm(residual) / (lowest * np.linalg.norm(score)))
