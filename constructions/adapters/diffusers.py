r"""Hand-built models driven by the schedulers of `diffusers`.

Their forward process is x = sqrt(abar_k) x_0 + sqrt(1 - abar_k) noise at integer timesteps k; ours
is V_t = e^{-t/2} X + sqrt(1 - e^{-t}) Z. They are one and the same at

    e^{-t} = abar_k,    t = -log abar_k = log(1 + sigma_k^2),    sigma_k^2 = (1 - abar_k) / abar_k,

so the score of V_t serves as it is; schedulers in the variable x_0 + sigma noise (Euler, Heun, ...)
hand the model ``scale_model_input(x)``, which is V_t again. What a model is asked for:

    epsilon:       -sigma_t s
    sample:        (v + sigma_t^2 s) / alpha_t
    v_prediction:  alpha_t epsilon - sigma_t sample = -(sigma_t / alpha_t) (v + s)

`diffusers` itself (extra ``diffusers``) is imported by `make_scheduler` only: everything else
speaks to the scheduler it is given.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from unroll.errors import ArgumentError
from unroll.validation import integer

__all__ = ["DiffusersModel", "ModelOutput", "make_scheduler", "sample", "time_range"]

#: v (batch, frames, channels) and diffusion times t (batch,) to the score.
TorchScore = Callable[[Tensor, Tensor], Tensor]

_MARGIN = 1e-6
_PREDICTIONS = ("epsilon", "sample", "v_prediction")


@dataclass(frozen=True)
class ModelOutput:
    """What models of that ecosystem return: the prediction as ``.sample``, or ``[0]``."""

    sample: Tensor

    def __getitem__(self, index: int) -> Tensor:
        return (self.sample,)[index]


def make_scheduler(name: str, **config: Any) -> Any:
    """A scheduler of `diffusers` by class name, with clipping to [-1, 1] turned off.

    Parameters
    ----------
    name
        Such as ``"DDPMScheduler"``, ``"DDIMScheduler"``, ``"DPMSolverMultistepScheduler"``,
        ``"EulerDiscreteScheduler"``.
    **config
        Its configuration.

    Raises
    ------
    ArgumentError
        `diffusers` is not installed, or has no such scheduler.
    """
    try:
        import diffusers
    except ImportError:
        remedy = "install the extra: pip install 'unrolled-transformers[diffusers]'"
        raise ArgumentError("name", name, "needs diffusers, which is missing", remedy) from None
    kind = getattr(diffusers, str(name), None)
    if not (isinstance(kind, type) and hasattr(kind, "set_timesteps")):
        remedy = "give a class name such as 'DDIMScheduler'"
        raise ArgumentError("name", name, "is not a scheduler of diffusers", remedy)
    if "clip_sample" in inspect.signature(kind).parameters:
        config.setdefault("clip_sample", False)
    return kind(**config)


class DiffusersModel(nn.Module):
    """A score in the role of a diffusers model: ``(sample, timestep)`` to a prediction.

    Parameters
    ----------
    score
        An `UnrolledTransformer`, or any function of tensors v (batch, frames, channels) and t
        (batch,).
    scheduler
        The scheduler that will call: its noise schedule and ``prediction_type`` are read.

    Raises
    ------
    ArgumentError
        A scheduler of another kind of process (EDM scaling, flow matching), one that clips, or an
        unknown prediction type.
    """

    def __init__(self, score: nn.Module | TorchScore, scheduler: Any) -> None:
        super().__init__()
        self.score = score
        self.scheduler = scheduler
        self.prediction_type = _checked(scheduler)

    def times(self, timestep: Any) -> Tensor:
        """Diffusion times of scheduler timesteps, float64 tensor (number of timesteps,)."""
        steps = torch.as_tensor(timestep, dtype=torch.float64).reshape(-1).cpu()
        return torch.stack([self._time(step) for step in steps])

    def _time(self, step: Tensor) -> Tensor:
        scheduler = self.scheduler
        sigmas, known = getattr(scheduler, "sigmas", None), scheduler.timesteps.double().cpu()
        matches = torch.nonzero(known == step).reshape(-1)
        if sigmas is not None and len(matches):
            # Rounded timesteps may repeat: then the scheduler knows which one it is at.
            current = getattr(scheduler, "step_index", None)
            index = current if current in matches.tolist() else int(matches[0])
            return torch.log1p(sigmas[index].double().cpu() ** 2)
        if not (0 <= step < len(scheduler.alphas_cumprod)) or step != step.round():
            condition = "is not a timestep of the scheduler"
            remedy = "use scheduler.timesteps, or an integer of its training schedule"
            raise ArgumentError("timestep", step.item(), condition, remedy)
        return -torch.log(scheduler.alphas_cumprod[int(step)].double().cpu())

    def forward(
        self, sample: Tensor, timestep: Any, *args: Any, return_dict: bool = True, **kwargs: Any
    ) -> ModelOutput | tuple[Tensor]:
        """The prediction, of the shape and type of ``sample`` (batch, frames, channels).

        Further arguments (class labels, prompts) are taken and ignored, as there is nothing to
        condition on.
        """
        embed = getattr(self.score, "embed", sample)  # a model computes in its own precision
        v = sample.to(dtype=embed.dtype, device=embed.device)
        t = self.times(timestep).to(embed.device).expand(len(v))
        score = self.score(v, t)
        view = t.reshape(-1, *[1] * (v.ndim - 1))
        alpha, sigma = torch.exp(-view / 2), torch.sqrt(-torch.expm1(-view))
        if self.prediction_type == "epsilon":
            prediction = -sigma * score
        elif self.prediction_type == "sample":
            prediction = (v + sigma**2 * score) / alpha
        else:
            prediction = -(sigma / alpha) * (v + score)
        prediction = prediction.to(dtype=sample.dtype, device=sample.device)
        return ModelOutput(prediction) if return_dict else (prediction,)

    def check_range(self) -> None:
        """`ArgumentError` where the model does not cover the scheduler's timesteps."""
        shape = getattr(self.score, "architecture", None)
        if shape is None:
            return
        times = self.times(self.scheduler.timesteps)
        low, high = float(times.min()), float(times.max())
        if low < shape.t_min or high > shape.t_max:
            raise ArgumentError(
                "score",
                f"t in [{shape.t_min:g}, {shape.t_max:g}]",
                f"does not cover the scheduler's diffusion times [{low:.6g}, {high:.6g}]",
                f"build it with t_min={0.999 * low:.4g}, t_max={1.001 * high:.4g} (time_range)",
            )


