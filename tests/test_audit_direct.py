"""The audit and the certificate of preconditioned and direct models."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import plan_oracles as oracle
import pytest
import strategies as our
import torch
from audit_tools import (
    GP,
    Tensors,
    change,
    check_soundness,
    largest,
    measured,
    nudge,
    refusal,
    saved,
    tampered,
)
from hypothesis import event, given, reject, settings
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
    Logarithmic,
    Plan,
    Polynomial,
    make_plan,
)
from unroll.methods.eigenmodes import Eigenmodes

KERNELS = [
    Exponential(8.0),
    Exponential(8.0, 0.5),
    Exponential(2.0, 1.5),
    Polynomial(8.0, 2.0),
    Polynomial(8.0, 0.5),
    Logarithmic(8.0, 1.0),
    CircleExponential(4.0, 1.0, period=48),
]
every_regime = pytest.mark.parametrize("kernel", KERNELS, ids=repr)
SPATIAL = [[1.0, 0.4], [0.4, 0.7]]
EASY = {"tol": 1e-4, "t_min": 0.1}


def fewer_modes(plan: Plan, modes: int) -> Plan:
    """A direct plan that keeps that many, and promises what they leave."""
    kept = Eigenmodes.design(plan.gp.kernel, plan.gp.frames, modes)
    return replace(plan, modes=kept, tol=0.99)


@cache
def direct(modes: int | None = None, **options: Any) -> Path:
    """The folder of a direct model, built once."""
    plan = make_plan(GP, method="spectral", **(EASY | options))
    if modes is not None:
        plan = fewer_modes(plan, modes)
    folder = Path(tempfile.mkdtemp(prefix="audit-")) / "model"
    build(plan).save(folder)
    return folder


def preconditioned(**options: Any) -> Path:
    return saved(**({"method": "preconditioned"} | EASY | options))


@pytest.fixture(scope="module", autouse=True)
def _clean() -> Iterator[None]:
    yield
    saved.cache_clear()
    direct.cache_clear()


def seen(plan: Plan) -> float:
    """Largest exact relative rms error of a model over some t."""
    model, worst = build(plan), 0.0
    for t in np.geomspace(plan.t_min, plan.t_max, 9):
        exact = oracle.ExactError(plan.gp, t)
        with torch.no_grad():
            inputs = torch.as_tensor(exact.inputs.astype(plan.dtype))
            worst = max(worst, exact(model(inputs, t).double().numpy()))
    return worst


# --- certificates


@every_regime
def test_the_rate_of_a_preconditioned_plan_is_what_is_seen(
    kernel: Any, record_property: Any
) -> None:
    gp = GaussianProcess(kernel, 12, SPATIAL)
    plan = make_plan(gp, method="preconditioned", tol=1e-3, t_min=0.05)
    bound, found = certify(plan), seen(plan)
    record_property("certificate/measured", bound.bound / found)
    assert found <= bound.bound <= plan.tol
    # interpolation may cost a hundredth of tol, and t is not sampled finely
    assert bound.terms["rate"] <= 2 * found + 0.02 * plan.tol
    assert set(bound.terms) == {"rate", "truncation", "eigenvectors", "rounding"}
    assert "preconditioned_analytic" in bound.lemmas


@every_regime
def test_a_direct_plan_is_charged_for_its_eigenvectors_and_its_rest(kernel: Any) -> None:
    plan = make_plan(GaussianProcess(kernel, 12, SPATIAL), method="spectral", t_min=0.05, tol=1e-4)
    for modes in (12, 5, 1):
        fewer = fewer_modes(plan, modes)
        bound, found = certify(fewer), seen(fewer)
        assert found <= bound.bound
        assert bound.terms["rounding"] + bound.terms["eigenvectors"] < 1e-9
        assert (bound.terms["rate"] == 0) is (modes == 12)
        assert bound.terms["rate"] <= fewer.modes.bound(np.linalg.eigvalsh(SPATIAL), 0.05) + 1e-9


@every_regime
def test_the_remainder_of_a_single_channel_is_attained(kernel: Any) -> None:
    """With no mode kept but one, nearly all of the error is at the ends of the spectrum."""
    plan = make_plan(GaussianProcess(kernel, 3, [[1.0]]), method="spectral", t_min=0.05, tol=1e-4)
    fewer = fewer_modes(plan, 1)
    assert certify(fewer).terms["rate"] <= 2 * seen(fewer)


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("method", ["preconditioned", "spectral"])
def test_smallest_sequences(frames: int, method: str) -> None:
    gp = GaussianProcess(Exponential(2.0), frames, [[2.0]], np.full((frames, 1), 3.0))
    plan = make_plan(gp, method=method, tol=1e-3)
    assert seen(plan) <= certify(plan).bound <= plan.tol


def test_one_step_too_few_is_refused() -> None:
    plan = make_plan(GP, method="preconditioned", **EASY)
    assert plan.preconditioner is not None
    fewer = replace(plan.preconditioner, roots=plan.preconditioner.roots[:-1])
    with pytest.raises(CertificateError, match="most of it rate"):
        certify(replace(plan, preconditioner=fewer, depth=plan.depth - 1))


def test_heads_of_the_residual_that_leave_something_are_charged() -> None:
    gp = GaussianProcess(Exponential(1.0), 12, SPATIAL)
    whole = make_plan(gp, method="preconditioned", attention="relu", tol=0.05, t_min=0.3)
    narrow = make_plan(
        gp, method="preconditioned", attention="relu", bandwidth=5, tol=0.05, t_min=0.3
    )
    assert certify(whole).terms["truncation"] < certify(narrow).terms["truncation"]
    assert seen(narrow) <= certify(narrow).bound


def test_a_longer_range_of_t_is_not_covered() -> None:
    plan = make_plan(GP, method="preconditioned", tol=1e-6, t_min=0.1)
    with pytest.raises(CertificateError, match="rate"):
        certify(replace(plan, t_min=0.05))


def test_long_sequences_say_how_long_they_would_take() -> None:
    plan = make_plan(GP, method="preconditioned", **EASY)
    long = GaussianProcess(GP.kernel, 2 * MOST_FRAMES, GP.spatial_cov)
    with pytest.raises(CertificateError, match=r"frames=2048: .* up to 1024 .* 40 minutes"):
        certify(replace(plan, gp=long))


def test_float32_with_its_rounding() -> None:
    options = {"dtype": "float32", "tol": 0.05, "t_min": 0.3}
    for method in ("preconditioned", "spectral"):
        plan = make_plan(GP, method=method, **options)
        bound = certify(plan)
        assert seen(plan) <= bound.bound
        assert bound.terms["rounding"] > 1e-6  # the bound is no formality here


# --- clean models


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("attention", ["softmax", "relu", "fourier"])
def test_clean_preconditioned_models_pass(attention: str, activation: str) -> None:
    folder = preconditioned(attention=attention, activation=activation)
    found, planned = audit(folder), certify(load(folder).plan)
    assert measured(folder) <= found.bound <= found.tol
    assert found.terms["rate"] == pytest.approx(planned.terms["rate"], rel=1e-9)
    # counted for these weights, not for any that a plan might compile to
    assert 0.2 * planned.terms["rounding"] <= found.terms["rounding"] <= planned.terms["rounding"]
    assert found.terms["weights"] < 1e-11


@pytest.mark.parametrize("modes", [None, 2])
def test_clean_direct_models_pass(modes: int | None) -> None:
    folder = direct(modes)
    found, planned = audit(folder), certify(load(folder).plan)
    assert measured(folder) <= found.bound <= found.tol
    assert found.terms["rate"] == pytest.approx(planned.terms["rate"], rel=1e-9, abs=1e-15)
    assert 0.2 * planned.terms["rounding"] <= found.terms["rounding"]
    assert found.terms["rounding"] <= 1.1 * planned.terms["rounding"]
    assert found.terms["weights"] < 1e-11


def test_clean_float32_models_pass() -> None:
    options = {"dtype": "float32", "tol": 0.05, "t_min": 0.3}
    assert check_soundness(preconditioned(**options))
    assert check_soundness(direct(**options))


def test_models_without_a_mean_pass() -> None:
    gp = GaussianProcess(Polynomial(3.0, 2.0), 7, SPATIAL)
    for method in ("preconditioned", "spectral"):
        assert check_soundness(saved(gp, method=method))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans of both methods; what the planner refuses is drawn anew."""
    frames, channels = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    gp = GaussianProcess(draw(our.kernels(9)), frames, draw(our.spatial_covs(channels, 30.0)), None)
    options = {
        "method": draw(st.sampled_from(["preconditioned", "spectral"])),
        "tol": draw(our.log_uniform(1e-6, 0.3)),
        "t_min": draw(our.log_uniform(0.02, 0.5)),
        "activation": draw(st.sampled_from(["relu", "silu"])),
    }
    if options["method"] == "preconditioned":
        options["attention"] = draw(st.sampled_from(["softmax", "fourier"]))
    try:
        return make_plan(gp, **options)
    except ArgumentError:
        reject()


