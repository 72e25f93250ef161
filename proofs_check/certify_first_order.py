"""The certificate of gradient descent, Neumann series and Chebyshev iteration.

    relative error <= delta_K + (1 + delta_K) e_t / m~_t + rounding     for every t in the range,

composed from the lemmas ``gradient_descent`` or ``chebyshev`` (rate), ``perturbation`` (a band of
lags instead of all) and ``rounding``. The terms in t are bounded in ball arithmetic by
subdivision of ``[t_min, t_max]``; nothing is sampled.

`unroll.rounding` gives the rounding term as ``T / (1 - T)``, with ``T`` what the local errors of
all blocks add up to if iterates had their exact size. An earlier iterate may be off by more than
the last, by at most ``2 T / (1 - T)``: local errors, relative to the constant one, lie between 1
and 2, and constant ones add up to more with every block. Products of two roundings come on top.
"""

from __future__ import annotations

from flint import arb

from proofs_check import lemmas
from proofs_check.balls import maximum, precision, round_up
from proofs_check.certificate import Certificate, CertificateError, check_spectrum, conclude
from proofs_check.enclose import ball, enclose
from proofs_check.enclosures import Enclosure, enclose_operator
from proofs_check.gate_bounds import ScaledGates, scaled_gates
from proofs_check.irregular import enclose_irregular
from proofs_check.symbols import K, L, m
from unroll.plan import Plan
from unroll.rounding import guaranteed_rounding, unit_roundoff

__all__ = ["certify_first_order", "network_terms", "rate_and_truncation", "rests_on"]

_RATE_LEMMAS = {
    "gradient": "gradient_descent",
    "neumann": "gradient_descent",
    "chebyshev": "chebyshev",
}

#: The rounding bound is a sum of positive terms evaluated in float64 with fewer than 10^5
#: operations; this factor is above their accumulated rounding.
_FLOAT_EVALUATION = 1 + 1e-10

_NETWORK_BITS = 128  # nothing is eliminated there


def certify_first_order(plan: Plan) -> Certificate:
    """Bound the error of every model that carries out a plan."""
    assert plan.lowering is not None
    with precision():
        enclosure = enclosure_of(plan)
        check_spectrum(plan.spectrum.lower, plan.spectrum.upper, enclosure, plan.t_min)
        ends = arb(plan.spectrum.lower), arb(plan.spectrum.upper)
        gates = None
        if plan.conditioning is not None:
            with precision(_NETWORK_BITS):
                gates = scaled_gates(plan.conditioning, plan, *ends)
            if not gates.planned:
                raise CertificateError(
                    "conditioning: the network scales the operator out of the spectrum that the "
                    "step sizes are for; plan anew"
                )
            terms = network_terms(plan, enclosure, gates)
        else:
            terms = rate_and_truncation(plan, enclosure, *ends)
        terms["rounding"] = _rounding(plan, gates)
        return conclude(plan, terms, rests_on(plan))


def enclosure_of(plan: Plan) -> Enclosure:
    """The spectrum of what the heads carry."""
    assert plan.lowering is not None
    if plan.gp.frame_times is not None:
        return enclose_irregular(plan.gp, plan.lowering)
    return enclose_operator(plan.gp, plan.lowering)


def rests_on(plan: Plan) -> tuple[str, ...]:
    """The lemmas that such a certificate is composed of."""
    network: tuple[str, ...] = ("interpolation", "scaled_gates") if plan.conditioning else ()
    if plan.conditioning and plan.activation != "relu":
        network = (*network, "smooth_hinge")
    rate = _RATE_LEMMAS[plan.method_name]
    ends: tuple[str, ...] = ("floating_cholesky",) if plan.gp.frame_times is not None else ()
    return ("residual_polynomial", rate, "perturbation", "rounding", *ends, *network)


