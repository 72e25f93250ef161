"""The symbols that lemmas share, so that theorems can compose them.

An eigenvalue enclosure [m, L] with 0 < m <= L, its condition number kappa,
iteration counts K, lags and kernel parameters.  A lemma that needs a symbol of
its own declares it in its own file.
"""

from __future__ import annotations

import sympy

m = sympy.Symbol("m", positive=True)
"""Lower end of the eigenvalue enclosure of A_t."""
L = sympy.Symbol("L", positive=True)
"""Upper end of the eigenvalue enclosure of A_t, L >= m."""
lam = sympy.Symbol("lambda", positive=True)
"""An eigenvalue in [m, L]."""
kappa = sympy.Symbol("kappa", positive=True)
"""Condition number L/m >= 1."""
K = sympy.Symbol("K", integer=True, positive=True)
"""Number of iterations (blocks)."""
k = sympy.Symbol("k", integer=True, nonnegative=True)
"""Index of an iteration."""
N = sympy.Symbol("N", integer=True, positive=True)
"""frames."""
d = sympy.Symbol("d", integer=True, positive=True)
"""channels."""
J = sympy.Symbol("J", integer=True, nonnegative=True)
"""bandwidth: largest lag kept."""
h = sympy.Symbol("h", nonnegative=True)
"""lag."""
ell = sympy.Symbol("ell", positive=True)
"""length_scale."""
nu = sympy.Symbol("nu", positive=True)
"""exponent of the exponential regime."""
power = sympy.Symbol("power", positive=True)
"""power of the polynomial or logarithmic regime."""
t = sympy.Symbol("t", positive=True)
"""diffusion time."""
