# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # What training finds
#
# The other notebooks build the score. Here networks have to *find* it, from sequences alone: a
# small diffusion transformer (softmax attention, adaLN-Zero, GELU), a 1-D UNet, and the hand-built
# architecture with random weights. Since the truth is Gaussian, every error is known exactly, and
# there is a baseline that most experiments lack: maximum likelihood from the same sequences.
#
# First a live run, in seconds. Then seven experiments, whose tables are in the repository with 95 %
# intervals over five seeds; each is measured anew by
#
#     python -m constructions.learned.experiments NAME --size standard
#
# on two cores (two hours for all), and `--size full` is for a GPU.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Image, Markdown, display

from constructions.learned import (
    DiT,
    GaussianLaw,
    TrainConfig,
    constructed_from_fit,
    fine_tunable,
    maximum_likelihood,
    score_error,
    train,
)
from constructions.learned.experiments.ball import render, write_gif
from constructions.learned.experiments.common import data_of, law_of
from constructions.learned.experiments.moving_ball import Config as BallConfig
from constructions.learned.experiments.moving_ball import jobs as ball_jobs
from constructions.learned.experiments.run import experiment, run, saved
from unroll import Exponential, GaussianProcess

torch.set_num_threads(1)
plt.rcParams.update({"figure.dpi": 110, "axes.spines.top": False, "axes.spines.right": False})


def show(name: str, *, rows: bool = True) -> None:
    """A saved table: figure, rows, and what follows from them."""
    table = saved(name)
    _, axis = plt.subplots(figsize=(7.5, 4), layout="constrained")
    experiment(name).figure(table, axis)
    plt.show()
    page = table.markdown()
    display(Markdown(page if rows else page[page.index("\n\n") :]))


# %% [markdown]
# ## A network, trained now
#
# 512 sequences of 12 frames and 2 channels. Four models see the same ones: a DiT; the hand-built
# model of a *wrong* kernel (half the length scale), before and after fine-tuning; maximum
# likelihood over all covariances; and the hand-built model of the kernel that maximum likelihood
# finds.

# %%
gp = GaussianProcess(Exponential(4.0), 12, [[1.0, 0.5], [0.5, 1.0]])
law, data = GaussianLaw.of(gp), gp.sample(512, rng=0)
config = TrainConfig(steps=600, batch=64, ema=0.99)
trained = train(DiT(12, 2, width=32, depth=2), data, config, progress=False)

wrong = GaussianProcess(Exponential(2.0), 12, gp.spatial_cov)
start = constructed_from_fit(wrong.sample(20_000, rng=1), regimes="exponential", method="chebyshev")
slower = TrainConfig(steps=200, batch=64, ema=0.99, learning_rate=3e-4)
tuned = train(fine_tunable(start), data, slower, progress=False)

models = {
    "DiT": trained.ema,
    "hand-built, wrong kernel": start,
    "the same, fine-tuned": tuned.ema,
    "maximum likelihood, unstructured": maximum_likelihood(data, "unstructured"),
    "hand-built, fitted kernel": constructed_from_fit(data, regimes="exponential"),
}
times = np.geomspace(0.01, 5.0, 9)
figure, axis = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
for name, model in models.items():
    error = score_error(model, law, times)
    axis.errorbar(times, error.value, yerr=2 * error.standard_error, marker="o", ms=3, label=name)
axis.set(xscale="log", yscale="log", xlabel="diffusion time t", ylabel="relative score error")
axis.set_title("Five models, the same 512 sequences", loc="left")
axis.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# Knowing the structure is worth more than anything else: the fitted kernel has three numbers to
# find, the covariance three hundred, the network tens of thousands. A hand-built model is also a
# place to start from.
#
# ## 1. How fast does the error fall?
#
# The error is the root of Girsanov's bound, $(\frac12\int E|\hat s-s|^2dt)^{1/2}$, which bounds
# total variation up to a constant. Theorem 2 of the paper: it falls like $n^{-1/2}$, and is smaller
# where dependence decays faster.

# %%
show("distribution_error")

