r"""Facts about matrices from float64 arithmetic, with its rounding errors accounted for.

Ball arithmetic eliminates some 64 rows before its balls burst; a Cholesky factorisation in float64
decides thousands. If it runs to completion on a symmetric ``B``, its factor satisfies
``R^T R = B + E`` with ``|E_ij| <= g sqrt(b_ii b_jj)``, ``g = gamma_{n+1} / (1 - gamma_{n+1})``, so
that ``||E|| <= g tr(B)`` and every eigenvalue of ``B`` is at least ``-g tr(B)``.

Source: J. Demmel, LAPACK Working Note 14 (1989); N. Higham, *Accuracy and Stability of Numerical
Algorithms*, 2nd ed., Theorems 10.3 and 10.5; S. M. Rump, "Verification of positive definiteness",
BIT 46 (2006).
"""

from __future__ import annotations

import numpy as np
from numpy.linalg import LinAlgError

__all__ = ["gamma", "is_certainly_definite"]

UNIT = 2.0**-53


def gamma(n: float) -> float:
    """``n u / (1 - n u)``, rounded up: the relative error of a sum of ``n`` products."""
    return n * UNIT / (1 - n * UNIT) * (1 + 1e-9)


def is_certainly_definite(matrix: np.ndarray, slack: float) -> bool:
    """Whether every symmetric matrix within the spectral distance ``slack`` is positive definite.

    ``False`` if that is not shown.

    >>> is_certainly_definite(np.eye(3), 0.5), is_certainly_definite(np.eye(3), 1.0)
    (True, False)
    """
    n = len(matrix)
    diagonal = np.diag(matrix)
    if not (np.isfinite(matrix).all() and diagonal.min() > 0):
        return False
    error = gamma(n + 2) / (1 - gamma(n + 2)) * float(diagonal.sum()) * (1 + gamma(n))
    shift = (slack + error + 4 * UNIT * float(diagonal.max())) * (1 + 1e-9) + n * 1e-300
    try:
        np.linalg.cholesky(matrix - shift * np.eye(n))
    except LinAlgError:
        return False
    return True
