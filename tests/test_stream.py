"""The residual stream: named channels are a partition, and reading undoes writing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.stream import ResidualStream
from unroll import ArgumentError

groups = st.dictionaries(st.text(min_size=1, max_size=8), st.integers(1, 4), min_size=1, max_size=6)


@given(groups)
def test_channels_are_a_partition_in_order(sizes: dict[str, int]) -> None:
    stream = ResidualStream(sizes)
    taken = [channel for name in stream for channel in range(stream.width)[stream[name]]]
    assert taken == list(range(stream.width))
    assert list(stream) == list(sizes)
    assert {name: stream.size(name) for name in stream} == sizes
    assert stream.to_dict() == sizes


@given(groups, st.integers(0, 2**32 - 1))
def test_reading_undoes_writing_and_sees_nothing_else(sizes: dict[str, int], seed: int) -> None:
    stream, rng = ResidualStream(sizes), np.random.default_rng(seed)
    for name, size in sizes.items():
        matrix = rng.standard_normal((3, size))
        written = stream.write(name, matrix)
        assert written.shape == (3, stream.width)
        for other, other_size in sizes.items():
            expected = matrix if other == name else np.zeros((3, other_size))
            assert np.array_equal(written @ stream.read(other), expected)


@given(groups)
def test_read_picks_the_channels(sizes: dict[str, int]) -> None:
    stream = ResidualStream(sizes)
    x = np.arange(2.0 * stream.width).reshape(2, stream.width)
    for name in stream:
        assert np.array_equal(x @ stream.read(name), x[:, stream[name]])


@given(groups, st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_place_puts_rows_into_their_channels(sizes: dict[str, int], frames: int, seed: int) -> None:
    stream, rng = ResidualStream(sizes), np.random.default_rng(seed)
    name, *rest = sizes
    value = rng.standard_normal((frames, sizes[name]))
    placed = stream.place(frames, **{name: value})
    assert np.array_equal(placed[:, stream[name]], value)
    for other in rest:
        assert not placed[:, stream[other]].any()


def test_place_takes_a_row_per_frame_for_one_channel() -> None:
    stream = ResidualStream({"s": 2, "sink": 1})
    placed = stream.place(3, sink=[1.0, 2.0, 3.0])
    assert np.array_equal(placed, [[0, 0, 1], [0, 0, 2], [0, 0, 3]])


def test_unknown_channels_are_refused_by_name() -> None:
    stream = ResidualStream({"s": 2, "v": 2})
    for action in (
        lambda: stream["mean"],
        lambda: stream.read("mean"),
        lambda: stream.write("mean", np.eye(2)),
        lambda: stream.size("mean"),
        lambda: stream.place(2, mean=np.eye(2)),
    ):
        with pytest.raises(ArgumentError, match=r"channel=mean: .*use one of \['s', 'v'\]"):
            action()
    assert "mean" not in stream
    assert "v" in stream


def test_streams_compare_by_their_channels() -> None:
    assert ResidualStream({"s": 1}) == ResidualStream({"s": 1})
    assert ResidualStream({"s": 1}) != ResidualStream({"s": 2})
    assert ResidualStream({"s": 1}) != ResidualStream({"v": 1})
    assert ResidualStream({"s": 1}) != {"s": 1}
    assert repr(ResidualStream({"s": 1})) == "ResidualStream({'s': 1})"


def test_the_groups_given_are_copied() -> None:
    sizes = {"s": 1}
    stream = ResidualStream(sizes)
    sizes["s"] = 7
    stream.to_dict()["s"] = 9
    assert stream.size("s") == 1
