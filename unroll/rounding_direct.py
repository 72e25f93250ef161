"""What floating-point arithmetic costs the direct method: a bound, as `unroll.rounding`.

One block adds up ``sum_m u_m g_m u_m^T b``. Every stage of it commits at most

    (number of its roundings) u sqrt(r) max|g| ||b||

for ``r`` modes: ``||u_m^T||_1``-sized sums are bounded by ``||u_m|| ||b|| = ||b||`` each, and
``||U||_F = sqrt(r)``. With ``n = e^t - 1``, everything in units of ``alpha^2``, gates are at most
``1 / (n + l)`` for the smallest eigenvalue ``l`` of ``Gamma kron Sigma``, and

    ||b|| <= (n + v) S,    alpha ||M|| <= (||M|| / sqrt(N d)) sqrt(n + v) S,    v = tr(Sigma) / d,

for the score ``S`` in root mean square (lemma ``iterate_sizes``). The quotients fall with ``t``.
"""

from __future__ import annotations

import math

import numpy as np

from unroll.gaussian_process import GaussianProcess
from unroll.methods.eigenmodes import Eigenmodes
from unroll.rounding import ACTIVATION_ROUNDINGS, unit_roundoff
from unroll.spectrum import Spectrum

__all__ = ["guaranteed_direct_rounding", "relative_sizes"]

# A gate 1 / (alpha^2 pole + sigma^2): exponentials, a product, a sum and a quotient of float64.
GATE_ROUNDINGS = 12


def relative_sizes(gp: GaussianProcess, lower: float, t_min: float) -> tuple[float, float]:
    """``||b||`` and ``alpha ||M||`` over ``m_t S``, the largest over ``t >= t_min``.

    Input and mean, in units of the score and of the smallest eigenvalue of ``A_t``.

    Parameters
    ----------
    lower
        At most the smallest eigenvalue of ``Gamma kron Sigma``, above ``-(e^t_min - 1)``.
    """
    noise = math.expm1(t_min)
    variance = float(np.trace(gp.spatial_cov)) / gp.channels
    known = float(np.linalg.norm(gp.mean)) / math.sqrt(gp.frames * gp.channels)
    smallest = noise + lower
    return max(1.0, (noise + variance) / smallest), known * math.sqrt(noise + variance) / smallest


def guaranteed_direct_rounding(
    gp: GaussianProcess,
    modes: Eigenmodes,
    spectrum: Spectrum,
    *,
    t_min: float,
    dtype: str,
    activation: str,
) -> float:
    """Relative root-mean-square error due to rounding, uniform over ``t >= t_min``.

    What eigenvectors that are not exact cost is not part of it. ``inf`` where the analysis does not
    close (errors of order one).
    """
    u, double = unit_roundoff(dtype), unit_roundoff("float64") / unit_roundoff(dtype)
    data, mean = relative_sizes(gp, spectrum.lower, t_min)
    d, kept = gp.channels, len(modes.values)
    both = data + 2 * mean  # V and alpha M, which are subtracted
    floor = modes.floor is not None
    gate = 3 + GATE_ROUNDINGS * double  # and the pole, the conversion, the amplitude
    mixing = d * math.sqrt(d) + math.sqrt(d)  # products with Q, and its own entries

    attention = (2 if floor else 1) * math.sqrt(kept) * (gp.frames + kept + 2 * gate + 8) * data
    inputs = (mixing + 8) * both
    layer = (gate + 16 + 2 * ACTIVATION_ROUNDINGS[activation]) * both if floor else 0.0
    stream = 6 * both
    total = u * (attention + inputs + layer + stream + 2 * mixing + 2)
    return total * (1 + 2 * total) if total < 0.25 else math.inf
