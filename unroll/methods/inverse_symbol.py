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

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unroll.errors import ArgumentError
from unroll.kernels import Kernel
from unroll.methods.base import Array
from unroll.methods.embedding import block_product, toeplitz_symbol
from unroll.methods.gates import log_series, resolvent
from unroll.methods.outliers import find_outliers
from unroll.methods.preconditioned_error import dense_error
from unroll.methods.spectra import MOST_STEPS, Rows, Spectra, log_noise_range
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

__all__ = ["InverseSymbol", "log_noise_range", "smallest_steps", "step_sizes"]

_DENSE = 512  # up to this size errors are computed from products of matrices

step_sizes = log_series


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
            ``K``.
        """
        if integer("steps", steps, 1) > MOST_STEPS:
            condition = f"must be at most {MOST_STEPS}"
            raise ArgumentError("steps", steps, condition, "a few steps are enough")
        log_range = log_noise_range(spatial_eigenvalues, t_min, t_max)
        spectra = Spectra(kernel, integer("frames", frames, 1), log_range)
        return cls._of(spectra, spectra.fit(steps)[0])

    @classmethod
    def _of(cls, spectra: Spectra, rows: Rows) -> InverseSymbol:
        symbol = tuple(map(float, spectra.symbol))
        return cls(spectra.period, symbol, spectra.log_range, rows)

    def steps(self, x: Array) -> list[Array]:
        """The step sizes ``eta_0(x), ..., eta_{K-1}(x)``, each of the shape of ``x``."""
        return [log_series(row, self.log_range, x) for row in self.roots]

    def gates(self, alpha_sq: Array, sigma_sq: Array, mu: Array) -> Array:
        """Eigenvalues of the circulant of ``P``: the gates of its heads.

        ``1 / (alpha^2 f_m mu + sigma^2)``.

        Parameters
        ----------
        alpha_sq, sigma_sq, mu
            Scalars, or arrays that broadcast to (...,).

        Returns
        -------
        Array (..., period // 2 + 1).
        """
        signal, noise = np.multiply(alpha_sq, mu), np.asarray(sigma_sq)
        return resolvent(signal[..., None], noise[..., None], np.array(self.symbol))

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
        self._check_range(noise / signal, t)
        gates, sizes = self.gates(signal, noise, 1.0), self.steps(noise / signal)
        product = _temporal_product(temporal)
        # channels of the eigenbasis of Sigma before frames: FFTs run along the last axis
        right = np.swapaxes(b @ rotation, -1, -2)
        s = np.zeros(np.broadcast_shapes(right.shape, (*sizes[0].shape, 1)))
        for eta in sizes:
            residual = signal[..., None] * product(s) + noise[..., None] * s + right
            s = s - eta[..., None] * block_product(gates, self.period, residual)
            yield np.swapaxes(s, -1, -2) @ rotation.T

    def _check_range(self, x: Array, t: ArrayLike) -> None:
        low, high = self.log_range
        y, slack = np.log(x), 1e-9 * (high - low)
        if y.min() < low - slack or y.max() > high + slack:
            condition = "(e^t - 1) / mu leaves the range of the design"
            raise ArgumentError("t", t, condition, "design for a wider range of t")

    def relative_error(
        self, kernel: Kernel, frames: int, spatial_cov: ArrayLike, t: float
    ) -> float:
        """The relative root-mean-square error at ``t`` in exact arithmetic, ``V ~ p_t``.

        From products of matrices up to 512 frames. Beyond, from the outliers that Lanczos finds
        and a mean of the other eigenvalues, which is less exact the closer the error is to
        rounding.
        """
        mu = np.linalg.eigvalsh(spd_matrix("spatial_cov", spatial_cov))
        t = positive("t", t)
        column = kernel.autocov(np.arange(integer("frames", frames, 1)))
        left = total = 0.0
        for value in mu:
            x = float(np.expm1(t) / value)
            gates, sizes = self.gates(1.0, x, 1.0), np.array(self.steps(x))
            if frames <= _DENSE:
                squares, weight = dense_error(column, gates, self.period, x, sizes)
            else:
                spectrum = find_outliers(column, gates, self.period, x)
                weight = float(spectrum.weights.sum())
                squares = spectrum.error(sizes) ** 2 * weight
            left, total = left + squares / value, total + weight / value
        return float(np.sqrt(left / total))

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
    grid of ``x`` finer than the one the step sizes were fitted on, is kept below `tol`.

    Parameters
    ----------
    kernel, frames, spatial_eigenvalues, t_min, t_max
        As for `InverseSymbol.design`.
    tol
        Relative root-mean-square error of the score, in exact arithmetic.

    Raises
    ------
    ArgumentError
        Where double precision does not allow it, or 32 steps are too few.
    """
    tol = in_range("tol", tol, 0.0, 1.0, low_open=True, high_open=True)
    log_range = log_noise_range(spatial_eigenvalues, t_min, t_max)
    spectra = Spectra(kernel, integer("frames", frames, 1), log_range)
    rows = spectra.fewest(tol)
    if rows is None:
        condition = "is out of reach of this method in double precision"
        remedy = "allow a larger error or a larger t_min, or use another method"
        raise ArgumentError("tol", tol, condition, remedy)
    return InverseSymbol._of(spectra, rows)
