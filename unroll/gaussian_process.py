"""The Gaussian process: a temporal kernel, a spatial covariance, a mean sequence."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from unroll.errors import ArgumentError
from unroll.kernels import Kernel, kernel_from_dict
from unroll.schedules import alpha, sigma, sigma_sq
from unroll.score import NoisyCovariance, broadcast_times
from unroll.storage import read_json, write_json
from unroll.validation import (
    Array,
    choice,
    diffusion_times,
    finite_array,
    generator,
    instance,
    integer,
    spd_matrix,
    trailing_shape,
)


class GaussianProcess:
    """Sequences X (frames, channels) with Cov[X_ia, X_jb] = gamma(|i-j|) Sigma_ab and mean M.

    Immutable: the arrays are read-only copies.

    Parameters
    ----------
    kernel : Kernel
        Temporal kernel gamma, gamma(0) = 1.
    frames : int
        N >= 1, the sequence length.
    spatial_cov : array (channels, channels)
        Sigma, symmetric positive definite, in squared units of the data.
    mean : array (frames, channels), optional
        M; zero if None.
    frame_times : array (frames,), optional
        When the frames are, ascending, in the units of the kernel's length scale; 0, 1, 2, ... if
        None. Then Cov[X_ia, X_jb] = gamma(|tau_i - tau_j|) Sigma_ab.

    Raises
    ------
    ArgumentError
        A wrong shape, NaN, or a spatial covariance that is not symmetric positive definite; a list
        of kernels, or a stack of spatial covariances: a sum of Kronecker products.

    Examples
    --------
    >>> from unroll import Exponential, GaussianProcess
    >>> gp = GaussianProcess(Exponential(4.0), frames=8, spatial_cov=[[1.0]])
    >>> gp.score(gp.sample(3, rng=0), t=0.1).shape
    (3, 8, 1)
    """

    def __init__(
        self,
        kernel: Kernel,
        frames: int,
        spatial_cov: ArrayLike,
        mean: ArrayLike | None = None,
        frame_times: ArrayLike | None = None,
    ) -> None:
        _refuse_kronecker_sum(kernel, spatial_cov)
        self._kernel: Kernel = instance(
            "kernel", kernel, Kernel, "give one such as Exponential(8.0)"
        )
        self._frames = integer("frames", frames, 1)
        self._spatial_cov = _frozen(spd_matrix("spatial_cov", spatial_cov))
        self._has_mean = mean is not None
        shape = (self._frames, self._spatial_cov.shape[0])
        self._mean = _frozen(np.zeros(shape) if mean is None else _mean_array(mean, shape))
        self._frame_times: Array | None = None
        if frame_times is not None:
            self._frame_times = _frozen(_ascending(frame_times, self._frames))
        kernel.check_frames(self._frames)

    @property
    def kernel(self) -> Kernel:
        """Temporal kernel."""
        return self._kernel

    @property
    def frames(self) -> int:
        """N, the sequence length."""
        return self._frames

    @property
    def channels(self) -> int:
        """d, the number of channels."""
        return int(self._spatial_cov.shape[0])

    @property
    def spatial_cov(self) -> Array:
        """Sigma (channels, channels), read-only."""
        return self._spatial_cov

    @property
    def mean(self) -> Array:
        """M (frames, channels), read-only; zeros if none was given."""
        return self._mean

    @property
    def has_mean(self) -> bool:
        """Whether a mean was given."""
        return self._has_mean

    @property
    def frame_times(self) -> Array | None:
        """When the frames are, (frames,), read-only; ``None`` for 0, 1, 2, ..."""
        return self._frame_times

    @property
    def temporal_cov(self) -> Array:
        """Gamma (frames, frames), read-only."""
        return self._temporal_cov

    @cached_property
    def _temporal_cov(self) -> Array:
        if self._frame_times is None:
            return _frozen(self._kernel.matrix(self._frames))
        times = self._frame_times
        return _frozen(self._kernel.autocov(np.abs(np.subtract.outer(times, times))))

    @cached_property
    def noisy_cov(self) -> NoisyCovariance:
        """The family A_t with its solvers."""
        return NoisyCovariance(self._temporal_cov, self._spatial_cov)

    def covariance(self) -> Array:
        """Dense Gamma (x) Sigma of the row-major vec, shape (N d, N d)."""
        return np.asarray(np.kron(self._temporal_cov, self._spatial_cov), dtype=np.float64)

    def score(self, v: ArrayLike, t: ArrayLike, *, solver: str = "cholesky") -> Array:
        """Closed-form score s_t(v) = -A_t^{-1} (v - alpha_t M).

        Parameters
        ----------
        v : array (..., frames, channels)
            Noisy sequences.
        t : float or array
            Diffusion time, t > 0; an array broadcasts to the batch shape of v.
        solver : {"cholesky", "eigen"}
            The oracle, or its twin that is fast for many t.

        Returns
        -------
        array (..., frames, channels), float64
        """
        noisy = trailing_shape("v", v, self.frames, self.channels)
        times = diffusion_times("t", t)
        choice("solver", solver, ("cholesky", "eigen"))
        residual = noisy - self._per_sequence(alpha(times), noisy) * self._mean
        if solver == "cholesky":
            return -self.noisy_cov.solve_cholesky(residual, times)
        return -self.noisy_cov.solve_eigen(residual, times)

    def noise_prediction(self, v: ArrayLike, t: ArrayLike, *, solver: str = "cholesky") -> Array:
        """E[Z | V = v] = -sigma_t s_t(v), what a network trained on noise predicts."""
        score = self.score(v, t, solver=solver)
        return -self._per_sequence(sigma(t), score) * score

    def denoise(self, v: ArrayLike, t: ArrayLike, *, solver: str = "cholesky") -> Array:
        """E[X | V = v] = (v + sigma_t^2 s_t(v)) / alpha_t (Tweedie's formula)."""
        score = self.score(v, t, solver=solver)
        noisy = np.asarray(v, dtype=np.float64)
        corrected = noisy + self._per_sequence(sigma_sq(t), score) * score
        clean: Array = corrected / self._per_sequence(alpha(t), score)
        return clean

    def sample(self, n: int, rng: int | np.random.Generator = 0) -> Array:
        """n independent sequences, shape (n, frames, channels).

        Works for a temporal covariance that is singular to float64 precision.
        """
        n = integer("n", n, 1)
        white = generator(rng).standard_normal((n, self.frames, self.channels))
        return self._mean + self._temporal_root @ white @ self._spatial_root.T

    def sample_noisy(self, n: int, t: float, rng: int | np.random.Generator = 0) -> Array:
        """n independent draws of V_t = alpha_t X + sigma_t Z at one diffusion time t > 0."""
        time = diffusion_times("t", t)
        if time.ndim != 0:
            raise ArgumentError("t", t, "must be one number", "call once per diffusion time")
        draws = generator(rng)
        clean = self.sample(n, draws)
        noisy: Array = alpha(time) * clean + sigma(time) * draws.standard_normal(clean.shape)
        return noisy

    def log_likelihood(self, x: ArrayLike) -> Array:
        """log p(x) of each sequence, in nats.

        Parameters
        ----------
        x : array (..., frames, channels)

        Returns
        -------
        array (...)
            One value per sequence; for `x` of shape (n, frames, channels) shape (n,).

        Raises
        ------
        ArgumentError
            The temporal covariance is singular to float64 precision: there is no density.
        """
        centred = trailing_shape("x", x, self.frames, self.channels) - self._mean
        try:
            temporal = cholesky(self._temporal_cov, lower=True)
        except LinAlgError:
            condition = "temporal covariance is singular to float64 precision"
            remedy = "use a smaller length_scale or exponent, or fewer frames"
            raise ArgumentError("kernel", self._kernel, condition, remedy) from None
        frames, channels = self.frames, self.channels
        batch = centred.shape[:-2]
        columns = np.moveaxis(centred, -2, 0).reshape(frames, -1)
        white = solve_triangular(temporal, columns, lower=True).reshape(-1, channels).T
        white = solve_triangular(self._spatial_root, white, lower=True).T
        squares = np.sum(white.reshape((frames, *batch, channels)) ** 2, axis=(0, -1))
        log_det = channels * np.sum(np.log(np.diag(temporal)))
        log_det += frames * np.sum(np.log(np.diag(self._spatial_root)))
        constant = log_det + frames * channels * math.log(2 * math.pi) / 2
        return np.asarray(-squares / 2 - constant)

    @classmethod
    def fit(cls, x: ArrayLike, **options: Any) -> GaussianProcess:
        """Maximum-likelihood fit to data x (n, frames, channels): kernel, spatial_cov, mean.

        Takes the options of `unroll.fitting.fit`, which returns the whole report.
        """
        from unroll.fitting import fit  # fitting builds on this class

        return fit(x, **options).gp

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as stored in gp.json. `mean` is None if none was given."""
        return {
            "kernel": self._kernel.to_dict(),
            "frames": self._frames,
            "spatial_cov": self._spatial_cov.tolist(),
            "mean": self._mean.tolist() if self._has_mean else None,
        } | ({} if self._frame_times is None else {"frame_times": self._frame_times.tolist()})

    @classmethod
    def from_dict(cls, values: Any) -> GaussianProcess:
        """The process that `to_dict` described; an ArgumentError names what is wrong with it."""
        remedy = "give kernel, frames, spatial_cov and, optionally, mean and frame_times"
        if not isinstance(values, dict):
            raise ArgumentError("gp", values, "must be a JSON object", remedy)
        missing = [key for key in ("kernel", "frames", "spatial_cov") if key not in values]
        if missing:
            raise ArgumentError("gp", sorted(values), f"missing: {', '.join(missing)}", remedy)
        unknown = sorted(set(values) - {"kernel", "frames", "spatial_cov", "mean", "frame_times"})
        if unknown:
            raise ArgumentError("gp", sorted(values), f"unknown: {', '.join(unknown)}", remedy)
        _refuse_kronecker_sum(values["kernel"], values["spatial_cov"])
        kernel = kernel_from_dict(values["kernel"])
        return cls(
            kernel,
            values["frames"],
            values["spatial_cov"],
            values.get("mean"),
            values.get("frame_times"),
        )

    def save(self, path: str | Path) -> None:
        """Write gp.json; the file appears whole or not at all."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> GaussianProcess:
        """Read what `save` wrote."""
        return cls.from_dict(read_json(path))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GaussianProcess):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self._kernel, self._frames, self._spatial_cov.tobytes(), self._has_mean))

    def __repr__(self) -> str:
        mean = "mean given" if self._has_mean else "zero mean"
        sizes = f"frames={self._frames}, channels={self.channels}"
        sizes += "" if self._frame_times is None else ", irregular frame times"
        return f"GaussianProcess({self._kernel}, {sizes}, {mean})"

    @cached_property
    def _temporal_root(self) -> Array:
        """A square root L of Gamma, L L^T = Gamma, also where Gamma is singular."""
        try:
            return np.asarray(cholesky(self._temporal_cov, lower=True))
        except LinAlgError:
            values, vectors = self.noisy_cov.temporal_eigen
            return vectors * np.sqrt(values)

    @cached_property
    def _spatial_root(self) -> Array:
        return np.asarray(cholesky(self._spatial_cov, lower=True))

    @staticmethod
    def _per_sequence(factor: Any, v: Array) -> Array:
        """A function of t, ready to multiply sequences (..., frames, channels)."""
        values = np.asarray(factor, dtype=np.float64)
        return (
            values if values.ndim == 0 else broadcast_times(values, v.shape[:-2])[..., None, None]
        )


