r"""A Gaussian process given some of its frames: imputation, forecasting, smoothing.

Observed are whole frames, Y = X_o + noise. In the spatial direction q_a (eigenvalue mu_a of Sigma)
frames have covariance mu_a Gamma and the noise has variance rho_a, so by Gaussian conditioning the
targets u given Y have, in that direction,

    mean        m_u + K_a (y - m_o),      K_a = Gamma_uo (Gamma_oo + (rho_a / mu_a) I)^{-1}
    covariance  mu_a G_a,                 G_a = Gamma_uu - K_a Gamma_ou.

* Observed exactly (rho = 0), or with noise of covariance tau Sigma: rho_a / mu_a is one number and
  the posterior covariance is the Kronecker product G (x) Sigma. G is not Toeplitz any more: frames
  next to an observation vary less. No attention with a relative position bias carries it.
* Observed with white noise, rho_a = tau: every spatial direction has temporal eigenvectors of its
  own, and the covariance is a sum of d Kronecker products that share their spatial eigenvectors.

The conditional score of V_u = alpha_t X_u + sigma_t Z given Y has the same form in all cases, a
solve per spatial direction: -(alpha_t^2 mu_a G_a + sigma_t^2 I)^{-1} (v_u - alpha_t mean).

Source: C. Rasmussen & C. Williams, Gaussian Processes for Machine Learning (2006), equation 2.19
and appendix A.2; the Kronecker cases: own derivation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from unroll.distribution.basis import EigenBasis
from unroll.distribution.process import data_law
from unroll.errors import ArgumentError
from unroll.gaussian_process import GaussianProcess
from unroll.schedules import alpha, alpha_sq, sigma_sq
from unroll.validation import Array, choice, finite_array, instance, positive, real, trailing_shape

__all__ = ["ConditionalProcess", "Conditioning"]

_NOISE_KINDS = ("white", "spatial")


@dataclass(frozen=True, eq=False)
class Conditioning:
    """Which frames are observed, and how well: all of the posterior that values do not change.

    Parameters
    ----------
    gp : GaussianProcess
        The prior.
    observed : array of int (k,)
        Indices of the observed frames, distinct. ``range(k)`` is forecasting, gaps are imputation.
    noise : float
        Variance of the observation noise, tau; 0 for exact observations.
    noise_kind : {"white", "spatial"}
        Noise covariance tau I, or tau Sigma.

    Raises
    ------
    ArgumentError
        Indices that repeat or lie outside; nothing left to predict; frames so strongly correlated
        that exact observations of them have a singular covariance.
    """

    gp: GaussianProcess
    observed: tuple[int, ...]
    noise: float = 0.0
    noise_kind: str = "white"

    def __post_init__(self) -> None:
        instance("gp", self.gp, GaussianProcess, "make one first")
        given = np.asarray(self.observed)
        frames = self.gp.frames
        if given.ndim != 1 or len(given) == 0 or given.dtype.kind not in "iu":
            condition = "must be a list of frame indices"
            raise ArgumentError("observed", self.observed, condition, "give for example range(8)")
        if given.min() < 0 or given.max() >= frames:
            condition = f"must lie between 0 and {frames - 1}"
            raise ArgumentError("observed", given, condition, "count frames from zero")
        if len(np.unique(given)) < len(given):
            raise ArgumentError("observed", given, "must be distinct", "average what repeats")
        object.__setattr__(self, "observed", tuple(int(i) for i in given))
        if real("noise", self.noise) < 0:
            raise ArgumentError("noise", self.noise, "must not be negative", "give a variance")
        choice("noise_kind", self.noise_kind, _NOISE_KINDS)
        if not self.targets:
            condition = "leaves no frame to predict"
            raise ArgumentError("observed", given, condition, "observe fewer frames, or with noise")

    @cached_property
    def targets(self) -> tuple[int, ...]:
        """The frames that the posterior describes: the others, or all where there is noise."""
        seen = set() if self.noise > 0 else set(self.observed)
        return tuple(i for i in range(self.gp.frames) if i not in seen)

    @cached_property
    def gains(self) -> Array:
        """K_a, array (1 or channels, targets, observed)."""
        return self._posterior[0]

    @cached_property
    def temporal_covs(self) -> Array:
        """G_a, array (1 or channels, targets, targets); one where all directions agree."""
        return self._posterior[1]

    @cached_property
    def eigen_basis(self) -> tuple[EigenBasis, Array]:
        """Eigenvectors of the posterior covariance and its eigenvalues (targets, channels)."""
        mu, rotation = self.gp.noisy_cov.spatial_eigen
        values, vectors = np.linalg.eigh(self.temporal_covs)
        return EigenBasis(vectors, rotation), np.maximum(values, 0.0).T * mu

    def given(self, values: ArrayLike) -> ConditionalProcess:
        """The process given these observations, array (observed, channels)."""
        return ConditionalProcess(self, values)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as stored with a model."""
        return {
            "gp": self.gp.to_dict(),
            "observed": list(self.observed),
            "noise": self.noise,
            "noise_kind": self.noise_kind,
        }

    @classmethod
    def from_dict(cls, values: Any) -> Conditioning:
        """What `to_dict` described; an ArgumentError names what is wrong with it."""
        names = {"gp", "observed", "noise", "noise_kind"}
        if not isinstance(values, dict) or set(values) != names:
            condition = f"must be an object with {', '.join(sorted(names))}"
            raise ArgumentError("conditioning", values, condition, "save the model anew")
        return cls(**(values | {"gp": GaussianProcess.from_dict(values["gp"])}))

    @cached_property
    def _posterior(self) -> tuple[Array, Array]:
        mu, _ = self.gp.noisy_cov.spatial_eigen
        white = self.noise_kind == "white" and self.noise > 0
        ratios = self.noise / mu if white else np.array([self.noise])
        both = [_condition(self.gp.temporal_cov, self.targets, self.observed, r) for r in ratios]
        gains, covs = (np.stack(matrices) for matrices in zip(*both, strict=True))
        return gains, covs


