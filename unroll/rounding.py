"""What floating-point arithmetic costs: a bound on the rounding part of a model's error.

Let ``S = ||s||`` be the exact score. Each block computes one step of the iteration with a local
error ``xi_k``; the method says how local errors reach the output
(`Method.error_weights`). The local error is counted operation by
operation, with ``gamma_n = n u / (1 - n u)`` for a sum of ``n`` terms in any order (Higham,
*Accuracy and Stability of Numerical Algorithms*, 2nd ed., Lemma 3.1) and with these facts about
the iterates, where ``L = max eig(A_t)`` and ``eta L <= step_bound``:

* ``||s_k|| <= (1 + delta_k) (1 + e_t / m~_t) S``, where ``e_t`` is what the heads are off by;
* ``eta ||b|| <= eta L S <= step_bound S`` for ``b = V - alpha M``;
* ``eta alpha ||M|| <= step_bound mu S`` with ``mu = alpha ||M|| / (L S)``, where the root mean
  square ``S^2 = tr(A^{-1}) >= (N d)^2 / tr(A)``.

This bound charges every sum its worst case, so it exceeds what is seen by orders of magnitude;
`unroll.measured_rounding` estimates the latter.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from unroll.errors import ArgumentError
from unroll.schedules import alpha_sq

if TYPE_CHECKING:
    from unroll.attention import Lowering
    from unroll.gaussian_process import GaussianProcess
    from unroll.methods import Method
    from unroll.spectrum import Spectrum

__all__ = [
    "ACTIVATION_ROUNDINGS",
    "DTYPES",
    "ROUNDING_MODELS",
    "guaranteed_rounding",
    "unit_roundoff",
]

DTYPES = ("float32", "float64")
ROUNDING_MODELS = ("guaranteed", "measured")

# Roundings in one activation: none for ReLU; a product, a sum and a special function otherwise.
ACTIVATION_ROUNDINGS = {"relu": 0, "gelu": 6, "gelu_tanh": 12, "silu": 6}


def unit_roundoff(dtype: str) -> float:
    """Half the distance from 1 to the next number of the type.

    >>> unit_roundoff("float64") == 2.0**-53
    True
    """
    if dtype not in DTYPES:
        raise ArgumentError("dtype", dtype, "is not supported", f"use one of {DTYPES}")
    return float(np.finfo(dtype).eps) / 2


def guaranteed_rounding(
    gp: GaussianProcess,
    lowering: Lowering,
    method: Method,
    spectrum: Spectrum,
    depth: int,
    *,
    t_min: float,
    t_max: float,
    dtype: str,
    activation: str,
    network: tuple[float, float] | None = None,
) -> float:
    """Relative root-mean-square error due to rounding, uniform over ``[t_min, t_max]``.

    ``network`` holds, for gates that come from a network (`unroll.gate_design`), their error, which
    makes iterates and gates larger, and the condition number of the scaled operator. Step sizes are
    then coefficients, which round, too.

    Returns ``inf`` where the analysis does not close (errors of order one).
    """
    u = unit_roundoff(dtype)
    kappa = spectrum.condition_number(t_min)
    step, momentum = method.step_bound(), method.has_momentum

    # Gates come from time features computed in float64 and rounded once: about forty roundings
    # of float64, the powers z^{2k} adding k z^{2k} <= sqrt(kappa) / 10 times their own.
    gate = 2 + (64 + 8 * t_max + 4 * math.sqrt(kappa)) * unit_roundoff("float64") / u
    grown = 1.0
    if network is not None:
        grown, kappa = 1 + network[0], network[1]
        gate += 2  # a coefficient, and the sum of a constant and a feature

    # Attention, per unit of ||s_k||: eta alpha^2 ||E|| || |Sigma| ||, and its gate
    step *= grown
    spread = step * float(np.linalg.norm(np.abs(gp.spatial_cov), 2)) / spectrum.upper
    temporal = lowering.norm_bound(gp.kernel, gp.frames)
    attention_size = spread * temporal
    attention = spread * lowering.rounding(gp.kernel, gp.frames, gp.channels)
    attention += gate * attention_size

    # Feed-forward: reads two iterates or one, the input and, when there is one, the mean
    groups = 2 + momentum + gp.has_mean
    per_value = gate + 3 + 2 * ACTIVATION_ROUNDINGS[activation] + 2 * groups
    iterates_size = step + (4 if momentum else 0)
    inputs_size = step * (1 + 2 * _mean_ratio(gp, t_min))

    # the two additions into the stream, whose old value is an iterate
    per_iterate = attention + per_value * iterates_size + 2 * (1 + attention_size + iterates_size)
    constant = (per_value + 2) * inputs_size

    sizes = 1 + np.array([method.rate(kappa, max(k - 1, 0)) for k in range(depth)])
    sizes *= grown
    off = float(alpha_sq(t_min)) * lowering.operator_error(gp.kernel, gp.frames)
    sizes *= 1 + off * float(np.linalg.norm(gp.spatial_cov)) / spectrum.noisy(t_min)[0]
    local = u * (per_iterate * sizes + constant)
    total = float(method.error_weights(kappa, depth) @ local)
    # The iterates are themselves perturbed: by at most twice the total at any block, by the total
    # at the last, since constant local errors add up to more with every block.
    return total * (1 + total) / (1 - total) if total < 1 else math.inf


def _mean_ratio(gp: GaussianProcess, t_min: float) -> float:
    """A bound of ``alpha ||M|| / (L S)``: ``L >= tr(A)/(N d)`` and ``S >= N d / sqrt(tr A)``
    give ``alpha ||M|| / sqrt(tr A)``, and ``tr(A) = N d (alpha^2 tr(Sigma)/d + sigma^2)``.
    """
    if not gp.has_mean:
        return 0.0
    signal = math.exp(-t_min)
    average = signal * float(np.trace(gp.spatial_cov)) / gp.channels + 1 - signal
    size = float(np.linalg.norm(gp.mean)) / math.sqrt(gp.frames * gp.channels)
    return size * math.sqrt(signal / average)
