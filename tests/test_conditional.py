"""A process given some of its frames: against the joint Gaussian, in numpy and as a transformer."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import strategies as our
import tolerances as tol
import torch
from hypothesis import given
from hypothesis import strategies as st

from constructions import blocks, build, build_conditional, load, load_conditional
from constructions.conditional import compile_conditional
from unroll import ArgumentError, Exponential, GaussianProcess, Polynomial
from unroll.conditional import Conditioning
from unroll.distribution import (
    AffineScore,
    data_law,
    sampler_law,
    split_causes,
    wasserstein,
)
from unroll.samplers import SAMPLERS, make_sampler, reverse_times

S = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, 0.2], [0.1, 0.2, 0.5]])
NOISES = [{}, {"noise": 0.3}, {"noise": 0.3, "noise_kind": "spatial"}]


def process() -> GaussianProcess:
    mean = np.random.default_rng(0).standard_normal((7, 3))
    return GaussianProcess(Polynomial(4.0, 1.0), 7, S, mean)


def joint(conditioning: Conditioning, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the targets given the values, from the dense joint Gaussian."""
    c, gp = conditioning, conditioning.gp
    d, size = gp.channels, gp.frames * gp.channels
    places = {
        name: [i * d + a for i in getattr(c, name) for a in range(d)]
        for name in ("targets", "observed")
    }
    noise = c.noise * (gp.spatial_cov if c.noise_kind == "spatial" else np.eye(d))
    # observations are H x + noise
    h = np.zeros((len(places["observed"]), size))
    h[np.arange(len(h)), places["observed"]] = 1
    cov = gp.covariance()
    gain = cov @ h.T @ np.linalg.inv(h @ cov @ h.T + np.kron(np.eye(len(c.observed)), noise))
    mean = gp.mean.reshape(-1) + gain @ (values.reshape(-1) - h @ gp.mean.reshape(-1))
    after = cov - gain @ h @ cov
    u = places["targets"]
    return mean[u], after[np.ix_(u, u)]


def dense_score(mean: np.ndarray, cov: np.ndarray, v: np.ndarray, t: float) -> np.ndarray:
    noisy = math.exp(-t) * cov - math.expm1(-t) * np.eye(len(cov))
    centred = v.reshape(len(v), -1) - math.exp(-t / 2) * mean
    return -np.linalg.solve(noisy, centred.T).T.reshape(v.shape)


@given(our.problems(max_frames=6), st.data())
def test_posterior_is_that_of_the_joint_gaussian(gp: GaussianProcess, data: st.DataObject) -> None:
    noise = data.draw(st.sampled_from([0.0, 0.05, 1.0]))
    most = gp.frames if noise else gp.frames - 1
    if most == 0 or np.linalg.cond(gp.temporal_cov) > 1e6:
        return
    chosen = data.draw(st.permutations(range(gp.frames)))[: data.draw(st.integers(1, most))]
    c = Conditioning(gp, chosen, noise, data.draw(st.sampled_from(["white", "spatial"])))
    rng = np.random.default_rng(0)
    values = rng.standard_normal((len(chosen), gp.channels))
    found = c.given(values)
    mean, cov = joint(c, values)
    accuracy = tol.solve(cov.shape[0], np.linalg.cond(gp.covariance()))
    scale = max(float(np.abs(gp.spatial_cov).max()), 1.0)
    assert np.abs(found.covariance() - cov).max() <= 10 * accuracy * scale + 1e-14
    assert np.abs(found.mean.reshape(-1) - mean).max() <= 10 * accuracy * scale + 1e-13
    v = rng.standard_normal((3, found.frames, gp.channels))
    expected = dense_score(mean, cov, v, 0.3)
    assert found.score(v, 0.3) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("options", NOISES)
def test_kronecker_where_it_should_be(options: dict) -> None:
    c = Conditioning(process(), [1, 4], **options)
    assert len(c.temporal_covs) == (3 if options == {"noise": 0.3} else 1)
    if len(c.temporal_covs) == 1:
        dense = c.given(np.zeros((2, 3))).covariance()
        assert dense == pytest.approx(np.kron(c.temporal_covs[0], S), abs=1e-12)
    diagonal = np.diag(c.temporal_covs[0])
    assert diagonal.max() - diagonal.min() > 0.1  # not Toeplitz: frames near observations vary less


