"""Channel maps between groups of the residual stream, and sums of what is written to a group.

Sequences are kept as (batch, channels, frames): transforms along the frames then run over adjacent
numbers. A batch of one stands for something that all sequences share.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["ChannelMap", "Factor", "Sum", "across", "is_diagonal", "times"]


Factor = float | Tensor
"""A number, or a tensor (1 or M, channels, 1): M diffusion times."""


class ChannelMap:
    """``y = M^T x``; channel by channel where ``M`` is diagonal.

    Parameters
    ----------
    matrix
        ``M``, tensor (from, to), float64; None is the identity.
    dtype
        In which it is applied.

    Attributes
    ----------
    diagonal
        The diagonal of ``M``, float64, where there is nothing else; None for the identity too.
    """

    def __init__(self, matrix: Tensor | None, dtype: torch.dtype) -> None:
        self.diagonal: Tensor | None = None
        self._column: Tensor | None = None
        self._transposed: Tensor | None = None
        if matrix is not None and is_diagonal(matrix):
            self.diagonal = torch.diagonal(matrix).clone()
            if not bool((self.diagonal == 1).all()):
                self._column = self.diagonal[:, None].to(dtype)
        elif matrix is not None:
            self._transposed = matrix.T.to(dtype).contiguous()

    @property
    def is_identity(self) -> bool:
        """Whether nothing happens."""
        return self._transposed is None and self._column is None

    def __call__(self, x: Tensor) -> Tensor:
        """``x`` (B, from, n) to (B, to, n); ``x`` itself where ``M`` is the identity."""
        if self._transposed is not None:
            return torch.bmm(self._transposed.expand(x.shape[0], -1, -1), x)
        return times(self._column, x)

    def tokens(self, x: Tensor) -> Tensor:
        """The same as tokens, ``x`` (B, from, n) to (B, n, to)."""
        if self._transposed is None:
            return self(x).transpose(1, 2).contiguous()
        return torch.bmm(x.transpose(1, 2), self._transposed.T.expand(x.shape[0], -1, -1))


def is_diagonal(matrix: Tensor) -> bool:
    """Whether a matrix is square and zero off its diagonal."""
    square = matrix.shape[0] == matrix.shape[1]
    return square and torch.equal(matrix, torch.diag(torch.diagonal(matrix)))


def times(factor: Factor | None, x: Tensor) -> Tensor:
    """``factor x``; no factor is one."""
    return x if factor is None else x * factor


def across(x: Tensor, matrix: Tensor) -> Tensor:
    """``x @ matrix`` for ``x`` (B, channels, n): one product, without the detours of `matmul`."""
    product = torch.mm(x.reshape(-1, x.shape[-1]), matrix)
    return product.view(*x.shape[:-1], matrix.shape[1])


class Sum:
    """A sum that reuses the memory of a term that nobody else holds."""

    def __init__(self) -> None:
        self.total: Tensor | None = None
        self._owned = False

    def add_fresh(self, term: Tensor) -> None:
        """Add a tensor that was made for this sum."""
        if self.total is None:
            self.total, self._owned = term, True
        else:
            self.add(term)

    def add(self, term: Tensor, factor: Factor | None = None) -> None:
        """Add ``factor term``, leaving ``term`` as it is."""
        if self.total is None:
            self.total = times(factor, term)
            self._owned = factor is not None
            return
        batches = term.shape[0]
        if isinstance(factor, Tensor):
            batches = max(batches, factor.shape[0])
        inplace = self._owned and self.total.shape[0] >= batches
        if isinstance(factor, Tensor):
            fuse = self.total.addcmul_ if inplace else self.total.addcmul
            self.total = fuse(term, factor)
        else:
            add = self.total.add_ if inplace else self.total.add
            self.total = add(term, alpha=1 if factor is None else factor)
        self._owned = True
