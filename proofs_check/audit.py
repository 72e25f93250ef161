"""audit(path): certify the weights that lie on disk, trusting nobody.

The bound of `certify` holds for a model whose blocks compute the ideal steps. Here the weights
themselves are read: each block's distance from its ideal step, enclosed in ball arithmetic by
`proofs_check.interpreter`, and the rounding errors that its own magnitudes allow, are local errors
of the iteration; `proofs_check.propagation` says how they reach the output. Rate and truncation
are those of `certify`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flint import arb

from proofs_check.arithmetic import growth, roundings
from proofs_check.balls import autocov_balls, ball_matrix, frobenius, precision, round_up
from proofs_check.blame import blame
from proofs_check.certificate import (
    Certificate,
    CertificateError,
    check_spectrum,
    conclude,
    network_terms,
    rate_and_truncation,
)
from proofs_check.enclosures import enclose_operator
from proofs_check.gate_bounds import ScaledGates
from proofs_check.gate_network import read_gates
from proofs_check.interpreter import Interpreter, Share
from proofs_check.problem_sizes import ProblemSizes
from proofs_check.propagation import propagate
from proofs_check.saved_model import POSITION_CHANNELS, SavedModel, read_saved
from unroll.rounding import unit_roundoff

__all__ = ["audit"]

_BITS = 128  # for patterns: they are compared with the kernel, not eliminated


def audit(path: str | Path) -> Certificate:
    """Bound the error of a saved model from its files alone.

    Parameters
    ----------
    path
        Folder with ``model.safetensors`` and ``model.json``.

    Returns
    -------
    Certificate with the terms of `certify`, ``rounding`` counted for these weights, and
    ``weights``: what their deviation from the ideal steps costs.

    Raises
    ------
    ArgumentError
        Files are missing, truncated or foreign.
    CertificateError
        A part that the audit does not understand, or weights that move the score by more than the
        tolerance allows; the message names the block and the tensor.
    """
    model = read_saved(path)
    plan = model.plan
    assert plan.lowering is not None  # the reader refuses what has none
    lower, upper = model.spectrum
    gates: ScaledGates | None = None
    with precision():
        enclosure = enclose_operator(plan.gp, plan.lowering)
        check_spectrum(lower, upper, enclosure, plan.t_min)
        if plan.conditioning is None:
            terms = rate_and_truncation(plan, enclosure, arb(lower), arb(upper))
    with precision(_BITS):
        if plan.conditioning is not None:
            gates = read_gates(model, arb(lower), arb(upper))
            terms = network_terms(plan, enclosure, gates)
        ends = _ends(model)
        sizes = ProblemSizes.of(model, enclosure.band_error, ends.embed, ends.mean, gates)
        gamma = autocov_balls(plan.gp.kernel, plan.gp.frames)
        interpreter = Interpreter(model, gamma, sizes, gates)
        stored = [
            Share("embed", "score", sizes.embed_error),
            Share("position (mean)", "score", sizes.mean_error),
        ]
        blocks = [[*interpreter.shares(k), *stored] for k in range(plan.depth)]
        momentum = plan.method.has_momentum
        state, local, size = propagate(blocks, sizes, momentum=momentum)
        total = state.errors[-1] + (ends.readout + ends.readout_rounding) * size
        inexact = [[x for x in shares if x.tensor.startswith("rounding")] for shares in blocks]
        rounded, _, size = propagate(inexact, sizes, momentum=momentum)
        terms["rounding"] = rounded.errors[-1] + ends.readout_rounding * size
        terms["weights"] = arb(round_up(total - terms["rounding"]))
    try:
        return conclude(plan, terms)
    except CertificateError as refusal:
        spent = sum(round_up(x) for n, x in terms.items() if n not in ("rounding", "weights"))
        room = plan.tol - spent
        if round_up(total) <= room:
            raise
        arrived = [
            {cause: state.weight(j) * xi for cause, xi in causes.items()}
            for j, causes in enumerate(local)
        ]
        arrived[-1]["readout"] = ends.readout * size
        raise CertificateError(
            f"{refusal}; {blame(model, arrived, interpreter.worst_frames)}"
        ) from None


@dataclass(frozen=True)
class _Ends:
    """Deviation of embedding, mean and read-out from what they should be."""

    embed: arb
    mean: arb
    readout: arb
    readout_rounding: arb


def _ends(model: SavedModel) -> _Ends:
    channels, plan, tensors = model.channels, model.plan, model.tensors
    final = channels[model.iterate(plan.depth)]
    identity = ball_matrix(np.eye(plan.gp.channels))

    def stray(name: str, array: np.ndarray, axis: int) -> None:
        used = array.any(axis=axis)
        if used.any():
            where = model.channel_name(int(np.argmax(used)))
            raise CertificateError(f"{name}: uses {where}; the audit does not understand it")

    embed, position, readout = (tensors[n].copy() for n in ("embed", "position", "readout"))
    end = tensors.get("position_end", np.zeros_like(position)).copy()
    found = ball_matrix(embed[:, channels["v"]]) - identity
    taken = frobenius(ball_matrix(readout[final]) - identity)
    mean = arb(0)
    if "mean" in channels:
        mean = frobenius(ball_matrix(position[:, channels["mean"]]) - ball_matrix(plan.gp.mean))
    count, u = roundings(readout), unit_roundoff(plan.dtype)
    # the norm of the read-out is at most 1 + ||R - I||, the rest of it mixes channels
    mixing = frobenius(ball_matrix(np.abs(readout[final])) - identity)
    embed[:, channels["v"]] = 0
    readout[final] = 0
    for name in ("mean", *POSITION_CHANNELS):
        if name in channels:
            position[:, channels[name]] = 0
            if name != "mean":  # which is counted from the first frame
                end[:, channels[name]] = 0
    stray("embed", embed, 0)
    stray("position", position, 0)
    stray("position_end", end, 0)
    stray("readout", readout, 1)
    return _Ends(frobenius(found), mean, taken, count * u * arb(growth(count, u)) * (1 + mixing))
