r"""The exact law of what a diffusers scheduler returns, by probing its whole loop.

With an affine score the loop is affine in its start and in the noises it adds: the mean is its
output for zero inputs, and the covariance is sum_j f_j f_j^T over the output's differences f_j for
unit inputs, each times the standard deviation that the scheduler gives it. All inputs run as one
batch, so schedulers with memory (multistep) need nothing special.

Nothing of the scheduler is taken apart. What noise a step adds is found by running it from two
seeds: noise that is not a multiple of the seed's normal draws is refused.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from constructions.adapters.diffusers import DiffusersModel, takes_generator
from unroll.distribution import AffineScore, DenseLaw
from unroll.errors import ArgumentError
from unroll.validation import instance, integer

__all__ = ["scheduler_law"]

# Schedulers compute in float32.
_ROUNDING = 1e-5
_ROWS = 2**17


def scheduler_law(score: AffineScore, scheduler: Any, steps: int, **step_options: Any) -> DenseLaw:
    """The exact law of `sample` with this score and scheduler, up to the rounding of float32.

    Parameters
    ----------
    score
        The affine maps of a model (`constructions.adapters.affine_score`) or of a closed form.
    scheduler
        A scheduler of diffusers, as for `DiffusersModel`.
    steps
        Inference steps. A scheduler that adds noise takes frames * channels * steps sequences.
    **step_options
        For ``scheduler.step``, such as ``eta=1.0``.

    Raises
    ------
    ArgumentError
        A score that is not affine, a range of t that does not cover the timesteps, a step that is
        not affine, or more sequences than fit.
    """
    instance("score", score, AffineScore, "use affine_score(model)")
    scheduler.set_timesteps(integer("steps", steps, 1))
    model = DiffusersModel(_on_tensors(score), scheduler)
    size = score.frames * score.channels
    noises = _noises(scheduler, step_options)
    rows = 1 + size * (1 + sum(noise.scale > 0 for noise in noises))
    if rows > _ROWS:
        remedy = "take fewer steps or frames, or a deterministic scheduler"
        raise ArgumentError("steps", steps, f"needs {rows} sequences at once", remedy)

    x = torch.zeros(rows, size, dtype=torch.float64)
    x[1 : 1 + size] = torch.eye(size) * float(scheduler.init_noise_sigma)
    x = x.reshape(rows, score.frames, score.channels)
    scheduler.set_timesteps(steps)
    free = 1 + size
    unit = torch.eye(size, dtype=torch.float64).reshape(size, *x.shape[1:])
    for timestep, noise in zip(scheduler.timesteps, noises, strict=True):
        x = _step(model, x, timestep, 0, step_options)
        if noise.scale > 0:
            x = x - noise.draw(x.shape, 0)
            x[free : free + size] += noise.scale * unit
            free += size
    output = x.reshape(rows, size).numpy()
    spread = output[1:] - output[0]
    return DenseLaw(output[0].reshape(score.frames, score.channels), spread.T @ spread)


@dataclass(frozen=True)
class _Noise:
    """What a step adds: a multiple of standard normal draws, made in a type."""

    scale: float = 0.0
    dtype: torch.dtype = torch.float64

    def draw(self, shape: torch.Size, seed: int) -> Tensor:
        """The draws that a step makes from a seed, times the scale."""
        generator = torch.Generator().manual_seed(seed)
        return self.scale * torch.randn(shape, generator=generator, dtype=self.dtype).double()


def _noises(scheduler: Any, options: dict[str, Any]) -> list[_Noise]:
    """The noise of every step. No score changes it: that of N(0, I) keeps all sizes at 1."""
    if not takes_generator(scheduler, None):
        return [_Noise()] * len(scheduler.timesteps)
    model, found = DiffusersModel(_white, scheduler), []
    x = torch.randn((4, 2, 2), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for timestep in scheduler.timesteps:
        twin = copy.deepcopy(model)
        after = _step(model, x, timestep, 0, options)
        change = after - _step(twin, x, timestep, 1, options)
        found.append(_explain(change, max(1.0, float(after.abs().max())), scheduler))
        x = after
    return found


def _explain(change: Tensor, size: float, scheduler: Any) -> _Noise:
    """The noise that makes the outputs from seeds 0 and 1 differ by `change`."""
    if change.abs().max() == 0:
        return _Noise()
    for dtype in (torch.float64, torch.float32):
        unit = _Noise(1.0, dtype)
        draws = unit.draw(change.shape, 0) - unit.draw(change.shape, 1)
        scale = float((change * draws).sum() / (draws * draws).sum())
        if (change - scale * draws).abs().max() <= _ROUNDING * size:
            return _Noise(scale, dtype)
    condition = "adds noise that is not a multiple of standard normal draws"
    name = type(scheduler).__name__
    raise ArgumentError("scheduler", name, condition, "draw samples instead")


def _step(
    model: DiffusersModel, x: Tensor, timestep: Tensor, seed: int, options: dict[str, Any]
) -> Tensor:
    scheduler = model.scheduler
    generator = takes_generator(scheduler, torch.Generator().manual_seed(seed))
    prediction = model(scheduler.scale_model_input(x, timestep), timestep).sample
    after: Tensor = scheduler.step(prediction, timestep, x, **generator, **options).prev_sample
    return after.double()


def _white(v: Tensor, t: Tensor) -> Tensor:
    return -v


def _on_tensors(score: AffineScore) -> Callable[[Tensor, Tensor], Tensor]:
    def evaluate(v: Tensor, t: Tensor) -> Tensor:
        return torch.as_tensor(np.asarray(score(v.numpy(), float(t[0]))))

    return evaluate
