"""Samples from a transformer's score, and what is wrong with them: sampler, score, or chance.

The same noise z goes three ways: through the probability-flow sampler with the transformer's score,
through the same sampler with the closed-form score, and through the exact flow, which for a
Gaussian is z times the symmetric square root of the covariance. Their differences are the errors of
score and sampler; what the third still shows is chance. The sampler is an affine map of its noise,
so its map can be read off the samples, and with it their exact covariance, free of chance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constructions import UnrolledTransformer
from unroll.cli.demo.measure import Comparison, chance_error, compare
from unroll.cli.output import progress_bar
from unroll.cli.scores import model_score
from unroll.sampling import sample_reverse

__all__ = ["SampleStudy", "sampler_map", "study_samples"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SampleStudy:
    """Three sets of samples and their comparison with the fitted process.

    Attributes
    ----------
    samples : ndarray of shape (n, frames, channels)
        Drawn with the transformer's score.
    comparisons : dict of str to Comparison
        ``exact flow``, ``closed form``, ``transformer``.
    chance : (float, float)
        Relative covariance error of n exact draws: mean and standard deviation.
    sampler_path, score_path : float
        rms difference, relative to the rms of the exact flow, of the closed form's samples from
        the exact flow's, and of the transformer's from the closed form's.
    sampler_error, score_error, total_error : float
        Relative Frobenius distances of exact covariances: closed form to process, transformer to
        closed form, transformer to process.
    map_residual : float
        How far the samples are from being affine in their noise (rounding only).
    steps : int
        Sampler steps.
    """

    samples: Array
    comparisons: dict[str, Comparison]
    chance: tuple[float, float]
    sampler_path: float
    score_path: float
    sampler_error: float
    score_error: float
    total_error: float
    map_residual: float
    steps: int

    def to_dict(self) -> dict[str, Any]:
        """Numbers for `numbers.json`."""
        skip = {"samples", "comparisons"}
        numbers = {name: value for name, value in vars(self).items() if name not in skip}
        groups = {name: found.to_dict() for name, found in self.comparisons.items()}
        return {"n": len(self.samples), **numbers, "comparisons": groups}


def study_samples(
    model: UnrolledTransformer, n: int, steps: int, seed: list[int], label: str, show: bool
) -> SampleStudy:
    """Sample with both scores from the same noise and compare."""
    gp = model.plan.gp

    def draw(score: Callable[[Array, float], Array], name: str) -> Array:
        with progress_bar(steps, f"{label}: sample, {name}", show) as bar:
            return sample_reverse(
                score,
                (n, gp.frames, gp.channels),
                t_min=model.plan.t_min,
                t_max=model.plan.t_max,
                steps=steps,
                rng=np.random.default_rng(seed),
                method="ode",
                start_mean=math.exp(-model.plan.t_max / 2) * gp.mean,
                progress=lambda done, total: bar.update(done - bar.n),
            )

    closed = draw(lambda v, t: gp.score(v, t, solver="eigen"), "closed form")
    samples = draw(model_score(model), "transformer")
    noise = np.random.default_rng(seed).standard_normal(samples.shape)
    exact = gp.covariance()
    values, vectors = np.linalg.eigh(exact)
    flow = noise.reshape(n, -1) @ (vectors * np.sqrt(values)) @ vectors.T
    flow = flow.reshape(samples.shape) + gp.mean
    groups = {"exact flow": flow, "closed form": closed, "transformer": samples}
    maps = [sampler_map(noise, x) for x in (closed, samples)]
    covariances = [linear.T @ linear for linear, _ in maps]

    def distance(one: Array, other: Array) -> float:
        return float(np.linalg.norm(one - other) / np.linalg.norm(exact))

    def path(one: Array, other: Array) -> float:
        return float(np.linalg.norm(one - other) / np.linalg.norm(flow - gp.mean))

    return SampleStudy(
        samples=samples,
        comparisons={name: compare(gp, x) for name, x in groups.items()},
        chance=chance_error(gp, n, np.random.default_rng([*seed, 1])),
        sampler_path=path(closed, flow),
        score_path=path(samples, closed),
        sampler_error=distance(covariances[0], exact),
        score_error=distance(covariances[1], covariances[0]),
        total_error=distance(covariances[1], exact),
        map_residual=max(residual for _, residual in maps),
        steps=steps,
    )


def sampler_map(noise: Array, samples: Array) -> tuple[Array, float]:
    """The matrix F with samples = noise F + constant (rows flattened), and the relative residual.

    Needs more sequences than frames * channels; with an affine score the fit is exact.
    """
    rows = noise.reshape(len(noise), -1)
    design = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    target = samples.reshape(len(samples), -1)
    found, *_ = np.linalg.lstsq(design, target, rcond=None)
    residual = np.linalg.norm(design @ found - target) / np.linalg.norm(target)
    return found[:-1], float(residual)
