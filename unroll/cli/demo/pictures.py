"""The figures of one data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unroll import figures
from unroll.cli.demo.measure import lag_covariances
from unroll.cli.demo.models import realised_temporal_cov
from unroll.cli.demo.study import Study

__all__ = ["draw"]

Array = NDArray[np.float64]


def draw(study: Study, folder: Path) -> None:
    """Write autocovariance, convergence, attention, samples and covariance as PNG."""
    data, gp = study.data, study.gp
    channels = [name.replace("_", " ").title() for name in data.channels]
    lags = np.arange(gp.frames)
    figures.autocovariance(
        folder / "autocovariance.png",
        *study.autocorrelation,
        {c.regime: c.kernel.autocov(lags) for c in study.report.candidates},
        chosen=study.report.chosen.regime,
        channels=channels,
        frame_unit=data.frame_unit,
    )
    panels = {f"t = {t:g}": curves for t, curves in study.layer_errors.items()}
    figures.convergence(folder / "convergence.png", panels, study.built[0].plan.tol)
    softmax = study.pick("chebyshev", "softmax").model
    relu = study.pick("chebyshev", "relu").model
    heads = relu.architecture.heads
    patterns = {"softmax head | sink": softmax.attention_matrix()}
    for h in (0, heads // 2, heads - 1):
        patterns[f"ReLU head {h + 1} of {heads}"] = relu.attention_matrix(head=h)
    carried = {
        "softmax": realised_temporal_cov(softmax),
        f"{heads} ReLU heads": realised_temporal_cov(relu),
    }
    figures.attention_maps(folder / "attention.png", patterns, gp.temporal_cov, carried)
    figures.sample_paths(
        folder / "samples.png",
        {
            "data, held out": data.anomalies(data.test),
            "samples": data.anomalies(study.sampled.samples),
        },
        std=data.scale * np.sqrt(np.diag(gp.spatial_cov)),
        channels=channels,
        frame_unit=data.frame_unit,
        unit=data.unit,
    )
    _covariances(study, channels, folder / "covariance.png")


def _covariances(study: Study, channels: list[str], path: Path) -> None:
    gp, samples = study.gp, study.sampled.samples
    n, size = len(samples), gp.frames * gp.channels
    # channel by channel, so that the blocks of the matrix are Sigma_ab Gamma
    flat = (samples - gp.mean).transpose(0, 2, 1).reshape(n, size)
    fitted = np.asarray(np.kron(gp.spatial_cov, gp.temporal_cov), dtype=np.float64)
    sampled = flat.T @ flat / n
    variances = np.diag(fitted)
    spread = np.sqrt((np.outer(variances, variances) + fitted**2) / n)
    by_lag = {
        channels[a] if a == b else f"{channels[a]} x {channels[b]}": (line, points, error)
        for a, b, line, points, error in lag_covariances(gp, samples)
    }
    figures.covariances(
        path,
        fitted,
        sampled,
        (sampled - fitted) / spread,
        by_lag,
        channels=channels,
        frame_unit=study.data.frame_unit,
    )
