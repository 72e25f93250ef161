r"""The inverse symbol, corrected at the ends of the sequence: one pass, no iteration.

In the eigenbasis of ``Sigma`` the system of channel ``a`` is ``alpha^2 mu_a A``, with
``A = Gamma + x I`` and ``x = sigma^2 / (alpha^2 mu_a)``. Far from the ends ``A^{-1}`` is the
inverse symbol (`unroll.methods.inverse_symbol`); at the ends a few vectors ``W``, the same for
every ``x``, carry the difference:

    A^{-1} = P + sum_h rho_h v_h v_h^T / (x + p_h),    v_h = W c_h,

up to an error that is chosen. Every term is a head of attention with the gate
``1 / (alpha^2 p_h mu_a + sigma^2)``: Fourier heads for ``P``, heads of rank one for the rest. How
vectors, poles and amplitudes are found: `unroll.methods.boundary_systems` and
`unroll.methods.boundary_design`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import toeplitz

from unroll.errors import ArgumentError
from unroll.kernels import Kernel
from unroll.methods.boundary_design import Heads, fewest_heads, smallest_rank
from unroll.methods.boundary_systems import BoundarySystems, mirrored
from unroll.methods.embedding import block_product, embed
from unroll.methods.gates import resolvent
from unroll.methods.spectra import log_noise_range
from unroll.schedules import alpha_sq, sigma_sq
from unroll.validation import (
    Array,
    diffusion_times,
    finite_array,
    in_range,
    integer,
    positive,
    spd_matrix,
    trailing_shape,
)

__all__ = ["BoundaryCorrection"]

_LONGER = (1, 2, 4, 8)  # periods that are tried, over that of the embedding
_FEW = 32  # vectors: longer periods cost more heads than they save


@dataclass(frozen=True)
class BoundaryCorrection:
    """Heads for the circulant and for the ends.

    Attributes
    ----------
    frames
        ``N``.
    period
        ``C`` of the circulant.
    symbol
        Its eigenvalues ``f_0, ..., f_{C/2}``, none of them negative.
    halves
        First ``ceil(N / 2)`` entries of each vector of ``W``, (rank, ceil(N / 2)).
    signs
        1 for vectors that are even under reversal, -1 for odd ones, (rank,).
    read
        ``c_h``, (heads, rank).
    poles, amplitudes
        ``p_h > 0`` and ``rho_h``, (heads,).
    """

    frames: int
    period: int
    symbol: tuple[float, ...]
    halves: tuple[tuple[float, ...], ...]
    signs: tuple[int, ...]
    read: tuple[tuple[float, ...], ...]
    poles: tuple[float, ...]
    amplitudes: tuple[float, ...]

    def __post_init__(self) -> None:
        integer("frames", self.frames, 1)
        integer("period", self.period, 2)
        symbol = trailing_shape("symbol", self.symbol, self.period // 2 + 1)
        if symbol.ndim != 1 or symbol.min() < 0:
            condition = "must not be negative"
            raise ArgumentError("symbol", symbol, condition, "set negative values to 0")
        rank, heads = len(self.signs), len(self.poles)
        shapes = {
            "halves": (rank, (self.frames + 1) // 2),
            "signs": (rank,),
            "read": (heads, rank),
            "poles": (heads,),
            "amplitudes": (heads,),
        }
        for name, shape in shapes.items():
            value = finite_array(name, getattr(self, name))
            if value.shape != shape or 0 in shape:
                condition = f"must have shape {shape}, and has {value.shape}"
                raise ArgumentError(name, value, condition, "design anew")
        if not all(sign in (1, -1) for sign in self.signs):
            raise ArgumentError("signs", self.signs, "must be 1 or -1", "design anew")
        if not all(pole > 0 for pole in self.poles):
            raise ArgumentError("poles", self.poles, "must be positive", "design anew")

    @property
    def rank(self) -> int:
        """Number of vectors ``W``."""
        return len(self.signs)

    @property
    def heads(self) -> int:
        """Number of rank-one heads."""
        return len(self.poles)

    @property
    def ends(self) -> Array:
        """``W``, array (frames, rank)."""
        columns = np.zeros((self.frames, self.rank))
        for k, (half, sign) in enumerate(zip(self.halves, self.signs, strict=True)):
            columns[:, k : k + 1] = mirrored(np.array(half)[:, None], self.frames, sign)
        return columns

    def arrays(self) -> dict[str, Any]:
        """The numbers of all heads: ``ends`` (frames, rank) and ``read`` (rank, heads) beside
        ``period``, ``symbol``, ``poles`` and ``amplitudes``.
        """
        read = np.array(self.read).T
        names = ("period", "symbol", "poles", "amplitudes")
        return {name: getattr(self, name) for name in names} | {"ends": self.ends, "read": read}

    @classmethod
    def fewest(
        cls,
        kernel: Kernel,
        frames: int,
        spatial_eigenvalues: ArrayLike,
        t_min: float,
        t_max: float,
        tol: float,
    ) -> tuple[BoundaryCorrection, float] | None:
        """The correction with the fewest vectors that leaves at most `tol`, and what it leaves.

        Longer periods are tried where many vectors are needed. ``None`` where none are enough.

        Parameters
        ----------
        kernel, frames
            The temporal covariance.
        spatial_eigenvalues
            Eigenvalues of ``Sigma``, array (channels,).
        t_min, t_max
            Range of the diffusion time.
        tol
            Relative root-mean-square error of the score, in exact arithmetic, at 129 points of
            ``log x``; it is a smooth function of them.
        """
        tol = in_range("tol", tol, 0.0, 1.0, low_open=True, high_open=True)
        log_range = log_noise_range(spatial_eigenvalues, t_min, t_max)
        found: dict[int, tuple[int, BoundarySystems]] = {}
        for longer in _LONGER:
            period, symbol = embed(kernel, integer("frames", frames, 1), longer=longer)
            systems = BoundarySystems(kernel, frames, log_range, period, symbol)
            rank = smallest_rank(systems, tol) if period not in found else None
            if rank is not None:
                found[period] = rank, systems
                if rank <= _FEW:
                    break
        for rank, systems in sorted(found.values(), key=lambda pair: pair[0]):
            heads = fewest_heads(systems, rank, tol)
            if heads is not None:
                return cls._of(systems, heads), heads.error
        return None

    @classmethod
    def _of(cls, systems: BoundarySystems, heads: Heads) -> BoundaryCorrection:
        half = heads.vectors[: (systems.frames + 1) // 2].T
        return cls(
            frames=systems.frames,
            period=systems.period,
            symbol=tuple(map(float, systems.symbol)),
            halves=tuple(tuple(map(float, row)) for row in half),
            signs=tuple(map(int, heads.signs)),
            read=tuple(tuple(map(float, row)) for row in heads.read.T),
            poles=tuple(map(float, heads.poles)),
            amplitudes=tuple(map(float, heads.amplitudes)),
        )

    def middle(self, x: Array) -> Array:
        """``sum_h rho_h c_h c_h^T / (x + p_h)``, array (..., rank, rank) for ``x`` (...,)."""
        read = np.array(self.read).T
        gates = np.array(self.amplitudes) / (np.asarray(x)[..., None] + np.array(self.poles))
        result: Array = (read * gates[..., None, :]) @ read.T
        return result

    def apply(self, x: ArrayLike, vectors: Array) -> Array:
        """The inverse of ``Gamma + x I``, nearly, times vectors.

        Parameters
        ----------
        x
            Scalar, or array that broadcasts to (...,).
        vectors
            Array (..., frames).
        """
        x = np.asarray(x, dtype=np.float64)
        gates = resolvent(np.array(1.0), x[..., None], np.array(self.symbol))
        ends = self.ends
        inner = (vectors @ ends)[..., None, :] @ self.middle(x)
        result: Array = block_product(gates, self.period, vectors) + inner[..., 0, :] @ ends.T
        return result

    def run(self, spatial_cov: ArrayLike, b: ArrayLike, t: ArrayLike) -> Array:
        """The score that the heads give, for ``A_t s + b = 0``.

        Parameters
        ----------
        spatial_cov
            ``Sigma``, array (channels, channels).
        b
            Right-hand side ``V - alpha M``, array (..., frames, channels).
        t
            Diffusion time, scalar or array (...,).
        """
        mu, rotation = np.linalg.eigh(spd_matrix("spatial_cov", spatial_cov))
        right = trailing_shape("b", b, self.frames, len(mu)) @ rotation
        times = diffusion_times("t", t)[..., None]
        signal, noise = alpha_sq(times) * mu, sigma_sq(times) + 0.0 * mu
        score = -self.apply(noise / signal, np.swapaxes(right, -1, -2)) / signal[..., None]
        result: Array = np.swapaxes(score, -1, -2) @ rotation.T
        return result

    def relative_error(self, kernel: Kernel, spatial_cov: ArrayLike, t: float) -> float:
        """The relative root-mean-square error at ``t``, by products of matrices."""
        mu = np.linalg.eigvalsh(spd_matrix("spatial_cov", spatial_cov))
        values, vectors = np.linalg.eigh(toeplitz(kernel.autocov(np.arange(self.frames))))
        left = total = 0.0
        for value in mu:
            x = float(np.expm1(positive("t", t)) / value)
            # columns u_m sqrt(lambda_m + x): E|e|^2 with V - alpha M ~ N(0, A)
            miss = self.apply(x, vectors.T).T - vectors / (values + x)
            left += float(np.sum(miss**2 * (values + x))) / value
            total += float(np.sum(1.0 / (values + x))) / value
        return float(np.sqrt(left / total))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists; `from_dict` reads them back."""
        document: dict[str, Any] = {"frames": self.frames, "period": self.period}
        for name in ("symbol", "signs", "poles", "amplitudes"):
            document[name] = list(getattr(self, name))
        for name in ("halves", "read"):
            document[name] = [list(row) for row in getattr(self, name)]
        return document

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BoundaryCorrection:
        """What `to_dict` described."""
        return cls(
            frames=values["frames"],
            period=values["period"],
            symbol=tuple(values["symbol"]),
            halves=tuple(tuple(row) for row in values["halves"]),
            signs=tuple(values["signs"]),
            read=tuple(tuple(row) for row in values["read"]),
            poles=tuple(values["poles"]),
            amplitudes=tuple(values["amplitudes"]),
        )
