"""The paper's model as a transformer: no gates, every weight counts, saved and verified."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import plan_oracles as oracle
import pytest
import tolerances as tol
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions import UnrolledTransformer, blocks, build, load, verify
from constructions.architecture import Architecture, AttentionShape, BlockShape
from constructions.modules import Transformer
from constructions.weights import Weights
from unroll import Exponential, GaussianProcess
from unroll.paper import plan_paper

SPATIAL = np.array([[1.0, 0.3], [0.3, 0.5]])
MEAN = np.random.default_rng(0).standard_normal((5, 2))
GP = GaussianProcess(Exponential(1.0), 5, SPATIAL, MEAN)
PLAN = plan_paper(GP, tol=0.1, t_min=0.5, t_max=5.0)
FEW = {"times": [0.5, 1.0, 5.0], "samples": 2}


def small_model(dtype: str = "float64") -> UnrolledTransformer:
    if dtype == "float64":
        return build(PLAN)
    return build(plan_paper(GP, tol=0.2, t_min=0.5, t_max=5.0, dtype=dtype))


def weights_of(model: UnrolledTransformer) -> list[str]:
    """Tensors whose entries are real numbers."""
    return [name for name, x in model.state_dict().items() if x.is_floating_point()]


# --- faithful


def test_there_are_no_gates_and_heads_have_no_biases() -> None:
    model = small_model()
    assert not any("modulation" in name for name in model.state_dict())
    for name, tensor in model.state_dict().items():
        if name.endswith(("query_bias", "key_bias", "down_bias")):
            assert not tensor.any()


def test_a_token_is_what_the_paper_says() -> None:
    """[v; s; buffers; e_i; phi(t); 1] after the embedding."""
    model, t = small_model(), 0.7
    v = torch.as_tensor(GP.sample_noisy(1, t, rng=0))
    first = next(blocks.run(model.weights(), v.numpy(), np.array([t])))
    token = {name: first[0, :, model.stream[name]] for name in model.stream}
    assert np.array_equal(token["v"], v[0].numpy())
    for name in ("s", "mixed", "gradient", "plus", "minus"):
        assert not token[name].any()
    lower, upper = PLAN.spectrum.lower, PLAN.spectrum.upper
    a = math.exp(-t)
    phi = {
        "eta": 2 / (a * (lower + upper) + 2 * (1 - a)),
        "alpha": math.exp(-t / 2),
        "alpha_sq": a,
        "sigma_sq": 1 - a,
    }
    for name, value in phi.items():
        assert token[name] == pytest.approx(value, rel=tol.FORMULA)
    angles = 2 * math.pi * np.arange(5) / 10
    circle = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    assert token["position"] == pytest.approx(circle, abs=tol.FORMULA)
    assert np.all(token["one"] == 1)


def test_four_heads_a_lag_carry_the_band() -> None:
    model = small_model()
    mix = model.architecture.blocks.index("mix")
    assert model.architecture.heads == 4 * (PLAN.bandwidth + 1)  # type: ignore[operator]
    written = model.weights().blocks[mix].attention.output[:, 0, model.stream["mixed"]][:, 0]
    patterns = [model.attention_matrix(mix, head) for head in range(model.architecture.heads)]
    carried = np.einsum("h,hij->ij", written, patterns)
    lags = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    expected = np.where(lags <= PLAN.bandwidth, np.exp(-lags / 1.0), 0.0)  # type: ignore[operator]
    assert carried == pytest.approx(expected, abs=1e-12)


def test_one_step_written_out() -> None:
    """The first step by hand: s_1 = -eta (v - alpha M) by products, and its residual buffers."""
    model, t = small_model(), 0.5
    v = torch.as_tensor(GP.sample_noisy(3, t, rng=0))
    traced = model.trace(v, t, "blocks.*.stream")
    first = model.architecture.blocks.index("step_last")
    after = traced[f"blocks.{first}.stream"]
    for name in ("mixed", "gradient", "plus", "minus"):
        assert not model.read(after, name).any()
    centred = v.numpy() - math.exp(-t / 2) * MEAN
    lower, upper = PLAN.spectrum.noisy(t)
    products = PLAN.products
    assert products is not None
    allowed = products.eta * products.alpha * products.mean * 4.0 ** (
        -products.mean_levels - 1
    ) + products.eta * products.gradient * 4.0 ** (-products.levels - 1)
    s = model.read(after, "s").numpy()
    assert np.abs(s + 2 / (lower + upper) * centred).max() <= allowed * (1 + 1e-9)


# --- every weight counts


def test_random_weights_give_a_wrong_score() -> None:
    model, sampled = small_model(), oracle.SampledError(GP, 0.7)
    inputs = torch.as_tensor(sampled.inputs)
    with torch.no_grad():
        right = sampled(model(inputs, 0.7).numpy())
        generator = torch.Generator().manual_seed(0)
        for name, parameter in model.named_parameters():
            if name not in ("time.spectrum", "radius"):
                scale = float(parameter.abs().max()) or 1.0
                parameter.copy_(scale * torch.randn(parameter.shape, generator=generator).double())
        wrong = sampled(model(inputs, 0.7).numpy())
    assert right <= 0.1
    assert not wrong <= 0.5


@pytest.mark.parametrize("name", ["time_embed", "position", "embed", "readout", "radius"])
def test_the_score_is_nowhere_but_in_the_weights(name: str) -> None:
    model, sampled = small_model(), oracle.SampledError(GP, 0.7)
    with torch.no_grad():
        model.get_parameter(name).mul_(0.01)
        assert sampled(model(torch.as_tensor(sampled.inputs), 0.7).numpy()) > 0.3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_verify_passes(dtype: str) -> None:
    model = small_model(dtype)
    report = verify(model)
    assert report.passed, report.first_divergence
    assert report.block_deviation.shape == (model.plan.depth,)


def test_verify_passes_for_a_single_number() -> None:
    """Whose score may happen to be close to zero, where errors of products are not."""
    gp = GaussianProcess(Exponential(1.0), 1, [[1.0]], [[2.0]])
    for seed in range(10):
        model = build(plan_paper(gp, tol=0.1, t_min=0.5, t_max=5.0))
        report = verify(model, rng=seed, samples=200, times=[0.5, 5.0])
        assert report.first_divergence is None


SHARED = small_model()


@settings(max_examples=25)
@given(st.data())
def test_one_changed_weight_is_noticed(data: st.DataObject) -> None:
    """By a thousandth of itself, or of the largest of its tensor: the tensor is named."""
    name = data.draw(st.sampled_from(weights_of(SHARED)))
    tensor = SHARED.state_dict()[name]
    entry = data.draw(st.integers(0, tensor.numel() - 1))
    before = tensor.clone()
    with torch.no_grad():
        flat = tensor.view(-1)
        flat[entry] += 1e-3 * (abs(float(flat[entry])) or float(flat.abs().max()) or 1.0)
        report = verify(SHARED, **FEW)  # type: ignore[arg-type]
        tensor.copy_(before)
    assert not report.passed
    assert report.first_divergence is not None
    assert name in report.first_divergence


@pytest.mark.parametrize("kind", ["mix", "scale_split", "scale_tooth", "step_tooth", "step_last"])
def test_a_randomised_block_is_named(kind: str) -> None:
    """The block that completes its step leaves its reference; the tensor is its own."""
    model = small_model()
    finished = [k for k, name in enumerate(model.architecture.blocks) if name == "step_last"]
    # of the second step: the first starts from zero, which hides attention
    start = finished[0] + 1
    block = start + list(model.architecture.blocks[start:]).index(kind)
    part = model.blocks[block].attention if kind == "mix" else model.blocks[block].feed_forward
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        weight = part.value if kind == "mix" else part.down
        weight.copy_(float(weight.abs().max()) * torch.randn(weight.shape, generator=generator))
    report = verify(model, **FEW)  # type: ignore[arg-type]
    assert report.first_divergence is not None
    assert report.first_divergence.startswith(f"block {finished[1]} leaves its reference")
    assert f"blocks.{block}." in report.first_divergence


# --- like any other model


def test_save_and_load(tmp_path: Path) -> None:
    model = small_model()
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    v = torch.as_tensor(GP.sample_noisy(2, 0.7, rng=0))
    with torch.no_grad():
        assert torch.equal(model(v, 0.7), again(v, 0.7))
    assert again.plan == model.plan


def test_summary_beside_the_orders_of_the_paper() -> None:
    model, products = small_model(), PLAN.products
    summary, text = model.summary(), str(model.summary())
    assert products is not None
    assert summary.parameters == sum(p.numel() for p in model.parameters())
    assert summary.output_range == products.radius
    assert {*summary.orders} == {"D", "L", "M", "R"}
    assert "here 9 d + 7" in summary.orders["D"]
    assert f"{PLAN.depth} steps of {products.blocks_per_step} blocks" in summary.orders["L"]
    assert f"J = {PLAN.bandwidth}" in summary.orders["M"]
    assert f"{math.sqrt(10) / -math.expm1(-0.5):.4g}" in summary.orders["R"]
    for order in summary.orders.values():
        assert order in text


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["relu", "softmax"]), st.booleans())
def test_blocks_without_gates_in_both_twins(seed: int, score: str, clipped: bool) -> None:
    """Random weights: attention alone, a feed-forward layer alone, time in the tokens."""
    architecture = Architecture(
        frames=3,
        channels=2,
        stream={"a": 3, "b": 1},
        kinds={
            "mix": BlockShape(AttentionShape(score, 2, 2, 2), hidden=0, listens=0),
            "layer": BlockShape(None, hidden=4, listens=0),
            "gated": BlockShape(None, hidden=4, listens=2),
        },
        blocks=("mix", "layer", "gated"),
        two_ended=False,
        activation="relu",
        time_features="paper",
        time_steps=1,
        t_min=0.01,
        t_max=5.0,
        dtype="float64",
        time_tokens=True,
        clipped=clipped,
    )
    rng = np.random.default_rng(seed)
    model = Transformer(architecture)
    drawn = {
        name: np.array([0, 3]) if name.endswith("listen") else np.abs(rng.standard_normal(x.shape))
        for name, x in model.state_dict().items()
    }
    model.load_tensors({name: torch.as_tensor(x) for name, x in drawn.items()})
    assert ("radius" in drawn) == clipped
    v, t = rng.standard_normal((4, 3, 2)), rng.uniform(0.01, 5.0, 4)
    twin = blocks.forward(Weights.from_tensors(architecture, drawn), v, t)
    with torch.no_grad():
        found = model(torch.as_tensor(v), torch.as_tensor(t)).numpy()
    assert np.allclose(found, twin, rtol=tol.TWIN, atol=tol.TWIN)
    if clipped:
        sizes = np.linalg.norm(found, axis=(1, 2))
        assert np.all(sizes <= drawn["radius"] * (1 + tol.TWIN))
        # the nearest point of the ball: the direction is kept
        free = blocks.forward(
            Weights.from_tensors(architecture, {**drawn, "radius": np.array(1e300)}), v, t
        )
        nearest = free * np.minimum(
            1, drawn["radius"] / np.linalg.norm(free, axis=(1, 2), keepdims=True)
        )
        assert np.allclose(found, nearest, rtol=tol.TWIN, atol=tol.TWIN)
    document = architecture.to_dict()
    assert Architecture.from_dict(document) == architecture
