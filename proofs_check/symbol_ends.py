"""Both ends of the symbol of a kernel, in balls: no eigenvalue of any ``Gamma_N`` lies outside.

The lower end is ``f(pi) = 1 + 2 sum_{k>=1} (-1)^k gamma(k)`` for kernels that are mixtures of
Gaussians in the lag (lemma ``symbol_minimum``), and a closed form for damped cosines.
"""

from __future__ import annotations

import math

import sympy
from flint import acb, arb

from proofs_check import lemmas
from proofs_check.balls import autocov_balls
from proofs_check.enclose import ball, enclose
from proofs_check.lemmas._oscillation import period
from proofs_check.symbols import ell
from unroll.kernels import CircleExponential, DampedCosine, Exponential, Kernel

__all__ = ["symbol_maximum", "symbol_minimum"]

_MOMENT_TERMS = 48
_MOST_TERMS = 2048  # of a plain alternating sum
_EULER_START, _EULER_STEPS = 256, 64


def symbol_minimum(kernel: Kernel) -> arb:
    """``f(pi) = 1 + 2 sum_{k>=1} (-1)^k gamma(k)``: no eigenvalue of any ``Gamma_N`` is below.

    For the circle kernel, the smallest eigenvalue of the circulant over its whole period; for a
    damped cosine, the smaller of ``f(0)`` and ``f(pi)`` (lemma ``damped_cosine_symbol``).
    """
    if isinstance(kernel, DampedCosine):
        return enclose(lemmas.get("damped_cosine_symbol").bound, _oscillation(kernel))
    if isinstance(kernel, CircleExponential):
        return _circulant_bottom(kernel)
    if not isinstance(kernel, Exponential) or kernel.exponent <= 1:
        return _moments(kernel)
    if kernel.exponent == 2 and kernel.length_scale >= 1:
        return _theta(kernel)
    # past this lag gamma is below 2^-140
    last = math.ceil(kernel.length_scale * 98 ** (1 / kernel.exponent)) + 1
    return _alternating(kernel, last) if last <= _MOST_TERMS else _euler(kernel)


def symbol_maximum(kernel: Kernel) -> arb:
    """A number that no eigenvalue of any ``Gamma_N`` is above, infinite where none is known."""
    if not isinstance(kernel, DampedCosine):
        return arb("inf")
    lemma, values = lemmas.get("damped_cosine_peak"), _oscillation(kernel)
    merged = enclose(lemma.also["condition"], values) >= 0
    peak = enclose(lemma.also["merged"] if merged else lemma.bound, values)
    return peak if peak.is_finite() else arb("inf")


def _oscillation(kernel: DampedCosine) -> dict[sympy.Symbol, arb]:
    """Values of the symbols of the two lemmas about damped cosines."""
    return {ell: ball(kernel.length_scale), period: ball(kernel.period)}


def _moments(kernel: Kernel) -> arb:
    """gamma completely monotone in the lag: ``|S - S_n| <= S / d_n``.

    The weights are those of H. Cohen, F. Rodriguez Villegas & D. Zagier, Experiment. Math. 9
    (2000), Algorithm 1, with exact integers.
    """
    n = _MOMENT_TERMS
    previous, d = 1, 3
    for _ in range(n - 1):
        previous, d = d, 6 * d - previous
    gamma = autocov_balls(kernel, n)
    total, b, c = arb(0), -1, -d
    for k in range(n):
        c = b - c
        total += c * gamma[k]
        b = b * 2 * (k + n) * (k - n) // ((2 * k + 1) * (k + 1))
    estimate = total / d  # of sum (-1)^k gamma(k), which lies in (0, 1]
    alternating = estimate + (arb(1) / d) * arb(0, 1)
    return 2 * alternating - 1


def _theta(kernel: Exponential) -> arb:
    """Poisson summation (lemma ``gaussian_symbol``): a sum of positive terms, so that the first
    few are a lower bound.
    """
    partial: arb = enclose(lemmas.get("gaussian_symbol").bound, {ell: arb(kernel.length_scale)})
    return partial


def _alternating(kernel: Exponential, last: int) -> arb:
    """gamma decreasing: consecutive partial sums enclose the value."""
    gamma = autocov_balls(kernel, last + 1)
    partial = arb(1)
    for k in range(1, last):
        partial += 2 * (-1) ** k * gamma[k]
    return partial.union(partial + 2 * (-1) ** last * gamma[last])


def _euler(kernel: Exponential) -> arb:
    """Euler's transform behind a direct sum (lemmas ``euler_transform``,
    ``exponential_differences``), for kernels too long for `_alternating`.
    """
    start, steps = _EULER_START, _EULER_STEPS
    gamma = autocov_balls(kernel, start + steps)
    differences = lemmas.get("exponential_differences").bound
    symbols = {symbol.name: symbol for symbol in differences.free_symbols}
    exponent = ball(kernel.exponent)
    values = {
        symbols["ell"]: ball(kernel.length_scale),
        symbols["nu"]: exponent,
        symbols["c"]: (arb.pi() / (2 * exponent)).sin(),
    }
    order = {symbols["m"]: steps, symbols["K"]: start}
    remainder = enclose(differences.subs(order), values) / 2**steps
    total = arb(0)
    for k in range(start + steps):
        later = sum(math.comb(steps, j) for j in range(max(0, k - start + 1), steps + 1))
        total += (-1) ** k * arb(later) / 2**steps * gamma[k]  # for k < start the weight is one
    symbol: arb = 2 * (total + remainder * arb(0, 1)) - 1
    return symbol


def _circulant_bottom(kernel: CircleExponential) -> arb:
    """The eigenvalues of a circulant are the discrete Fourier transform of its first row."""
    period = int(kernel.period)
    half = autocov_balls(kernel, period // 2 + 1)
    row = [acb(half[min(k, period - k)]) for k in range(period)]
    smallest: arb = half[0] * period  # no eigenvalue is above the trace
    for value in acb.dft(row):
        smallest = smallest.min(value.real)
    return smallest