@pytest.mark.parametrize("options", NOISES)
def test_transformer_computes_the_conditional_score(options: dict) -> None:
    c = Conditioning(process(), [5, 1, 2], **options)
    model = build_conditional(c, t_min=0.01, t_max=5.0)
    rng = np.random.default_rng(1)
    for t in (0.01, 0.3, 5.0):
        values = rng.standard_normal((3, 3))  # an input: the same weights serve them all
        v = rng.standard_normal((4, len(c.targets), 3))
        expected = dense_score(*joint(c, values), v, t)
        assert model.score(values)(v, t) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert model.architecture.depth == (6 if len(c.temporal_covs) == 3 else 2)
    assert model.architecture.heads == len(c.targets)


def test_numpy_blocks_compute_the_same() -> None:
    c = Conditioning(process(), [5, 1, 2])
    model = build_conditional(c)
    weights = compile_conditional(c, t_min=0.01, t_max=5.0, dtype="float64")
    x = np.random.default_rng(1).standard_normal((2, 7, 6))
    with torch.no_grad():
        found = model(torch.as_tensor(x), 0.2).numpy()
    assert found == pytest.approx(blocks.forward(weights, x, np.full(2, 0.2)), abs=tol.TWIN)


def test_only_the_right_inputs_are_read() -> None:
    # What stands where nothing is noisy, or nothing observed, does not matter; the rest does.
    c = Conditioning(process(), [5, 1, 2])
    model = build_conditional(c)
    x = torch.randn(1, 7, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = model(x, 0.2)
        for frame in range(7):
            for half in (slice(0, 3), slice(3, 6)):
                changed = x.clone()
                changed[:, frame, half] += 1
                used = (frame in c.targets) == (half.start == 0)
                assert bool((model(changed, 0.2) - before).abs().max() > 1e-6) == used
    assert before[0, list(c.observed)].abs().max() == 0
    assert before[..., 3:].abs().max() == 0


@pytest.mark.parametrize("options", NOISES)
@pytest.mark.parametrize("name", ["ancestral", "dpm++2m"])
def test_law_of_conditional_sampling(name: str, options: dict) -> None:
    c = Conditioning(process(), [5, 1, 2], **options)
    values = np.random.default_rng(2).standard_normal((3, 3))
    posterior, model = c.given(values), build_conditional(c, t_min=0.01, t_max=8.0)
    sampler = make_sampler(name, reverse_times(0.01, 8.0, 25))
    score = AffineScore(model.score(values), posterior.frames, posterior.channels)
    found = split_causes(posterior, sampler, score)
    exact, law = sampler_law(sampler, posterior), found.laws["score"]
    assert law.covariance() == pytest.approx(exact.covariance(), abs=1e-10)
    assert law.mean == pytest.approx(exact.mean, abs=1e-10)
    assert found.wasserstein["score"] < 1e-10
    assert found.total_wasserstein < (0.6 if name == "ancestral" else 0.15)
    assert wasserstein(found.laws["data"], data_law(posterior)) == 0


def test_every_sampler_reaches_the_posterior() -> None:
    posterior = Conditioning(process(), [0, 6]).given(np.ones((2, 3)))
    for name in SAMPLERS:
        sampler = make_sampler(name, reverse_times(1e-4, 15.0, 500))
        assert split_causes(posterior, sampler).total_wasserstein < 0.1


def test_forecast_of_a_markov_process() -> None:
    # Exponential decay: the last observed frame is all that matters.
    gp = GaussianProcess(Exponential(4.0), 6, [[1.0]])
    past = np.array([[3.0], [-2.0], [0.5]])
    found = Conditioning(gp, range(3)).given(past)
    lags = np.arange(1, 4)
    assert found.mean[:, 0] == pytest.approx(0.5 * np.exp(-lags / 4))
    assert np.diag(found.covariance()) == pytest.approx(1 - np.exp(-lags / 2))


def test_draws_pass_through_the_observations_law() -> None:
    from law_oracles import moment_deviation

    c = Conditioning(process(), [1, 4], noise=0.1)
    values = np.ones((2, 3))
    mean, cov = joint(c, values)
    draws = c.given(values).sample(4000, rng=3)
    assert moment_deviation(draws, mean, cov) <= tol.SIGMAS


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"observed": []}, "observed"),
        ({"observed": [0, 0]}, "observed"),
        ({"observed": [7]}, "observed"),
        ({"observed": [-1]}, "observed"),
        ({"observed": [0.5]}, "observed"),
        ({"observed": range(7)}, "observed"),
        ({"observed": [0], "noise": -1.0}, "noise"),
        ({"observed": [0], "noise_kind": "pink"}, "noise_kind"),
        ({"observed": [0], "gp": None}, "gp"),
    ],
)
def test_bad_conditionings_are_named(options: dict, argument: str) -> None:
    with pytest.raises(ArgumentError) as error:
        Conditioning(**{"gp": process(), **options})
    assert error.value.argument == argument


