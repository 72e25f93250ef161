r"""Denoising score matching in a plain loop: data, a diffusion time, noise, one step downhill.

The loss is ``mean |sigma_t s(V_t, t) + Z|^2`` with ``V_t = alpha_t X + sigma_t Z`` and ``log t``
uniform: the error of the predicted noise, which weighs all diffusion times alike.

Source: Vincent, "A connection between score matching and denoising autoencoders", Neural
Computation 23 (2011); Ho, Jain & Abbeel, NeurIPS 2020.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from tqdm import trange

from constructions.learned.checkpoint import (
    load_optimizer,
    optimizer_tensors,
    read_run,
    write_run,
)
from constructions.learned.network import noise_scale, signal_scale
from unroll.errors import ArgumentError
from unroll.validation import finite_array, in_range, integer, positive

__all__ = ["TrainConfig", "Trained", "denoising_loss", "draw", "train"]

Score = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Attributes
    ----------
    steps, batch
        Number of steps, and sequences drawn (with replacement) for each.
    learning_rate, warmup
        Of Adam: reached linearly in ``warmup`` steps, then falling to 0 along a cosine.
    ema
        Decay of the moving average of the weights; smaller in the first steps.
    gradient_clip
        Largest norm of a gradient.
    t_min, t_max
        Range of the diffusion time.
    seed
        Of everything that is drawn during training.
    device
        ``"cpu"``, ``"cuda"``, ...
    checkpoint_every
        Steps between saves; 0 saves at the end only.
    """

    steps: int = 2000
    batch: int = 256
    learning_rate: float = 1e-3
    warmup: int = 100
    ema: float = 0.999
    gradient_clip: float = 1.0
    t_min: float = 0.01
    t_max: float = 5.0
    seed: int = 0
    device: str = "cpu"
    checkpoint_every: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            integer(name, getattr(self, name), 1)
        for name in ("warmup", "checkpoint_every", "seed"):
            integer(name, getattr(self, name), 0)
        for name in ("learning_rate", "gradient_clip", "t_min", "t_max"):
            positive(name, getattr(self, name))
        in_range("ema", self.ema, 0.0, 1.0, high_open=True)
        _check_device(self.device)
        if self.t_min >= self.t_max:
            raise ArgumentError("t_min", self.t_min, f"must be below t_max={self.t_max}", "swap")

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        rising = min(1.0, (step + 1) / (self.warmup + 1))
        rest = max(0, step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * rising * (1 + math.cos(math.pi * min(1.0, rest))) / 2


@dataclass(frozen=True)
class Trained:
    """What came out.

    Attributes
    ----------
    model, ema
        With the last weights, and with their moving average: the one to use.
    losses
        Array (steps,).
    """

    model: nn.Module
    ema: nn.Module
    losses: np.ndarray


def _check_device(name: str) -> None:
    """Refuse a device that is not there before anything is computed."""
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, TypeError) as error:
        condition = f"is not available ({str(error).splitlines()[0][:80]})"
        raise ArgumentError("device", name, condition, "use device='cpu'") from None


