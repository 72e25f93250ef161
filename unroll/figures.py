"""The figures of the demo and the notebooks: plain arrays in, one PNG out.

Matplotlib is an optional extra and is imported on first use; no global state of it is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unroll.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["attention_maps", "autocovariance", "convergence", "covariances", "sample_paths"]

Array = NDArray[np.float64]

#: Colours that stay apart for the colour-blind (Okabe and Ito), darkest first.
COLORS = ("#0b5394", "#d55e00", "#009e73", "#b8579b", "#7a6a00")
INK, FAINT = "#1c2733", "#93a1ad"
_STYLE: Any = {
    "font.size": 10,
    "font.family": "sans-serif",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e9ee",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "image.interpolation": "nearest",
    "savefig.dpi": 160,
    "figure.dpi": 160,
}


@contextmanager
def _page(path: Path, width: float, height: float) -> Iterator[Figure]:
    """A figure in this module's style, written to `path` at the end."""
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        remedy = "install the extra: pip install 'unrolled-transformers[figures]'"
        raise ArgumentError("figures", path, "matplotlib is not installed", remedy) from None
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        figure.savefig(path)


def autocovariance(
    path: Path,
    empirical: Array,
    error: Array,
    kernels: Mapping[str, Array],
    *,
    chosen: str,
    channels: Sequence[str],
    frame_unit: str,
) -> None:
    """Fitted kernels over the empirical autocorrelation.

    Parameters
    ----------
    empirical, error : ndarray of shape (frames, channels)
        Autocorrelation of each channel by lag, and its standard error.
    kernels : mapping of name to ndarray of shape (frames,)
        Fitted kernels by lag; `chosen` names the one to stand out.
    """
    lags = np.arange(len(empirical))
    with _page(path, 7.2, 3.8) as figure:
        axes = figure.subplots()
        nudge = 0.12 * lags[-1] / 47
        for a, name in enumerate(channels):
            axes.errorbar(
                lags + (2 * a - len(channels) + 1) * nudge,
                empirical[:, a],
                error[:, a],
                fmt="os^D"[a % 4],
                ms=3.2,
                lw=0.8,
                color=COLORS[a + 1],
                alpha=0.8,
                label=f"{name}, ± 1 s.e.",
            )
        styles = iter(["--", ":", "-."])
        for name, values in kernels.items():
            best = name == chosen
            axes.plot(
                lags,
                values,
                color=COLORS[0] if best else INK,
                lw=2.4 if best else 1.0,
                ls="-" if best else next(styles),
                alpha=1.0 if best else 0.7,
                zorder=3 if best else 2,
                label=f"{name} (chosen)" if best else name,
            )
        axes.set(xlabel=f"lag ({frame_unit}s)", ylabel="autocorrelation")
        axes.set_ylim(min(0.0, float((empirical - error).min())) - 0.05, 1.05)
        axes.axhline(0, color=FAINT, lw=0.8)
        axes.legend(ncols=2, loc="best", fontsize=9)


def convergence(
    path: Path, panels: Mapping[str, Mapping[str, tuple[Array, Array]]], tol: float
) -> None:
    """Error of the iterate after each block (lines) and its theoretical rate (dashes).

    Parameters
    ----------
    panels : mapping of title to mapping of name to (measured, rate)
        One panel per diffusion time; both arrays have shape (layers,), entry k belongs to the
        iterate after k + 1 blocks.
    tol : float
        The tolerance the models were built for.
    """
    with _page(path, 9.2, 3.7) as figure:
        all_axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        for axes, (title, curves) in zip(all_axes, panels.items(), strict=True):
            for color, (name, (measured, rate)) in zip(COLORS, curves.items(), strict=False):
                layers = np.arange(1, len(measured) + 1)
                axes.plot(layers, rate, color=color, ls=(0, (4, 3)), lw=1.1)
                axes.plot(layers, measured, color=color, lw=2, label=name)
            axes.axhline(tol, color=FAINT, lw=1)
            axes.set(yscale="log", xscale="log", title=title, xlabel="blocks")
            axes.annotate(
                f"tol = {tol:g}",
                (0.985, tol),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="bottom",
                color=INK,
                fontsize=9,
            )
        all_axes[0].set_ylabel("relative rms score error")
        all_axes[0].plot([], [], color=INK, ls=(0, (4, 3)), lw=1.1, label="theoretical rate")
        all_axes[0].legend(loc="lower left", fontsize=9)


