r"""Many networks of one shape trained at once: on a GPU, as fast as a few of them one by one.

Weights are stacked, and one step is vectorised over the networks (`torch.func.vmap`). Each has its
own data, draws, range of diffusion times and gradient norm, so that each is trained as `train`
would train it alone, up to rounding.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from tqdm import trange

from constructions.learned.network import ScoreNetwork
from constructions.learned.training import TrainConfig, denoising_loss, draw
from unroll.errors import ArgumentError

__all__ = ["signature", "train_together"]

_SHARED = ("steps", "batch", "learning_rate", "warmup", "ema", "gradient_clip", "device")


class _Unchecked(nn.Module):
    """A network without the checks of its input: what depends on values is not vectorised."""

    def __init__(self, network: ScoreNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, v: Tensor, t: Tensor) -> Tensor:
        return self.network.score(v, t)


def signature(model: nn.Module, config: TrainConfig) -> tuple[Any, ...]:
    """Networks whose signatures are equal can be trained together."""
    state = [*model.named_parameters(), *model.named_buffers()]
    shapes = tuple((name, tuple(tensor.shape)) for name, tensor in state)
    shared = tuple(getattr(config, name) for name in _SHARED)
    return (type(model).__name__, getattr(model, "content", None), shapes, shared)


def train_together(
    models: Sequence[ScoreNetwork],
    data: Sequence[np.ndarray],
    configs: Sequence[TrainConfig],
    *,
    progress: bool = True,
) -> list[ScoreNetwork]:
    """The moving averages of all networks after training.

    Parameters
    ----------
    models, data, configs
        One of each for every network.
    progress
        Whether to show a bar.

    Raises
    ------
    ArgumentError
        Networks of different shapes or configurations that cannot be shared; losses that are not
        finite.
    """
    pairs = zip(models, configs, strict=True)
    if len({signature(model, config) for model, config in pairs}) != 1 or len(data) != len(models):
        condition = "must be of one shape, with one configuration but for seeds and times"
        raise ArgumentError("models", f"{len(models)} networks", condition, "group them first")
    shared, device = configs[0], configs[0].device
    dtype = next(models[0].parameters()).dtype
    xs = [torch.as_tensor(x, dtype=dtype, device=device) for x in data]
    generators = [torch.Generator(device).manual_seed(config.seed) for config in configs]
    own = [copy.deepcopy(model).to(device) for model in models]
    parameters, buffers = stack_module_state(own)
    names, weights = [*parameters], [*parameters.values()]
    averages = [w.detach().clone() for w in weights]
    empty = _Unchecked(copy.deepcopy(own[0]).to("meta"))
    optimizer = torch.optim.AdamW(weights, weight_decay=0.0)

    def loss(p: dict[str, Tensor], b: dict[str, Tensor], x: Tensor, t: Tensor, z: Tensor) -> Tensor:
        state = {f"network.{name}": tensor for name, tensor in (p | b).items()}
        return denoising_loss(lambda v, s: functional_call(empty, state, (v, s)), x, t, z)

    step_of_all = vmap(grad_and_value(loss))
    losses = torch.zeros(len(models), device=device)
    for step in trange(shared.steps, disable=not progress):
        drawn = [draw(*parts) for parts in zip(xs, configs, generators, strict=True)]
        x, t, z = (torch.stack(parts) for parts in zip(*drawn, strict=True))
        stacked = dict(zip(names, weights, strict=True))
        gradients, losses = step_of_all(stacked, buffers, x, t, z)
        squares = [g.flatten(1).square().sum(1) for g in gradients.values()]
        norms = torch.stack(squares).sum(0).sqrt()
        factor = (shared.gradient_clip / (norms + 1e-6)).clamp(max=1.0)
        for group in optimizer.param_groups:
            group["lr"] = shared.rate(step)
        for name, weight in stacked.items():
            g = gradients[name]
            weight.grad = g * factor.view(-1, *[1] * (g.ndim - 1))
        optimizer.step()
        decay = min(shared.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(averages, [w.detach() for w in weights], 1 - decay)
    if not bool(torch.isfinite(losses).all()):
        bad = int(torch.nonzero(~torch.isfinite(losses))[0, 0])
        remedy = "use a smaller learning_rate or a larger t_min"
        raise ArgumentError("loss", math.nan, f"of network {bad} is not finite", remedy)
    for k, model in enumerate(own):
        average = {name: a[k] for name, a in zip(names, averages, strict=True)}
        model.load_state_dict(average, strict=False)
        model.requires_grad_(False)
    return own
