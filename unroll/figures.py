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
        lowest = min(float((empirical - error).min()), *(float(k.min()) for k in kernels.values()))
        axes.set_ylim(lowest - 0.05, 1.02)
        if lowest < 0.05:
            axes.axhline(0, color=FAINT, lw=0.8)
        figure.legend(ncols=3, loc="outside upper left", fontsize=9)


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
                axes.plot(layers, measured, color=color, lw=3.5, alpha=0.55, label=name)
                axes.plot(layers, rate, color=color, ls=(0, (3, 2)), lw=1.3)
            axes.axhline(tol, color=INK, lw=0.8)
            axes.set(yscale="log", xscale="log", title=title, xlabel="blocks", ylim=(1e-17, 5))
            axes.annotate(
                f"tol = {tol:g}",
                (0.02, tol),
                xytext=(0, -3),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="top",
                color=INK,
                fontsize=9,
            )
        all_axes[0].set_ylabel("relative rms score error")
        all_axes[0].plot([], [], color=INK, ls=(0, (3, 2)), lw=1.3, label="theoretical rate")
        all_axes[0].legend(loc="lower left", fontsize=9)


def attention_maps(
    path: Path,
    patterns: Mapping[str, Array],
    temporal_cov: Array,
    carried: Mapping[str, Array],
) -> None:
    """What heads look like, and how far what they add up to is from Gamma.

    Parameters
    ----------
    patterns : mapping of title to ndarray of shape (frames, frames [+ 1])
        Attention patterns of single heads, drawn each on its own scale.
    temporal_cov : ndarray of shape (frames, frames)
        Gamma of the fit.
    carried : mapping of name to ndarray of shape (frames, frames)
        What the heads of a model add up to.
    """
    columns = max(len(patterns), 2 + len(carried))
    with _page(path, 3.0 * columns, 6.0) as figure:
        grid = figure.subplots(2, columns, squeeze=False)
        for axes in grid.ravel():
            axes.set_axis_off()
        frames = len(temporal_cov)
        for axes, (title, matrix) in zip(grid[0], patterns.items(), strict=False):
            inner = matrix[:, :frames]  # a sink may be far above the frames
            limits = {"vmin": float(inner.min()), "vmax": float(inner.max())}
            _matrix(figure, axes, title, matrix, cmap="viridis", **limits)
        scale = {"vmin": float(temporal_cov.min()), "vmax": 1.0 + 1e-9}  # 1 up to rounding
        _matrix(figure, grid[1][0], "Γ of the fit", temporal_cov, cmap="viridis", **scale)
        first, *_ = carried.items()
        _matrix(figure, grid[1][1], f"Γ carried by {first[0]}", first[1], cmap="viridis", **scale)
        for axes, (name, matrix) in zip(grid[1][2:], carried.items(), strict=False):
            difference = matrix - temporal_cov
            limit = float(np.abs(difference).max()) or 1.0
            title = f"{name} − Γ"
            _matrix(figure, axes, title, difference, cmap="RdBu_r", vmin=-limit, vmax=limit)