class ConditionalProcess:
    """A Gaussian process given observations; it serves wherever exact laws take a process.

    Parameters
    ----------
    conditioning : Conditioning
        What is observed.
    values : array (observed, channels)
        The observations, in the order of ``conditioning.observed``.

    Examples
    --------
    >>> from unroll import Exponential
    >>> gp = GaussianProcess(Exponential(4.0), frames=4, spatial_cov=[[1.0]])
    >>> forecast = Conditioning(gp, range(3)).given([[0.0], [0.0], [1.0]])
    >>> forecast.mean.round(4).tolist(), forecast.covariance().round(4).tolist()
    ([[0.7788]], [[0.3935]])
    """

    def __init__(self, conditioning: Conditioning, values: ArrayLike) -> None:
        self.conditioning = conditioning
        gp = conditioning.gp
        self.values = finite_array("values", values)
        shape = (len(conditioning.observed), gp.channels)
        if self.values.shape != shape:
            condition = f"must have shape {shape}, got shape {self.values.shape}"
            raise ArgumentError("values", values, condition, "give one row per observed frame")

    @property
    def frames(self) -> int:
        """Number of target frames."""
        return len(self.conditioning.targets)

    @property
    def channels(self) -> int:
        """Channels of a frame."""
        return self.conditioning.gp.channels

    @property
    def eigen_basis(self) -> tuple[EigenBasis, Array]:
        """Eigenvectors and eigenvalues of the covariance."""
        return self.conditioning.eigen_basis

    @cached_property
    def mean(self) -> Array:
        """Posterior mean of the targets, array (frames, channels)."""
        c, (_, rotation) = self.conditioning, self.conditioning.gp.noisy_cov.spatial_eigen
        surprise = (self.values - c.gp.mean[list(c.observed)]) @ rotation
        gains = np.broadcast_to(c.gains, (self.channels, *c.gains.shape[1:]))
        moved = np.einsum("auo,oa->ua", gains, surprise) @ rotation.T
        return np.asarray(c.gp.mean[list(c.targets)] + moved)

    def covariance(self) -> Array:
        """Dense posterior covariance of vec, array (N d, N d)."""
        basis, eigenvalues = self.eigen_basis
        return basis.covariance(eigenvalues)

    def score(self, v: ArrayLike, t: float) -> Array:
        """Closed-form score at noisy targets v (..., frames, channels), one diffusion time t > 0.

        A Cholesky factorisation per spatial direction: the oracle.
        """
        time = positive("t", t)
        noisy = trailing_shape("v", v, self.frames, self.channels)
        mu, rotation = self.conditioning.gp.noisy_cov.spatial_eigen
        rotated = (noisy - alpha(time) * self.mean) @ rotation
        solved = np.empty_like(rotated)
        covs, noise = self.conditioning.temporal_covs, sigma_sq(time) * np.eye(self.frames)
        for a, value in enumerate(mu):
            system = alpha_sq(time) * value * covs[a % len(covs)] + noise
            columns = rotated[..., a].reshape(-1, self.frames).T
            answer = cho_solve(cho_factor(system, lower=True), columns)
            solved[..., a] = answer.T.reshape(rotated.shape[:-1])
        return np.asarray(-solved @ rotation.T)

    def sample(self, n: int, rng: int | np.random.Generator = 0) -> Array:
        """n independent draws of the targets, array (n, frames, channels)."""
        return data_law(self).sample(n, rng)

    def __repr__(self) -> str:
        c = self.conditioning
        seen = f"{len(c.observed)} of {c.gp.frames} frames observed, noise={c.noise:g}"
        return f"ConditionalProcess({c.gp.kernel}, {seen})"


def _condition(
    gamma: Array, targets: tuple[int, ...], observed: tuple[int, ...], ratio: float
) -> tuple[Array, Array]:
    """K and G for one ratio of noise to signal."""
    u, o = list(targets), list(observed)
    system = gamma[np.ix_(o, o)] + ratio * np.eye(len(o))
    try:
        factor = cho_factor(system, lower=True)
    except LinAlgError:
        condition = "have a covariance that is singular to float64 precision"
        raise ArgumentError("observed", observed, condition, "observe with noise > 0") from None
    gain = cho_solve(factor, gamma[np.ix_(o, u)]).T
    cov = gamma[np.ix_(u, u)] - gain @ gamma[np.ix_(o, u)]
    return gain, (cov + cov.T) / 2
