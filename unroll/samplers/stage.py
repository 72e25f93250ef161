"""What a sampler is: stages that evaluate the score once and combine it linearly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unroll.errors import ArgumentError
from unroll.validation import Array, finite_array, generator, integer

__all__ = ["Sampler", "Score", "Stage"]

#: v (n, frames, channels) and one diffusion time t to the score, same shape as v.
Score = Callable[[Array, float], Any]

Vector = tuple[float, ...]


@dataclass(frozen=True)
class Stage:
    """One evaluation of the score, and what is done with it.

    On registers ``x_0, x_1, ...``, each a sequence (frames, channels):

        e = score(sum_j read_j x_j, t),
        x_i <- sum_j keep_ij x_j + gain_i e + noise_i z,    z ~ N(0, I).

    Attributes
    ----------
    t : float
        Diffusion time of the evaluation.
    read, gain, noise : tuple of float
        One number per register.
    keep : tuple of tuple of float
        Square.
    """

    t: float
    read: Vector
    keep: tuple[Vector, ...]
    gain: Vector
    noise: Vector

    @classmethod
    def step(cls, t: float, a: float, b: float, c: float = 0.0) -> Stage:
        """The one-register stage ``v <- a v + b score(v, t) + c z``."""
        return cls(t, (1.0,), ((a,),), (b,), (c,))


@dataclass(frozen=True)
class Sampler:
    """A list of steps, each a list of stages. Register 0 is the sequence; the others start at 0.

    Attributes
    ----------
    name : str
        The method.
    times : tuple of float
        Grid from t_max down to t_min.
    steps : tuple of tuple of Stage
        One entry per interval of the grid.
    last : Stage or None
        What is done at t_min: Tweedie's denoising, or nothing.
    """

    name: str
    times: tuple[float, ...]
    steps: tuple[tuple[Stage, ...], ...]
    last: Stage | None = None

    @property
    def stages(self) -> Iterator[Stage]:
        """All stages in order."""
        return chain(chain.from_iterable(self.steps), () if self.last is None else (self.last,))

    @property
    def registers(self) -> int:
        """Number of sequences carried along."""
        return len(self.steps[0][0].read)

    @property
    def evaluations(self) -> int:
        """Score evaluations for one sample."""
        return sum(1 for _ in self.stages)

    @property
    def stochastic(self) -> bool:
        """Whether a stage adds noise."""
        return any(any(stage.noise) for stage in self.stages)

    def sample(
        self,
        score: Score,
        shape: tuple[int, int, int],
        *,
        rng: int | np.random.Generator = 0,
        start_mean: ArrayLike | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Array:
        """Draw sequences, array (n, frames, channels); arguments as for `unroll.sample_reverse`."""
        size = checked_shape(shape)
        if not callable(score):
            raise ArgumentError("score", score, "must be callable", "give (v, t) -> score")
        draws = generator(rng)
        start = draws.standard_normal(size)
        if start_mean is not None:
            start = start + start_array(start_mean, size[1], size[2])
        registers = [start] + [np.zeros(size) for _ in range(self.registers - 1)]
        for done, step in enumerate(self.steps):
            for stage in step:
                registers = _advance(stage, registers, score, draws)
            if progress is not None:
                progress(done + 1, len(self.steps))
        if self.last is not None:
            registers = _advance(self.last, registers, score, draws)
        return registers[0]


def _advance(
    stage: Stage, registers: list[Array], score: Score, draws: np.random.Generator
) -> list[Array]:
    value = _evaluate(score, _combine(stage.read, registers), stage.t)
    noise = draws.standard_normal(value.shape) if any(stage.noise) else value
    terms = [*registers, value, noise]
    return [
        _combine((*keep, gain, c), terms)
        for keep, gain, c in zip(stage.keep, stage.gain, stage.noise, strict=True)
    ]


def _combine(coefficients: Vector, terms: list[Array]) -> Array:
    total = np.zeros_like(terms[0])
    for coefficient, term in zip(coefficients, terms, strict=True):
        if coefficient:
            total += coefficient * term
    return total


def _evaluate(score: Score, v: Array, t: float) -> Array:
    value = np.asarray(score(v, t), dtype=np.float64)
    if value.shape != v.shape:
        condition = f"returned shape {value.shape} for v of shape {v.shape}"
        raise ArgumentError("score", score, condition, "return one value per entry of v")
    if not np.all(np.isfinite(value)):
        condition = f"returned NaN or infinity at t = {t:.6g}"
        raise ArgumentError("score", score, condition, "check the range of t the score is made for")
    return value


def checked_shape(shape: Any) -> tuple[int, int, int]:
    """Three positive integers (n, frames, channels)."""
    if not isinstance(shape, tuple | list) or len(shape) != 3:
        condition = "must be three integers (n, frames, channels)"
        raise ArgumentError("shape", shape, condition, "give for example (100, 64, 2)")
    n, frames, channels = (integer("shape", size, 1) for size in shape)
    return n, frames, channels


def start_array(start_mean: ArrayLike, frames: int, channels: int) -> Array:
    """The mean of the start, broadcast to (frames, channels)."""
    mean = finite_array("start_mean", start_mean)
    try:
        return np.broadcast_to(mean, (frames, channels))
    except ValueError:
        shapes = f"shape {mean.shape} does not broadcast to (frames, channels)"
        condition = f"{shapes} = {(frames, channels)}"
        remedy = "give one value per frame and channel"
        raise ArgumentError("start_mean", mean, condition, remedy) from None
