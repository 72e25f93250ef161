"""What a method is: step sizes and momenta, a guaranteed rate, and the iteration itself.

Every method here is a first-order iteration for the linear system ``A s + b = 0`` with
``eig(A)`` in ``[lower, upper]``, started at ``s_0 = 0``:

    s_{k+1} = s_k - eta_k (A s_k + b) + beta_k (s_k - s_{k-1}).

Unrolling is a way to *read* this loop, not a second implementation: one pass of the loop body is
one transformer block, ``eta_k`` and ``beta_k`` become its gates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

__all__ = ["Array", "Method", "iterate"]

# Coefficients are written with +, -, *, / and ** only, so that the same lines serve numpy arrays
# and torch tensors: the time embedding of a model evaluates them in the model's own precision.
Array = Any


class Method(ABC):
    """An iteration whose residual polynomial is known.

    The error of the ``K``-th iterate is ``s_K - s = -r_K(A) s`` with the residual polynomial
    ``r_K``, ``r_K(0) = 1``; `rate` bounds ``|r_K|`` on the spectrum and so the relative
    root-mean-square error of the score.
    """

    name: ClassVar[str]
    has_momentum: ClassVar[bool]

    @abstractmethod
    def step_size(self, k: int, lower: Array, upper: Array) -> Array:
        """``eta_k`` for a spectrum in ``[lower, upper]`` (arrays of one shape)."""

    @abstractmethod
    def momentum(self, k: int, lower: Array, upper: Array) -> Array:
        """``beta_k`` for a spectrum in ``[lower, upper]`` (arrays of one shape)."""

    @abstractmethod
    def rate(self, condition_number: float, depth: int) -> float:
        """``delta_K``: the maximum of ``|r_K|`` over ``[1, condition_number]``."""

    @abstractmethod
    def depth(self, condition_number: float, tol: float) -> int:
        """The smallest ``K >= 1`` with ``rate(condition_number, K) <= tol``."""

    @abstractmethod
    def error_weights(self, condition_number: float, depth: int) -> np.ndarray:
        """How local errors survive: ``||e_K|| <= sum_j weight_j ||xi_j||`` when the ``j``-th pass
        of the loop adds an error ``xi_j``; array (depth,).
        """

    @abstractmethod
    def step_bound(self) -> float:
        """A number that ``eta_k * upper`` never exceeds."""


def iterate(
    method: Method,
    matvec: Callable[[np.ndarray], np.ndarray],
    b: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    depth: int,
) -> Iterator[np.ndarray]:
    """Run a method on ``A s + b = 0`` and yield ``s_1, ..., s_depth``.

    Parameters
    ----------
    method
        Where the coefficients come from.
    matvec
        ``s -> A s``, array of the shape of ``b``.
    b
        Right-hand side, any shape (batch first).
    lower, upper
        Bounds of the spectrum of ``A``, broadcastable to ``b``.
    depth
        Number of iterates.
    """
    previous = np.zeros_like(b)
    current = np.zeros_like(b)
    for k in range(depth):
        eta = method.step_size(k, lower, upper)
        beta = method.momentum(k, lower, upper)
        following = current - eta * (matvec(current) + b) + beta * (current - previous)
        previous, current = current, following
        yield current
