"""Sampling, likelihood, storage and refusals of GaussianProcess."""

from __future__ import annotations

import json
import math
import os
import pickle
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
import scipy.stats
import strategies as our
import tolerances as tol
from hypothesis import given
from hypothesis import strategies as st

from unroll import ArgumentError, Exponential, GaussianProcess, Logarithmic, Polynomial

S = np.array([[2.0, 0.5], [0.5, 1.0]])


def plain(**changes: object) -> dict:
    values = {
        "kernel": {"regime": "polynomial", "length_scale": 8.0, "power": 2.0},
        "frames": 3,
        "spatial_cov": [[2.0, 0.5], [0.5, 1.0]],
        "mean": None,
    }
    return {**values, **changes}


def test_covariance_is_row_major() -> None:
    gp = GaussianProcess(Polynomial(8.0, 2.0), 3, S)
    dense = gp.covariance()
    for i in range(3):
        for j in range(3):
            for a in range(2):
                for b in range(2):
                    expected = gp.kernel.autocov(abs(i - j)) * S[a, b]
                    assert dense[2 * i + a, 2 * j + b] == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("t", [None, 0.3])
@pytest.mark.parametrize("kernel", [Logarithmic(2.0, 1.0), Exponential(40.0, 2.0)], ids=str)
def test_samples_have_the_law(kernel: object, t: float | None) -> None:
    # Exponential(40, 2) is singular to float64 precision at 12 frames.
    mean = np.random.default_rng(0).standard_normal((12, 2))
    gp, n = GaussianProcess(kernel, 12, S, mean), 20_000
    if t is None:
        draws, expected, cov = gp.sample(n, rng=1), mean, gp.covariance()
    else:
        draws, expected = gp.sample_noisy(n, t, rng=1), math.exp(-t / 2) * mean
        cov = math.exp(-t) * gp.covariance() - math.expm1(-t) * np.eye(24)
    flat = (draws - expected).reshape(n, -1)
    variance = np.diag(cov)
    assert np.all(np.abs(flat.mean(axis=0)) <= tol.SIGMAS * np.sqrt(variance / n))
    # Var of an empirical second moment of Gaussians: (C_ii C_jj + C_ij^2) / n.
    error = np.sqrt((np.outer(variance, variance) + cov**2) / n)
    assert np.all(np.abs(flat.T @ flat / n - cov) <= tol.SIGMAS * error)


def test_sampling_is_reproducible_and_seed_and_generator_agree() -> None:
    gp = GaussianProcess(Exponential(4.0), 3, S)
    first = gp.sample(4, rng=7)
    assert np.array_equal(first, gp.sample(4, rng=np.random.default_rng(7)))
    assert not np.array_equal(first, gp.sample(4, rng=8))
    assert first.shape == (4, 3, 2)


@given(our.problems(max_frames=5), st.integers(0, 2**32 - 1))
def test_log_likelihood_against_mpmath(gp: GaussianProcess, seed: int) -> None:
    condition = np.linalg.cond(gp.covariance())
    if condition > 1e10:
        return
    x = np.random.default_rng(seed).standard_normal((2, gp.frames, gp.channels))
    size = gp.frames * gp.channels
    values = gp.log_likelihood(x)
    assert values.shape == (2,)
    with mp.workdps(50):
        cov = mp.matrix(gp.covariance().tolist())
        log_det = mp.log(mp.det(cov))
        for one, value in zip(x, values, strict=True):
            centred = mp.matrix((one - gp.mean).reshape(-1).tolist())
            square = (centred.T * mp.lu_solve(cov, centred))[0]
            exact = -(square + log_det + size * mp.log(2 * mp.pi)) / 2
            allowed = tol.solve(size, condition) * (1 + abs(square) + abs(log_det))
            assert abs(value - exact) <= allowed


def test_log_likelihood_of_one_and_of_many() -> None:
    gp = GaussianProcess(Exponential(4.0), 3, S, np.ones((3, 2)))
    x = gp.sample(6, rng=0).reshape(2, 3, 3, 2)
    density = scipy.stats.multivariate_normal(np.ones(6), gp.covariance())
    assert gp.log_likelihood(x) == pytest.approx(density.logpdf(x.reshape(2, 3, 6)), rel=1e-12)
    assert gp.log_likelihood(x[0, 0]).shape == ()


def test_log_likelihood_needs_a_density() -> None:
    gp = GaussianProcess(Exponential(40.0, 2.0), 40, S)
    with pytest.raises(ArgumentError, match="singular"):
        gp.log_likelihood(np.zeros((40, 2)))


def test_arrays_are_read_only_copies() -> None:
    given_cov, given_mean = S.copy(), np.ones((3, 2))
    gp = GaussianProcess(Exponential(4.0), 3, given_cov, given_mean)
    given_cov[0, 0], given_mean[0, 0] = 100.0, 100.0
    assert gp.spatial_cov[0, 0] == 2.0
    assert gp.mean[0, 0] == 1.0
    for array in (gp.spatial_cov, gp.mean, gp.temporal_cov):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 5.0
    with pytest.raises(AttributeError):
        gp.frames = 7


def test_zero_mean_is_remembered_as_none() -> None:
    gp = GaussianProcess(Exponential(4.0), 3, S)
    assert not gp.has_mean
    assert np.array_equal(gp.mean, np.zeros((3, 2)))
    assert gp.to_dict()["mean"] is None
    assert GaussianProcess(Exponential(4.0), 3, S, np.zeros((3, 2))).has_mean


