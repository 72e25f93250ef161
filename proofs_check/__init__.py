"""Why it is right: lemmas, their proofs, and certificates composed of them."""

from proofs_check.audit import audit
from proofs_check.certificate import Certificate, CertificateError
from proofs_check.certify import certify
from proofs_check.prove import prove

__all__ = ["Certificate", "CertificateError", "audit", "certify", "prove"]
