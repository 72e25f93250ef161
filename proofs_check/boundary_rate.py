r"""The error of the boundary-corrected inverse symbol, for every diffusion time at once.

In channel ``a`` of the eigenbasis of ``Sigma`` everything depends on ``x = (e^t - 1) / mu_a``, and
the relative mean square error of ``B = P + sum_h rho_h v_h v_h^T / (x + p_h)``,

    e(x) = tr((B A - I) A^{-1} (A B - I)) / tr(A^{-1}),

is an analytic function of ``log x``, bounded around the range by lemma ``boundary_analytic``. The
mean over channels is not larger than the worst of them.
"""

from __future__ import annotations

from flint import arb

from proofs_check import lemmas
from proofs_check.boundary_heads import BoundaryHeads
from proofs_check.certificate import CertificateError
from proofs_check.enclose import enclose
from proofs_check.float_error import weighted_square
from proofs_check.preconditioned_rate import largest_root, surroundings
from proofs_check.preconditioned_spectrum import PreconditionedSpectrum

__all__ = ["boundary_rate"]


def boundary_rate(
    spectrum: PreconditionedSpectrum, heads: BoundaryHeads, low: float, high: float, tol: float
) -> arb:
    """At least the relative root-mean-square error, for every ``log x`` in ``[low, high]``.

    Raises
    ------
    CertificateError
        A pole is not shown to be left of every noise, or too many points are needed.
    """
    if not all(p >= 0 for p in [*heads.poles, spectrum.least]):
        raise CertificateError("poles: are not shown to be nonnegative")
    half, middle = (arb(high) - low) / 2, (arb(high) + low) / 2

    def value(angle: arb) -> arb:
        x = (middle + half * angle.cos()).exp()
        return weighted_square(heads.residual(x, spectrum.halves(x)))

    def size(rho: arb) -> arb:
        around = surroundings(low, high, rho)
        if around is None:
            return arb("inf")
        phi, *ends = around
        lemma = lemmas.get("boundary_analytic")
        symbols = {symbol.name: symbol for symbol in lemma.bound.free_symbols}
        values = {"phi": phi, "h": arb(spectrum.largest(*ends)), "c": heads.size(*ends)}
        return enclose(lemma.bound, {symbols[name]: x for name, x in values.items()})

    found = largest_root((high - low) / 2, value, size, tol)
    if found is None:
        raise CertificateError("poles: vary too fast for a proof of the error they leave")
    return found
