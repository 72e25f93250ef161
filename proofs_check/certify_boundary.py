"""The certificate of the boundary-corrected inverse symbol.

    relative error <= delta + (1 + delta) e / m + rounding     for every t in the range,

with ``delta`` the relative root-mean-square error of the one pass in exact arithmetic
(`proofs_check.boundary_rate`) for the covariance that is diagonal in the basis of the model, and
``e`` its distance from the true one (lemma ``nearby_operator``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flint import arb, arb_mat

from proofs_check import lemmas
from proofs_check.balls import ball_matrix, precision
from proofs_check.boundary_heads import BoundaryClaim, BoundaryHeads
from proofs_check.boundary_rate import boundary_rate
from proofs_check.certificate import Certificate, CertificateError, conclude
from proofs_check.enclose import ball, enclose
from proofs_check.enclosures import Enclosure, enclose_operator
from proofs_check.ends import Basis, eigenbasis
from proofs_check.preconditioned_rate import check_size
from proofs_check.preconditioned_spectrum import PreconditionedSpectrum
from proofs_check.step_sizes import noise_range
from unroll.plan import Plan
from unroll.rounding import unit_roundoff
from unroll.rounding_boundary import guaranteed_boundary_rounding
from unroll.rounding_direct import relative_sizes
from unroll.spectrum import Spectrum

__all__ = ["BOUNDARY_LEMMAS", "OnePass", "certify_boundary", "one_pass"]

_BITS = 128
_FLOAT_EVALUATION = 1 + 1e-10

BOUNDARY_LEMMAS = (
    "boundary_analytic",
    "preconditioned_analytic",
    "chebyshev_interpolant",
    "chebyshev_noise",
    "chebyshev_grid",
    "polar_factor",
    "nearby_operator",
    "iterate_sizes",
    "state_noise",
    "filtered_noise",
)


@dataclass(frozen=True)
class OnePass:
    """What holds in exact arithmetic.

    Attributes
    ----------
    rate, eigenvectors
        Terms of the certificate.
    lower
        At most the eigenvalues of ``Gamma kron Sigma'``, with ``Sigma'`` diagonal in the basis.
    heads
        The rank-one heads.
    norm
        At least the norms of both parts of ``B``, over that of ``A^{-1}``, for every t.
    """

    rate: arb
    eigenvectors: arb
    lower: arb
    heads: BoundaryHeads
    norm: arb

    @property
    def spectrum(self) -> Spectrum:
        """Its lower end as a float; the other is not used."""
        lower = math.nextafter(float(self.lower.lower()), -math.inf)
        return Spectrum(lower, max(lower, 1.0))


def certify_boundary(plan: Plan, claim: BoundaryClaim) -> Certificate:
    """Bound the error of every model that carries out a plan with the eigenvectors of ``Sigma``
    that `unroll` computes.

    Parameters
    ----------
    plan
        The problem, the range of t and the promise.
    claim
        The heads.
    """
    gp = plan.gp
    spatial, rotation = gp.noisy_cov.spatial_eigen
    with precision():
        enclosure = enclose_operator(gp, None)
    with precision(_BITS):
        basis = eigenbasis(gp.spatial_cov, rotation, spatial)
        exact = one_pass(
            plan,
            enclosure,
            basis,
            (claim.period, claim.symbol),
            (ball_matrix(claim.ends), ball_matrix(claim.read)),
            [arb(float(p)) for p in claim.poles],
            [arb(float(rho)) for rho in claim.amplitudes],
        )
        terms = {
            "rate": exact.rate,
            "eigenvectors": exact.eigenvectors + _skewed(plan, basis, exact),
        }
        bound = guaranteed_boundary_rounding(
            gp,
            exact.spectrum,
            **vars(claim),
            t_min=plan.t_min,
            dtype=plan.dtype,
        )
        terms["rounding"] = ball(bound) * _FLOAT_EVALUATION
        return conclude(plan, terms, BOUNDARY_LEMMAS)


def one_pass(
    plan: Plan,
    enclosure: Enclosure,
    basis: Basis,
    circulant: tuple[int, Sequence[float]],
    vectors: tuple[arb_mat, arb_mat],
    poles: list[arb],
    amplitudes: list[arb],
) -> OnePass:
    """For a period and symbol, and rank-one heads with the vectors ``vectors[0] vectors[1]``.

    Raises
    ------
    CertificateError
        The sequence is too long, or an operator is not shown to be positive.
    """
    gp, (period, symbol) = plan.gp, circulant
    check_size(gp.frames, "boundary")
    spectrum = PreconditionedSpectrum.of(gp.kernel, gp.frames, None, list(symbol), period)
    noise, moved = arb(plan.t_min).expm1(), spectrum.norm * basis.off
    lower = enclosure.lower - moved
    if not (noise + lower > 0 and all(mu > 0 for mu in basis.mu)):
        raise CertificateError("embed: is too far from an eigenbasis of the spatial covariance")
    heads = BoundaryHeads.of(spectrum.column, *vectors, poles, amplitudes)
    low, high = noise_range(basis.mu, plan.t_min, plan.t_max)
    rate = boundary_rate(spectrum, heads, low, high, plan.tol)
    perturbed = lemmas.get("nearby_operator").bound
    symbols = {symbol.name: symbol for symbol in perturbed.free_symbols}
    values = {"delta": rate, "e": moved, "m": noise + lower}
    cost = enclose(perturbed - symbols["delta"], {symbols[name]: x for name, x in values.items()})
    least = min(basis.mu, key=float)
    norm = ((noise + lower) / (noise + spectrum.least * least)).max(arb(1))
    norm += heads.share(noise + lower, noise, least)
    return OnePass(rate, cost, lower, heads, norm)


def _skewed(plan: Plan, basis: Basis, exact: OnePass) -> arb:
    """What the basis lacks in orthogonality at both ends, and the rounding of stored numbers:
    ``mu`` and the products of poles with it, relative errors of gates.
    """
    lower = float(exact.lower.lower())
    data, mean = (ball(x * _FLOAT_EVALUATION) for x in relative_sizes(plan.gp, lower, plan.t_min))
    stored = 2 * ball(unit_roundoff("float64")) * exact.norm * data
    total: arb = (
        basis.skew * exact.norm * (data + 2 * mean) + basis.skew * (2 + exact.rate) + stored
    )
    return total
