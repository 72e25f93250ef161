"""certify(plan): a bound on the error of every model that carries out a plan."""

from __future__ import annotations

from proofs_check.boundary_heads import BoundaryClaim
from proofs_check.certificate import Certificate, CertificateError
from proofs_check.certify_boundary import certify_boundary
from proofs_check.certify_first_order import certify_first_order
from proofs_check.certify_preconditioned import certify_preconditioned
from proofs_check.certify_spectral import certify_spectral
from proofs_check.paper import certify_paper
from unroll.methods import METHODS
from unroll.plan import Plan

__all__ = ["certify"]


def certify(plan: Plan) -> Certificate:
    """Bound the error of every model that carries out a plan.

    Parameters
    ----------
    plan
        From `unroll.make_plan`, or read from a saved model.

    Raises
    ------
    CertificateError
        The spectrum that the plan claims cannot be confirmed, the problem is too large for a
        proof, or the bound exceeds ``tol``.
    """
    if plan.gp.frame_times is not None and plan.method_name not in METHODS:
        raise CertificateError(
            f"method={plan.method_name!r}: has no certificate for irregular frame times"
        )
    if plan.products is not None:
        return certify_paper(plan)
    if plan.method_name in METHODS:
        return certify_first_order(plan)
    if plan.preconditioner is not None:
        return certify_preconditioned(plan)
    if plan.boundary is not None:
        return certify_boundary(plan, BoundaryClaim(**plan.boundary.arrays()))
    if plan.modes is not None:
        return certify_spectral(plan)
    raise CertificateError(f"method={plan.method_name!r}: has no certificate")
