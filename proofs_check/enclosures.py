"""Prove that the spectrum a plan claims really encloses ``eig(Gamma~ kron Sigma)``.

Lower end of ``Gamma``: the minimum of its symbol, ``f(pi)`` (lemma ``symbol_minimum``), summed in
ball arithmetic, and never below zero (lemma ``positive_definite``); or, for short sequences, a
positive definite ``Gamma - x I``. Upper end: a Collatz-Wielandt quotient; for a kernel with
negative values that of ``|Gamma|``, the symbol's maximum (lemma ``damped_cosine_peak``) or, for
short sequences, a positive definite ``y I - Gamma``. ``Sigma``: positive definiteness of
``Sigma - x I`` and ``y I - Sigma``. A band moves every eigenvalue by at most the norm of what it
drops (Weyl).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat
from scipy.linalg import eigvalsh, matmul_toeplitz

from proofs_check.balls import (
    autocov_balls,
    ball_matrix,
    is_positive_definite,
    toeplitz_apply,
)
from proofs_check.carried import carried_autocov
from proofs_check.exponential_sums import doubled
from proofs_check.symbol_ends import symbol_maximum, symbol_minimum
from unroll.attention import Lowering
from unroll.gaussian_process import GaussianProcess
from unroll.kernels import Kernel

__all__ = [
    "Enclosure",
    "enclose_operator",
    "spatial_ends",
    "symbol_maximum",
    "symbol_minimum",
    "temporal_bottom",
    "temporal_top",
]

SMALL = 64  # up to this size positive definiteness is decided by elimination
_SMALLEST_ENTRY = 1e-9  # of a test vector: any positive one serves


@dataclass(frozen=True)
class Enclosure:
    """``eig(Gamma~ kron Sigma)`` lies in ``[lower, upper]``, all balls.

    Attributes
    ----------
    lower, upper
        For the operator that the heads carry.
    band_error
        ``||Gamma~ - Gamma|| ||Sigma||``: how far it is from the true one.
    """

    lower: arb
    upper: arb
    band_error: arb


def enclose_operator(gp: GaussianProcess, lowering: Lowering | None) -> Enclosure:
    """Enclose the spectrum of the operator that a lowering's heads carry in exact arithmetic;
    without a lowering, that of ``Gamma kron Sigma``.
    """
    gamma = autocov_balls(gp.kernel, gp.frames)
    small, large = spatial_ends(gp.spatial_cov)
    bottom, top = temporal_bottom(gp.kernel, gamma), _temporal_top(gp.kernel, gamma)
    carried = gamma if lowering is None else carried_autocov(lowering, gamma)
    # a lag that is carried as it is has the kernel's own ball, which differs from itself by nothing
    off = [arb(0) if c is g else c - g for c, g in zip(carried, gamma, strict=True)]
    error = doubled(off) * large
    return Enclosure(bottom * small - error, top * large + error, error)


def temporal_top(gamma: list[arb]) -> arb:
    """Collatz-Wielandt: ``max_i (|Gamma| x)_i / x_i >= lambda_max`` for any positive ``x``."""
    sizes = [abs(g) for g in gamma]
    column = np.array([float(g) for g in sizes])
    x = np.ones(len(column))
    for _ in range(40):
        image = matmul_toeplitz(column, x)
        x = np.maximum(image / image.max(), _SMALLEST_ENTRY)
    image_balls = toeplitz_apply(sizes, [arb(float(value)) for value in x])
    best = arb(0)
    for numerator, denominator in zip(image_balls, x, strict=True):
        best = best.max(numerator / arb(float(denominator)))
    return best


def temporal_bottom(kernel: Kernel, gamma: list[arb]) -> arb:
    """A number below all eigenvalues of ``Gamma``: the better of the symbol's minimum and, for
    short sequences, elimination.
    """
    bottom = symbol_minimum(kernel)
    if not bottom > 0:
        bottom = arb(0)  # every kernel of the library is positive definite
    if len(gamma) > SMALL:
        return bottom
    temporal = _dense(gamma)
    values, slack = _computed_eigenvalues(temporal)
    for roundings in (1, 8, 64):  # a small step below the computed value; LDL^T has the last word
        candidate = values[0] - roundings * slack
        if not candidate > float(bottom.lower()):
            break
        if is_positive_definite(_shifted(temporal, -candidate, 1)):
            return arb(candidate)
    return bottom


def _temporal_top(kernel: Kernel, gamma: list[arb]) -> arb:
    """Collatz-Wielandt, and where that speaks of ``|Gamma|`` only, what else there is."""
    top = temporal_top(gamma)
    if not kernel.signed:
        return top
    peak = symbol_maximum(kernel)
    if peak < top:
        top = peak
    if len(gamma) > SMALL:
        return top
    temporal = _dense(gamma)
    values, slack = _computed_eigenvalues(temporal)
    for roundings in (1, 2, 4, 8):
        candidate = values[-1] + roundings * slack
        if candidate < top and is_positive_definite(_shifted(temporal, candidate, -1)):
            return arb(candidate)
    return top


def _dense(gamma: list[arb]) -> list[list[arb]]:
    n = len(gamma)
    return [[gamma[abs(i - j)] for j in range(n)] for i in range(n)]


def _computed_eigenvalues(temporal: list[list[arb]]) -> tuple[list[float], float]:
    """Eigenvalues in floating point, and one rounding of an entry times their number."""
    values = eigvalsh(np.array([[float(entry) for entry in row] for row in temporal]))
    return [float(x) for x in values], len(values) * 2.0**-53 * float(values[-1])


def _shifted(temporal: list[list[arb]], shift: float, sign: int) -> arb_mat:
    """``sign Gamma + shift I``."""
    n = range(len(temporal))
    return arb_mat([[sign * temporal[i][j] + (shift if i == j else 0) for j in n] for i in n])


def spatial_ends(spatial_cov: np.ndarray) -> tuple[arb, arb]:
    """Numbers below and above ``eig(Sigma)``, each proved by elimination."""
    values, n = eigvalsh(spatial_cov), len(spatial_cov)
    exact = ball_matrix(spatial_cov)
    identity = ball_matrix(np.eye(n))
    slack = 4 * n * 2.0**-53 * float(values[-1])
    low, high = arb(float(values[0]) - slack), arb(float(values[-1]) + slack)
    if not is_positive_definite(exact - low * identity):
        low = arb(0)  # Sigma is positive definite by the assumptions of the problem
    if not is_positive_definite(high * identity - exact):
        high = sum((abs(x) for x in exact.entries()), arb(0))
    return low, high
