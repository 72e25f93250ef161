r"""Error against what makes a problem hard, at a fixed number of sequences.

Four sweeps, one at a time: the number of frames ``N``, the length scale ``l`` and the correlation
of the channels (both through the condition number ``kappa`` of the noisy covariance at ``t_min``),
and ``t_min`` itself. Theorem 2 of the paper bounds total variation by ``sqrt(N) kappa``, up to
logarithms: slopes of ``(Girsanov's bound)^{1/2}`` of 1/2 and 1. Bounds need not be attained; where
the error does not even rise, the findings say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from constructions.learned.experiments.common import (
    Settings,
    errors,
    law_of,
    log_ticks,
    prepare,
    process,
    process_of,
)
from constructions.learned.experiments.findings import slopes_said
from constructions.learned.experiments.table import Table, interval, slope
from unroll.kernels import Exponential
from unroll.spectrum import enclose_process

__all__ = ["Config", "evaluate", "figure", "jobs", "prepare", "summary"]

NAME = "sequence_length"
#: Sweep to what is plotted, and the slope of the theory.
SWEEPS = {
    "frames": ("N", 0.5),
    "length_scale": ("kappa", 1.0),
    "correlation": ("kappa", 1.0),
    "t_min": ("kappa", 1.0),
}


@dataclass(frozen=True)
class Config(Settings):
    """Values of each sweep; the others stay where they are."""

    sequences: int = 1024
    frames_swept: tuple[int, ...] = (8, 16, 32, 64)
    length_scales: tuple[float, ...] = (1.0, 4.0, 16.0, 64.0)
    correlations: tuple[float, ...] = (0.0, 0.5, 0.9, 0.98)
    t_mins: tuple[float, ...] = (0.002, 0.01, 0.05, 0.25)

    SMALL: ClassVar[dict[str, Any]] = {
        "sequences": 256,
        "frames_swept": (4, 16),
        "length_scales": (1.0, 16.0),
        "correlations": (0.0, 0.9),
        "t_mins": (0.01, 0.1),
    }
    STANDARD: ClassVar[dict[str, Any]] = {
        "frames_swept": (6, 12, 24, 48),
        "length_scales": (1.0, 4.0, 16.0),
        "correlations": (0.0, 0.5, 0.9),
        "t_mins": (0.002, 0.01, 0.05),
    }


def jobs(config: Config) -> list[dict[str, Any]]:
    """One training for each value and seed."""
    base = {"frames": config.frames, "length_scale": 4.0, "correlation": 0.5}
    swept = {
        "frames": config.frames_swept,
        "length_scale": config.length_scales,
        "correlation": config.correlations,
        "t_min": config.t_mins,
    }
    found = []
    for seed in range(config.seeds):
        for name, values in swept.items():
            for value in values:
                chosen: dict[str, Any] = base | {name: value}
                job = Settings.job(
                    config,
                    seed,
                    sweep=name,
                    value=value,
                    trains="network",
                    sequences=config.sequences,
                    process=process(
                        Exponential(float(chosen["length_scale"])),
                        chosen["frames"],
                        config.channels,
                        float(chosen["correlation"]),
                    ),
                )
                job["t_min"] = value if name == "t_min" else config.t_min
                found.append({k: v for k, v in job.items() if k not in _SWEPT})
    return found


_SWEPT = ("frames_swept", "length_scales", "correlations", "t_mins")


def evaluate(job: dict[str, Any], model: Any) -> dict[str, Any]:
    """Errors of the network, and the condition number."""
    law, gp = law_of(job), process_of(job["process"])
    kappa = enclose_process(gp).condition_number(job["t_min"])
    return errors(model, law, job) | {"kappa": float(kappa), "N": gp.frames}


def summary(records: list[dict[str, Any]], config: Config) -> Table:
    """Means and intervals by value; slopes over each sweep."""
    rows: list[dict[str, Any]] = []
    found: list[str] = []
    for name, (axis, theory) in SWEEPS.items():
        mine = [r for r in records if r["sweep"] == name]
        values = list(dict.fromkeys(r["value"] for r in mine))
        for value in values:
            here = [r for r in mine if r["value"] == value]
            rows.append(
                {
                    "sweep": name,
                    "value": value,
                    "N": here[0]["N"],
                    "kappa": here[0]["kappa"],
                    "root": interval([r["root"] for r in here]),
                    "relative": interval([r["relative"] for r in here]),
                }
            )
        x = [row[axis] for row in rows if row["sweep"] == name]
        by_seed = []
        for seed in range(config.seeds):
            known = {r["value"]: r["root"] for r in mine if r["seed"] == seed}
            if len(known) == len(values):
                by_seed.append([known[value] for value in values])
        if by_seed:
            rate = slope(x, by_seed)
            said = slopes_said(f"{name}, against {axis}", rate, theory)
            rises = "" if rate.low > 0 else "; the error does not rise beyond doubt"
            found.append(said + rises)
    return Table(NAME, vars(config), rows, found)


def figure(table: Table, axes: Any) -> None:
    """Error over the condition number, for each sweep; frames on their own numbers."""
    for name, (axis, _) in SWEEPS.items():
        rows = sorted(table.where(sweep=name), key=lambda row: float(row[axis]))
        x, e = [row[axis] for row in rows], [row["root"] for row in rows]
        low = [y.mean - y.low for y in e]
        high = [y.high - y.mean for y in e]
        label = f"{name} ({axis})"
        axes.errorbar(x, [y.mean for y in e], yerr=[low, high], marker="o", label=label)
    axes.set(xscale="log", yscale="log", xlabel="N or kappa", ylabel="(Girsanov's bound)$^{1/2}$")
    log_ticks(axes.xaxis, axes.yaxis)
    axes.set_title("trained DiT: what makes a problem hard")
    axes.legend(fontsize=8)
