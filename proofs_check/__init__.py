"""Why it is right: lemmas, their proofs, and certificates composed of them."""

from proofs_check.prove import prove

__all__ = ["prove"]
