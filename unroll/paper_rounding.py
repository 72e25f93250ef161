"""What floating-point arithmetic costs in the paper's model, counted operation by operation.

Every number that a block handles has a known range (`unroll.paper_error`), so that roundings are
counted in absolute terms: ``gamma_k = k u / (1 - k u)`` for ``k`` roundings of one number (Higham,
*Accuracy and Stability of Numerical Algorithms*, 2nd ed., Lemma 3.1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from unroll.attention import Lowering
from unroll.gaussian_process import GaussianProcess
from unroll.kernels import Kernel
from unroll.relu_product import ReluProducts
from unroll.rounding import unit_roundoff

__all__ = ["PaperArithmetic"]


@dataclass(frozen=True)
class PaperArithmetic:
    """A problem, its heads and a precision. Results are Euclidean norms over the whole sequence."""

    gp: GaussianProcess
    lowering: Lowering
    t_max: float
    dtype: str

    def mixed(self, products: ReluProducts) -> float:
        """Rounding of ``Gamma s Sigma``."""
        gp = self.gp
        heads = _head_roundings(self.lowering, gp.kernel, gp.frames, gp.channels)
        spatial = float(np.linalg.norm(np.abs(gp.spatial_cov), 2))
        return self._unit(products) * heads * spatial * products.iterate

    def gradient(self, products: ReluProducts, given: float) -> float:
        """Rounding of the gradient, for ``||V - alpha M|| <= given``."""
        scale = [products.alpha_sq * products.mixed, products.sigma_sq * products.iterate]
        count = self._products(scale, given, products.levels)
        if products.mean_levels:
            centre = products.alpha * products.mean
            # one more for the mean as it is stored
            count += self._products([centre], given + centre, products.mean_levels) + centre
        return products.alpha_sq * self.mixed(products) + self._entries(products) * count

    def step(self, products: ReluProducts, given: float) -> float:
        """Rounding of a step, the local error that it adds to the iterate."""
        last = products.eta * products.gradient
        count = self._products([last], products.iterate, products.levels)
        return products.eta * self.gradient(products, given) + self._entries(products) * count

    def projection(self, products: ReluProducts) -> float:
        """Of the read-out: the size of n numbers, a quotient, a product, the stored radius."""
        n = self.gp.frames * self.gp.channels
        return (n / 2 + 6) * self._unit(products) * products.radius

    def _entries(self, products: ReluProducts) -> float:
        """From roundings of every number to the norm of all."""
        return math.sqrt(self.gp.frames * self.gp.channels) * self._unit(products)

    def _products(self, sizes: list[float], target: float, levels: int) -> float:
        """Roundings of products of ``sizes = X Y`` that are added to one number of size ``target``.

        The teeth are exact: ``g - 1/2`` is by Sterbenz' lemma, and what follows are multiples of
        the unit in the last place, below its range. What rounds, in units of the roundoff:

        * the scalar factor; ``z_+-``, each three times, which slopes of at most 2 turn into 12;
        * ``X Y (z_+ - z_-)``: a stored weight, a product and a sum of 2 terms per product, of
          sizes that add up to ``X Y``;
        * the teeth times ``X Y / 4^s``: the same with 6 terms per product, of sizes
          ``8 X Y / 4^s``;
        * each addition of a block to the target, which stays below ``target + 2 X Y``.
        """
        total, count = sum(sizes), len(sizes)
        written = (2 + 2 * count - 1) + (2 + 6 * count - 1) * 8 / 3
        return total * (self._gate() + 12 + written) + (1 + levels) * (target + 2 * total)

    def _gate(self) -> float:
        """Roundings of a function of the diffusion time, computed in float64 and rounded once."""
        return 2 + (64 + 8 * self.t_max) * unit_roundoff("float64") / unit_roundoff(self.dtype)

    def _unit(self, products: ReluProducts) -> float:
        """``u / (1 - k u)`` with ``k`` above every number of roundings that one term meets."""
        levels = products.levels + products.mean_levels
        lengths = self.gp.frames + self.lowering.heads + self.gp.channels
        count = self._gate() + lengths + 3 * levels + 100
        u = unit_roundoff(self.dtype)
        return u / (1 - count * u)


@lru_cache(maxsize=64)
def _head_roundings(lowering: Lowering, kernel: Kernel, frames: int, channels: int) -> float:
    return lowering.rounding(kernel, frames, channels)
