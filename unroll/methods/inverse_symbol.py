r"""Preconditioned gradient descent with the inverse symbol: a handful of steps in every regime.

In the eigenbasis of ``Sigma`` the system of channel ``a`` is ``alpha^2 mu_a (Gamma + x I)`` with

    x = sigma^2 / (alpha^2 mu_a) = (e^t - 1) / mu_a,

so that everything depends on this one number. Embed ``Gamma`` in the circulant of period ``C``
with the first row ``gamma(min(k, C - k))`` and the eigenvalues ``f_m``. The preconditioner is the
leading block of a circulant again, whose eigenvalues are gates:

    P = leading N x N block of the circulant with eigenvalues 1 / (alpha^2 f_m mu_a + sigma^2).

Every eigenvalue of ``P A`` is at least 1, all but a few are 1 up to rounding, and these few do not
move with the number of frames. Step ``k`` is ``s <- s - eta_k(x) P (A s + b)``, ``s_0 = 0``, and
leaves the error ``e = -r(P A) s`` with ``r(h) = prod_k (1 - eta_k h)``. With ``P A v = h v``,
``v^T A v = 1``, the relative root-mean-square error is exactly

    (sum_i w_i r(h_i)^2 / sum_i w_i)^(1/2),    w_i = |v_i|^2,

and the best ``r`` is the orthogonal polynomial of the measure with the masses ``h_i w_i``: the
reciprocals of its roots (harmonic Ritz values) are the step sizes.

Source: the positive definite preconditioner of R. Chan & K.-P. Ng, "Toeplitz preconditioners for
Hermitian Toeplitz systems", Linear Algebra Appl. 190 (1993); harmonic Ritz values: C. Paige,
B. Parlett & H. van der Vorst, Numer. Linear Algebra Appl. 2 (1995).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unroll.errors import ArgumentError
from unroll.kernels import Kernel
from unroll.methods.base import Array
from unroll.methods.embedding import block_product, embed, toeplitz_symbol
from unroll.methods.gates import chebyshev_series, logarithm, resolvent
from unroll.methods.outliers import Outliers, find_outliers
from unroll.methods.ritz_steps import Samples, fit_series, lobatto, stable_order
from unroll.schedules import alpha_sq, sigma_sq
from unroll.validation import (
    diffusion_times,
    finite_array,
    in_range,
    integer,
    positive,
    spd_matrix,
    trailing_shape,
)

__all__ = ["InverseSymbol", "log_noise_range", "step_sizes"]

_MOST_STEPS = 32


def step_sizes(coefficients: Sequence[Any], log_range: Sequence[Any], x: Array) -> Array:
    """A Chebyshev series in ``log x``, such as one step size ``eta_k(x)``; shape of ``x``.

    Parameters
    ----------
    coefficients
        ``c_0, ..., c_{n-1}``.
    log_range
        The ends of the range of ``log x`` that is mapped to ``[-1, 1]``.
    x
        Float, numpy array, torch tensor or ball: ``sigma_t^2 / (alpha_t^2 mu)``.
    """
    low, high = log_range
    return chebyshev_series(coefficients, (2.0 * logarithm(x) - (low + high)) / (high - low))


@dataclass(frozen=True)
class InverseSymbol:
    """A design: the circulant, and the step sizes as functions of ``x``.

    Attributes
    ----------
    period
        ``C`` of the circulant.
    symbol
        Its eigenvalues ``f_0, ..., f_{C/2}``, none of them negative.
    log_range
        Range of ``log x`` that the step sizes cover.
    roots
        Chebyshev coefficients, (steps, n), of the step sizes: the reciprocals of the roots of the
        residual polynomial, in the order in which they are applied.
    """

    period: int
    symbol: tuple[float, ...]
    log_range: tuple[float, float]
    roots: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        integer("period", self.period, 2)
        low, high = (float(value) for value in finite_array("log_range", self.log_range))
        if not low < high:
            raise ArgumentError("log_range", self.log_range, "must ascend", "design anew")
        symbol = trailing_shape("symbol", self.symbol, self.period // 2 + 1)
        if symbol.ndim != 1 or symbol.min() < 0:
            raise ArgumentError(
                "symbol", symbol, "must not be negative", "set negative values to 0"
            )
        if finite_array("roots", self.roots).ndim != 2:
            raise ArgumentError("roots", self.roots, "must be a table", "give (steps, n) numbers")

    @property
    def count(self) -> int:
        """Number of steps ``K``."""
        return len(self.roots)

    @property
    def terms(self) -> int:
        """Number of Chebyshev coefficients of a step size."""
        return len(self.roots[0])

    @classmethod
    def design(
        cls,
        kernel: Kernel,
        frames: int,
        spatial_eigenvalues: ArrayLike,
        t_min: float,
        t_max: float,
        steps: int,
    ) -> InverseSymbol:
        """The step sizes with the smallest error, for every ``t`` in ``[t_min, t_max]``.

        Parameters
        ----------
        kernel, frames
            The temporal covariance.
        spatial_eigenvalues
            Eigenvalues of ``Sigma``, array (channels,).
        t_min, t_max
            Range of the diffusion time.
        steps
            ``K``. Steps that would only fit rounding errors become repetitions of the step that
            magnifies nothing.
        """
        steps = in_range("steps", integer("steps", steps, 1), 1, _MOST_STEPS)  # type: ignore[assignment]
        frames = integer("frames", frames, 1)
        log_range = log_noise_range(spatial_eigenvalues, t_min, t_max)
        period, symbol = embed(kernel, frames)
        samples = _samples(kernel, frames, period, symbol, log_range)
        return cls._from_samples(period, symbol, samples, int(steps))

    @classmethod
    def _from_samples(
        cls, period: int, symbol: Array, samples: Samples, steps: int
    ) -> InverseSymbol:
        useful = samples.useful_steps(steps)

        def sizes(u: float) -> Array:
            best = samples.best_step_sizes(u, useful)
            return np.concatenate([best, np.full(steps - useful, best[0])])

        series = fit_series(sizes)
        hardest = sizes(-1.0)
        order = stable_order(hardest, 1.0 + float(samples.at(-1.0).excess.max()))
        return cls(
            period,
            tuple(map(float, symbol)),
            samples.log_range,
            tuple(tuple(map(float, series[k])) for k in order),
        )

    def _largest_error(self, samples: Samples) -> float:
        """The largest error over twice as many points as there are coefficients."""
        errors = []
        for u in lobatto(2 * self.terms + 1):
            spectrum, x = samples.at(u), samples.noise(u)
            errors.append(spectrum.error(np.array(self.steps(x))))
        return max(errors)

    def steps(self, x: Array) -> list[Array]:
        """The step sizes ``eta_0(x), ..., eta_{K-1}(x)``, each of the shape of ``x``."""
        return [step_sizes(row, self.log_range, x) for row in self.roots]

    def gates(self, alpha_sq: Array, sigma_sq: Array, mu: Array) -> Array:
        """``1 / (alpha^2 f_m mu + sigma^2)``: eigenvalues of the circulant of ``P``.

        Parameters
        ----------
        alpha_sq, sigma_sq, mu
            Scalars, or arrays that broadcast to (...,).

        Returns
        -------
        Array (..., period // 2 + 1).
        """
        signal = np.multiply(alpha_sq, mu)[..., None]
        return resolvent(signal, np.asarray(sigma_sq)[..., None], np.array(self.symbol))

    def apply(self, x: ArrayLike, vectors: Array) -> Array:
        """``P`` times vectors, in units of the signal: the gates are ``1 / (f_m + x)``.

        Parameters
        ----------
        x
            Scalar, or array that broadcasts to (...,).
        vectors
            Array (..., frames).
        """
        return block_product(self.gates(1.0, np.asarray(x), 1.0), self.period, vectors)

    def run(
        self, temporal: ArrayLike, spatial_cov: ArrayLike, b: ArrayLike, t: ArrayLike
    ) -> Iterator[Array]:
        """The iterates ``s_1, ..., s_K`` for ``A_t s + b = 0``.

        Parameters
        ----------
        temporal
            First column of ``Gamma``, array (frames,), or all of it, (frames, frames).
        spatial_cov
            ``Sigma``, array (channels, channels).
        b
            Right-hand side ``V - alpha M``, array (..., frames, channels).
        t
            Diffusion time, scalar or array (...,).
        """
        temporal = finite_array("temporal", temporal)
        mu, rotation = np.linalg.eigh(spd_matrix("spatial_cov", spatial_cov))
        b = trailing_shape("b", b, temporal.shape[0], len(mu))
        times = diffusion_times("t", t)[..., None]
        signal, noise = alpha_sq(times) * mu, sigma_sq(times) + 0.0 * mu
        gates, sizes = self.gates(signal, noise, 1.0), self.steps(noise / signal)
        product = _temporal_product(temporal)
        # channels of the eigenbasis of Sigma before frames: FFTs run along the last axis
        right = np.swapaxes(b @ rotation, -1, -2)
        s = np.zeros(np.broadcast_shapes(right.shape, (*sizes[0].shape, 1)))
        for eta in sizes:
            residual = signal[..., None] * product(s) + noise[..., None] * s + right
            s = s - eta[..., None] * block_product(gates, self.period, residual)
            yield np.swapaxes(s, -1, -2) @ rotation.T

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists; `from_dict` reads them back."""
        return {
            "period": self.period,
            "symbol": list(self.symbol),
            "log_range": list(self.log_range),
            "roots": [list(row) for row in self.roots],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> InverseSymbol:
        """The design that `to_dict` described."""
        return cls(
            values["period"],
            tuple(values["symbol"]),
            (values["log_range"][0], values["log_range"][1]),
            tuple(tuple(row) for row in values["roots"]),
        )


def log_noise_range(
    spatial_eigenvalues: ArrayLike, t_min: float, t_max: float
) -> tuple[float, float]:
    """Range of ``log x``, ``x = (e^t - 1) / mu``, over diffusion times and spatial eigenvalues.

    >>> low, high = log_noise_range([0.5, 2.0], 0.01, 5.0)
    >>> round(low, 3), round(high, 3)
    (-5.293, 5.686)
    """
    mu = finite_array("spatial_eigenvalues", spatial_eigenvalues)
    if mu.ndim != 1 or len(mu) == 0 or mu.min() <= 0:
        condition = "must be positive numbers"
        raise ArgumentError("spatial_eigenvalues", mu, condition, "give the eigenvalues of Sigma")
    t_min, t_max = positive("t_min", t_min), positive("t_max", t_max)
    if t_min >= t_max:
        raise ArgumentError("t_min", t_min, f"must be below t_max={t_max}", "swap them")
    # log(e^t - 1) = t + log(1 - e^-t) does not overflow
    low, high = (t + math.log(-math.expm1(-t)) for t in (t_min, t_max))
    return low - math.log(mu.max()), high - math.log(mu.min())


def _samples(
    kernel: Kernel, frames: int, period: int, symbol: Array, log_range: tuple[float, float]
) -> Samples:
    column = kernel.autocov(np.arange(frames))

    def outliers(x: float) -> Outliers:
        return find_outliers(column, 1.0 / (symbol + x), period, x)

    return Samples(outliers, log_range)


def _temporal_product(temporal: Array) -> Any:
    """``vectors (..., frames) -> Gamma vectors``, by FFT where only a column is given."""
    if temporal.ndim == 2:
        return lambda vectors: vectors @ temporal.T
    period, symbol = toeplitz_symbol(temporal)
    return lambda vectors: block_product(symbol, period, vectors)


def smallest_steps(
    kernel: Kernel,
    frames: int,
    spatial_eigenvalues: ArrayLike,
    t_min: float,
    t_max: float,
    tol: float,
) -> InverseSymbol:
    """The design with the fewest steps whose predicted error is at most `tol` for every ``t``.

    The error of several channels is a mean of errors at single ``x``; the largest of those, over a
    grid of ``x`` twice as fine as the one the step sizes were fitted on, is kept below `tol`.

    Raises
    ------
    ArgumentError
        Where rounding or the kernel does not allow it within 32 steps.
    """
    tol = in_range("tol", tol, 0.0, 1.0, low_open=True, high_open=True)
    log_range = log_noise_range(spatial_eigenvalues, t_min, t_max)
    period, symbol = embed(kernel, integer("frames", frames, 1))
    samples = _samples(kernel, frames, period, symbol, log_range)
    for steps in range(1, _MOST_STEPS + 1):
        if samples.best_error(steps) > tol:
            continue
        design = InverseSymbol._from_samples(period, symbol, samples, steps)
        if design._largest_error(samples) <= tol:
            return design
    condition = f"is not reached within {_MOST_STEPS} steps"
    raise ArgumentError("tol", tol, condition, "allow a larger error, or a larger t_min")