def check_plan(plan: Plan) -> None:
    with tempfile.TemporaryDirectory() as place:
        build(plan).save(Path(place) / "model")
        try:
            certify(plan)
        except CertificateError as refused:
            event("rounding" if "rounding" in str(refused) else str(refused))
        event("passed" if check_soundness(Path(place) / "model") else "refused")


@settings(max_examples=12)
@given(plans())
def test_drawn_models_are_as_good_as_their_bound(plan: Plan) -> None:
    check_plan(plan)


@pytest.mark.slow
@settings(max_examples=150)
@given(plans())
def test_many_drawn_models_are_as_good_as_their_bound(plan: Plan) -> None:
    check_plan(plan)


# --- one tensor perturbed

PRECONDITIONED = {
    "blocks.4.attention.relative_bias": "block 4, attention patterns",
    "blocks.4.attention.value": "block 4, attention.value",
    "blocks.4.attention.output": "block 4, attention.output",
    "blocks.4.modulation.attention_gate": "block 4, modulation.attention_gate",
    "blocks.4.modulation.feed_forward_scale": "block 4, modulation.feed_forward_scale",
    "blocks.4.feed_forward.up": "block 4: feed_forward unit",
    "blocks.4.feed_forward.down_bias": "block 4: feed_forward.down_bias",
    "blocks.5.attention.turns": "block 5, attention.turns",
    "blocks.5.attention.amplitude": "block 5, attention.amplitude",
    "blocks.5.attention.poles": "block 5, attention.poles",
    "blocks.5.attention.value": "block 5, attention.value",
    "blocks.5.attention.output": "block 5, attention.output",
    "blocks.5.modulation.attention_scale": "block 5, modulation.attention_scale",
    "blocks.5.modulation.attention_gate": "block 5, modulation.attention_gate",
    "blocks.3.modulation.feed_forward_scale": "block 3, modulation.feed_forward_scale",
    "blocks.5.feed_forward.down": "block 5: feed_forward unit",
    "embed": "embed",
    "readout": "readout",
    "position": "position (mean)",
    "time.spatial": "time.spatial",
    "time.steps": "time.steps",
    "time.log_range": "time.steps, time.log_range",
}
DIRECT = {
    "blocks.0.attention.query": "attention.query",
    "blocks.0.attention.key": "attention.key",
    "blocks.0.attention.amplitude": "attention.amplitude",
    "blocks.0.attention.poles": "attention.poles",
    "blocks.0.attention.value": "attention.value",
    "blocks.0.attention.output": "attention.output",
    "blocks.0.modulation.attention_scale": "modulation.attention_scale",
    "blocks.0.modulation.attention_gate": "modulation.attention_gate",
    "embed": "embed",
    "readout": "readout",
}
FLOOR = {
    "blocks.0.attention.baseline": "attention.baseline",
    "blocks.0.modulation.feed_forward_scale": "modulation.feed_forward_scale",
    "blocks.0.feed_forward.up": "feed_forward unit",
    "time.baseline": "time.baseline",
}


