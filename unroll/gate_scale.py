r"""The common scale of all gates of a first-order method, as a function of t.

The method is planned for ``t_min``, with its step sizes and momenta as plain numbers, and runs on
``c(t) A_t`` and ``c(t) b`` instead of ``A_t`` and ``b``, where ``c(t)`` keeps the eigenvalues where
those of ``A_{t_min}`` are. So *every* step gates with the same four functions

    C = c,   E = c alpha,   P = c alpha^2,   R = c sigma^2,

times constants of its own. A common factor of all gates is no error, so within that range ``c`` is
free. A network interpolates the four linearly, and for an eigenvalue ``lambda`` of ``Gamma kron
Sigma`` what matters is ``g(t) = C (1 + a (lambda - 1)) - (P lambda + R)`` with ``a = exp(-t)``,
which vanishes at the knots. Between them ``g'' = (lambda - 1) a (C - 2 C')``, and the scale
``c = exp(t / 2)`` makes ``C - 2 C'`` vanish to leading order: the error falls like ``h^3 / 250``
instead of ``h^2 / 8``, and the number of knots grows like ``tol^(-1/3)``. (A quotient of two linear
functions is then the (1, 1) Pade approximant of the exponential function.) So

    c(t) = exp((t - t_min) / 2)

as long as the largest eigenvalue stays below that at ``t_min``, and ``L_{t_min} / L_t`` afterwards.
The gate of the mean has no such luck: no chord lies on the curve ``(1, alpha, alpha^2)``.
"""

from __future__ import annotations

import math

import numpy as np

from unroll.spectrum import Spectrum
from unroll.validation import Array

__all__ = ["OUTPUTS", "corners", "growth", "ideal_gates", "log_scale"]

#: Number of gate functions.
OUTPUTS = 4


def log_scale(spectrum: Spectrum, t_min: float, t: Array) -> Array:
    """``log c(t)``: ``(t - t_min) / 2``, within what keeps both ends of the spectrum."""
    start, now = spectrum.noisy(t_min), spectrum.noisy(t)
    floor, ceiling = (np.log(s / n) for s, n in zip(start, now, strict=True))
    return np.asarray(np.clip((t - t_min) / 2, floor, ceiling))


def growth(spectrum: Spectrum, t_min: float, t: Array) -> Array:
    """The slope of `log_scale`."""
    a, line, scale = np.exp(-t), (t - t_min) / 2, log_scale(spectrum, t_min, t)
    lower, upper = (a * (e - 1) / (1 + a * (e - 1)) for e in (spectrum.lower, spectrum.upper))
    return np.where(scale == line, 0.5, np.where(scale < line, upper, lower))


def corners(spectrum: Spectrum, t_min: float, t_max: float) -> list[float]:
    """Where `log_scale` leaves an end of its range, or reaches it.

    ``exp((t - t_min) / 2) (1 + a (e - 1)) = y + b / y`` with ``y = exp((t - t_min) / 2)`` is where
    it started, ``1 + b``, at ``y = b = exp(-t_min) (e - 1)``.
    """
    bends = [math.exp(-t_min) * (end - 1) for end in (spectrum.lower, spectrum.upper)]
    times = [t_min + 2 * math.log(b) for b in bends if b > 1]
    return [t for t in times if t_min < t < t_max]


def ideal_gates(spectrum: Spectrum, t_min: float, t: Array) -> Array:
    """``C, E, P, R`` as they should be, array (..., 4).

    >>> ideal_gates(Spectrum(0.5, 8.0), 0.0, np.array([0.0])).tolist()
    [[1.0, 1.0, 1.0, 0.0]]
    """
    c, a = np.exp(log_scale(spectrum, t_min, t)), np.exp(-t)
    return np.stack([c, c * np.exp(-t / 2), c * a, c * -np.expm1(-t)], axis=-1)
