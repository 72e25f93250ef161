"""What a lowering's heads carry in exact arithmetic, as balls.

The definitions stand here a second time, on purpose: the prover does not ask the planner what the
heads carry.
"""

from __future__ import annotations

from flint import arb

from proofs_check.exponential_sums import lag_errors
from unroll.attention import Alibi, Fourier, Lowering, ReluLag, SoftmaxSink
from unroll.errors import ArgumentError

__all__ = ["carried_autocov"]


def carried_autocov(lowering: Lowering, gamma: list[arb]) -> list[arb]:
    """The autocovariance that the heads carry, given the kernel's ``gamma(0), gamma(1), ...``.

    Softmax with sinks: the kernel's own (lemma ``softmax_sink``), where a kernel with negative
    values has a second head (lemma ``signed_heads``). ReLU lag heads: up to the
    bandwidth, zero beyond (lemma ``relu_interpolant``), as long as no lag is further than half way
    round the circle. ALiBi heads: ``sum_m w_m exp(-a_m h)``. Fourier heads: the kernel's own (lemma
    ``fourier_heads``), as long as the circle holds every lag.
    """
    if isinstance(lowering, SoftmaxSink):
        if lowering.negative is None and any(g < 0 for g in gamma):
            raise ArgumentError(
                "negative",
                None,
                "there is no head for the negative values of the kernel",
                "plan anew",
            )
        return list(gamma)
    if isinstance(lowering, ReluLag):
        if lowering.period < 2 * len(gamma):
            raise ArgumentError(
                "period",
                lowering.period,
                f"is below 2 * frames = {2 * len(gamma)}: long lags look like short ones",
                "plan anew",
            )
        return [g if lag <= lowering.bandwidth else arb(0) for lag, g in enumerate(gamma)]
    if isinstance(lowering, Fourier):
        if lowering.period < 2 * len(gamma) - 2:
            raise ArgumentError(
                "period",
                lowering.period,
                f"is below 2 * frames - 2 = {2 * len(gamma) - 2}: the circle holds too few lags",
                "plan anew",
            )
        return list(gamma)
    if isinstance(lowering, Alibi):
        nothing = [arb(0)] * len(gamma)
        return [-error for error in lag_errors(nothing, lowering.slopes, lowering.amplitudes)]
    raise TypeError(f"lowering={lowering!r}: has no definition here; add one to carried_autocov")
