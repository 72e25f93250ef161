"""Toeplitz and circulant mixing by real fast Fourier transforms, and narrow bands by windows.

A Toeplitz matrix is the leading block of a circulant; the sequence is padded with zeros, its
spectrum multiplied, and the first frames of the product are kept.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from scipy.fft import next_fast_len
from torch import Tensor

from constructions.structured.channels import Factor, times
from constructions.structured.mixing import Gates, Mixing
from constructions.structured.moment import Moment

__all__ = ["Band", "Circulant", "Convolution"]


class _Spectral(Mixing):
    """The leading block of a circulant, given by its eigenvalues."""

    takes_diagonal: ClassVar[bool] = True

    def __init__(self, period: int, dtype: torch.dtype) -> None:
        self.period, self._dtype = period, dtype

    @property
    def dtype(self) -> torch.dtype:
        """Of the sequences."""
        return self._dtype

    @abstractmethod
    def eigenvalues(self, moment: Moment) -> Tensor:
        """Tensor (U or 1, frequencies), with M diffusion times (M, U or 1, frequencies); double."""

    def prepare(self, moment: Moment, scale: Factor | None, diagonal: Factor | None) -> Tensor:
        """Scale and diagonal join the eigenvalues."""
        multiplier = times(scale, self.eigenvalues(moment))
        if diagonal is not None:
            multiplier = multiplier + diagonal
        complex_too = multiplier.dtype.is_complex
        return multiplier.to(self.dtype.to_complex() if complex_too else self.dtype)

    def apply(self, x: Tensor, prepared: Tensor) -> Tensor:
        """Two transforms of all channels of all sequences."""
        spectrum = torch.fft.rfft(x, self.period)
        if prepared.requires_grad or (prepared.ndim == 3 and prepared.shape[0] > x.shape[0]):
            spectrum = spectrum * prepared
        else:
            spectrum *= prepared
        product: Tensor = torch.fft.irfft(spectrum, self.period)
        return product[..., : x.shape[-1]]


class Convolution(_Spectral):
    """A kernel ``k(j - i)``, tensor (2n - 1,) float64, the same at every diffusion time."""

    name = "convolution"

    def __init__(self, kernel: Tensor, dtype: torch.dtype) -> None:
        frames = (len(kernel) + 1) // 2
        super().__init__(next_fast_len(len(kernel), real=True), dtype)
        row = kernel.new_zeros(self.period)  # entry m multiplies frame i - m
        row[:frames] = kernel[:frames].flip(0)
        row[self.period - frames + 1 :] = kernel[frames:].flip(0)
        spectrum = torch.fft.rfft(row)
        symmetric = torch.equal(kernel, kernel.flip(0))
        self._eigenvalues: Tensor = (spectrum.real.clone() if symmetric else spectrum)[None]

    def eigenvalues(self, moment: Moment) -> Tensor:
        """A constant."""
        return self._eigenvalues


class Circulant(_Spectral):
    """Linear attention on cosines and sines of ``2 pi m i / period``, gated.

    Parameters
    ----------
    harmonics
        ``m`` of every head, integers (H,) in ``0 ... period // 2``.
    amplitude, poles, baseline
        As for `Gates`.
    """

    name = "circulant"

    def __init__(
        self,
        harmonics: Tensor,
        period: int,
        amplitude: Tensor,
        poles: Tensor,
        baseline: Tensor | None,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(period, dtype)
        self._count = period // 2 + 1
        everyone = torch.arange(self._count, device=harmonics.device)
        self._harmonics = None if torch.equal(harmonics, everyone) else harmonics
        # cos(2 pi m h / C) is half of two waves, or one alone where they are the same wave
        waves = torch.where((2 * harmonics) % period == 0, float(period), period / 2.0).double()
        self._gates = Gates(amplitude * waves, poles, baseline)

    def eigenvalues(self, moment: Moment) -> Tensor:
        """Of the circulant at this diffusion time."""
        weight = self._gates(moment)
        if self._harmonics is None:
            return weight
        empty = weight.new_zeros(*weight.shape[:-1], self._count)
        return empty.index_add(-1, self._harmonics, weight)


class Band(Mixing):
    """A kernel that vanishes beyond a small lag: overlapping windows times one matrix.

    Parameters
    ----------
    kernel
        ``k(j - i)``, tensor (2n - 1,), float64.
    reach
        Largest lag at which it does not vanish.
    """

    name = "band"

    #: Frames that a window writes. Measured: 32 is as good as 64 or better, 128 is slower.
    WINDOW = 32

    def __init__(self, kernel: Tensor, reach: int, dtype: torch.dtype) -> None:
        frames, window = (len(kernel) + 1) // 2, self.WINDOW
        self._reach, self._tail = reach, -frames % window
        read = torch.arange(window + 2 * reach, device=kernel.device)[:, None] - reach
        lag = read - torch.arange(window, device=kernel.device)
        inside = lag.abs() <= reach
        matrix = kernel[torch.where(inside, lag, 0) + frames - 1] * inside
        self._matrix = matrix.to(dtype)

    @property
    def dtype(self) -> torch.dtype:
        """Of the matrix."""
        return self._matrix.dtype

    def apply(self, x: Tensor, prepared: Factor | None) -> Tensor:
        """One matrix product for all windows."""
        padded = torch.nn.functional.pad(x, (self._reach, self._reach + self._tail))
        windows = padded.unfold(-1, len(self._matrix), self.WINDOW)  # [B, U, windows, read]
        mixed = (windows @ self._matrix).flatten(-2)[..., : x.shape[-1]]
        return times(prepared, mixed)
