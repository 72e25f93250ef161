"""How many hidden units a network needs for the gates of a method, and why there may be none."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from unroll.errors import ArgumentError
from unroll.gate_errors import GateErrors, scaled_spectrum
from unroll.gate_network import HINGE_GAPS, GateNetwork
from unroll.gate_scale import OUTPUTS, corners, growth, ideal_gates
from unroll.spectrum import Spectrum
from unroll.validation import Array

__all__ = [
    "MOST_UNITS",
    "OUTPUTS",
    "GateErrors",
    "design_gates",
    "no_network",
    "resolvent_units",
    "scaled_spectrum",
]

#: More hidden units than this are refused.
MOST_UNITS = 65536
# Share of the allowance that smooth hinges may cost.
_SMOOTHING_SHARE = 0.1
_GRID = 8192
_MOST_TRIES = 24


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
    t, count = _density(errors, allowance * (1 - _SMOOTHING_SHARE))
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


def _density(errors: GateErrors, allowance: float) -> tuple[Array, Array]:
    """Times and how many knots there should be before each of them, by the leading orders."""
    span = errors.t_max - errors.t_min
    inner = float(errors.spectrum.noisy(errors.t_min)[0]) * 1e-3
    even = np.linspace(0.0, 1.0, _GRID)
    near = inner * np.expm1(even * math.log1p(span / inner))
    edges = errors.t_min + np.union1d(span * even, near.clip(0.0, span))
    edges = np.union1d(edges, corners(errors.spectrum, errors.t_min, errors.t_max))
    t = (edges[1:] + edges[:-1]) / 2
    a, root = np.exp(-t), np.exp(-t / 2)
    smallest, largest = errors.spectrum.noisy(t)
    rising = growth(errors.spectrum, errors.t_min, t)
    square = a * np.abs(1 - 2 * rising) / 8
    mean = errors.mean_size * np.sqrt(1 + a * (errors.variance - 1))
    mean = mean * root * np.abs(rising - 0.25) / 8
    low, high = np.full_like(t, span * 1e-12), np.full_like(t, span)
    for _ in range(60):
        h = np.sqrt(low * high)
        bottom = smallest + h / 4  # the eigenvalue grows over a long piece
        weight = np.maximum(
            abs(errors.spectrum.lower - 1) / bottom, abs(errors.spectrum.upper - 1) / largest
        )
        early = np.exp(np.minimum(h, 100.0) / 2)  # how much larger `a` is where a piece starts
        error = (square * h**2 + a * h**3 / 250) * early * weight + mean * h**2 * early / bottom
        low, high = (
            np.where(error > allowance, low, h),
            np.where(error > allowance, h, high),
        )
    return edges, np.concatenate([[0.0], np.cumsum(np.diff(edges) / low)])


def _network(
    errors: GateErrors, t: Array, count: Array, units: int, allowance: float, activation: str
) -> GateNetwork:
    nodes = np.interp(np.linspace(0.0, count[-1], units + 1), count, t)
    nodes[0], nodes[-1] = errors.t_min, errors.t_max
    nodes = np.union1d(nodes, corners(errors.spectrum, errors.t_min, errors.t_max))
    network = GateNetwork.through(
        nodes, ideal_gates(errors.spectrum, errors.t_min, nodes), activation
    )
    if gap := HINGE_GAPS[activation]:
        sizes = np.abs(np.array(network.slopes)).sum(axis=0)
        smallest = float(errors.spectrum.noisy(errors.t_min)[0])
        cost = float((1 + errors.mean_size) * sizes.sum() * max(abs(errors.spectrum.upper), 1.0))
        sharpness = gap * cost / (smallest * _SMOOTHING_SHARE * allowance)
        network = replace(network, sharpness=2.0 ** max(0, math.ceil(math.log2(sharpness))))
    return network


def resolvent_units(spectrum: Spectrum, t_min: float, t_max: float, allowance: float) -> int:
    """Knots that linear interpolation needs for gates ``f = 1 / (alpha^2 lambda + sigma^2)``, one
    for every eigenvalue in the spectrum, each within the relative error ``allowance``.

    Such a gate is an eigenvalue of the score itself: there is no common factor to choose, the error
    stays of second order, ``h^2 f'' / (8 f)``, and the knots grow like ``allowance^(-1/2)``. With
    ``z = a (lambda - 1) f``, ``f'' / f = 2 z^2 - z``, largest in size at an end of the spectrum or,
    1/8, at ``z = 1/4``.
    """
    bottom = float(spectrum.noisy(t_min)[0])
    t = t_min + bottom * np.expm1(np.linspace(0.0, math.log1p((t_max - t_min) / bottom), _GRID))
    a = np.exp(-t)
    low, high = (a * (e - 1) / (1 + a * (e - 1)) for e in (spectrum.lower, spectrum.upper))
    curvature = np.maximum(np.abs(2 * low**2 - low), np.abs(2 * high**2 - high))
    curvature = np.where((low < 0.25) & (high > 0.25), np.maximum(curvature, 0.125), curvature)
    rate = np.sqrt(curvature / (8 * allowance))
    return max(1, math.ceil(float(np.trapezoid(rate, t))))


def no_network(
    method: str, gates: int, spectrum: Spectrum, t_min: float, t_max: float, tol: float
) -> ArgumentError:
    """Why the gates of a direct or preconditioned model do not come from a network.

    ``gates`` is how many it has: heads times channels.
    """
    units = resolvent_units(spectrum, t_min, t_max, tol)
    return ArgumentError(
        "conditioning",
        "mlp",
        f"has no place in method {method!r}: each of its {gates} gates is needed to tol={tol:g} by "
        f"itself, which takes at least {units} hidden units and {units * gates} weights",
        "use conditioning='exact', or a first-order method",
    )
