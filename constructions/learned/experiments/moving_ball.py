r"""The semi-synthetic video: what a DiT learns of a ball's motion, from positions and from pixels.

Positions follow a Gaussian process; frames are rendered (`constructions.learned.experiments.ball`).
One network is trained on the positions, one on the pixels (a frame is a token of 256 channels,
centred and scaled). Both generate sequences; from generated pixels the position is read off again.
The error is the relative Frobenius distance of the covariance of positions from the true one, with
two floors: that of as many exact sequences, and (pixels) of exact videos, rendered and read off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from constructions.learned.errors import generated
from constructions.learned.experiments.ball import positions_of, render
from constructions.learned.experiments.common import (
    Settings,
    data_of,
    law_of,
    process,
    trained,
)
from constructions.learned.experiments.table import Table, interval
from unroll.kernels import Exponential

__all__ = ["Config", "figure", "jobs", "measure", "summary"]

NAME = "moving_ball"
SPACES = ("positions", "pixels")
_KERNEL = Exponential(6.0, 1.8)  # smooth motion


@dataclass(frozen=True)
class Config(Settings):
    """Sizes of data and images."""

    steps: int = 3000
    width: int = 128
    sequences: int = 4096
    size: int = 16
    drawn: int = 2048
    sampler_steps: int = 60

    @classmethod
    def small(cls) -> Config:
        """A minute on two cores."""
        return cls(
            seeds=2,
            steps=150,
            batch=64,
            width=32,
            depth=2,
            frames=8,
            sequences=512,
            size=8,
            drawn=128,
            sampler_steps=20,
        )

    @classmethod
    def full(cls) -> Config:
        """What the saved table was measured with."""
        return cls()


def jobs(config: Config) -> list[dict[str, Any]]:
    """One training for each space and seed."""
    return [
        config.job(seed, space=space, process=process(_KERNEL, config.frames, 2, 0.3))
        for seed in range(config.seeds)
        for space in SPACES
    ]


def measure(job: dict[str, Any], device: str) -> dict[str, Any]:
    """Distances of covariances; the generated covariance along the frames; two videos."""
    law = law_of(job)
    positions = data_of(law, job["sequences"], job["seed"])
    exact = data_of(law, job["drawn"], 5_000 + job["seed"])
    span = {"t_min": job["t_min"], "t_max": job["t_max"], "steps": job["sampler_steps"]}
    if job["space"] == "positions":
        model = trained(job, positions, device)
        shape = (job["drawn"], *positions.shape[1:])
        found = generated(model, shape, seed=job["seed"], **span)
        floor = exact
    else:
        size = job["size"]
        frames = render(positions, size=size)
        centre, scale = frames.mean(), frames.std()
        tokens = ((frames - centre) / scale).reshape(*frames.shape[:2], size * size)
        model = trained(job, tokens, device)
        shape = (job["drawn"], *tokens.shape[1:])
        images = generated(model, shape, seed=job["seed"], **span) * scale + centre
        images = images.reshape(-1, frames.shape[1], size, size)
        found, floor = positions_of(images), positions_of(render(exact, size=size))
    return {
        "distance": _distance(found, law.covariance),
        "floor": _distance(floor, law.covariance),
        "along": _along(found),
        "true": _along_of(law.covariance, positions.shape[1]),
        "videos": np.round(found[:2], 3).tolist(),
    }


def _distance(x: np.ndarray, covariance: np.ndarray) -> float:
    own = np.cov(x.reshape(len(x), -1).T)
    return float(np.linalg.norm(own - covariance) / np.linalg.norm(covariance))


def _along(x: np.ndarray) -> list[float]:
    return _along_of(np.cov(x.reshape(len(x), -1).T), x.shape[1])


def _along_of(covariance: np.ndarray, frames: int) -> list[float]:
    """Mean covariance of one coordinate with itself, by lag."""
    blocks = covariance.reshape(frames, -1, frames, covariance.shape[0] // frames)
    own = np.trace(blocks, axis1=1, axis2=3) / blocks.shape[1]
    return [float(np.diagonal(own, lag).mean()) for lag in range(frames)]


def summary(records: list[dict[str, Any]], config: Config) -> Table:
    """Means and intervals by space."""
    rows: list[dict[str, Any]] = []
    found: list[str] = []
    for space in SPACES:
        here = [r for r in records if r["space"] == space]
        if not here:
            continue
        distance, floor = (interval([r[k] for r in here]) for k in ("distance", "floor"))
        curves = {k: np.mean([r[k] for r in here], axis=0).tolist() for k in ("along", "true")}
        first = {"videos": here[0]["videos"]}
        rows.append({"space": space, "distance": distance, "floor": floor, **curves, **first})
        told = "above" if distance.low > floor.high else "not told apart from"
        found.append(f"{space}: distance {distance}, {told} the floor of exact sequences {floor}")
    return Table(NAME, vars(config), rows, found)


def figure(table: Table, axes: Any) -> None:
    """Covariance along the frames: generated from positions and from pixels, and true."""
    for row in table.rows:
        axes.plot(row["along"], "o-", ms=3, label=f"generated, {row['space']}")
    axes.plot(table.rows[0]["true"], "k--", label="true")
    axes.set(xlabel="lag", ylabel="covariance of a coordinate")
    axes.set_title("motion of the ball")
    axes.legend()
