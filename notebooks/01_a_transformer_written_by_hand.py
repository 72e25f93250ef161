# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # A transformer written by hand
#
# Ten minutes, from a covariance to a transformer in which every weight is known and every block
# is one step of an algorithm.
#
# A **sequence** of $N$ *frames* with $d$ *channels* is a Gaussian process: frames $i$ and $j$
# covary as $\gamma(|i-j|)\,\Sigma$. A diffusion model adds noise, $V_t = \alpha_t X + \sigma_t Z$
# with $\alpha_t = e^{-t/2}$, and generates by following the **score**, which here is known:
#
# $$s_t(V) = -A_t^{-1}(V-\alpha_t M),\qquad A_t = \alpha_t^2\,\Gamma\otimes\Sigma + \sigma_t^2 I .$$
#
# It is the solution of a linear system, so an iteration finds it, and a transformer can carry the
# iteration out: Fu et al. ([arXiv 2407.16134](https://arxiv.org/abs/2407.16134)) prove that such
# transformers exist. Here is one.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from constructions import build, verify
from unroll import Exponential, GaussianProcess, Logarithmic, Polynomial

torch.set_num_threads(1)
plt.rcParams.update({"figure.dpi": 110, "axes.spines.top": False, "axes.spines.right": False})
INK, RUST, GREEN = "#0b5394", "#d55e00", "#009e73"

# %% [markdown]
# ## The problem
#
# Three kernels, three rates at which frames forget each other. We take the polynomial one.

# %%
frames, spatial_cov = 64, np.array([[1.0, 0.6], [0.6, 2.0]])
kernels = [Exponential(8.0), Polynomial(8.0, 2.0), Logarithmic(8.0, 1.0)]
gp = GaussianProcess(kernels[1], frames, spatial_cov)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
for kernel, color in zip(kernels, (INK, RUST, GREEN), strict=True):
    left.plot(kernel.autocov(np.arange(frames)), color=color, label=kernel.regime)
left.set(xlabel="lag (frames)", ylabel=r"$\gamma$", title="Temporal kernels")
left.legend(frameon=False)
for x in gp.sample(3, rng=1):
    right.plot(x[:, 0], lw=1.2)
right.set(xlabel="frame", ylabel="channel 0", title="Three sequences, polynomial kernel")
plt.show()

# %% [markdown]
# ## The transformer
#
# One call plans, writes the weights and hands over a `torch.nn.Module`. `tol` is a promise about
# the relative root-mean-square error of the score, at *every* diffusion time in the range.

# %%
model = build(gp, method="chebyshev", attention="softmax", tol=1e-6, t_min=0.01, t_max=5.0)
print(model.summary())

# %% [markdown]
# Is it true? `verify` draws noisy sequences and compares with the closed form, at 52 diffusion
# times; it also holds every block against the step that it should compute.

# %%
result = verify(model)
print(f"largest relative error over t: {result.worst:.2e}   (promised: {result.tol:g})")
print(f"largest distance of any block from its step: {result.block_deviation.max():.1e}")

# %% [markdown]
# ## Inside one block
#
# The score minimises $\tfrac12\langle s, A_t s\rangle + \langle s, V-\alpha_t M\rangle$. One step
# of gradient descent with momentum is
#
# $$s_{k+1} = s_k - \eta_k(t)\big(\underbrace{\alpha_t^2\,\Gamma s_k\Sigma}_{\text{attention}}
# + \underbrace{\sigma_t^2 s_k + V - \alpha_t M}_{\text{feed-forward}}\big)
# + \underbrace{\beta_k(t)\,(s_k - s_{k-1})}_{\text{feed-forward}} .$$
#
# The residual stream has named channels: two iterates, the input, and one number per position.

# %%
block = model.blocks[5]  # computes iterate 6 (even) from iterate 5 (odd)
odd, even = model.stream["s_odd"], model.stream["s_even"]
print(model.stream)
print("value map, read from s_odd:\n", block.attention.value.detach().numpy()[odd])
print("output map, written to s_even:\n", block.attention.output.detach().numpy()[0][:, even])

# %% [markdown]
# The value map *is* $\Sigma$. The output map is a power of two, $Z$. The rest is in the attention
# pattern, and that depends on positions alone. The relative position bias is $\log\gamma$; a plain
# softmax would then give each row of $\Gamma$ divided by its sum. Two more keys, **attention
# sinks** with value zero, take up the slack of every row, one for the lags that reach beyond the
# first frame and one for those beyond the last, so that all denominators are the same $Z$, and the
# head is exactly $\Gamma/Z$, in shorter sequences too.

