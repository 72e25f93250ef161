r"""What products by ReLUs cost: ranges of the factors, local errors, and the tail of the noise.

A product is exact to ``X Y 4^{-m-1}`` only while its factors stay in ``[-X, X]``, ``[-Y, Y]``
(`unroll.relu_product`), and the noisy sequences are unbounded. Write ``V - alpha M = A^{1/2} z``,
``z`` a standard normal vector of ``n = N d`` numbers, ``||z|| = q`` or less on the *good event*.

**On the good event** every number that is multiplied has a known range. With the operator ``A~``
that the band carries, ``||A~ - A|| <= e``, eigenvalues in ``[m, L]``, ``c^2 = 1 + e / m``, residual
polynomial ``r_k`` and rate ``delta``, in Euclidean norm over the whole sequence,

    s_k     <= c q max (1 - r_k(x)) / sqrt(x)     <= c q sqrt(32/27) / sqrt(m),
    gradient = r_k(A~)(V - alpha M)               <= q sqrt(L),
    mixed    = Gamma~ s_k Sigma                   <= c q (1 + delta) max(U / sqrt(L), -l / sqrt(m)).

``[l, U]`` are the ends for ``Gamma~ kron Sigma``. The first: ``1 - r_k`` lies in ``[0, 1]`` where
``eta x <= 1`` and is at most ``1 + delta = 2 kappa / (kappa + 1)`` beyond ``x = (m + L) / 2``, and
``8 kappa^2 / (kappa + 1)^3 <= 32/27`` because ``4 (kappa+1)^3 - 27 kappa^2 = (kappa-2)^2
(4 kappa + 1)``. Each is largest at an end of the range of ``t``. Computed iterates are off by at
most ``E``, which widens the ranges by ``E``, ``||A~|| E`` and ``||Gamma~ kron Sigma|| E``.

**Local error of a step.** With ``eps = X Y 4^{-m-1}`` for each product,

    xi <= sqrt(n) (eta (eps(alpha M) + eps(alpha^2 mixed) + eps(sigma^2 s)) + eps(eta gradient))

and ``E = xi (kappa + 1) / 2`` closes the induction over the steps (lemma ``rounding_gradient``:
the weights of local errors add up to at most that). ``xi`` is affine in ``E``: solved for exactly.

**Rounding** is counted like that, in units of the unit roundoff: see `_product_roundings`.

**Off the good event** the projection at the read-out caps the score at ``R = q max_t m_t^{-1/2}``,
which is at least ``||s||`` on the good event, so that there the projection only helps. The error is
at most ``R + ||s||``, and with ``P_k`` the tail of chi-square with ``k`` degrees of freedom

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
from unroll.relu_product import ReluProducts, product_error
from unroll.rounding import unit_roundoff
from unroll.schedules import alpha, alpha_sq, sigma_sq
from unroll.spectrum import Spectrum

__all__ = ["PaperCost", "PaperProblem"]

_OVERSHOOT = math.sqrt(32 / 27)
_OUTWARD = 1e-9  # above the rounding of these formulas


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
    def head_roundings(self) -> float:
        """What the heads are off by, in units of the unit roundoff."""
        return self.lowering.rounding(self.gp.kernel, self.gp.frames, self.gp.channels)

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
        radius = quantile / math.sqrt(float(np.min(self.spectrum.noisy(self.ends)[0])))
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
        fixed, slope = self._local(levels, quantile, 0.0), self._local(levels, quantile, 1.0)
        growth = gain * (sum(slope[1:]) - sum(fixed[1:]))
        if not growth < 1:
            return None
        # a little above the solution, where the local errors stay strictly below
        error = gain * sum(fixed[1:]) / (1 - growth) * (1 + _OUTWARD)
        products, by_products, by_rounding = self._local(levels, quantile, error)
        radius, tail = self.tail(quantile)
        # the projection: sizes of n numbers, a quotient and a product; the stored radius
        projection = (self.size / 2 + 6) * unit_roundoff(self.dtype) * radius
        return PaperCost(
            products=products,
            conditioning=gain * by_products / self.score_size,
            rounding=(gain * by_rounding + projection) / self.score_size,
            tail=tail,
        )

    def _local(
        self, levels: int, quantile: float, error: float
    ) -> tuple[ReluProducts, float, float]:
        """Ranges for iterates that are off by ``error``, and the local error of a step: by
        products, and by rounding.
        """
        n, spatial = self.size, float(np.linalg.norm(np.abs(self.gp.spatial_cov), 2))
        lower, upper = (np.asarray(x) for x in self.carried.noisy(self.ends))
        norm = max(self.carried.upper, -self.carried.lower)
        kappa = self.carried.condition_number(self.t_min)
        off = math.sqrt(1 + self.relative) * quantile
        u = _compounded(self.dtype, self, levels)
        gate = 2 + (64 + 8 * self.t_max) * unit_roundoff("float64") / unit_roundoff(self.dtype)

        given = quantile * math.sqrt(float(upper.max()))
        unperturbed = off * _OVERSHOOT / math.sqrt(float(lower.min()))
        iterate = unperturbed + error
        attention = u * self.head_roundings * spatial * iterate
        largest = max(
            self.carried.upper / math.sqrt(float(upper.min())),
            -self.carried.lower / math.sqrt(float(lower.min())),
        )
        mixed = off * (1 + GradientDescent().rate(kappa, 1)) * largest + norm * error + attention
        products = ReluProducts(
            levels=levels,
            mean_levels=0,
            eta=float(np.max(2 / (lower + upper))),
            alpha=float(alpha(self.t_min)),
            alpha_sq=float(alpha_sq(self.t_min)),
            sigma_sq=float(sigma_sq(self.t_max)),
            mixed=mixed,
            iterate=iterate,
            gradient=given,
            mean=0.0,
            quantile=quantile,
            radius=self.tail(quantile)[0],
        )
        # products that go into the gradient
        centre, scale = 0.0, [products.alpha_sq * mixed, products.sigma_sq * iterate]
        if self.gp.has_mean:
            mean = float(np.abs(self.gp.mean).max())
            centre = products.alpha * mean
            # as exact as the product sigma^2 s
            more = math.ceil(math.log(centre / (products.sigma_sq * unperturbed), 4))
            products = replace(products, mean=mean, mean_levels=levels + max(0, more))
        exact = product_error(sum(scale), levels) + product_error(centre, products.mean_levels)
        inexact = _product_roundings(scale, given, levels, gate)
        if self.gp.has_mean:
            inexact += _product_roundings([centre], given + centre, products.mean_levels, gate + 1)
        rounded = products.alpha_sq * attention + math.sqrt(n) * u * inexact
        gradient = given + float(upper.max()) * error + math.sqrt(n) * exact + rounded
        # the product that the iterate loses
        last = products.eta * gradient
        by_products = products.eta * math.sqrt(n) * exact + math.sqrt(n) * product_error(
            last, levels
        )
        final = _product_roundings([last], iterate, levels, gate)
        by_rounding = products.eta * rounded + math.sqrt(n) * u * final
        return replace(products, gradient=gradient), by_products, by_rounding


def _product_roundings(sizes: list[float], target: float, levels: int, gate: float) -> float:
    """Roundings of products of ``sizes = X Y`` that are added to one number of size ``target``.

    The teeth are exact: ``g - 1/2`` is by Sterbenz' lemma, and what follows are multiples of the
    unit of the last place, below its range. What rounds, in units of the unit roundoff:

    * the scalar factor, ``gate`` times; ``z_+-``, each three times, which slopes of at most 2 turn
      into 12;
    * ``X Y (z_+ - z_-)``: a stored weight, a product and the sum of 2 terms per product, of sizes
      that add up to ``X Y``;
    * the teeth times ``X Y / 4^s``: the same with 6 terms per product, of sizes ``8 X Y / 4^s``;
    * each addition of a block to the target, which stays below ``target + 2 X Y``.
    """
    total, count = sum(sizes), len(sizes)
    written = (2 + 2 * count - 1) + (2 + 6 * count - 1) * 8 / 3
    return total * (gate + 12 + written) + (1 + levels) * (target + 2 * total)


def _compounded(dtype: str, problem: PaperProblem, levels: int) -> float:
    """``u / (1 - k u)`` with ``k`` above every number of roundings that one term meets."""
    u = unit_roundoff(dtype)
    gate = 2 + (64 + 8 * problem.t_max) * unit_roundoff("float64") / u
    frames, channels = problem.gp.frames, problem.gp.channels
    count = gate + frames + problem.lowering.heads + channels + 3 * levels + 100
    return u / (1 - count * u)
