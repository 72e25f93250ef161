"""Activations by name: iterates, streams and attention patterns of any block."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import plan_oracles as oracle
import pytest
import tolerances as tol
import torch
from torch import Tensor

from constructions import build
from unroll import ArgumentError, Exponential, GaussianProcess, Kernel, Logarithmic, Polynomial

SPATIAL = np.array([[1.0, 0.3], [0.3, 0.5]])
MEAN = np.random.default_rng(1).standard_normal((6, 2))
GP = GaussianProcess(Exponential(3.0), 6, SPATIAL, MEAN)
CASES = list(itertools.product(["gradient", "chebyshev"], ["softmax", "relu"]))
every_model = pytest.mark.parametrize(("method", "attention"), CASES)


def small_model(method: str = "chebyshev", attention: str = "softmax", **options: Any) -> Any:
    return build(GP, method=method, attention=attention, **{"tol": 1e-2, "t_min": 0.1, **options})


def noisy(n: int, t: float, gp: GaussianProcess = GP) -> Tensor:
    return torch.as_tensor(gp.sample_noisy(n, t, rng=0))


@every_model
def test_hook_names_are_complete_and_every_one_can_be_read(method: str, attention: str) -> None:
    model, v = small_model(method, attention), noisy(3, 0.5)
    names, depth = model.hook_names(), model.plan.depth
    kinds = ("stream", "iterate", "attention.pattern", "feed_forward.hidden")
    assert sorted(names) == sorted(f"blocks.{k}.{kind}" for k in range(depth) for kind in kinds)
    traced = model.trace(v, 0.5, "*")
    assert sorted(traced) == sorted(names)
    a = model.architecture
    shape = a.kinds["step"]
    columns = a.frames + shape.attention.sinks
    for k in range(depth):
        assert traced[f"blocks.{k}.stream"].shape == (3, 6, a.width)
        assert traced[f"blocks.{k}.iterate"].shape == (3, 6, 2)
        assert traced[f"blocks.{k}.attention.pattern"].shape == (1, a.heads, 6, columns)
        assert traced[f"blocks.{k}.feed_forward.hidden"].shape == (3, 6, shape.hidden)


@every_model
def test_iterates_are_those_of_the_plan_and_end_in_the_score(method: str, attention: str) -> None:
    model, v = small_model(method, attention), noisy(3, 0.5)
    iterates = model.iterates(v, 0.5)
    assert len(iterates) == model.plan.depth
    for mine, planned in zip(iterates, model.plan.run(v.numpy(), 0.5), strict=True):
        assert np.linalg.norm(mine.numpy() - planned) <= 1e-9 * np.linalg.norm(planned)
    with torch.no_grad():
        assert torch.equal(iterates[-1], model(v, 0.5))


def test_the_stream_keeps_its_input_and_holds_two_iterates() -> None:
    model, v = small_model("chebyshev"), noisy(3, 0.5)
    traced = model.trace(v, 0.5)
    streams = model.trace(v, 0.5, "blocks.*.stream")
    previous = torch.zeros(3, 6, 2, dtype=torch.float64)
    for k in range(model.plan.depth):
        stream, iterate = streams[f"blocks.{k}.stream"], traced[f"blocks.{k}.iterate"]
        assert torch.equal(model.read(stream, "v"), v)
        assert torch.allclose(model.read(stream, "mean"), torch.as_tensor(MEAN).expand(3, 6, 2))
        now, old = ("s_odd", "s_even") if k % 2 == 0 else ("s_even", "s_odd")
        assert torch.equal(model.read(stream, now), iterate)
        assert torch.equal(model.read(stream, old), previous)
        previous = iterate


def test_trace_takes_names_patterns_and_lists() -> None:
    model, v = small_model(), noisy(2, 0.5)
    assert list(model.trace(v, 0.5, "blocks.0.stream")) == ["blocks.0.stream"]
    several = model.trace(v, 0.5, ["blocks.0.stream", "blocks.1.iterate", "blocks.0.*"])
    assert {"blocks.0.stream", "blocks.1.iterate", "blocks.0.iterate"} < set(several)
    assert all(not tensor.requires_grad for tensor in several.values())
    with pytest.raises(ArgumentError, match=r"names=blocks.x: matches no activation.*hook_names"):
        model.trace(v, 0.5, ["blocks.0.stream", "blocks.x"])


def test_tracing_leaves_no_hooks_behind() -> None:
    model, v = small_model(), noisy(2, 0.5)
    model.trace(v, 0.5, "*")
    with pytest.raises(ArgumentError):
        model.trace(v, 99.0, "*")
    assert not any(module._forward_hooks for module in model.modules())


def test_a_hook_can_change_an_activation() -> None:
    """Ablate the attention of one block: the score of the trace changes from that block on."""
    model, v = small_model(), noisy(2, 0.5)
    before = model.iterates(v, 0.5)
    point = model.get_submodule("blocks.3.attention.pattern")
    handle = point.register_forward_hook(lambda module, inputs, output: 0 * output)
    after = model.iterates(v, 0.5)
    handle.remove()
    assert all(torch.equal(a, b) for a, b in zip(before[:3], after[:3], strict=True))
    assert not torch.allclose(before[3], after[3])
    assert all(torch.equal(a, b) for a, b in zip(before, model.iterates(v, 0.5), strict=True))


@pytest.mark.parametrize("kernel", [Exponential(3.0), Polynomial(8.0, 0.5), Logarithmic(8.0, 1.0)])
@pytest.mark.parametrize("block", [0, 1, 5])
def test_softmax_attention_is_gamma_over_z(kernel: Kernel, block: int) -> None:
    model = build(GaussianProcess(kernel, 6, SPATIAL), tol=1e-2)
    matrix = model.attention_matrix(block)
    assert matrix.shape == (6, 8)
    gamma = oracle.temporal_cov(kernel, 6)
    normalizer = model.plan.lowering.normalizer
    np.testing.assert_allclose(matrix[:, :6] * normalizer, gamma, rtol=64 * tol.EPS)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, rtol=64 * tol.EPS)


@pytest.mark.parametrize("heads", ["knot", "trapezoid"])
def test_relu_attention_adds_up_to_the_band(heads: str) -> None:
    model = build(
        GaussianProcess(Exponential(0.7), 8, SPATIAL), attention="relu", heads=heads, tol=0.1
    )
    bandwidth = model.plan.bandwidth
    assert bandwidth is not None
    assert bandwidth < 7
    weights = model.weights().blocks[1].attention.output
    total = np.zeros((8, 8))
    for head in range(model.plan.heads):
        target = weights[head][:, np.any(weights[head] != 0, axis=0)]
        total += float(target[0, 0]) * model.attention_matrix(1, head)
    for i in range(8):
        for j in range(8):
            wanted = oracle.autocov(Exponential(0.7), abs(i - j)) if abs(i - j) <= bandwidth else 0
            assert abs(total[i, j] - wanted) <= 1e-11


def test_attention_matrix_is_that_of_the_block_and_head() -> None:
    model = small_model(attention="relu")
    before = [model.attention_matrix(block, head) for block in (0, 3) for head in (1, 2)]
    assert not np.allclose(before[0], before[1])
    with torch.no_grad():
        model.blocks[3].attention.query_bias[2] += 0.25
    after = [model.attention_matrix(block, head) for block in (0, 3) for head in (1, 2)]
    changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert changed == [False, False, False, True]


def test_attention_matrix_is_read_only_from_blocks_and_heads_that_exist() -> None:
    model = small_model()
    for block, head, name in ((99, 0, "block"), (-1, 0, "block"), (0, 1, "head"), (0, -1, "head")):
        with pytest.raises(ArgumentError, match=f"^{name}="):
            model.attention_matrix(block, head)
