"""Products without a multiplication: squares by a sawtooth, products by polarisation.

The paper (arXiv 2407.16134, section 4) multiplies vectors by functions of the diffusion time with
feed-forward layers alone. With the tooth ``g(z) = 2z`` up to 1/2 and ``2 - 2z`` beyond (three
ReLUs; zero for ``z >= 1``) and its iterates ``g_s`` (Yarotsky, arXiv 1610.01145),

    f_m(z) = z - sum_{s=1}^m g_s(z) / 4^s,         0 <= f_m(z) - z^2 <= 4^{-m-1}   on [0, 1],

and for ``|x| <= X``, ``|y| <= Y``, with ``z_{+-} = |x/X +- y/Y| / 2``,

    p_m(x, y) = X Y (f_m(z_+) - f_m(z_-)),         |p_m(x, y) - x y| <= X Y 4^{-m-1}

(lemmas ``relu_square``, ``relu_product``); a zero factor gives exactly zero. Beyond ``Y`` the
product saturates: ``p_m(x, y) = x Y sign(y)`` for ``|y| >= 3 Y``.

A level is one feed-forward block: two registers hold ``g_s(z_+)`` and ``g_s(z_-)``, and the block
replaces each by its tooth while adding the tooth to the result.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from unroll.errors import ArgumentError
from unroll.validation import integer, positive, real

__all__ = ["ReluProducts", "approximate_product", "approximate_square", "product_error"]

_SCALARS = ("eta", "alpha", "alpha_sq", "sigma_sq")


def approximate_square(z: np.ndarray, levels: int) -> np.ndarray:
    """``f_m(z)`` for ``z >= 0``, the piecewise linear interpolant of ``z^2`` on ``[0, 1]``.

    >>> float(approximate_square(np.array(0.25), 1)), float(approximate_square(np.array(0.25), 2))
    (0.125, 0.0625)
    """
    tooth, total = z, z
    for level in range(1, levels + 1):
        tooth = 2 * tooth - 4 * np.maximum(tooth - 0.5, 0) + 2 * np.maximum(tooth - 1, 0)
        total = total - tooth / 4.0**level
    return total


def approximate_product(
    x: np.ndarray, y: np.ndarray, ranges: tuple[float, float], levels: int
) -> np.ndarray:
    """``p_m(x, y)`` for factors in the given ranges.

    >>> float(approximate_product(np.array(0.5), np.array(3.0), (1.0, 4.0), 10))
    1.5
    """
    a, b = x / ranges[0], y / ranges[1]
    plus, minus = (approximate_square(abs(z) / 2, levels) for z in (a + b, a - b))
    return np.asarray(ranges[0] * ranges[1] * (plus - minus))


def product_error(size: float, levels: int) -> float:
    """``X Y 4^{-m-1}`` with ``size = X Y``."""
    return size * 4.0 ** (-levels - 1)


@dataclass(frozen=True)
class ReluProducts:
    """How a model multiplies by functions of the diffusion time.

    A step of gradient descent takes two rounds of products, each of ``1 + levels`` blocks, behind
    the block with the attention: first ``alpha^2 (Gamma s Sigma)`` and ``sigma^2 s``, then ``eta``
    times the gradient. ``alpha M`` is made once, before the first step.

    Attributes
    ----------
    levels
        Sawtooth levels ``m >= 1`` of the products of a step.
    mean_levels
        Those of ``alpha M``; 0 where there is no mean.
    eta, alpha, alpha_sq, sigma_sq
        The largest values of the functions of the diffusion time.
    mixed, iterate, gradient, mean
        The largest absolute values of what they multiply: ``Gamma s Sigma``, ``s``, the gradient
        and ``M`` (`unroll.paper_error` derives them).
    quantile
        The ranges hold while ``||A_t^{-1/2} (V - alpha M)|| <= quantile``.
    radius
        The score is projected onto the ball of this radius.
    """

    levels: int
    mean_levels: int
    eta: float
    alpha: float
    alpha_sq: float
    sigma_sq: float
    mixed: float
    iterate: float
    gradient: float
    mean: float
    quantile: float
    radius: float

    def __post_init__(self) -> None:
        integer("products.levels", self.levels, 1)
        integer("products.mean_levels", self.mean_levels, 0)
        for name in (*_SCALARS, "mixed", "iterate", "gradient", "quantile", "radius"):
            positive(f"products.{name}", getattr(self, name))
        if real("products.mean", self.mean) < 0 or (self.mean > 0) != (self.mean_levels > 0):
            raise ArgumentError(
                "products.mean", self.mean, "must be positive with levels and else 0", "plan anew"
            )

    @property
    def blocks_before(self) -> int:
        """Blocks that subtract ``alpha M``."""
        return 1 + self.mean_levels if self.mean_levels else 0

    @property
    def blocks_per_step(self) -> int:
        """Attention, and two rounds of products."""
        return 1 + 2 * (1 + self.levels)

    def layers(self, steps: int) -> int:
        """Blocks of a model with that many steps."""
        return self.blocks_before + steps * self.blocks_per_step

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Any) -> ReluProducts:
        """What `to_dict` described; `ArgumentError` for anything else."""
        try:
            return cls(**document)
        except TypeError as error:
            raise ArgumentError(
                "products", document, f"is not of this library ({error})", "plan anew"
            ) from error
