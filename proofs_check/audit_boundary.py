"""The audit of boundary models: frequencies, vectors, poles and amplitudes of the tensors."""

from __future__ import annotations

from collections.abc import Sequence

from flint import arb

from proofs_check.audit_first_order import BITS
from proofs_check.balls import precision, round_up
from proofs_check.blame import blame
from proofs_check.boundary_blocks import BoundaryBlocks, RankOne
from proofs_check.certificate import Certificate, CertificateError, conclude
from proofs_check.certify_boundary import BOUNDARY_LEMMAS, one_pass
from proofs_check.enclosures import enclose_operator
from proofs_check.ends import eigenbasis, read_ends
from proofs_check.saved_model import SavedModel
from proofs_check.share import charge
from proofs_check.spectral_sizes import Sizes

__all__ = ["audit_boundary"]


def audit_boundary(model: SavedModel, circulant: tuple[int, Sequence[float]]) -> Certificate:
    """Bound the error of a saved model, or say what is wrong with it.

    The rank-one heads are whatever the second block says: the rate is proved for them. The
    Fourier heads are compared with the symbol that the plan claims, everything else with both.

    Parameters
    ----------
    circulant
        Period and symbol that the plan claims.
    """
    plan, gp = model.plan, model.plan.gp
    with precision():
        enclosure = enclose_operator(gp, None)
    with precision(BITS):
        embed = model.tensors["embed"][:, model.channels["v"]]
        basis = eigenbasis(gp.spatial_cov, embed)
        ends, found = read_ends(model, embed, basis), RankOne(model, basis.mu)
        exact = one_pass(
            plan,
            enclosure,
            basis,
            circulant,
            (found.ends, found.read),
            found.poles,
            found.amplitudes,
        )
        sizes = Sizes.of(model, arb(plan.t_min).expm1() + exact.lower)
        blocks = BoundaryBlocks(model, circulant, basis.mu, ends, sizes)
        arrived = [blocks.circulant(), blocks.rank_one(exact.heads)]
        charge(arrived[0], {"embed": exact.eigenvectors})
        size = 1 + exact.rate + sum((x for part in arrived for x in part.values()), arb(0))
        charge(arrived[1], {"readout": ends.readout * size})
        charge(arrived[1], {"rounding in readout": ends.readout_rounding * size})
        parts = {True: arb(0), False: arb(0)}
        for causes in arrived:
            for name, x in causes.items():
                parts[name.startswith("rounding")] += x
        terms = {"rate": exact.rate, "rounding": parts[True], "weights": parts[False]}
    try:
        return conclude(plan, terms, BOUNDARY_LEMMAS)
    except CertificateError as refusal:
        if not round_up(exact.rate) < round_up(parts[True] + parts[False]):
            raise CertificateError(
                f"{refusal}; it follows from plan.boundary, position (ends), and attention.key, "
                "attention.poles and attention.amplitude of block 1"
            ) from None
        raise CertificateError(f"{refusal}; {blame(model, arrived, {})}") from None