# %%
pattern = model.attention_matrix(block=5, head=0)
panels = {
    r"temporal covariance $\Gamma$": gp.temporal_cov,
    r"attention pattern $\times\,Z$": pattern[:, :frames] * model.plan.lowering.normalizer,
}
figure, axes = plt.subplots(
    1, 3, figsize=(10, 3.1), layout="constrained", width_ratios=[1, 1, 0.75]
)
for axis, (title, matrix) in zip(axes, panels.items(), strict=False):
    image = axis.imshow(matrix, cmap="Blues", vmin=0, vmax=1)
    axis.set(title=title, xlabel="key frame", ylabel="query frame")
figure.colorbar(image, ax=axes[:2], shrink=0.8)
axes[2].plot(pattern[:, frames], color=RUST, label="beyond the first frame")
axes[2].plot(pattern[:, frames + 1], color=GREEN, label="beyond the last")
axes[2].set(title="weight on the sinks", xlabel="query frame", ylim=(0, 1))
axes[2].legend(frameon=False, fontsize=8)
plt.show()
difference = np.abs(panels[r"attention pattern $\times\,Z$"] - gp.temporal_cov).max()
print(f"largest difference of the two matrices: {difference:.1e}")

# %% [markdown]
# The feed-forward layer is exactly linear although it has an activation, because
# $\mathrm{ReLU}(x) - \mathrm{ReLU}(-x) = x$; and the diffusion time enters through gates, as in a
# real diffusion transformer. That is all there is.

# %% [markdown]
# ## Watching it converge
#
# Any block's iterate can be read by name. At a small diffusion time the problem is hard (condition
# number in the hundreds), and the first blocks get only the coarse shape.

# %%
t = 0.01
v = gp.sample_noisy(1, t, rng=3)
exact = gp.score(v, t)[0]
iterates = [s[0].numpy() for s in model.iterates(torch.as_tensor(v), t)]

shown = (1, 8, 30, len(iterates))
figure, axes = plt.subplots(1, 4, figsize=(11, 2.4), sharey=True, layout="constrained")
for axis, depth in zip(axes, shown, strict=True):
    axis.plot(exact[:, 0], color="#93a1ad", lw=3, label="closed form")
    axis.plot(iterates[depth - 1][:, 0], color=INK, lw=1.2, label="transformer")
    error = np.linalg.norm(iterates[depth - 1] - exact) / np.linalg.norm(exact)
    axis.set(title=f"after block {depth}: error {error:.0e}", xlabel="frame")
axes[0].set_ylabel("score, channel 0")
axes[0].legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# Theory gives the error of every prefix: at most $2\rho^K/(1+\rho^{2K})$ for Chebyshev with
# $\rho = (\sqrt\kappa-1)/(\sqrt\kappa+1)$, and $\big((\kappa-1)/(\kappa+1)\big)^K$ for plain
# gradient descent. No polynomial of degree $K$ does better than the former. As $t$ grows the
# problem gets easier, and the same blocks, with other gates, converge faster.

# %%
slow = build(gp, method="gradient", attention="softmax", tol=0.02)


def errors(model, t, sequences=16):
    v = gp.sample_noisy(sequences, t, rng=0)
    s = gp.score(v, t)
    return [
        np.linalg.norm(x.numpy() - s) / np.linalg.norm(s)
        for x in model.iterates(torch.as_tensor(v), t)
    ]


figure, axis = plt.subplots(figsize=(8, 3.4), layout="constrained")
for kind, t, color in ((slow, 0.01, GREEN), (model, 0.01, INK), (model, 0.5, RUST)):
    depth = np.arange(1, kind.plan.depth + 1)
    kappa = kind.plan.spectrum.condition_number(t)
    label = f"{kind.plan.method_name}, t = {t} (κ = {kappa:.0f})"
    axis.semilogy(depth, errors(kind, t), color=color, label=label)
    axis.semilogy(depth, [kind.plan.method.rate(kappa, k) for k in depth], "--", color=color, lw=1)
axis.set(xlabel="block", ylabel="relative error", ylim=(1e-13, 2), xlim=(0, 160))
axis.set_title("Error after each block (solid) and its bound (dashed)", loc="left")
axis.legend(frameon=False)
plt.show()
hardest = slow.plan.spectrum.condition_number(0.01)
print(f"gradient descent needs {slow.plan.method.depth(hardest, 1e-6)} blocks for 1e-6")

# %% [markdown]
# ## It is the weights
#
# The forward pass is a generic transformer that knows nothing about covariances. Change one weight
# by a tenth of a percent in one block and the output is hardly moved, because later blocks repair
# the damage; but `verify` looks at every block and says where.

# %%
with torch.no_grad():
    model.blocks[20].attention.value[model.stream["s_even"].start, 0] *= 1.001
result = verify(model)
print(f"error {result.worst:.2e}; {result.first_divergence}")

# %% [markdown]
# Next: [what is proved](02_what_is_proved.ipynb) about this error, and how a saved model is
# certified from its files alone.