def attention_maps(
    path: Path, panels: Mapping[str, Array], differences: Mapping[str, Array]
) -> None:
    """Matrices over (query frame, key frame): covariances on one colour scale, then differences.

    Each difference has a scale of its own, symmetric about zero.
    """
    with _page(path, 2.9 * (len(panels) + len(differences)), 3.1) as figure:
        all_axes = figure.subplots(1, len(panels) + len(differences))
        top = max(float(matrix.max()) for matrix in panels.values())
        for axes, (title, matrix) in zip(all_axes, panels.items(), strict=False):
            image = axes.imshow(matrix, vmin=0, vmax=top, cmap="viridis")
            _frames_axes(axes, title)
            figure.colorbar(image, ax=axes, shrink=0.72, pad=0.03)
        for axes, (title, matrix) in zip(all_axes[len(panels) :], differences.items(), strict=True):
            limit = float(np.abs(matrix).max()) or 1.0
            image = axes.imshow(matrix, vmin=-limit, vmax=limit, cmap="RdBu_r")
            _frames_axes(axes, title)
            figure.colorbar(image, ax=axes, shrink=0.72, pad=0.03)


def sample_paths(
    path: Path,
    groups: Mapping[str, Array],
    *,
    std: Array,
    channels: Sequence[str],
    frame_unit: str,
    unit: str,
    show: int = 12,
) -> None:
    """Sequences of several groups side by side, and the marginal distribution of each channel.

    Parameters
    ----------
    groups : mapping of title to ndarray of shape (n, frames, channels)
        The first `show` sequences are drawn, all of them counted.
    std : ndarray of shape (channels,)
        Standard deviation of the fitted marginal, drawn as a Gaussian density.
    """
    with _page(path, 3.3 * (len(groups) + 1), 2.5 * len(channels)) as figure:
        grid = figure.subplots(
            len(channels), len(groups) + 1, squeeze=False, sharey="row", sharex="col"
        )
        for a, row in enumerate(grid):
            reach = 3.9 * std[a]
            for color, axes, (title, x) in zip(COLORS[1:], row, groups.items(), strict=False):
                axes.plot(x[:show, :, a].T, color=color, lw=0.9, alpha=0.75)
                axes.set_ylim(-reach, reach)
                if a == 0:
                    axes.set_title(title)
            row[0].set_ylabel(f"{channels[a]} ({unit})")
            bins = np.linspace(-reach, reach, 40)
            for color, (title, x) in zip(COLORS[1:], groups.items(), strict=False):
                row[-1].hist(
                    x[:, :, a].ravel(),
                    bins=bins,
                    density=True,
                    orientation="horizontal",
                    histtype="step",
                    color=color,
                    lw=1.4,
                    label=title,
                )
            density = np.exp(-((bins / std[a]) ** 2) / 2) / (std[a] * np.sqrt(2 * np.pi))
            row[-1].plot(density, bins, color=INK, lw=1.1, ls="--", label="fit")
        grid[0][-1].set_title("marginals")
        grid[0][-1].legend(fontsize=8.5, loc="upper right")
        for axes in grid[-1][:-1]:
            axes.set_xlabel(frame_unit)
        grid[-1][-1].set_xlabel("density")


def covariances(
    path: Path, fitted: Array, sampled: Array, deviation: Array, lag_panel: Mapping[str, Any]
) -> None:
    """Covariance of the samples beside that of the fit, entrywise and by lag.

    Parameters
    ----------
    fitted, sampled : ndarray of shape (frames * channels, frames * channels)
        Covariances, channel by channel in blocks.
    deviation : ndarray, same shape
        Their difference in standard errors.
    lag_panel : mapping
        ``names`` of the channel pairs, ``fitted`` and ``sampled`` covariances by lag and their
        ``error``, arrays of shape (pairs, frames); ``frame_unit``.
    """
    with _page(path, 12.2, 3.1) as figure:
        all_axes = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.35])
        top = float(np.abs(fitted).max())
        for axes, title, matrix in zip(
            all_axes[:2],
            ("covariance of the fit", "of the samples"),
            (fitted, sampled),
            strict=True,
        ):
            image = axes.imshow(matrix, vmin=-top, vmax=top, cmap="RdBu_r")
            _frames_axes(axes, title, label="channel, frame")
            figure.colorbar(image, ax=axes, shrink=0.72, pad=0.03)
        image = all_axes[2].imshow(deviation, vmin=-4, vmax=4, cmap="PuOr")
        _frames_axes(all_axes[2], "difference / s.e.", label="channel, frame")
        figure.colorbar(image, ax=all_axes[2], shrink=0.72, pad=0.03)
        axes = all_axes[3]
        lags = np.arange(len(lag_panel["fitted"][0]))
        for a, name in enumerate(lag_panel["names"]):
            axes.plot(lags, lag_panel["fitted"][a], color=COLORS[a], lw=1.2, label=name)
            axes.errorbar(
                lags,
                lag_panel["sampled"][a],
                3 * lag_panel["error"][a],
                fmt=".",
                ms=3.5,
                lw=0.9,
                color=COLORS[a],
            )
        axes.axhline(0, color=FAINT, lw=0.8)
        axes.set(xlabel=f"lag ({lag_panel['frame_unit']}s)", title="by lag: fit, samples ± 3 s.e.")
        axes.legend(fontsize=8.5)


def _frames_axes(axes: Any, title: str, label: str = "frame") -> None:
    axes.set(title=title, xlabel=label)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
