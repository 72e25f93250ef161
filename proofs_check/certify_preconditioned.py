"""The certificate of the preconditioned iteration.

    relative error <= delta + (1 + delta) (e + e') / m + rounding     for every t in the range,

with ``delta`` the relative root-mean-square error of the iteration in exact arithmetic
(`proofs_check.preconditioned_rate`), for the operator that the heads carry in an eigenbasis of
``Sigma``; ``e`` and ``e'`` are what heads and basis are off by (lemma ``nearby_operator``), and the
rounding errors of all blocks arrive as lemma ``preconditioned_arrival`` says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from flint import arb

from proofs_check import lemmas
from proofs_check.balls import precision, round_up
from proofs_check.certificate import Certificate, CertificateError, conclude
from proofs_check.enclose import ball, enclose
from proofs_check.enclosures import Enclosure, enclose_operator
from proofs_check.ends import Basis, eigenbasis
from proofs_check.preconditioned_rate import check_size, products, rate
from proofs_check.preconditioned_spectrum import PreconditionedSpectrum
from proofs_check.step_sizes import StepSizes, noise_range
from unroll.methods.partial_products import PartialProducts
from unroll.plan import Plan
from unroll.rounding import unit_roundoff
from unroll.rounding_direct import relative_sizes
from unroll.rounding_preconditioned import guaranteed_preconditioned_rounding
from unroll.spectrum import Spectrum

__all__ = ["PRECONDITIONED_LEMMAS", "Exact", "certify_preconditioned", "exact_terms"]

_BITS = 128  # products of matrices and transforms; nothing is eliminated
_FLOAT_EVALUATION = 1 + 1e-10

PRECONDITIONED_LEMMAS = (
    "residual_polynomial",
    "preconditioned_error",
    "preconditioner_spectrum",
    "preconditioned_analytic",
    "chebyshev_interpolant",
    "chebyshev_noise",
    "chebyshev_grid",
    "polar_factor",
    "nearby_operator",
    "preconditioned_arrival",
    "state_noise",
    "filtered_noise",
)


@dataclass(frozen=True)
class Exact:
    """What holds in exact arithmetic.

    Attributes
    ----------
    rate, truncation, eigenvectors
        Terms of the certificate.
    products
        How local errors survive.
    slopes
        ``|d eta_k / d log x|`` at most, half beyond the range of ``x`` too.
    lower
        At most the eigenvalues of ``Gamma~ kron Sigma'``, with ``Sigma'`` diagonal in the basis.
    upper
        At least those.
    """

    rate: arb
    truncation: arb
    eigenvectors: arb
    products: PartialProducts
    slopes: list[arb]
    lower: arb
    upper: arb

    @property
    def spectrum(self) -> Spectrum:
        """Both as floats."""
        lower, upper = self.lower.lower(), round_up(self.upper)
        return Spectrum(math.nextafter(float(lower), -math.inf), upper)


def certify_preconditioned(plan: Plan) -> Certificate:
    """Bound the error of every model that carries out a plan with the eigenvectors of ``Sigma``
    that `unroll` computes.
    """
    gp, design = plan.gp, plan.preconditioner
    assert plan.lowering is not None
    assert design is not None
    spatial, rotation = gp.noisy_cov.spatial_eigen
    with precision():
        enclosure = enclose_operator(gp, plan.lowering)
    with precision(_BITS):
        basis = eigenbasis(gp.spatial_cov, rotation, spatial)
        rows = [[arb(c) for c in row] for row in design.roots]
        ends = arb(design.log_range[0]), arb(design.log_range[1])
        exact = exact_terms(plan, enclosure, basis, rows, ends)
        terms = {"rate": exact.rate, "truncation": exact.truncation}
        terms["eigenvectors"] = exact.eigenvectors + _skewed(plan, basis, exact)
        bound = guaranteed_preconditioned_rounding(
            gp,
            plan.lowering,
            design,
            exact.spectrum,
            t_min=plan.t_min,
            dtype=plan.dtype,
            activation=plan.activation,
            products=exact.products,
        )
        terms["rounding"] = ball(bound) * _FLOAT_EVALUATION
        return conclude(plan, terms, PRECONDITIONED_LEMMAS)


def exact_terms(
    plan: Plan,
    enclosure: Enclosure,
    basis: Basis,
    rows: list[list[arb]],
    log_range: tuple[arb, arb],
) -> Exact:
    """Rate and nearby operators, for step sizes given by Chebyshev coefficients on a range.

    Raises
    ------
    CertificateError
        The sequence is too long, or an operator is not shown to be positive.
    """
    gp, design = plan.gp, plan.preconditioner
    assert plan.lowering is not None
    assert design is not None
    check_size(gp.frames)
    noise = arb(plan.t_min).expm1()
    if not all(mu > 0 for mu in basis.mu):
        raise CertificateError("embed: is too far from an eigenbasis of the spatial covariance")
    spectrum = PreconditionedSpectrum.of(
        gp.kernel, gp.frames, plan.lowering, list(design.symbol), design.period
    )
    if spectrum.floor < 0:
        raise CertificateError("heads: what they carry is not shown to be positive semidefinite")
    moved = spectrum.norm * basis.off
    lower, upper = enclosure.lower - moved, enclosure.upper + moved
    if not noise + lower > 0:
        raise CertificateError("embed: is too far from an eigenbasis of the spatial covariance")
    low, high = noise_range(basis.mu, plan.t_min, plan.t_max)
    steps = StepSizes.of(rows, log_range, low, high)
    survive = products(spectrum, steps)
    delta = rate(spectrum, steps, survive.plain[1:, -1].tolist(), plan.tol)
    perturbed = lemmas.get("nearby_operator").bound
    symbols = {symbol.name: symbol for symbol in perturbed.free_symbols}

    def cost(error: arb) -> arb:
        """Of an error of the operator, over ``alpha^2``."""
        values = {"delta": delta, "e": error, "m": noise + lower}
        return enclose(
            perturbed - symbols["delta"], {symbols[name]: x for name, x in values.items()}
        )

    truncation = cost(enclosure.band_error) if enclosure.band_error > 0 else arb(0)
    return Exact(delta, truncation, cost(moved), survive, steps.slopes(), lower, upper)


def _skewed(plan: Plan, basis: Basis, exact: Exact) -> arb:
    """What the basis lacks in orthogonality at both ends, and the rounding of stored numbers.

    The iteration maps right-hand sides with a norm of at most ``(1 + rho_K) / m``; ``mu`` and the
    products ``f mu`` are rounded, relative errors of ``A`` and ``P``.
    """
    design = plan.preconditioner
    assert design is not None
    lower = float(exact.lower.lower())
    data, mean = (ball(x * _FLOAT_EVALUATION) for x in relative_sizes(plan.gp, lower, plan.t_min))
    left = ball(float(exact.products.plain[0, -1]))
    rotated = basis.skew * (1 + left) * (data + 2 * mean) + basis.skew * (2 + left)
    # gates off by a relative e move A^{1/2} P A^{1/2} by e h, and A^{-1/2} r_k is rho_k sqrt(n + v)
    off = 2 * ball(unit_roundoff("float64")) * ball(exact.products.largest) * data.sqrt()
    stored = arb(0)
    for k in range(design.count):
        sizes = exact.products.plain[k + 1, -1], exact.products.step[k], exact.products.plain[0, k]
        stored += off * ball(float(np.prod(sizes))) * _FLOAT_EVALUATION
    total: arb = rotated + stored
    return total
