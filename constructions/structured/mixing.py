"""What an attention layer does along the frames: the interface, and the dense forms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from constructions.structured.channels import Factor, across, times
from constructions.structured.moment import Moment
from unroll.methods.gates import resolvent

__all__ = ["Dense", "Features", "Gates", "Mixing", "Mixtures"]


class Mixing(ABC):
    """A linear map of the frames, one for every value channel or the same for all.

    `prepare` does all that depends on the diffusion time, `apply` the rest.
    """

    name: ClassVar[str]
    """For `StructuredTransformer.mechanisms`."""

    takes_diagonal: ClassVar[bool] = False
    """Whether a multiple of the identity can be added at no cost."""

    def prepare(self, moment: Moment, scale: Factor | None, diagonal: Factor | None) -> Any:
        """What `apply` needs for ``x -> scale (mixing x) + diagonal x``.

        Parameters
        ----------
        scale
            In double precision; None is one.
        diagonal
            The same; None is zero, as it is where `takes_diagonal` is false.
        """
        return scale.to(self.dtype) if isinstance(scale, Tensor) else scale

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """Of the sequences."""

    @abstractmethod
    def apply(self, x: Tensor, prepared: Any) -> Tensor:
        """A new tensor of the shape of ``x`` (B, channels, n)."""


class Dense(Mixing):
    """One matrix (n, n), entry ``(i, j)``: short sequences, for which nothing is faster."""

    name = "matrix"

    def __init__(self, matrix: Tensor, dtype: torch.dtype) -> None:
        self._matrix = matrix.T.to(dtype).contiguous()  # sequences are multiplied from the left

    @classmethod
    def toeplitz(cls, kernel: Tensor, dtype: torch.dtype) -> Dense:
        """The matrix ``k(j - i)`` of a kernel (2n - 1,)."""
        frames = (len(kernel) + 1) // 2
        frame = torch.arange(frames, device=kernel.device)
        return cls(kernel[frame - frame[:, None] + frames - 1], dtype)

    @property
    def dtype(self) -> torch.dtype:
        """Of the matrix."""
        return self._matrix.dtype

    def apply(self, x: Tensor, prepared: Factor | None) -> Tensor:
        """One matrix product."""
        return times(prepared, across(x, self._matrix))


class Gates:
    """Amplitudes of linear attention times its gates ``1 / (alpha^2 pole + sigma^2)``.

    Parameters
    ----------
    amplitude
        Tensor (H,).
    poles, baseline
        Tensors (H, U) and (U,); None where the layer has none.
    """

    def __init__(self, amplitude: Tensor, poles: Tensor | None, baseline: Tensor | None) -> None:
        self._amplitude = amplitude
        self._poles = None if poles is None else poles.T.contiguous()
        self._baseline = None if baseline is None else baseline[:, None]
        weights = (self._amplitude, self._poles, self._baseline)
        self._arrays = [None if w is None else w.cpu().numpy() for w in weights]

    def __call__(self, moment: Moment) -> Tensor:
        """Tensor (U or 1, H), float64, or (M, U or 1, H) for several diffusion times."""
        if self._poles is None:
            return self._amplitude[None]
        if id(self) not in moment.memo:
            if moment.rows is None:  # a few small numbers: numpy has the shorter way
                gated = torch.as_tensor(self._gated(moment, *self._arrays))
                moment.memo[id(self)] = gated.to(self._poles.device)
            else:
                gated = self._gated(moment, self._amplitude, self._poles, self._baseline)
                moment.memo[id(self)] = gated
        return moment.memo[id(self)]

    def _gated(self, moment: Moment, amplitude: Any, poles: Any, baseline: Any) -> Any:
        gate = resolvent(moment.alpha_sq, moment.sigma_sq, poles)
        if baseline is not None:
            gate = gate - resolvent(moment.alpha_sq, moment.sigma_sq, baseline)
        return amplitude * gate


class Features(Mixing):
    """Linear attention as it stands: two matrix products, ``O(N H)``.

    Parameters
    ----------
    query, key
        Features (n, H), float64.
    gates
        What scales them.
    """

    name = "features"

    def __init__(self, query: Tensor, key: Tensor, gates: Gates, dtype: torch.dtype) -> None:
        # transposed views of what lies row by row: measured 1.4 times faster with 1024 frames
        self._key = key.T.to(dtype).contiguous().T
        self._query = query.to(dtype).contiguous().T
        self._gates = gates

    @property
    def dtype(self) -> torch.dtype:
        """Of the features."""
        return self._key.dtype

    def prepare(self, moment: Moment, scale: Factor | None, diagonal: Factor | None) -> Tensor:
        """The weights of the features."""
        return times(scale, self._gates(moment)).to(self.dtype)

    def apply(self, x: Tensor, prepared: Tensor) -> Tensor:
        """Sums over frames, scaled and read."""
        return across(across(x, self._key) * prepared, self._query)


class Mixtures(Mixing):
    """Linear attention whose many heads read mixtures of a few channels, ``O(N r)``.

    The sum over heads is a small matrix ``sum_h gate_h c_h d_h^T`` between these channels, which
    is known before the sequences are.

    Parameters
    ----------
    query, key
        Channels (n, r) and the mixtures of them (r, H), float64.
    gates
        What scales the heads.
    """

    name = "mixtures"

    def __init__(
        self,
        query: tuple[Tensor, Tensor],
        key: tuple[Tensor, Tensor],
        gates: Gates,
        dtype: torch.dtype,
    ) -> None:
        self._key = key[0].T.to(dtype).contiguous().T
        self._query = query[0].to(dtype).contiguous().T
        self._asked, self._offered = query[1].T.contiguous(), key[1].contiguous()
        self._gates = gates

    @property
    def dtype(self) -> torch.dtype:
        """Of the channels."""
        return self._key.dtype

    def prepare(self, moment: Moment, scale: Factor | None, diagonal: Factor | None) -> Tensor:
        """The matrices (U or 1, r, r), or (M, U or 1, r, r) for several diffusion times."""
        gates = times(scale, self._gates(moment))
        return ((self._offered * gates[..., None, :]) @ self._asked).to(self.dtype)

    def apply(self, x: Tensor, prepared: Tensor) -> Tensor:
        """Sums over frames, mixed and read."""
        sums = across(x, self._key)
        if prepared.ndim == 3 and len(prepared) == 1:
            mixed = across(sums, prepared[0])
        else:
            mixed = (sums[..., None, :] @ prepared)[..., 0, :]
        return across(mixed, self._query)
