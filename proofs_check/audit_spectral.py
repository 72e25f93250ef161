"""The audit of spectral models: eigenvectors, poles and gates, from the tensors alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from flint import arb, arb_mat

from proofs_check.audit_first_order import BITS
from proofs_check.balls import autocov_balls, ball_matrix, frobenius, precision, round_up
from proofs_check.blame import blame
from proofs_check.certificate import Certificate, CertificateError, conclude
from proofs_check.certify_spectral import SPECTRAL_LEMMAS, moved_score, nearby, remainder
from proofs_check.enclosures import enclose_operator
from proofs_check.ends import eigenbasis, read_ends
from proofs_check.saved_model import SavedModel
from proofs_check.spectral_block import SpectralBlock, features, vectors_name
from proofs_check.spectral_sizes import Sizes
from proofs_check.temporal_basis import read_basis
from unroll.methods.eigenmodes import temporal_modes

__all__ = ["audit_spectral"]


def audit_spectral(model: SavedModel) -> Certificate:
    """Bound the error of a saved model, or say what is wrong with it.

    Eigenvectors are what the keys read, or close to it, eigenvalues their Rayleigh quotients, and
    the gate of the modes without a head is what the time features say: they are compared with
    ``Gamma`` and ``Sigma``, everything else with them.
    """
    plan, gp = model.plan, model.plan.gp
    with precision():
        enclosure = enclose_operator(gp, None)
    with precision(BITS):
        embed = model.tensors["embed"][:, model.channels["v"]]
        channels = eigenbasis(gp.spatial_cov, embed)
        gamma = autocov_balls(gp.kernel, gp.frames)
        vectors, off = _reference(model)
        frames = read_basis(gp.kernel, gamma, vectors)
        frames = replace(frames, skew=frames.skew + off)
        ends = read_ends(model, embed, channels)
        beside = nearby(plan, enclosure, channels, frames, vectors_name(model))
        sizes = Sizes.of(model, beside.smallest)
        block = SpectralBlock(model, ends, sizes, frames)
        baseline = [arb(float(x)) for x in model.tensors.get("time.baseline", np.zeros(0))]
        poles = [[value * mu for mu in channels.mu] for value in frames.values]
        causes = block.errors(poles, baseline)
        rate = remainder(plan, channels, frames, baseline)
        for name, error in ((block.vectors, beside.frames), ("embed", beside.channels)):
            causes[name] += moved_score(rate, beside, error)
        size = block.written(causes)
        causes["readout"] = ends.readout * size
        causes["rounding in readout"] = ends.readout_rounding * size
        parts = {True: arb(0), False: arb(0)}
        for name, x in causes.items():
            parts[name.startswith("rounding")] += x
        terms = {"rate": rate, "rounding": parts[True], "weights": parts[False]}
    try:
        return conclude(plan, terms, SPECTRAL_LEMMAS)
    except CertificateError as refusal:
        if round_up(rate) > plan.tol:
            raise CertificateError(f"{refusal}; most of it from time.baseline") from None
        raise CertificateError(f"{refusal}; {blame(model, [causes], {})}") from None


def _reference(model: SavedModel) -> tuple[arb_mat, arb]:
    """Vectors to compare with ``Gamma``, and how far the features of the keys are from them.

    The features themselves; in float32 the vectors of float64 that they were rounded from, because
    a residual of ``Gamma`` magnifies rounding.
    """
    found = features(model, "key")
    if model.plan.dtype == "float64":
        return found, arb(0)
    floats = np.array([[float(x) for x in row] for row in found.tolist()])
    exact = temporal_modes(model.plan.gp.kernel, len(floats))[1][:, : floats.shape[1]]
    exact = exact * np.where(np.sum(exact * floats, axis=0) < 0, -1.0, 1.0)
    off = frobenius(found - ball_matrix(exact))
    return (ball_matrix(exact), off) if off < 1e-3 else (found, arb(0))
