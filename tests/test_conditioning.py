"""Models whose gates come from a network of t: the four links, certificate, audit, tampering."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import gate_plans as ours
import numpy as np
import plan_oracles as oracle
import pytest
import tolerances as tol
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from constructions import blocks, build, compile_plan, load, verify
from proofs_check import CertificateError, audit, certify
from unroll import ArgumentError, Exponential, GaussianProcess, Logarithmic, Plan, Polynomial
from unroll.gate_network import GateNetwork

SPATIAL = np.array([[1.0, 0.3], [0.3, 0.6]])
MEAN = np.linspace(-1.0, 2.0, 12).reshape(6, 2)
KERNELS = {
    "exponential": Exponential(4.0),
    "polynomial": Polynomial(4.0, 2.0),
    "logarithmic": Logarithmic(4.0, 1.0),
}
GP = GaussianProcess(KERNELS["polynomial"], 6, SPATIAL, MEAN)
where = st.floats(0, 1)


@cache
def plan_of(
    regime: str = "polynomial", tol: float = 1e-4, mean: bool = True, **options: Any
) -> Plan:
    gp = GaussianProcess(KERNELS[regime], 6, SPATIAL, MEAN if mean else None)
    return ours.network_plan(gp, tol, **{"t_min": 0.05, **options})


def time_at(plan: Plan, place: float) -> float:
    inside = plan.t_min * (plan.t_max / plan.t_min) ** place
    return min(max(inside, plan.t_min), plan.t_max)


def outputs(plan: Plan, inputs: np.ndarray, t: float) -> np.ndarray:
    with torch.no_grad():
        return build(plan)(torch.as_tensor(inputs.astype(plan.dtype)), t).double().numpy()


# --- link 1: torch against numpy, features and whole models


@settings(max_examples=10)
@given(ours.network_plans(), where)
def test_torch_and_numpy_agree(plan: Plan, place: float) -> None:
    t = time_at(plan, place)
    sampled = oracle.SampledError(plan.gp, t, 4)
    twin = blocks.forward(compile_plan(plan), sampled.inputs, np.full(4, t))
    mean = math.exp(-t / 2) * np.linalg.norm(plan.gp.mean) / np.linalg.norm(sampled.scores[0])
    slope = np.abs(compile_plan(plan).blocks[0].attention.output).max()  # type: ignore[union-attr]
    allowed = tol.LINK_ONE * tol.EPS * plan.depth * max(1.0, slope) * (1 + mean)
    assert sampled.distance(outputs(plan, sampled.inputs, t), twin) <= allowed


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", ["relu", "silu", "gelu", "gelu_tanh"])
def test_features_are_those_of_the_network(activation: str, dtype: str) -> None:
    """In float64 whatever the model's precision, and rounded once."""
    plan = plan_of(tol=1e-2, activation=activation, dtype=dtype)
    assert plan.conditioning is not None
    model, t = build(plan), np.linspace(plan.t_min, plan.t_max, 50)
    with torch.no_grad():
        found = model.time(torch.as_tensor(t), model.embed.dtype).features.numpy()
    assert found.dtype == plan.dtype
    nodes = np.array([*plan.conditioning.knots, plan.t_max])
    slopes, knots = np.array(plan.conditioning.slopes), nodes[:-1]
    lines = np.array(plan.conditioning.offset) + np.maximum(t[:, None] - knots, 0) @ slopes
    eps = float(np.finfo(dtype).eps)
    slack = plan.conditioning.imprecision(t) + eps * np.abs(lines)
    assert (found[:, 0] == 1).all()
    assert (np.abs(found[:, 1:] - lines) <= slack).all()
    assert model.time.up.dtype == torch.float64


# --- links 2 and 3: blocks against the iteration, the iteration against the closed form


@settings(max_examples=10)
@given(ours.network_plans(), where)
def test_blocks_are_the_iteration(plan: Plan, place: float) -> None:
    t = time_at(plan, place)
    sampled = oracle.SampledError(plan.gp, t, 8)
    twin = blocks.forward(compile_plan(plan), sampled.inputs, np.full(8, t))
    *_, last = plan.run(sampled.inputs, t)
    assert sampled.distance(twin, last) <= plan.budget.rounding


@settings(max_examples=8)
@given(ours.network_plans(), where)
def test_the_iteration_is_off_by_rate_truncation_and_conditioning(plan: Plan, place: float) -> None:
    t, budget = time_at(plan, place), plan.budget
    exact = oracle.ExactError(plan.gp, t)
    *_, last = plan.run(exact.inputs, t)
    scaled = plan.scaled_spectrum
    offset = np.linalg.norm(math.exp(-t / 2) * plan.gp.mean) / exact.norm
    rounding = tol.iteration(scaled.upper / scaled.lower) * plan.gp.frames * (1 + offset)
    assert exact(last) <= budget.rate + budget.truncation + budget.conditioning + rounding


# --- link 4: the model against the closed form


