"""Our models behind the benchmark's interface: the one file here that knows how they are built."""

from __future__ import annotations

import copy
import time
from functools import cache
from typing import Any, ClassVar

import numpy as np
import torch

from benchmarks.method import Method
from benchmarks.problem import Problem
from constructions import build
from constructions.structured import accelerate
from unroll import GaussianProcess, Kernel
from unroll.validation import Array

#: Range of t that the models are built for, and the error promised there.
T_MIN, T_MAX, TOL = 0.01, 5.0, 1e-6
#: Up to this N one layer of rank-one heads is the model of choice, beyond it two layers: Fourier
#: heads, and rank-one heads for the ends.
SPECTRAL_FRAMES = 128
SPECTRAL: dict[str, Any] = {"method": "spectral"}
BOUNDARY: dict[str, Any] = {"method": "boundary"}
PRECONDITIONED: dict[str, Any] = {"method": "preconditioned", "attention": "fourier"}


class Model(Method):
    """A model in the problem's precision, its weights run as `accelerate` finds best."""

    uses_torch = True
    always = True
    plain: ClassVar[bool] = False

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        options = tuple(self.options(problem).items())
        shared, self.seconds_built = _build(
            problem.kernel, problem.frames, problem.channels, options
        )
        # planned and built in float64: the planner's estimate of float32 rounding is a bound, the
        # error here is measured
        model = copy.deepcopy(shared).to(getattr(torch, problem.dtype))
        self._model = model if self.plain else accelerate(model)
        layers = len(model.blocks)
        self.note = f"{options[0][1]}, {layers} layer{'s' * (layers > 1)}"

    @classmethod
    def options(cls, problem: Problem) -> dict[str, Any]:
        """Of `build`."""
        return SPECTRAL if problem.frames <= SPECTRAL_FRAMES else BOUNDARY

    def setup(self, t: float) -> None:
        """Whatever depends on t alone."""
        with torch.no_grad():
            self._score = self._model.at(t)

    def solve(self, v: Array) -> Array:
        """One forward pass."""
        with torch.no_grad():
            return np.asarray(self._score(torch.from_numpy(v)).numpy())


class Ours(Model):
    """The model of choice at each N."""

    name = "ours"


class Preconditioned(Model):
    """An iteration with Fourier heads, whatever `Ours` takes."""

    name = "ours, preconditioned"

    @classmethod
    def options(cls, problem: Problem) -> dict[str, Any]:
        """Of `build`."""
        return PRECONDITIONED


class Plain(Model):
    """The plain forward pass of `Ours`, head by head."""

    name = "ours, plain forward"
    plain = True

    @classmethod
    def refusal(cls, problem: Problem) -> str | None:
        """Dense attention is for short sequences."""
        dense = "N x N attention" if problem.frames > SPECTRAL_FRAMES else None
        return dense or super().refusal(problem)

    def setup(self, t: float) -> None:
        """Nothing is kept: the gates are part of the forward pass."""
        self._t = t

    def solve(self, v: Array) -> Array:
        """One forward pass."""
        with torch.no_grad():
            return np.asarray(self._model(torch.from_numpy(v), self._t).numpy())


@cache
def _build(
    kernel: Kernel, frames: int, channels: int, options: tuple[tuple[str, Any], ...]
) -> tuple[Any, float]:
    """A float64 model, and the seconds it took; cases differ in t and precision alone."""
    start = time.process_time()
    gp = GaussianProcess(kernel, frames, Problem(kernel, 1, channels).spatial_cov)
    model: Any = build(gp, tol=TOL, t_min=T_MIN, t_max=T_MAX, **dict(options))
    seconds = time.process_time() - start
    model.plan = None  # a label that holds Gamma, dense
    return model, seconds


#: The first is what the others are compared with.
OURS: tuple[type[Method], ...] = (Ours, Preconditioned, Plain)

#: Constructions whose layers, heads, sizes and build seconds are tabulated: options of `make_plan`.
CONSTRUCTIONS: dict[str, dict[str, Any]] = {
    # float64 leaves the paper's model no room for 1e-6
    "the paper's, for 1e-3": {"preset": "paper", "tol": 1e-3, "max_layers": 10**6},
    "gradient, four ReLU heads per lag": {
        "method": "gradient",
        "attention": "relu",
        "heads": "trapezoid",
        "max_layers": 10**6,
    },
    "chebyshev, softmax": {"method": "chebyshev", "attention": "softmax"},
    "preconditioned, softmax": {"method": "preconditioned", "attention": "softmax"},
    "preconditioned, fourier": PRECONDITIONED,
    "boundary": BOUNDARY,
    "spectral": SPECTRAL,
}
#: Powers of N in the seconds of planning and building, by method, where they are above 1.2.
GROWTH = {"spectral": 3.0, "gradient": 2.0}
