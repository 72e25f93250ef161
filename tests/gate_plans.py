"""Plans whose gates come from a network, and what such a network is measured against."""

from __future__ import annotations

from typing import Any

import numpy as np
import plan_strategies as ours
import strategies as our
from hypothesis import reject
from hypothesis import strategies as st

from unroll import ArgumentError, GaussianProcess, Plan, make_plan
from unroll.gate_design import GateErrors
from unroll.spectrum import Spectrum


def network_plan(gp: GaussianProcess, tol: float, **options: Any) -> Plan:
    """A plan whose gates come from a network."""
    return make_plan(gp, tol=tol, conditioning="mlp", **options)


@st.composite
def network_plans(draw: st.DrawFn, dtype: str = "float64") -> Plan:
    """Small problems of all regimes; what is refused is drawn anew."""
    gp = draw(ours.problems(max_frames=6, max_channels=2, mean_scale=1.0))
    options = draw(ours.options(dtype=dtype))
    tol = draw(our.log_uniform(1e-5 if dtype == "float64" else 3e-3, 0.3))
    try:
        return network_plan(gp, **{**options, "tol": tol})
    except ArgumentError:
        reject()


@st.composite
def gate_errors(draw: st.DrawFn) -> GateErrors:
    """Spectra, ranges and means of any size that networks of a few thousand units serve."""
    lower = draw(our.log_uniform(1e-3, 3.0))
    upper = lower * draw(our.log_uniform(1.0, 300.0))
    t_min = draw(our.log_uniform(1e-4, 1.0))
    t_max = t_min + draw(our.log_uniform(1e-2, 20.0))
    mean = draw(st.one_of(st.just(0.0), our.log_uniform(0.01, 3.0)))
    return GateErrors(Spectrum(lower, upper), t_min, t_max, mean, draw(our.log_uniform(0.1, 10.0)))


def times(errors: GateErrors, count: int = 400) -> np.ndarray:
    """Diffusion times of a range: even, and dense next to its start."""
    even, span = np.linspace(0.0, 1.0, count), errors.t_max - errors.t_min
    return np.clip(
        errors.t_min + span * np.concatenate([even, even**6]), errors.t_min, errors.t_max
    )


def measured(errors: GateErrors, network: Any, t: np.ndarray) -> float:
    """x by its definition, over a grid of eigenvalues."""
    c, e, p, r = np.moveaxis(network.evaluate(t), -1, 0)
    a, worst = np.exp(-t), np.zeros_like(t)
    for eigenvalue in np.geomspace(errors.spectrum.lower, errors.spectrum.upper, 7):
        found = p * eigenvalue + r
        worst = np.maximum(worst, np.abs(c * (1 + a * (eigenvalue - 1)) - found) / found)
    size = errors.mean_size * np.sqrt(a * errors.variance + 1 - a)
    mean = np.abs(c * np.exp(-t / 2) - e) * size / (p * errors.spectrum.lower + r)
    return float(np.max(worst + mean))
