r"""Where the eigenvalues of the preconditioned system lie, for every ``x``, in balls.

In units of the signal the system is ``A = Gamma~ + x I``, and ``P`` the leading block of the
circulant with eigenvalues ``1 / (f_m + x)``, ``f_m`` the numbers that a design or file claims.

*Smallest.* With the exact eigenvalues of the embedding of ``Gamma`` all would be at least 1 (lemma
``preconditioner_spectrum``). ``f_m`` at most ``e`` above them make that ``1 - e / (f_m + x)``,
heads that carry ``Gamma~`` another factor ``1 - ||Gamma~ - Gamma|| / lambda_min``.

*Largest.* From the trace of ``(P A - I)^8`` at points of a grid. Between them ``A`` grows with
``x``, at most by ``(l + x_2) / (l + x_1)`` with ``l`` its smallest eigenvalue at 0, while ``P``
falls, at most by ``(f_min + x_2) / (f_min + x_1)``; no eigenvalue moves by a larger factor (R. Horn
& C. Johnson, *Matrix Analysis*, 2nd ed., Theorem 4.5.9, of Ostrowski).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from flint import acb, arb

from proofs_check.balls import autocov_balls, round_up
from proofs_check.carried import carried_autocov
from proofs_check.enclosures import temporal_bottom
from proofs_check.exponential_sums import doubled
from proofs_check.float_residual import Half, halves
from unroll.attention import Lowering
from unroll.kernels import Kernel

__all__ = ["PreconditionedSpectrum", "circulant_block", "round_down"]

_STEP = 1.05  # ratio of neighbouring x of the grid


def circulant_block(values: list[arb], period: int, frames: int) -> list[arb]:
    """First column of the leading block of the circulant with eigenvalues ``values``."""
    whole = [acb(values[min(m, period - m)]) for m in range(period)]
    transformed = acb.dft(whole)
    return [transformed[lag].real / period for lag in range(frames)]


@dataclass
class PreconditionedSpectrum:
    """The system of one problem with one symbol.

    Attributes
    ----------
    column
        ``gamma~(0), ..., gamma~(N - 1)``.
    symbol, period
        ``f_0, ..., f_{C/2}`` and ``C``.
    above
        At least ``f_m`` less the eigenvalues of the embedding of ``Gamma``.
    below
        At most the latter.
    carried_error
        ``||Gamma~ - Gamma||``.
    bottom
        At most the eigenvalues of ``Gamma``.
    """

    column: list[arb]
    symbol: list[arb]
    period: int
    above: arb
    below: arb
    carried_error: arb
    bottom: arb
    _tops: dict[int, arb] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        kernel: Kernel,
        frames: int,
        lowering: Lowering | None,
        symbol: list[float],
        period: int,
    ) -> PreconditionedSpectrum:
        """For a kernel, what carries it if anything, and a claimed symbol."""
        gamma = autocov_balls(kernel, max(frames, period // 2 + 1))
        exact = acb.dft([acb(gamma[min(k, period - k)]) for k in range(period)])
        claimed = [arb(f) for f in symbol]
        above, below = arb(0), arb("inf")
        for f, value in zip(claimed, exact, strict=False):
            above, below = above.max(f - value.real), below.min(value.real)
        own = gamma[:frames]
        column = own if lowering is None else carried_autocov(lowering, own)
        off = [arb(0) if c is g else c - g for c, g in zip(column, own, strict=True)]
        bottom = temporal_bottom(kernel, own)
        return cls(column, claimed, period, above, below, doubled(off), bottom)

    @property
    def frames(self) -> int:
        """``N``."""
        return len(self.column)

    @property
    def norm(self) -> arb:
        """At least ``||Gamma~||``."""
        return doubled(self.column)

    @property
    def floor(self) -> arb:
        """At most the eigenvalues of ``Gamma~``; a negative number is refused where it matters."""
        return arb((self.bottom - self.carried_error).lower())

    @property
    def least(self) -> arb:
        """The smallest ``f_m``."""
        least = self.symbol[0]
        for f in self.symbol:
            least = least.min(f)
        return least

    def smallest(self, x: float) -> arb:
        """At most every eigenvalue of ``P A``, for this and every larger ``x``."""
        point = arb(x)
        if not (self.below + point > 0 and self.bottom + point > 0):
            return arb(0)
        embedded = 1 - self.above / (self.least + point)
        carried = 1 - self.carried_error / (self.bottom + point)
        if not (embedded > 0 and carried > 0):
            return arb(0)
        return arb((embedded * carried).lower())

    def row(self, x: arb) -> list[arb]:
        """First column of ``P``."""
        return circulant_block([1 / (f + x) for f in self.symbol], self.period, self.frames)

    def halves(self, x: arb) -> list[Half]:
        """Both halves of ``A P``."""
        return halves([self.column[0] + x, *self.column[1:]], self.row(x))

    def largest(self, low: float, high: float) -> float:
        """At least every eigenvalue of ``P A``, for every ``x`` in ``[low, high]``."""
        first = math.floor(math.log(low) / math.log(_STEP) - 0.5)
        last = math.ceil(math.log(high) / math.log(_STEP) + 0.5)
        worst = 0.0
        for i in range(first, last + 1):
            # the part of the range that is closest to this point
            point, reach = _STEP**i, math.sqrt(_STEP) * (1 + 1e-9)
            start, end = max(low, point / reach), min(high, point * reach)
            if start > end:
                continue
            fall = (self.least + point) / (self.least + arb(min(start, point)))
            growth = (self.floor + max(end, point)) / (self.floor + point)
            worst = max(worst, round_up(self._top(i) * fall.max(growth)))
        return worst

    def _top(self, i: int) -> arb:
        """At least every eigenvalue of ``P A`` at a point of the grid."""
        if i not in self._tops:
            self._tops[i] = arb(max(half.top() for half in self.halves(arb(_STEP**i))))
        return self._tops[i]


def round_down(value: arb) -> float:
    """A float below every number in the ball; zero where there is none above."""
    bottom = float(value.lower())
    return math.nextafter(bottom, 0.0) if bottom > 0 else 0.0
