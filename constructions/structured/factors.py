"""Gates and scales as affine maps of the time features; which of them are one or zero for good."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from constructions.structured.channels import Factor
from constructions.structured.moment import Moment

__all__ = ["Factors", "Table", "Values"]

Values = Sequence[Factor]
"""The factors of a block, by index."""


class Table:
    """Factors of one channel group: ``heard @ rows + fixed``.

    Parameters
    ----------
    rows
        Tensor (Q, channels), float64, for the features a block listens to.
    constant
        The row whose feature is one at every diffusion time, if there is one.
    fixed
        Added to it, (channels,); zero by default.
    """

    def __init__(
        self, rows: Tensor, constant: int | None = None, fixed: Tensor | None = None
    ) -> None:
        self.fixed = rows.new_zeros(rows.shape[1]) if fixed is None else fixed
        if constant is not None:
            self.fixed = self.fixed + rows[constant]
            rows = rows.clone()
            rows[constant] = 0.0
        self.rows = rows
        self.is_fixed = not rows.any()

    @classmethod
    def ones(cls, listens: int, channels: int, like: Tensor) -> Table:
        """A factor of one, on the device of ``like``."""
        one = torch.ones(channels, dtype=torch.float64, device=like.device)
        return cls(one.new_zeros(listens, channels), None, one)

    @property
    def is_zero(self) -> bool:
        """Whether the factor is zero at every diffusion time."""
        return self.is_fixed and not self.fixed.any()

    @property
    def is_one(self) -> bool:
        """Whether the factor is one at every diffusion time."""
        return self.is_fixed and bool((self.fixed == 1).all())

    def __add__(self, other: Table) -> Table:
        return Table(self.rows + other.rows, None, self.fixed + other.fixed)

    def scaled(self, by: Tensor) -> Table:
        """The factors times numbers (channels,)."""
        return Table(self.rows * by, None, self.fixed * by)


class Factors:
    """The tables that a kind of block needs, evaluated for all its blocks at once."""

    def __init__(self) -> None:
        self._tables: list[Table] = []

    def add(self, table: Table) -> int | None:
        """An index for `evaluate`; None where the factor is one."""
        return None if table.is_one else self.add_always(table)

    def add_always(self, table: Table) -> int:
        """An index for `evaluate`, whatever the factor is."""
        self._tables.append(table)
        return len(self._tables) - 1

    def finish(self, listens: Sequence[Sequence[int]]) -> None:
        """No more tables; the features that blocks listen to, (sets, Q)."""
        self._count = len(listens)
        self._sizes = [table.fixed.shape[0] for table in self._tables]
        if self._tables:
            self._rows = torch.cat([table.rows for table in self._tables], dim=1)
            self._fixed = torch.cat([table.fixed for table in self._tables])
            self._listens = torch.tensor([*listens], dtype=torch.long, device=self._rows.device)
            self._arrays = [x.cpu().numpy() for x in (self._rows, self._fixed, self._listens)]

    def evaluate(self, moment: Moment, dtype: torch.dtype) -> tuple[list[Values], list[Values]]:
        """The factors of every set, in double precision and in that of the sequences."""
        if not self._tables:
            return [()] * self._count, [()] * self._count
        if not isinstance(moment.features, Tensor):
            return self._numbers(moment, dtype)
        heard = moment.features[:, self._listens]  # [M, sets, Q]
        together = heard @ self._rows + self._fixed  # [M, sets, all channels]
        exact = self._split(together)
        return exact, exact if dtype == torch.float64 else self._split(together.to(dtype))

    def _split(self, together: Tensor) -> list[Values]:
        parts = torch.split(together[..., None], self._sizes, dim=2)
        return list(zip(*(part.unbind(1) for part in parts), strict=True))

    def _numbers(self, moment: Moment, dtype: torch.dtype) -> tuple[list[Values], list[Values]]:
        """Numbers where all channels agree: cheaper than tensors."""
        rows, fixed, listens = self._arrays
        together = moment.features[listens] @ rows + fixed  # [sets, all channels]
        exact: list[Sequence[Factor]] = []
        rounded: list[Sequence[Factor]] = []
        end = 0
        for size in self._sizes:
            part, end = together[:, end : end + size], end + size
            if (part == part[:, :1]).all():
                exact.append(part[:, 0].tolist())
                rounded.append(exact[-1])
            else:
                tensor = torch.as_tensor(part, device=self._rows.device)[:, None, :, None]
                exact.append(tensor.unbind(0))
                rounded.append(tensor.to(dtype).unbind(0))
        return list(zip(*exact, strict=True)), list(zip(*rounded, strict=True))
