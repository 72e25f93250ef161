"""Twins of hand-built models: every tensor at random, time features kept, trainable."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from constructions import build
from constructions.learned import GaussianLaw, TrainConfig, fine_tunable, score_error, train, twin
from unroll import ArgumentError, Exponential, GaussianProcess, make_plan

GP = GaussianProcess(Exponential(3.0), 6, [[1.0, 0.3], [0.3, 0.8]])
WAYS = [
    {"attention": "softmax"},
    {"attention": "relu"},
    {"attention": "alibi"},
    {"attention": "fourier"},
    {"method": "preconditioned"},
    {"method": "spectral"},
    {"method": "boundary"},
    {"conditioning": "mlp"},
]
IDS = ["-".join(way.values()) for way in WAYS]


def plan(**way):
    return make_plan(GP, tol=0.1, t_min=0.1, **way)


@pytest.mark.parametrize("way", WAYS, ids=IDS)
def test_a_twin_has_the_shapes_and_none_of_the_weights(way):
    source = build(plan(**way))
    model = twin(source, seed=0)
    assert model.state_dict().keys() == source.state_dict().keys()
    own = dict(model.named_parameters())
    for name, old in source.named_parameters():
        new = own[name]
        assert new.shape == old.shape
        if not new.requires_grad:
            torch.testing.assert_close(new.double(), old.double(), rtol=1e-6, atol=0.0)
        elif not name.endswith("_bias") and bool(old.any()):
            assert not torch.allclose(new.double(), old.double(), rtol=1e-3), name
    kept = {name for name, p in own.items() if not p.requires_grad}
    assert all(name.startswith("time.") or name.endswith(".turns") for name in kept)
    assert sum(p.numel() for p in own.values() if p.requires_grad) > 50
    score = model(torch.as_tensor(GP.sample_noisy(3, 0.2), dtype=torch.float32), 0.2)
    assert score.shape == (3, 6, 2)
    assert torch.isfinite(score).all()


@pytest.mark.parametrize("way", WAYS, ids=IDS)
def test_a_few_steps_lower_the_loss(way):
    """From random weights, in a few blocks of every kind: gradients reach what is trained."""
    config = TrainConfig(steps=60, batch=64, warmup=5, t_min=0.1, learning_rate=3e-3)
    model = twin(plan(**way), seed=1)
    trained = train(model, GP.sample(500, rng=0), config, progress=False)
    assert trained.losses[-10:].mean() < trained.losses[:5].mean()
    for name, p in trained.model.named_parameters():
        old = dict(model.named_parameters())[name]
        assert p.requires_grad or torch.equal(p, old), name


def test_seeds():
    models = [twin(plan(), seed=k) for k in (3, 3, 4)]
    states = [torch.cat([p.flatten().double() for p in m.parameters()]) for m in models]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_fine_tuning_repairs_a_wrong_kernel():
    wrong = GaussianProcess(Exponential(1.0), 6, GP.spatial_cov)
    law = GaussianLaw.of(GP)
    model = fine_tunable(build(wrong, tol=0.02, t_min=0.1))
    before = score_error(model, law, [0.1, 1.0]).value
    config = TrainConfig(steps=200, batch=128, warmup=5, t_min=0.1, learning_rate=3e-4, ema=0.98)
    trained = train(model, GP.sample(2000, rng=0), config, progress=False)
    after = score_error(trained.ema, law, [0.1, 1.0]).value
    assert np.all(after < 0.7 * before)
    untouched = score_error(model, law, [0.1, 1.0]).value
    assert np.array_equal(untouched, before)


def test_fine_tunable_starts_where_the_model_is():
    model = build(GP, tol=0.1, t_min=0.1)
    v = torch.as_tensor(GP.sample_noisy(3, 0.2))
    assert torch.equal(fine_tunable(model)(v, 0.2), model(v, 0.2))


def test_refusals():
    with pytest.raises(ArgumentError, match="not an UnrolledTransformer"):
        fine_tunable(torch.nn.Identity())
    with pytest.raises(ArgumentError, match="at least 0") as caught:
        twin(plan(), seed=-1)
    assert caught.value.argument == "seed"