@given(our.problems())
def test_round_trip_through_json(gp: GaussianProcess) -> None:
    again = GaussianProcess.from_dict(json.loads(json.dumps(gp.to_dict())))
    assert again == gp
    assert hash(again) == hash(gp)
    assert again.to_dict() == gp.to_dict()


def test_save_and_load(tmp_path: Path) -> None:
    gp = GaussianProcess(Polynomial(8.0, 2.0), 3, S, np.ones((3, 2)))
    path = tmp_path / "gp.json"
    path.write_text("old")
    gp.save(path)
    assert GaussianProcess.load(path) == gp
    assert GaussianProcess.load(str(path)) == gp
    assert os.listdir(tmp_path) == ["gp.json"]
    assert pickle.loads(pickle.dumps(gp)) == gp
    assert GaussianProcess(Polynomial(8.0, 2.0), 4, S) != gp


def test_save_into_a_missing_folder_leaves_nothing(tmp_path: Path) -> None:
    gp = GaussianProcess(Polynomial(8.0, 2.0), 3, S)
    with pytest.raises(ArgumentError, match="cannot be written"):
        gp.save(tmp_path / "none" / "gp.json")
    (tmp_path / "taken").mkdir()
    with pytest.raises(ArgumentError, match="cannot be written"):
        gp.save(tmp_path / "taken")
    assert os.listdir(tmp_path) == ["taken"]


@pytest.mark.parametrize(
    ("values", "argument"),
    [
        ([], "gp"),
        ({}, "gp"),
        (plain(extra=1), "gp"),
        (plain(kernel=None), "kernel"),
        (plain(kernel={"regime": "rational", "length_scale": 1.0}), "regime"),
        (plain(kernel={"regime": "polynomial", "length_scale": -1.0, "power": 1}), "length_scale"),
        (plain(frames="3"), "frames"),
        (plain(frames=3.0), "frames"),
        (plain(frames=0), "frames"),
        (plain(frames=True), "frames"),
        (plain(spatial_cov="I"), "spatial_cov"),
        (plain(spatial_cov=None), "spatial_cov"),
        (plain(spatial_cov=[[1.0, 0.0]]), "spatial_cov"),
        (plain(spatial_cov=[[1.0], [0.0, 1.0]]), "spatial_cov"),
        (plain(spatial_cov=[[1.0, math.nan], [math.nan, 1.0]]), "spatial_cov"),
        (plain(spatial_cov=[[1.0, 0.5], [0.4, 1.0]]), "spatial_cov"),
        (plain(spatial_cov=[[1.0, 2.0], [2.0, 1.0]]), "spatial_cov"),
        (plain(spatial_cov=[[1.0, 1.0], [1.0, 1.0]]), "spatial_cov"),
        (plain(spatial_cov=[]), "spatial_cov"),
        (plain(mean=[[0.0, 0.0]]), "mean"),
        (plain(mean=[[0.0, 0.0], [0.0, "a"], [0.0, 0.0]]), "mean"),
        (plain(mean=0.0), "mean"),
    ],
)
def test_bad_descriptions_are_named(values: object, argument: str, tmp_path: Path) -> None:
    path = tmp_path / "gp.json"
    path.write_text(json.dumps(values))
    for attempt in (lambda: GaussianProcess.from_dict(values), lambda: GaussianProcess.load(path)):
        with pytest.raises(ArgumentError) as error:
            attempt()
        assert error.value.argument == argument
        assert "\n" not in str(error.value)


def test_bad_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "gp.json"
    GaussianProcess(Polynomial(8.0, 2.0), 3, S).save(path)
    whole = path.read_bytes()
    for content in (whole[:-20], b"", b"\xff\xfe\x00", whole + b"}"):
        path.write_bytes(content)
        with pytest.raises(ArgumentError, match="not valid JSON"):
            GaussianProcess.load(path)
    for missing in (tmp_path / "other.json", tmp_path):
        with pytest.raises(ArgumentError, match="cannot be read"):
            GaussianProcess.load(missing)


def test_errors_carry_numbers() -> None:
    with pytest.raises(ArgumentError, match="smallest eigenvalue is -1"):
        GaussianProcess(Exponential(4.0), 3, [[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(ArgumentError, match=r"must have shape \(3, 2\).*got shape \(2, 3\)"):
        GaussianProcess(Exponential(4.0), 3, S, np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("attempt", "argument"),
    [
        (lambda gp: gp.sample(0), "n"),
        (lambda gp: gp.sample(2.0), "n"),
        (lambda gp: gp.sample(2, rng="seed"), "rng"),
        (lambda gp: gp.sample(2, rng=-1), "rng"),
        (lambda gp: gp.sample_noisy(2, 0.0), "t"),
        (lambda gp: gp.sample_noisy(2, [0.1, 0.2]), "t"),
        (lambda gp: gp.score(np.zeros((3, 2)), 0.1, solver="lu"), "solver"),
        (lambda gp: gp.log_likelihood(np.zeros((3, 3))), "x"),
        (lambda gp: GaussianProcess("exponential", 3, S), "kernel"),
    ],
)
def test_bad_arguments_are_named(attempt: object, argument: str) -> None:
    with pytest.raises(ArgumentError) as error:
        attempt(GaussianProcess(Exponential(4.0), 3, S))
    assert error.value.argument == argument


def test_argument_error_survives_pickling() -> None:
    error = ArgumentError("x", np.zeros((9, 9)), "is too large", "make it smaller")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "x=array of shape (9, 9): is too large; make it smaller"
    assert again.condition == "is too large"
    assert isinstance(error, ValueError)