@pytest.mark.parametrize("name", PRECONDITIONED)
def test_one_entry_of_a_preconditioned_model_is_found(name: str) -> None:
    folder = preconditioned()
    assert len(read_saved(folder).architecture["blocks"]) == 6
    message = refusal(
        folder, nudge(name, {"turns": -0.02, "log_range": 1.0}.get(name.rpartition(".")[2], 0.02))
    )
    assert PRECONDITIONED[name] in message, message


@pytest.mark.parametrize("name", DIRECT)
def test_one_entry_of_a_direct_model_is_found(name: str) -> None:
    message = refusal(direct(), nudge(name, 0.02))
    assert DIRECT[name] in message, message


@pytest.mark.parametrize("group", ["modes", "mean"])
def test_positions_of_a_direct_model_are_checked(group: str) -> None:
    folder = direct()
    channel = read_saved(folder).channels[group].start

    def edit(tensors: Tensors) -> None:
        tensors["position"][1, channel] += 0.02

    message = refusal(folder, edit)
    assert f"position ({group})" in message, message


@pytest.mark.parametrize("name", FLOOR)
def test_one_entry_of_a_direct_model_with_fewer_modes_is_found(name: str) -> None:
    folder = direct(2)
    promise = audit(folder).bound * 1.001
    edit = nudge(name, 1.0 if name.startswith("time") else 0.02)
    message = refusal(folder, edit, change("plan.tol", promise))
    assert FLOOR[name] in message, message