def rate_and_truncation(plan: Plan, enclosure: Enclosure, lower: arb, upper: arb) -> dict[str, arb]:
    """The terms of exact arithmetic, each an upper bound over ``[t_min, t_max]``.

    ``lower`` and ``upper`` are the ends for which the step sizes were chosen.
    """
    rate_lemma = lemmas.get(_RATE_LEMMAS[plan.method_name]).bound.subs(K, plan.depth)
    perturbed = lemmas.get("perturbation").bound
    symbols = {symbol.name: symbol for symbol in perturbed.free_symbols}
    delta, e, smallest = symbols["delta"], symbols["e"], symbols["m"]

    def condition_number(t: arb) -> arb:
        # (1 + a(U-1)) / (1 + a(l-1)) = 1 + (U - l) / (exp(t) - 1 + l): t enters once
        return 1 + (upper - lower) / (t.expm1() + lower)

    def rate(t: arb) -> arb:
        # the rate grows with the condition number: its value at the largest one bounds the ball
        return enclose(rate_lemma, {m: arb(1), L: arb(condition_number(t).upper())})

    def band(t: arb) -> arb:
        # the second part of the perturbation lemma, with e and m divided by alpha^2
        values = {delta: rate(t), e: enclosure.band_error, smallest: t.expm1() + lower}
        return enclose(perturbed - delta, values)

    return {
        "rate": maximum(rate, plan.t_min, plan.t_max),
        "truncation": (
            maximum(band, plan.t_min, plan.t_max) if enclosure.band_error > 0 else arb(0)
        ),
    }


def network_terms(plan: Plan, enclosure: Enclosure, gates: ScaledGates) -> dict[str, arb]:
    """The terms of exact arithmetic where gates come from a network.

    The iteration is that of one operator ``P G~ + R``, whose eigenvalues stay where they are for
    every t; the perturbation lemma charges both the band and the gates (lemma ``scaled_gates``).
    """
    if not gates.lower > 0:
        raise CertificateError("conditioning: the scaled operator is not positive definite")
    rate_lemma = lemmas.get(_RATE_LEMMAS[plan.method_name]).bound.subs(K, plan.depth)
    perturbed = lemmas.get("perturbation").bound
    symbols = {symbol.name: symbol for symbol in perturbed.free_symbols}
    delta, e, smallest = symbols["delta"], symbols["e"], symbols["m"]
    rate = enclose(rate_lemma, {m: arb(1), L: gates.condition_number})
    # divided by alpha^2, as in `rate_and_truncation`; largest at t_min
    noise = arb(plan.t_min).expm1() + arb(plan.spectrum.lower)
    band = enclosure.band_error
    truncation = (
        enclose(perturbed - delta, {delta: rate, e: band, smallest: noise}) if band > 0 else arb(0)
    )
    x = gates.error * (1 + band / noise)
    conditioning = enclose(perturbed - delta, {delta: rate, e: x, smallest: arb(1)})
    return {"rate": rate, "truncation": truncation, "conditioning": conditioning}


def _rounding(plan: Plan, gates: ScaledGates | None = None) -> arb:
    """The plan's rounding bound, raised by what the module's docstring says it leaves out."""
    assert plan.lowering is not None
    network = None
    if gates is not None:
        network = round_up(gates.error), round_up(gates.condition_number)
    bound = ball(
        guaranteed_rounding(
            plan.gp,
            plan.lowering,
            plan.method,
            plan.spectrum,
            plan.depth,
            t_min=plan.t_min,
            t_max=plan.t_max,
            dtype=plan.dtype,
            activation=plan.activation,
            network=network,
        )
    )
    # a term passes through fewer than this many roundings
    longest = 4 * (plan.gp.frames + plan.heads * plan.gp.channels + 64)
    products = (longest * ball(unit_roundoff(plan.dtype))).exp()
    # 1 + a (lower - 1), from which all gates come, loses digits only where lower is negative
    noise, lower = arb(plan.t_min).expm1(), arb(plan.spectrum.lower)
    cancelled = (noise + abs(lower)) / (noise + lower)
    total = bound / (1 + bound) * products * cancelled * ball(_FLOAT_EVALUATION)
    if not total < 1:
        return arb("inf")
    raised: arb = total * (1 + total) / (1 - total)
    return raised
