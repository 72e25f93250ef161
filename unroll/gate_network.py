r"""A two-layer network of the diffusion time: piecewise linear functions, one hinge per knot.

With knots ``t_0 < t_1 < ...`` and a hinge ``relu(t - t_j)`` at each, the network

    f(t) = offset + sum_j slopes_j relu(t - t_j)

is the continuous function that starts at ``offset`` and changes its slope by ``slopes_j`` at
``t_j``; any piecewise linear function through given values at the knots is one (lemma
``interpolation``). With SiLU or GELU, ``act(z)`` differs from ``relu(z)`` by at most `HINGE_GAPS`,
so ``act(beta z) / beta`` is a hinge up to that number divided by the sharpness ``beta``, a power
of two, so that scaling by it does not round.

Arithmetic is float64 whatever the precision of the model.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erf, expit

from unroll.errors import ArgumentError
from unroll.rounding import ACTIVATION_ROUNDINGS, unit_roundoff
from unroll.validation import Array, choice, finite_array, positive

__all__ = ["HINGE_GAPS", "GateNetwork", "activation_function"]

# The bounds below are sums of positive terms and themselves computed in float64.
_OUTWARD = 1.01

#: ``sup |act(z) - relu(z)|``, rounded up (lemma ``smooth_hinge``): 0.2785, 0.1700 and 0.1701.
HINGE_GAPS = {"relu": 0.0, "silu": 0.279, "gelu": 0.171, "gelu_tanh": 0.171}


def activation_function(x: Array, name: str) -> Array:
    """ReLU, SiLU or GELU (by erf or tanh), elementwise.

    >>> activation_function(np.array([-1.0, 2.0]), "relu")
    array([0., 2.])
    """
    if name == "relu":
        return np.asarray(np.maximum(x, 0))
    if name == "silu":
        return np.asarray(x * expit(x))
    if name == "gelu":
        return np.asarray(x * (1 + erf(x / math.sqrt(2))) / 2)
    return np.asarray(x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2)


@dataclass(frozen=True)
class GateNetwork:
    """Weights of the network, F hidden units and Q outputs.

    Attributes
    ----------
    knots
        Where the slopes change, ascending, (F,).
    slopes
        By how much they change, (F, Q).
    offset
        Values left of the first knot, (Q,).
    activation
        ``"relu"``, ``"silu"``, ``"gelu"`` or ``"gelu_tanh"``.
    sharpness
        ``beta``, a power of two; 1 for ReLU, which is a hinge at any.

    Examples
    --------
    >>> hat = GateNetwork(knots=(0.0, 1.0), slopes=((1.0,), (-2.0,)), offset=(0.0,))
    >>> hat.evaluate([0.5, 1.0, 1.5]).tolist()
    [[0.5], [1.0], [0.5]]
    """

    knots: tuple[float, ...]
    slopes: tuple[tuple[float, ...], ...]
    offset: tuple[float, ...]
    activation: str = "relu"
    sharpness: float = 1.0

    def __post_init__(self) -> None:
        knots = finite_array("conditioning.knots", self.knots)
        if knots.ndim != 1 or len(knots) == 0 or np.any(np.diff(knots) <= 0):
            raise ArgumentError("conditioning.knots", knots, "must ascend", "plan anew")
        offset = finite_array("conditioning.offset", self.offset)
        slopes = finite_array("conditioning.slopes", self.slopes)
        if offset.ndim != 1 or slopes.shape != (len(knots), len(offset)):
            raise ArgumentError(
                "conditioning.slopes",
                slopes,
                f"must have a row for each of {len(knots)} knots and a column for each of "
                f"{offset.size} outputs",
                "plan anew",
            )
        choice("conditioning.activation", self.activation, HINGE_GAPS)
        if math.frexp(positive("conditioning.sharpness", self.sharpness))[0] != 0.5:
            raise ArgumentError(
                "conditioning.sharpness", self.sharpness, "must be a power of two", "plan anew"
            )

    @classmethod
    def through(
        cls, nodes: ArrayLike, values: ArrayLike, activation: str = "relu", sharpness: float = 1.0
    ) -> GateNetwork:
        """The network that interpolates.

        Parameters
        ----------
        nodes
            Ascending, array (F + 1,). The last is the end of the range and needs no hinge.
        values
            Array (F + 1, Q).
        """
        nodes, values = (
            finite_array(name, x) for name, x in (("nodes", nodes), ("values", values))
        )
        # Differences of close numbers are exact, and the network adds the changes of the slope up
        # again: errors do not accumulate over the knots.
        slopes = np.diff(values, axis=0) / np.diff(nodes)[:, None]
        changes = np.diff(slopes, axis=0, prepend=0.0)
        return cls(
            tuple(nodes[:-1].tolist()),
            tuple(map(tuple, changes.tolist())),
            tuple(values[0].tolist()),
            activation,
            sharpness,
        )

    @property
    def units(self) -> int:
        """Number of hidden units, ``F``."""
        return len(self.knots)

    @property
    def outputs(self) -> int:
        """Number of outputs, ``Q``."""
        return len(self.offset)

    def layers(self) -> dict[str, Array]:
        """Weights of ``act(t * up + up_bias) @ down + down_bias``."""
        return {
            "up": np.full(self.units, self.sharpness),
            "up_bias": -self.sharpness * np.array(self.knots),
            "down": np.array(self.slopes) / self.sharpness,
            "down_bias": np.array(self.offset),
        }

    def evaluate(self, t: ArrayLike) -> Array:
        """The outputs at ``t`` (...,), array (..., Q), by those layers."""
        w = self.layers()
        hidden = activation_function(
            np.asarray(t, dtype=float)[..., None] * w["up"] + w["up_bias"], self.activation
        )
        return np.asarray(hidden @ w["down"] + w["down_bias"])

    def imprecision(self, t: ArrayLike) -> Array:
        """Bound of what is computed minus the piecewise linear function, array (..., Q).

        Rounding: a term of the sum is rounded once for the distance to the knot, once for the
        product, with the activation, and at most F times by sums in any order. Smoothing: the gap
        of each hinge.
        """
        knots, sizes = np.array(self.knots), np.abs(np.array(self.slopes))
        total = np.cumsum(sizes, axis=0)  # of slopes up to each knot
        risen = np.cumsum(total[:-1] * np.diff(knots)[:, None], axis=0)
        risen = np.concatenate([np.zeros((1, self.outputs)), risen])
        times = np.maximum(np.asarray(t, dtype=float), knots[0])
        last = np.searchsorted(knots, times, side="right") - 1
        terms = np.abs(self.offset) + risen[last] + total[last] * (times - knots[last])[..., None]
        smooth = HINGE_GAPS[self.activation] / self.sharpness * total[-1]
        # adding an exact zero does not round
        active = last + 1 if self.activation == "relu" else np.full_like(last, self.units)
        count = active + 8 + 2 * ACTIVATION_ROUNDINGS[self.activation]
        rounding = _OUTWARD * count * unit_roundoff("float64")
        return np.asarray(smooth + rounding[..., None] * (terms + smooth))

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready document; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Any) -> GateNetwork:
        """The network that `to_dict` described; `ArgumentError` for anything else."""
        try:
            entries = dict(document)
            return cls(
                knots=tuple(entries.pop("knots")),
                slopes=tuple(map(tuple, entries.pop("slopes"))),
                offset=tuple(entries.pop("offset")),
                **entries,
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, ArgumentError):
                raise
            raise ArgumentError(
                "conditioning", document, f"is not a gate network ({error})", "save it anew"
            ) from error
