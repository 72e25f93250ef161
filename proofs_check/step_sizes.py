"""Step sizes of the preconditioned iteration as functions of ``y = log x``, in balls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flint import arb

from proofs_check.chebyshev_interpolant import chebyshev_angles, coefficients
from proofs_check.time_features import chebyshev_value

__all__ = ["StepSizes", "noise_range"]


@dataclass(frozen=True)
class StepSizes:
    """Step sizes as functions of ``y = log x`` on ``[low, high]``.

    Attributes
    ----------
    low, high
        Ends of the range of ``y``.
    series
        Chebyshev coefficients on this range, a list for each step.
    """

    low: float
    high: float
    series: list[list[arb]]

    @classmethod
    def of(
        cls, rows: Sequence[Sequence[arb]], log_range: tuple[arb, arb], low: float, high: float
    ) -> StepSizes:
        """The same polynomials as ``rows`` on ``log_range``, expanded on another range."""
        start, end = log_range
        count = max(len(rows[0]), 2)
        places = []
        for angle in chebyshev_angles(count):
            y = (arb(low) + high + (arb(high) - low) * angle.cos()) / 2
            places.append((2 * y - start - end) / (end - start))
        series = [coefficients([chebyshev_value(list(row), u) for u in places]) for row in rows]
        return cls(low, high, series)

    def at(self, angle: arb) -> list[arb]:
        """The step sizes at ``cos(angle)``."""
        cosines = [(n * angle).cos() for n in range(len(self.series[0]))]
        return [
            sum((c * x for c, x in zip(row, cosines, strict=True)), arb(0)) for row in self.series
        ]

    def x(self, angle: arb) -> arb:
        """``x`` there."""
        y = (arb(self.low) + self.high + (arb(self.high) - self.low) * angle.cos()) / 2
        return y.exp()

    def sizes(self, rho: arb) -> list[arb]:
        """``|eta_k|`` in the ellipse: ``|T_n| <= rho^n`` there."""
        powers = [rho**n for n in range(len(self.series[0]))]
        return [
            sum((abs(c) * p for c, p in zip(row, powers, strict=True)), arb(0))
            for row in self.series
        ]

    def slopes(self) -> list[arb]:
        """``|d eta_k / dy|`` at most, for ``y`` up to 1/2 outside the range.

        ``|T_n'(u)| <= n U_{n-1}(|u|) <= n^2 (|u| + sqrt(u^2 - 1))^{n-1}`` beyond ``[-1, 1]``.
        """
        half = (arb(self.high) - self.low) / 2
        reach = 1 + arb(1) / 2 / half
        growth = reach + (reach**2 - 1).sqrt()
        return [
            sum((n**2 * abs(c) * growth ** (n - 1) for n, c in enumerate(row) if n), arb(0)) / half
            for row in self.series
        ]


def noise_range(mu: Sequence[arb], t_min: float, t_max: float) -> tuple[float, float]:
    """Floats around ``log x``, ``x = (e^t - 1) / mu``, for all channels and t."""
    logs = [m.log() for m in mu]
    ends = arb(t_min).expm1().log(), arb(t_max).expm1().log()
    low = min(float((ends[0] - x).lower()) for x in logs)
    high = max(float((ends[1] - x).upper()) for x in logs)
    slack = 1e-12 * (high - low)
    return low - slack, high + slack
