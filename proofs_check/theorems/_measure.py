"""What a design really does: the iteration run on small problems, with no formula of a theorem.

Frames are few, Sigma is diag(mu_min, mu_max), matrices are dense and the kernel is a loop; only
the width of the band and the number of blocks come from the theorem.
"""

from __future__ import annotations

from collections.abc import Sequence

import mpmath
import numpy as np

from proofs_check.lemmas._kernels import kernel, symbol_at_pi
from proofs_check.step import Parameters

_REGIMES = ("exponential", "polynomial", "logarithmic")


def problem(regime: str, parameters: Parameters) -> dict[str, float]:
    """The parameters as the lemmas' loops want them."""
    shape = parameters["nu"] if regime == "exponential" else parameters["power"]
    return {"regime": _REGIMES.index(regime), "ell": parameters["ell"], "shape": shape}


def smallest_symbol(regime: str, parameters: Parameters) -> mpmath.mpf:
    """f(pi), summed."""
    with mpmath.workdps(30):
        return symbol_at_pi(problem(regime, parameters))


def lags(regime: str, parameters: Parameters) -> list[float]:
    """gamma(0), ..., gamma(N - 1)."""
    loops = problem(regime, parameters)
    return [float(kernel(loops, lag)) for lag in range(parameters["N"])]


def tail_beyond(gamma: Sequence[float], bandwidth: int) -> float:
    """The sum of the lags beyond a band."""
    return sum(gamma[bandwidth + 1 :], 0.0)


def relative_error(
    regime: str,
    parameters: Parameters,
    method: str,
    depth: int,
    bandwidth: int,
    interval_of: Parameters | None = None,
) -> float:
    """Relative rms score error of `depth` steps with a banded Gamma, from dense matrices.

    Parameters
    ----------
    parameters
        As in the theorem, and ``later``: the diffusion time is ``t + later``.
    interval_of
        The problem that the step sizes are chosen for, at its own diffusion time; by default
        this one.
    """
    gamma = lags(regime, parameters)
    size, t = parameters["N"], parameters["t"] + parameters["later"]
    signal, noise = np.exp(-t), -np.expm1(-t)
    temporal, banded = np.zeros((size, size)), np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            temporal[i, j] = gamma[abs(i - j)]
            banded[i, j] = gamma[abs(i - j)] if abs(i - j) <= bandwidth else 0.0
    interval = spectrum(regime, interval_of or parameters, bandwidth)
    wrong = right = 0.0
    for mu in (parameters["mu_min"], parameters["mu_max"]):
        true = signal * mu * temporal + noise * np.eye(size)
        values, vectors = np.linalg.eigh(signal * mu * banded + noise * np.eye(size))
        solved = np.array([response(value, interval, method, depth) for value in values])
        inverse = np.linalg.inv(true)
        difference = (vectors * solved) @ vectors.T - inverse
        wrong += float(np.trace(difference @ true @ difference))
        right += float(np.trace(inverse))
    return float(np.sqrt(wrong / right))


def spectrum(regime: str, parameters: Parameters, bandwidth: int) -> tuple[float, float]:
    """Ends of the spectrum of the banded A_t: f(pi), the largest row, and what the band drops."""
    gamma, t = lags(regime, parameters), parameters["t"] + parameters["later"]
    dropped = 2 * tail_beyond(gamma, bandwidth) * parameters["mu_max"]
    low = float(smallest_symbol(regime, parameters)) * parameters["mu_min"] - dropped
    frames = range(parameters["N"])
    largest = max(sum(gamma[abs(i - j)] for j in frames) for i in frames)
    high = largest * parameters["mu_max"] + dropped
    return float(np.exp(-t) * low - np.expm1(-t)), float(np.exp(-t) * high - np.expm1(-t))


def response(value: float, interval: tuple[float, float], method: str, depth: int) -> float:
    """q_K at an eigenvalue, by running the scalar iteration for ``value * s = 1``."""
    low, high = interval
    roots = low**0.5, high**0.5
    z = (roots[1] - roots[0]) / (roots[1] + roots[0])
    before = now = 0.0
    for k in range(depth):
        eta, beta = 2 / (low + high), 0.0
        if method == "chebyshev" and k > 0:
            below = 1 + z ** (2 * k + 2)
            eta = 4 / (roots[0] + roots[1]) ** 2 * (1 + z ** (2 * k)) / below
            beta = z**2 * (1 + z ** (2 * k - 2)) / below
        before, now = now, now - eta * (value * now - 1) + beta * (now - before)
    return now


def largest_residual(kappa: float, method: str, depth: int) -> float:
    """max |r_K| on [1, kappa], on a grid that holds both ends."""
    points = [float(x) for x in np.linspace(1.0, kappa, 201)]
    return max(abs(1 - x * response(x, (1.0, kappa), method, depth)) for x in points)
