"""Schedulers of diffusers driven by our scores: conventions, exact laws, draws, refusals."""

from __future__ import annotations

import math
import re
import sys

import law_oracles as oracle
import numpy as np
import pytest
import tolerances as tol
import torch

from constructions import build
from constructions.adapters import affine_score
from constructions.adapters.diffusers import DiffusersModel, make_scheduler, sample, time_range
from constructions.adapters.diffusers_law import scheduler_law
from unroll import ArgumentError, GaussianProcess, Polynomial
from unroll.distribution import AffineScore, data_law, sampler_law, wasserstein
from unroll.samplers import make_sampler

# diffusers hands torch tensors to numpy in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FRAMES = 4
MEAN = np.random.default_rng(0).standard_normal((FRAMES, 2))
GP = GaussianProcess(Polynomial(4.0, 1.0), FRAMES, [[2.0, 0.5], [0.5, 1.0]], MEAN)

DDPM, DDIM = "DDPMScheduler", "DDIMScheduler"
DPM, EULER = "DPMSolverMultistepScheduler", "EulerDiscreteScheduler"
#: Scheduler, its configuration, options of a step.
CASES = [
    (DDPM, {}, {}),
    (DDPM, {"prediction_type": "v_prediction", "variance_type": "fixed_large"}, {}),
    (DDIM, {}, {}),
    (DDIM, {"prediction_type": "sample"}, {"eta": 0.7}),
    (DPM, {}, {}),
    (DPM, {"prediction_type": "v_prediction", "use_karras_sigmas": True}, {}),
    (DPM, {"algorithm_type": "sde-dpmsolver++"}, {}),
    (EULER, {}, {}),
    (EULER, {"prediction_type": "v_prediction", "timestep_spacing": "trailing"}, {}),
    ("EulerAncestralDiscreteScheduler", {}, {}),
    ("HeunDiscreteScheduler", {}, {}),
    ("PNDMScheduler", {}, {}),
]


def closed_form() -> AffineScore:
    return AffineScore(GP.score, FRAMES, 2, remember=64)


def torch_score(v: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(GP.score(v.numpy(), t.numpy()))


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
@pytest.mark.parametrize("name", [DDPM, DDIM, EULER])
def test_predictions_mean_what_the_scheduler_takes_them_for(name: str, prediction: str) -> None:
    # What the scheduler makes of the prediction is E[X | V].
    scheduler = make_scheduler(name, prediction_type=prediction)
    scheduler.set_timesteps(7)
    model = DiffusersModel(torch_score, scheduler)
    clean = torch.as_tensor(GP.sample(3, rng=1))
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1)).double()
    timestep = scheduler.timesteps[3]
    x = scheduler.add_noise(clean, noise, timestep.reshape(1))
    v = scheduler.scale_model_input(x, timestep)
    t = float(model.times(timestep))
    # the noisy sequence is ours ...
    expected = math.exp(-t / 2) * clean + math.sqrt(-math.expm1(-t)) * noise
    assert v.numpy() == pytest.approx(expected.numpy(), abs=tol.SCHEDULER)
    # ... and so is the denoised one
    found = scheduler.step(model(v, timestep).sample, timestep, x).pred_original_sample
    assert found.numpy() == pytest.approx(GP.denoise(v.numpy(), t), abs=tol.SCHEDULER)


@pytest.mark.parametrize(
    ("name", "config", "ours"),
    [
        (DDPM, {}, "ancestral"),
        (DDIM, {}, "ddim"),
        (DDIM, {"beta_schedule": "scaled_linear", "prediction_type": "v_prediction"}, "ddim"),
        (DPM, {}, "dpm++2m"),
        (DPM, {"use_karras_sigmas": True, "prediction_type": "sample"}, "dpm++2m"),
        (EULER, {}, "ddim"),
        ("HeunDiscreteScheduler", {"beta_start": 0.0001, "beta_end": 0.02}, "heun"),
    ],
)
def test_law_is_that_of_our_sampler_on_the_same_grid(name: str, config: dict, ours: str) -> None:
    # They end at t = 0, which is our last step: denoising.
    scheduler = make_scheduler(name, **config)
    found = scheduler_law(closed_form(), scheduler, 16)
    scheduler.set_timesteps(16)
    model = DiffusersModel(torch_score, scheduler)
    times = sorted(set(model.times(scheduler.timesteps).tolist()), reverse=True)
    if getattr(scheduler, "sigmas", None) is not None:
        times = sorted(set(torch.log1p(scheduler.sigmas[:-1].double() ** 2).tolist()), reverse=True)
    expected = sampler_law(make_sampler(ours, times), GP)
    assert found.covariance() == pytest.approx(expected.covariance(), abs=tol.SCHEDULER)
    assert found.mean == pytest.approx(expected.mean, abs=tol.SCHEDULER)


