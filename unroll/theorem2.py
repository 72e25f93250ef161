r"""Theorem 2 of the paper: how many sequences a transformer needs. **Cited, at second hand.**

Statement, as quoted by the sources at hand: a transformer of the paper's class, trained on n
sequences of an exponentially decaying kernel and sampled down to t_0, has

    TV  <~  sqrt(l^{1/nu} kappa_{t_0}^2 N d^3 / n)  log^{(5 nu + 1) / (2 nu)}( . ).

Neither the constant nor the argument of the logarithm is known here. `theorem2_bound` takes 1 for
the first and n N d / t_0 for the second, so its value is a *scale*: its slopes and ratios are those
of the theorem, its size is not a bound on anything. Where the root alone, without its logarithm,
is 1 or more, the theorem says nothing whatever the argument (total variation never exceeds 1),
provided its constant is at least 1.

Where it comes from (`covering_scale`): the class T(D, L, M, B, R) has a logarithmic covering number
of about D^2 M L^2 log( . ); the error is the root of that, times the scale N d of the loss, over n.
The construction has D = O(d), M = O(J) heads with a band J = O(l^{1/nu} log^{1/nu}), and
L = O(kappa log^2) blocks, so that

    D^2 M L^2 log N d = l^{1/nu} kappa^2 N d^3 log^{1/nu + 4 + 1},

whose root is the statement, exponent included.

The paper's kernel is exp(-h^nu / l): its l^{1/nu} is the `length_scale` of this library.

Source: the paper (arXiv 2407.16134), Theorem 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from unroll.validation import in_range, integer, positive, real

__all__ = ["CoveringScale", "Theorem2", "covering_scale", "theorem2_bound"]

_STATUS = "cited at second hand: constant taken as 1, argument of the logarithm as n N d / t_0"


@dataclass(frozen=True)
class Theorem2:
    """The scale of Theorem 2 for one problem.

    Attributes
    ----------
    value : float
        Root times logarithm.
    root : float
        sqrt(length_scale kappa^2 N d^3 / n).
    log_power : float
        (5 nu + 1) / (2 nu), the power of the logarithm.
    samples_needed : float
        The n from which on `value` stays below 1.
    status : str
        What is known and what is a convention.
    """

    value: float
    root: float
    log_power: float
    samples_needed: float
    status: str = _STATUS

    @property
    def vacuous(self) -> bool:
        """Whether the value is 1 or more: total variation never exceeds 1."""
        return self.value >= 1.0

    def __str__(self) -> str:
        if self.root >= 1:
            verdict = "vacuous, even without its logarithm"
        elif self.vacuous:
            verdict = "vacuous"
        else:
            verdict = "below 1"
        return (
            f"Theorem 2: {self.value:.3g} ({verdict}); "
            f"below 1 from n = {self.samples_needed:.2g} on. {self.status}"
        )


def theorem2_bound(
    samples: float,
    frames: int,
    channels: int,
    length_scale: float,
    exponent: float,
    condition: float,
    t_min: float,
) -> Theorem2:
    """The scale of Theorem 2 (cited; see the module's docstring for what is not known).

    Parameters
    ----------
    samples : float
        n, number of training sequences.
    frames, channels : int
        N and d.
    length_scale, exponent : float
        Of the kernel exp(-(h / length_scale)^exponent), 0 < exponent <= 2.
    condition : float
        kappa_{t_0}, condition number of A_t at t_min.
    t_min : float
        t_0, where sampling stops.

    Examples
    --------
    >>> theorem2_bound(1e6, 64, 4, 8.0, 1.0, 706.0, 0.01).vacuous
    True
    """
    n = in_range("samples", samples, 1.0, math.inf)
    size = integer("frames", frames, 1) * integer("channels", channels, 1)
    nu = in_range("exponent", exponent, 0.0, 2.0, low_open=True)
    scale, kappa = positive("length_scale", length_scale), real("condition", condition)
    in_range("condition", kappa, 1.0, math.inf)
    stop = positive("t_min", t_min)
    power = (5 * nu + 1) / (2 * nu)
    log_root = (math.log(scale * size * channels**2) + 2 * math.log(kappa)) / 2

    def log_value(log_n: float) -> float:
        argument = max(log_n + math.log(size / stop), 1.0)
        return log_root - log_n / 2 + power * math.log(argument)

    # the value rises with n up to log(n N d / t_0) = 2 power, and falls from there on
    low = max(2 * power - math.log(size / stop), 0.0)
    high = low + 1.0
    while log_value(high) > 0:
        high *= 2
    if log_value(low) <= 0:  # not even the largest value reaches 1
        low = high = 0.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if log_value(middle) > 0 else (low, middle)
    return Theorem2(
        value=_exp(log_value(math.log(n))),
        root=_exp(log_root - math.log(n) / 2),
        log_power=power,
        samples_needed=_exp(high),
    )


@dataclass(frozen=True)
class CoveringScale:
    """The statistical error of a class, factor by factor.

    Attributes
    ----------
    log_covering : float
        D^2 M L^2 times the logarithm.
    logarithm : float
        log(D L M B R N n), a convention: the source gives log( . ).
    loss_scale : float
        N d.
    value : float
        sqrt(loss_scale log_covering / n).
    status : str
        What is known and what is a convention.
    """

    log_covering: float
    logarithm: float
    loss_scale: float
    value: float
    status: str = "cited at second hand: constant taken as 1, argument as D L M B R N n"

    @property
    def vacuous(self) -> bool:
        """Whether the value is 1 or more."""
        return self.value >= 1.0


def covering_scale(
    token_dimension: int,
    blocks: int,
    heads: int,
    weight_norm: float,
    output_range: float,
    *,
    frames: int,
    channels: int,
    samples: float,
) -> CoveringScale:
    """What the covering number of T(D, L, M, B, R) makes of a model trained on n sequences.

    The first five are the fields of ``model.summary()`` of the same names. A hand-built model is
    not trained: this is the accounting of the class that it belongs to.
    """
    d, depth, m = (
        integer(name, value, 1)
        for name, value in (
            ("token_dimension", token_dimension),
            ("blocks", blocks),
            ("heads", heads),
        )
    )
    bound, reach = positive("weight_norm", weight_norm), positive("output_range", output_range)
    n = in_range("samples", samples, 1.0, math.inf)
    size = integer("frames", frames, 1) * integer("channels", channels, 1)
    logarithm = max(
        math.log(d * depth * m * frames) + math.log(bound) + math.log(reach) + math.log(n), 1.0
    )
    covering = float(d**2 * m * depth**2) * logarithm
    return CoveringScale(covering, logarithm, float(size), math.sqrt(size * covering / n))


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf
