r"""What linear interpolation of the gates does to the score of a first-order method.

With gates ``C, E, P, R`` (`unroll.gate_scale`) from a network the iteration has the limit
``-(P G + R)^{-1} (C V - E M)``, and with ``x`` the relative error of that, uniformly in t,

    x <= max_lambda |C (alpha^2 lambda + sigma^2) - (P lambda + R)| / (P lambda + R)
         + |C alpha - E| ||M|| / (S (P l + R)),

``lambda`` running over the eigenvalues ``[l, u]`` of ``G = Gamma kron Sigma`` (lemma
``scaled_gates``). The quotient is monotone in ``lambda``, so the two ends bound it. Between two
knots the numerators are bounded by lemma ``interpolation``; where ``P lambda + R`` stays is decided
at the knots, because it is piecewise linear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unroll.gate_network import GateNetwork
from unroll.rounding import unit_roundoff
from unroll.spectrum import Spectrum
from unroll.validation import Array

if TYPE_CHECKING:
    from unroll.gaussian_process import GaussianProcess

__all__ = ["GateErrors", "scaled_spectrum"]

# Parts of a piece over which the second derivative is bounded separately.
_PARTS = 8
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

    def bound(self, network: GateNetwork) -> float:
        """``x``, uniformly over the range, in float64 and rounded outward."""
        nodes = np.array([*network.knots, self.t_max])
        at = _walk(network, nodes)
        return float(np.max(self._pieces(nodes, at, network.imprecision(nodes))) * _OUTWARD)

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

    @property
    def _ends(self) -> tuple[float, float]:
        return self.spectrum.lower, self.spectrum.upper


def _mean_size(mean: Array) -> float:
    """The largest root mean square of the first ``n`` frames: shorter sequences are served, too."""
    energies = np.cumsum(np.sum(mean**2, axis=1)) / mean.shape[1]
    return float(np.sqrt(np.max(energies / np.arange(1, len(mean) + 1))))


def _walk(network: GateNetwork, nodes: Array) -> Array:
    """Values of the piecewise linear function at all nodes, array (F + 1, Q)."""
    slopes = np.cumsum(np.array(network.slopes), axis=0)
    rises = np.cumsum(slopes * np.diff(nodes)[:, None], axis=0)
    return np.concatenate([[network.offset], network.offset + rises])


def scaled_spectrum(network: GateNetwork, spectrum: Spectrum, t_max: float) -> Spectrum:
    """Where the eigenvalues of ``P G + R`` are for every t: decided at the knots."""
    nodes = np.array([*network.knots, t_max])
    at = _walk(network, nodes)
    rho = network.imprecision(nodes)
    ends = []
    for end, sign in ((spectrum.lower, -1), (spectrum.upper, 1)):
        slack = 2 * (rho[:, 2] * abs(end) + rho[:, 3])  # twice: the sums of the walk round, too
        values = at[:, 2] * end + at[:, 3] + sign * (slack + 1e-15 * np.abs(at[:, 2] * end))
        ends.append(float(values.min() if sign < 0 else values.max()))
    return Spectrum(*ends)
