"""Measure a model against the closed form, and each of its blocks against what it should compute.

Three questions, because an iteration forgives: an error made in an early block is contracted away
by the later ones and would not show in the output.

1. Is the score right? Relative root-mean-square error against the closed form, over t.
2. Does every block compute its step? The first block whose iterate leaves the numpy iteration of
   the plan by more than rounding allows is named.
3. Are the weights those of the plan? The first tensor that differs is named.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from constructions.architecture import Architecture, BlockShape
from constructions.compile import check_fit, compile_plan, iterate_blocks
from constructions.unrolled import UnrolledTransformer
from unroll.errors import ArgumentError
from unroll.rounding import unit_roundoff
from unroll.schedules import alpha_sq, sigma_sq
from unroll.score import NoisyCovariance
from unroll.validation import Array, generator, integer

__all__ = ["Verification", "verify"]

_INTERIOR_TIMES = 50
_BATCH_ELEMENTS = 2**24
# What a plan's weights may differ by when exp and log come from another platform.
_WEIGHT_ULPS = 64


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes
    ----------
    times
        Diffusion times, array (T,).
    relative_error
        ``(sum ||s_hat - s||^2 / sum ||s||^2)^(1/2)`` over the sampled sequences, array (T,).
    standard_error
        Its standard error over the samples (NaN for a single sample), array (T,).
    block_deviation
        Distance of each iterate from the plan's numpy iteration, relative to the score, the largest
        over the probed times, array (iterates,).
    allowed_deviation
        What rounding and inexact gates or products allow.
    tol
        The plan's promise.
    first_divergence
        ``None``, or a sentence that names the first block or tensor that is not as planned.
    """

    times: Array
    relative_error: Array
    standard_error: Array
    block_deviation: Array
    allowed_deviation: float
    tol: float
    first_divergence: str | None

    @property
    def worst(self) -> float:
        """The largest relative error (NaN if any is)."""
        return float(np.max(self.relative_error))

    @property
    def passed(self) -> bool:
        """Whether the score is within ``tol`` and every block and tensor is as planned."""
        return self.worst <= self.tol and self.first_divergence is None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with ``relative_error`` the worst over t."""
        return {
            "relative_error": _finite(self.worst),
            "tol": self.tol,
            "passed": self.passed,
            "first_divergence": self.first_divergence,
            "block_deviation": _finite(float(np.max(self.block_deviation))),
            "allowed_deviation": self.allowed_deviation,
            "times": self.times.tolist(),
            "relative_errors": [_finite(x) for x in self.relative_error],
            "standard_errors": [_finite(x) for x in self.standard_error],
        }


def verify(
    model: UnrolledTransformer,
    times: ArrayLike | None = None,
    samples: int = 4,
    rng: int | np.random.Generator = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Compare a model with the closed-form score and with its plan.

    Parameters
    ----------
    model
        A built or loaded model.
    times
        Diffusion times; by default both ends of the range and 50 between them.
    samples
        Sequences ``V ~ p_t`` per time.
    rng
        Seed or generator.
    progress
        Called with (done, total) as work proceeds.
    """
    if not isinstance(model, UnrolledTransformer):
        raise ArgumentError("model", model, "is not an UnrolledTransformer", "build or load one")
    plan, gp = model.plan, model.plan.gp
    check_fit(model.architecture, plan)
    integer("samples", samples, 1)
    draw = generator(rng)
    if times is None:
        # the spacing rounds: clip keeps both ends exactly in the range
        spaced = np.geomspace(plan.t_min, plan.t_max, _INTERIOR_TIMES + 2)
        times = np.clip(spaced, plan.t_min, plan.t_max)
    ts = np.atleast_1d(plan.check_times(times))
    if ts.ndim != 1 or len(ts) == 0:
        raise ArgumentError(
            "times", times, "must be a list of diffusion times", "give at least one"
        )
    v = np.concatenate([gp.sample_noisy(samples, float(t), draw) for t in ts])
    v_times = np.repeat(ts, samples)

    per_sequence = max(
        _elements(kind, model.architecture) for kind in model.architecture.kinds.values()
    )
    chunk = max(1, _BATCH_ELEMENTS // per_sequence)
    errors, sizes = np.empty(len(v)), np.empty(len(v))
    for start in range(0, len(v), chunk):
        part = slice(start, start + chunk)
        exact = gp.score(v[part], v_times[part])
        with torch.no_grad():
            batch = torch.as_tensor(v[part], dtype=model.embed.dtype, device=model.embed.device)
            score = model(batch, torch.as_tensor(v_times[part], device=batch.device))
        computed = score.double().cpu().numpy()
        with np.errstate(over="ignore", invalid="ignore"):  # broken weights: inf is the answer
            errors[part] = np.sum((computed - exact) ** 2, axis=(1, 2))
        sizes[part] = np.sum(exact**2, axis=(1, 2))
        if progress:
            progress(min(start + chunk, len(v)), len(v))
    relative, standard = _ratio(errors.reshape(len(ts), -1), sizes.reshape(len(ts), -1))
    deviation = _block_deviation(model, draw)
    allowed = _allowed_deviation(model)
    return Verification(
        ts, relative, standard, deviation, allowed, plan.tol, _divergence(model, deviation, allowed)
    )


def _elements(kind: BlockShape, a: Architecture) -> int:
    """Numbers that one sequence keeps alive in a block of that kind."""
    attention = kind.attention
    if attention is None:
        return a.frames * kind.hidden
    per_head = a.frames * (attention.value_channels + a.frames * (a.scores_from == "stream"))
    if attention.score == "linear":
        per_head = attention.score_channels * attention.value_channels
    return attention.heads * per_head + a.frames * kind.hidden


def _ratio(errors: Array, sizes: Array) -> tuple[Array, Array]:
    """Root of the ratio of means per row, and its standard error by linearisation."""
    n = errors.shape[1]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        ratio = errors.sum(1) / sizes.sum(1)
        relative = np.sqrt(ratio)
        if n == 1:
            return relative, np.full_like(relative, math.nan)
        spread = np.std(errors - ratio[:, None] * sizes, axis=1, ddof=1) / math.sqrt(n)
        return relative, spread / sizes.mean(1) / (2 * relative)


def _block_deviation(model: UnrolledTransformer, rng: np.random.Generator) -> Array:
    """How far each block's iterate is from the plan's iteration, relative to the exact score."""
    plan = model.plan
    ts = np.array([plan.t_min, math.sqrt(plan.t_min * plan.t_max), plan.t_max])
    v = np.concatenate([plan.gp.sample_noisy(1, t, rng) for t in ts])
    # the model sees v in its own precision; so does the reference
    tensor = torch.as_tensor(v, dtype=model.embed.dtype, device=model.embed.device)
    iterates = model.iterates(tensor, torch.as_tensor(ts, device=tensor.device))
    size = np.linalg.norm(plan.gp.score(v, ts), axis=(1, 2))
    if plan.products is not None:  # whose errors do not shrink with the score
        size = np.maximum(size, _typical_size(plan.gp.noisy_cov, ts))
    reference = plan.run(tensor.double().cpu().numpy(), ts)
    with np.errstate(over="ignore", invalid="ignore"):
        deviations = [
            np.max(np.linalg.norm(x.double().cpu().numpy() - s, axis=(1, 2)) / size)
            for x, s in zip(iterates, reference, strict=True)
        ]
    return np.array(deviations)


def _typical_size(noisy_cov: NoisyCovariance, ts: Array) -> Array:
    """``(E ||s||^2)^{1/2} = tr(A_t^{-1})^{1/2}`` at each time."""
    eigenvalues = np.outer(noisy_cov.temporal_eigen[0], noisy_cov.spatial_eigen[0])
    a, noise = alpha_sq(ts)[:, None, None], sigma_sq(ts)[:, None, None]
    return np.asarray(np.sqrt(np.sum(1 / (a * eigenvalues + noise), axis=(1, 2))))


def _allowed_deviation(model: UnrolledTransformer) -> float:
    """The budget of rounding, gates and products; an estimate is for the whole iteration and for
    many sequences, and a single iterate of a single sequence may exceed it several times.
    """
    plan = model.plan
    estimate = 1 if plan.rounding_model == "guaranteed" else 8
    return estimate * plan.budget.rounding + plan.budget.conditioning


def _divergence(model: UnrolledTransformer, deviation: Array, allowed: float) -> str | None:
    wrong = np.flatnonzero(~(deviation <= allowed))
    changed = _changed_tensor(model)
    if len(wrong):
        k = int(wrong[0])
        block = iterate_blocks(model.architecture)[k]
        return (
            f"block {block} leaves its reference: its iterate is off by {deviation[k]:.2g} of the "
            f"score, the budget allows {allowed:.2g}"
            + (f"; {changed} is not as planned" if changed else "")
        )
    return f"{changed} is not the tensor that the plan compiles to" if changed else None


def _changed_tensor(model: UnrolledTransformer) -> str | None:
    """The first tensor that is not as planned."""
    planned = compile_plan(model.plan).tensors()
    for name, tensor in model.state_dict().items():
        found = tensor.cpu().numpy()
        wanted = planned[name].astype(
            found.dtype
        )  # as building rounds, to zero where it underflows
        slack = _WEIGHT_ULPS * unit_roundoff(model.plan.dtype) * np.abs(wanted)
        if not np.all(np.abs(found - wanted) <= slack):
            return name
    return None


def _finite(x: float) -> float | None:
    """JSON has no NaN or infinity."""
    return float(x) if math.isfinite(x) else None
