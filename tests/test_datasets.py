"""Bundled data against their source, and readers against files good and bad."""

import csv
import re
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from unroll import ArgumentError
from unroll.datasets import load, names
from unroll.sequences import read_sequences

HEADER = "sequence,frame,north,south\n"


def source_rows(name: str) -> list[dict[str, str]]:
    """A table of vega_datasets as it lies in the package."""
    local = pytest.importorskip("vega_datasets").local_data
    with Path(getattr(local, name).filepath).open() as file:
        return list(csv.DictReader(file))


def bundled_rows(name: str) -> list[list[str]]:
    with (Path(read_sequences.__code__.co_filename).parent / "data" / name).open() as file:
        return list(csv.reader(file))[1:]


def test_hourly_table_is_the_source() -> None:
    def hours(name: str) -> dict[tuple[str, int], str]:
        return {
            (row["date"][:10].replace("/", "-"), int(row["date"][11:13])): row["temp"]
            for row in source_rows(name)
        }

    seattle, san_francisco = hours("seattle_temps"), hours("sf_temps")
    expected = [[day, str(hour), t, san_francisco[day, hour]] for (day, hour), t in seattle.items()]
    assert len(expected) == 8759
    assert bundled_rows("hourly-temperatures.csv") == expected


def test_daily_table_is_the_source() -> None:
    rows = source_rows("seattle_weather")
    expected = []
    for i, row in enumerate(rows[:1440]):
        day = date(2012, 1, 1) + timedelta(i)
        assert date.fromisoformat(row["date"].replace("/", "-")) == day
        window = date(2012, 1, 1) + timedelta(i - i % 48)
        expected.append([window.isoformat(), str(i % 48), row["temp_max"], row["temp_min"]])
    assert bundled_rows("daily-temperatures.csv") == expected


@pytest.mark.parametrize("name", names())
def test_split_and_units(name: str) -> None:
    data = load(name)
    assert data.train.shape[0] + data.test.shape[0] == data.recorded.shape[0]
    assert 0.15 < data.held_out.mean() < 0.25
    restored = data.anomalies(data.x) + data.cycle
    np.testing.assert_allclose(restored, data.recorded, rtol=0, atol=1e-12)
    np.testing.assert_allclose(data.train.std(axis=(0, 1)), 1, atol=1e-12)
    assert np.all(np.isfinite(data.x))


@pytest.mark.parametrize("name", names())
def test_nothing_of_the_held_out_part_reaches_cycle_or_scale(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load(name)
    import unroll.datasets as module

    fill = module._fill

    def disturbed(x: np.ndarray) -> tuple[np.ndarray, int]:
        filled, count = fill(x)
        filled[before.held_out] += 100.0
        return filled, count

    monkeypatch.setattr(module, "_fill", disturbed)
    after = load(name)
    np.testing.assert_array_equal(after.scale, before.scale)
    np.testing.assert_array_equal(after.cycle, before.cycle)
    np.testing.assert_array_equal(after.train, before.train)


def test_hourly_hole_is_the_skipped_hour() -> None:
    data = load("hourly")
    day = int(np.flatnonzero(data.starts == (date(2010, 3, 14) - date(2010, 1, 1)).days)[0])
    before, hole, after = data.recorded[day, 2:5, 0]
    assert data.filled == 1
    assert hole == (before + after) / 2


def test_cycle_is_least_squares_on_the_training_part() -> None:
    """Residuals are orthogonal to trend and harmonics, computed here with a loop over days."""
    data = load("daily")
    residual = (data.recorded - data.cycle)[~data.held_out]
    year = 365.2425
    waves = [lambda day: 1.0, lambda day: day / year]
    for k in (1, 2):
        waves += [
            lambda day, k=k: np.cos(2 * np.pi * k * day / year),
            lambda day, k=k: np.sin(2 * np.pi * k * day / year),
        ]
    for wave in waves:
        total = np.zeros(2)
        for i, start in enumerate(data.starts[~data.held_out]):
            for j in range(48):
                total += wave(start + j) * residual[i, j]
        np.testing.assert_allclose(total, 0, atol=1e-8)


def test_unknown_name() -> None:
    with pytest.raises(ArgumentError, match=r"name=nope: .*hourly, daily"):
        load("nope")


def test_csv_in_any_row_order(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(HEADER + "b,1,3,4\na,0,5,6\n\nb,0,1,2\na,1,7,8\n")
    read = read_sequences(path)
    assert read.labels == ("b", "a")
    assert read.channels == ("north", "south")
    np.testing.assert_array_equal(read.x, [[[1, 2], [3, 4]], [[5, 6], [7, 8]]])


def test_npy(tmp_path: Path) -> None:
    x = np.arange(12).reshape(2, 3, 2)
    np.save(tmp_path / "x.npy", x)
    read = read_sequences(tmp_path / "x.npy")
    np.testing.assert_array_equal(read.x, x)
    assert read.x.dtype == np.float64
    assert read.channels == ("channel 0", "channel 1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "header is missing"),
        ("day,frame,north\n", "header is day,frame,north"),
        ("sequence,frame\na,0\n", "header is sequence,frame"),
        (HEADER, "holds no rows"),
        (HEADER + "a,0,1\n", "line 2 has 3 cells where the header has 4"),
        (HEADER + "a,zero,1,2\n", "line 2 has frame 'zero'"),
        (HEADER + "a,-1,1,2\n", "line 2 has frame '-1'"),
        (HEADER + "a,0,1,2\na,0,1,2\n", "line 3 gives frame 0 of 'a' again"),
        (HEADER + "a,0,1,x\n", "line 2 holds a cell that is not a finite number"),
        (HEADER + "a,0,1,nan\n", "line 2 holds a cell that is not a finite number"),
        (HEADER + "a,0,1,inf\n", "line 2 holds a cell that is not a finite number"),
        (HEADER + "a,0,1,2\na,1,1,2\nb,0,1,2\n", "sequence 'b' has no row for frame 1"),
        (HEADER + "a,1000000000000,1,2\n", "no sequence has frame 0"),
    ],
)
def test_bad_csv(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(ArgumentError, match=re.escape(message)):
        read_sequences(path)


def test_binary_csv(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xff\xfe\x00\x01" * 9)
    with pytest.raises(ArgumentError, match="is not a CSV file"):
        read_sequences(path)


def test_bad_npy(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(b"not an array")
    with pytest.raises(ArgumentError, match=r"is not a \.npy file"):
        read_sequences(path)
    np.save(path, np.array([{"pickled": 1}]), allow_pickle=True)
    with pytest.raises(ArgumentError, match=r"is not a \.npy file of numbers"):
        read_sequences(path)
    np.save(path, np.zeros((3, 4)))
    with pytest.raises(ArgumentError, match=re.escape("float64 of shape (3, 4)")):
        read_sequences(path)
    x = np.zeros((2, 3, 1))
    x[1, 2, 0] = np.inf
    np.save(path, x)
    with pytest.raises(ArgumentError, match=re.escape("entry [1, 2, 0] is not finite")):
        read_sequences(path)
    np.save(path, x)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ArgumentError, match=r"is not a \.npy file"):
        read_sequences(path)


def test_unknown_suffix(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_text("")
    with pytest.raises(ArgumentError, match=re.escape("neither .npy nor .csv but .parquet")):
        read_sequences(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"absent\.csv: cannot be read \(No such file"):
        read_sequences(tmp_path / "absent.csv")
