r"""Gates of a first-order method from a network of t: how many hidden units, and how exact.

One scale for all steps
-----------------------
The method is planned for ``t_min``, with its step sizes and momenta as plain numbers, and runs on
``c(t) A_t`` and ``c(t) b`` instead of ``A_t`` and ``b``, where ``c(t)`` keeps the eigenvalues where
those of ``A_{t_min}`` are. So *every* step gates with the same four functions

    C = c,   E = c alpha,   P = c alpha^2,   R = c sigma^2,

times constants of its own. The network interpolates them linearly. Its iteration then has the
limit ``-(P G + R)^{-1} (C V - E M)``, and with ``x`` the relative error of that, uniformly in t,

    x <= max_lambda |C (alpha^2 lambda + sigma^2) - (P lambda + R)| / (P lambda + R)
         + |C alpha - E| ||M|| / (S (P l + R)),

``lambda`` running over the eigenvalues ``[l, u]`` of ``G = Gamma kron Sigma``. The quotient is
monotone in ``lambda``, so the two ends bound it. Where ``P lambda + R`` stays is decided at the
knots, because it is piecewise linear.

Which scale
-----------
The numerator is ``g(t) = C (1 + a (lambda - 1)) - (P lambda + R)`` with ``a = exp(-t)``; it
vanishes at the knots and between them ``g'' = (lambda - 1) a (C - 2 C')``. A common factor of all
gates is no error, so ``c`` is free, and ``c = exp(t / 2)`` makes ``C - 2 C'`` vanish to leading
order: the error falls like ``h^3 / 250`` instead of ``h^2 / 8``, and the number of knots grows like
``tol^(-1/3)``. (A quotient of two linear functions is then the (1, 1) Pade approximant of the
exponential function.) So ``c(t) = exp((t - t_min) / 2)`` as long as the largest eigenvalue stays
below that at ``t_min``, and ``L_{t_min} / L_t`` afterwards. The gate of the mean has no such luck:
no chord lies on the curve ``(1, alpha, alpha^2)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unroll.errors import ArgumentError
from unroll.gate_network import HINGE_GAPS, GateNetwork
from unroll.rounding import unit_roundoff
from unroll.spectrum import Spectrum
from unroll.validation import Array

if TYPE_CHECKING:
    from unroll.gaussian_process import GaussianProcess

__all__ = ["MOST_UNITS", "OUTPUTS", "GateErrors", "design_gates", "scaled_spectrum"]

#: Number of gate functions.
OUTPUTS = 4
#: More hidden units than this are refused.
MOST_UNITS = 65536
# Share of the allowance that smooth hinges may cost.
_SMOOTHING_SHARE = 0.1
# Parts of a piece over which the second derivative is bounded separately.
_PARTS = 8
_GRID = 8192
_MOST_TRIES = 24
_OUTWARD = 1 + 1e-9


@dataclass(frozen=True)
class GateErrors:
    """What linear interpolation of the gates does to the score.

    Attributes
    ----------
    spectrum
        Of ``G``, as the heads carry it.
    t_min, t_max
        Range of the diffusion time.
    mean_size
        ``||M|| / sqrt(N d)``, the largest for the first frames of a sequence.
    variance
        ``tr(Sigma) / d``: ``S >= sqrt(N d / (alpha^2 variance + sigma^2))``.
    """

    spectrum: Spectrum
    t_min: float
    t_max: float
    mean_size: float = 0.0
    variance: float = 1.0

    @classmethod
    def of(cls, gp: GaussianProcess, spectrum: Spectrum, t_min: float, t_max: float) -> GateErrors:
        """For a problem whose operator has that spectrum."""
        return cls(
            spectrum,
            t_min,
            t_max,
            _mean_size(gp.mean),
            float(np.trace(gp.spatial_cov)) / gp.channels,
        )

    def log_scale(self, t: Array) -> Array:
        """``log c(t)``: ``(t - t_min) / 2``, within what keeps both ends of the spectrum."""
        start, now = self.spectrum.noisy(self.t_min), self.spectrum.noisy(t)
        floor, ceiling = (np.log(s / n) for s, n in zip(start, now, strict=True))
        return np.asarray(np.clip((t - self.t_min) / 2, floor, ceiling))

    def growth(self, t: Array) -> Array:
        """The slope of `log_scale`."""
        a, line = np.exp(-t), (t - self.t_min) / 2
        scale = self.log_scale(t)
        lower, upper = (a * (e - 1) / (1 + a * (e - 1)) for e in self._ends)
        return np.where(scale == line, 0.5, np.where(scale < line, upper, lower))

    def corners(self) -> list[float]:
        """Where `log_scale` leaves an end of its range, or reaches it.

        ``exp((t - t_min) / 2) (1 + a (e - 1)) = y + b / y`` with ``y = exp((t - t_min) / 2)`` is
        where it started, ``1 + b``, at ``y = b = exp(-t_min) (e - 1)``.
        """
        bends = [math.exp(-self.t_min) * (end - 1) for end in self._ends]
        times = [self.t_min + 2 * math.log(b) for b in bends if b > 1]
        return [t for t in times if self.t_min < t < self.t_max]

    @property
    def _ends(self) -> tuple[float, float]:
        return self.spectrum.lower, self.spectrum.upper

    def gates(self, t: Array) -> Array:
        """``C, E, P, R`` as they should be, array (..., 4)."""
        c = np.exp(self.log_scale(t))
        a = np.exp(-t)
        return np.stack([c, c * np.exp(-t / 2), c * a, c * -np.expm1(-t)], axis=-1)

    def bound(self, network: GateNetwork) -> float:
        """``x``, uniformly over the range, in float64 and rounded outward."""
        nodes = np.array([*network.knots, self.t_max])
        at = np.concatenate([network.offset + 0 * nodes[:1, None], self._walk(network, nodes)])
        return float(np.max(self._pieces(nodes, at, network.imprecision(nodes))) * _OUTWARD)

    def _walk(self, network: GateNetwork, nodes: Array) -> Array:
        """Values of the piecewise linear function at all nodes but the first."""
        slopes = np.cumsum(np.array(network.slopes), axis=0)
        rises = np.cumsum(slopes * np.diff(nodes)[:, None], axis=0)
        return np.asarray(network.offset + rises)

    def _pieces(self, nodes: Array, at: Array, imprecise: Array) -> Array:
        """``x`` on every part of every piece, array (pieces, parts)."""
        step = np.diff(nodes)
        share = np.linspace(0.0, 1.0, _PARTS + 1)
        t = nodes[:-1, None] + step[:, None] * share  # [F, parts + 1]
        value = at[:-1, None] + np.diff(at, axis=0)[:, None] * share[:, None]  # [F, parts + 1, 4]
        slope = (np.diff(at, axis=0) / step[:, None])[:, None, :]  # [F, 1, 4]
        rho = imprecise[1:, None, :]
        a, root = np.exp(-t), np.exp(-t / 2)
        quarter = (step[:, None] / _PARTS) ** 2 / 8

        def largest(x: Array) -> Array:
            return np.maximum(np.abs(x[:, :-1]), np.abs(x[:, 1:]))

        curved = largest(value[..., 0] - 2 * slope[..., 0]) * a[:, :-1]
        worst = np.zeros_like(curved)
        for end in self._ends:
            wanted = 1 + a * (end - 1)
            found = value[..., 2] * end + value[..., 3]
            off = largest(value[..., 0] * wanted - found) + quarter * abs(end - 1) * curved
            slack = rho[..., 0] * wanted + rho[..., 2] * abs(end) + rho[..., 3]
            slack = slack + 4 * unit_roundoff("float64") * (value[..., 0] * wanted + found)
            least = np.minimum(found[:, :-1], found[:, 1:]) - largest(slack)
            worst = np.maximum(worst, (off + largest(slack)) / np.maximum(least, 1e-300))
            if end == self.spectrum.lower:
                smallest = least
        bent = largest(value[..., 0] / 4 - slope[..., 0]) * root[:, :-1]
        off = largest(value[..., 0] * root - value[..., 1]) + quarter * bent
        off = off + rho[..., 0] + rho[..., 1]
        size = self.mean_size * largest(np.sqrt(1 + a * (self.variance - 1)))
        return np.asarray(worst + off * size / np.maximum(smallest, 1e-300))

    def density(self, allowance: float) -> tuple[Array, Array]:
        """Times and how many knots there should be before each of them, by the leading orders."""
        span = self.t_max - self.t_min
        inner = float(self.spectrum.noisy(self.t_min)[0]) * 1e-3
        even = np.linspace(0.0, 1.0, _GRID)
        near = inner * np.expm1(even * math.log1p(span / inner))
        edges = self.t_min + np.union1d(span * even, near.clip(0.0, span))
        edges = np.union1d(edges, self.corners())
        t = (edges[1:] + edges[:-1]) / 2
        a, root = np.exp(-t), np.exp(-t / 2)
        smallest, largest = self.spectrum.noisy(t)
        growth = self.growth(t)
        square = a * np.abs(1 - 2 * growth) / 8
        mean = self.mean_size * np.sqrt(1 + a * (self.variance - 1))
        mean = mean * root * np.abs(growth - 0.25) / 8
        low, high = np.full_like(t, span * 1e-12), np.full_like(t, span)
        for _ in range(60):
            h = np.sqrt(low * high)
            bottom = smallest + h / 4  # the eigenvalue grows over a long piece
            weight = np.maximum(
                abs(self.spectrum.lower - 1) / bottom, abs(self.spectrum.upper - 1) / largest
            )
            early = np.exp(np.minimum(h, 100.0) / 2)  # how much larger `a` is where a piece starts
            error = (square * h**2 + a * h**3 / 250) * early * weight + mean * h**2 * early / bottom
            low, high = (
                np.where(error > allowance, low, h),
                np.where(error > allowance, h, high),
            )
        return edges, np.concatenate([[0.0], np.cumsum(np.diff(edges) / low)])


def _mean_size(mean: Array) -> float:
    """The largest root mean square of the first ``n`` frames: shorter sequences are served, too."""
    energies = np.cumsum(np.sum(mean**2, axis=1)) / mean.shape[1]
    return float(np.sqrt(np.max(energies / np.arange(1, len(mean) + 1))))


def scaled_spectrum(network: GateNetwork, spectrum: Spectrum, t_max: float) -> Spectrum:
    """Where the eigenvalues of ``P G + R`` are for every t: decided at the knots."""
    nodes = np.array([*network.knots, t_max])
    errors = GateErrors(spectrum, float(nodes[0]), t_max)
    at = np.concatenate([np.array([network.offset]), errors._walk(network, nodes)])
    rho = network.imprecision(nodes)
    ends = []
    for end, sign in ((spectrum.lower, -1), (spectrum.upper, 1)):
        slack = 2 * (rho[:, 2] * abs(end) + rho[:, 3])  # twice: the sums of the walk round, too
        values = at[:, 2] * end + at[:, 3] + sign * (slack + 1e-15 * np.abs(at[:, 2] * end))
        ends.append(float(values.min() if sign < 0 else values.max()))
    return Spectrum(*ends)


def design_gates(
    errors: GateErrors, allowance: float, activation: str = "relu", most_units: int = MOST_UNITS
) -> tuple[GateNetwork, float]:
    """The smallest network of this form whose error ``x`` is at most ``allowance``.

    Parameters
    ----------
    errors
        From `GateErrors.of`.
    allowance
        Relative root-mean-square score error that the gates may cost.
    activation
        Of the hinges.
    most_units
        More hidden units than this are refused.

    Returns
    -------
    The network and its ``x``.

    Raises
    ------
    ArgumentError
        Too many hidden units, or an allowance below what float64 resolves.
    """
    t, count = errors.density(allowance * (1 - _SMOOTHING_SHARE))
    units, few, enough, best = max(1, math.ceil(count[-1])), 0, 0, None
    # Four times what the leading orders ask for, and not enough: then it is the rounding.
    most, closest = min(most_units, 64 + 4 * units), math.inf
    for _ in range(_MOST_TRIES):
        if units > most:
            break
        network = _network(errors, t, count, units, allowance, activation)
        x = errors.bound(network)
        if x <= allowance:
            best, enough = (network, x), units
        else:
            few, closest = units, min(closest, x)
        many = enough if best else 2 * units + 2
        if many - few <= 1 + many // 64:
            break
        guess = units * (x / allowance) ** 0.4 if math.isfinite(x) else math.inf
        units = round(min(max(guess, few + 1 + many // 128), many - 1))
    if best is not None:
        return best
    goal = f"gates that cost a relative score error of {allowance:.2g}"
    raise ArgumentError(
        "conditioning",
        "mlp",
        f"needs about {units} hidden units for {goal}, more than {most_units}"
        if units > most_units
        else f"finds no {goal}: float64 rounds, and leaves {closest:.2g} with {few} hidden units",
        "use conditioning='exact', or raise tol",
    )


def _network(
    errors: GateErrors, t: Array, count: Array, units: int, allowance: float, activation: str
) -> GateNetwork:
    nodes = np.interp(np.linspace(0.0, count[-1], units + 1), count, t)
    nodes[0], nodes[-1] = errors.t_min, errors.t_max
    nodes = np.union1d(nodes, errors.corners())
    network = GateNetwork.through(nodes, errors.gates(nodes), activation)
    if gap := HINGE_GAPS[activation]:
        sizes = np.abs(np.array(network.slopes)).sum(axis=0)
        smallest = float(errors.spectrum.noisy(errors.t_min)[0])
        cost = float((1 + errors.mean_size) * sizes.sum() * max(abs(errors.spectrum.upper), 1.0))
        sharpness = gap * cost / (smallest * _SMOOTHING_SHARE * allowance)
        network = replace(network, sharpness=2.0 ** max(0, math.ceil(math.log2(sharpness))))
    return network
