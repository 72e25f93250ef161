# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # From score to distribution
#
# A score is a means to an end: samples. How wrong are they, and whose fault is it? For images
# nobody can say. Here everything is affine: the score of a Gaussian, a transformer whose attention
# depends on positions alone, every step of every sampler. Noise is Gaussian, so what a sampler
# returns is *exactly* Gaussian, and its mean and covariance can be computed. No sampling error
# enters any number below, except where draws are counted on purpose.

# %%
import math
import warnings

import matplotlib.pyplot as plt
import numpy as np
import torch

from constructions import build
from constructions.adapters import affine_score, score_function
from constructions.adapters.diffusers import make_scheduler, time_range
from constructions.adapters.diffusers_law import scheduler_law
from constructions.conditional import build_conditional
from unroll import Exponential, GaussianProcess, Polynomial
from unroll.conditional import Conditioning
from unroll.distribution import (
    AffineScore,
    covariance_error,
    data_law,
    eigen_basis,
    kl_divergence,
    noisy_law,
    sampler_law,
    split_causes,
    total_variation,
    wasserstein,
)
from unroll.samplers import SAMPLERS, SPACINGS, make_sampler, reverse_times
from unroll.theorem2 import theorem2_bound

torch.set_num_threads(1)
warnings.filterwarnings("ignore", message="IProgress not found")  # diffusers looks for widgets
plt.rcParams.update({"figure.dpi": 110, "axes.spines.top": False, "axes.spines.right": False})
COLORS = ["#0b5394", "#d55e00", "#009e73", "#b8579b", "#7a6a00", "#56b4e9", "#1c2733"]

# %% [markdown]
# ## A sampler is a list of affine steps
#
# With the closed-form score each step multiplies every eigendirection of $\Gamma\otimes\Sigma$ by a
# number: one scalar recursion per eigenvalue is the whole calculation. Seven samplers on one grid
# of diffusion times, from the true law at $t_{\max}$ backwards: how far is what they return from
# the law they aim at?

# %%
gp = GaussianProcess(Polynomial(8.0, 2.0), 64, [[1.0, 0.6], [0.6, 2.0]])
t_min, t_max = 1e-4, 12.0
aim = noisy_law(gp, t_min)
budgets = np.unique(np.geomspace(8, 1000, 12).astype(int))

figure, axis = plt.subplots(figsize=(7.5, 3.8), layout="constrained")
for color, name in zip(COLORS, SAMPLERS, strict=True):
    cost, distance = [], []
    for steps in budgets:
        sampler = make_sampler(name, reverse_times(t_min, t_max, steps), denoise=False)
        cost.append(sampler.evaluations)
        distance.append(wasserstein(aim, sampler_law(sampler, gp)))
    style = "--" if sampler.stochastic else "-"
    axis.loglog(cost, distance, style, marker="o", ms=3, color=color, label=name)
axis.set(xlabel="score evaluations", ylabel="Wasserstein distance", ylim=(None, 30))
axis.set_title("Exact score: what the sampler alone does (dashed: stochastic)", loc="left")
axis.legend(frameon=False, ncols=2, fontsize=8)
plt.show()

# %% [markdown]
# First-order methods fall by two when the steps are doubled, Heun and DPM-Solver++ by four, down to
# what the start at $t_{\max}$ leaves.
#
# How is the error spread over the eigenvalues? That is decided by the grid. In
# $y = v/\alpha_t$ over $r = \sigma_t/\alpha_t$ an eigendirection has the variance
# $\lambda\mu + r^2$: a larger eigenvalue is the same problem with $r$ rescaled. Steps that are
# equal in $\log r$ do not notice, so *every* direction gets the same relative error. Other grids
# serve some directions at the expense of others.

# %%
basis, eigenvalues = eigen_basis(gp)
order = np.argsort(eigenvalues.reshape(-1))
figure, axes = plt.subplots(1, 2, figsize=(9, 3.3), layout="constrained", sharey=True)
for axis, name in zip(axes, ("ddim", "dpm++2m"), strict=True):
    for color, spacing in zip(COLORS, SPACINGS, strict=False):
        sampler = make_sampler(name, reverse_times(t_min, t_max, 50, spacing), denoise=False)
        law = sampler_law(sampler, gp)
        errors = np.abs(law.variances(basis) / aim.variances(basis) - 1).reshape(-1)
        axis.loglog(eigenvalues.reshape(-1)[order], errors[order], color=color, label=spacing)
    axis.set(xlabel=r"eigenvalue $\lambda_m\mu_a$ of the data")
    axis.set_title(f"{name}, 50 steps", loc="left")
axes[0].set(ylabel="relative variance error")
axes[0].legend(frameon=False, title="steps equal in")
plt.show()