def test_other_refusals() -> None:
    c = Conditioning(process(), [0, 1])
    model = build_conditional(c)
    for use in (c.given, model.score):
        with pytest.raises(ArgumentError, match="values"):
            use(np.zeros((3, 3)))
    smooth = GaussianProcess(Exponential(100.0, 2.0), 20, [[1.0]])
    with pytest.raises(ArgumentError, match="noise > 0"):
        Conditioning(smooth, range(15)).given(np.zeros((15, 1))).mean  # noqa: B018
    for options in ({"t_min": 0.0}, {"t_min": 2.0, "t_max": 1.0}, {"dtype": "float16"}):
        with pytest.raises(ArgumentError):
            build_conditional(c, **options)
    with pytest.raises(ArgumentError, match="conditioning"):
        build_conditional(None)


@pytest.mark.parametrize("options", NOISES)
def test_saved_and_loaded(options, tmp_path):
    conditioning = Conditioning(process(), [0, 3, 4], **options)
    model = build_conditional(conditioning, t_min=0.05)
    model.save(tmp_path / "model")
    again = load_conditional(tmp_path / "model")
    assert again.conditioning.to_dict() == conditioning.to_dict()
    assert again.conditioning.targets == conditioning.targets
    v = np.random.default_rng(1).normal(size=(3, len(conditioning.targets), 3))
    values = np.ones((3, 3))
    assert np.array_equal(model.score(values)(v, 0.1), again.score(values)(v, 0.1))
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "model.json",
        "model.safetensors",
    ]


def test_files_of_another_kind_are_refused(tmp_path):
    conditioning = Conditioning(process(), [0, 3])
    build_conditional(conditioning).save(tmp_path / "conditional")
    build(GaussianProcess(Exponential(2.0), 4, [[1.0]]), tol=0.1).save(tmp_path / "plain")
    with pytest.raises(ArgumentError, match=r"is not of format.*load_conditional"):
        load(tmp_path / "conditional")
    with pytest.raises(ArgumentError, match=r"is not of format.*`load`"):
        load_conditional(tmp_path / "plain")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.pop("conditioning"), "lacks 'conditioning'"),
        (lambda d: d["conditioning"].pop("noise"), "must be an object with"),
        (lambda d: d["conditioning"].update(observed=[0, 99]), "between 0 and 6"),
        (lambda d: d["conditioning"].update(noise=-1.0), "negative"),
        (lambda d: d["conditioning"]["gp"].update(frames=8, mean=None), "must have 8 frames"),
        (lambda d: d["architecture"].update(channels=2), "channels|architecture|shape"),
    ],
)
def test_damaged_descriptions_are_refused(change, words, tmp_path):
    build_conditional(Conditioning(process(), [0, 3])).save(tmp_path)
    description = json.loads((tmp_path / "model.json").read_text())
    change(description)
    (tmp_path / "model.json").write_text(json.dumps(description))
    with pytest.raises(ArgumentError, match=words):
        load_conditional(tmp_path)


def test_truncated_weights_are_refused(tmp_path):
    build_conditional(Conditioning(process(), [0, 3])).save(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ArgumentError, match="truncated"):
        load_conditional(tmp_path)
