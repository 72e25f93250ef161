"""How a theorem is measured and refuted: its designs run on small problems, and cut short."""

from __future__ import annotations

from collections.abc import Callable

import mpmath

from proofs_check.lemmas.perturbation import delta
from proofs_check.step import Parameters, Range, WrongVariant
from proofs_check.symbols import kappa
from proofs_check.theorems._measure import (
    lags,
    largest_residual,
    relative_error,
    smallest_symbol,
    tail_beyond,
)
from proofs_check.theorems.quantities import ALLOWED, METHODS, RATE_SHARE, E, tol
from proofs_check.theorems.theorem import Design, Theorem

PARAMETERS = {
    "N": Range(2, 16, integer=True),
    "mu_min": Range(0.2, 1.0),
    "mu_max": Range(1.0, 4.0),
    "t": Range(0.01, 1.5),
    "later": Range(0.0, 2.0),
    "digits": Range(0.3, 6.0),
    "method": Range(0, 1, integer=True),
    "banded": Range(0, 1, integer=True),
}
"""``later``: the error is measured at t + later; tol = 10^-digits; method 0 is gradient descent."""

POINT = {
    "N": 12,
    "mu_min": 0.5,
    "mu_max": 2.0,
    "t": 0.05,
    "later": 0.0,
    "digits": 3.0,
    "method": 1,
    "banded": 1,
}

Find = Callable[[], Theorem]
"""The theorem, asked for when a measurement runs: its module defines it last."""


def design(theorem: Theorem, parameters: Parameters) -> Design:
    """What the theorem says about drawn parameters."""
    values = dict(parameters)
    values["tol"] = mpmath.mpf(10) ** -mpmath.mpf(parameters["digits"])
    values["f_pi"] = smallest_symbol(theorem.regime, parameters)
    return theorem.design(values)


def chosen(theorem: Theorem, parameters: Parameters) -> tuple[Design, str, int, int]:
    """Design, method, depth and bandwidth for drawn parameters."""
    found, method = design(theorem, parameters), METHODS[parameters["method"]]
    depth = (found.depth_banded if parameters["banded"] else found.depth)[method]
    widest = parameters["N"] - 1
    return found, method, depth, found.bandwidth if parameters["banded"] else widest


def measured(theorem: Theorem, parameters: Parameters) -> float:
    """The error of the design, from dense matrices."""
    _, method, depth, bandwidth = chosen(theorem, parameters)
    return relative_error(theorem.regime, parameters, method, depth, bandwidth)


def derived(theorem: Theorem, parameters: Parameters) -> Parameters:
    """Values of the symbols of the bound, and of every other symbol of the design."""
    found, method, depth, bandwidth = chosen(theorem, parameters)
    left_out = theorem.left_out(found, bandwidth)
    residual = theorem.rate(found, method, depth, left_out)
    return {**found.values, E.name: left_out, delta.name: residual}


def refutations(
    find: Find, witness: Parameters, bandwidth_witness: Parameters
) -> list[WrongVariant]:
    """False claims for every regime: a block too few, a lag too few, an assumption gone."""

    def block_too_few(parameters: Parameters) -> float:
        found, method, depth, _ = chosen(find(), {**parameters, "banded": 0})
        return largest_residual(float(found.values[kappa.name]), method, depth - 1)

    def lag_too_few(parameters: Parameters) -> float:
        theorem = find()
        bandwidth = design(theorem, parameters).bandwidth - 1
        dropped = tail_beyond(lags(theorem.regime, parameters), bandwidth)
        return 2 * dropped * float(parameters["mu_max"])

    def other_problem(**changes: float) -> Callable[[Parameters], float]:
        """The design for the stated problem, run on another one."""

        def measure(parameters: Parameters) -> float:
            theorem = find()
            _, method, depth, bandwidth = chosen(theorem, parameters)
            changed = {**parameters, **changes}
            return relative_error(
                theorem.regime, changed, method, depth, bandwidth, interval_of=parameters
            )

        return measure

    exact = {**witness, "banded": 0, "digits": 2.0}
    return [
        WrongVariant(
            "one block of gradient descent too few",
            measure=block_too_few,
            bound=RATE_SHARE * tol,
            counterexample={**witness, "method": 0},
        ),
        WrongVariant(
            "one block of the Chebyshev iteration too few",
            measure=block_too_few,
            bound=RATE_SHARE * tol,
            counterexample=witness,
        ),
        WrongVariant(
            "one lag too few",
            measure=lag_too_few,
            bound=ALLOWED,
            counterexample=bandwidth_witness,
        ),
        WrongVariant(
            "assumption t >= t_min dropped",
            measure=other_problem(later=-0.99),
            counterexample={**exact, "t": 1.0},
        ),
        WrongVariant(
            "assumption eig(Sigma) <= mu_max dropped",
            measure=other_problem(mu_max=40.0),
            counterexample=exact,
        ),
        WrongVariant(
            "assumption eig(Sigma) >= mu_min dropped",
            measure=other_problem(mu_min=0.001),
            counterexample={**exact, "mu_min": 2.0},
        ),
    ]
