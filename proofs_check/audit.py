"""audit(path): certify the weights that lie on disk, trusting nobody.

The bound of `certify` holds for a model whose blocks compute the ideal steps. Here the weights
themselves are read: each block's distance from its ideal step, enclosed in ball arithmetic, and
the rounding errors that its own magnitudes allow, are local errors of the method; there is a file
for each family of methods that says what they are and how they reach the output. Rate and
truncation are those of `certify`.
"""

from __future__ import annotations

from pathlib import Path

from proofs_check.audit_boundary import audit_boundary
from proofs_check.audit_first_order import audit_first_order
from proofs_check.audit_preconditioned import audit_preconditioned
from proofs_check.audit_spectral import audit_spectral
from proofs_check.certificate import Certificate, CertificateError
from proofs_check.saved_model import read_saved
from unroll.methods import METHODS

__all__ = ["audit"]


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
    if model.plan.method_name in METHODS:
        return audit_first_order(model)
    if model.plan.preconditioner is not None:
        return audit_preconditioned(model)
    if model.plan.boundary is not None:
        return audit_boundary(model, (model.plan.boundary.period, model.plan.boundary.symbol))
    if model.plan.modes is not None:
        return audit_spectral(model)
    raise CertificateError(
        f"plan.method={model.plan.method_name!r}: the audit does not understand it"
    )
