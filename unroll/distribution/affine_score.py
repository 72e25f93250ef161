"""A score function that is affine in the sequence, as a matrix and a shift per diffusion time."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from unroll.errors import ArgumentError
from unroll.samplers.stage import Score
from unroll.validation import Array, integer, positive

__all__ = ["AffineScore"]


class AffineScore:
    """Reads off ``score(v, t) = S_t v + b_t`` by applying the score to basis vectors.

    One batch of N d + 1 sequences per diffusion time; exact up to the rounding of the score, since
    position-only attention makes a model affine. That it is affine is *checked* at every t, on
    random sequences, and a score that is not is refused.

    Parameters
    ----------
    score : callable
        ``score(v, t)`` with v (n, frames, channels) and a float t.
    frames, channels : int
        Shape of a sequence.
    rtol : float
        Deviation from affine that still counts as rounding, relative to ``|S||v| + |b|``.
    remember : int
        How many diffusion times are kept.

    Examples
    --------
    >>> from unroll import Exponential, GaussianProcess
    >>> gp = GaussianProcess(Exponential(4.0), frames=3, spatial_cov=[[1.0]])
    >>> matrix, shift = AffineScore(gp.score, 3, 1).at(0.5)
    >>> matrix.shape, float(abs(shift).max())
    ((3, 3), 0.0)
    """

    def __init__(
        self, score: Score, frames: int, channels: int, *, rtol: float = 1e-9, remember: int = 4
    ) -> None:
        if not callable(score):
            raise ArgumentError("score", score, "must be callable", "give (v, t) -> score")
        self.score = score
        self._name = getattr(score, "__qualname__", type(score).__name__)  # for messages
        self.frames = integer("frames", frames, 1)
        self.channels = integer("channels", channels, 1)
        self.rtol = positive("rtol", rtol)
        self._remember = integer("remember", remember, 0)
        self._known: OrderedDict[float, tuple[Array, Array]] = OrderedDict()

    def at(self, t: float) -> tuple[Array, Array]:
        """The matrix (N d, N d) and the shift (N d,) at one diffusion time.

        Raises
        ------
        ArgumentError
            The score is not affine there, returns another shape, or NaN.
        """
        time = float(t)
        if time in self._known:
            self._known.move_to_end(time)
            return self._known[time]
        found = self._probe(time)
        self._known[time] = found
        while len(self._known) > max(self._remember, 1):
            self._known.popitem(last=False)
        return found

    def __call__(self, v: Array, t: float) -> Array:
        """The score by its affine map: the same values, much faster for many sequences."""
        matrix, shift = self.at(t)
        rows = np.asarray(v).reshape(-1, len(shift))
        return np.asarray((rows @ matrix.T + shift).reshape(np.shape(v)))

    def _probe(self, t: float) -> tuple[Array, Array]:
        size = self.frames * self.channels
        # Random sequences of unit size and of ten times that: a kink at either shows.
        random = np.random.default_rng(0).standard_normal((4, size)) * [
            [1.0],
            [1.0],
            [10.0],
            [10.0],
        ]
        inputs = np.concatenate([np.zeros((1, size)), np.eye(size), random])
        batch = inputs.reshape(-1, self.frames, self.channels)
        values = np.asarray(self.score(batch, t), dtype=np.float64)
        if values.shape != batch.shape:
            condition = f"returned shape {values.shape} for v of shape {batch.shape}"
            raise ArgumentError("score", self._name, condition, "return one value per entry of v")
        if not np.all(np.isfinite(values)):
            condition = f"returned NaN or infinity at t = {t:.6g}"
            remedy = "check the range of t the score is made for"
            raise ArgumentError("score", self._name, condition, remedy)
        rows = values.reshape(len(batch), -1)
        shift, matrix = rows[0], (rows[1 : size + 1] - rows[0]).T
        scale = np.abs(random) @ np.abs(matrix).T + np.abs(shift)
        gap = np.abs(rows[size + 1 :] - random @ matrix.T - shift)
        worst = float(np.max(gap / np.maximum(scale, np.finfo(float).tiny)))
        if worst > self.rtol:
            condition = f"is not affine at t = {t:.6g}: off by {worst:.2g} of its size"
            remedy = "exact laws need an affine score; draw samples instead"
            raise ArgumentError("score", self._name, condition, remedy)
        return matrix, shift