def sample_paths(
    path: Path,
    groups: Mapping[str, Array],
    *,
    std: Array,
    channels: Sequence[str],
    frame_unit: str,
    unit: str,
    show: int = 6,
) -> None:
    """Sequences of several groups side by side, and the marginal distribution of each channel.

    Parameters
    ----------
    groups : mapping of title to ndarray of shape (n, frames, channels)
        At most `show` of the sequences, evenly spaced, are drawn; all are counted.
    std : ndarray of shape (channels,)
        Standard deviation of the fitted marginal, drawn as a Gaussian density.
    """
    shown = {title: x[:: -(-len(x) // show)] for title, x in groups.items()}
    with _page(path, 3.3 * (len(groups) + 1), 2.5 * len(channels)) as figure:
        grid = figure.subplots(
            len(channels), len(groups) + 1, squeeze=False, sharey="row", sharex="col"
        )
        for a, row in enumerate(grid):
            reach = max(
                3.8 * std[a], *(float(np.abs(x[:show, :, a]).max()) for x in groups.values())
            )
            reach *= 1.05
            for color, axes, (title, x) in zip(COLORS[1:], row, shown.items(), strict=False):
                axes.plot(x[:, :, a].T, color=color, lw=1.1, alpha=0.75)
                axes.set_ylim(-reach, reach)
                if a == 0:
                    axes.set_title(title)
            row[0].set_ylabel(f"{channels[a]} ({unit})")
            bins = np.linspace(-reach, reach, 31)
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
            fine = np.linspace(-reach, reach, 200)
            density = np.exp(-((fine / std[a]) ** 2) / 2) / (std[a] * np.sqrt(2 * np.pi))
            row[-1].plot(density, fine, color=INK, lw=1.1, ls="--", label="fit")
        grid[0][-1].set_title("marginals")
        grid[0][-1].legend(fontsize=8.5, loc="upper right")
        for axes in grid[-1][:-1]:
            axes.set_xlabel(frame_unit)
        grid[-1][-1].set_xlabel("density")


def covariances(
    path: Path,
    fitted: Array,
    sampled: Array,
    deviation: Array,
    by_lag: Mapping[str, tuple[Array, Array, Array]],
    *,
    channels: Sequence[str],
    frame_unit: str,
) -> None:
    """Covariance of the samples beside that of the fit, entrywise and by lag.

    Parameters
    ----------
    fitted, sampled : ndarray of shape (channels * frames, channels * frames)
        Covariances, channel by channel in blocks.
    deviation : ndarray, same shape
        Their difference in standard errors.
    by_lag : mapping of name to (fitted, sampled, error), each of shape (frames,)
        Covariance of a pair of channels by lag.
    """
    with _page(path, 12.2, 3.2) as figure:
        all_axes = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.35])
        top = float(max(np.abs(fitted).max(), np.abs(sampled).max()))
        for axes, title, matrix, limit, cmap in zip(
            all_axes,
            ("fit: Σ ⊗ Γ", "samples", "(samples − fit) / s.e."),
            (fitted, sampled, deviation),
            (top, top, 4.0),
            ("RdBu_r", "RdBu_r", "PuOr"),
            strict=False,
        ):
            _matrix(figure, axes, title, matrix, cmap=cmap, vmin=-limit, vmax=limit)
            frames = len(matrix) // len(channels)
            middles = frames * (np.arange(len(channels)) + 0.5) - 0.5
            axes.set_xlabel("")
            axes.set_xticks(middles, channels)
            axes.set_yticks(middles, channels, rotation=90, va="center")
            for edge in frames * np.arange(1, len(channels)) - 0.5:
                axes.axhline(edge, color=INK, lw=0.6)
                axes.axvline(edge, color=INK, lw=0.6)
        axes = all_axes[3]
        for color, (name, (line, points, error)) in zip(COLORS, by_lag.items(), strict=False):
            lags = np.arange(len(line))
            axes.plot(lags, line, color=color, lw=1.2, label=name)
            axes.errorbar(lags, points, 3 * error, fmt=".", ms=3.5, lw=0.9, color=color)
        axes.set(xlabel=f"lag ({frame_unit}s)", title="by lag: fit (lines), samples ± 3 s.e.")
        axes.margins(y=0.3)
        axes.legend(fontsize=8.5, loc="upper right")


def _matrix(
    figure: Figure, axes: Any, title: str, matrix: Array, *, cmap: str, **limits: float
) -> None:
    """One matrix over (query frame, key frame) with its colour bar; above it, orange."""
    from matplotlib import colormaps

    axes.set_axis_on()
    colors = colormaps[cmap].with_extremes(over=COLORS[1] if cmap == "viridis" else None)
    image = axes.imshow(matrix, cmap=colors, aspect="equal", **limits)
    axes.set(title=title, xlabel="frame")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar: Any = figure.colorbar(image, ax=axes, shrink=0.72, pad=0.03)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=8.5)
    bar.formatter.set_powerlimits((-2, 3))