def test_parts_that_do_not_belong_are_refused() -> None:
    folder, other = preconditioned(), direct()

    def stray(name: str, group: str, at: str) -> Callable[[Tensors], None]:
        channel = read_saved(at).channels[group].start  # type: ignore[arg-type]

        def edit(tensors: Tensors) -> None:
            array = tensors[name]
            array[(channel, 0) if name.endswith("value") else (0, channel)] = 1e-9

        return edit

    for name, group, words in (
        ("blocks.0.attention.value", "v", "block 0: attention.value reads v[0]"),
        ("blocks.1.attention.value", "s", "block 1: attention.value reads s[0]"),
        ("blocks.1.attention.output", "r", "block 1: attention.output writes to r[0]"),
        ("blocks.1.modulation.attention_gate", "v", "modulation.attention_gate acts on v[0]"),
        ("blocks.1.modulation.feed_forward_scale", "s", "feed_forward_scale acts on s[0]"),
        ("position", "s", "position: uses s[0]"),
        ("embed", "r", "embed: uses r[0]"),
    ):
        assert words in refusal(folder, stray(name, group, folder)), words  # type: ignore[arg-type]
    for name, group, words in (
        ("blocks.0.attention.value", "modes", "attention.value reads modes[0]"),
        ("blocks.0.attention.output", "v", "attention.output writes to v[0]"),
        ("embed", "modes", "embed: uses modes[0]"),
    ):
        assert words in refusal(other, stray(name, group, other)), words  # type: ignore[arg-type]


def test_swapped_blocks_listen_to_the_wrong_step() -> None:
    def edit(tensors: Tensors) -> None:
        for name in [n for n in tensors if n.startswith("blocks.1.")]:
            twin = name.replace("blocks.1.", "blocks.5.")
            tensors[name], tensors[twin] = tensors[twin], tensors[name]

    message = refusal(preconditioned(), edit)
    assert "modulation.attention_gate: it listens to the time features of step" in message


def test_other_orders_of_heads_are_other_models() -> None:
    def edit(tensors: Tensors) -> None:
        for name in ("amplitude", "turns", "poles"):
            tensors[f"blocks.5.attention.{name}"] = tensors[f"blocks.5.attention.{name}"][::-1]

    message = refusal(preconditioned(), edit)
    assert "block 5, attention." in message


