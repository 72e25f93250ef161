"""The rendered ball: where it is drawn, that it is found again, and the GIF."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.learned.experiments.ball import REACH, positions_of, render, write_gif
from unroll import ArgumentError


def test_a_frame_by_loops():
    frame = render([[0.5, -1.0]], size=9, radius=1.3)[0]
    assert frame.shape == (9, 9)
    for row in range(9):
        for column in range(9):
            x, y = column - 4 - REACH * 9 * 0.5, row - 4 + REACH * 9
            expected = math.exp(-(x**2 + y**2) / (2 * 1.3**2))
            assert frame[row, column] == pytest.approx(expected, rel=1e-12)


@given(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5), st.integers(12, 32))
def test_positions_are_found_again(x, y, size):
    found = positions_of(render([[x, y]], size=size))[0]
    assert np.abs(found - [x, y]).max() < 0.05


def test_any_leading_axes():
    where = np.random.default_rng(0).normal(size=(3, 4, 2))
    frames = render(where)
    assert frames.shape == (3, 4, 16, 16)
    assert positions_of(frames).shape == (3, 4, 2)
    assert np.array_equal(frames[1, 2], render(where[1, 2]))


def test_nothing_bright_is_in_the_middle():
    assert np.array_equal(positions_of(np.zeros((1, 8, 8))), [[0.0, 0.0]])


def test_a_gif_has_every_frame(tmp_path):
    image = pytest.importorskip("PIL.Image")
    where = np.linspace([-1, -1], [1, 1], 5)
    write_gif(tmp_path / "one.gif", render(where), zoom=2)
    write_gif(tmp_path / "two.gif", render(np.stack([where, -where])), zoom=2, milliseconds=50)
    with image.open(tmp_path / "one.gif") as one, image.open(tmp_path / "two.gif") as two:
        assert one.n_frames == two.n_frames == 5
        assert one.size == (32, 32)
        assert two.size == (2 * 32 + 2, 32)
        assert two.info["duration"] == 50
        for k, frame in enumerate(render(where)):
            one.seek(k)
            shown = np.asarray(one.convert("L"), dtype=float)[::2, ::2] / 255
            assert np.abs(shown - frame).max() < 0.02


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: render([1.0]), "positions"),
        (lambda: render([[0.0, math.nan]]), "positions"),
        (lambda: render([[0.0, 0.0]], size=3), "size"),
        (lambda: render([[0.0, 0.0]], radius=0.0), "radius"),
    ],
)
def test_refusals(call, argument):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert caught.value.argument == argument
