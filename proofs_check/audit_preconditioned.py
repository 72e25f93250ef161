"""The audit of preconditioned models: gates, frequencies, step sizes and basis of the tensors."""

from __future__ import annotations

from flint import arb

from proofs_check.audit_first_order import BITS
from proofs_check.balls import autocov_balls, precision, round_up
from proofs_check.blame import blame
from proofs_check.certificate import Certificate, CertificateError, conclude
from proofs_check.certify_preconditioned import PRECONDITIONED_LEMMAS, exact_terms
from proofs_check.enclosures import enclose_operator
from proofs_check.ends import Basis, eigenbasis, read_ends
from proofs_check.preconditioned_blocks import PreconditionedBlocks
from proofs_check.preconditioned_propagation import PreconditionedPropagation
from proofs_check.preconditioned_sizes import PreconditionedSizes
from proofs_check.saved_model import SavedModel
from proofs_check.share import Share

__all__ = ["audit_preconditioned"]

_LARGEST_LOG = 0.5  # how far an eigenvalue in the time features may be off


def audit_preconditioned(model: SavedModel) -> Certificate:
    """Bound the error of a saved model, or say what is wrong with it.

    Step sizes are whatever the table of the time features says: the rate is proved for them. The
    eigenbasis is that of the embedding; everything else is compared with both, and with the symbol
    that the plan claims.
    """
    plan, gp = model.plan, model.plan.gp
    assert plan.lowering is not None
    tensors = model.tensors
    with precision():
        enclosure = enclose_operator(gp, plan.lowering)
    with precision(BITS):
        embed = tensors["embed"][:, model.channels["v"]]
        basis = eigenbasis(gp.spatial_cov, embed)
        rows = [[arb(float(c)) for c in row] for row in tensors["time.steps"]]
        low, high = (arb(float(x)) for x in tensors["time.log_range"])
        if not low < high:
            raise CertificateError("time.log_range: must ascend; save the model anew")
        logs = _eigenvalue_logs(model, basis)
        exact = exact_terms(plan, enclosure, basis, rows, (low, high))
        ends = read_ends(model, embed, basis)
        sizes = PreconditionedSizes.of(model, exact.lower, exact.upper)
        gamma = autocov_balls(gp.kernel, gp.frames)
        blocks = PreconditionedBlocks(model, gamma, basis.mu, ends, sizes, exact.products)
        # right-hand sides have the covariance of the true operator, not of that of the heads
        moved = 1 + exact.truncation + exact.eigenvectors
        state, rounded = (PreconditionedPropagation(exact.products, sizes, moved) for _ in range(2))
        for step in range(plan.depth):
            spatial = exact.slopes[step] * logs
            shares = (blocks.residual(step), *blocks.correction(step, spatial))
            state.add(*shares)
            rounded.add(*([x for x in part if _rounds(x)] for part in shares))
        arrived = state.arrived()
        arrived[-1]["readout"] = ends.readout * state.size
        arrived[-1]["embed"] = arrived[-1].get("embed", arb(0)) + exact.eigenvectors
        total = state.errors[-1] + (ends.readout + ends.readout_rounding) * state.size
        total += exact.eigenvectors
        terms = {"rate": exact.rate, "truncation": exact.truncation}
        terms["rounding"] = rounded.errors[-1] + ends.readout_rounding * rounded.size
        terms["weights"] = arb(round_up(total - terms["rounding"]))
    try:
        return conclude(plan, terms, PRECONDITIONED_LEMMAS)
    except CertificateError as refusal:
        if round_up(exact.rate) + round_up(exact.truncation) > plan.tol / 2 >= round_up(total):
            raise CertificateError(
                f"{refusal}; it follows from time.steps, time.log_range and plan.preconditioner"
            ) from None
        raise CertificateError(f"{refusal}; {blame(model, arrived, blocks.worst_frames)}") from None


def _rounds(share: Share) -> bool:
    return share.tensor.startswith("rounding")


def _eigenvalue_logs(model: SavedModel, basis: Basis) -> arb:
    """``|log(mu'_a / mu_a)|`` for the eigenvalues in the time features, the largest."""
    worst = arb(0)
    for a, (found, exact) in enumerate(zip(model.tensors["time.spatial"], basis.mu, strict=True)):
        if not (found > 0 and exact > 0):
            raise CertificateError(f"time.spatial[{a}]={found:.6g}: is no eigenvalue")
        worst = worst.max(abs((arb(float(found)) / exact).log()))
    if not worst < _LARGEST_LOG:
        raise CertificateError("time.spatial: are not the eigenvalues of the spatial covariance")
    return worst