# %% [markdown]
# ## The actual transformer, and whose fault it is
#
# Now the torch model. Its affine map at each diffusion time is read off by applying it to basis
# vectors (and checked to be affine), then the full covariance is propagated. Between the data and
# the output stand four causes, each a law further along:
#
# 1. **early stopping** at $t_{\min}$, 2. the **start** from pure noise at $t_{\max}$, 3. the
# **discretisation**, 4. the error of the **score**.

# %%
small = GaussianProcess(Polynomial(8.0, 2.0), 24, [[1.0, 0.6], [0.6, 2.0]])
sampler = make_sampler("dpm++2m", reverse_times(0.01, 5.0, 25))
tolerances = [1e-1, 1e-2, 1e-3]
splits = []
for tol in tolerances:
    model = build(small, method="chebyshev", tol=tol, t_min=0.01, t_max=5.0)
    splits.append(split_causes(small, sampler, affine_score(model)))
print(f"tol = {tolerances[1]:g}")
print(splits[1])

# %% [markdown]
# Wasserstein contributions are distances from one law to the next, which by the triangle inequality
# bound the whole. Contributions to $\mathrm{KL}(\text{data}\,\|\,\text{output})$ carry a sign and
# add up exactly. Better scores do not help beyond the sampler:

# %%
figure, axis = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
places = np.arange(len(tolerances))
for k, (color, cause) in enumerate(zip(COLORS, splits[0].wasserstein, strict=False)):
    axis.bar(
        places + 0.2 * k - 0.3,
        [split.wasserstein[cause] for split in splits],
        0.19,
        color=color,
        label=cause,
    )
totals = [split.total_wasserstein for split in splits]
axis.hlines(totals, places - 0.42, places + 0.42, color="#1c2733", lw=1, label="together")
axis.set(yscale="log", ylabel="Wasserstein distance", xlabel="promised score error, tol")
axis.set_xticks(places, [f"{tol:g}" for tol in tolerances])
axis.set_title("25 steps of DPM-Solver++, t from 5 to 0.01", loc="left")
axis.legend(frameon=False, ncols=3, fontsize=8, loc="upper right")
axis.set_ylim(1e-6, 20)
plt.show()

# %% [markdown]
# The start weighs that much because the probability flow carries its error through undamped; the
# reverse diffusion forgets most of it.

# %%
grid = reverse_times(0.01, 5.0, 25)
for name in ("ddim", "exponential"):
    split = split_causes(small, make_sampler(name, grid))
    print(f"{name:12}", {cause: f"{w:.1e}" for cause, w in split.wasserstein.items()})

# %% [markdown]
# Do draws agree? Two thousand sequences from the torch model: the largest deviation of any entry of
# mean and covariance from the exact law, in standard errors, beside the deviation from the data.

# %%
model = build(small, method="chebyshev", tol=1e-2, t_min=0.01, t_max=5.0)
few = make_sampler("ddim", reverse_times(0.01, 5.0, 12))
law = sampler_law(few, affine_score(model))
draws = few.sample(score_function(model, 1000), (2000, 24, 2), rng=0).reshape(2000, -1)


def largest_deviation(law):
    centred = draws - law.mean.reshape(-1)
    cov, variance = law.covariance(), np.diag(law.covariance())
    mean = centred.mean(0) / np.sqrt(variance / len(draws))
    spread = np.sqrt((np.outer(variance, variance) + cov**2) / len(draws))
    return max(np.abs(mean).max(), np.abs((centred.T @ centred / len(draws) - cov) / spread).max())


print(f"from the exact law of the sampler: {largest_deviation(law):.1f} standard errors")
print(f"from the law of the data:          {largest_deviation(data_law(small)):.1f}")
expected = math.sqrt(2 * math.log(draws.shape[1] ** 2))
print(f"(the largest of {draws.shape[1] ** 2} standard normal numbers: about {expected:.1f})")

# %% [markdown]
# ## Total variation
#
# The distance of the theorems. For Gaussians it is one smooth integral, so it has a value, which
# the inequalities enclose.

# %%
rows = []
for steps in budgets[budgets >= 15]:
    law = sampler_law(make_sampler("dpm++2m", reverse_times(t_min, t_max, steps)), gp)
    rows.append(total_variation(data_law(gp), law))
figure, axis = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
cost = budgets[budgets >= 15] + 1
axis.fill_between(
    cost, [r.lower for r in rows], [r.upper for r in rows], color=COLORS[0], alpha=0.2, lw=0
)
axis.loglog(cost, [r.value for r in rows], "o-", ms=4, color=COLORS[0])
axis.set(xlabel="score evaluations, DPM-Solver++", ylabel="total variation")
axis.set_title("Value, and what the inequalities know", loc="left")
plt.show()
print(f"from below: {rows[-1].lower_by}; from above: {rows[-1].upper_by}")

