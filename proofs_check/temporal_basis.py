"""How far float vectors are from eigenvectors of ``Gamma``, in balls.

Let ``U`` hold the vectors, ``U*`` be its polar factor, whose columns are orthonormal exactly, and
``l_m`` numbers, one for each. Then (lemmas ``polar_factor``, ``compressed_basis``)

    ||U - U*|| <= ||U^T U - I||,        ||Gamma - Gamma'|| <= 2 ||Gamma U* - U* diag(l)||

for the matrix ``Gamma' = U* diag(l) U*^T + (I - U* U*^T) Gamma (I - U* U*^T)``, of which ``U*`` are
eigenvectors. The eigenvalues of its rest are those of ``Gamma`` on what ``U^T`` maps to zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat

from proofs_check.balls import ball_matrix, frobenius, round_up
from proofs_check.enclosures import temporal_bottom
from proofs_check.exponential_sums import doubled
from proofs_check.float_matrices import UNIT, gamma, is_certainly_definite
from unroll.kernels import Kernel

__all__ = ["TemporalBasis", "read_basis"]


@dataclass(frozen=True)
class TemporalBasis:
    """Vectors as eigenvectors of a matrix close to ``Gamma``.

    Attributes
    ----------
    values
        ``l_m``, exact.
    skew
        ``||U - U*||``.
    off
        ``||Gamma - Gamma'||``.
    rest
        Numbers below and above the eigenvalues that no vector belongs to; ``None`` if there are
        none.
    norm
        ``||Gamma||``.
    """

    values: list[arb]
    skew: arb
    off: arb
    rest: tuple[arb, arb] | None
    norm: arb


def read_basis(
    kernel: Kernel, autocov: list[arb], u: arb_mat, values: Sequence[float] | None = None
) -> TemporalBasis:
    """Compare vectors with eigenvectors.

    Parameters
    ----------
    autocov
        ``gamma(0), ..., gamma(frames - 1)``.
    u
        The vectors, (frames, modes).
    values
        ``l_m``; by default the Rayleigh quotients of the vectors.
    """
    n, kept = u.nrows(), u.ncols()
    temporal = arb_mat([[autocov[abs(i - j)] for j in range(n)] for i in range(n)])
    image = temporal * u
    gram, quotients = u.transpose() * u, u.transpose() * image
    skew = frobenius(gram - ball_matrix(np.eye(kept)))
    if values is None:
        ratios = [quotients[m, m] / gram[m, m] for m in range(kept)]
        found = [arb(x.mid()) if x.is_finite() else arb(0) for x in ratios]
    else:
        found = [arb(float(x)) for x in values]
    diagonal = arb_mat([[found[a] if a == b else 0 for b in range(kept)] for a in range(kept)])
    norm = doubled(autocov)
    largest = max((abs(x) for x in found), key=float)
    residual = frobenius(image - u * diagonal) + skew * (norm + largest)
    rest = None
    if kept < n:
        rest = _rest(kernel, autocov, u, found, norm)
    return TemporalBasis(found, skew, 2 * residual, rest, norm)


def _rest(
    kernel: Kernel, autocov: list[arb], u: arb_mat, values: list[arb], norm: arb
) -> tuple[arb, arb]:
    """Numbers below and above ``Gamma`` on what ``U^T`` maps to zero.

    There ``Gamma + U diag(x) U^T`` is ``Gamma`` for any ``x``: with ``x = -l`` the vectors belong
    to the eigenvalue 0, with ``x = largest - l`` to the largest.
    """
    n, kept = u.nrows(), u.ncols()
    column = np.array([float(g) for g in autocov])
    matrix = column[np.abs(np.arange(n)[:, None] - np.arange(n))]
    vectors = np.array([[float(x) for x in row] for row in u.tolist()])
    floats = np.array([float(x) for x in values])
    largest = float(np.abs(floats).max())
    # conversions, sums of `kept` products, a difference and a mean
    terms = 2 * largest * float(np.sum(vectors**2)) + float(np.linalg.norm(matrix))
    slack = gamma(kept + 8) * terms * (1 + 1e-6)
    step = slack + 2 * (n + 4) * UNIT * (n * largest + terms)

    def moved(shift: np.ndarray) -> np.ndarray:
        """The symmetric part: ``U diag(x) U^T`` need not be symmetric in floating point."""
        total = matrix + (vectors * shift) @ vectors.T
        return np.asarray((total + total.T) / 2)

    deflated, lifted = moved(-floats), moved(largest - floats)
    bottom, top = temporal_bottom(kernel, autocov), arb(round_up(norm))
    low = float(np.linalg.eigvalsh(lifted)[0])
    high = max(float(np.linalg.eigvalsh(deflated)[-1]), 0.0)
    for attempt in (256.0, 16.0, 2.0):
        below, above = low - attempt * step, high + attempt * step
        room = slack + 4 * UNIT * (abs(below) + above)
        if is_certainly_definite(lifted - below * np.eye(n), room):
            bottom = bottom.max(arb(below))
        if is_certainly_definite(above * np.eye(n) - deflated, room):
            top = top.min(arb(above))
    return bottom, top
