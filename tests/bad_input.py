"""Bad input, as a table: the call, the argument it must name, words of condition and remedy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from constructions import build, load, verify
from unroll import (
    CircleExponential,
    DampedCosine,
    Exponential,
    GaussianProcess,
    Logarithmic,
    Polynomial,
    kernel_from_dict,
    make_plan,
)

SPATIAL = np.array([[1.0, 0.3], [0.3, 0.5]])
GP = GaussianProcess(Exponential(3.0), 5, SPATIAL)
MODEL = build(GP, tol=0.1, t_min=0.1)
V = torch.as_tensor(GP.sample_noisy(3, 0.5))
DATA = GP.sample(40)


@dataclass(frozen=True)
class Case:
    """A call, the argument that it must name, and words of condition and remedy."""

    name: str
    call: Callable[[], Any]
    argument: str
    condition: str
    remedy: str = ""


def data(**changes: float) -> np.ndarray:
    """Sound data with single entries replaced."""
    x = DATA.copy()
    x[3, 2, 1] = changes["entry"]
    return x


KERNELS = [
    Case(
        f"{kind.__name__} {name}={value}",
        lambda k=kind, given={**sound, name: value}: k(**given),
        name,
        words,
    )
    for kind, sound in (
        (Exponential, {"length_scale": 1.0, "exponent": 1.0}),
        (Polynomial, {"length_scale": 1.0, "power": 1.0}),
        (Logarithmic, {"length_scale": 1.0, "power": 1.0}),
        (CircleExponential, {"length_scale": 1.0, "exponent": 1.0, "period": 64}),
        (DampedCosine, {"length_scale": 1.0, "period": 8.0}),
    )
    for name in sound
    if name != "period" or kind is DampedCosine
    for value, words in (
        (0.0, r"greater than 0|must lie in"),
        (-1.0, r"greater than 0|must lie in"),
        (math.nan, "finite"),
        (math.inf, "finite"),
        ("x", "real number"),
        (None, "real number"),
        (True, "real number"),
    )
] + [
    Case("exponent above 2", lambda: Exponential(3.0, 2.1), "exponent", r"must lie in \(0, 2\]"),
    Case(
        "circle exponent above 2",
        lambda: CircleExponential(3.0, 2.1, period=64),
        "exponent",
        r"must lie in \(0, 2\]",
    ),
    Case(
        "circle too small for the frames",
        lambda: GaussianProcess(CircleExponential(3.0, period=9), 5, SPATIAL),
        "period",
        "",
    ),
    Case("unknown regime", lambda: kernel_from_dict({"regime": "linear"}), "regime", "known"),
    Case("no kernel", lambda: kernel_from_dict({}), "kernel", "missing"),
]


def with_cov(cov: Any) -> GaussianProcess:
    return GaussianProcess(Exponential(3.0), 5, cov)


PROBLEMS = [
    Case(
        "indefinite covariance",
        lambda: with_cov([[1.0, 2.0], [2.0, 1.0]]),
        "spatial_cov",
        "positive definite, smallest eigenvalue is -1",
        "multiple of I",
    ),
    Case(
        "singular covariance",
        lambda: with_cov(np.ones((2, 2))),
        "spatial_cov",
        "positive definite",
        "drop channels",
    ),
    Case("zero covariance", lambda: with_cov(np.zeros((2, 2))), "spatial_cov", "positive definite"),
    Case(
        "asymmetric covariance",
        lambda: with_cov([[1.0, 0.5], [0.2, 1.0]]),
        "spatial_cov",
        r"symmetric.* 0\.3",
        r"\(S \+ S\.T\) / 2",
    ),
    Case("oblong", lambda: with_cov(np.ones((2, 3))), "spatial_cov", r"shape \(2, 3\)"),
    Case("a vector", lambda: with_cov(np.ones(2)), "spatial_cov", "shape"),
    Case("no channel", lambda: with_cov(np.ones((0, 0))), "spatial_cov", "shape"),
    Case("NaN covariance", lambda: with_cov([[math.nan]]), "spatial_cov", "1 NaN or infinite"),
    Case("a word", lambda: with_cov([["x"]]), "spatial_cov", "real numbers"),
    Case("ragged", lambda: with_cov([[1.0], [1.0, 2.0]]), "spatial_cov", "rectangular"),
    Case("no kernel", lambda: GaussianProcess("x", 5, SPATIAL), "kernel", "must be a Kernel"),
    Case("no frames", lambda: GaussianProcess(GP.kernel, 0, SPATIAL), "frames", "at least 1"),
    Case("5.0 frames", lambda: GaussianProcess(GP.kernel, 5.0, SPATIAL), "frames", "integer"),
    Case(
        "mean of another shape",
        lambda: GaussianProcess(GP.kernel, 5, SPATIAL, np.zeros((2, 5))),
        "mean",
        r"shape \(5, 2\).*got shape \(2, 5\)",
    ),
    Case(
        "infinite mean",
        lambda: GaussianProcess(GP.kernel, 5, SPATIAL, np.full((5, 2), math.inf)),
        "mean",
        "10 NaN or infinite",
    ),
    Case(
        "a sum of Kronecker products",
        lambda: GaussianProcess([GP.kernel, Exponential(9.0)], 5, [SPATIAL, np.eye(2)]),
        "kernel",
        "2 entries: a sum of Kronecker products .*not supported",
        "one kernel and one",
    ),
    Case(
        "a tuple of kernels",
        lambda: GaussianProcess((GP.kernel,), 5, SPATIAL),
        "kernel",
        "not supported",
    ),
    Case(
        "a stack of covariances",
        lambda: with_cov(np.stack([SPATIAL, np.eye(2)])),
        "spatial_cov",
        r"has shape \(2, 2, 2\): a sum of Kronecker products",
        "one kernel and one",
    ),
    Case(
        "a file with a sum of Kronecker products",
        lambda: GaussianProcess.from_dict(
            {"kernel": [GP.kernel.to_dict()] * 2, "frames": 5, "spatial_cov": [[[1.0]]] * 2}
        ),
        "kernel",
        "sum of Kronecker products",
    ),
    Case("no frames given", lambda: GaussianProcess.from_dict({"kernel": {}}), "gp", "missing"),
    Case("no document", lambda: GaussianProcess.from_dict(None), "gp", "JSON object"),
]

CALLS = [
    Case("score of another shape", lambda: GP.score(np.zeros((3, 2, 5)), 0.5), "v", "shape"),
    Case("score of NaN", lambda: GP.score(np.full((5, 2), math.nan), 0.5), "v", "NaN"),
    Case("score at t = 0", lambda: GP.score(np.zeros((5, 2)), 0.0), "t", "greater than 0"),
    Case("score at NaN", lambda: GP.score(np.zeros((5, 2)), math.nan), "t", "NaN"),
    Case(
        "times that do not fit", lambda: GP.score(np.zeros((3, 5, 2)), [0.1, 0.2]), "t", "broadcast"
    ),
    Case("no samples", lambda: GP.sample(0), "n", "at least 1"),
    Case("a wrong seed", lambda: GP.sample(3, rng="x"), "rng", "integer"),
]

FITS = [
    Case(
        "NaN in the data", lambda: GaussianProcess.fit(data(entry=math.nan)), "x", "NaN or infinite"
    ),
    Case(
        "infinite data", lambda: GaussianProcess.fit(data(entry=math.inf)), "x", "NaN or infinite"
    ),
    Case("one sequence", lambda: GaussianProcess.fit(DATA[:1]), "x", "1 sequences", "at least 2"),
    Case("two frames", lambda: GaussianProcess.fit(DATA[:, :2]), "x", "2 frames", "at least 3"),
    Case("data of another shape", lambda: GaussianProcess.fit(DATA[0]), "x", "axes"),
    Case("no sequences", lambda: GaussianProcess.fit(DATA[:0]), "x", "sequences"),
    Case("words", lambda: GaussianProcess.fit([["x"]]), "x", "real numbers"),
]

PLANS = [
    Case(f"{name}={value}", lambda given={name: value}: make_plan(GP, **given), name, "")
    for name, values in {
        "tol": [0.0, -1e-3, 1.0, 2.0, 1e-320, math.nan, "x", None],
        "t_min": [0.0, -1.0, 1e-320, math.nan, math.inf, "x"],
        "t_max": [0.01, 0.0, 1e-3, math.nan, math.inf, "x"],
        "dtype": ["float16", "double", np.float64, None],
        "method": ["newton", "", ["gradient"], 3],
        "attention": ["linear", "", ["relu"]],
        "activation": ["tanh", ""],
        "rounding": ["typical", 3],
        "max_layers": [0, -1, 2.5, "x", None],
    }.items()
    for value in values
] + [
    Case("no problem", lambda: make_plan("gp.json"), "gp", "GaussianProcess", "make one"),
    Case(
        "unknown heads",
        lambda: make_plan(GP, attention="relu", heads="triangle"),
        "heads",
        "known",
        "knot, trapezoid",
    ),
    Case(
        "bandwidth of softmax",
        lambda: make_plan(GP, bandwidth=3),
        "attention",
        "takes no bandwidth",
        "attention='relu'",
    ),
    Case(
        "frequencies of softmax", lambda: make_plan(GP, frequencies=3), "attention", "frequencies"
    ),
    Case(
        "bandwidth -1",
        lambda: make_plan(GP, attention="relu", bandwidth=-1),
        "bandwidth",
        "at least 0",
    ),
    Case(
        "bandwidth 2.0",
        lambda: make_plan(GP, attention="relu", bandwidth=2.0),
        "bandwidth",
        "integer",
    ),
    Case(
        "no frequency",
        lambda: make_plan(GP, attention="relu", frequencies=0),
        "frequencies",
        "at least 1",
    ),
    Case(
        "tolerance out of reach in float64",
        lambda: make_plan(GP, tol=1e-15),
        "tol",
        "below the float64 floor of",
        "tol >= .*t_min above",
    ),
    Case(
        "tolerance out of reach in float32",
        lambda: make_plan(GP, tol=1e-9, dtype="float32"),
        "tol",
        "below the float32 floor of",
        "tol >= .*dtype='float64'",
    ),
    Case(
        "an indefinite band",
        lambda: make_plan(
            GaussianProcess(Exponential(64.0), 64, np.eye(3)),
            attention="relu",
            bandwidth=16,
            t_min=1.0,
            tol=0.1,
        ),
        "bandwidth",
        "is indefinite .*smallest eigenvalue -",
        "bandwidth above 16",
    ),
    Case(
        "a band that costs too much",
        lambda: make_plan(
            GaussianProcess(Exponential(1.0), 32, SPATIAL),
            attention="relu",
            bandwidth=8,
            tol=1e-4,
            t_min=0.1,
        ),
        "bandwidth",
        "costs a relative score error of",
        "bandwidth above 8",
    ),
    Case(
        "too many layers",
        lambda: make_plan(
            GaussianProcess(Logarithmic(8.0, 1.0), 64, SPATIAL), method="gradient", tol=1e-6
        ),
        "method",
        r"needs \d+ layers .*more than max_layers=4000",
        r"method='chebyshev' \(\d+ layers\)",
    ),
]

BUILDS = [
    Case("build of nothing", lambda: build(None), "problem", "GaussianProcess or Plan"),
    Case("build of a path", lambda: build("gp.json"), "problem", "GaussianProcess or Plan"),
    Case(
        "options next to a plan",
        lambda: build(MODEL.plan, tol=0.1),
        "options",
        "cannot be given with a plan",
        "make_plan",
    ),
    Case("verify of nothing", lambda: verify(None), "model", "UnrolledTransformer"),
    Case("verify without samples", lambda: verify(MODEL, samples=0), "samples", "at least 1"),
    Case("verify outside the range", lambda: verify(MODEL, times=[9.0]), "t", "outside the range"),
    Case("verify at no time", lambda: verify(MODEL, times=[]), "times", "", "at least one"),
    Case("verify at a table of times", lambda: verify(MODEL, times=[[0.1, 0.2]]), "times", "list"),
    Case("verify with a wrong seed", lambda: verify(MODEL, rng="x"), "rng", "integer"),
    Case("load of a number", lambda: load(3), "path", "not a path"),
    Case("load of nowhere", lambda: load("/nowhere/at/all"), "path", "not a folder"),
]

FORWARDS = [
    Case(
        "t below the range", lambda: MODEL(V, 0.05), "t", r"outside the range \[0.1, 5\]", "wider"
    ),
    Case("t above the range", lambda: MODEL(V, 6.0), "t", r"outside the range \[0.1, 5\]"),
    Case("one t outside", lambda: MODEL(V, [0.1, 0.2, 9.0]), "t", "outside the range"),
    Case("t = 0", lambda: MODEL(V, 0), "t", "outside the range"),
    Case("t = NaN", lambda: MODEL(V, math.nan), "t", "outside the range"),
    Case("t a word", lambda: MODEL(V, "x"), "t", "number"),
    Case("no t", lambda: MODEL(V, None), "t", "number"),
    Case("complex t", lambda: MODEL(V, 1j), "t", "number"),
    Case("too many times", lambda: MODEL(V, [0.1, 0.2]), "t", r"shape \(3,\)"),
    Case("a table of times", lambda: MODEL(V, torch.full((3, 1), 0.5)), "t", "scalar"),
    Case("numpy", lambda: MODEL(V.numpy(), 0.5), "v", "torch tensor", "torch.as_tensor"),
    Case("another type", lambda: MODEL(V.float(), 0.5), "v", "float64", r"v\.to\("),
    Case("integers", lambda: MODEL(V.long(), 0.5), "v", "float64"),
    Case("frames missing", lambda: MODEL(V[:, :4], 0.5), "v", "frames=5, channels=2"),
    Case("channels first", lambda: MODEL(V.mT, 0.5), "v", "frames=5, channels=2"),
    Case("one axis", lambda: MODEL(V[0, 0], 0.5), "v", "frames=5"),
    Case("four axes", lambda: MODEL(V[None], 0.5), "v", "batch"),
    Case("NaN", lambda: MODEL(V * math.nan, 0.5), "v", "NaN"),
    Case("infinity", lambda: MODEL(V / 0, 0.5), "v", "infinite"),
    Case("unknown block", lambda: MODEL.attention_matrix(99), "block", "below"),
    Case("block by name", lambda: MODEL.attention_matrix("a"), "block", "integer"),
    Case("head 1.5", lambda: MODEL.attention_matrix(0, 1.5), "head", "integer"),
    Case(
        "unknown activation", lambda: MODEL.trace(V, 0.5, "zz"), "names", "matches no", "hook_names"
    ),
    Case("activation 3", lambda: MODEL.trace(V, 0.5, [3]), "names", "strings"),
    Case("unknown channel", lambda: MODEL.read(V, "zz"), "channel", "residual stream"),
    Case("run outside the range", lambda: list(MODEL.plan.run(V.numpy(), 9.0)), "t", "outside"),
    Case("run of another shape", lambda: list(MODEL.plan.run(V.numpy().mT, 0.5)), "v", "shape"),
]
