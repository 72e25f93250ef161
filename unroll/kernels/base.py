"""What every temporal kernel offers: gamma(h) as a function of the lag h, in frames."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import MISSING, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import toeplitz

from unroll.errors import ArgumentError
from unroll.kernels.alternating import EPS, ROUNDING
from unroll.validation import Array, choice, integer


class Kernel(ABC):
    """Stationary temporal kernel gamma with gamma(0) = 1, positive definite at every length.

    Positive and decreasing in the lag, unless `signed`: then |gamma(h)| <= 1 is all that holds.
    Subclasses are frozen dataclasses whose fields are the parameters. Lags and length scales are
    counted in frames.
    """

    regime: ClassVar[str]
    #: Whether gamma takes negative values; such a kernel overrides `autocov` and `log_parts`.
    signed: ClassVar[bool] = False
    _registry: ClassVar[dict[str, type[Kernel]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Kernel._registry[cls.regime] = cls

    @abstractmethod
    def log_autocov(self, lag: ArrayLike) -> Array:
        """log |gamma(lag)|, finite where gamma itself underflows. Same shape as `lag`."""

    @abstractmethod
    def symbol_min(self, frames: int) -> float:
        """Certified lower bound on the smallest eigenvalue of `matrix(n)` for every n <= frames.

        Rounding and truncation are subtracted, so it is a true lower bound; it is 0.0 where
        float64 cannot separate the eigenvalue from 0.
        """

    @abstractmethod
    def tail_bound(self, bandwidth: int, frames: int) -> float:
        """Closed-form upper bound on `tail_sum(bandwidth, frames)`, rounded upwards."""

    def autocov(self, lag: ArrayLike) -> Array:
        """gamma(lag), the correlation of two frames that are `lag` apart. Same shape as `lag`."""
        return np.exp(self.log_autocov(lag))

    def log_parts(self, lag: ArrayLike) -> tuple[Array, ...]:
        """Logs of what gamma is made of: of gamma itself, or of its positive and negative part.

        gamma = exp(first) - exp(second), the second being there for `signed` kernels only.
        """
        return (self.log_autocov(lag),)

    def symbol_max(self) -> float:
        """Certified upper bound on the largest eigenvalue of `matrix(n)` for every n.

        Infinite where no closed form is known, or where there is no such bound.
        """
        return math.inf

    def check_frames(self, frames: int) -> None:
        """`ArgumentError` where the kernel does not cover that many frames; most cover any."""
        integer("frames", frames, 1)

    def matrix(self, frames: int) -> Array:
        """Temporal covariance Gamma_ij = gamma(|i - j|), shape (frames, frames)."""
        frames = integer("frames", frames, 1)
        return np.asarray(toeplitz(self.autocov(np.arange(frames))), dtype=np.float64)

    def tail_sum(self, bandwidth: int, frames: int) -> float:
        """Mass of the lags that a band of half-width `bandwidth` drops.

        T_N(J) = sum of |gamma(k)| over J < k < N, with J = `bandwidth` >= 0 and N = `frames`.
        """
        bandwidth, frames = _band(bandwidth, frames)
        return math.fsum(np.abs(self.autocov(np.arange(bandwidth + 1, frames))))

    def to_dict(self) -> dict[str, Any]:
        """Regime and parameters; `kernel_from_dict` reads it back."""
        parameters = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {"regime": self.regime, **parameters}

    def _shortest_bound(self, closed_form: float, bandwidth: int, frames: int) -> float:
        """The smaller of a closed form and (number of lags) * gamma(first lag), rounded up."""
        first = float(self.log_autocov(bandwidth + 1))
        crude = round_up((frames - 1 - bandwidth) * math.exp(first), first)
        return crude if math.isnan(closed_form) else min(closed_form, crude)


def _band(bandwidth: int, frames: int) -> tuple[int, int]:
    return integer("bandwidth", bandwidth, 0), integer("frames", frames, 1)


def round_up(value: float, log_value: float) -> float:
    """A positive value raised above its own rounding error.

    `log_value` is the largest |log| that an exp in `value` was given.
    """
    tiny = float(np.finfo(np.float64).tiny)
    if value == 0:
        return tiny
    return value * (1 + ROUNDING * EPS * (1 + abs(log_value))) + tiny


def lags_of(lag: ArrayLike) -> Array:
    """Absolute lags as float64."""
    return np.abs(np.asarray(lag, dtype=np.float64))


def kernel_from_dict(values: Any) -> Kernel:
    """The kernel that `Kernel.to_dict` described.

    Raises
    ------
    ArgumentError
        Unknown regime, a missing or unknown key, or a parameter out of range.

    Examples
    --------
    >>> kernel_from_dict({"regime": "polynomial", "length_scale": 8.0, "power": 2.0})
    Polynomial(length_scale=8.0, power=2.0)
    """
    remedy = f'give "regime" ({", ".join(Kernel._registry)}) and its parameters'
    if not isinstance(values, dict):
        raise ArgumentError("kernel", values, "must be a mapping", remedy)
    if "regime" not in values:
        raise ArgumentError("kernel", values, 'the key "regime" is missing', remedy)
    cls = Kernel._registry[choice("regime", values["regime"], Kernel._registry)]
    given = {key: value for key, value in values.items() if key != "regime"}
    known = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(map(str, set(given) - set(known)))
    required = [name for name, field in known.items() if field.default is MISSING]
    missing = [name for name in required if name not in given]
    expected = f"the {cls.regime} kernel takes {', '.join(known)}"
    if missing:
        raise ArgumentError("kernel", values, f"missing: {', '.join(missing)}", expected)
    if unknown:
        raise ArgumentError("kernel", values, f"unknown: {', '.join(unknown)}", expected)
    return cls(**given)
