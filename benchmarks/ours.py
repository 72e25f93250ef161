"""Our models behind the benchmark's interface: the one file here that knows how they are built."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmarks.method import Method
from benchmarks.problem import Problem
from constructions import build
from unroll import ArgumentError, GaussianProcess
from unroll.validation import Array

#: Range of t that the models are built for, and the error promised there.
T_MIN, T_MAX, TOL = 0.01, 5.0, 1e-6
#: Dense attention is N x N per head: the plain forward pass is no use beyond.
_PLAIN_FRAMES = 64


class Plain(Method):
    """The plain forward pass of the Chebyshev model: a dense softmax head per block."""

    name = "ours"
    growth = (2.0, 2.0)
    uses_torch = True

    @classmethod
    def refusal(cls, problem: Problem) -> str | None:
        """Dense attention is for short sequences."""
        too_long = problem.frames > _PLAIN_FRAMES
        return f"plain forward, N <= {_PLAIN_FRAMES}" if too_long else super().refusal(problem)

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        gp = GaussianProcess(problem.kernel, problem.frames, problem.spatial_cov)
        options = {"method": "chebyshev", "attention": "softmax", "dtype": problem.dtype}
        self._model, tol = build_within(gp, options)
        self.note = f"{self._model.plan.depth} blocks, tol {tol:.0e}"

    def setup(self, t: float) -> None:
        """Nothing is kept: the gates are part of the forward pass."""
        self._t = t

    def solve(self, v: Array) -> Array:
        """One forward pass."""
        with torch.no_grad():
            return np.asarray(self._model(torch.from_numpy(v), self._t).numpy())


def build_within(gp: GaussianProcess, options: dict[str, Any]) -> tuple[Any, float]:
    """A model with the smallest of 1e-6, 1e-5, ... that its precision allows as tolerance."""
    tol = TOL
    while True:
        try:
            return build(gp, tol=tol, t_min=T_MIN, t_max=T_MAX, **options), tol
        except ArgumentError as refused:
            if refused.argument != "tol" or tol > 0.01:
                raise
            tol *= 10


#: The first is what the others are compared with.
OURS: tuple[type[Method], ...] = (Plain,)

#: Constructions whose layers, heads, sizes and build seconds are tabulated: options of `make_plan`.
CONSTRUCTIONS: dict[str, dict[str, Any]] = {
    "paper: gradient, four ReLU heads per lag": {
        "method": "gradient",
        "attention": "relu",
        "heads": "trapezoid",
        "max_layers": 10**6,
    },
    "chebyshev, softmax": {"method": "chebyshev", "attention": "softmax"},
}
