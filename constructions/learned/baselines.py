r"""What maximum likelihood finds from the same sequences: the baseline that networks must face.

For a Gaussian the score follows from mean and covariance, so fitting these is learning the score.
Three classes of covariances, from few to many parameters: a kernel of one of the decay regimes
(times a free spatial covariance), any Kronecker product ``Gamma kron Sigma``, any covariance.

Source of the flip-flop algorithm: P. Dutilleul, "The MLE algorithm for the matrix normal
distribution", J. Stat. Comput. Simul. 64 (1999).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from constructions.build import build
from constructions.learned.truth import GaussianLaw
from constructions.unrolled import UnrolledTransformer
from unroll.errors import ArgumentError
from unroll.fitting import fit
from unroll.validation import Array, choice, finite_array

__all__ = ["KINDS", "constructed_from_fit", "maximum_likelihood"]

#: From few parameters to many.
KINDS = ("kernel", "kronecker", "unstructured")
_REGIMES = ("exponential", "polynomial", "logarithmic")
_CONVERGED, _MOST = 1e-9, 500


def maximum_likelihood(
    data: ArrayLike, kind: str, *, regimes: str | Sequence[str] = _REGIMES
) -> GaussianLaw:
    """The most likely Gaussian of a class; call it as a model.

    Parameters
    ----------
    data
        Sequences, array (n, frames, channels).
    kind
        ``"kernel"``, ``"kronecker"`` or ``"unstructured"``.
    regimes
        Which kernels to try, for ``"kernel"``.

    Raises
    ------
    ArgumentError
        Too few sequences for the class.
    """
    choice("kind", kind, KINDS)
    x = _sequences(data)
    if kind == "kernel":
        return GaussianLaw.of(fit(x, regimes).gp)
    mean = x.mean(0)
    centred = x - mean
    if kind == "unstructured":
        flat = centred.reshape(len(x), -1)
        return GaussianLaw(mean, flat.T @ flat / len(x))
    temporal, spatial = _flip_flop(centred)
    return GaussianLaw(mean, np.kron(temporal, spatial))


def constructed_from_fit(
    data: ArrayLike,
    *,
    regimes: str | Sequence[str] = _REGIMES,
    method: str = "boundary",
    tol: float = 1e-4,
    t_min: float = 0.01,
    t_max: float = 5.0,
) -> UnrolledTransformer:
    """The hand-built model of the kernel that maximum likelihood finds.

    Parameters
    ----------
    data, regimes
        As for `maximum_likelihood`.
    method, tol, t_min, t_max
        Of `unroll.make_plan`.
    """
    gp = fit(_sequences(data), regimes).gp
    return build(gp, method=method, tol=tol, t_min=t_min, t_max=t_max)


def _flip_flop(centred: Array) -> tuple[Array, Array]:
    """Temporal and spatial factors, the former with mean diagonal 1."""
    count, frames, channels = centred.shape
    if count * channels <= frames or count * frames <= channels:
        raise ArgumentError(
            "data",
            centred.shape,
            f"are too few sequences for a Kronecker product: {count} with {frames} frames of "
            f"{channels} channels",
            "give more, or use kind='kernel'",
        )
    temporal, spatial = np.eye(frames), np.eye(channels)
    for _ in range(_MOST):
        before = temporal
        whitened = np.einsum("nia,ij,njb->ab", centred, np.linalg.inv(temporal), centred)
        spatial = whitened / (count * frames)
        temporal = np.einsum("nia,ab,njb->ij", centred, np.linalg.inv(spatial), centred)
        temporal /= count * channels
        scale = float(np.trace(temporal)) / frames
        temporal, spatial = temporal / scale, spatial * scale
        if np.linalg.norm(temporal - before) <= _CONVERGED * np.linalg.norm(temporal):
            return temporal, spatial
    raise ArgumentError(
        "data", centred.shape, f"do not converge in {_MOST} iterations", "give more sequences"
    )


def _sequences(data: ArrayLike) -> Array:
    x = finite_array("data", data)
    if x.ndim != 3 or len(x) < 2:
        condition = "must have shape (n, frames, channels) with n >= 2"
        raise ArgumentError("data", x.shape, condition, "give sequences")
    return x
