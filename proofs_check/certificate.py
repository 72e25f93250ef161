"""What a certificate is: a bound on the score error that holds, one term per cause."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from flint import arb

from proofs_check.balls import round_up
from proofs_check.enclosures import Enclosure
from unroll.plan import Plan

__all__ = [
    "Certificate",
    "CertificateError",
    "check_spectrum",
    "conclude",
    "noisy",
]

ASSUMPTIONS = (
    "V_t = alpha_t X + sigma_t Z with X from the Gaussian process of the plan",
    "the error is relative and root-mean-square over V_t",
    "floating-point sums obey |error| <= n u sum |terms| in any order (IEEE arithmetic)",
    "exp, log, sine and cosine are good to 2 u and activations to a few u |x|",
    "inputs and iterates stay below the square root of the largest number of the precision",
)


class CertificateError(ValueError):
    """No certificate: the bound exceeds the tolerance, or the weights are not what they claim."""


@dataclass(frozen=True)
class Certificate:
    """A bound on the relative root-mean-square score error, valid for every t in the range.

    Attributes
    ----------
    bound
        Sum of the terms, rounded up.
    terms
        Cause to its share: ``rate``, ``truncation``, ``rounding``, for audits also ``weights``.
    tol
        What was promised.
    regime
        Decay regime of the temporal kernel.
    t_min, t_max
        Range of the diffusion time.
    lemmas
        The lemmas it is composed of.
    assumptions
        What must hold for the bound to mean what it says.
    """

    bound: float
    terms: dict[str, float]
    tol: float
    regime: str
    t_min: float
    t_max: float
    lemmas: tuple[str, ...]
    assumptions: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def __str__(self) -> str:
        rows = [f"{name:<12} {value:.6e}" for name, value in self.terms.items()]
        rows.append(f"{'bound':<12} {self.bound:.6e}   (tol {self.tol:g})")
        return "\n".join(rows)


def conclude(plan: Plan, terms: dict[str, arb], lemmas: tuple[str, ...]) -> Certificate:
    """Add the terms up and compare with the promise; ``lemmas`` are those it rests on."""
    bound = round_up(sum(terms.values(), arb(0)))
    shares = {name: round_up(term) for name, term in terms.items()}
    if not bound <= plan.tol:
        worst = max(shares, key=lambda name: shares[name])
        hint = (
            "; its rounding was measured, not bounded: "
            + ("use float64 or " if plan.dtype == "float32" else "plan with ")
            + "rounding='guaranteed'"
            if plan.rounding_model == "measured" and worst == "rounding"
            else ""
        )
        raise CertificateError(
            f"bound={bound:.3g}: exceeds tol={plan.tol:g}, most of it {worst} "
            f"({shares[worst]:.3g}){hint}"
        )
    return Certificate(
        bound=bound,
        terms=shares,
        tol=plan.tol,
        regime=plan.gp.kernel.regime,
        t_min=plan.t_min,
        t_max=plan.t_max,
        lemmas=lemmas,
        assumptions=ASSUMPTIONS,
    )


def check_spectrum(lower: float, upper: float, enclosure: Enclosure, t_min: float) -> None:
    """Refuse a claimed spectrum that is not shown to enclose the operator's, or to stay positive
    with the noise of every ``t >= t_min``.
    """
    if not (arb(lower) <= enclosure.lower and arb(upper) >= enclosure.upper):
        raise CertificateError(
            f"spectrum=[{lower:.6g}, {upper:.6g}]: not shown to contain the eigenvalues of the "
            f"operator, which lie in [{float(enclosure.lower.lower()):.6g}, "
            f"{round_up(enclosure.upper):.6g}]; plan anew"
        )
    if not noisy(arb(t_min), arb(lower), arb(upper))[0] > 0:
        raise CertificateError(
            f"spectrum=[{lower:.6g}, {upper:.6g}]: not positive at t_min={t_min:g}; plan anew"
        )


def noisy(t: arb, lower: arb, upper: arb) -> tuple[arb, arb]:
    """``(m_t, L_t)``; each is ``1 + a (x - 1)`` with ``a = exp(-t)``, so ``t`` enters once."""
    a = (-t).exp()
    return 1 + a * (lower - 1), 1 + a * (upper - 1)
