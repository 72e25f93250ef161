"""The training loop: it learns, it repeats, it continues bit by bit, and it refuses clearly."""

from __future__ import annotations

import copy
import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from constructions.learned import (
    DiT,
    GaussianLaw,
    ScoreNetwork,
    TrainConfig,
    UNet1d,
    denoising_loss,
    score_error,
    train,
    twin,
)
from constructions.learned.training import draw
from unroll import ArgumentError, Exponential, GaussianProcess, make_plan

GP = GaussianProcess(Exponential(3.0), 6, [[1.0, 0.3], [0.3, 0.8]])
LAW = GaussianLaw.of(GP)
DATA = GP.sample(64, rng=0)
CONFIG = TrainConfig(steps=12, batch=16, warmup=3, t_min=0.05)
MODELS = {
    "DiT": lambda: DiT(6, 2, width=16, depth=1, heads=2),
    "UNet1d": lambda: UNet1d(6, 2, width=8, levels=1),
    "twin": lambda: twin(make_plan(GP, tol=0.3, t_min=0.05), seed=0),
}


def state(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten().double() for p in model.state_dict().values()])


def test_the_loss_is_that_of_the_predicted_noise():
    """Written out sequence by sequence; and no score does better than the exact one."""
    x, noise = torch.as_tensor(DATA), torch.randn(64, 6, 2, dtype=torch.float64)
    t = torch.linspace(0.05, 3.0, 64, dtype=torch.float64)
    terms = []
    for k in range(64):
        alpha, sigma = math.exp(-t[k] / 2), math.sqrt(1 - math.exp(-t[k]))
        v = alpha * x[k] + sigma * noise[k]
        predicted = -sigma * torch.as_tensor(GP.score(v.numpy()[None], float(t[k])))[0]
        terms.append(((predicted - noise[k]) ** 2).mean())
    assert denoising_loss(LAW, x, t, noise) == pytest.approx(float(torch.stack(terms).mean()))
    for scale in (0.8, 1.2):
        losses = []
        for score in (LAW, lambda v, t, scale=scale: scale * LAW(v, t)):
            generator = torch.Generator().manual_seed(0)
            drawn = LAW.draw(4000, generator), TrainConfig(batch=4000, t_min=0.05)
            losses.append(denoising_loss(score, *draw(*drawn, generator)))
        assert losses[0] < losses[1]


def test_batches_are_what_the_configuration_says():
    config = TrainConfig(batch=20_000, t_min=0.01, t_max=5.0)
    x = torch.arange(10.0)[:, None, None]
    chosen, t, noise = draw(x, config, torch.Generator().manual_seed(0))
    assert t.min() >= 0.01
    assert t.max() <= 5.0
    share = (torch.log(t / 0.01) / math.log(500)).numpy()
    hits = np.histogram(share, bins=10, range=(0, 1))[0]
    assert abs(hits - 2000).max() < 5 * math.sqrt(2000), "log t is uniform"
    counts = torch.bincount(chosen.flatten().long(), minlength=10)
    assert abs(counts - 2000).max() < 5 * math.sqrt(2000), "with replacement"
    assert abs(noise.mean()) < 5 / math.sqrt(20_000)
    assert noise.std() == pytest.approx(1.0, abs=0.03)


def test_the_learning_rate_rises_and_falls():
    config = TrainConfig(steps=100, warmup=9, learning_rate=2e-3)
    rates = [config.rate(step) for step in range(100)]
    assert rates[:10] == pytest.approx([2e-4 * k for k in range(1, 11)])
    assert all(b < a for a, b in itertools.pairwise(rates[10:]))
    assert rates[-1] < 2e-6


def test_training_learns_the_score():
    config = TrainConfig(steps=300, batch=64, t_min=0.1, learning_rate=3e-3, ema=0.98)
    data = GP.sample(2000, rng=1)
    model = MODELS["DiT"]()
    trained = train(model, data, config, progress=False)
    before, after = (score_error(m, LAW, [0.1, 0.5, 2.0]).value for m in (model, trained.ema))
    assert before == pytest.approx(1.0)  # it returns zeros
    assert after.max() < 0.5
    assert trained.losses.shape == (300,)
    assert trained.losses[-50:].mean() < 0.6 * trained.losses[:10].mean()


