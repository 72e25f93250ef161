"""The certificate of the direct method.

    relative error <= delta + (1 + delta) e_t / m_t + rounding     for every t in the range,

with ``delta`` what the eigenmodes without a head of their own leave (lemma
``eigenmode_remainder``), ``e`` the distance of ``Gamma kron Sigma`` from the matrix whose
eigenvectors the float vectors are, up to what they lack in orthogonality
(`proofs_check.temporal_basis`, lemma ``nearby_operator``).
"""

from __future__ import annotations

from dataclasses import dataclass

from flint import arb

from proofs_check import lemmas
from proofs_check.balls import autocov_balls, ball_matrix, largest, precision, round_up
from proofs_check.certificate import Certificate, CertificateError, conclude
from proofs_check.enclose import ball, enclose
from proofs_check.enclosures import Enclosure, enclose_operator
from proofs_check.ends import Basis, eigenbasis
from proofs_check.temporal_basis import TemporalBasis, read_basis
from unroll.methods.eigenmodes import temporal_modes
from unroll.plan import Plan
from unroll.rounding import unit_roundoff
from unroll.rounding_direct import guaranteed_direct_rounding, relative_sizes
from unroll.spectrum import Spectrum

__all__ = ["SPECTRAL_LEMMAS", "Nearby", "certify_spectral", "moved_score", "nearby", "remainder"]

_BITS = 128  # products of matrices; nothing is eliminated
_FLOAT_EVALUATION = 1 + 1e-10

SPECTRAL_LEMMAS = (
    "eigenmode_remainder",
    "polar_factor",
    "compressed_basis",
    "nearby_operator",
    "iterate_sizes",
    "state_noise",
)


@dataclass(frozen=True)
class Nearby:
    """The operator whose score is meant, and its distance from the true one, over ``alpha^2``.

    Attributes
    ----------
    frames, channels
        What vectors over frames and over channels add to
        ``||Gamma' kron Sigma' - Gamma kron Sigma||``.
    smallest
        Below the eigenvalues of ``Gamma' kron Sigma' + (e^t_min - 1) I``.
    """

    frames: arb
    channels: arb
    smallest: arb

    @property
    def error(self) -> arb:
        """Their sum."""
        return self.frames + self.channels


def certify_spectral(plan: Plan) -> Certificate:
    """Bound the error of every model that carries out a plan with the eigenvectors of
    `unroll.methods.eigenmodes.temporal_modes`.
    """
    gp, modes = plan.gp, plan.modes
    assert modes is not None
    with precision():
        enclosure = enclose_operator(gp, None)
    spatial, rotation = gp.noisy_cov.spatial_eigen
    vectors = temporal_modes(gp.kernel, gp.frames)[1][:, : len(modes.values)]
    with precision(_BITS):
        channels = eigenbasis(gp.spatial_cov, rotation, spatial)
        gamma = autocov_balls(gp.kernel, gp.frames)
        frames = read_basis(gp.kernel, gamma, ball_matrix(vectors), modes.values)
        beside = nearby(plan, enclosure, channels, frames)
        poles = [] if modes.floor is None else [arb(modes.floor) * m for m in channels.mu]
        rate = remainder(plan, channels, frames, poles)
        terms = {"rate": rate, "eigenvectors": moved_score(rate, beside, beside.error)}
        terms["eigenvectors"] += _skewed(plan, channels, frames, beside)
        bound = guaranteed_direct_rounding(
            gp,
            modes,
            _spectrum(plan, beside),
            t_min=plan.t_min,
            dtype=plan.dtype,
            activation=plan.activation,
        )
        terms["rounding"] = ball(bound) * _FLOAT_EVALUATION
        return conclude(plan, terms, SPECTRAL_LEMMAS)


def _spectrum(plan: Plan, beside: Nearby) -> Spectrum:
    """Of the nearby operator; only its lower end matters here."""
    lower = float((beside.smallest - arb(plan.t_min).expm1()).lower())
    return Spectrum(lower, max(lower, plan.spectrum.upper))


def nearby(
    plan: Plan,
    enclosure: Enclosure,
    channels: Basis,
    frames: TemporalBasis,
    vectors: str = "position (modes)",
) -> Nearby:
    """How far the operator that has these eigenvectors is from the true one.

    ``vectors`` is the tensor that is to blame for those over frames.
    """
    widest = largest(abs(x) for x in channels.mu)
    parts = {vectors: frames.off * widest, "embed": frames.norm * channels.off}
    smallest = arb(plan.t_min).expm1() + enclosure.lower - sum(parts.values(), arb(0))
    if not smallest > 0:
        worst = max(parts, key=lambda name: round_up(parts[name]))
        raise CertificateError(
            f"{worst}: is too far from eigenvectors of the covariance for a positive operator"
        )
    return Nearby(parts[vectors], parts["embed"], smallest)


def remainder(plan: Plan, channels: Basis, frames: TemporalBasis, poles: list[arb]) -> arb:
    """``delta``: what the modes without a head leave, served by ``1 / (alpha^2 pole + sigma^2)``.

    ``|1 - (mu l + n) / (pole + n)|`` with ``n = e^t - 1`` falls with ``n``, and is convex in the
    eigenvalue ``l``: the largest is at ``t_min`` and one of the ends.
    """
    if frames.rest is None:
        return arb(0)
    lemma = lemmas.get("eigenmode_remainder")
    symbols = {symbol.name: symbol for symbol in lemma.bound.free_symbols}
    noise, worst = arb(plan.t_min).expm1(), arb(0)
    for mu, pole in zip(channels.mu, poles, strict=True):
        if not pole + noise > 0:
            raise CertificateError("time.baseline: its gate is not positive")
        low, high = (mu * end for end in frames.rest)
        values = {"lo": low, "hi": high, "c": pole, "x": noise}
        worst = worst.max(enclose(lemma.bound, {symbols[n]: x for n, x in values.items()}))
    return worst


def moved_score(rate: arb, beside: Nearby, error: arb) -> arb:
    """``(1 + delta) e / m``: what a nearby operator costs."""
    perturbed = lemmas.get("nearby_operator").bound
    symbols = {symbol.name: symbol for symbol in perturbed.free_symbols}
    delta, e, m = symbols["delta"], symbols["e"], symbols["m"]
    return enclose(perturbed - delta, {delta: rate, e: error, m: beside.smallest})


def _skewed(plan: Plan, channels: Basis, frames: TemporalBasis, beside: Nearby) -> arb:
    """What the vectors and the channel basis lack in orthogonality, and stored eigenvalues.

    The former makes the gates act on slightly wrong directions: an error of the operator of at most
    ``skew (2 + skew) / m``, applied to ``V - alpha M``; so does ``Q`` at both ends.
    """
    lower = float((beside.smallest - arb(plan.t_min).expm1()).lower())
    data, mean = (ball(x * _FLOAT_EVALUATION) for x in relative_sizes(plan.gp, lower, plan.t_min))
    skew = frames.skew * (2 + frames.skew) * (1 if frames.rest is None else 2) * data
    rotated = channels.skew * (data + 2 * mean) + channels.skew * 2
    stored = ball(unit_roundoff("float64")) * data
    total: arb = skew + rotated + stored
    return total
