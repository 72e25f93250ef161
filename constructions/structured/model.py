"""`StructuredTransformer`: the same weights, run by what they are seen to do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn

from constructions.modules import Transformer
from constructions.structured.moment import TimeFeatures
from constructions.structured.program import Program, Schedule
from constructions.unrolled import UnrolledTransformer
from unroll.errors import ArgumentError

__all__ = ["ScoreAt", "StructuredTransformer", "accelerate"]

_VERSION = attrgetter("_version")
_LENGTHS = 16  # sequence lengths whose programs are kept
# Sequences that are run together, in bytes of one channel group: what the cache holds with two
# spectra and a padded copy. Measured from 2^16 to 2^30: 2^20 is the best, by a quarter at the ends.
_BYTES = 1 << 20


class StructuredTransformer(nn.Module):
    """A model whose forward pass equals that of ``model`` up to rounding, faster.

    Parameters
    ----------
    model
        The model. Its weights are read once, and again when they have been changed in place by
        torch operations; after any other change, such as through ``.data``, call `refresh`.
        Gradients flow to sequences and diffusion times, not to the weights; hooks of the model's
        layers see nothing.
    """

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        _keep_freed_memory()
        self.model = model
        self.refresh()

    def refresh(self) -> None:
        """Read the weights anew."""
        with torch.no_grad():
            self._time = TimeFeatures(self.model.time)
        # plain attributes: those of modules are looked up slowly
        self._architecture, self._dtype = self.model.architecture, self.model.embed.dtype
        radius = self.model.radius
        self._radius = None if radius is None else radius.detach()
        self._programs: dict[int, Program] = {}
        self._weights = [*self.model.parameters(), *self.model.buffers()]
        self._version = self._current_version()

    def _current_version(self) -> int:
        return sum(map(_VERSION, self._weights))

    def _apply(self, fn: Any, recurse: bool = True) -> StructuredTransformer:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.refresh()
        return self

    def program(self, frames: int) -> Program:
        """The steps for sequences of that many frames."""
        if self._version != self._current_version():
            self.refresh()
        if frames not in self._programs:
            if len(self._programs) >= _LENGTHS:
                self._programs.pop(next(iter(self._programs)))
            with torch.no_grad():
                self._programs[frames] = Program(self.model, frames, self._time)
        return self._programs[frames]

    @property
    def mechanisms(self) -> list[str]:
        """What carries each block: ``"convolution"``, ``"scan"``, ... or plain ``"attention"``."""
        return self.program(self._architecture.frames).mechanisms()

    def forward(self, v: Tensor, t: Tensor | float) -> Tensor:
        """The score of noisy sequences: parameters, result and errors as for the plain model."""
        if isinstance(t, float) and self._is_valid(v) and self._covers(t):
            return self._run(v.reshape(-1, *v.shape[-2:]), float(t)).reshape(v.shape)
        batch, times = self.model._check(v, t)
        if batch.dtype != self._dtype:  # the model itself was converted
            self.refresh()
        return self._run(batch, _distinct(times)).reshape(v.shape)

    def at(self, t: Tensor | float) -> ScoreAt:
        """The score as a function of the sequences alone, with all that depends on ``t`` at hand.

        Parameters
        ----------
        t
            Diffusion time, a number, or a tensor (batch,) for batches of that size.
        """
        frames, channels = self._architecture.frames, self._architecture.channels
        if not (isinstance(t, float) and self._covers(t)):
            count = t.numel() if isinstance(t, Tensor) else 1
            sequences = self.model.embed.new_zeros(1, 1, 1).expand(count, frames, channels)
            t = _distinct(self.model._check(sequences, t)[1])
        return ScoreAt(self, self._schedule(frames, t, kept=True))

    def score_sequences(self, sequences: Sequence[Tensor], t: Tensor | float) -> list[Tensor]:
        """As `UnrolledTransformer.score_sequences`."""
        if not isinstance(self.model, UnrolledTransformer):
            kind = type(self.model).__name__
            remedy = "build one, or call forward"
            raise ArgumentError("model", kind, "is not an UnrolledTransformer", remedy)
        return self.model._score_sequences(
            sequences, t, lambda v, times: self._run(v, _distinct(times))
        )

    def _run(self, v: Tensor, t: float | Tensor) -> Tensor:
        """The forward pass proper, for checked sequences (B, n, d) and one or B times."""
        return self._follow(v, self._schedule(v.shape[1], t, kept=False))

    def _schedule(self, frames: int, t: float | Tensor, *, kept: bool) -> Schedule:
        program = self.program(frames)
        return Schedule(program, self._time.at(t), self._dtype, kept=kept)

    def _follow(self, v: Tensor, schedule: Schedule) -> Tensor:
        if not v.shape[0]:
            return torch.zeros_like(v)
        # a few sequences at a time stay in the cache; with several times they have their own
        size = v.shape[1] * v.shape[2] * v.element_size()
        few = v.shape[0]
        if schedule.moment.rows is None and few * size > _BYTES:
            few = -(-few // -(-few * size // _BYTES))
        if few >= v.shape[0]:
            score = schedule.program.run(v, schedule)
        else:
            score = torch.cat(
                [schedule.program.run(part, schedule) for part in torch.split(v, few)]
            )
        if self._radius is not None:  # the nearest point in a ball, as in the plain model
            length = torch.linalg.vector_norm(score, dim=(1, 2), keepdim=True)
            score = score * (self._radius / torch.maximum(length, self._radius))
        return score

    def _is_valid(self, v: Any) -> bool:
        """Whether the sequences pass, quickly; where not, the plain model's check says why."""
        a = self._architecture
        return (
            isinstance(v, Tensor)
            and v.dtype == self._dtype
            and v.ndim in (2, 3)
            and v.shape[-2:] == (a.frames, a.channels)
            and math.isfinite((v.detach() if v.requires_grad else v).sum().item())
        )

    def _covers(self, t: float) -> bool:
        return self._architecture.t_min <= t <= self._architecture.t_max