@pytest.mark.parametrize(("name", "config", "options"), CASES)
def test_draws_have_the_exact_law(name: str, config: dict, options: dict) -> None:
    scheduler = make_scheduler(name, **config)
    law = scheduler_law(closed_form(), scheduler, 6, **options)
    score = closed_form()

    def fast(v: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(score(v.numpy(), float(t[0])))

    draws = sample(
        fast, scheduler, (5000, FRAMES, 2), 6, generator=torch.Generator().manual_seed(2), **options
    )
    found = oracle.moment_deviation(draws.numpy(), law.mean, law.covariance())
    assert found <= tol.SIGMAS
    data = data_law(GP)  # six steps are few: the data have another law
    assert oracle.moment_deviation(draws.numpy(), data.mean, data.covariance()) > tol.SIGMAS


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_hand_built_model_drives_a_scheduler(dtype: str) -> None:
    scheduler = make_scheduler(DPM)
    low, high = time_range(scheduler, 15)
    model = build(GP, tol=1e-2, t_min=low, t_max=high, dtype=dtype)
    law = scheduler_law(affine_score(model), scheduler, 15)
    assert wasserstein(law, scheduler_law(closed_form(), scheduler, 15)) < 1e-1
    draws = sample(
        model, scheduler, (400, FRAMES, 2), 15, generator=torch.Generator().manual_seed(1)
    )
    assert draws.dtype == torch.float64
    assert oracle.moment_deviation(draws.numpy(), law.mean, law.covariance()) <= tol.SIGMAS


def test_model_in_the_manner_of_diffusers() -> None:
    scheduler = make_scheduler(DDPM)
    model = DiffusersModel(torch_score, scheduler)
    x = torch.randn(3, FRAMES, 2, dtype=torch.float64)
    steps = torch.tensor([10, 500, 900])  # as in training: one timestep per sequence
    output = model(x, steps, class_labels=None)
    assert torch.equal(output.sample, output[0])
    assert torch.equal(model(x, steps, return_dict=False)[0], output.sample)
    for i, step in enumerate(steps):
        alone = model(x[i : i + 1], step).sample
        assert alone[0].numpy() == pytest.approx(output.sample[i].numpy(), abs=1e-12)
    assert model(x.float(), 10).sample.dtype == torch.float32
    abar = float(scheduler.alphas_cumprod[500])
    assert float(model.times(500)) == pytest.approx(-math.log(abar))


def test_range_of_times() -> None:
    low, high = time_range(make_scheduler(DDPM))
    assert (low, high) == pytest.approx((1e-4, 10.1177), rel=1e-3)
    inner = time_range(make_scheduler(DPM), 20)
    assert low < inner[0] < inner[1] <= high * (1 + 1e-6)


def test_a_range_that_is_too_narrow_is_refused_with_the_right_one() -> None:
    model = build(GP, tol=1e-2, t_min=0.01, t_max=5.0)
    scheduler = make_scheduler(DDIM)
    with pytest.raises(ArgumentError, match="t_min=") as error:
        sample(model, scheduler, (1, FRAMES, 2), 10)
    wide = dict(re.findall(r"(t_min|t_max)=([0-9.e-]+)", error.value.remedy))
    wider = build(GP, tol=1e-2, **{name: float(value) for name, value in wide.items()})
    assert sample(wider, scheduler, (1, FRAMES, 2), 10).shape == (1, FRAMES, 2)
    with pytest.raises(ArgumentError, match="range"):
        scheduler_law(affine_score(model), scheduler, 10)


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        (DDPM, {"clip_sample": True}, "clip_sample"),
        (DDIM, {"thresholding": True}, "thresholding"),
        (DPM, {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}, "use_flow_sigmas"),
        (DPM, {"prediction_type": "flow_prediction"}, "is not served"),
        ("FlowMatchEulerDiscreteScheduler", {}, "variance-preserving"),
        ("EDMEulerScheduler", {}, "variance-preserving"),
    ],
)
def test_other_processes_are_refused(name: str, config: dict, message: str) -> None:
    scheduler = make_scheduler(name, **config)
    for use in (
        lambda: DiffusersModel(torch_score, scheduler),
        lambda: sample(torch_score, scheduler, (1, FRAMES, 2), 5),
        lambda: scheduler_law(closed_form(), scheduler, 5),
    ):
        with pytest.raises(ArgumentError, match=message):
            use()


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ConfigMixin", "Nonsense"):
        with pytest.raises(ArgumentError, match="not a scheduler"):
            make_scheduler(name)
    scheduler = make_scheduler(DDPM)
    model = DiffusersModel(torch_score, scheduler)
    for timestep in (1000, -1, 3.5):
        with pytest.raises(ArgumentError, match="timestep"):
            model.times(timestep)
    with pytest.raises(ArgumentError, match="sequences at once"):
        scheduler_law(AffineScore(lambda v, t: -v, 3000, 1), scheduler, 60)
    with pytest.raises(ArgumentError, match="not affine"):
        scheduler_law(AffineScore(lambda v, t: -np.tanh(v), 4, 2), scheduler, 5)
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ArgumentError, match=r"pip install 'unrolled-transformers\[diffusers\]'"):
        make_scheduler(DDPM)
