r"""What floating-point arithmetic costs the preconditioned iteration: a guaranteed bound.

A step is two blocks: one computes the residual ``r_k = A s_k + b`` with a local error ``xi_k``, one
subtracts ``eta_k P r_k`` from ``s_k`` with a local error ``zeta_k``. How they reach the score is
lemma ``preconditioned_arrival``. In units of ``alpha^2``, ``n = e^t - 1``, the eigenvalues of ``A``
lie in ``[n + l, n + U]`` and everything below is largest at the smallest ``t``, in units of the
score ``S`` and, for residuals, of ``(n + l) S``:

* iterates: ``||s_k|| <= 1 + rho_k``, ``rho_k = max_h prod_{j<k} |1 - eta_j h|``, in root mean
  square (lemma ``preconditioned_error``);
* residuals: ``||A^{-1/2} r_k|| <= rho_k sqrt(n + v)``, because ``A^{-1/2} b`` has ``N d``
  coordinates of variance 1 and ``S >= N d / sqrt(tr A)``; ``v = tr(Sigma) / d``;
* Fourier heads ``P = F diag(a g) F^T`` with features ``F``, gates ``g <= 1 / (n + p)``: sums over
  frames are off by ``(roundings) u ||F||_F ||r||``, which ``F diag(a g)`` still filters, and over
  heads by ``(roundings) u ||F||_F ||diag(a g) F^T r||``; and (lemma ``filtered_noise``)

      ||A^{1/2} F diag(a g)||^2 <= max(a) max(g) max(h).

Up to 128 frames the eigenvalues ``h`` are computed, beyond they are those that Lanczos finds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from unroll.attention import Lowering, toeplitz_norm_bound
from unroll.gaussian_process import GaussianProcess
from unroll.methods.inverse_symbol import InverseSymbol
from unroll.methods.partial_products import PartialProducts, partial_products
from unroll.methods.pencil import half
from unroll.rounding import ACTIVATION_ROUNDINGS, unit_roundoff
from unroll.rounding_direct import GATE_ROUNDINGS, relative_sizes
from unroll.spectrum import Spectrum
from unroll.validation import Array

__all__ = ["guaranteed_preconditioned_rounding", "series_roundings", "wave_norm"]

_RATIO = 1.1  # of neighbouring x at which the largest h is computed
_ANGLE = 4 * math.pi + 3  # absolute error of a feature, in units of float64


def guaranteed_preconditioned_rounding(
    gp: GaussianProcess,
    lowering: Lowering,
    design: InverseSymbol,
    spectrum: Spectrum,
    *,
    t_min: float,
    dtype: str,
    activation: str,
    products: PartialProducts | None = None,
) -> float:
    """Relative root-mean-square error due to rounding, uniform over ``t >= t_min``.

    Parameters
    ----------
    products
        How local errors survive, where that is known better.

    Returns
    -------
    ``inf`` where the analysis does not close (errors of order one).
    """
    u, double = unit_roundoff(dtype), unit_roundoff("float64") / unit_roundoff(dtype)
    products = products or _products(gp, lowering, design)
    data, mean = relative_sizes(gp, spectrum.lower, t_min)
    noise, d = math.expm1(t_min), gp.channels
    smallest, largest = noise + spectrum.lower, noise + spectrum.upper
    root = math.sqrt(largest / smallest)
    variance = float(np.trace(gp.spatial_cov)) / d
    residual = math.sqrt(largest * max(noise + variance, smallest)) / smallest
    data_root = math.sqrt(data)
    mu = np.linalg.eigvalsh(gp.spatial_cov)
    pole = min(design.symbol) * float(mu[0]) * (1 - 1e-9)
    gain = math.sqrt(smallest / min(noise + pole, smallest))

    # a residual block: attention, and the feed-forward layer for s, v and the mean
    norm = toeplitz_norm_bound(lowering.autocov(gp.kernel, gp.frames)) * float(mu[-1])
    heads = lowering.rounding(gp.kernel, gp.frames, d) * float(mu[-1])
    gate = 3 + 16 * double
    layer = gate + 6 + 2 * ACTIVATION_ROUNDINGS[activation] + 4 + 2 * gp.has_mean
    per_iterate = (heads + (gate + 4) * norm) / smallest + layer + 3
    mixing = d * math.sqrt(d) + math.sqrt(d)  # products with Q, and its own entries
    constant = (layer + mixing + 6) * (data + 2 * mean)

    # a correction block: Fourier heads with gates, and step sizes
    filtered = gp.frames + math.sqrt(2) * (1 + _ANGLE * double) + 3 + GATE_ROUNDINGS * double + 6
    count = len(design.symbol)
    rough = np.array([series_roundings(row, design.log_range) for row in design.roots])
    summed = 2 * count + math.sqrt(2) * (1 + _ANGLE * double) + 8
    after = summed + rough * double / np.maximum(products.step, 1e-300)
    spread = products.step * wave_norm(design.period, gp.frames) * math.sqrt(products.largest)
    left_over = 2 * ACTIVATION_ROUNDINGS[activation] + 3  # of r, which is subtracted from itself

    steps = design.count
    errors, xis, noises, strays = [0.0], *(np.zeros(steps) for _ in range(3))
    carried = 0.0
    for k in range(steps):
        rho, size = products.plain[0, k], 1 + products.plain[0, k] + errors[-1]
        xis[k] = u * (per_iterate * size + constant) + carried
        found = rho * residual + root**2 * errors[-1] + xis[k]
        carried = u * left_over * found
        # ||A^{-1/2} r|| and ||r||, over the roots of n + p, (n + l) (n + p)
        white = gain * (rho * data_root + root * errors[-1] + xis[k])
        noises[k] = u * spread[k] * filtered * gain * found
        strays[k] = u * (spread[k] * after[k] * white + 2 * (size + products.plain[0, k + 1] + 1))
        arrived = products.led[: k + 1, k + 1] @ xis[: k + 1]
        arrived += products.plain[1 : k + 2, k + 1] @ noises[: k + 1]
        arrived += root * float(products.plain[1 : k + 1, k + 1] @ strays[:k]) + strays[k]
        errors.append(float(arrived))
        if not errors[-1] < 0.25:
            return math.inf
    total = errors[-1] + u * (2 * mixing + 2) * (1 + products.plain[0, steps] + errors[-1])
    longest = (gp.frames + 2 * count + layer + 100) * u
    return float(total * (1 + 4 * longest))


def series_roundings(
    coefficients: Sequence[float] | Array, log_range: tuple[float, float]
) -> float:
    """Absolute error of a step size, in units of float64's unit roundoff.

    ``u = (2 log x - low - high) / (high - low)`` inherits a few roundings of ``x`` and of its
    logarithm, times the slope ``sum n^2 |c_n|`` of the series; in Clenshaw's recurrence
    ``|b_k| <= sum_{j >= k} (j - k + 1) |c_j|``, and an error of ``b_k`` counts once.
    """
    low, high = log_range
    size = np.abs(np.asarray(coefficients, dtype=np.float64))
    orders = np.arange(len(size))
    places = (24 + 10 * max(abs(low), abs(high))) / (high - low) + 4
    return float(6 * ((orders + 2) ** 2 @ size) + places * (orders**2 @ size))


def wave_norm(period: int, frames: int) -> float:
    """``||F||_F max(a)^{1/2}`` for amplitudes of at most ``2 / C``: ``||F||_F^2 = N H``."""
    return math.sqrt(frames * (period // 2 + 1) * 2 / period)


def _products(gp: GaussianProcess, lowering: Lowering, design: InverseSymbol) -> PartialProducts:
    """With the largest eigenvalue at points of the range, and what it is at most between them."""
    low, high = design.log_range
    column = lowering.autocov(gp.kernel, gp.frames)
    places = np.linspace(-1.0, 1.0, max(2, math.ceil((high - low) / math.log(_RATIO)) + 1))
    known: dict[int, float] = {}

    def top(i: int) -> float:
        """At a point."""
        if i not in known:
            x = math.exp((low + high) / 2 + (high - low) / 2 * places[i])
            gates = design.gates(1.0, np.asarray(x), 1.0)
            parts = [half(column, gates, design.period, x, sign).excess for sign in (1, -1)]
            known[i] = 1 + max(float(part[0]) for part in parts if len(part))
        return known[i]

    def largest(first: float, last: float) -> float:
        """From the closest point: both matrices change by at most the ratio of the ``x``."""
        i = int(np.argmin(np.abs(places - (first + last) / 2)))
        reach = max(abs(places[i] - first), abs(places[i] - last)) * (high - low) / 2
        return top(i) * math.exp(reach)

    return partial_products(design.roots, 1 - 1e-9, largest)
