"""Every tolerance of the test suite, with its reason. Nothing here is tuned to make a test pass.

Rounding tolerances are worst-case shapes (size * eps * condition number) with a small constant;
statistical ones are standard errors times `SIGMAS`, with fixed seeds.
"""

EPS = 2.0**-52

#: Standard errors allowed in a check of random draws: fails once in 1.7 million normal draws.
SIGMAS = 5.0

#: One elementary function of a few operations, relative.
FORMULA = 64 * EPS

#: Gap between a certified lower bound on the symbol and its 50-digit value, relative to that
#: value. The bound subtracts 32 eps per unit of |log gamma| and term.
SYMBOL_GAP = 1e-12
#: For exponents in (1, 2) the rounding of terms of size l^-nu is subtracted in absolute terms,
#: while the symbol has a factor that vanishes at nu = 2.
SYMBOL_GAP_ABSOLUTE = 1e-13

#: Distance of a sum of probabilities or lags from its value summed in another order, relative.
SUMMATION = 1e-13


def eigenvalue(size: int, norm: float) -> float:
    """Backward error of a symmetric eigenvalue: |error| <= p(n) eps ||A||, p(n) of order n."""
    return 4 * size * EPS * norm


def solve(size: int, condition: float) -> float:
    """Relative error of two stable solutions of one linear system, in the norm."""
    return 8 * size * EPS * condition


#: Lemmas: measured value against claimed bound, both computed with 40 digits and compared as
#: float64, relative. The dense eigenvalue measurements lose a few digits of the 40.
LEMMA = 1e-12


def coefficient(condition: float) -> float:
    """Relative error of a step size or momentum: some ten operations, and powers z^{2k}, which add
    k z^{2k} <= sqrt(condition) / 10 times the error of z^2."""
    return (32 + condition**0.5) * EPS


def iteration(condition: float) -> float:
    """Rounding of an unrolled iteration, relative to the solution: local errors of some ten
    roundings add up to at most about condition / 4 of their size, whatever the depth."""
    return 32 * EPS * (1 + condition)


#: Link 1: torch and numpy add the same numbers in another order, and apply other exp and erf:
#: a few roundings per block, relative to the score, magnified by the largest slope of a ReLU head
#: and by the size of the mean. Largest seen: 0.8.
LINK_ONE = 4.0

#: Random small transformers in torch, numpy and plain loops: a few hundred roundings.
TWIN = 1e-11

#: A sampler's step against its source: some ten operations a step, with growth of a few per step.
SAMPLER = 1e-11

#: Laws by different routes: products of some hundred matrices of norm about 1. Wasserstein
#: distances of equal laws come out at a few roundings of the root of the covariance.
LAW = 1e-11

#: diffusers computes its schedule and most steps in float32, from starts of size up to 160.
SCHEDULER = 2e-4


def preconditioned(largest: float, condition: float, steps: int, size: int) -> float:
    """Rounding of a preconditioned iteration, relative to the score: residuals are known to
    size * eps * condition, and later steps magnify them by a factor of `largest` at most each,
    less than half of them in a stable order."""
    return 32 * size * EPS * condition * max(1.0, largest - 1.0) ** (steps // 2)


#: Eigenvalues by Lanczos against dense ones, relative to the largest: both are backward stable in
#: the inner product of A, and lose its condition number.
LANCZOS = 1e-9

#: Structured execution against the plain forward pass, per block: sums and transforms in another
#: order, relative to the output; magnified by the largest slope of a ReLU head. Largest seen: 3.
STRUCTURED = 16.0