def _refuse_kronecker_sum(kernel: Any, spatial_cov: Any) -> None:
    """One kernel and one spatial covariance: everything rests on their common eigenvectors."""
    reason = "a sum of Kronecker products has no common eigenvectors and is not supported"
    remedy = "give one kernel and one spatial_cov of shape (channels, channels)"
    if isinstance(kernel, list | tuple):
        raise ArgumentError("kernel", kernel, f"holds {len(kernel)} entries: {reason}", remedy)
    try:
        shape = np.shape(spatial_cov)
    except ValueError:
        return  # ragged: the check of the matrix says so
    if len(shape) == 3:
        raise ArgumentError("spatial_cov", spatial_cov, f"has shape {shape}: {reason}", remedy)


def _frozen(array: Array) -> Array:
    copy = np.array(array, dtype=np.float64)
    copy.setflags(write=False)
    return copy


def _ascending(frame_times: ArrayLike, frames: int) -> Array:
    times = finite_array("frame_times", frame_times)
    remedy = "give one time per frame, each later than the one before"
    if times.shape != (frames,):
        condition = f"must have shape ({frames},), got shape {times.shape}"
        raise ArgumentError("frame_times", times, condition, remedy)
    late = np.flatnonzero(np.diff(times) <= 0)
    if len(late):
        condition = f"must ascend, but frame {late[0] + 1} is not after frame {late[0]}"
        raise ArgumentError("frame_times", times, condition, remedy)
    return times


def _mean_array(mean: ArrayLike, shape: tuple[int, int]) -> Array:
    array = finite_array("mean", mean)
    if array.shape != shape:
        condition = f"must have shape {shape} (frames, channels), got shape {array.shape}"
        raise ArgumentError("mean", array, condition, "give one value per frame and channel")
    return array
