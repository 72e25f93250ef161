"""How many roundings these weights ask for, and what they magnify.

The bound of a plan counts the roundings of the weights it compiles to. Other weights may compute
the same in exact arithmetic and nothing like it in floating point: a constant of 2^40 added to
all logits of a row cancels in the softmax, and takes twelve digits with it. So the audit counts
anew, from the magnitudes that it finds. Everything here is in units of the unit roundoff u:

* a term of a sum passes through one product and at most (terms - 1) additions in any order, none
  of them for zeros, and a product with a power of two is exact;
* ``x`` roundings in a row change a term by at most ``exp(x u) - 1 <= x u (1 + 2 x u)``;
* what multiplies the stream stays below the square root of the largest number, logits below that
  number: otherwise 2^1000 undone by 2^-1000 would pass, and overflow in one order of the two,
  underflow in the other.

Source: N. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., Lemma 3.1.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = [
    "growth",
    "largest_factor",
    "logit_roundings",
    "pattern_roundings",
    "roundings",
    "schur",
]

# Relative error of exp, in units of u: within one unit in the last place.
_EXP = 2
# A weight this far below the largest is zero in either precision: exp(-10^4) < 10^-4342.
_DEEP = 1e4


def roundings(weights: np.ndarray, bias: np.ndarray | None = None) -> int:
    """The most roundings of a term in the dot products with the columns of ``weights``.

    >>> roundings(np.array([[1.0], [0.0]])), roundings(np.array([[3.0, 1.0], [0.5, -2.0]]))
    (0, 2)
    """
    used = weights != 0
    terms = used.sum(axis=0) + (0 if bias is None else bias != 0)
    exact = ~(used & (np.abs(np.frexp(weights)[0]) != 0.5)).any(axis=0)
    return int(np.max(np.maximum(terms - 1, 0) + ~exact))


def growth(count: float, u: float) -> float:
    """``exp(count u) - 1 <= count u growth(count, u)``; infinite where the analysis ends.

    >>> growth(0.25, 1.0)
    1.5
    """
    return 1 + 2 * count * u if count * u <= 0.5 else math.inf


def largest_factor(dtype: str) -> float:
    """What a weight may multiply the stream by without a risk of overflow, or of magnifying what
    has underflown.
    """
    return math.sqrt(float(np.finfo(dtype).max))


def schur(matrix: np.ndarray) -> float:
    """``sqrt(||.||_1 ||.||_inf)``, a bound of the spectral norm."""
    return math.sqrt(float(matrix.sum(axis=0).max()) * float(matrix.sum(axis=1).max()))


def logit_roundings(size: np.ndarray, bias: np.ndarray | float, count: int, u: float) -> np.ndarray:
    """Error of ``query . key + bias``, in units of u.

    Parameters
    ----------
    size
        ``sum_p |query_p| |key_p|``, each the sum of its absolute terms; array (N, N) or (N,).
    bias
        Absolute value of what is added.
    count
        Roundings in a term of the product.
    """
    added = np.where(size > 0, size + bias, 0.0)  # adding to zero is exact
    return np.asarray((count * size + added) * growth(count + 1, u))


def pattern_roundings(
    logits: np.ndarray, errors: np.ndarray, pattern: np.ndarray, *, softmax: bool, dtype: str
) -> np.ndarray:
    """Error of an attention pattern, in units of u.

    Parameters
    ----------
    logits
        Array (N, N + S), sinks last.
    errors
        What the logits are off by, in units of u.
    pattern
        The pattern of the exact logits, of the same shape.
    """
    u = float(np.finfo(dtype).eps) / 2
    if not np.abs(logits).max() < float(np.finfo(dtype).max) / 16:
        return np.full_like(logits, math.inf)
    if not softmax:
        return np.where(logits > -u * errors, errors, 0.0)
    top = logits.max(axis=1, keepdims=True)
    # the largest logit is subtracted first; the second term is for the conversion to floats
    depth = top - logits + 2.0**-50 * (np.abs(top) + np.abs(logits))
    entry = errors + depth + _EXP
    vanishing = depth - 2 * u * errors > _DEEP
    entry = np.where(vanishing, 0.0, entry)
    denominator = (pattern * entry).sum(axis=1, keepdims=True) + logits.shape[1] - 1
    total = np.where(vanishing, 0.0, entry + denominator + 2)
    underflow = float(np.finfo(dtype).tiny) / u
    return np.asarray(pattern * total * growth(float(total.max()), u) + underflow)
