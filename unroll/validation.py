"""Small checks of arguments. Each returns the checked value or raises `ArgumentError`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unroll.errors import ArgumentError

Array = NDArray[np.float64]

#: Relative asymmetry that is still read as rounding of a symmetric matrix.
SYMMETRY_TOLERANCE = 1e-10


def real(argument: str, value: Any, remedy: str = "give a number") -> float:
    """A finite real number (booleans and strings are not numbers)."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise ArgumentError(argument, value, "must be a real number", remedy)
    number = float(value)
    if not math.isfinite(number):
        raise ArgumentError(argument, value, "must be finite", remedy)
    return number


def positive(argument: str, value: Any, remedy: str = "give a number greater than 0") -> float:
    """A finite number greater than 0."""
    number = real(argument, value, remedy)
    if number <= 0:
        raise ArgumentError(argument, value, "must be greater than 0", remedy)
    return number


def in_range(
    argument: str,
    value: Any,
    low: float,
    high: float,
    *,
    low_open: bool = False,
    high_open: bool = False,
) -> float:
    """A finite number between `low` and `high` (ends included unless said to be open)."""
    interval = f"{'(' if low_open else '['}{low}, {high}{')' if high_open else ']'}"
    number = real(argument, value, f"give a number in {interval}")
    below = number <= low if low_open else number < low
    above = number >= high if high_open else number > high
    if below or above:
        remedy = f"give a number in {interval}"
        raise ArgumentError(argument, value, f"must lie in {interval}", remedy)
    return number


def integer(argument: str, value: Any, minimum: int, remedy: str = "") -> int:
    """A whole number that is at least `minimum`. Floats are refused, also 64.0."""
    remedy = remedy or f"give an integer of at least {minimum}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral):
        raise ArgumentError(argument, value, "must be an integer", remedy)
    if value < minimum:
        raise ArgumentError(argument, value, f"must be at least {minimum}", remedy)
    return int(value)


def instance(argument: str, value: Any, kind: type, remedy: str) -> Any:
    """A value of one class."""
    if not isinstance(value, kind):
        raise ArgumentError(argument, value, f"must be a {kind.__name__}", remedy)
    return value


def choice(argument: str, value: Any, options: Iterable[str]) -> str:
    """One of a few names."""
    names = list(options)
    if not isinstance(value, str) or value not in names:
        remedy = f"give one of {', '.join(names)}"
        raise ArgumentError(argument, value, "is not a known name", remedy)
    return value


def finite_array(argument: str, value: ArrayLike, remedy: str = "give finite numbers") -> Array:
    """A float64 array of real numbers without NaN or infinity."""
    try:
        given = np.asarray(value)
        if given.dtype.kind not in "fiu":
            raise TypeError
        array = given.astype(np.float64)
    except (TypeError, ValueError):
        condition = "must be a rectangular array of real numbers"
        raise ArgumentError(argument, value, condition, remedy) from None
    if not np.all(np.isfinite(array)):
        count = int(np.sum(~np.isfinite(array)))
        raise ArgumentError(argument, value, f"holds {count} NaN or infinite entries", remedy)
    return array


def trailing_shape(argument: str, value: ArrayLike, *trailing: int) -> Array:
    """A finite array of shape `(..., *trailing)`."""
    array = finite_array(argument, value)
    if array.ndim < len(trailing) or array.shape[array.ndim - len(trailing) :] != trailing:
        expected = ", ".join(["...", *map(str, trailing)])
        raise ArgumentError(
            argument,
            array,
            f"must have shape ({expected}), got shape {array.shape}",
            "check the number of frames and channels, and their order (frames before channels)",
        )
    return array


def spd_matrix(argument: str, value: ArrayLike, size: int | None = None) -> Array:
    """A symmetric positive definite matrix, returned exactly symmetric.

    The smallest eigenvalue must exceed the rounding error of its own computation,
    size * eps * largest eigenvalue.
    """
    matrix = finite_array(argument, value)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        condition = f"must be a square matrix of shape (d, d), got shape {matrix.shape}"
        raise ArgumentError(
            argument, matrix, condition, "give the d x d covariance of the channels"
        )
    if size is not None and matrix.shape[0] != size:
        condition = f"must have shape ({size}, {size}), got shape {matrix.shape}"
        raise ArgumentError(argument, matrix, condition, "match the number of channels")
    scale = float(np.max(np.abs(matrix)))
    gap = float(np.max(np.abs(matrix - matrix.T)))
    if gap > SYMMETRY_TOLERANCE * scale:
        remedy = "give (S + S.T) / 2 if the difference is noise"
        condition = f"must be symmetric, entries differ from the transpose by up to {gap:.3g}"
        raise ArgumentError(argument, matrix, condition, remedy)
    matrix = matrix / 2 + matrix.T / 2
    eigenvalues = np.linalg.eigvalsh(matrix)
    smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
    if smallest <= matrix.shape[0] * np.finfo(np.float64).eps * largest:
        condition = f"must be positive definite, smallest eigenvalue is {smallest:.3g}"
        remedy = "drop channels that are combinations of others, or add a small multiple of I"
        raise ArgumentError(argument, matrix, condition, remedy)
    return matrix


def diffusion_times(argument: str, value: ArrayLike) -> Array:
    """Diffusion times: finite and greater than 0."""
    t = finite_array(argument, value, "give a diffusion time t > 0")
    if np.any(t <= 0):
        condition = "diffusion time must be greater than 0"
        raise ArgumentError(argument, value, condition, "give a diffusion time t > 0, such as 0.01")
    return t


def generator(rng: Any) -> np.random.Generator:
    """A numpy generator from a seed or a generator."""
    if isinstance(rng, np.random.Generator):
        return rng
    return np.random.default_rng(integer("rng", rng, 0, "give a seed >= 0 or a numpy Generator"))
