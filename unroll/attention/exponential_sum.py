"""A kernel as a sum of few decaying exponentials, ``gamma(h) ~ sum_m w_m exp(-a_m h)``.

Kernels that are completely monotone in the lag (exponential with exponent at most one, polynomial,
logarithmic) are mixtures of decaying exponentials, so a sum of few comes close over finitely many
lags: the error falls geometrically with their number, at a rate like ``1 / log N``. The rates
``a_m`` are found by variable projection (Golub & Pereyra, SIAM J. Numer. Anal. 10 (1973)): the
amplitudes that fit best for given rates are linear least squares, their derivative is Kaufman's.
Nothing rests on the fit being optimal: what it leaves is measured at every lag.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

__all__ = ["fit_exponentials", "fit_exponentials_at"]

_EVALUATIONS = 200
_FARTHEST = 600.0


def fit_exponentials(autocov: np.ndarray, terms: int) -> tuple[np.ndarray, np.ndarray]:
    """Rates and amplitudes of ``terms`` exponentials fitted to ``gamma(0), ..., gamma(N-1)``.

    Parameters
    ----------
    autocov
        Array (N,).
    terms
        Number of exponentials, at least one.

    Returns
    -------
    Two arrays (terms,): decay rates per frame, all positive, and amplitudes.

    >>> lags = np.arange(50)
    >>> rates, amplitudes = fit_exponentials(0.7 * np.exp(-lags / 3) + 0.3 * np.exp(-lags / 20), 2)
    >>> bool(np.allclose(np.sort(1 / rates), [3, 20]))
    True
    """
    return fit_exponentials_at(np.arange(len(autocov), dtype=np.float64), autocov, terms)


def fit_exponentials_at(
    lags: np.ndarray, autocov: np.ndarray, terms: int
) -> tuple[np.ndarray, np.ndarray]:
    """The same for values at any lags, array (n,), ascending from 0."""
    # a symmetric Toeplitz matrix holds every lag but zero twice
    weight = np.where(lags == 0, 1.0, np.sqrt(2.0))
    target = autocov * weight

    def rates(log_rates: np.ndarray) -> np.ndarray:
        # a search that strays is kept where the exponential function neither overflows nor vanishes
        return np.asarray(np.exp(np.clip(log_rates, -_FARTHEST, _FARTHEST)))

    def design(log_rates: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(-np.outer(lags, rates(log_rates))) * weight[:, None])

    def amplitudes(matrix: np.ndarray) -> np.ndarray:
        return np.asarray(np.linalg.lstsq(matrix, target, rcond=1e-15)[0])

    def residual(log_rates: np.ndarray) -> np.ndarray:
        matrix = design(log_rates)
        return np.asarray(matrix @ amplitudes(matrix) - target)

    def jacobian(log_rates: np.ndarray) -> np.ndarray:
        matrix = design(log_rates)
        moved = -np.outer(lags, rates(log_rates)) * matrix * amplitudes(matrix)
        basis = np.linalg.qr(matrix)[0]
        return np.asarray(moved - basis @ (basis.T @ moved))

    def fitted_from(slowest: float, fastest: float) -> np.ndarray:
        middle = (np.log(slowest) + np.log(fastest)) / 2
        start = np.linspace(np.log(slowest), np.log(fastest), terms) if terms > 1 else [middle]
        found = least_squares(
            residual, start, jac=jacobian, xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=_EVALUATIONS
        )
        return np.asarray(found.x)

    # the problem has local minima: start from rates that span more, or less, than the lags see
    step = float(lags[1]) if len(lags) > 1 else 1.0
    span = float(lags[-1]) + step
    candidates = [fitted_from(a / span, b / step) for a, b in ((0.1, 3.0), (2.0, 1.0))]
    best = min(candidates, key=lambda log_rates: np.linalg.norm(residual(log_rates)))
    return rates(best), amplitudes(design(best))
