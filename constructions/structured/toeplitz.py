"""The fastest form of a Toeplitz matrix: one matrix, windows of a band, scans or transforms."""

from __future__ import annotations

import torch
from torch import Tensor

from constructions.structured.convolution import Band, Convolution
from constructions.structured.mixing import Dense, Mixing
from constructions.structured.scan import Scan

__all__ = ["toeplitz"]

# Thresholds measured with 16 sequences of one channel on one x86 core, AVX2.
_MATRIX = {torch.float64: 96, torch.float32: 192}
_BAND = 48
_SCAN_FRAMES, _SCAN_HEADS = 2048, 16


def toeplitz(
    kernel: Tensor, dtype: torch.dtype, exponentials: tuple[Tensor, Tensor] | None = None
) -> Mixing:
    """The mixing ``y_i = sum_j k(j - i) x_j``.

    Parameters
    ----------
    kernel
        ``k``, tensor (2n - 1,), float64.
    dtype
        In which to compute.
    exponentials
        Slopes and weights if ``k(h) = sum_m weights_m exp(-slopes_m |h|)``.
    """
    frames = (len(kernel) + 1) // 2
    if frames <= _MATRIX.get(dtype, 128):
        return Dense(kernel, dtype)
    lags = torch.nonzero(kernel).flatten() - (frames - 1)
    reach = int(lags.abs().max()) if len(lags) else 0
    if reach <= _BAND:
        return Band(kernel, reach, dtype)
    if exponentials is not None and frames >= _SCAN_FRAMES:
        slopes, weights = exponentials
        if len(slopes) <= _SCAN_HEADS:
            return Scan(slopes, weights, frames, dtype)
    return Convolution(kernel, dtype)
