"""What experiments share: settings, the problem of a job, its network, errors of a model.

A job says in ``trains`` what it trains: ``"network"`` (many of one shape can be trained at once),
``"hand-built"`` (an architecture of this library) or nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch

from constructions.learned.dit import DiT
from constructions.learned.errors import girsanov, score_error
from constructions.learned.training import TrainConfig
from constructions.learned.truth import GaussianLaw, Law
from unroll.gaussian_process import GaussianProcess
from unroll.kernels import Kernel, kernel_from_dict
from unroll.validation import choice

__all__ = [
    "SIZES",
    "Settings",
    "data_of",
    "errors",
    "law_of",
    "log_ticks",
    "network",
    "prepare",
    "process",
    "process_of",
    "spatial",
    "training",
    "untrained",
]

#: For a live demonstration; for two cores (the saved tables); for a GPU.
SIZES = ("small", "standard", "full")


@dataclass(frozen=True)
class Settings:
    """Sizes that all experiments have.

    Attributes
    ----------
    seeds
        Repetitions: data, initial weights, and draws of the training.
    steps, batch
        Of the training.
    width, depth, heads
        Of the DiT.
    frames, channels
        Shape of a sequence.
    t_min, t_max
        Range of the diffusion time.
    """

    seeds: int = 5
    steps: int = 2000
    batch: int = 256
    width: int = 64
    depth: int = 3
    heads: int = 4
    frames: int = 16
    channels: int = 2
    t_min: float = 0.01
    t_max: float = 5.0

    #: What an experiment changes of the sizes below.
    SMALL: ClassVar[dict[str, Any]] = {}
    STANDARD: ClassVar[dict[str, Any]] = {}

    @classmethod
    def sized(cls, size: str) -> Self:
        """``"small"`` takes seconds on two cores, ``"standard"`` minutes, ``"full"`` a GPU."""
        if choice("size", size, SIZES) == "full":
            return cls()
        common = {"batch": 64, "width": 32, "depth": 2}
        if size == "standard":
            return cls(**(common | {"steps": 1000, "frames": 12} | cls.STANDARD))
        return cls(**(common | {"seeds": 2, "steps": 150, "frames": 8} | cls.SMALL))

    def job(self, seed: int, **values: Any) -> dict[str, Any]:
        """A job: everything that these settings say, and more."""
        return asdict(self) | values | {"seed": seed, "seeds": None}


def spatial(channels: int, correlation: float = 0.5) -> np.ndarray:
    """``Sigma_ab = correlation^|a - b|``."""
    places = np.arange(channels)
    return np.asarray(correlation ** np.abs(np.subtract.outer(places, places)), dtype=np.float64)


def process(kernel: Kernel, frames: int, channels: int, correlation: float = 0.5) -> dict[str, Any]:
    """A centred Gaussian process as part of a job."""
    return {
        "kernel": kernel.to_dict(),
        "frames": frames,
        "channels": channels,
        "correlation": correlation,
    }


def process_of(description: dict[str, Any]) -> GaussianProcess:
    """The process that `process` described."""
    return GaussianProcess(
        kernel_from_dict(description["kernel"]),
        description["frames"],
        spatial(description["channels"], description["correlation"]),
    )


def network(job: dict[str, Any], frames: int, channels: int, **net: Any) -> DiT:
    """The DiT of a job, with its initial weights."""
    shape = {name: job[name] for name in ("width", "depth", "heads")}
    return DiT(frames, channels, seed=job["seed"], **(shape | net))


def training(job: dict[str, Any], count: int, device: str) -> TrainConfig:
    """How a job trains on so many sequences."""
    return TrainConfig(
        steps=job["steps"],
        batch=min(job["batch"], count),
        learning_rate=job.get("learning_rate", 1e-3),
        warmup=min(100, job["steps"] // 10),
        t_min=job["t_min"],
        t_max=job["t_max"],
        seed=job["seed"],
        device=device,
    )


def untrained(job: dict[str, Any], **net: Any) -> DiT:
    """A DiT with initial weights, and gates that are open: at first they let nothing through."""
    model = network(job, job["frames"], job["channels"], **net)
    with torch.no_grad():
        for block in model.blocks:
            modulation: Any = block.modulation
            _, _, gate, _, _, gate_mlp = modulation.bias.chunk(6)
            gate.fill_(1.0)
            gate_mlp.fill_(1.0)
    return model


def errors(model: Any, law: Law, job: dict[str, Any], samples: int = 1024) -> dict[str, Any]:
    """Girsanov's bound in nats, its root (total variation goes like it), relative score errors."""
    found = girsanov(model, law, job["t_min"], job["t_max"], samples=samples, seed=10_000)
    times = np.geomspace(job["t_min"], job["t_max"], 4)
    relative = score_error(model, law, times, samples=samples, seed=20_000)
    mean_square = float(np.mean(relative.value**2))
    return {
        "nats": found.value,
        "root": float(np.sqrt(found.value)),
        "relative": float(np.sqrt(mean_square)),
        "at_t_min": float(relative.value[0]),
    }


def data_of(law: Law, count: int, seed: int) -> np.ndarray:
    """Sequences to train on, (count, frames, channels)."""
    generator = torch.Generator().manual_seed(1000 + seed)
    return law.draw(count, generator).numpy()


def log_ticks(*axes: Any) -> None:
    """Numbers at 1, 2 and 5 times powers of ten, on axes that may span less than a decade."""
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

    for axis in axes:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())


def prepare(job: dict[str, Any]) -> tuple[DiT, np.ndarray]:
    """The DiT of a job and sequences of its process."""
    law = law_of(job)
    data = data_of(law, job["sequences"], job["seed"])
    return network(job, law.frames, law.channels), data


def law_of(job: dict[str, Any]) -> GaussianLaw:
    """The law of the process of a job."""
    return GaussianLaw.of(process_of(job["process"]))
