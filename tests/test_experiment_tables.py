"""Tables of results, intervals, slopes, and the sentences that follow from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from constructions.learned.experiments.findings import falls, slopes_said
from constructions.learned.experiments.table import Interval, Table, interval, slope
from unroll import ArgumentError


def test_intervals_hold_the_mean_as_often_as_they_say():
    rng, hits = np.random.default_rng(0), 0
    for _ in range(2000):
        found = interval(rng.normal(3.0, 2.0, size=5))
        hits += found.low <= 3.0 <= found.high
    assert abs(hits / 2000 - 0.95) < 5 * math.sqrt(0.95 * 0.05 / 2000)


def test_an_interval_is_student_s():
    values = [1.0, 2.0, 4.0, 4.5]
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    found = interval(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.half == pytest.approx((expected.high - expected.low) / 2)
    assert str(interval([2.0])) == "2"
    with pytest.raises(ArgumentError, match="must not be empty"):
        interval([])


def test_slopes_of_powers():
    n = [64, 256, 1024]
    found = slope(n, [[c * k**-0.5 for k in n] for c in (1.0, 2.0, 5.0)])
    assert found.mean == pytest.approx(-0.5)
    assert found.half < 1e-9
    rng = np.random.default_rng(0)
    noisy = slope(n, [[k**-0.5 * math.exp(0.1 * rng.normal()) for k in n] for _ in range(40)])
    error = 0.1 / (math.log(4) * math.sqrt(2) * math.sqrt(40))  # of least squares at -1, 0, 1
    assert abs(noisy.mean + 0.5) < 5 * error
    assert 0.5 < noisy.half / (2 * error) < 1.5


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [((2, 3), (1, 1.9), "falls, as"), ((1, 2), (2.1, 3), "RISES"), ((1, 2), (1.5, 3), "not told")],
)
def test_orderings(before, after, words):
    ends = [Interval((low + high) / 2, low, high, 5) for low, high in (before, after)]
    assert words in falls("p from 1 to 2", *ends, "the error")


@pytest.mark.parametrize(
    ("ends", "words"),
    [((-0.6, -0.4), "agrees with -0.5"), ((-0.4, -0.2), "is above"), ((-0.9, -0.6), "is below")],
)
def test_slopes_in_words(ends, words):
    found = Interval(sum(ends) / 2, *ends, 5)
    assert words in slopes_said("here", found, -0.5)


TABLE = Table(
    "an experiment",
    {"seeds": 3, "kernels": ["a", "b"]},
    [
        {"kernel": "a", "error": interval([1.0, 2.0, 3.0]), "curve": [1.0, 2.0]},
        {"kernel": "b", "error": interval([1.0]), "curve": [3.0, 4.0]},
    ],
    ["something was found"],
    {"device": "CPU"},
)


def test_saved_tables_come_back(tmp_path):
    TABLE.save(tmp_path / "new" / "t.json")
    found = Table.load(tmp_path / "new" / "t.json")
    assert found.rows[0] == TABLE.rows[0]
    assert math.isnan(found.rows[1]["error"].low)
    assert found.rows[1]["error"].mean == 1.0
    for name in ("name", "config", "findings", "origin"):
        assert getattr(found, name) == getattr(TABLE, name)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["t.json"]


def test_where():
    assert TABLE.where(kernel="b") == TABLE.rows[1:]
    assert TABLE.where(kernel="b", error=0) == []


def test_markdown():
    assert TABLE.markdown() == (
        "| kernel | error |\n|---|---|\n| a | 2 [-0.484, 4.48] |\n| b | 1 |\n\n"
        "- something was found"
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}'])
def test_other_files_are_refused(text, tmp_path):
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(ArgumentError, match="not a saved table"):
        Table.load(path)
    with pytest.raises(ArgumentError, match="not a saved table"):
        Table.load(tmp_path / "missing.json")