# %% [markdown]
# Maximum likelihood does what statistics says: slopes of $-0.50$ to $-0.56$. The network overfits
# 128 sequences (the training runs to its end, as the theorem's estimator does), almost three times
# worse than maximum likelihood over all covariances; from 512 on it is 1.0 to 1.6 times that
# baseline, two to three times what knows that the covariance is a Kronecker product. So its slope
# over the whole range is steeper than $-1/2$ and says little.
#
# The theory's order of the regimes does not show: $\nu=1/2$ is *easier* to learn than $\nu=1$, a
# length scale of 16 is not harder than one of 4, and powers $p$ and $q$ are not told apart, neither
# for the network nor for maximum likelihood. The bound is for the worst case; what a network of
# this size finds hard is something else.
#
# ## 2. What makes a problem hard?
#
# Length, condition number (through the length scale, through the correlation of the channels),
# and how close to the data the score is wanted.

# %%
show("sequence_length")

# %% [markdown]
# The error grows with the number of frames a little faster than the $\sqrt N$ of the theorem, and
# with a smaller $t_{\min}$. With the condition number of the covariance it hardly grows at all:
# $\kappa$ governs how many blocks a *solver* needs, not how hard the score is to learn.
#
# ## 3. Which model?

# %%
show("architectures")

# %% [markdown]
# *kernel*, *kronecker* and *unstructured* are maximum likelihood with more and more freedom;
# *constructed* is the transformer of the fitted kernel and as good as the fit. Of what is trained,
# hand-built weights that are fine-tuned come first, before the DiT and the UNet; the same
# architecture from random weights (*twin*) comes last: a deep stack of Chebyshev steps is easy to
# write and hard to find.
#
# ## 4. Does attention show the covariance?
#
# Rank correlation of attention with $\Gamma$, and how fast attention decays with the lag relative
# to $\gamma$. Attention prefers close frames for many reasons, so there are controls.

# %%
show("attention_maps")

# %% [markdown]
# Trained attention ranks frames as $\Gamma$ does, and neither untrained networks nor those that
# were trained on independent frames do. But two controls say what *not* to conclude. Queries and
# keys that see positions only give the same maps: attention shows a structure of positions, not of
# contents, which is how the hand-built models work, too. And the map is no copy of $\Gamma$: it
# decays twice as fast.
#
# ## 5. Do trained networks unroll an algorithm?
#
# Linear probes look for the iterates of gradient descent and of Chebyshev's method in the residual
# stream, beyond what a frame's own value explains. The hand-built model holds them exactly, one
# after the other.

# %%
show("unrolling_probes", rows=False)

# %% [markdown]
# In a trained network later blocks hold later iterates better; untrained blocks all look alike. It
# refines an estimate of the score from block to block. Whether that *is* gradient descent cannot be
# told this way: iterates of both methods approach the same score, and probes find them equally.
#
# ## 6. A moving ball
#
# The position of a ball follows a Gaussian process and is rendered to frames of 8 by 8 pixels. One
# network learns positions, one pixels; then both make videos. How far are the covariances of
# positions and of pixels from the true ones? Exact sequences, as many, give the floors.

# %%
show("moving_ball")

# %% [markdown]
# Left to right: a sequence of the process, one generated from positions, one from pixels (read off
# and rendered again).

# %%
table = saved("moving_ball")
videos = [np.array(row["videos"][0]) for row in table.rows]
exact = data_of(law_of(ball_jobs(BallConfig.sized("standard"))[0]), 1, 5_000)[0]
with tempfile.TemporaryDirectory() as folder:
    write_gif(Path(folder) / "ball.gif", render(np.stack([exact, *videos])), zoom=6)
    display(Image((Path(folder) / "ball.gif").read_bytes(), format="gif"))

# %% [markdown]
# ## 7. Off the assumptions
#
# Sequences that are not stationary, or not Gaussian, more and more.

# %%
show("off_assumptions")

# %% [markdown]
# The hand-built model is nine times better where its assumptions hold and pays for every departure;
# the network, which assumes nothing, hardly notices. Maximum likelihood over all covariances is the
# better answer to sequences that are not stationary, and as helpless as the others where they are
# not Gaussian.
#
# ## The same, live and small
#
# The code that made the tables, at a size for a notebook: two seeds, a few steps. Runs are kept in
# a folder and continue from there; `workers=2` spreads them over processes, `client=` over a Dask
# cluster.

# %%
with tempfile.TemporaryDirectory() as folder:
    for name, table in run(
        ["unrolling_probes", "attention_maps"], size="small", folder=folder, progress=False
    ).items():
        print(name)
        print("\n".join(table.findings))
        print()
