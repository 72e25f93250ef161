r"""Do trained networks unroll an algorithm? Linear probes of the residual stream for its iterates.

For noisy sequences at one diffusion time the iterates ``s_2, ..., s_K`` of gradient descent and of
Chebyshev's iteration are computed exactly (``s_1`` is a multiple of the input), and so is the
score itself. Ridge regression looks for each of them in the residual stream after every block,
frame by frame, with one map for all frames; ``R^2`` is taken on other sequences. A stream that
holds ``v_i`` itself predicts part of any ``s_k``, so what counts is the *partial* ``R^2``: how much
of what frame ``i`` of the noisy input alone leaves unexplained is explained.

Controls: the initial weights of the same network with open gates (which mix frames, too), and the
hand-built Chebyshev model, whose blocks hold the iterates exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import stats

from constructions.build import build
from constructions.learned.experiments.common import (
    Settings,
    prepare,
    process,
    process_of,
    untrained,
)
from constructions.learned.experiments.table import Table, interval
from unroll.gaussian_process import GaussianProcess
from unroll.kernels import Exponential
from unroll.methods import get_method, iterate
from unroll.schedules import alpha_sq, sigma_sq

__all__ = [
    "Config",
    "evaluate",
    "figure",
    "iterates",
    "jobs",
    "partial_r2",
    "prepare",
    "summary",
]

NAME = "unrolling_probes"
METHODS = ("gradient", "chebyshev")
CASES = ("trained", "untrained", "hand-built")
_RIDGE = 1e-6  # times the mean square of a channel
_HELD = 0.1  # partial R^2 below which a block is said to hold no iterate


@dataclass(frozen=True)
class Config(Settings):
    """The process, the iterates, and how many sequences."""

    depth: int = 6
    length_scale: float = 4.0
    sequences: int = 4096
    time: float = 0.1
    iterates: int = 8
    probed: int = 1024

    SMALL: ClassVar[dict[str, Any]] = {"depth": 3, "sequences": 512, "iterates": 4, "probed": 256}
    STANDARD: ClassVar[dict[str, Any]] = {"depth": 6}


def jobs(config: Config) -> list[dict[str, Any]]:
    """One for each case and seed."""
    return [
        config.job(
            seed,
            case=case,
            trains="network" if case == "trained" else None,
            process=process(Exponential(config.length_scale), config.frames, config.channels),
        )
        for seed in range(config.seeds)
        for case in CASES
    ]


def iterates(gp: GaussianProcess, v: np.ndarray, t: float, method: str, count: int) -> np.ndarray:
    """``s_1, ..., s_count``, array (count, sequences, frames, channels), with the exact operator.

    Step sizes are those for the exact ends of the spectrum.
    """
    values = np.linalg.eigvalsh(gp.temporal_cov)
    mu = np.linalg.eigvalsh(gp.spatial_cov)
    signal, noise = alpha_sq(t), sigma_sq(t)
    lower, upper = signal * values[0] * mu[0] + noise, signal * values[-1] * mu[-1] + noise

    def matvec(s: np.ndarray) -> np.ndarray:
        return np.asarray(signal * (gp.temporal_cov @ s @ gp.spatial_cov) + noise * s)

    b = v - np.exp(-t / 2) * gp.mean
    found = iterate(get_method(method), matvec, b, np.array(lower), np.array(upper), count)
    return np.stack([*found])


def partial_r2(stream: np.ndarray, own: np.ndarray, target: np.ndarray) -> float:
    """Of the variance of a target that ``own`` leaves, the share that the stream explains.

    Parameters
    ----------
    stream, own, target
        Arrays (sequences, frames, channels): what is probed, what is known anyway, what is looked
        for. The first half of the sequences is fitted, the other half judged.

    Returns
    -------
    At most 1; below 0 where the probe is worse than nothing.
    """
    ones = np.ones((*own.shape[:2], 1))
    known, all_of_it = np.concatenate([own, ones], -1), np.concatenate([stream, own, ones], -1)
    half = len(target) // 2
    left = []
    for features in (known, all_of_it):
        train, test = features[:half], features[half:]
        x = train.reshape(-1, train.shape[-1])
        y = target[:half].reshape(-1, target.shape[-1])
        gram = x.T @ x
        ridge = _RIDGE * np.trace(gram) / len(gram)
        weights = np.linalg.solve(gram + ridge * np.eye(len(gram)), x.T @ y)
        left.append(float(np.sum((target[half:] - test @ weights) ** 2)))
    return 1.0 - left[1] / left[0]


def evaluate(job: dict[str, Any], model: Any) -> dict[str, Any]:
    """Partial ``R^2`` of every iterate but the first, and of the score, after every block: lists
    (blocks, iterates) by method.
    """
    gp, t = process_of(job["process"]), job["time"]
    v = gp.sample_noisy(job["probed"], t, np.random.default_rng(job["seed"]))
    streams = _streams(job, gp, v, model)
    found: dict[str, Any] = {}
    for method in METHODS:
        targets = [*iterates(gp, v, t, method, job["iterates"])[1:], gp.score(v, t)]
        found[method] = [[partial_r2(x, v, s) for s in targets] for x in streams]
    return found


def _streams(
    job: dict[str, Any], gp: GaussianProcess, v: np.ndarray, model: Any
) -> list[np.ndarray]:
    if job["case"] == "hand-built":
        built = build(gp, method="chebyshev", tol=0.1, t_min=0.05, t_max=job["t_max"])
        names = [f"blocks.{k}.stream" for k in range(min(job["depth"], len(built.blocks)))]
        traced = built.trace(torch.as_tensor(v), job["time"], names)
        return [traced[name].numpy() for name in names]
    model = untrained(job) if model is None else model
    with torch.no_grad():
        batch = torch.as_tensor(v, dtype=torch.float32, device=model.position.device)
        states = model.residual_stream(batch, job["time"]).double().cpu().numpy()
    return [*states[1:]]


def summary(records: list[dict[str, Any]], config: Config) -> Table:
    """Mean partial ``R^2`` by case, method, block and iterate; whether later blocks hold later
    iterates.
    """
    rows: list[dict[str, Any]] = []
    found: list[str] = []
    for case in CASES:
        here = [r for r in records if r["case"] == case]
        if not here:
            continue
        for method in METHODS:
            matrices = np.array([r[method] for r in here])  # (seeds, blocks, iterates)
            for block in range(matrices.shape[1]):
                row: dict[str, Any] = {"case": case, "method": method, "block": block + 1}
                names = [f"s_{k}" for k in range(2, matrices.shape[2] + 1)] + ["score"]
                row |= {n: interval(matrices[:, block, k]) for k, n in enumerate(names)}
                rows.append(row)
            found.append(f"{case}, {method}: {_said(matrices)}")
    return Table(NAME, vars(config), rows, found)


def _said(matrices: np.ndarray) -> str:
    """Which iterate each block holds best, and whether later blocks hold later ones."""
    iterates = matrices[..., :-1]
    best = np.where(iterates.max(-1) > _HELD, iterates.argmax(-1) + 2.0, np.nan)
    means = ["-" if np.isnan(b).any() else f"{b.mean():.1f}" for b in best.T]
    return (
        f"best iterate by block {', '.join(means)}; rank correlation with the block "
        f"{interval([_trend(b) for b in best])}; of the score after the last block "
        f"{interval(matrices[:, -1, -1])}"
    )


def _trend(best: np.ndarray) -> float:
    blocks = np.flatnonzero(~np.isnan(best))
    if len(set(best[blocks].tolist())) < 2:
        return 0.0
    return float(stats.spearmanr(blocks, best[blocks]).statistic)


def figure(table: Table, axes: Any) -> None:
    """Partial ``R^2`` of an early and a late iterate and of the score, over blocks."""
    names = [name for name in table.rows[0] if name.startswith("s_")] + ["score"]
    for case, style in zip(CASES, ("-", ":", "--"), strict=True):
        rows = table.where(case=case, method="chebyshev")
        for name, colour in ((names[0], "C0"), (names[len(names) // 2], "C1"), (names[-1], "C2")):
            y = [row[name].mean for row in rows]
            axes.plot(
                [row["block"] for row in rows], y, style, color=colour, label=f"{name}, {case}"
            )
    axes.set(xlabel="block", ylabel="partial $R^2$", ylim=(-0.05, 1.05))
    axes.set_title("Chebyshev iterates in the residual stream")
    axes.legend(fontsize=7, ncol=3)
