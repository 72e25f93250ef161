r"""Linear attention on sinusoidal features, in balls: its pattern and how it rounds.

Head ``h`` has the features ``f_i = (cos, sin)(2 pi turns_h i)`` and the amplitude ``a_h``; its
pattern is the Toeplitz matrix ``a_h cos(2 pi turns_h (i-j))``. The pattern is never formed: keys
times values are summed over frames into a state, scaled, and read by queries. With ``F`` the
features of all heads side by side, ``N x 2H``, every stage commits at most

    (number of its roundings) u sqrt(N H) ||F diag(a)||_2 ||v||

because ``||F||_F^2 = N H`` and sums obey ``|error| <= n u sum |terms|`` (lemma ``state_noise``). A
gate of at most ``g`` multiplies that by ``g``: ``F diag(a g)^2 F^T <= g^2 F diag(a)^2 F^T``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from flint import arb

from proofs_check.exponential_sums import doubled

__all__ = ["cosine_columns", "feature_roundings", "spread"]

_COSINE = 2  # absolute error of sine and cosine, in units of u


def cosine_columns(
    turns: np.ndarray, weights: Sequence[Sequence[arb]], frames: int
) -> list[list[arb]]:
    """``sum_h w_h cos(2 pi turns_h lag)``, lags ``0 .. frames-1``, for each set of weights."""
    columns = [[arb(0)] * frames for _ in weights]
    for h, turn in enumerate(turns):
        own = [(column, w[h]) for column, w in zip(columns, weights, strict=True) if w[h] != 0]
        if own:
            rate = 2 * arb(float(turn))
            for lag in range(frames):
                wave = (rate * lag).cos_pi()
                for column, weight in own:
                    column[lag] += weight * wave
    return columns


def spread(amplitude: np.ndarray, squares: Sequence[arb], frames: int) -> arb:
    """What a relative error of one stage is multiplied by, for gates of at most one.

    ``min(sqrt(N H) ||F diag(a)||_2, N sum |a|)``; the second bounds the absolute values of all
    terms. ``squares`` is the column of ``F diag(a)^2 F^T``.
    """
    heads = int(np.count_nonzero(amplitude))
    whole = (frames * heads * doubled(squares)).sqrt()
    total: arb = frames * sum((abs(arb(float(a))) for a in amplitude), arb(0))
    return whole.min(total)


def feature_roundings(turns: np.ndarray, frames: int, unit: float) -> float:
    """Absolute error of a feature, in units of ``unit``.

    The angle is computed in float64: the product with the index, exact where the turns are dyadic;
    whole revolutions, dropped without a rounding unless they are negative; a product with two pi,
    itself rounded. Then comes the cosine, and the conversion to the model's precision.
    """
    angle = 2.0 * 2 * math.pi + _COSINE
    if not _products_are_exact(turns, frames):
        angle += 2 * math.pi * frames * float(np.abs(turns).max())
    if (turns < 0).any():
        angle += 2 * math.pi
    return 1 + angle * 2.0**-53 / unit


def _products_are_exact(turns: np.ndarray, frames: int) -> bool:
    """Whether ``turns`` leave room in their mantissas for the bits of a frame's index."""
    mantissas, _ = np.frexp(turns)
    scaled = np.ldexp(mantissas, 53 - frames.bit_length())
    return bool((scaled == np.rint(scaled)).all())
