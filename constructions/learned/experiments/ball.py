r"""A semi-synthetic video: a ball whose position follows a Gaussian process, rendered to frames.

A frame is an image of ``size x size`` pixels in ``[0, 1]``; the ball is a Gaussian blob, so that
pixels are smooth functions of its position and the position can be read off again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from unroll.errors import ArgumentError
from unroll.validation import Array, finite_array, integer, positive

__all__ = ["positions_of", "render", "write_gif"]

#: Pixels that a position of 1 is from the centre, over the size of the image.
REACH = 0.17


def render(positions: ArrayLike, *, size: int = 16, radius: float = 1.6) -> Array:
    """Frames of a ball.

    Parameters
    ----------
    positions
        Array (..., 2), horizontal and vertical; 0 is the centre, and 3 is about the border.
    size
        Pixels of an edge.
    radius
        Standard deviation of the blob, in pixels.

    Returns
    -------
    Array (..., size, size).
    """
    where = finite_array("positions", positions)
    if where.shape[-1:] != (2,):
        condition = "must have two coordinates in the last axis"
        raise ArgumentError("positions", where.shape, condition, "give (..., 2)")
    positive("radius", radius)
    grid = np.arange(integer("size", size, 4)) - (size - 1) / 2
    centre = REACH * size * where
    x = np.exp(-((grid - centre[..., :1]) ** 2) / (2 * radius**2))
    y = np.exp(-((grid - centre[..., 1:]) ** 2) / (2 * radius**2))
    return np.asarray(y[..., :, None] * x[..., None, :])


def positions_of(frames: ArrayLike) -> Array:
    """Where the ball is: the centre of mass of what is brighter than a third, (..., 2).

    >>> bool(np.abs(positions_of(render([[0.5, -1.0]])) - [0.5, -1.0]).max() < 0.03)
    True
    """
    images = finite_array("frames", frames)
    size = images.shape[-1]
    bright = np.maximum(images - 0.3, 0.0)
    total = np.maximum(bright.sum((-2, -1)), 1e-9)
    grid = np.arange(size) - (size - 1) / 2
    x, y = (bright.sum(axis) @ grid / total for axis in (-2, -1))
    result: Array = np.stack([x, y], axis=-1) / (REACH * size)
    return result


def write_gif(
    path: str | Path, frames: ArrayLike, *, zoom: int = 8, milliseconds: int = 120
) -> None:
    """Videos side by side as a GIF, (videos, frames, size, size) or one of them."""
    from PIL import Image

    videos = finite_array("frames", frames)
    videos = videos if videos.ndim == 4 else videos[None]
    edge = np.ones((*videos.shape[1:3], 1))
    wide = np.concatenate([part for video in videos for part in (video, edge)], axis=-1)[..., :-1]
    pixels = (255 * np.clip(wide, 0, 1)).astype(np.uint8).repeat(zoom, 1).repeat(zoom, 2)
    images = [Image.fromarray(frame) for frame in pixels]
    images[0].save(path, save_all=True, append_images=images[1:], duration=milliseconds, loop=0)