@settings(max_examples=8)
@given(ours.network_plans(), where)
def test_measured_is_below_budget_is_below_tol(plan: Plan, place: float) -> None:
    t = time_at(plan, place)
    exact = oracle.ExactError(plan.gp, t)
    assert exact(outputs(plan, exact.inputs, t)) <= plan.budget.total <= plan.tol


@settings(max_examples=10)
@given(ours.network_plans(dtype="float32"), where)
def test_float32_keeps_the_promise(plan: Plan, place: float) -> None:
    t = time_at(plan, place)
    sampled = oracle.SampledError(plan.gp, t)
    assert sampled(outputs(plan, sampled.inputs, t)) <= plan.tol


@pytest.mark.parametrize("method", ["gradient", "neumann", "chebyshev"])
@pytest.mark.parametrize("regime", KERNELS)
def test_every_regime_and_method(regime: str, method: str) -> None:
    plan = plan_of(regime, 1e-4, method=method, t_min=0.05 if method == "chebyshev" else 0.3)
    verification = verify(build(plan))
    assert verification.passed, verification.first_divergence
    bound = certify(plan).bound
    assert verification.worst <= bound <= plan.tol
    assert bound == pytest.approx(plan.budget.total, rel=1e-3)


def test_the_network_alone_is_charged() -> None:
    """Deep enough, the rate is gone: what is left is the network, and within its share."""
    shallow = plan_of(tol=1e-4)
    plan = replace(shallow, depth=3 * shallow.depth)
    model, worst = build(plan), 0.0
    for t in np.linspace(plan.t_min, 0.7, 25):
        exact = oracle.ExactError(plan.gp, float(t))
        with torch.no_grad():
            worst = max(worst, exact(model(torch.as_tensor(exact.inputs), float(t)).numpy()))
    assert 0.01 * plan.budget.conditioning <= worst <= plan.budget.conditioning


def test_shorter_sequences_are_served() -> None:
    plan = plan_of(tol=1e-3)
    model, rng = build(plan), np.random.default_rng(0)
    for frames in (1, 3, 6):
        gp = GaussianProcess(plan.gp.kernel, frames, SPATIAL, MEAN[:frames])
        for t in (plan.t_min, 0.4, plan.t_max):
            v = gp.sample_noisy(200, t, rng)
            with torch.no_grad():
                scores = model.score_sequences([torch.as_tensor(x) for x in v], t)
            exact = gp.score(v, t)
            error = np.linalg.norm(np.stack([s.numpy() for s in scores]) - exact)
            assert error <= plan.tol * np.linalg.norm(exact)


def test_time_may_be_differentiated() -> None:
    model = build(plan_of(tol=1e-3, mean=False))
    t = torch.tensor(0.31, dtype=torch.float64, requires_grad=True)
    v = torch.as_tensor(GP.sample_noisy(1, 0.31, rng=0))
    model(v, t).sum().backward()
    assert t.grad is not None
    h = 1e-7
    with torch.no_grad():
        secant = (model(v, 0.31 + h).sum() - model(v, 0.31 - h).sum()) / (2 * h)
    assert float(t.grad) == pytest.approx(float(secant), rel=1e-4)


# --- certificate


@settings(max_examples=6)
@given(ours.network_plans())
def test_certificates_close(plan: Plan) -> None:
    certificate = certify(plan)
    assert plan.budget.conditioning == pytest.approx(
        certificate.terms["conditioning"], rel=1e-2, abs=1e-14
    )
    assert {"interpolation", "scaled_gates"} <= set(certificate.lemmas)


def test_a_plan_whose_network_is_off_gets_no_certificate() -> None:
    plan = plan_of(tol=1e-4)
    network = plan.conditioning
    assert network is not None
    bent = (*network.slopes[0][:2], network.slopes[0][2] * 1.001, network.slopes[0][3])
    broken = replace(network, slopes=(bent, *network.slopes[1:]))
    with pytest.raises(CertificateError, match="conditioning"):
        certify(replace(plan, conditioning=broken))


# --- the saved file


