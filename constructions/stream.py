"""The residual stream: named channels, so that weights are written by name and never by index.

Every weight matrix here is a map between *named* directions of the stream. ``read`` and ``write``
are the only two ways to touch them, in the row convention ``x @ W`` used throughout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from unroll.errors import ArgumentError

__all__ = ["ResidualStream"]


class ResidualStream:
    """An ordered set of named channel groups.

    Parameters
    ----------
    groups
        Name to number of channels, in order.

    Examples
    --------
    >>> stream = ResidualStream({"s": 2, "v": 2, "sink": 1})
    >>> stream.width, stream["v"]
    (5, slice(2, 4, None))
    >>> stream.write("v", np.eye(2)) @ stream.read("v")
    array([[1., 0.],
           [0., 1.]])
    """

    def __init__(self, groups: Mapping[str, int]) -> None:
        self._groups = dict(groups)
        self._slices: dict[str, slice] = {}
        start = 0
        for name, size in self._groups.items():
            self._slices[name] = slice(start, start + size)
            start += size
        self.width = start

    def __getitem__(self, name: str) -> slice:
        if name not in self._slices:
            raise ArgumentError(
                "channel", name, "is not in the residual stream", f"use one of {[*self._slices]}"
            )
        return self._slices[name]

    def __contains__(self, name: object) -> bool:
        return name in self._slices

    def __iter__(self) -> Iterator[str]:
        return iter(self._slices)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResidualStream) and self.to_dict() == other.to_dict()

    def __repr__(self) -> str:
        return f"ResidualStream({self._groups})"

    def size(self, name: str) -> int:
        """Number of channels of a group."""
        channels = self[name]
        return int(channels.stop - channels.start)

    def read(self, name: str) -> np.ndarray:
        """The matrix (width, size) with ``x @ read(name) = x[name]``."""
        matrix = np.zeros((self.width, self.size(name)))
        matrix[self[name]] = np.eye(self.size(name))
        return matrix

    def write(self, name: str, matrix: np.ndarray) -> np.ndarray:
        """The matrix (rows, width) that writes ``y @ matrix`` into the channels ``name``."""
        written = np.zeros((matrix.shape[0], self.width))
        written[:, self[name]] = matrix
        return written

    def place(self, frames: int, **values: Any) -> np.ndarray:
        """Rows (frames, width) holding the given groups, zero elsewhere.

        Each value is an array (frames, size), or (frames,) for a group of one channel.
        """
        placed = np.zeros((frames, self.width))
        for name, value in values.items():
            array = np.asarray(value, dtype=np.float64)
            placed[:, self[name]] = array[:, None] if array.ndim == 1 else array
        return placed

    def to_dict(self) -> dict[str, int]:
        """Name to number of channels, in order."""
        return dict(self._groups)
