"""The demo's measurements: estimates with standard errors, and errors without sampling noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kstest

from unroll.gaussian_process import GaussianProcess
from unroll.schedules import alpha, alpha_sq, sigma_sq

__all__ = [
    "Comparison",
    "autocorrelation",
    "chance_error",
    "compare",
    "lag_covariances",
    "rms_errors",
]

Array = NDArray[np.float64]


def autocorrelation(x: Array, blocks: NDArray[np.int_]) -> tuple[Array, Array]:
    """Autocorrelation of each channel by lag, with a jackknife standard error.

    Parameters
    ----------
    x : ndarray of shape (n, frames, channels)
        Sequences of mean zero.
    blocks : ndarray of shape (n,)
        Sequences with the same number are left out together: those that are not independent.

    Returns
    -------
    Estimate and standard error, each of shape (frames, channels).
    """
    frames = x.shape[1]
    products = np.stack(
        [(x[:, : frames - h] * x[:, h:]).mean(axis=1) for h in range(frames)], axis=1
    )
    total = products.sum(axis=0)
    parts = [products[blocks == block].sum(axis=0) for block in np.unique(blocks)]
    without = np.stack([(total - part) / (total - part)[0] for part in parts])
    spread = ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    return total / total[0], np.sqrt((len(parts) - 1) / len(parts) * spread)


def rms_errors(
    gp: GaussianProcess, iterates: Callable[[Array, float], Sequence[Array]], t: float
) -> Array:
    """Relative rms score error of every iterate under V ~ p_t, without sampling noise.

    An iterate is affine in v, so its mean square error is its squared error at the mean of V plus
    the squared errors along the columns of a square root of the covariance A_t of V.

    Parameters
    ----------
    iterates
        Maps noisy sequences (batch, frames, channels) and t to the iterates, first to last.
    """
    values, vectors = np.linalg.eigh(gp.covariance())
    root = vectors * np.sqrt(alpha_sq(t) * np.maximum(values, 0) + sigma_sq(t))
    centre = alpha(t) * gp.mean
    columns = root.T.reshape(-1, gp.frames, gp.channels)
    v = np.concatenate([centre[None], centre + columns])
    exact = gp.score(v, t)
    scale = float(np.sum((exact[1:] - exact[0]) ** 2) + np.sum(exact[0] ** 2))

    def mean_square(found: Array) -> float:
        error = np.asarray(found) - exact
        return float(np.sum((error[1:] - error[0]) ** 2) + np.sum(error[0] ** 2))

    return np.sqrt([mean_square(found) / scale for found in iterates(v, t)])


@dataclass(frozen=True)
class Comparison:
    """Samples against the process they should come from.

    Attributes
    ----------
    variance_ratio, variance_error : ndarray of shape (channels,)
        Sample variance over fitted variance, and the standard error it would have if the samples
        were exact.
    covariance_error : float
        Relative Frobenius distance of the sample covariance (known mean) from Gamma x Sigma.
    p_values : ndarray of shape (channels,)
        Kolmogorov-Smirnov test of the middle frame, one value per sequence, against the fitted
        marginal.
    whitened_p_value : float
        The same test for all whitened values: standard normal if the whole covariance is right.
    """

    variance_ratio: Array
    variance_error: Array
    covariance_error: float
    p_values: Array
    whitened_p_value: float

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(self).items()
        }


def compare(gp: GaussianProcess, x: Array) -> Comparison:
    """Judge samples x (n, frames, channels) by the process's mean and covariance."""
    n, frames, _ = x.shape
    centred = x - gp.mean
    variances = np.diag(gp.spatial_cov)
    square = float(np.sum(gp.temporal_cov**2))
    middle = centred[:, frames // 2] / np.sqrt(variances)
    white = np.linalg.solve(np.linalg.cholesky(gp.covariance()), centred.reshape(n, -1).T)
    return Comparison(
        variance_ratio=(centred**2).mean(axis=(0, 1)) / variances,
        variance_error=np.full(gp.channels, np.sqrt(2 * square / n) / frames),
        covariance_error=covariance_error(gp, x),
        p_values=np.array([kstest(column, "norm").pvalue for column in middle.T]),
        whitened_p_value=float(kstest(white.ravel(), "norm").pvalue),
    )


def covariance_error(gp: GaussianProcess, x: Array) -> float:
    """Relative Frobenius distance of the samples' covariance (known mean) from Gamma x Sigma."""
    flat = (x - gp.mean).reshape(len(x), -1)
    exact = gp.covariance()
    return float(np.linalg.norm(flat.T @ flat / len(x) - exact) / np.linalg.norm(exact))


def chance_error(
    gp: GaussianProcess, n: int, rng: np.random.Generator, repeats: int = 100
) -> tuple[float, float]:
    """Mean and standard deviation of `covariance_error` for n exact draws."""
    errors = [covariance_error(gp, gp.sample(n, rng)) for _ in range(repeats)]
    return float(np.mean(errors)), float(np.std(errors, ddof=1))


def lag_covariances(
    gp: GaussianProcess, x: Array
) -> Iterator[tuple[int, int, Array, Array, Array]]:
    """For each pair of channels a <= b: fitted and sampled covariance by lag, and the error.

    Averages over frame pairs with a sign-free lag; the standard error is that of n independent
    sequences, estimated from their spread.
    """
    centred = x - gp.mean
    n, frames, channels = x.shape
    for a in range(channels):
        for b in range(a, channels):
            each = np.stack(
                [
                    (
                        (centred[:, : frames - h, a] * centred[:, h:, b]).mean(axis=1)
                        + (centred[:, : frames - h, b] * centred[:, h:, a]).mean(axis=1)
                    )
                    / 2
                    for h in range(frames)
                ]
            )
            fitted = gp.temporal_cov[0] * gp.spatial_cov[a, b]
            yield a, b, fitted, each.mean(axis=1), each.std(axis=1, ddof=1) / np.sqrt(n)
