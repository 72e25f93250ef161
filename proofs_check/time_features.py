"""Time features in balls, by the definitions of the file format: what gates are linear in.

The definitions stand here a second time, on purpose: the audit does not ask the builder what a
model computes from ``t``.
"""

from __future__ import annotations

from typing import Protocol

from flint import acb, arb

from proofs_check.certificate import noisy
from proofs_check.saved_model import SavedModel
from unroll.methods import METHODS

__all__ = ["TimeFeatures", "time_features_of"]


class TimeFeatures(Protocol):
    """The numbered features of one model."""

    count: int

    def own(self, step: int) -> list[int]:
        """The features that the block of a step listens to, in order."""

    def number(self, name: str, step: int) -> int:
        """The number of a feature of a step."""

    def value(self, q: int, t: arb) -> arb:
        """Feature number ``q`` for all diffusion times in the ball ``t``."""


def time_features_of(model: SavedModel) -> TimeFeatures:
    """The features of a saved model."""
    if model.plan.method_name in METHODS:
        return FirstOrderFeatures(model)
    if model.plan.preconditioner is not None:
        return StepSizeFeatures(model)
    return BaselineFeatures(model)


class FirstOrderFeatures:
    """``1``, and ``eta, eta alpha, eta alpha^2, eta sigma^2, beta`` for every step."""

    NAMES = ("eta", "eta*alpha", "eta*alpha_sq", "eta*sigma_sq", "beta")

    def __init__(self, model: SavedModel) -> None:
        self.momentum = model.plan.method.has_momentum
        self.count = 1 + len(self.NAMES) * int(model.architecture["time_steps"])
        self.lower, self.upper = (arb(float(x)) for x in model.tensors["time.spectrum"])

    def own(self, step: int) -> list[int]:
        """The constant, and the features of the step."""
        return [0, *(self.number(name, step) for name in self.NAMES)]

    def number(self, name: str, step: int) -> int:
        """Without momentum all steps are one."""
        if name == "1":
            return 0
        first = 1 + len(self.NAMES) * (step if self.momentum else 0)
        return first + self.NAMES.index(name)

    def value(self, q: int, t: arb) -> arb:
        """By the coefficients of lemmas ``chebyshev`` and ``gradient_descent``."""
        if q == 0:
            return arb(1)
        step, place = divmod(q - 1, len(self.NAMES))
        lower, upper = noisy(t, self.lower, self.upper)
        if self.momentum and step > 0:
            scale = (lower.sqrt() + upper.sqrt()) ** 2
            z2 = ((upper - lower) / scale) ** 2
            eta = 4 / scale * (1 + z2**step) / (1 + z2 ** (step + 1))
            beta = z2 * (1 + z2 ** (step - 1)) / (1 + z2 ** (step + 1))
        else:
            eta, beta = 2 / (lower + upper), arb(0)
        alpha_sq, sigma_sq = _schedule(t)
        feature: arb = (eta, eta * alpha_sq.sqrt(), eta * alpha_sq, eta * sigma_sq, beta)[place]
        return feature


class StepSizeFeatures:
    """``1, alpha, alpha^2, sigma^2``, and a step size for every step and channel.

    The step size of step ``k`` and channel ``a`` is a Chebyshev series in ``log x``, with
    ``x = (e^t - 1) / mu_a``, whose coefficients and ``mu_a`` are tensors of the file.
    """

    NAMES = ("1", "alpha", "alpha_sq", "sigma_sq")

    def __init__(self, model: SavedModel) -> None:
        self.channels = model.plan.gp.channels
        self.count = len(self.NAMES) + model.plan.depth * self.channels
        tensors = model.tensors
        self.spatial = [arb(float(x)) for x in tensors["time.spatial"]]
        self.low, self.high = (arb(float(x)) for x in tensors["time.log_range"])
        self.series = [[arb(float(c)) for c in row] for row in tensors["time.steps"]]

    def own(self, step: int) -> list[int]:
        """The four common ones; for a correction also the step sizes of its step."""
        sizes = (f"eta[{a}]" for a in range(self.channels))
        return [*range(len(self.NAMES)), *(self.number(name, step) for name in sizes)]

    def number(self, name: str, step: int) -> int:
        """``eta[a]`` stands behind the step sizes of earlier steps."""
        if name in self.NAMES:
            return self.NAMES.index(name)
        return len(self.NAMES) + step * self.channels + int(name[4:-1])

    def value(self, q: int, t: arb) -> arb:
        """By definition."""
        if q < len(self.NAMES):
            alpha_sq, sigma_sq = _schedule(t)
            common: arb = (arb(1), alpha_sq.sqrt(), alpha_sq, sigma_sq)[q]
            return common
        step, channel = divmod(q - len(self.NAMES), self.channels)
        log_x = (t.expm1() / self.spatial[channel]).log()
        u = (2 * log_x - self.low - self.high) / (self.high - self.low)
        return chebyshev_value(self.series[step], u)


class BaselineFeatures:
    """``1, alpha``; with a baseline its gate per channel, and ``alpha`` times that gate."""

    def __init__(self, model: SavedModel) -> None:
        poles = model.tensors.get("time.baseline")
        self.poles = [] if poles is None else [arb(float(x)) for x in poles]
        self.count = 2 + 2 * len(self.poles)

    def own(self, step: int) -> list[int]:
        """All of them."""
        return [*range(self.count)]

    def number(self, name: str, step: int) -> int:
        """``gate[a]`` and ``alpha*gate[a]`` stand behind ``1`` and ``alpha``."""
        if name in ("1", "alpha"):
            return int(name == "alpha")
        channel = int(name.partition("[")[2][:-1])
        return 2 + channel + (len(self.poles) if name.startswith("alpha") else 0)

    def value(self, q: int, t: arb) -> arb:
        """By definition."""
        alpha_sq = _schedule(t)[0]
        if q < 2:
            return alpha_sq.sqrt() if q else arb(1)
        with_alpha, channel = divmod(q - 2, len(self.poles))
        gate: arb = 1 / (1 + alpha_sq * (self.poles[channel] - 1))
        return alpha_sq.sqrt() * gate if with_alpha else gate


def _schedule(t: arb) -> tuple[arb, arb]:
    return (-t).exp(), -((-t).expm1())


def chebyshev_value(series: list[arb], u: arb) -> arb:
    """``sum_n c_n T_n(u)``, with ``T_n(u) = cos(n arccos u)``, which keeps wide balls small.

    Outside ``[-1, 1]`` the angle is complex.
    """
    angle = acb(u).acos()
    return sum((c * (n * angle).cos().real for n, c in enumerate(series)), arb(0))
