"""Rigorous errors of a sum of exponentials at finitely many lags, in ball arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flint import arb

from proofs_check.balls import largest
from proofs_check.enclose import ball


def lag_errors(gamma: Sequence[arb], rates: Sequence[Any], weights: Sequence[Any]) -> list[arb]:
    """Balls containing ``gamma(h) - sum_i weights[i] exp(-rates[i] h)``, h = 0, 1, ...

    Parameters
    ----------
    gamma : sequence of arb
        Balls containing the kernel at the lags 0, 1, ...
    rates, weights : sequences of exact numbers
        Floats count by their binary value.

    Examples
    --------
    >>> [float(error.mid()) for error in lag_errors([arb(1), arb(0)], [0.0], [0.25])]
    [0.75, -0.25]
    """
    factors = [(-ball(rate)).exp() for rate in rates]
    terms = [ball(weight) for weight in weights]
    errors = []
    for value in gamma:
        errors.append(value - sum(terms, arb(0)))
        terms = [term * factor for term, factor in zip(terms, factors, strict=True)]
    return errors


def worst(errors: Sequence[arb]) -> arb:
    """An upper bound of the largest absolute error, as an exact ball."""
    return largest(abs(error) for error in errors).upper()


def doubled(errors: Sequence[arb]) -> arb:
    """``|e_0| + 2 sum |e_h|``: bounds the norm of the symmetric Toeplitz matrix (operator_norm)."""
    sizes = [abs(error) for error in errors]
    return sizes[0] + 2 * sum(sizes[1:], arb(0))
