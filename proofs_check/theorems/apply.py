"""A theorem at a given problem: from a Gaussian process to the numbers that suffice."""

from __future__ import annotations

from typing import Any

from proofs_check import theorems
from proofs_check.balls import precision
from proofs_check.lemmas.symbol_minimum import SYMBOL
from proofs_check.symbol_ends import symbol_minimum
from proofs_check.symbols import N, ell, nu, power, t
from proofs_check.theorems.quantities import mu_max, mu_min, tol
from proofs_check.theorems.theorem import Design
from unroll.errors import ArgumentError
from unroll.gaussian_process import GaussianProcess
from unroll.kernels import Exponential, Logarithmic, Polynomial
from unroll.spectrum import spatial_bounds

__all__ = ["design_for", "values_of"]


def values_of(gp: GaussianProcess, *, tolerance: float, t_min: float) -> dict[str, Any]:
    """The theorem's parameters by name: f(pi) from below in ball arithmetic, eig(Sigma) outward.

    Raises
    ------
    ArgumentError
        The kernel belongs to no theorem, or Sigma is singular to working precision.
    """
    kernel = gp.kernel
    if not isinstance(kernel, Exponential | Polynomial | Logarithmic):
        raise ArgumentError(
            "kernel", kernel, "no theorem is about it", f"use one of {', '.join(theorems.NAMES)}"
        )
    smallest, largest = spatial_bounds(gp.spatial_cov)
    if not smallest > 0:
        raise ArgumentError("spatial_cov", gp.spatial_cov, "is singular", "drop dependent channels")
    shape = nu if isinstance(kernel, Exponential) else power
    with precision():
        symbol = max(0.0, float(symbol_minimum(kernel).lower()) * (1 - 2.0**-50))
    return {
        ell.name: kernel.length_scale,
        shape.name: kernel.exponent if isinstance(kernel, Exponential) else kernel.power,
        N.name: gp.frames,
        SYMBOL.name: symbol,
        mu_min.name: smallest,
        mu_max.name: largest,
        t.name: t_min,
        tol.name: tolerance,
    }


def design_for(gp: GaussianProcess, *, tolerance: float, t_min: float) -> Design:
    """What the theorem of the kernel's regime says about a problem.

    Parameters
    ----------
    gp
        The problem.
    tolerance
        Relative rms score error, below 1.
    t_min
        Smallest diffusion time.

    Examples
    --------
    >>> import numpy as np
    >>> from unroll import Exponential
    >>> gp = GaussianProcess(Exponential(8.0), 64, np.eye(2))
    >>> design_for(gp, tolerance=1e-6, t_min=0.01).depth["chebyshev"]
    116
    """
    values = values_of(gp, tolerance=tolerance, t_min=t_min)
    return theorems.get(gp.kernel.regime).design(values)
