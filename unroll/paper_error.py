r"""What products by ReLUs cost: ranges of the factors, local errors, and the tail of the noise.

A product is exact to ``X Y 4^{-m-1}`` only while its factors stay in ``[-X, X]``, ``[-Y, Y]``
(`unroll.relu_product`), and the noisy sequences are unbounded. Write ``V - alpha M = A^{1/2} z``,
``z`` a standard normal vector of ``n = N d`` numbers, ``||z|| = q`` or less on the *good event*.

**On the good event** every number that is multiplied has a known range. With the operator ``A~``
that the band carries, ``||A~ - A|| <= e``, eigenvalues in ``[m, L]``, ``c^2 = 1 + e / m``, residual
polynomial ``r_k`` and rate ``delta``, in Euclidean norm over the whole sequence,

    iterate  = s_k                   <= c q / sqrt(m)                    (lemma iterate_range),
    gradient = r_k(A~)(V - alpha M)  <= q sqrt(L),
    mixed    = Gamma~ s_k Sigma      <= c q (1 + delta) max(U / sqrt(L), -l / sqrt(m))

with ``[l, U]`` the ends for ``Gamma~ kron Sigma``. Each is largest at an end of the range of ``t``.
Computed iterates are off by at most ``E``, which widens the ranges by ``E``, ``||A~|| E`` and
``||Gamma~ kron Sigma|| E``.

**Local error of a step.** With ``eps = X Y 4^{-m-1}`` for each product,

    xi <= sqrt(n) (eta (eps(alpha M) + eps(alpha^2 mixed) + eps(sigma^2 s)) + eps(eta gradient))

and ``E = xi (kappa + 1) / 2`` closes the induction over the steps (lemma ``rounding_gradient``:
the weights of local errors add up to at most that). ``xi`` is affine in ``E``: solved for exactly.

**Rounding** (`unroll.paper_rounding`) adds to the local error and to the ranges.

**Off the good event** the projection at the read-out caps the score at ``R = q max_t m_t^{-1/2}``,
which is at least ``||s||`` on the good event, so that there the projection only helps. The error is
at most ``R + ||s||``, and with ``P_k`` the tail of chi-square with ``k`` degrees of freedom (lemma
``projected_tail``)

    tail <= R P_n(q^2)^{1/2} + S P_{n+2}(q^2)^{1/2},       S^2 = E ||s||^2,

because ``E[z z^T; ||z|| > q] = P_{n+2}(q^2) I``. All terms are divided by ``S``, and
``S^2 >= n^2 / tr A_t`` (lemma ``iterate_sizes``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.stats import chi2

from unroll.attention import Lowering
from unroll.gaussian_process import GaussianProcess
from unroll.methods import GradientDescent
from unroll.paper_rounding import PaperArithmetic
from unroll.relu_product import ReluProducts, product_error
from unroll.schedules import alpha, alpha_sq, sigma_sq
from unroll.spectrum import Spectrum

__all__ = ["PaperCost", "PaperProblem"]

_OUTWARD = 1 + 1e-9  # above the rounding of these formulas


@dataclass(frozen=True)
class PaperCost:
    """Ranges, and what they cost: terms of the relative root-mean-square error."""

    products: ReluProducts
    conditioning: float
    rounding: float
    tail: float

    @property
    def total(self) -> float:
        """All that is not rate or truncation."""
        return self.conditioning + self.rounding + self.tail


@dataclass(frozen=True)
class PaperProblem:
    """Everything that the costs depend on, except the number of levels.

    Attributes
    ----------
    spectrum
        Enclosure of ``eig(Gamma kron Sigma)``.
    carried
        The same for the operator that the heads carry.
    relative
        ``e_t / m_t`` at ``t_min``, where it is largest.
    """

    gp: GaussianProcess
    lowering: Lowering
    spectrum: Spectrum
    carried: Spectrum
    relative: float
    t_min: float
    t_max: float
    dtype: str

    @property
    def size(self) -> int:
        """``n = N d``."""
        return self.gp.frames * self.gp.channels

    @cached_property
    def arithmetic(self) -> PaperArithmetic:
        """What rounds."""
        return PaperArithmetic(self.gp, self.lowering, self.t_max, self.dtype)

    @property
    def ends(self) -> np.ndarray:
        """Both ends of the range of ``t``."""
        return np.array([self.t_min, self.t_max])

    @property
    def score_size(self) -> float:
        """The least ``S = (E ||s||^2)^{1/2}``: ``n / sqrt(tr A_t)``."""
        share = float(np.trace(self.gp.spatial_cov)) / self.gp.channels
        average = alpha_sq(self.ends) * share + sigma_sq(self.ends)
        return math.sqrt(self.size / float(average.max()))

    def tail(self, quantile: float) -> tuple[float, float]:
        """``(R, tail)`` for a good event ``||z|| <= quantile``."""
        smallest = float(np.min(self.spectrum.noisy(self.ends)[0]))
        radius = quantile / math.sqrt(smallest) * _OUTWARD
        capped, missed = (math.sqrt(chi2.sf(quantile**2, k)) for k in (self.size, self.size + 2))
        return radius, radius / self.score_size * capped + missed

    def quantile(self, share: float) -> float:
        """The smallest good event, to 1 %, whose tail costs at most ``share``."""
        low = high = math.sqrt(self.size)
        while self.tail(high)[1] > share:
            low, high = high, 2 * high
        while high > 1.01 * low:
            middle = math.sqrt(low * high)
            low, high = (middle, high) if self.tail(middle)[1] > share else (low, middle)
        return high

    def cost(self, levels: int, quantile: float) -> PaperCost | None:
        """The costs with so many levels; ``None`` where errors would feed on themselves."""
        gain = (self.carried.condition_number(self.t_min) + 1) / 2
        fixed, slope = (
            gain * sum(self.local(self.ranges(levels, quantile, error))) for error in (0.0, 1.0)
        )
        if not slope - fixed < 1:
            return None
        products = self.ranges(levels, quantile, fixed / (1 - (slope - fixed)))
        by_products, by_rounding = self.local(products)
        by_rounding = gain * by_rounding + self.arithmetic.projection(products)
        return PaperCost(
            products=products,
            conditioning=gain * by_products / self.score_size,
            rounding=by_rounding / self.score_size,
            tail=self.tail(quantile)[1],
        )

    def ranges(self, levels: int, quantile: float, error: float) -> ReluProducts:
        """Ranges of all factors while iterates are off by at most ``error``."""
        lower, upper = (np.asarray(x) for x in self.carried.noisy(self.ends))
        off = math.sqrt(1 + self.relative) * quantile
        unperturbed = off / math.sqrt(float(lower.min()))
        mean = float(np.abs(self.gp.mean).max()) if self.gp.has_mean else 0.0
        products = ReluProducts(
            levels=levels,
            mean_levels=0,
            eta=float(np.max(2 / (lower + upper))) * _OUTWARD,
            alpha=float(alpha(self.t_min)) * _OUTWARD,
            alpha_sq=float(alpha_sq(self.t_min)) * _OUTWARD,
            sigma_sq=float(sigma_sq(self.t_max)) * _OUTWARD,
            iterate=(unperturbed + error) * _OUTWARD,
            mixed=1.0,  # these two come next
            gradient=1.0,
            mean=0.0,
            quantile=quantile,
            radius=self.tail(quantile)[0],
        )
        if mean > 0:  # as exact as the product sigma^2 s
            ratio = products.alpha * mean / (products.sigma_sq * unperturbed)
            more = max(0, math.ceil(math.log(ratio, 4)))
            products = replace(products, mean=mean, mean_levels=levels + more)
        contraction = GradientDescent().rate(self.carried.condition_number(self.t_min), 1)
        largest = max(
            self.carried.upper / math.sqrt(float(upper.min())),
            -self.carried.lower / math.sqrt(float(lower.min())),
        )
        norm = max(self.carried.upper, -self.carried.lower)
        mixed = off * (1 + contraction) * largest + norm * error + self.arithmetic.mixed(products)
        products = replace(products, mixed=mixed * _OUTWARD)
        given = self.given(quantile)
        gradient = given + float(upper.max()) * error + self._inexact(products)
        gradient += self.arithmetic.gradient(products, given)
        return replace(products, gradient=gradient * _OUTWARD)

    def local(self, products: ReluProducts) -> tuple[float, float]:
        """The local error of a step: by products, and by rounding."""
        last = product_error(products.eta * products.gradient, products.levels)
        by_products = products.eta * self._inexact(products) + math.sqrt(self.size) * last
        return by_products, self.arithmetic.step(products, self.given(products.quantile))

    def given(self, quantile: float) -> float:
        """The largest ``||V - alpha M||`` of the good event."""
        return quantile * math.sqrt(float(np.max(self.carried.noisy(self.ends)[1])))

    def _inexact(self, products: ReluProducts) -> float:
        """What products make the gradient off by."""
        scale = products.alpha_sq * products.mixed + products.sigma_sq * products.iterate
        error = product_error(scale, products.levels)
        error += product_error(products.alpha * products.mean, products.mean_levels)
        return math.sqrt(self.size) * error
