r"""Eigenvalues of the preconditioned system, and how much of the error each of them carries.

With ``A = Gamma + x I`` and the preconditioner ``P``, let ``P A v_i = h_i v_i``,
``v_i^T A v_j = delta_ij``. Then ``A^{-1} = sum_i v_i v_i^T``, and an error ``e = -r(P A) s`` with
``s ~ N(0, A^{-1})`` has the relative mean square

    E|e|^2 / E|s|^2 = sum_i w_i r(h_i)^2 / sum_i w_i,    w_i = |v_i|^2.

All but a few ``h_i``, the outliers, are 1 to working accuracy. The traces of ``P`` and ``P A`` know
what a list of outliers leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh_tridiagonal

from unroll.methods.pencil import half
from unroll.validation import Array

__all__ = ["Outliers", "find_outliers"]

_BULK = 1e-12  # eigenvalues this close to 1 are rounding


@dataclass(frozen=True)
class Outliers:
    """Eigenvalues ``1 + excess_i`` of ``P A`` with the weights ``w_i``.

    Attributes
    ----------
    excess, weights, odd
        Arrays of one length: ``h_i - 1``, ``w_i``, and whether the eigenvector is odd under
        reversal. The last entry may stand for all eigenvalues that are not listed.
    remainder
        ``trace(P A) - N`` less the excess listed: what was missed, and rounding.
    """

    excess: Array
    weights: Array
    odd: Array
    remainder: float

    def error(self, step_sizes: Array) -> float:
        """Relative root-mean-square error that is left after steps of these sizes."""
        factors = 1.0 - np.outer(step_sizes, 1.0 + self.excess)
        left = self.weights @ np.prod(factors, axis=0) ** 2
        return float(np.sqrt(left / self.weights.sum()))

    def best_roots(self, steps: int, given: Array | None = None) -> Array:
        """Roots of the residual polynomial with the smallest error, largest first.

        The minimiser of ``sum_i w_i r(h_i)^2`` under ``r(0) = 1`` is orthogonal to all lower
        degrees for the masses ``h_i w_i``: its roots are their Gauss nodes. At most as many as
        there are eigenvalues.

        Parameters
        ----------
        steps
            How many roots.
        given
            Roots that the polynomial is to have besides.
        """
        z, masses = self.excess, (1.0 + self.excess) * self.weights
        for root in () if given is None else given:
            masses = masses * (1.0 - (1.0 + z) / root) ** 2
        vector = np.sqrt(masses)
        if not vector.any():
            return np.empty(0)
        basis = [vector / np.linalg.norm(vector)]
        diagonal: list[float] = []
        beside: list[float] = []
        for _ in range(steps):
            product = z * basis[-1]
            diagonal.append(float(product @ basis[-1]))
            for _ in range(2):
                for previous in basis:
                    product = product - (previous @ product) * previous
            size = float(np.linalg.norm(product))
            if size < 1e-300:
                break
            beside.append(size)
            basis.append(product / size)
        nodes = eigh_tridiagonal(diagonal, beside[: len(diagonal) - 1], eigvals_only=True)
        return np.asarray(1.0 + nodes[::-1])


def find_outliers(column: Array, gates: Array, period: int, x: float) -> Outliers:
    """Spectrum of ``P (Gamma + x I)``; for long sequences the outliers and a mean of the rest.

    Parameters
    ----------
    column
        ``gamma(0), ..., gamma(N - 1)``.
    gates
        Eigenvalues of the circulant of ``P``, array (period // 2 + 1,).
    period
        Its period.
    x
        ``> 0``, the noise in units of the signal.
    """
    frames = len(column)
    halves = [half(column, gates, period, x, sign) for sign in (1, -1)]
    excess = np.concatenate([part.excess for part in halves])
    weights = np.concatenate([part.weights for part in halves])
    odd = np.repeat([False, True], [len(part.excess) for part in halves])
    if len(excess) == frames:
        return Outliers(excess, weights, odd, 0.0)
    far = np.abs(excess) > _BULK
    excess, weights, odd = excess[far], weights[far], odd[far]
    row = np.fft.irfft(gates, period)[:frames]
    counts = 2.0 * (frames - np.arange(frames))
    counts[0] = frames
    trace = float(counts @ (row * column)) + x * frames * row[0]
    remainder = trace - frames - float(excess.sum())
    mean = max(remainder, 0.0) / (frames - len(excess))
    # trace(P) = sum h_i w_i gives the weight that is left for the eigenvalues close to 1
    bulk = (frames * row[0] - float((1.0 + excess) @ weights)) / (1.0 + mean)
    return Outliers(
        np.append(excess, mean),
        np.append(weights, max(bulk, 0.0)),
        np.append(odd, False),
        remainder,
    )
