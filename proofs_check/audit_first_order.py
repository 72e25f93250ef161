"""The audit of gradient, Neumann and Chebyshev models."""

from __future__ import annotations

from flint import arb

from proofs_check.balls import autocov_balls, precision, round_up
from proofs_check.blame import blame
from proofs_check.certificate import Certificate, CertificateError, check_spectrum, conclude
from proofs_check.certify_first_order import (
    enclosure_of,
    network_terms,
    rate_and_truncation,
    rests_on,
)
from proofs_check.ends import read_ends
from proofs_check.gate_bounds import ScaledGates
from proofs_check.gate_network import read_gates
from proofs_check.interpreter import Interpreter
from proofs_check.problem_sizes import ProblemSizes
from proofs_check.propagation import propagate
from proofs_check.saved_model import SavedModel
from proofs_check.share import Share

__all__ = ["BITS", "audit_first_order"]

BITS = 128  # for patterns: they are compared with the kernel, not eliminated


def audit_first_order(model: SavedModel) -> Certificate:
    """Bound the error of a saved model, or say what is wrong with it."""
    plan = model.plan
    assert plan.lowering is not None
    lower, upper = model.spectrum
    gates: ScaledGates | None = None
    with precision():
        enclosure = enclosure_of(plan)
        check_spectrum(lower, upper, enclosure, plan.t_min)
        if plan.conditioning is None:
            terms = rate_and_truncation(plan, enclosure, arb(lower), arb(upper))
    with precision(BITS):
        if plan.conditioning is not None:
            gates = read_gates(model, arb(lower), arb(upper))
            terms = network_terms(plan, enclosure, gates)
        ends = read_ends(model)
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
        return conclude(plan, terms, rests_on(plan))
    except CertificateError as refusal:
        if gates is not None and gates.error > max(round_up(total), round_up(terms["rate"])):
            raise CertificateError(f"{refusal}; {gates.blame}") from None
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
