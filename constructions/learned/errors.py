r"""How far a score is from the exact one, and what that does to what is generated.

All errors are expectations over noisy sequences ``V_t`` drawn from the true law, by Monte Carlo,
with standard errors.

* relative score error at ``t``: ``(E|s_hat - s|^2 / E|s|^2)^{1/2}``;
* Girsanov's bound of ``KL(truth || generated)``, but for start and early stopping:
  ``1/2 int E|s_hat - s|^2 dt`` over ``[t_min, t_max]``;
* covariance of what a sampler generates, beside the same with the exact score and the same noise:
  the difference of the two is due to the model.

Source: Chen, Chewi, Li, Li, Salim & Zhang, "Sampling is as easy as learning the score", ICLR 2023
(Girsanov).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from constructions.learned.network import noise_scale, signal_scale
from constructions.learned.truth import Law
from unroll.errors import ArgumentError
from unroll.sampling import sample_reverse
from unroll.validation import Array, diffusion_times, integer, positive

__all__ = [
    "Estimate",
    "GeneratedCovariance",
    "generated",
    "generated_covariance_error",
    "girsanov",
    "score_error",
]

Model = Callable[[Tensor, Tensor], Tensor] | nn.Module
_CHUNK = 4096


@dataclass(frozen=True)
class Estimate:
    """A Monte Carlo estimate: value and standard error, numbers or arrays."""

    value: Any
    standard_error: Any


@dataclass(frozen=True)
class GeneratedCovariance:
    """Relative Frobenius distances of sample covariances from the true one.

    Attributes
    ----------
    model, exact
        Driven by the model, and by the exact score with the same noise: its distance is what the
        number of samples, the steps and the start leave.
    """

    model: float
    exact: float


def score_error(
    model: Model, law: Law, times: ArrayLike, *, samples: int = 1024, seed: int = 0
) -> Estimate:
    """Relative root-mean-square error at each diffusion time, with standard errors.

    Parameters
    ----------
    model
        Called as ``model(v, t)``.
    law
        The truth.
    times
        Diffusion times, (T,).
    samples
        Noisy sequences for each.
    seed
        Of the draws.

    Returns
    -------
    Arrays (T,).
    """
    ts = np.atleast_1d(diffusion_times("times", times))
    integer("samples", samples, 2)
    errors, sizes = _squares(model, law, ts, samples, seed)
    ratio = errors.mean(1) / sizes.mean(1)
    spread = np.std(errors - ratio[:, None] * sizes, axis=1, ddof=1) / math.sqrt(samples)
    relative = np.sqrt(ratio)
    with np.errstate(divide="ignore", invalid="ignore"):
        standard = np.where(relative > 0, spread / sizes.mean(1) / (2 * relative), 0.0)
    return Estimate(relative, standard)


def girsanov(
    model: Model,
    law: Law,
    t_min: float,
    t_max: float,
    *,
    nodes: int = 16,
    samples: int = 1024,
    seed: int = 0,
) -> Estimate:
    """``1/2 int E|s_hat - s|^2 dt``, in nats, by Gauss-Legendre nodes in ``log t``.

    Parameters
    ----------
    model, law, samples, seed
        As for `score_error`.
    t_min, t_max
        Range of the diffusion time.
    nodes
        Of the quadrature.
    """
    if not positive("t_min", t_min) < positive("t_max", t_max):
        raise ArgumentError("t_min", t_min, f"must be below t_max={t_max}", "swap them")
    points, weights = np.polynomial.legendre.leggauss(integer("nodes", nodes, 1))
    half = math.log(t_max / t_min) / 2
    ts = np.clip(t_min * np.exp(half * (points + 1)), t_min, t_max)
    errors, _ = _squares(model, law, ts, samples, seed)
    factors = half * weights * ts / 2  # dt = t dlog t
    spread = errors.std(1, ddof=1) / math.sqrt(samples)
    return Estimate(float(factors @ errors.mean(1)), float(np.sqrt(factors**2 @ spread**2)))


def generated_covariance_error(
    model: Model,
    law: Law,
    *,
    t_min: float,
    t_max: float,
    steps: int = 60,
    samples: int = 4096,
    seed: int = 0,
) -> GeneratedCovariance:
    """Draw sequences with the ancestral sampler and compare covariances.

    Parameters
    ----------
    model, law
        As for `score_error`.
    t_min, t_max, steps
        Of the sampler (`unroll.sample_reverse`); it stops at ``t_min`` without denoising, and the
        truth it is compared with is that of ``V`` at ``t_min``.
    samples, seed
        How many, and of which noise.
    """
    signal, noise = math.exp(-t_min), -math.expm1(-t_min)
    truth = signal * law.covariance + noise * np.eye(len(law.covariance))
    shape = (integer("samples", samples, 2), law.frames, law.channels)
    start, distances = math.exp(-t_max / 2) * law.mean, []
    options: dict[str, Any] = {"t_min": t_min, "t_max": t_max, "steps": steps, "seed": seed}
    for score in (model, law):
        drawn = generated(score, shape, start_mean=start, denoise=False, **options)
        found = np.cov(drawn.reshape(samples, -1).T)
        distances.append(float(np.linalg.norm(found - truth) / np.linalg.norm(truth)))
    return GeneratedCovariance(*distances)


def generated(
    model: Model,
    shape: tuple[int, int, int],
    *,
    t_min: float,
    t_max: float,
    steps: int,
    seed: int = 0,
    start_mean: ArrayLike | None = None,
    denoise: bool = True,
) -> Array:
    """Sequences (n, frames, channels) that the ancestral sampler draws with a model.

    Parameters are those of `unroll.sample_reverse`.
    """
    return sample_reverse(
        _in_numpy(model),
        shape,
        t_min=t_min,
        t_max=t_max,
        steps=steps,
        rng=seed,
        denoise=denoise,
        start_mean=start_mean,
    )


def _squares(
    model: Model, law: Law, ts: Array, samples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """``|s_hat - s|^2`` and ``|s|^2`` of sequences, arrays (T, samples)."""
    device, dtype = _place(model)
    generator = torch.Generator(device).manual_seed(seed)
    errors, sizes = [], []
    for t in ts:
        x = law.draw(samples, generator)
        times = torch.full((samples,), float(t), dtype=torch.float64, device=device)
        white = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=device)
        v = signal_scale(times)[:, None, None] * x + noise_scale(times)[:, None, None] * white
        v = v.to(dtype)  # the model and the truth see the same numbers
        exact = law.score(v.double(), times)
        with torch.no_grad():
            parts = zip(torch.split(v, _CHUNK), torch.split(times, _CHUNK), strict=True)
            found = torch.cat([model(part, time) for part, time in parts]).double()
        errors.append((found - exact).square().sum((1, 2)).cpu().numpy())
        sizes.append(exact.square().sum((1, 2)).cpu().numpy())
    return np.array(errors), np.array(sizes)


def _place(model: Model) -> tuple[torch.device, torch.dtype]:
    """Where a model computes, and in which precision; laws follow."""
    if isinstance(model, nn.Module):
        first = next(model.parameters(), None)
        if first is not None:
            return first.device, first.dtype
    return torch.device("cpu"), torch.float64


def _in_numpy(model: Model) -> Callable[[Array, float], Array]:
    device, dtype = _place(model)

    def score(v: Array, t: float) -> Array:
        with torch.no_grad():
            batch = torch.as_tensor(v, dtype=dtype, device=device)
            times = torch.full((len(v),), t, dtype=torch.float64, device=device)
            result: Array = model(batch, times).double().cpu().numpy()
            return result

    return score
