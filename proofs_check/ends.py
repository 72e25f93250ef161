"""Embedding, mean and read-out of a saved model, compared with what they should be.

First-order models hold frames as they are. The others work in an eigenbasis of ``Sigma``: the
embedding is ``Q``, the read-out ``Q^T``. The embedding found, ``E``, is compared with its polar
factor ``Q*``, which is orthogonal exactly: ``||E - Q*|| <= ||E^T E - I||`` (lemma
``polar_factor``), and ``Sigma`` with ``Q* diag(mu) Q*^T`` for the Rayleigh quotients ``mu_a`` of
the columns of ``E``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat

from proofs_check.arithmetic import growth, roundings
from proofs_check.balls import ball_matrix, frobenius, largest
from proofs_check.certificate import CertificateError
from proofs_check.saved_model import POSITION_CHANNELS, SavedModel
from unroll.rounding import unit_roundoff

__all__ = ["Basis", "Ends", "eigenbasis", "read_ends"]


@dataclass(frozen=True)
class Basis:
    """An orthonormal basis of the channels in which ``Sigma`` is nearly diagonal.

    Attributes
    ----------
    mu
        Points: what ``Sigma`` is taken for, ``Q* diag(mu) Q*^T``.
    skew
        ``||E - Q*||``.
    off
        ``||Sigma - Q* diag(mu) Q*^T||``.
    """

    mu: list[arb]
    skew: arb
    off: arb


@dataclass(frozen=True)
class Ends:
    """How far embedding, mean and read-out are off.

    Attributes
    ----------
    embed, mean, readout
        Norms of the deviations of the maps, and of the mean itself.
    embed_size
        Norm of the absolute values of the embedding, less 1.
    readout_rounding
        Relative rounding error of the read-out.
    """

    embed: arb
    embed_size: arb
    mean: arb
    readout: arb
    readout_rounding: arb


def eigenbasis(
    spatial_cov: np.ndarray, embed: np.ndarray, values: np.ndarray | None = None
) -> Basis:
    """The polar factor of an embedding, as an eigenbasis of ``Sigma``.

    ``values`` are the ``mu_a``, by default the Rayleigh quotients.
    """
    e, sigma = ball_matrix(embed), ball_matrix(spatial_cov)
    gram, image = e.transpose() * e, e.transpose() * sigma * e
    d = len(embed)
    skew = frobenius(gram - ball_matrix(np.eye(d)))
    if values is None:
        ratios = [image[a, a] / gram[a, a] for a in range(d)]
        mu = [arb(x.mid()) if x.is_finite() else arb(0) for x in ratios]
    else:
        mu = [arb(float(x)) for x in values]
    diagonal = arb_mat([[mu[a] if a == b else 0 for b in range(d)] for a in range(d)])
    found = frobenius(sigma - e * diagonal * e.transpose())
    return Basis(mu, skew, found + largest(abs(x) for x in mu) * skew * (2 + skew))


def read_ends(
    model: SavedModel, goal: np.ndarray | None = None, basis: Basis | None = None
) -> Ends:
    """Compare with the identity, or with an orthogonal embedding ``goal`` and its transpose.

    A channel that embedding, positions or read-out should not touch is refused by name.
    """
    channels, plan, tensors = model.channels, model.plan, model.tensors
    final, identity = channels[model.iterate(plan.depth)], np.eye(plan.gp.channels)
    embed, position, readout = (tensors[n].copy() for n in ("embed", "position", "readout"))
    end = tensors.get("position_end", np.zeros_like(position)).copy()
    into = identity if goal is None else goal
    skew = arb(0) if basis is None else basis.skew
    found = frobenius(ball_matrix(embed[:, channels["v"]]) - ball_matrix(into)) + skew
    taken = frobenius(ball_matrix(readout[final]) - ball_matrix(into.T)) + skew
    mean = arb(0)
    if "mean" in channels:
        stored, wanted = ball_matrix(position[:, channels["mean"]]), ball_matrix(plan.gp.mean)
        mean = frobenius(stored - wanted * ball_matrix(into)) + frobenius(wanted) * skew
    count, u = roundings(readout), unit_roundoff(plan.dtype)
    # the norm of the absolute values is at most that of the identity and of what differs from it
    size = 1 + frobenius(ball_matrix(np.abs(readout[final])) - ball_matrix(identity))
    embed[:, channels["v"]] = 0
    readout[final] = 0
    for name in ("mean", *POSITION_CHANNELS):
        if name in channels:
            position[:, channels[name]] = 0
            if name != "mean":  # which is counted from the first frame
                end[:, channels[name]] = 0
    for name, array, axis in (
        ("embed", embed, 0),
        ("position", position, 0),
        ("position_end", end, 0),
        ("readout", readout, 1),
    ):
        used = array.any(axis=axis)
        if used.any():
            where = model.channel_name(int(np.argmax(used)))
            raise CertificateError(f"{name}: uses {where}; the audit does not understand it")
    spread = frobenius(ball_matrix(np.abs(into)) - ball_matrix(identity))
    return Ends(found, spread, mean, taken, count * u * arb(growth(count, u)) * size)