def test_the_average_follows_the_weights():
    """Against the recursion by hand, from the weights after each step."""
    steps = [train(MODELS["DiT"](), DATA, replace(CONFIG, steps=1), progress=False)]
    # one step: the first decay is 1/10
    start = state(MODELS["DiT"]())
    expected = 0.1 * start + 0.9 * state(steps[0].model)
    torch.testing.assert_close(state(steps[0].ema), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", MODELS)
def test_training_repeats_and_changes_no_argument(kind):
    model = MODELS[kind]()
    before = state(model)
    first, second = (train(model, DATA, CONFIG, progress=False) for _ in range(2))
    assert torch.equal(state(model), before)
    assert torch.equal(state(first.ema), state(second.ema))
    assert np.array_equal(first.losses, second.losses)
    other = train(model, DATA, replace(CONFIG, seed=1), progress=False)
    assert not torch.equal(state(first.ema), state(other.ema))


@pytest.mark.parametrize("kind", MODELS)
def test_an_interrupted_run_continues_bit_by_bit(kind, tmp_path, monkeypatch):
    whole = train(MODELS[kind](), DATA, CONFIG, progress=False)
    config = replace(CONFIG, checkpoint_every=5)

    class Cut(Exception):
        pass

    def cut(self, step, ordinary=TrainConfig.rate):
        if step == 7:
            raise Cut
        return ordinary(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(TrainConfig, "rate", cut)
        with pytest.raises(Cut):
            train(MODELS[kind](), DATA, config, folder=tmp_path, progress=False)
    assert step_of(tmp_path) == 5
    resumed = train(MODELS[kind](), DATA, config, folder=tmp_path, progress=False)
    assert torch.equal(state(resumed.model), state(whole.model))
    assert torch.equal(state(resumed.ema), state(whole.ema))
    assert np.array_equal(resumed.losses, whole.losses)
    # finished: nothing is trained again
    monkeypatch.setattr(TrainConfig, "rate", cut)
    again = train(MODELS[kind](), DATA, config, folder=tmp_path, progress=False)
    assert torch.equal(state(again.ema), state(whole.ema))
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


def step_of(folder: Path) -> int:
    with safe_open(folder / "run.safetensors", "pt") as file:
        return json.loads(file.metadata()["about"])["step"]


@pytest.mark.parametrize(
    ("model", "data", "config", "words"),
    [
        (MODELS["DiT"], DATA, replace(CONFIG, learning_rate=1e-2), "config.*learning_rate"),
        (MODELS["DiT"], DATA[:-1], CONFIG, "data.*shape"),
        (MODELS["DiT"], 2 * DATA, CONFIG, "data.*sums"),
        (MODELS["UNet1d"], DATA, CONFIG, "model.*class"),
        (lambda: DiT(6, 2, width=32, depth=1, heads=2), DATA, CONFIG, "model.*parameters"),
    ],
)
def test_another_run_is_not_continued(model, data, config, words, tmp_path):
    train(MODELS["DiT"](), DATA, CONFIG, folder=tmp_path, progress=False)
    saved = (tmp_path / "run.safetensors").read_bytes()
    with pytest.raises(ArgumentError, match=words) as caught:
        train(model(), data, config, folder=tmp_path, progress=False)
    assert caught.value.argument == "folder"
    assert (tmp_path / "run.safetensors").read_bytes() == saved


@pytest.mark.parametrize("damage", ["truncated", "other format", "empty"])
def test_a_damaged_file_is_refused(damage, tmp_path):
    path = tmp_path / "run.safetensors"
    train(MODELS["DiT"](), DATA, CONFIG, folder=tmp_path, progress=False)
    whole = path.read_bytes()
    new = {"truncated": whole[:-40], "other format": whole.replace(b"training-run/1", b"another"),
           "empty": b""}[damage]  # fmt: skip
    path.write_bytes(new)
    with pytest.raises(ArgumentError, match=r"no training run.*delete it") as caught:
        train(MODELS["DiT"](), DATA, CONFIG, folder=tmp_path, progress=False)
    assert caught.value.argument == "folder"
    assert path.read_bytes() == new, "the user decides what is deleted"


def test_a_failed_save_leaves_the_last_one(tmp_path, monkeypatch):
    config = replace(CONFIG, checkpoint_every=4)
    calls = []

    def full_disk(tensors, path, **options):
        calls.append(path)
        if len(calls) == 2:
            Path(path).write_bytes(b"half")
            raise OSError("no space left")
        return ordinary(tensors, path, **options)

    import constructions.learned.checkpoint as checkpoint

    ordinary = checkpoint.save_file
    monkeypatch.setattr(checkpoint, "save_file", full_disk)
    with pytest.raises(OSError, match="no space"):
        train(MODELS["DiT"](), DATA, config, folder=tmp_path, progress=False)
    assert step_of(tmp_path) == 4
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


class _Exploding(ScoreNetwork):
    def __init__(self) -> None:
        super().__init__(6, 2)
        self.weight = torch.nn.Parameter(torch.ones(()))

    def noise(self, v, t):
        return v * torch.exp(1e3 * self.weight)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    with pytest.raises(ArgumentError, match=r"not finite at step 0.*learning_rate") as caught:
        train(_Exploding(), DATA, CONFIG, folder=tmp_path, progress=False)
    assert caught.value.argument == "loss"
    assert not [*tmp_path.iterdir()], "such weights are not saved"


def with_nan() -> np.ndarray:
    x = copy.copy(DATA)
    x[0, 0, 0] = math.nan
    return x


@pytest.mark.parametrize(
    ("call", "argument", "words"),
    [
        (lambda: TrainConfig(steps=0), "steps", "at least 1"),
        (lambda: TrainConfig(learning_rate=-1.0), "learning_rate", "greater than 0"),
        (lambda: TrainConfig(ema=1.0), "ema", r"\[0.0, 1.0\)"),
        (lambda: TrainConfig(t_min=6.0), "t_min", "below t_max"),
        (lambda: TrainConfig(seed=-1), "seed", "at least 0"),
        (lambda: train(MODELS["DiT"](), DATA[0], CONFIG), "data", "frames, channels"),
        (lambda: TrainConfig(device="abacus"), "device", "not available"),
        (lambda: train(MODELS["DiT"](), DATA[:, :5], CONFIG), "data", r"\(n, 6, 2\)"),
        (lambda: train(MODELS["DiT"](), DATA[:0], CONFIG), "data", "frames, channels"),
        (lambda: train(MODELS["DiT"](), with_nan(), CONFIG), "data", "finite"),
        (lambda: train(torch.nn.Identity(), DATA, CONFIG), "model", "nothing to train"),
        (
            lambda: train(MODELS["DiT"]().requires_grad_(False), DATA, CONFIG),
            "model",
            "nothing to train",
        ),
    ],
)
def test_refusals(call, argument, words):
    with pytest.raises(ArgumentError, match=words) as caught:
        call()
    assert caught.value.argument == argument


def test_progress_is_shown(capsys):
    train(MODELS["DiT"](), DATA, replace(CONFIG, steps=2))
    assert "loss=" in capsys.readouterr().err