def denoising_loss(score: Score, x: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """``mean |sigma_t s + Z|^2`` over sequences (batch, frames, channels) at times (batch,)."""
    scale = noise_scale(t).to(x.dtype)[:, None, None]
    v = signal_scale(t).to(x.dtype)[:, None, None] * x + scale * noise
    return (scale * score(v, t) + noise).square().mean()


def draw(
    x: Tensor, config: TrainConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """A batch of sequences, diffusion times with a uniform logarithm, and noise."""
    how: dict[str, Any] = {"generator": generator, "device": x.device}
    chosen = x[torch.randint(len(x), (config.batch,), **how)]
    span = math.log(config.t_max / config.t_min)
    t = config.t_min * torch.exp(span * torch.rand(config.batch, dtype=torch.float64, **how))
    noise = torch.randn(chosen.shape, dtype=x.dtype, **how)
    return chosen, t.clamp(config.t_min, config.t_max), noise


def train(
    model: nn.Module,
    data: ArrayLike | Tensor,
    config: TrainConfig,
    *,
    folder: str | Path | None = None,
    progress: bool = True,
) -> Trained:
    """Train a copy of a model on sequences.

    Parameters
    ----------
    model
        Called as ``model(v, t)``; it is not changed.
    data
        Sequences, array (n, frames, channels).
    config
        How.
    folder
        Where the run is saved, and continued if it is there already: on the CPU the result is the
        same bit by bit as without the interruption.
    progress
        Whether to show a bar.

    Raises
    ------
    ArgumentError
        A model without trainable weights; data that are no sequences; a run of another model, of
        other data or of another configuration in the folder; a loss that is not finite.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained:
        raise ArgumentError("model", model, "has nothing to train", "see fine_tunable")
    values = _checked(data)
    shape = tuple(getattr(model, name, None) for name in ("frames", "channels"))
    if None not in shape and values.shape[1:] != shape:
        condition = f"must have shape (n, {shape[0]}, {shape[1]}) for this model"
        raise ArgumentError("data", values.shape, condition, "make a model of that shape")
    x = torch.as_tensor(values, dtype=trained[0].dtype, device=config.device)
    run = _Run(model, config, x)
    if folder is not None:
        run.resume(Path(folder))
    bar = trange(run.step, config.steps, initial=run.step, total=config.steps, disable=not progress)
    for step in bar:
        run.advance(step)
        due = _due(step + 1, config)
        if due or step % 100 == 0:
            run.check(step)
        if folder is not None and due:
            run.save(Path(folder))
        if step % 50 == 0 and progress:
            bar.set_postfix(loss=f"{float(run.losses[step]):.4f}")
    return Trained(run.model, run.ema, run.losses.cpu().numpy())


class _Run:
    """Everything that changes from step to step."""

    def __init__(self, model: nn.Module, config: TrainConfig, x: Tensor) -> None:
        self.config, self.x = config, x
        self.model = copy.deepcopy(model).to(config.device)
        self.ema = copy.deepcopy(self.model).requires_grad_(False)
        self.parameters: list[Tensor] = [p for p in self.model.parameters() if p.requires_grad]
        trained = {name for name, p in self.model.named_parameters() if p.requires_grad}
        self.averages: list[Tensor] = [
            p for name, p in self.ema.named_parameters() if name in trained
        ]
        self.optimizer = torch.optim.AdamW(self.parameters, weight_decay=0.0)
        self.generator = torch.Generator(config.device).manual_seed(config.seed)
        self.losses = torch.zeros(config.steps, device=config.device)
        self.step = 0

    def advance(self, step: int) -> None:
        """One step."""
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = config.rate(step)
        loss = denoising_loss(self.model, *draw(self.x, config, self.generator))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, config.gradient_clip)
        self.optimizer.step()
        self.losses[step] = loss.detach()
        decay = min(config.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, self.parameters, 1 - decay)
        self.step = step + 1

    def check(self, step: int) -> None:
        """Refuse to go on where a loss was not finite."""
        if not bool(torch.isfinite(self.losses[: step + 1]).all()):
            bad = int(torch.nonzero(~torch.isfinite(self.losses))[0, 0])
            raise ArgumentError(
                "loss",
                float(self.losses[bad]),
                f"is not finite at step {bad}",
                "use a smaller learning_rate or a larger t_min",
            )

    def about(self) -> dict[str, Any]:
        """What must agree for a run to be continued, all but ``step``."""
        shapes = {name: list(p.shape) for name, p in self.model.named_parameters()}
        config = {k: v for k, v in asdict(self.config).items() if k not in _FREE}
        total = float(self.x.double().sum()), float(self.x.double().square().sum())
        return {
            "model": {"class": type(self.model).__name__, "parameters": shapes},
            "config": config,
            "data": {"shape": list(self.x.shape), "sums": list(total)},
        }

    def save(self, folder: Path) -> None:
        """All of it."""
        parts = {
            "model": self.model.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": optimizer_tensors(self.optimizer),
            "run": {"generator": self.generator.get_state(), "losses": self.losses},
        }
        tensors = {f"{part}/{name}": x.clone() for part in parts for name, x in parts[part].items()}
        write_run(folder, tensors, self.about() | {"step": self.step})

    def resume(self, folder: Path) -> None:
        """Continue what is there."""
        saved = read_run(folder)
        if saved is None:
            return
        tensors, about = saved
        step = about.pop("step")
        for name, value in self.about().items():
            if about.get(name) != value:
                raise ArgumentError(
                    "folder",
                    str(folder),
                    f"holds a run of another {name} ({_difference(about.get(name), value)})",
                    "use another folder",
                )
        parts: dict[str, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            part, _, name = key.partition("/")
            parts.setdefault(part, {})[name] = tensor
        self.model.load_state_dict(parts["model"])
        self.ema.load_state_dict(parts["ema"])
        load_optimizer(self.optimizer, parts.get("optimizer", {}))
        self.generator.set_state(parts["run"]["generator"])
        self.losses.copy_(parts["run"]["losses"])
        self.step = step


_FREE = ("device", "checkpoint_every")


def _due(done: int, config: TrainConfig) -> bool:
    every = config.checkpoint_every
    return done == config.steps or bool(every and done % every == 0)


def _difference(saved: Any, own: Any) -> str:
    """The first entry in which two descriptions differ."""
    if isinstance(saved, dict) and isinstance(own, dict):
        for name in own:
            if saved.get(name) != own[name]:
                return f"{name}: {_difference(saved.get(name), own[name])}"
    return f"{str(saved)[:80]} there, {str(own)[:80]} here"


def _checked(data: ArrayLike | Tensor) -> np.ndarray:
    array = data.detach().cpu().numpy() if isinstance(data, Tensor) else data
    values = finite_array("data", array)
    if values.ndim != 3 or 0 in values.shape:
        raise ArgumentError(
            "data", values.shape, "must have shape (n, frames, channels)", "give sequences"
        )
    return values
