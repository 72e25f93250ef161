r"""The largest value of an analytic function on an interval, from its values at Chebyshev points.

The polynomial ``p`` of degree ``n`` through the values at the ``n + 1`` zeros of ``T_{n+1}`` is off
by at most ``4 M rho^-n / (rho - 1)``, with ``|f| <= M`` in the ellipse with foci ``-1, 1`` whose
half axes add up to ``rho`` (lemma ``chebyshev_interpolant``); and between the zeros of ``T_m`` it
is larger than at them by ``1 / cos(pi n / 2 m)`` at most (lemma ``chebyshev_grid``). Values that
are off by ``r`` move it by ``sqrt(2 n + 1) r`` at most (lemma ``chebyshev_noise``).
"""

from __future__ import annotations

from collections.abc import Sequence

from flint import acb, arb

from proofs_check import lemmas
from proofs_check.balls import largest
from proofs_check.enclose import enclose

__all__ = ["chebyshev_angles", "coefficients", "polynomial_maximum", "truncation"]

_FINER = 8  # points of the grid, for each degree


def chebyshev_angles(count: int) -> list[arb]:
    """``phi_j`` with ``cos(phi_j)`` the zeros of ``T_count``."""
    return [arb.pi() * (2 * j + 1) / (2 * count) for j in range(count)]


def coefficients(values: Sequence[arb]) -> list[arb]:
    """Chebyshev coefficients of the polynomial through ``values`` at `chebyshev_angles`.

    ``c_k = (2 / n) sum_j v_j cos(k phi_j)``, ``c_0`` half of that: one discrete Fourier transform.
    """
    n = len(values)
    padded = [*(acb(v) for v in values), *([acb(0)] * n)]
    transformed = acb.dft(padded)  # sum_j v_j exp(-2 pi i k j / 2 n)
    turned = [(-arb(k) / (2 * n)) for k in range(n)]
    series = [2 * (transformed[k] * acb(turn).exp_pi_i()).real / n for k, turn in enumerate(turned)]
    series[0] /= 2
    return series


def polynomial_maximum(values: Sequence[arb]) -> arb:
    """At least ``|p|`` on ``[-1, 1]``, for every polynomial through values in these balls."""
    series = coefficients([v.mid() for v in values])
    degree = len(series) - 1
    if degree == 0:
        return abs(values[0])
    noise = lemmas.get("chebyshev_noise").bound
    by_name = {symbol.name: symbol for symbol in noise.free_symbols}
    radius = largest(v.rad() for v in values)
    moved = enclose(noise, {by_name["n"]: arb(degree), by_name["r"]: arb(radius)})
    m = _FINER * degree
    # the real part of sum_k c_k exp(-i k phi_j), phi_j = (2 j + 1) pi / 2 m
    padded = [acb(c) * acb(-arb(k) / (2 * m)).exp_pi_i() for k, c in enumerate(series)]
    padded += [acb(0)] * (2 * m - len(padded))
    found = arb(0)
    for value in acb.dft(padded)[:m]:
        found = found.max(abs(value.real))
    lemma = lemmas.get("chebyshev_grid")
    symbols = {symbol.name: symbol for symbol in lemma.bound.free_symbols}
    grown = enclose(lemma.bound, {symbols["n"]: arb(degree), symbols["m"]: arb(m)})
    return found * grown + moved


def truncation(degree: int, rho: arb, size: arb) -> arb:
    """``4 M rho^-n / (rho - 1)``."""
    lemma = lemmas.get("chebyshev_interpolant")
    symbols = {symbol.name: symbol for symbol in lemma.bound.free_symbols}
    values = {symbols["M"]: size, symbols["rho"]: rho, symbols["n"]: arb(degree)}
    return enclose(lemma.bound, values)