class ScoreAt:
    """The score at one diffusion time, with the weights as they were when it was made."""

    def __init__(self, model: StructuredTransformer, schedule: Schedule) -> None:
        self._model, self._schedule = model, schedule

    def __call__(self, v: Tensor) -> Tensor:
        """The score of noisy sequences (batch, frames, channels) or (frames, channels)."""
        several = self._schedule.moment.rows or 1
        if several > 1 or not self._model._is_valid(v):
            inside = torch.full((several,), self._model._architecture.t_min, dtype=torch.float64)
            self._model.model._check(v, inside)
        batch = v.reshape(-1, *v.shape[-2:])
        return self._model._follow(batch, self._schedule).reshape(v.shape)


def accelerate(model: Transformer) -> StructuredTransformer:
    """The same weights, run by what they are seen to do.

    Parameters
    ----------
    model
        Any `Transformer`; layers without structure run as they stand.

    Raises
    ------
    ArgumentError
        ``model`` is something else.

    Examples
    --------
    >>> import torch
    >>> from constructions import build
    >>> from unroll import Exponential, GaussianProcess
    >>> gp = GaussianProcess(Exponential(4.0), frames=16, spatial_cov=[[1.0]])
    >>> plain = build(gp, method="chebyshev", attention="softmax", tol=1e-3)
    >>> fast = accelerate(plain)
    >>> v = torch.as_tensor(gp.sample(2, rng=0))
    >>> torch.allclose(fast(v, 0.5), plain(v, 0.5), rtol=1e-12, atol=1e-12)
    True
    """
    if not isinstance(model, Transformer):
        raise ArgumentError(
            "model", type(model).__name__, "is not a Transformer", "build or load one"
        )
    return StructuredTransformer(model)


@cache
def _keep_freed_memory() -> None:
    """Have the C library keep some tens of megabytes that are freed.

    glibc hands blocks of a megabyte back to the system, and asks for fresh pages in the next layer,
    until a block of that size has been freed once: its thresholds move, up to 32 MB (mallopt(3),
    ``M_MMAP_THRESHOLD``). Measured, transforms of 16 times 16384 numbers take half the time then.
    """
    torch.empty((1 << 25) - (1 << 13), dtype=torch.uint8)


def _distinct(times: Tensor) -> float | Tensor:
    """The one diffusion time (as a number, unless it carries a gradient), or all of them."""
    if len(times) and not times.requires_grad and bool((times == times[0]).all()):
        return float(times[0])
    return times[:1] if times.stride(0) == 0 else times
