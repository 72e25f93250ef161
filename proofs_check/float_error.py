r"""The error of a preconditioned iteration at one ``x``, in float64, with a bound of its rounding.

For right-hand sides with covariance ``A`` the relative mean square error of the iteration is

    tr(T^T A^{-1} T) / tr(A^{-1}),        T = prod_k (I - eta_k A P),    T_0 = I.

A rounding error ``xi_k`` of step ``k`` arrives in ``A^{-1/2} T`` through the factors that are
left, at most ``rho_k`` in this norm (lemma ``preconditioned_arrival``), so that the root of the
quotient is off by at most ``sum_k rho_k ||xi_k||``. `weighted_square` is the quotient for any ``T``
given by its rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from flint import arb

from proofs_check.balls import round_up
from proofs_check.float_matrices import UNIT, gamma
from proofs_check.float_residual import Half

__all__ = ["relative_square", "weighted_square"]


def relative_square(parts: Sequence[Half], steps: Sequence[arb], later: Sequence[float]) -> arb:
    """The relative mean square error, as a ball.

    Parameters
    ----------
    parts
        Both halves of the system.
    steps
        ``eta_k``.
    later
        ``rho_k``: at least ``prod_{l > k} |1 - eta_l h|``.
    """
    eta = [float(e) for e in steps]
    return weighted_square([(part, *_residual(part, eta, later)) for part in parts])


def weighted_square(pieces: Sequence[tuple[Half, np.ndarray, float]]) -> arb:
    """``tr(T^T A^{-1} T) / tr(A^{-1})``, as a ball.

    Parameters
    ----------
    pieces
        For each half of the system its rows of ``T``, array (n, m), ``m >= n``, and at least the
        Frobenius norm of what they are off by, in the norm of ``A^{-1/2}`` as a share of its own.
    """
    left = total = spread = lost = doubt = 0.0
    for part, residual, error in pieces:
        lost += error
        n, terms = len(residual), residual.size
        norm = float(np.linalg.norm(residual)) * (1 + gamma(terms))
        solved = np.linalg.inv(part.noisy)
        weight = float(np.linalg.norm(solved)) * (1 + gamma(n * n))
        defect = float(np.linalg.norm(np.eye(n) - part.noisy @ solved)) * (1 + gamma(n * n))
        defect += 2 * gamma(n + 8) * part.size * weight
        if not defect < 0.25:
            return arb("nan")
        left += float(np.sum(residual * (solved @ residual)))
        spread += (2 * gamma(terms) + 2 * defect) * weight * norm**2
        total += float(np.trace(solved))
        doubt = max(doubt, 2 * defect + gamma(n))
    if not (math.isfinite(left) and total > 0):
        return arb("nan")
    top = math.sqrt((max(left, 0.0) + spread) / (total * (1 - doubt))) * (1 + 1e-12) + lost
    bottom = math.sqrt(max(left - spread, 0.0) / (total * (1 + doubt))) * (1 - 1e-12) - lost
    square: arb = (arb(max(bottom, 0.0)) ** 2).union(arb(top) ** 2)
    return square if math.isfinite(round_up(square)) else arb("nan")


def _residual(part: Half, eta: Sequence[float], later: Sequence[float]) -> tuple[np.ndarray, float]:
    """``T``, and what its rounding errors arrive as."""
    n = len(part.excess)
    excess = float(np.linalg.norm(part.excess)) * (1 + gamma(n * n))
    each = part.error + gamma(n) * excess
    residual, lost = np.eye(n), 0.0
    for k, size in enumerate(eta):
        norm = float(np.linalg.norm(residual)) * (1 + gamma(n * n))
        own = abs(size) * each + 6 * UNIT * (1 + abs(size)) * (1 + excess)
        lost += later[k] * own * norm * (1 + 1e-6)
        residual = (1 - size) * residual - size * (part.excess @ residual)
    return residual, lost
