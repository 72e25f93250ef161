"""The trained networks: shapes, initial state, what attention sees, and a DiT in plain numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import erf, softmax

from constructions.learned import DiT, ScoreNetwork, UNet1d
from unroll import ArgumentError

FRAMES, CHANNELS = 7, 3
KINDS = {
    "DiT": lambda **kw: DiT(FRAMES, CHANNELS, **{"width": 16, "depth": 2, "heads": 2} | kw),
    "UNet1d": lambda **kw: UNet1d(FRAMES, CHANNELS, **{"width": 16} | kw),
}


def batch(count: int = 4, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((count, FRAMES, CHANNELS), generator=generator)


def scrambled(model: ScoreNetwork) -> ScoreNetwork:
    """With weights that are not zero anywhere: every path counts."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.3 * torch.randn(p.shape, generator=generator))
    return model.double()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("t", [0.2, (0.01, 0.1, 1.0, 5.0)])
def test_a_score_has_the_shape_of_its_input(kind, t):
    model = scrambled(KINDS[kind]())
    v = batch().double()
    score = model(v, torch.tensor(t, dtype=torch.float64))
    assert score.shape == v.shape
    assert score.dtype == torch.float64
    single = [model(v[k : k + 1], float(np.broadcast_to(t, 4)[k])) for k in range(4)]
    torch.testing.assert_close(score, torch.cat(single), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_at_first_no_noise_is_predicted(kind):
    assert not KINDS[kind]()(batch(), 0.3).any()


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_decide_the_weights_and_leave_the_global_generator_alone(kind):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    same, again, other = KINDS[kind](seed=3), KINDS[kind](seed=3), KINDS[kind](seed=4)
    assert torch.equal(torch.rand(1), expected)
    states = [torch.cat([p.flatten() for p in m.parameters()]) for m in (same, again, other)]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@pytest.mark.parametrize("kind", KINDS)
def test_the_diffusion_time_matters(kind):
    model, v = scrambled(KINDS[kind]()), batch().double()
    times = torch.full((4,), 0.1, dtype=torch.float64)
    assert not torch.allclose(model.noise(v, times), model.noise(v, 2 * times), rtol=1e-3)


@pytest.mark.parametrize("frames", [1, 2, 5, 8])
@pytest.mark.parametrize("levels", [0, 1, 3])
def test_a_unet_takes_any_length(frames, levels):
    model = UNet1d(frames, 2, width=8, levels=levels)
    assert model(torch.zeros(2, frames, 2), 0.5).shape == (2, frames, 2)


def in_numpy(model: DiT, v: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """A second DiT, written from the papers with loops over heads: predicted noise, attention."""
    w = {name: p.detach().numpy() for name, p in model.state_dict().items()}

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def silu(x: np.ndarray) -> np.ndarray:
        return x / (1 + np.exp(-x))

    def normal(x: np.ndarray) -> np.ndarray:
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)

    turns = math.pi / 8 * 2.0 ** (np.arange(16) / 2)
    np.testing.assert_allclose(w["time.turns"], turns, rtol=1e-6)  # kept in float32
    phases = np.log(t)[:, None] * w["time.turns"]
    features = np.concatenate([np.cos(phases), np.sin(phases)], -1)
    time = silu(linear("time.layers.2", silu(linear("time.layers.0", features))))[:, None]
    x = linear("embed", v) + w["position"]
    width, maps = x.shape[-1], []
    for k, block in enumerate(model.blocks):
        shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = np.split(
            linear(f"blocks.{k}.modulation", time), 6, -1
        )
        read = normal(x) * (1 + scale) + shift
        asked = read if model.content else np.broadcast_to(normal(w["position"]), read.shape)
        query_key = linear(f"blocks.{k}.attention.query_key", asked)
        value = linear(f"blocks.{k}.attention.value", read)
        heads, size = block.attention.heads, width // block.attention.heads
        mixed = np.zeros_like(x)
        for h in range(heads):
            own = slice(h * size, (h + 1) * size)
            query, key = query_key[..., :width][..., own], query_key[..., width:][..., own]
            pattern = softmax(query @ key.swapaxes(1, 2) / math.sqrt(size), -1)
            mixed[..., own] = pattern @ value[..., own]
            maps.append(pattern)
        x = x + gate * linear(f"blocks.{k}.attention.output", mixed)
        hidden = linear(f"blocks.{k}.mlp.0", normal(x) * (1 + scale_mlp) + shift_mlp)
        hidden = hidden * (1 + erf(hidden / math.sqrt(2))) / 2
        x = x + gate_mlp * linear(f"blocks.{k}.mlp.2", hidden)
    shift, scale = np.split(linear("modulation", time), 2, -1)
    return linear("readout", normal(x) * (1 + scale) + shift), maps


@pytest.mark.parametrize("content", [True, False])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_a_dit_is_what_the_papers_say(content, positions):
    model = scrambled(KINDS["DiT"](content=content, positions=positions))
    v, t = batch().double(), torch.tensor([0.02, 0.1, 1.0, 4.0], dtype=torch.float64)
    noise, maps = in_numpy(model, v.numpy(), t.numpy())
    found = model(v, t).detach().numpy()
    sigma = np.sqrt(-np.expm1(-t.numpy()))[:, None, None]
    np.testing.assert_allclose(found, -noise / sigma, rtol=1e-9, atol=1e-9)
    own = model.attention_maps(v, t).detach().numpy()
    expected = np.stack(maps).reshape(2, 2, 4, FRAMES, FRAMES).swapaxes(1, 2)
    np.testing.assert_allclose(own, expected, rtol=1e-9, atol=1e-12)


def test_positions_are_the_usual_sinusoids():
    position = KINDS["DiT"]().position
    for frame in range(FRAMES):
        for k in range(8):
            phase = frame / 10_000 ** (2 * k / 16)
            assert position[frame, k] == pytest.approx(math.sin(phase), abs=1e-6)
            assert position[frame, 8 + k] == pytest.approx(math.cos(phase), abs=1e-6)


def test_attention_without_content_is_the_same_for_all_sequences():
    v, w = batch(seed=0).double(), batch(seed=1).double()
    seeing, blind = (scrambled(KINDS["DiT"](content=c)) for c in (True, False))
    assert torch.equal(blind.attention_maps(v, 0.3), blind.attention_maps(w, 0.3))
    assert not torch.allclose(seeing.attention_maps(v, 0.3), seeing.attention_maps(w, 0.3))
    assert torch.allclose(seeing.attention_maps(v, 0.3).sum(-1), torch.ones(()).double())


def test_the_residual_stream_ends_in_the_readout():
    model, v = scrambled(KINDS["DiT"]()), batch().double()
    stream = model.residual_stream(v, 0.3)
    assert stream.shape == (3, 4, FRAMES, 16)
    torch.testing.assert_close(stream[0], model.embed(v) + model.position)
    with torch.no_grad():
        model.modulation.weight.zero_()
        model.modulation.bias.zero_()
    last = torch.nn.functional.layer_norm(stream[-1], (16,))
    times = torch.full((4,), 0.3, dtype=torch.float64)
    torch.testing.assert_close(model.readout(last), model.noise(v, times))


@pytest.mark.parametrize(
    ("call", "argument", "words"),
    [
        (lambda: DiT(0, 2), "frames", "at least 1"),
        (lambda: DiT(4, 2, width=10, heads=4), "width", "multiple of heads=4"),
        (lambda: DiT(4, 2, positions="rotary"), "positions", "sinusoidal"),
        (lambda: DiT(4, 2, depth=0), "depth", "at least 1"),
        (lambda: UNet1d(4, 2, width=12), "width", "multiple of 8"),
        (lambda: UNet1d(4, 2, levels=-1), "levels", "at least 0"),
        (lambda: DiT(4, 2)(torch.zeros(2, 5, 2), 0.1), "v", r"\(batch, 4, 2\)"),
        (lambda: DiT(4, 2)(torch.zeros(4, 2), 0.1), "v", r"\(batch, 4, 2\)"),
        (lambda: DiT(4, 2)(torch.zeros(2, 4, 2), torch.ones(3)), "t", r"\(2,\)"),
        (lambda: DiT(4, 2)(torch.zeros(2, 4, 2), -0.1), "t", "positive"),
        (lambda: UNet1d(4, 2)(torch.zeros(2, 4, 2), math.nan), "t", "positive"),
    ],
)
def test_refusals(call, argument, words):
    with pytest.raises(ArgumentError, match=words) as caught:
        call()
    assert caught.value.argument == argument
