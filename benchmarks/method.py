"""What a method is: a constructor, ``setup(t)`` and ``solve(v)``."""

from __future__ import annotations

import importlib.util
from typing import ClassVar

import numpy as np

from benchmarks.problem import Problem
from unroll.validation import Array

#: Bytes of dense matrices that a method may hold.
MEMORY_LIMIT = 4e9


class Method:
    """One way to evaluate the score.

    The constructor does what is independent of t, `setup` what one t needs, `solve` the rest.

    Attributes
    ----------
    name
        As it appears in tables.
    general
        Whether it takes any kernel.
    growth
        Exponents of N in the seconds of the constructor and of `setup` and `solve` together:
        from one size the suite predicts the next.
    dense_matrices
        N x N matrices held at once, besides one per channel where `dense_per_channel`.
    module
        Python module that must be installed.
    uses_torch
        Whether its memory is torch's.
    always
        Whether it runs however long its constructor takes.
    seconds_built
        Seconds of a constructor whose main part is shared between cases, and so not seen; or None.
    note
        Settings that `calibrate` chose, for the table.
    """

    name: ClassVar[str]
    general: ClassVar[bool] = True
    growth: ClassVar[tuple[float, float]] = (1.0, 1.2)
    dense_matrices: ClassVar[int] = 0
    dense_per_channel: ClassVar[bool] = False
    module: ClassVar[str | None] = None
    uses_torch: ClassVar[bool] = False
    always: ClassVar[bool] = False
    seconds_built: float | None = None

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.note = ""
        self._rotation = problem.spatial_eigen[1].astype(problem.dtype)

    @classmethod
    def refusal(cls, problem: Problem) -> str | None:
        """Why the method does not take this problem, in a few words, or None."""
        if cls.module and importlib.util.find_spec(cls.module) is None:
            return f"{cls.module} not installed"
        matrices = cls.dense_matrices + problem.channels * cls.dense_per_channel
        size = matrices * problem.frames**2 * np.dtype(problem.dtype).itemsize
        return f"needs {size / 1e9:.0f} GB" if size > MEMORY_LIMIT else None

    def calibrate(self, t: float, v: Array, exact: Array, target: float) -> None:
        """Choose the loosest tolerance whose measured error is at most ``target``.

        ``exact`` is the score of ``v``. Called after `setup` for t, and leaves it set up for t.
        Direct methods have no tolerance.
        """

    def setup(self, t: float) -> None:
        """Everything that depends on t and not on the sequences."""
        raise NotImplementedError

    def solve(self, v: Array) -> Array:
        """The score (batch, frames, channels) of noisy sequences at the t of `setup`."""
        raise NotImplementedError

    def rotate(self, v: Array) -> Array:
        """Sequences (batch, frames, channels) to Sigma's eigenbasis: (channels, batch, frames)."""
        batch, frames, channels = v.shape
        rotated: Array = self._rotation.T @ v.reshape(-1, channels).T
        return rotated.reshape(channels, batch, frames)

    def rotate_back(self, x: Array) -> Array:
        """The inverse of `rotate`."""
        channels, batch, frames = x.shape
        back: Array = x.reshape(channels, -1).T @ self._rotation.T
        return back.reshape(batch, frames, channels)


def relative_error(score: Array, exact: Array) -> float:
    """Relative root-mean-square error over all sequences, summed in float64."""
    difference = np.asarray(score, dtype=np.float64) - exact
    return float(np.linalg.norm(difference) / np.linalg.norm(exact))
