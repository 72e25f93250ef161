r"""The semi-synthetic video: what a DiT learns of a ball's motion, from positions and from pixels.

Positions follow a Gaussian process; frames are rendered (`constructions.learned.experiments.ball`).
One network is trained on the positions, one on the pixels (a frame is a token of ``size ** 2``
channels, centred and scaled). Both generate sequences; from generated pixels the position is read
off again. Errors are relative Frobenius distances of covariances from the true ones, of
positions and of pixels (generated positions are rendered). Floors: as many exact sequences,
rendered and read off in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from constructions.learned.errors import generated
from constructions.learned.experiments.ball import positions_of, render
from constructions.learned.experiments.common import (
    Settings,
    data_of,
    law_of,
    network,
    process,
)
from constructions.learned.experiments.table import Table, interval
from unroll.kernels import Exponential

__all__ = ["Config", "evaluate", "figure", "jobs", "prepare", "summary"]

NAME = "moving_ball"
SPACES = ("positions", "pixels")
_ERRORS = ("positions", "positions floor", "pixels", "pixels floor")
_KERNEL = Exponential(6.0, 1.8)  # smooth motion


@dataclass(frozen=True)
class Config(Settings):
    """Sizes of data and images.

    Attributes
    ----------
    size
        Pixels of an edge.
    pixel_width, pixel_steps
        ``width`` and ``steps`` of networks on pixels: a stream narrower than ``size ** 2`` cannot
        carry the noise of a frame.
    drawn, sampler_steps
        Sequences that are generated, and how.
    reference
        Exact videos that the covariance of pixels is estimated from.
    """

    steps: int = 3000
    width: int = 128
    sequences: int = 4096
    size: int = 16
    pixel_width: int = 512
    pixel_steps: int = 10_000
    drawn: int = 2048
    sampler_steps: int = 60
    reference: int = 20_000

    SMALL: ClassVar[dict[str, Any]] = {
        "sequences": 512,
        "size": 8,
        "pixel_width": 96,
        "pixel_steps": 300,
        "drawn": 128,
        "sampler_steps": 20,
        "reference": 2000,
    }
    STANDARD: ClassVar[dict[str, Any]] = {
        "steps": 2000,
        "sequences": 2048,
        "size": 8,
        "pixel_width": 128,
        "pixel_steps": 5000,
        "drawn": 1024,
    }


def jobs(config: Config) -> list[dict[str, Any]]:
    """One training for each space and seed."""
    found = []
    for seed in range(config.seeds):
        for space in SPACES:
            motion = process(_KERNEL, config.frames, 2, 0.3)
            job = config.job(seed, space=space, trains="network", process=motion)
            width, steps = job.pop("pixel_width"), job.pop("pixel_steps")
            found.append(job | {"width": width, "steps": steps} if space == "pixels" else job)
    return found


def prepare(job: dict[str, Any]) -> tuple[Any, np.ndarray]:
    """A network and positions, or pixels, to train it on."""
    data = data_of(law_of(job), job["sequences"], job["seed"])
    if job["space"] == "pixels":
        frames, centre, scale = _video(job, data)
        data = ((frames - centre) / scale).reshape(*frames.shape[:2], -1)
    return network(job, *data.shape[1:]), data


def evaluate(job: dict[str, Any], model: Any) -> dict[str, Any]:
    """Distances of covariances; the generated covariance along the frames; two videos."""
    law, size = law_of(job), job["size"]
    made = generated(
        model,
        (job["drawn"], model.frames, model.channels),
        t_min=job["t_min"],
        t_max=job["t_max"],
        steps=job["sampler_steps"],
        seed=job["seed"],
    )
    exact = data_of(law, job["drawn"], 5_000 + job["seed"])
    exact_video = render(exact, size=size)
    if job["space"] == "pixels":
        _, centre, scale = _video(job, data_of(law, job["sequences"], job["seed"]))
        video = (made * scale + centre).reshape(-1, law.frames, size, size)
        found, floor = positions_of(video), positions_of(exact_video)
    else:
        found, floor, video = made, exact, render(made, size=size)
    pixels = _covariance(render(data_of(law, job["reference"], 9_000), size=size))
    return {
        "positions": _distance(found, law.covariance),
        "positions floor": _distance(floor, law.covariance),
        "pixels": _distance(video, pixels),
        "pixels floor": _distance(exact_video, pixels),
        "along": _along_of(_covariance(found), law.frames),
        "true": _along_of(law.covariance, law.frames),
        "videos": np.round(found[:2], 3).tolist(),
    }


def _video(job: dict[str, Any], positions: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Frames, their mean and their standard deviation."""
    frames = render(positions, size=job["size"])
    return frames, float(frames.mean()), float(frames.std())


def _covariance(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.cov(x.reshape(len(x), -1).T))


def _distance(x: np.ndarray, covariance: np.ndarray) -> float:
    return float(np.linalg.norm(_covariance(x) - covariance) / np.linalg.norm(covariance))


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
        errors = {name: interval([r[name] for r in here]) for name in _ERRORS}
        curves = {k: np.mean([r[k] for r in here], axis=0).tolist() for k in ("along", "true")}
        rows.append({"learned": space, **errors, **curves, "videos": here[0]["videos"]})
        for name in SPACES:
            distance, floor = errors[name], errors[f"{name} floor"]
            told = "above" if distance.low > floor.high else "not told apart from"
            found.append(
                f"learned from {space}, covariance of {name}: distance {distance}, {told} the "
                f"floor of exact sequences {floor}"
            )
    return Table(NAME, vars(config), rows, found)


def figure(table: Table, axes: Any) -> None:
    """Covariance along the frames: generated from positions and from pixels, and true."""
    for row in table.rows:
        axes.plot(row["along"], "o-", ms=3, label=f"generated, {row['learned']}")
    axes.plot(table.rows[0]["true"], "k--", label="true")
    axes.set(xlabel="lag", ylabel="covariance of a coordinate")
    axes.set_title("motion of the ball")
    axes.legend()