@cache
def saved(folder: Path, **options: Any) -> Path:
    path = folder / f"model-{len(list(folder.iterdir()))}"
    build(plan_of(**options)).save(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("conditioning")


@pytest.mark.parametrize("attention", ["softmax", "relu"])
@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_saved_models_pass(folder: Path, activation: str, attention: str) -> None:
    path = saved(folder, activation=activation, attention=attention)
    certificate = audit(path)
    assert certificate.bound <= certificate.tol
    assert certificate.terms["conditioning"] == pytest.approx(
        certify(load(path).plan).terms["conditioning"], rel=1e-9
    )
    again = load(path)
    assert again.plan.to_dict() == plan_of(activation=activation, attention=attention).to_dict()
    assert verify(again).passed


Tensors = dict[str, np.ndarray]


def _times(name: str, factor: float, *place: int) -> Callable[[Tensors], None]:
    def change(tensors: Tensors) -> None:
        tensors[name][place] *= factor

    return change


TAMPERINGS: dict[str, tuple[Callable[[Tensors], None], str]] = {
    "a knot": (_times("time.up_bias", 1.05, 9), "time.up_bias, time.down"),
    "a slope": (_times("time.down", 1.2, 9, 3), "time.down"),
    "the first slope": (_times("time.down", 1.01, 0, 2), "time.down"),
    "an offset": (_times("time.down_bias", 1.001, 2), "time.down"),
    "the offset of the mean": (_times("time.down_bias", 1.01, 1), "time.down"),
    "one unit's scale": (_times("time.up", 2.0, 3), "time.up"),
    "all gates": (lambda t: t["time.down_bias"].__imul__(0.5), "time.down"),
    "a gate": (_times("blocks.3.modulation.attention_gate", 1.01), "modulation.attention_gate"),
    "a scale": (
        _times("blocks.3.modulation.feed_forward_scale", 0.99),
        "modulation.feed_forward_scale",
    ),
    "no number": (_times("time.down", math.nan, 4, 1), "NaN"),
    "the order": (lambda t: t.update({"time.up_bias": t["time.up_bias"][::-1].copy()}), "ascend"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_refused_by_name(folder: Path, tmp_path: Path, name: str) -> None:
    path = Path(shutil.copytree(saved(folder), tmp_path / "broken"))
    change, words = TAMPERINGS[name]
    tensors = load_file(path / "model.safetensors")
    change(tensors)
    save_file(tensors, path / "model.safetensors")
    with pytest.raises(CertificateError, match=words):
        audit(path)


def test_what_does_no_harm_passes(folder: Path, tmp_path: Path) -> None:
    """A slope in its last digits, or twice the scale of all hinges: the bound says how much."""
    path = Path(shutil.copytree(saved(folder), tmp_path / "moved"))
    tensors = load_file(path / "model.safetensors")
    tensors["time.down"][9, 3] *= 1 + 1e-9
    for name, factor in (("up", 2.0), ("up_bias", 2.0), ("down", 0.5)):
        tensors[f"time.{name}"] *= factor
    save_file(tensors, path / "model.safetensors")
    assert audit(path).bound <= plan_of().tol


def test_the_audit_bounds_what_is_measured(tmp_path: Path) -> None:
    """Between sound and refused: a knot moved a little is still within a certified bound."""
    plan = plan_of(mean=False)
    build(replace(plan, depth=2 * plan.depth)).save(tmp_path / "model")
    tensors = load_file(tmp_path / "model" / "model.safetensors")
    before = audit(tmp_path / "model").terms["conditioning"]
    tensors["time.up_bias"][9] *= 1 + 2e-3
    save_file(tensors, tmp_path / "model" / "model.safetensors")
    certificate = audit(tmp_path / "model")
    assert certificate.terms["conditioning"] > 1.2 * before
    model, worst = load(tmp_path / "model"), 0.0
    for t in np.linspace(0.2, 1.5, 40):
        exact = oracle.ExactError(model.plan.gp, float(t))
        with torch.no_grad():
            worst = max(worst, exact(model(torch.as_tensor(exact.inputs), float(t)).numpy()))
    assert 0.1 * certificate.bound <= worst <= certificate.bound


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("architecture", {"conditioning": "exact"}, "conditioning"),
        ("architecture", {"conditioning": "magic"}, "conditioning"),
        ("architecture", {"time_hidden": 0}, "time_hidden"),
        ("architecture", {"time_hidden": 3}, "time_hidden"),
        ("plan", {"conditioning": None}, "conditioning|listens|time_steps"),
        ("plan", {"conditioning": {"knots": [0.05]}}, "conditioning"),
    ],
)
def test_descriptions_that_do_not_fit_are_refused(
    folder: Path, tmp_path: Path, part: str, change: dict[str, Any], words: str
) -> None:
    path = Path(shutil.copytree(saved(folder), tmp_path / "edited"))
    description = json.loads((path / "model.json").read_text())
    description[part] |= change
    (path / "model.json").write_text(json.dumps(description))
    for read in (load, audit):
        with pytest.raises((ArgumentError, CertificateError), match=words):
            read(path)


@pytest.mark.parametrize(
    ("change", "condition"),
    [
        (lambda n: replace(n, knots=(0.01, *n.knots[1:])), "t_min"),
        (lambda n: replace(n, knots=(*n.knots[:-1], 7.0)), "t_max"),
        (lambda n: replace(n, activation="silu"), "activation"),
        (lambda n: GateNetwork(n.knots, tuple(r[:3] for r in n.slopes), n.offset[:3]), "outputs"),
        (lambda n: replace(n, offset=(1.0, 1.0, -9.0, 0.0)), "greater than 0"),
    ],
)
def test_plans_refuse_networks_that_do_not_fit(
    change: Callable[[GateNetwork], GateNetwork], condition: str
) -> None:
    plan = plan_of()
    assert plan.conditioning is not None
    with pytest.raises(ArgumentError, match=condition) as caught:
        replace(plan, conditioning=change(plan.conditioning))
    assert caught.value.argument.startswith("conditioning")