def time_range(scheduler: Any, steps: int | None = None) -> tuple[float, float]:
    """A range of diffusion times that covers those at which a scheduler evaluates its model.

    Parameters
    ----------
    scheduler
        A scheduler of diffusers.
    steps
        Inference steps; by default the whole training schedule. Sets the scheduler's timesteps.

    Returns
    -------
    Smallest and largest time, a little apart: schedulers know them to float32 only.
    """
    _checked(scheduler)
    if steps is None:
        times = -torch.log(scheduler.alphas_cumprod.double())
    else:
        scheduler.set_timesteps(integer("steps", steps, 1))
        times = DiffusersModel(_nothing, scheduler).times(scheduler.timesteps)
    return float(times.min()) * (1 - _MARGIN), float(times.max()) * (1 + _MARGIN)


def sample(
    score: nn.Module | TorchScore,
    scheduler: Any,
    shape: tuple[int, int, int],
    steps: int,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float64,
    **step_options: Any,
) -> Tensor:
    """Draw sequences with a scheduler's own loop.

    Parameters
    ----------
    score, scheduler
        As for `DiffusersModel`.
    shape
        (n, frames, channels).
    steps
        Inference steps.
    generator
        Source of the start and of the scheduler's noise.
    dtype
        Of the samples.
    **step_options
        For ``scheduler.step``, such as ``eta=1.0``.

    Returns
    -------
    Tensor (n, frames, channels).
    """
    scheduler.set_timesteps(integer("steps", steps, 1))
    model = DiffusersModel(score, scheduler)
    model.check_range()
    options = step_options | takes_generator(scheduler, generator)
    x: Tensor = torch.randn(shape, generator=generator, dtype=dtype) * scheduler.init_noise_sigma
    with torch.no_grad():
        for timestep in scheduler.timesteps:
            prediction = model(scheduler.scale_model_input(x, timestep), timestep).sample
            x = scheduler.step(prediction, timestep, x, **options).prev_sample
    return x


def takes_generator(scheduler: Any, generator: torch.Generator | None) -> dict[str, Any]:
    """The keyword for ``step``, where it has one: deterministic schedulers do not."""
    accepted = "generator" in inspect.signature(scheduler.step).parameters
    return {"generator": generator} if accepted else {}


def _checked(scheduler: Any) -> str:
    """The prediction type of a scheduler that can be served."""
    config = getattr(scheduler, "config", None)
    kind = type(scheduler).__name__
    if config is None or not hasattr(scheduler, "alphas_cumprod"):
        condition = "has no alphas_cumprod: it is not a scheduler of the variance-preserving kind"
        remedy = "use one such as DDPM, DDIM, DPMSolverMultistep or EulerDiscrete"
        raise ArgumentError("scheduler", kind, condition, remedy)
    for switch in ("clip_sample", "thresholding", "use_flow_sigmas"):
        if config.get(switch):
            condition = f"has {switch} on, which is not the process of a Gaussian"
            raise ArgumentError("scheduler", kind, condition, f"make it with {switch}=False")
    prediction = config.get("prediction_type", "epsilon")
    if prediction not in _PREDICTIONS:
        remedy = f"use one of {', '.join(_PREDICTIONS)}"
        raise ArgumentError("prediction_type", prediction, "is not served", remedy)
    return str(prediction)


def _nothing(v: Tensor, t: Tensor) -> Tensor:
    return torch.zeros_like(v)
