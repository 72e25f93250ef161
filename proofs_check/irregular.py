"""Prove that a claimed spectrum encloses ``eig(Gamma~ kron Sigma)`` at irregular frame times.

``Gamma_ij = gamma(|tau_i - tau_j|)`` has no symbol. Its entries are enclosed one by one; what the
balls leave open moves eigenvalues by at most the largest row sum of their radii. Both ends come
from Cholesky factorisations in floating point of ``Gamma - x I`` and ``y I - Gamma`` (lemma
``floating_cholesky``); the smallest eigenvalue is never below zero (lemma ``positive_definite``).
"""

from __future__ import annotations

import numpy as np
from flint import arb
from scipy.linalg import LinAlgError, cholesky, eigvalsh

from proofs_check.balls import autocov_ball, largest, precision
from proofs_check.certificate import CertificateError
from proofs_check.enclosures import Enclosure, spatial_ends
from unroll.attention import Lowering
from unroll.attention.irregular import IrregularAlibi, IrregularSoftmax
from unroll.gaussian_process import GaussianProcess

__all__ = ["carried_table", "enclose_irregular"]

MOST_FRAMES = 1024
_BITS = 128  # differences of frame times and everything made of them
_U = 2.0**-53


def enclose_irregular(gp: GaussianProcess, lowering: Lowering) -> Enclosure:
    """Enclose the spectrum of the operator that a lowering's heads carry in exact arithmetic.

    Raises
    ------
    CertificateError
        More than `MOST_FRAMES` frames, or a lowering for other frame times.
    """
    times = gp.frame_times
    assert times is not None
    if gp.frames > MOST_FRAMES:
        raise CertificateError(
            f"frames={gp.frames}: irregular frame times are certified up to {MOST_FRAMES} frames"
        )
    if not isinstance(lowering, IrregularSoftmax | IrregularAlibi):
        raise CertificateError(f"lowering={lowering.name}: is not for irregular frame times")
    if lowering.times != tuple(float(x) for x in times):
        raise CertificateError("lowering: is for other frame times; plan anew")
    with precision(_BITS):
        lags = _lags(times)
        gamma = [[autocov_ball(gp.kernel, lag) for lag in row] for row in lags]
        bottom, top = _temporal_ends(gamma)
        small, large = spatial_ends(gp.spatial_cov)
        error = arb(0)
        if isinstance(lowering, IrregularAlibi):
            sums = _sums(lowering, lags)
            pairs = zip(sums, gamma, strict=True)
            off = [[c - g for c, g in zip(*rows, strict=True)] for rows in pairs]
            error = _row_sum(off, abs(_diagonal(lowering) - 1)) * large
    return Enclosure(bottom * small - error, top * large + error, error)


def carried_table(gp: GaussianProcess, lowering: Lowering) -> list[list[arb]]:
    """What the heads carry in exact arithmetic, (frames, frames): ``Gamma`` itself (lemma
    ``softmax_sink``), or a sum of exponentials.
    """
    lags = _lags(gp.frame_times)
    if isinstance(lowering, IrregularAlibi):
        lower, centre = _sums(lowering, lags), _diagonal(lowering)
    else:
        lower = [[autocov_ball(gp.kernel, lag) for lag in row] for row in lags]
        centre = arb(1)
    n = range(len(lower))
    return [[centre if i == j else lower[max(i, j)][min(i, j)] for j in n] for i in n]


def _lags(times: np.ndarray | None) -> list[list[arb]]:
    """``|tau_i - tau_j|`` for ``j < i``, exactly."""
    assert times is not None
    exact = [arb(float(x)) for x in times]
    return [[abs(a - b) for b in exact[:i]] for i, a in enumerate(exact)]


def _diagonal(lowering: IrregularAlibi) -> arb:
    total: arb = sum((arb(w) for w in lowering.amplitudes), arb(0))
    return total


def _sums(lowering: IrregularAlibi, lags: list[list[arb]]) -> list[list[arb]]:
    """``sum_m w_m exp(-a_m lag)``, entry by entry."""
    terms = [(arb(w), arb(a)) for w, a in zip(lowering.amplitudes, lowering.slopes, strict=True)]
    return [[sum((w * (-a * lag).exp() for w, a in terms), arb(0)) for lag in row] for row in lags]


def _row_sum(triangle: list[list[arb]], diagonal: arb) -> arb:
    """The largest sum of absolute values in a row of a symmetric matrix, given below its diagonal:
    at least its spectral norm (lemma ``operator_norm``).
    """
    sums = [diagonal] * len(triangle)
    for i, row in enumerate(triangle):
        for j, entry in enumerate(row):
            size = abs(entry)
            sums[i] += size
            sums[j] += size
    return largest(sums).upper()


def _temporal_ends(gamma: list[list[arb]]) -> tuple[arb, arb]:
    """Numbers below and above all eigenvalues of ``Gamma``."""
    n = len(gamma)
    nearest = np.eye(n)
    for i, row in enumerate(gamma):
        nearest[i, :i] = nearest[:i, i] = [float(entry.mid()) for entry in row]
    left = [
        [entry - arb(float(nearest[i, j])) for j, entry in enumerate(row)]
        for i, row in enumerate(gamma)
    ]
    away = _row_sum(left, arb(0))
    values = eigvalsh(nearest)
    slack = n * _U * float(values[-1])
    bottom, top = arb(0), arb(float(np.abs(nearest).sum(axis=1).max())) * (1 + n * arb(_U))
    for roundings in (1, 4, 16):
        shift = float(values[0]) - roundings * slack
        below = _smallest(nearest, -shift) if shift > 0 else None
        if below is not None:
            bottom = bottom.max(shift + below)
            break
    for roundings in (1, 4, 16):
        shift = float(values[-1]) + roundings * slack
        below = _smallest(-nearest, shift)
        if below is not None:
            top = top.min(shift - below)
            break
    return (bottom - away).max(arb(0)), top + away


def _smallest(matrix: np.ndarray, shift: float) -> arb | None:
    """A number below all eigenvalues of ``matrix + shift I``; ``None`` where none is found."""
    shifted = matrix + shift * np.eye(len(matrix))
    exact = [arb(float(x)) + arb(shift) for x in np.diag(matrix)]
    rounded = [arb(float(x)) for x in np.diag(shifted)]
    moved = largest(abs(a - b) for a, b in zip(exact, rounded, strict=True))
    try:
        cholesky(shifted, check_finite=False)
    except LinAlgError:
        return None
    growth = (len(matrix) + 1) * arb(_U)
    growth = growth / (1 - growth)
    trace: arb = sum(rounded, arb(0))
    found: arb = -growth / (1 - growth) * trace - moved.upper()
    return found
