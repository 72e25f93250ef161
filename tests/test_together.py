"""Networks trained together are those that `train` trains one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from constructions.learned import DiT, TrainConfig, UNet1d, train, train_together
from constructions.learned.together import signature
from unroll import ArgumentError, Exponential, GaussianProcess

CONFIG = TrainConfig(steps=15, batch=8, warmup=3, t_min=0.05, gradient_clip=0.5)
DATA = [
    GaussianProcess(Exponential(length), 6, [[1.0]]).sample(count, rng=0)
    for length, count in ((1.0, 20), (3.0, 50), (9.0, 20))
]
CONFIGS = [replace(CONFIG, seed=k, t_min=0.05 * (k + 1)) for k in range(3)]
KINDS = {
    "DiT": lambda seed: DiT(6, 1, width=16, depth=1, heads=2, seed=seed),
    "no content": lambda seed: DiT(6, 1, width=16, depth=1, heads=2, seed=seed, content=False),
    "UNet1d": lambda seed: UNet1d(6, 1, width=8, levels=1, seed=seed),
}


def state(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("kind", KINDS)
def test_together_is_one_by_one(kind):
    models = [KINDS[kind](seed).double() for seed in range(3)]
    before = [state(model) for model in models]
    together = train_together(models, DATA, CONFIGS, progress=False)
    for model, data, config, found, old in zip(
        models, DATA, CONFIGS, together, before, strict=True
    ):
        alone = train(model, data, config, progress=False).ema
        torch.testing.assert_close(state(found), state(alone), rtol=1e-9, atol=1e-10)
        assert torch.equal(state(model), old), "arguments are not changed"
        assert (state(found) - old).abs().max() > 1e-3, "it was trained"


def test_signatures_tell_what_can_be_shared():
    model = KINDS["DiT"](0)
    same = signature(KINDS["DiT"](1), replace(CONFIG, seed=7, t_min=0.3))
    assert signature(model, CONFIG) == same
    for other, config in (
        (KINDS["no content"](0), CONFIG),
        (KINDS["UNet1d"](0), CONFIG),
        (DiT(7, 1, width=16, depth=1, heads=2), CONFIG),
        (model, replace(CONFIG, steps=16)),
        (model, replace(CONFIG, learning_rate=1e-4)),
    ):
        assert signature(other, config) != same


def test_refusals():
    mixed = [KINDS["DiT"](0), KINDS["UNet1d"](0)]
    with pytest.raises(ArgumentError, match=r"of one shape.*group them"):
        train_together(mixed, DATA[:2], CONFIGS[:2], progress=False)
    with pytest.raises(ArgumentError, match="of one shape"):
        train_together([KINDS["DiT"](0)], DATA[:2], CONFIGS[:1], progress=False)
    wild = [np.full((4, 6, 1), 1e30)]
    with pytest.raises(ArgumentError, match="network 0 is not finite"):
        train_together([KINDS["DiT"](0)], wild, CONFIGS[:1], progress=False)
