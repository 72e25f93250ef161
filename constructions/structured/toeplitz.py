"""The fastest form of a Toeplitz matrix: one matrix, windows of a band, scans or transforms."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from constructions.structured.convolution import Band, Convolution
from constructions.structured.mixing import Dense, Mixing
from constructions.structured.scan import Scan

__all__ = ["Exponentials", "toeplitz"]

Exponentials = tuple[Tensor, Tensor]
"""Slopes and weights (M,) with ``k(h) = sum_m weights_m exp(-slopes_m |h|)``."""

# Measured on one x86 core (AVX2), 16 sequences of one channel, against two transforms, seconds of
# them / seconds of the other, float64 and float32:
#   matrix, 128 and 256 frames                               1.4, 1.1
#   band of 32 and 64 lags on either side, 1024 frames       1.3, 1.0 (16384: 1.6, 1.8)
#   scan of 1, 8, 12 exponentials, 1024 frames               1.7, 1.2, 1.1 and 2.0, 1.6, 1.5
#   scan of 1, 8, 12 exponentials, 16384 frames              2.5, 1.5, 1.1 and 4.0, 2.2, 1.6
_LONG = 1024
_MATRIX, _BAND, _SCAN = (
    {torch.float64: double, torch.float32: single}
    for double, single in ((128, 256), (32, 64), (12, 24))
)


def toeplitz(
    kernel: Tensor, dtype: torch.dtype, exponentials: Exponentials | None = None
) -> Mixing:
    """The mixing ``y_i = sum_j k(j - i) x_j``.

    Parameters
    ----------
    kernel
        ``k``, tensor (2n - 1,), float64.
    dtype
        In which to compute.
    exponentials
        What the kernel is a sum of, if that is known.
    """
    frames = (len(kernel) + 1) // 2
    if frames <= _MATRIX[dtype]:
        return Dense.toeplitz(kernel, dtype)
    if frames >= _LONG:
        lags = torch.nonzero(kernel).flatten() - (frames - 1)
        reach = int(lags.abs().max()) if len(lags) else 0
        if reach <= _BAND[dtype]:
            return Band(kernel, reach, dtype)
        found = exponentials or _exponential(kernel, torch.finfo(dtype).eps)
        if found is not None and len(found[0]) <= _SCAN[dtype]:
            return Scan(*found, frames, dtype)
    return Convolution(kernel, dtype)


def _exponential(kernel: Tensor, eps: float) -> Exponentials | None:
    """``w exp(-a |h|)``, if the kernel is that up to rounding."""
    frames = (len(kernel) + 1) // 2
    weight, half = kernel[frames - 1], kernel[frames - 1 :]
    if not weight:
        return None
    relative = half / weight
    lag = int((relative - math.exp(-1)).abs().argmin())  # the slope is best conditioned there
    if not (lag > 0 and 0 < relative[lag] < 1):
        return None
    slope = -torch.log(relative[lag]) / lag
    lags = torch.arange(1 - frames, frames, device=kernel.device).abs()
    difference = kernel / weight - torch.exp(-slope * lags)
    fits = bool((difference.abs() <= 8 * eps).all())
    return (slope[None], weight[None]) if fits else None
