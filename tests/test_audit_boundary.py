"""The audit and the certificate of boundary models, on the models themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import plan_oracles as oracle
import pytest
import strategies as our
import torch
from audit_tools import (
    Tensors,
    change,
    check_soundness,
    measured,
    nudge,
    refusal,
    saved,
)
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from constructions import build, load
from proofs_check import CertificateError, audit, certify
from proofs_check.preconditioned_rate import MOST_FRAMES
from proofs_check.saved_model import read_saved
from unroll import (
    ArgumentError,
    CircleExponential,
    Exponential,
    GaussianProcess,
    Kernel,
    Logarithmic,
    Plan,
    Polynomial,
    make_plan,
)

SPATIAL = [[1.0, 0.4], [0.4, 0.7]]
KERNELS = [
    Exponential(8.0),
    Exponential(2.0, 1.5),
    Polynomial(8.0, 2.0),
    Polynomial(8.0, 0.5),
    Logarithmic(8.0, 1.0),
    CircleExponential(4.0, 1.0, period=48),
]
every_regime = pytest.mark.parametrize("kernel", KERNELS, ids=repr)


def boundary(**options: Any) -> Path:
    return saved(**({"method": "boundary", "tol": 1e-4, "t_min": 0.1} | options))


@pytest.fixture(scope="module", autouse=True)
def _clean() -> Iterator[None]:
    yield
    saved.cache_clear()


def seen(plan: Plan) -> float:
    """Largest exact relative rms error of a model over some t."""
    model, worst = build(plan), 0.0
    for t in np.geomspace(plan.t_min, plan.t_max, 15):
        exact = oracle.ExactError(plan.gp, t)
        with torch.no_grad():
            inputs = torch.as_tensor(exact.inputs.astype(plan.dtype))
            worst = max(worst, exact(model(inputs, t).double().numpy()))
    return worst


# --- certificates


@every_regime
def test_the_bound_is_what_is_seen(kernel: Kernel) -> None:
    plan = make_plan(GaussianProcess(kernel, 16, SPATIAL), method="boundary", tol=1e-6)
    bound, found = certify(plan), seen(plan)
    assert found <= bound.bound <= plan.tol
    # of two channels the worse one is charged, at the worst t
    assert bound.terms["rate"] <= 2 * found
    # interpolation in t may cost a hundredth of tol
    slack = 0.011 * plan.tol
    assert bound.terms["rate"] == pytest.approx(plan.budget.rate, rel=0.03, abs=slack)
    assert set(bound.terms) == {"rate", "eigenvectors", "rounding"}
    assert "boundary_analytic" in bound.lemmas


@pytest.mark.slow
@every_regime
def test_the_bound_of_longer_sequences(kernel: Kernel) -> None:
    if isinstance(kernel, CircleExponential):
        kernel = CircleExponential(4.0, 1.0, period=256)
    plan = make_plan(GaussianProcess(kernel, 96, SPATIAL), method="boundary", tol=1e-6)
    assert seen(plan) <= certify(plan).bound <= plan.tol


def test_a_head_less_is_refused() -> None:
    plan = make_plan(GaussianProcess(Exponential(8.0), 16, SPATIAL), method="boundary", tol=1e-6)
    assert plan.boundary is not None
    largest = int(np.argmax(np.abs(plan.boundary.amplitudes)))
    amplitudes = list(plan.boundary.amplitudes)
    amplitudes[largest] = 0.0
    fewer = replace(plan.boundary, amplitudes=tuple(amplitudes))
    with pytest.raises(CertificateError, match="most of it rate"):
        certify(replace(plan, boundary=fewer))


def test_a_longer_range_of_t_is_not_covered() -> None:
    plan = make_plan(
        GaussianProcess(Exponential(8.0), 16, SPATIAL), method="boundary", tol=1e-6, t_min=0.1
    )
    with pytest.raises(CertificateError, match="rate"):
        certify(replace(plan, t_min=0.01))


def test_long_sequences_say_how_long_they_would_take() -> None:
    plan = make_plan(
        GaussianProcess(Exponential(8.0), 2 * MOST_FRAMES, [[1.0]]), method="boundary", tol=1e-3
    )
    with pytest.raises(CertificateError, match=r"frames=2048: .* up to 1024"):
        certify(plan)


# --- models


def test_clean_models_pass() -> None:
    folder = boundary()
    found, planned = audit(folder), certify(load(folder).plan)
    assert measured(folder) <= found.bound <= found.tol
    assert found.terms["rate"] == pytest.approx(planned.terms["rate"], rel=1e-9)
    assert 0.1 * planned.terms["rounding"] <= found.terms["rounding"]
    assert found.terms["rounding"] <= 1.1 * planned.terms["rounding"]
    assert found.terms["weights"] < 1e-11


def test_float32_and_models_without_a_mean_pass() -> None:
    assert check_soundness(boundary(dtype="float32", tol=0.05, t_min=0.3))
    gp = GaussianProcess(Polynomial(3.0, 2.0), 7, SPATIAL)
    assert check_soundness(boundary(gp=gp))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    frames, channels = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    gp = GaussianProcess(draw(our.kernels(9)), frames, draw(our.spatial_covs(channels, 30.0)), None)
    try:
        return make_plan(
            gp,
            method="boundary",
            tol=draw(our.log_uniform(1e-6, 0.3)),
            t_min=draw(our.log_uniform(0.02, 0.5)),
        )
    except ArgumentError:
        reject()


@settings(max_examples=10)
@given(plans())
def test_drawn_models_are_as_good_as_their_bound(
    tmp_path_factory: pytest.TempPathFactory, plan: Plan
) -> None:
    folder = tmp_path_factory.mktemp("drawn") / "model"
    build(plan).save(folder)
    check_soundness(folder)


NUDGED = {
    "blocks.0.attention.turns": "block 0, attention.turns",
    "blocks.0.attention.amplitude": "block 0, attention.amplitude",
    "blocks.0.attention.poles": "block 0, attention.poles",
    "blocks.0.attention.value": "block 0, attention.value",
    "blocks.0.attention.output": "block 0, attention.output",
    "blocks.0.modulation.attention_scale": "block 0, modulation.attention_scale",
    "blocks.0.modulation.attention_gate": "block 0, modulation.attention_gate",
    "blocks.1.attention.query": "attention.query",
    "blocks.1.attention.key": "attention.query",  # which must be the same
    "blocks.1.attention.amplitude": "attention.amplitude",
    "blocks.1.attention.poles": "attention.poles",
    "blocks.1.attention.value": "block 1, attention.value",
    "blocks.1.attention.output": "block 1, attention.output",
    "blocks.1.modulation.attention_scale": "block 1, modulation.attention_scale",
    "blocks.1.modulation.attention_gate": "block 1, modulation.attention_gate",
    "embed": "embed",
    "readout": "readout",
}


@pytest.mark.parametrize("name", NUDGED)
def test_one_entry_of_a_model_is_found(name: str) -> None:
    by = -0.02 if name.endswith("turns") else 0.02
    message = refusal(boundary(), nudge(name, by))
    assert NUDGED[name] in message, message


@pytest.mark.parametrize(("group", "words"), [("ends", "position (ends)"), ("mean", "(mean)")])
def test_positions_are_checked(group: str, words: str) -> None:
    folder = boundary()
    channel = read_saved(folder).channels[group].start

    def edit(tensors: Tensors) -> None:
        tensors["position"][1, channel] += 0.1

    assert words in refusal(folder, edit)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("plan.problem.kernel.length_scale", 3.01, "rate"),
        ("plan.problem.spatial_cov", [[1.0, 0.2], [0.2, 0.6]], "embed"),
        ("plan.boundary.symbol", lambda f: [2 * x for x in f], "attention.poles|rate"),
        ("plan.boundary.period", 32, "symbol"),
        ("plan.boundary.poles", [1.0], "read|amplitudes"),
        ("plan.tol", 1e-9, "exceeds tol"),
        ("plan.t_min", 0.01, "rate"),
    ],
)
def test_another_plan_is_another_model(path: str, value: Any, words: str) -> None:
    message = refusal(boundary(), None, change(path, value))
    assert any(word in message for word in words.split("|")), message


def test_heads_that_read_something_else_are_refused() -> None:
    folder = boundary()
    channel = read_saved(folder).channels["v"].start

    def edit(tensors: Tensors) -> None:
        tensors["blocks.1.attention.key"][channel, 0] = 1e-9

    assert "block 1: attention.key reads v[0]" in refusal(folder, edit)
