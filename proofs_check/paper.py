"""certify(plan) for the paper's own model: products by ReLUs, and a read-out projected onto a ball.

    error <= delta_K + (1 + delta_K) e_t / m~_t + conditioning + rounding + tail

The derivation is that of `unroll.paper_error`; here its numbers are not trusted. From the ranges
that the plan claims follow the errors of all products (lemma ``relu_product``) and roundings, from
these the largest distance ``E`` of an iterate (lemma ``rounding_gradient``), and with ``E`` the
ranges are shown to hold (lemma ``iterate_range``), in ball arithmetic and for every t: an induction
over the steps. The tail is lemma ``projected_tail``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from flint import arb

from proofs_check import lemmas
from proofs_check.balls import maximum, precision, round_up
from proofs_check.certificate import (
    Certificate,
    CertificateError,
    check_spectrum,
    conclude,
    noisy,
)
from proofs_check.certify_first_order import rate_and_truncation, rests_on
from proofs_check.enclose import ball, enclose
from proofs_check.enclosures import Enclosure, enclose_operator
from unroll.paper_rounding import PaperArithmetic
from unroll.plan import Plan
from unroll.relu_product import ReluProducts

__all__ = ["certify_paper"]

_LEMMAS = ("relu_product", "rounding_gradient", "iterate_range", "projected_tail")

#: A rounding bound is a sum of positive terms with fewer than 10^5 operations of float64.
_FLOAT_EVALUATION = 1 + 1e-10
_GAP = 1e-12  # of suprema over t, below what ranges have to spare


def certify_paper(plan: Plan) -> Certificate:
    """Bound the error of every model that carries out a plan with products.

    Raises
    ------
    CertificateError
        The spectrum or a range that the plan claims cannot be confirmed, or the bound exceeds
        ``tol``.
    """
    assert plan.lowering is not None
    assert plan.products is not None
    with precision():
        enclosure = enclose_operator(plan.gp, plan.lowering)
        check_spectrum(plan.spectrum.lower, plan.spectrum.upper, enclosure, plan.t_min)
        ends = arb(plan.spectrum.lower), arb(plan.spectrum.upper)
        terms = rate_and_truncation(plan, enclosure, *ends)
        terms |= _Proof.of(plan, plan.products, enclosure).terms()
        return conclude(plan, terms, rests_on(plan) + _LEMMAS)


@dataclass(frozen=True)
class _Proof:
    """Suprema over t, all balls: of sizes on the good event, and of what the spectrum gives.

    Attributes
    ----------
    iterate, mixed, given
        Without errors: ``s_k``, ``Gamma~ s_k Sigma`` and ``V - alpha M``.
    score
        The exact score.
    contraction, upper, norm, cancelled
        ``(kappa-1)/(kappa+1)``, ``||A~||``, ``||Gamma~ kron Sigma||`` and what
        ``alpha^2 l + sigma^2`` loses where ``l`` is negative.
    typical
        The least root-mean-square score.
    """

    plan: Plan
    products: ReluProducts
    iterate: arb
    mixed: arb
    given: arb
    score: arb
    contraction: arb
    upper: arb
    norm: arb
    cancelled: arb
    typical: arb

    @classmethod
    def of(cls, plan: Plan, products: ReluProducts, enclosure: Enclosure) -> _Proof:
        low, high = arb(plan.spectrum.lower), arb(plan.spectrum.upper)
        true_low, q = enclosure.lower + enclosure.band_error, ball(products.quantile)
        channels = plan.gp.channels
        share = sum((ball(float(x)) for x in np.diag(plan.gp.spatial_cov)), arb(0)) / channels

        def contraction(t: arb) -> arb:
            kappa = 1 + (high - low) / (t.expm1() + low)
            return 1 - 2 / (kappa + 1)

        def image(t: arb) -> arb:
            smallest, largest = noisy(t, low, high)
            return (high / largest.sqrt()).max(-low / smallest.sqrt())

        def sup(function: Callable[[arb], arb]) -> arb:
            return maximum(function, plan.t_min, plan.t_max, _GAP)

        off = q * (1 + sup(lambda t: enclosure.band_error / (t.expm1() + low))).sqrt()
        delta = sup(contraction)
        smallest = ball(plan.t_min).expm1()
        return cls(
            plan=plan,
            products=products,
            iterate=off * sup(lambda t: 1 / noisy(t, low, high)[0].sqrt()),
            mixed=off * (1 + delta) * sup(image),
            given=q * sup(lambda t: noisy(t, low, high)[1].sqrt()),
            score=q * sup(lambda t: 1 / noisy(t, true_low, high)[0].sqrt()),
            contraction=delta,
            upper=sup(lambda t: noisy(t, low, high)[1]),
            norm=high.max(-low),
            cancelled=(smallest + abs(low)) / (smallest + low),
            typical=(plan.gp.frames * channels / sup(lambda t: noisy(t, share, share)[0])).sqrt(),
        )

    def terms(self) -> dict[str, arb]:
        """The terms that products, their arithmetic and the tail add."""
        plan, products = self.plan, self.products
        self.check_scalars()
        entries = arb(plan.gp.frames * plan.gp.channels).sqrt()
        inexact = entries * (
            self.product_error(products.alpha_sq, products.mixed, products.levels)
            + self.product_error(products.sigma_sq, products.iterate, products.levels)
            + self.product_error(products.alpha, products.mean, products.mean_levels)
        )
        last = entries * self.product_error(products.eta, products.gradient, products.levels)
        by_products = ball(products.eta) * inexact + last

        assert plan.lowering is not None
        arithmetic = PaperArithmetic(plan.gp, plan.lowering, plan.t_max, plan.dtype)
        given = round_up(self.given)
        factor = self.cancelled * ball(_FLOAT_EVALUATION)
        mixed = ball(arithmetic.mixed(products)) * factor
        gradient = ball(arithmetic.gradient(products, given)) * factor
        by_rounding = ball(arithmetic.step(products, given)) * factor

        amplified = lemmas.get("rounding_gradient").also["limit"]
        (rho,) = amplified.free_symbols
        gain = enclose(amplified, {rho: self.contraction})
        error = gain * (by_products + by_rounding)  # E
        self.check_range("iterate", self.iterate + error)
        self.check_range("mixed", self.mixed + self.norm * error + mixed)
        self.check_range("gradient", self.given + self.upper * error + inexact + gradient)
        self.check_range("radius", self.score)
        projection = ball(arithmetic.projection(products)) * factor
        return {
            "conditioning": gain * by_products / self.typical,
            "rounding": (gain * by_rounding + projection) / self.typical,
            "tail": self.tail(),
        }

    def product_error(self, scalar: float, vector: float, levels: int) -> arb:
        """``X Y 4^{-m-1}``: lemma ``relu_product`` for factors in units of their ranges."""
        bound = lemmas.get("relu_product").bound
        symbols = {symbol.name: symbol for symbol in bound.free_symbols}
        unit = enclose(bound.subs(symbols["levels"], levels), {symbols["size"]: arb(1)})
        return ball(scalar) * ball(vector) * unit

    def tail(self) -> arb:
        """Lemma ``projected_tail``, relative to the score."""
        bound, n = lemmas.get("projected_tail").bound, self.plan.gp.frames * self.plan.gp.channels
        half = ball(self.products.quantile) ** 2 / 2
        values = {
            "R": ball(self.products.radius) / self.typical,
            "S": arb(1),
            "P_n": half.gamma_upper(arb(n) / 2, regularized=1),
            "P_n2": half.gamma_upper(arb(n) / 2 + 1, regularized=1),
        }
        return enclose(bound, {symbol: values[symbol.name] for symbol in bound.free_symbols})

    def check_scalars(self) -> None:
        """The functions of t and the mean stay in their ranges."""
        plan, t_min, t_max = self.plan, ball(self.plan.t_min), ball(self.plan.t_max)
        low, high = arb(plan.spectrum.lower), arb(plan.spectrum.upper)
        middle = (low + high) / 2  # eta = 2 / (m + L)
        eta = maximum(lambda t: 1 / noisy(t, middle, middle)[0], plan.t_min, plan.t_max, _GAP)
        self.check_range("eta", eta)
        self.check_range("alpha", (-t_min / 2).exp())
        self.check_range("alpha_sq", (-t_min).exp())
        self.check_range("sigma_sq", 1 - (-t_max).exp())
        mean = float(np.abs(plan.gp.mean).max()) if plan.gp.has_mean else 0.0
        self.check_range("mean", ball(mean))

    def check_range(self, name: str, needed: arb) -> None:
        """A range that the plan claims is wide enough."""
        claimed = getattr(self.products, name)
        if not ball(claimed) >= needed:
            raise CertificateError(
                f"products.{name}={claimed:.9g}: is not shown to be enough, {round_up(needed):.9g} "
                "is; plan anew"
            )
