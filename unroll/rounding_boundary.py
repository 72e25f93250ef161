"""What floating-point arithmetic costs one pass of the boundary-corrected inverse symbol: a bound.

Two blocks add ``P b`` and ``sum_h rho_h g_h v_h v_h^T b`` up. With ``n = e^t - 1``, everything in
units of ``alpha^2``, and ``b`` as in `unroll.rounding_direct`:

* Fourier heads ``P = F diag(a g) F^T`` with ``F diag(a) F^T = I``: sums over frames are off by
  ``(roundings) u ||F||_F ||b||``, and over heads by ``(roundings) u ||F||_F ||diag(a g) F^T b||``;
  and (lemma ``filtered_noise`` for the identity) ``||F diag(a g)|| <= max(a)^{1/2} max(g)``;
* rank-one heads: whatever is rounded, ``(roundings) u sum_h |rho_h| g_h |v_h|^2 ||b||`` at most,
  with the absolute values of what ``v_h`` is a sum of in place of ``v_h``.

All gates are largest at the smallest ``t``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from unroll.gaussian_process import GaussianProcess
from unroll.rounding import unit_roundoff
from unroll.rounding_direct import GATE_ROUNDINGS, relative_sizes
from unroll.rounding_preconditioned import wave_norm
from unroll.spectrum import Spectrum
from unroll.validation import Array

__all__ = ["guaranteed_boundary_rounding"]

_ANGLE = 4 * math.pi + 3  # absolute error of a Fourier feature, in units of float64


def guaranteed_boundary_rounding(
    gp: GaussianProcess,
    spectrum: Spectrum,
    *,
    period: int,
    symbol: Sequence[float] | Array,
    ends: Array,
    read: Array,
    poles: Sequence[float] | Array,
    amplitudes: Sequence[float] | Array,
    t_min: float,
    dtype: str,
) -> float:
    """Relative root-mean-square error due to rounding, uniform over ``t >= t_min``.

    Parameters
    ----------
    spectrum
        Encloses the eigenvalues of ``Gamma kron Sigma``; only its lower end matters.
    period, symbol
        Of the circulant, whose eigenvalues are the poles of the Fourier heads.
    ends, read
        Arrays (frames, rank) and (rank, heads): the rank-one heads have the vectors
        ``ends @ read``.
    poles, amplitudes
        ``p_h`` and ``rho_h``, for a spatial eigenvalue of 1.

    Returns
    -------
    ``inf`` where the analysis does not close (errors of order one).
    """
    u, double = unit_roundoff(dtype), unit_roundoff("float64") / unit_roundoff(dtype)
    data, mean = relative_sizes(gp, spectrum.lower, t_min)
    both, d, noise = data + 2 * mean, gp.channels, math.expm1(t_min)
    smallest = noise + spectrum.lower
    mu = float(np.linalg.eigvalsh(gp.spatial_cov)[0]) * (1 - 1e-9)

    def gates(poles: Sequence[float] | Array) -> Array:
        """Over ``1 / m_t``, the largest of all channels."""
        bottom = noise + np.asarray(poles, dtype=np.float64) * mu
        return np.maximum(smallest / bottom, 1.0)

    gate = 3 + GATE_ROUNDINGS * double
    mixing = d * math.sqrt(d) + math.sqrt(d)  # products with Q, and its own entries
    features = math.sqrt(2) * (1 + _ANGLE * double)
    count = len(symbol)
    circulant = float(gates(symbol).max())
    waves = wave_norm(period, gp.frames) * circulant
    fourier = (gp.frames + 2 * count + 2 * features + gate + 14) * waves * data

    sizes = np.linalg.norm(np.abs(ends) @ np.abs(read), axis=0) ** 2
    reach = float(np.sum(np.abs(amplitudes) * gates(poles) * sizes)) * (1 + 1e-9)
    heads, rank = len(sizes), ends.shape[1]
    corrected = (gp.frames + heads + 2 * (rank + 3) + 2 * gate + 8) * reach * data

    inputs = (mixing + 14) * both * (circulant + reach)
    total = u * float(fourier + corrected + inputs + 2 * mixing + 2)
    longest = (gp.frames + 2 * count + heads + 2 * rank + 100) * u
    return total * (1 + 2 * total) * (1 + 4 * longest) if total < 0.25 else math.inf