stopped = split_causes(gp, make_sampler("dpm++2m", reverse_times(t_min, t_max, 10)))
only = total_variation(data_law(gp), stopped.laws["early stopping"]).value
print(f"early stopping alone: {only:.1e}, the last point: {rows[-1].value:.1e}")

# %% [markdown]
# ## Schedulers of diffusers
#
# Their discrete noise schedule is ours at $t=-\log\bar\alpha_k$. Any of their schedulers can be
# driven by a hand-built model; the exact law comes from running its own loop on basis vectors.

# %%
line = GaussianProcess(Exponential(8.0), 64, [[1.0]])
exact = AffineScore(lambda v, t: line.score(v, t, solver="eigen"), 64, 1)
print(f"{'scheduler':28} {'steps':>5} {'covariance':>11} {'Wasserstein':>11} {'KL':>8}")
for name, steps in [
    ("DDPMScheduler", 20),
    ("DDIMScheduler", 50),
    ("DDIMScheduler", 1000),
    ("EulerDiscreteScheduler", 50),
    ("HeunDiscreteScheduler", 50),
    ("DPMSolverMultistepScheduler", 20),
    ("DPMSolverMultistepScheduler", 50),
]:
    law = scheduler_law(exact, make_scheduler(name), steps)
    numbers = (
        covariance_error(data_law(line), law),
        wasserstein(data_law(line), law),
        kl_divergence(data_law(line), law),
    )
    print(f"{name:28} {steps:5} {numbers[0]:11.1e} {numbers[1]:11.1e} {numbers[2]:8.1e}")

# %%
scheduler = make_scheduler("DPMSolverMultistepScheduler", prediction_type="v_prediction")
low, high = time_range(scheduler, 20)
model = build(line, method="spectral", tol=1e-8, t_min=low, t_max=high)
by_model = scheduler_law(affine_score(model), scheduler, 20)
by_formula = scheduler_law(exact, scheduler, 20)
print(f"model against closed form, 20 steps: W2 = {wasserstein(by_model, by_formula):.1e}")

# %% [markdown]
# ## Conditioning: fill in, and forecast
#
# Given some frames, the others are Gaussian again. The posterior covariance is no longer Toeplitz,
# so no relative position bias carries it; its eigenmodes do. The transformer below has two blocks:
# one attends among the frames to be filled in, the other carries the observations to them, each
# head one eigenmode. The observed values are an input.

# %%
seen = [*range(20), 34, 35, 50]
conditioning = Conditioning(GaussianProcess(Polynomial(8.0, 2.0), 64, [[1.0]]), seen)
truth = conditioning.gp.sample(1, rng=5)[0]
posterior = conditioning.given(truth[seen])
model = build_conditional(conditioning, t_min=1e-3, t_max=10.0)
sampler = make_sampler("dpm++2m", reverse_times(1e-3, 10.0, 40))
score = model.score(truth[seen])
x = sampler.sample(score, (30, posterior.frames, 1), rng=1)

figure, axis = plt.subplots(figsize=(9, 3.2), layout="constrained")
targets = np.array(conditioning.targets)
gaps = np.split(np.arange(len(targets)), np.flatnonzero(np.diff(targets) > 1) + 1)
deviation = np.sqrt(np.diag(posterior.covariance()))
for gap in gaps:
    at, middle = targets[gap], posterior.mean[gap, 0]
    axis.plot(at, x[:, gap, 0].T, color=COLORS[1], lw=0.5, alpha=0.5)
    axis.plot(at, middle, color=COLORS[0], lw=2)
    for sign in (-2, 2):
        axis.plot(at, middle + sign * deviation[gap], color=COLORS[0], lw=1, ls="--")
axis.plot(seen, truth[seen, 0], "o", color="#1c2733", ms=4)
axis.set(xlabel="frame", ylabel="value")
axis.set_title("Drawn by the transformer; exact mean and ± 2 standard deviations", loc="left")
plt.show()
found = split_causes(posterior, sampler, AffineScore(score, posterior.frames, 1))
print(found)

# %% [markdown]
# ## What Theorem 2 says
#
# The paper bounds the total variation of a transformer *trained* on $n$ sequences. It is cited here
# at second hand, with its constant set to 1; total variation never exceeds 1, so where the scale is
# larger the theorem says nothing.

# %%
for n in (1e4, 1e8, 1e12):
    print(f"n = {n:.0e}: {theorem2_bound(n, 64, 4, 8.0, 1.0, 706.0, 0.01).value:.1e}")
print(theorem2_bound(1e4, 64, 4, 8.0, 1.0, 706.0, 0.01))