@pytest.mark.parametrize("value", [1e300, -1e300, 2.0**60])
@pytest.mark.parametrize(
    "name", ["attention.poles", "attention.amplitude", "attention.turns", "attention.value"]
)
def test_absurd_weights_are_refused_without_warnings(name: str, value: float) -> None:
    def edit(tensors: Tensors) -> None:
        array = tensors[f"blocks.5.{name}"]
        array[largest(array)] = value

    assert "block 5" in refusal(preconditioned(), edit)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("plan.problem.kernel.length_scale", 3.01, "attention"),
        ("plan.problem.spatial_cov", [[1.0, 0.2], [0.2, 0.6]], "embed"),
        ("plan.preconditioner.symbol", lambda f: [2 * x for x in f], "attention.poles|rate"),
        ("plan.preconditioner.period", 32, "symbol"),
        ("plan.preconditioner.roots", [[1.0]], "architecture.time_terms"),
        ("plan.depth", 2, "architecture.time_steps"),
        ("plan.tol", 1e-9, "exceeds tol"),
        ("plan.t_min", 0.02, "rate"),
        ("architecture.kinds.correction.attention.gated", False, "gated=False"),
        ("architecture.kinds.correction.attention.sinusoids", False, "sinusoids=False"),
        ("architecture.kinds.residual", {}, "architecture.kinds.residual"),
        ("architecture.time_steps", 1, "architecture.time_steps=1"),
    ],
)
def test_edited_descriptions_are_refused(path: str, value: Any, words: str) -> None:
    import re

    message = refusal(preconditioned(), None, change(path, value))
    assert re.search(words, message), message


def test_a_plan_is_not_trusted_with_the_eigenvalues() -> None:
    """Poles are compared with what the vectors say, not with the plan's."""
    folder = direct()
    with tampered(
        folder, None, change("plan.modes.values", lambda x: [1.01 * v for v in x])
    ) as copy:
        assert audit(copy).terms == audit(folder).terms


# --- whatever is done to the weights


@st.composite
def tamperings(draw: st.DrawFn) -> tuple[Path, Callable[[Tensors], None]]:
    """A model, and one or two changes: an entry, a tensor, tiny to large."""
    options = {"tol": 1e-2, "t_min": 0.1}
    folder = draw(
        st.sampled_from([preconditioned(**options), direct(**options), direct(2, **options)])
    )
    names = sorted(read_saved(folder).tensors)
    names = [n for n in names if not n.endswith("listen")]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    changes = []
    for _ in range(draw(st.integers(1, 2))):
        size = draw(our.log_uniform(1e-12, 0.3)) * draw(st.sampled_from([-1.0, 1.0]))
        kind = draw(st.sampled_from(["entry", "used", "scale", "everywhere"]))
        changes.append((draw(st.sampled_from(names)), size, kind))

    def edit(tensors: Tensors) -> None:
        for name, size, kind in changes:
            tail = name.split(".", 2)[-1]
            chosen = [n for n in tensors if n.endswith(tail)] if kind == "everywhere" else [name]
            for one in chosen:
                array = tensors[one]
                if kind == "entry":
                    array[largest(array)] += size
                elif kind == "used":
                    array += size * rng.standard_normal(array.shape) * (array != 0)
                else:
                    array *= 1 + size

    return folder, edit


def check_tampering(case: tuple[Path, Callable[[Tensors], None]]) -> None:
    with tampered(*case) as copy:
        try:
            passed = check_soundness(copy)
        except ArgumentError:
            passed = False
        event("passed" if passed else "refused")


@settings(max_examples=25)
@given(tamperings())
def test_what_passes_is_as_good_as_its_bound(
    case: tuple[Path, Callable[[Tensors], None]],
) -> None:
    check_tampering(case)


@pytest.mark.slow
@settings(max_examples=400)
@given(tamperings())
def test_what_passes_is_as_good_as_its_bound_in_four_hundred_cases(
    case: tuple[Path, Callable[[Tensors], None]],
) -> None:
    check_tampering(case)
