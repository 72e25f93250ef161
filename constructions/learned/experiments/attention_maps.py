r"""Does trained attention show the covariance? Two statistics, with controls that can say no.

Statistics of the attention map ``A`` of a trained DiT, averaged over test sequences, heads and
blocks, at one diffusion time:

* ``rank``: Spearman's correlation of ``(A_ij + A_ji) / 2`` and ``Gamma_ij`` over ``i < j``: 1 if
  frames that are more correlated attend more to each other;
* ``decay``: the slope of ``log`` mean attention against the lag, up to ``N / 2``, over that of
  ``log gamma``: 1 if attention decays like the kernel.

Both would be large whenever attention prefers close frames, for whatever reason. So the same is
measured, against the same ``Gamma``, where attention cannot have learned it from dependence:

* ``untrained``: the initial weights, with open gates;
* ``independent``: trained on sequences with ``Gamma = I``;
* ``shuffled``: trained on the sequences with their frames in an order drawn anew for each one;
* ``positions``: trained with queries and keys that see positions only: such attention can show
  ``Gamma``, but not because of what frames hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import stats

from constructions.learned.dit import DiT
from constructions.learned.experiments.common import (
    Settings,
    data_of,
    law_of,
    network,
    process,
    process_of,
    untrained,
)
from constructions.learned.experiments.table import Table, interval
from constructions.learned.network import noise_scale, signal_scale
from unroll.kernels import Exponential, Kernel, Polynomial

__all__ = ["Config", "attention_statistics", "evaluate", "figure", "jobs", "prepare", "summary"]

NAME = "attention_maps"
KERNELS: dict[str, Kernel] = {"exponential": Exponential(4.0), "polynomial": Polynomial(4.0, 2.0)}
CASES = ("trained", "positions", "untrained", "independent", "shuffled")
STATISTICS = ("rank", "decay")
_INDEPENDENT = Exponential(1e-2)  # gamma(1) = e^-100


@dataclass(frozen=True)
class Config(Settings):
    """Kernels, sequences, and where maps are taken."""

    kernels: tuple[str, ...] = tuple(KERNELS)
    sequences: int = 2048
    time: float = 0.3
    tested: int = 256

    SMALL: ClassVar[dict[str, Any]] = {"sequences": 256, "tested": 64, "kernels": ("exponential",)}
    STANDARD: ClassVar[dict[str, Any]] = {"kernels": ("exponential",)}


def attention_statistics(maps: np.ndarray, gamma: np.ndarray) -> dict[str, float]:
    """``rank`` and ``decay`` of one attention map.

    Parameters
    ----------
    maps
        Mean attention, (frames, frames).
    gamma
        ``gamma(0), ..., gamma(N - 1)``, positive.

    >>> gamma = np.exp(-np.arange(6) / 2)
    >>> lags = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    >>> found = attention_statistics(gamma[lags], gamma)
    >>> round(found["rank"], 6), round(found["decay"], 6)
    (1.0, 1.0)
    """
    frames = len(maps)
    symmetric = (maps + maps.T) / 2
    i, j = np.triu_indices(frames, 1)
    if np.ptp(symmetric[i, j]) <= 1e-9 * np.abs(symmetric).max():
        rank = 0.0  # no preference at all
    else:
        rank = float(stats.spearmanr(symmetric[i, j], gamma[j - i]).statistic)
    lags = np.arange(1, max(2, frames // 2) + 1)
    lags = lags[lags < frames]
    by_lag = np.array([np.diagonal(symmetric, lag).mean() for lag in lags])
    slopes = [np.polyfit(lags, np.log(y), 1)[0] for y in (by_lag, gamma[lags])]
    return {"rank": rank, "decay": float(slopes[0] / slopes[1])}


def jobs(config: Config) -> list[dict[str, Any]]:
    """One for each case, kernel and seed."""
    return [
        config.job(
            seed,
            kernels=None,
            sequences=config.sequences,
            tested=config.tested,
            time=config.time,
            label=label,
            case=case,
            trains=None if case == "untrained" else "network",
            process=process(KERNELS[label], config.frames, config.channels),
        )
        for seed in range(config.seeds)
        for label in config.kernels
        for case in CASES
    ]


def prepare(job: dict[str, Any]) -> tuple[Any, np.ndarray]:
    """A network and its data, for the cases that train."""
    case, law = job["case"], law_of(job)
    if case == "independent":
        law = law_of(job | {"process": process(_INDEPENDENT, job["frames"], job["channels"])})
    data = data_of(law, job["sequences"], job["seed"])
    if case == "shuffled":
        rng = np.random.default_rng(job["seed"])
        data = np.stack([x[rng.permutation(len(x))] for x in data])
    return network(job, law.frames, law.channels, content=case != "positions"), data


def evaluate(job: dict[str, Any], model: Any) -> dict[str, Any]:
    """Statistics of the mean map, and of each block; the mean attention by lag."""
    model = untrained(job) if model is None else model
    gamma = process_of(job["process"]).kernel.autocov(np.arange(job["frames"]))
    maps = _maps(model, data_of(law_of(job), job["tested"], 7_000 + job["seed"]), job["time"])
    mean = maps.mean(0)
    symmetric = (mean + mean.T) / 2
    by_lag = [float(np.diagonal(symmetric, lag).mean()) for lag in range(job["frames"])]
    blocks = [attention_statistics(block, gamma)["rank"] for block in maps]
    return {**attention_statistics(mean, gamma), "by_block": blocks, "by_lag": by_lag}


def _maps(model: DiT, x: np.ndarray, time: float) -> np.ndarray:
    """Mean maps (depth, frames, frames) of noisy sequences."""
    device = model.position.device
    clean = torch.as_tensor(x, dtype=torch.float32, device=device)
    t = torch.full((len(x),), time, dtype=torch.float64, device=device)
    generator = torch.Generator(device).manual_seed(0)
    white = torch.randn(clean.shape, generator=generator, device=device)
    v = (
        signal_scale(t).float()[:, None, None] * clean
        + noise_scale(t).float()[:, None, None] * white
    )
    with torch.no_grad():
        maps: np.ndarray = model.attention_maps(v, t).double().mean((1, 2)).cpu().numpy()
    return maps


def summary(records: list[dict[str, Any]], config: Config) -> Table:
    """Means and intervals by case, and whether trained attention stands out."""
    rows: list[dict[str, Any]] = []
    found: list[str] = []
    for label in config.kernels:
        for case in CASES:
            here = [r for r in records if (r["label"], r["case"]) == (label, case)]
            if here:
                row: dict[str, Any] = {"kernel": label, "case": case}
                row |= {name: interval([r[name] for r in here]) for name in STATISTICS}
                row["by_lag"] = np.mean([r["by_lag"] for r in here], axis=0).tolist()
                rows.append(row)
        cases = {row["case"]: row for row in rows if row["kernel"] == label}
        for control in CASES[1:]:
            if "trained" in cases and control in cases:
                own, other = cases["trained"]["rank"], cases[control]["rank"]
                above = own.low > other.high
                found.append(
                    f"{label}: rank correlation with Gamma {own} trained, {other} {control}: "
                    + ("above the control" if above else "NOT above the control")
                )
    gamma = {k: KERNELS[k].autocov(np.arange(config.frames)).tolist() for k in config.kernels}
    table = Table(NAME, vars(config), rows, found)
    table.config = {**table.config, "gamma": gamma}
    return table


def figure(table: Table, axes: Any) -> None:
    """Mean attention over the lag for each case, beside the kernel."""
    label = table.rows[0]["kernel"]
    for row in table.where(kernel=label):
        y = np.array(row["by_lag"][1:])
        axes.plot(range(1, len(y) + 1), y / y[0], "o-", ms=3, label=row["case"])
    gamma = np.array(table.config["gamma"][label][1:])
    axes.plot(range(1, len(gamma) + 1), gamma / gamma[0], "k--", label="gamma")
    axes.set(yscale="log", xlabel="lag", ylabel="mean attention over that at lag 1")
    axes.set_title(f"attention by lag, {label} kernel")
    axes.legend(fontsize=8)
