r"""Laws of sequences whose score is known at every diffusion time: what trained models should find.

Covariances are dense, ``(N d, N d)``: these are laws to compare networks with, not to scale. For a
Gaussian, with ``C = U diag(lambda) U^T``,

    s_t(v) = -U diag(1 / (alpha_t^2 lambda + sigma_t^2)) U^T (v - alpha_t m);

for a mixture of Gaussians the score is the mean of theirs, weighted by how likely each is given
``v``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from constructions.learned.network import noise_scale, signal_scale
from unroll.errors import ArgumentError
from unroll.gaussian_process import GaussianProcess
from unroll.validation import finite_array, trailing_shape

__all__ = ["GaussianLaw", "Law", "MixtureLaw"]

_ROUNDING = 1e-8  # asymmetry, and eigenvalues below 0, relative to the largest


class Law(ABC):
    """A law of sequences (frames, channels).

    Attributes
    ----------
    frames, channels
        Shape of a sequence.
    mean
        Array (frames, channels).
    covariance
        Array (frames * channels, frames * channels), of sequences in row-major order.
    """

    frames: int
    channels: int
    mean: np.ndarray
    covariance: np.ndarray

    @abstractmethod
    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Sequences (count, frames, channels), float64, on the device of the generator."""

    @abstractmethod
    def score(self, v: Tensor, t: Tensor) -> Tensor:
        """The exact score of noisy sequences (batch, frames, channels) at times (batch,)."""

    def __call__(self, v: Tensor, t: Tensor | float) -> Tensor:
        """The exact score, called as a model is."""
        times = torch.as_tensor(t, dtype=torch.float64, device=v.device).expand(len(v))
        return self.score(v.double(), times).to(v.dtype)


class GaussianLaw(Law):
    """A Gaussian.

    Parameters
    ----------
    mean
        Array (frames, channels).
    covariance
        Array (frames * channels, frames * channels), symmetric positive semidefinite.

    Raises
    ------
    ArgumentError
        Shapes that do not fit; a matrix that is no covariance.
    """

    def __init__(self, mean: ArrayLike, covariance: ArrayLike) -> None:
        self.mean = finite_array("mean", mean)
        if self.mean.ndim != 2:
            condition = "must have shape (frames, channels)"
            raise ArgumentError("mean", self.mean.shape, condition, "give one row per frame")
        self.frames, self.channels = self.mean.shape
        size = self.mean.size
        self.covariance = trailing_shape("covariance", covariance, size, size)
        gap = float(np.abs(self.covariance - self.covariance.T).max())
        if gap > _ROUNDING * np.abs(self.covariance).max():
            condition = f"must be symmetric, entries differ from the transpose by up to {gap:.3g}"
            raise ArgumentError("covariance", self.covariance, condition, "use (C + C.T) / 2")
        values, vectors = np.linalg.eigh((self.covariance + self.covariance.T) / 2)
        if values.min() < -_ROUNDING * max(values.max(), 1e-300):
            condition = f"has the eigenvalue {values.min():.3g}"
            remedy = "give a positive semidefinite matrix"
            raise ArgumentError("covariance", self.covariance, condition, remedy)
        self._values = torch.as_tensor(np.maximum(values, 0.0))
        self._vectors = torch.as_tensor(vectors)
        self._centre = torch.as_tensor(self.mean).flatten()

    @classmethod
    def of(cls, gp: GaussianProcess) -> GaussianLaw:
        """The law of a Gaussian process."""
        return cls(gp.mean, gp.covariance())

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Independent draws."""
        values, vectors, centre = self._on(generator.device)
        white = torch.randn(
            (count, len(centre)), generator=generator, dtype=torch.float64, device=generator.device
        )
        x = centre + (white * values.sqrt()) @ vectors.T
        return x.view(count, self.frames, self.channels)

    def score(self, v: Tensor, t: Tensor) -> Tensor:
        """The closed form."""
        return -self._solved(v, t)[0].view(v.shape)

    def log_density(self, v: Tensor, t: Tensor) -> Tensor:
        """``log p_t(v)``, (batch,)."""
        solved, distance, values = self._solved(v, t)
        size = (solved * distance).sum(-1) + values.log().sum(-1)
        return -(size + self._centre.numel() * math.log(2 * math.pi)) / 2

    def _solved(self, v: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``A_t^{-1} r``, ``r = v - alpha m`` and the eigenvalues of ``A_t``, one row for each."""
        values, vectors, centre = self._on(v.device)
        signal, noise = signal_scale(t)[:, None], noise_scale(t)[:, None]
        noisy = signal**2 * values + noise**2
        distance = v.flatten(1) - signal * centre
        return ((distance @ vectors) / noisy) @ vectors.T, distance, noisy

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        if self._values.device != device:
            self._values, self._vectors, self._centre = (
                x.to(device) for x in (self._values, self._vectors, self._centre)
            )
        return self._values, self._vectors, self._centre


class MixtureLaw(Law):
    """A mixture of Gaussians.

    Parameters
    ----------
    parts
        The Gaussians, all of one shape.
    weights
        Positive, with the sum 1.
    """

    def __init__(self, parts: Sequence[GaussianLaw], weights: ArrayLike) -> None:
        shares = finite_array("weights", weights)
        if shares.shape != (len(parts),) or shares.min() <= 0 or abs(shares.sum() - 1) > 1e-9:
            condition = "must be one positive number for each part, with the sum 1"
            raise ArgumentError("weights", shares, condition, "divide by their sum")
        if len({part.mean.shape for part in parts}) != 1:
            shapes = [part.mean.shape for part in parts]
            raise ArgumentError("parts", shapes, "must have one shape", "pad or cut sequences")
        self.parts, self.weights = list(parts), shares
        self.frames, self.channels = parts[0].frames, parts[0].channels
        self.mean = sum(w * p.mean for w, p in zip(shares, parts, strict=True))
        self.covariance = sum(
            w * (p.covariance + np.outer(p.mean - self.mean, p.mean - self.mean))
            for w, p in zip(shares, parts, strict=True)
        )

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Independent draws."""
        shares = torch.as_tensor(self.weights, device=generator.device)
        chosen = torch.multinomial(shares, count, replacement=True, generator=generator)
        drawn = torch.stack([part.draw(count, generator) for part in self.parts])
        return drawn[chosen, torch.arange(count, device=drawn.device)]

    def score(self, v: Tensor, t: Tensor) -> Tensor:
        """The mean of the scores of the parts, by how likely they are."""
        shares = torch.as_tensor(self.weights, device=v.device).log()
        logs = torch.stack([part.log_density(v, t) for part in self.parts]) + shares[:, None]
        likely = torch.softmax(logs, dim=0)[..., None, None]
        return (likely * torch.stack([part.score(v, t) for part in self.parts])).sum(0)
