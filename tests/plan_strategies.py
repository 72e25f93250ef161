"""Hypothesis strategies for plans: small problems that need few blocks, over all regimes."""

from __future__ import annotations

from typing import Any

import numpy as np
import strategies as our
from hypothesis import reject
from hypothesis import strategies as st

from unroll import ArgumentError, GaussianProcess, Plan, make_plan
from unroll.paper import plan_paper

METHODS = ("gradient", "neumann", "chebyshev")
MOST_LAYERS = 300


@st.composite
def problems(
    draw: st.DrawFn, max_frames: int = 8, max_channels: int = 3, mean_scale: float = 10.0
) -> GaussianProcess:
    """Like `strategies.problems`, with a spatial condition number of at most 30 and means of size
    up to `mean_scale`.
    """
    frames, channels = draw(st.integers(1, max_frames)), draw(st.integers(1, max_channels))
    kernel, cov = draw(our.any_kernels(max_frames)), draw(our.spatial_covs(channels, 30.0))
    mean = None
    if draw(st.booleans()):
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        mean = draw(our.log_uniform(0.01, mean_scale)) * rng.standard_normal((frames, channels))
    return GaussianProcess(kernel, frames, cov, mean)


@st.composite
def options(
    draw: st.DrawFn, methods: tuple[str, ...] = METHODS, dtype: str = "float64"
) -> dict[str, Any]:
    """Arguments of `make_plan` other than the problem."""
    attention = draw(st.sampled_from(["softmax", "relu"]))
    chosen: dict[str, Any] = {
        "method": draw(st.sampled_from(methods)),
        "attention": attention,
        "tol": draw(our.log_uniform(1e-8 if dtype == "float64" else 1e-3, 0.5)),
        "t_min": draw(our.log_uniform(0.01, 1.0)),
        "t_max": 5.0,
        "dtype": dtype,
        "activation": draw(st.sampled_from(["relu", "relu", "gelu", "gelu_tanh", "silu"])),
        "max_layers": MOST_LAYERS,
    }
    if attention == "relu":
        chosen["heads"] = draw(st.sampled_from(["knot", "trapezoid"]))
    return chosen


@st.composite
def plans(draw: st.DrawFn, **how: Any) -> Plan:
    """Plans of at most `MOST_LAYERS` blocks; what the planner refuses is drawn anew."""
    sizes = {name: how.pop(name) for name in ("max_frames", "mean_scale") if name in how}
    gp, chosen = draw(problems(**sizes)), draw(options(**how))
    try:
        return make_plan(gp, **chosen)
    except ArgumentError:  # too deep, or below the floor of a problem this hard
        reject()


@st.composite
def paper_plans(draw: st.DrawFn, dtype: str = "float64", most_layers: int = 250) -> Plan:
    """The paper's own model for small problems; what is refused is drawn anew."""
    gp = draw(problems(max_frames=6, max_channels=2, mean_scale=3.0))
    try:
        return plan_paper(
            gp,
            tol=draw(our.log_uniform(0.02, 0.5)),
            t_min=draw(our.log_uniform(0.2, 1.5)),
            t_max=draw(st.sampled_from([2.0, 5.0])),
            dtype=dtype,
            max_layers=most_layers,
        )
    except ArgumentError:
        reject()
