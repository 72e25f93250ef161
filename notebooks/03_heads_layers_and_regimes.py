# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # Heads, layers and decay regimes
#
# The construction of Fu et al. ([arXiv 2407.16134](https://arxiv.org/abs/2407.16134)) spends
# attention heads on lags (four for each lag that is kept) and layers on the condition number
# (gradient descent). Both grow as correlations decay more slowly: polynomially, logarithmically.
# This notebook shows where the cost comes from, and constructions for which slow decay is cheap.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from constructions import build, verify
from unroll import Exponential, GaussianProcess, Logarithmic, Polynomial, make_plan
from unroll.candidates import candidates, frontier
from unroll.methods.inverse_symbol import InverseSymbol
from unroll.refusals import DepthError
from unroll.spectrum import enclose

torch.set_num_threads(1)
plt.rcParams.update({"figure.dpi": 110, "axes.spines.top": False, "axes.spines.right": False})
REGIMES = {
    "exponential": (Exponential(8.0), "#0b5394"),
    "polynomial": (Polynomial(8.0, 2.0), "#d55e00"),
    "logarithmic": (Logarithmic(8.0, 1.0), "#009e73"),
}
TOL, T_MIN = 1e-3, 0.1


def problem(kernel, frames):
    return GaussianProcess(kernel, frames, [[1.0]])


# %% [markdown]
# ## Why slow decay is expensive
#
# **Heads.** A band of lags $0 \ldots J$ changes the covariance by its tail $2\sum_{k>J}\gamma(k)$,
# and that must stay below the tolerance. With exponential decay a fixed $J$ serves any length;
# with logarithmic decay no band short of the whole sequence does, and that is a theorem
# (`prove("logarithmic")`). **Layers.** Gradient descent takes about
# $\tfrac12\kappa\log(1/\varepsilon)$ steps, Chebyshev $\tfrac12\sqrt\kappa\log(2/\varepsilon)$.

# %%
lengths = np.array([16, 32, 64, 128, 256, 512])
figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.1), layout="constrained")
for name, (kernel, color) in REGIMES.items():
    heads, gradient, chebyshev, steps = [], [], [], []
    for frames in lengths:
        gp = problem(kernel, int(frames))
        limits = {"tol": TOL, "t_min": T_MIN, "t_max": 5.0}
        heads.append(make_plan(gp, attention="relu", frequencies=1, **limits).bandwidth + 1)
        chebyshev.append(make_plan(gp, method="chebyshev", **limits).layers)
        try:
            gradient.append(make_plan(gp, method="gradient", **limits).layers)
        except DepthError as error:
            gradient.append(error.depth)
        steps.append(make_plan(gp, method="preconditioned", **limits).layers)
    width = {"polynomial": 4}.get(name, 1.5)  # it lies under the logarithmic one
    axes[0].plot(lengths, heads, "o-", ms=3, lw=width, color=color, label=name)
    axes[1].plot(lengths, gradient, "o--", ms=3, color=color)
    axes[1].plot(lengths, chebyshev, "o-", ms=3, color=color)
    axes[2].plot(lengths, steps, "o-", ms=3, color=color)
axes[0].plot(lengths, lengths, color="0.7", lw=1, zorder=0)
axes[0].annotate("every lag", (90, 130), color="0.5", fontsize=8)
axes[0].set(title="Lags kept (paper: 4 heads each)", ylabel="lags")
axes[1].set(title="Layers: gradient (- -), Chebyshev (—)", ylabel="layers")
axes[2].set(title="Layers: preconditioned", ylabel="layers", ylim=(0, 14))
for axis in axes:
    axis.set(xlabel="frames", xscale="log", xticks=lengths, xticklabels=lengths)
    axis.minorticks_off()
axes[0].set_yscale("log", base=2)
axes[1].set_yscale("log")
axes[0].legend(frameon=False)
plt.show()

# %% [markdown]
# ## One head for any kernel
#
# The heads are the easier half. A softmax head whose relative position bias is $\log\gamma$ gives
# $\gamma(|i-j|)$ up to a row-dependent normaliser; two attention sinks, keys whose value is zero,
# complete every denominator to one power of two. **One head, exactly** $\Gamma/Z$, for any
# positive kernel. With a *linear* bias (ALiBi) a head is one exponential: a single one in the
# exponential regime, about ten for the slow ones at six digits. Linear attention with sinusoidal
# features carries $\Gamma$ too: a head per frequency of a circulant that holds it.

# %%
gp = problem(REGIMES["polynomial"][0], 32)
lowerings = {
    "ReLU, one lag knot": ("relu", 4),
    "softmax, log γ": ("softmax", 0),
    "ALiBi, one exponential": ("alibi", 3),
    "Fourier, one frequency": ("fourier", 3),
}
figure, axes = plt.subplots(2, 4, figsize=(10.5, 5.2), layout="constrained")
for (title, (attention, head)), (top, bottom) in zip(lowerings.items(), axes.T, strict=True):
    model = build(gp, attention=attention, tol=1e-4)
    pattern = model.attention_matrix(head=head)[:, :32]
    limit = np.abs(pattern).max()
    top.imshow(pattern, cmap="RdBu_r", vmin=-limit, vmax=limit)
    top.set_title(f"{title}\n(head {head} of {model.plan.heads})", fontsize=9)
    layer = model.weights().blocks[0].attention
    output = layer.output[..., model.stream["s_odd"].start]
    weight = np.broadcast_to(output.reshape(-1) if output.ndim > 1 else output, model.plan.heads)
    total = sum(w * model.attention_matrix(head=h)[:, :32] for h, w in enumerate(weight))
    bottom.imshow(total, cmap="RdBu_r", vmin=-1, vmax=1)
    error = np.abs(total - gp.temporal_cov).max()
    bottom.set_title(f"all heads: Γ to {error:.0e}", fontsize=9)
for axis in axes.flat:
    axis.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# Top: the pattern of a single head. Bottom: what the heads carry together, with the weights of
# their output maps; it is $\Gamma$ each time.
#
# ## A handful of layers
#
# The layers are the harder half. Embed $\Gamma$ in a circulant of twice the length; its
# eigenvalues $f_m$ sample the symbol. The *inverse-symbol preconditioner* $P_t$ is a leading block
# of the circulant with eigenvalues $1/(\alpha_t^2 f_m\mu+\sigma_t^2)$: one linear-attention head
# per frequency with a gate that depends on $t$. Every eigenvalue of $P_tA_t$ is at least 1
# (proved), and all but a few *are* 1; the exceptions live at the two ends of the sequence and do
# not move with its length. So a few gradient steps, with step sizes from the actual spectrum, do
# what took hundreds.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.2), layout="constrained")
for row, (name, (kernel, color)) in enumerate(REGIMES.items()):
    for offset, frames in ((-0.12, 64), (0.12, 256)):
        gp = problem(kernel, frames)
        design = InverseSymbol.design(kernel, frames, [1.0], 0.01, 5.0, 1)
        x = np.expm1(0.01)
        noisy = gp.temporal_cov + x * np.eye(frames)
        values = np.linalg.eigvals(design.apply(x, noisy)).real
        left.plot(values, np.full(frames, row + offset), "|", ms=9, color=color)
    gp = GaussianProcess(kernel, 64, np.diag([0.5, 1.0, 2.0]))
    plan = make_plan(gp, method="preconditioned", tol=1e-10)
    v = gp.sample_noisy(50, t=0.01, rng=0)
    exact = gp.score(v, 0.01)
    errors = [1.0] + [
        float(np.linalg.norm(s - exact) / np.linalg.norm(exact)) for s in plan.run(v, 0.01)
    ]
    right.semilogy(errors, "o-", ms=4, color=color, label=name)
left.set(yticks=[0, 1, 2], yticklabels=list(REGIMES), xlabel="eigenvalues of $P_tA_t$ at t = 0.01")
left.set_title("64 frames (upper) and 256 (lower)")
left.invert_yaxis()
right.set(xlabel="step (two layers each)", ylabel="relative rms error", title="t = 0.01, 64 frames")
right.legend(frameon=False)
plt.show()

# %% [markdown]
# The error jumps at the end rather than falling evenly: the steps remove the outliers one by one,
# and only when the last is gone is anything small.
#
# ## Two layers, any regime
#
# The exceptions live at the two ends, so why iterate at all? With a circle that is long enough
# $A_t^{-1}-P_t$ is of low numerical rank, and a few vectors at the ends, the same for *all* $t$,
# span what it does. Two blocks are enough: Fourier heads invert the symbol, rank-one heads mend the
# ends.

# %%
figure, axis = plt.subplots(figsize=(5.6, 3.2), layout="constrained")
for name, (kernel, color) in REGIMES.items():
    for frames, style in ((64, "-"), (256, ":")):
        longer = InverseSymbol.design(kernel, 2048, [1.0], 0.01, 5.0, 1)
        x = np.expm1(0.01)
        symbol = longer.apply(x, np.eye(2048, frames))[:frames]
        inverse = np.linalg.inv(kernel.matrix(frames) + x * np.eye(frames))
        left_over = np.linalg.svd(inverse - symbol, compute_uv=False)
        label = name if style == "-" else None
        axis.semilogy(left_over[:40] / np.linalg.norm(inverse, 2), style, color=color, label=label)
axis.set(xlabel="number", ylabel="relative to $|A_t^{-1}|$", ylim=(1e-17, 1))
axis.set_title(
    "Singular values of what the symbol leaves; 64 frames, 256 (dotted)", loc="left", fontsize=9
)
axis.legend(frameon=False)
plt.show()

# %%
print(f"{'':14}{'frames':>8}{'layers':>8}{'vectors':>9}{'heads':>7}{'error at t = 0.01':>20}")
for name, (kernel, _) in REGIMES.items():
    for frames in (64, 256, 1024):
        plan = make_plan(problem(kernel, frames), method="boundary", tol=1e-6)
        v = plan.gp.sample_noisy(8, 0.01, rng=0)
        found = build(plan).structured()(torch.as_tensor(v), 0.01).numpy()
        exact = plan.gp.score(v, 0.01)
        error = np.linalg.norm(found - exact) / np.linalg.norm(exact)
        sizes = f"{frames:>8}{plan.layers:>8}{plan.boundary.rank:>9}{plan.heads:>7}"
        print(f"{name:14}{sizes}{error:>20.1e}")

# %% [markdown]
# ## What is worth having
#
# `unroll plan` prints this table for any problem. A construction is on the **frontier** if no
# other has at most as many layers, heads, parameters and floating-point operations.

# %%
gp = GaussianProcess(Logarithmic(8.0, 1.0), 64, np.diag([0.5, 1.0, 2.0]))
rows = candidates(gp, tol=1e-6)
best = frontier(rows)
print(
    f"{'':2}{'method':16}{'attention':14}{'layers':>8}{'heads':>7}{'parameters':>12}{'flops':>10}"
)
for row in rows:
    sizes = row.cost
    numbers = (
        f"{sizes.layers:>8}{sizes.heads:>7}{sizes.parameters:>12,}{sizes.flops:>10.1e}"
        if sizes
        else f"{row.layers or '-':>8}"
    )
    mark = "* " if row in best else "  "
    print(f"{mark}{row.method:16}{row.attention:14}{numbers}{'  refused' if row.reason else ''}")

# %%
markers = {"gradient": "o", "chebyshev": "s", "preconditioned": "^"}
markers |= {"boundary": "P", "spectral": "D"}
figure, axis = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
labels = {}
for row in rows:
    if row.cost is None:
        continue
    place = (row.cost.layers, row.cost.heads)
    axis.scatter(
        *place,
        s=20 + 12 * np.log10(row.cost.flops / 1e5),
        marker=markers[row.method],
        color="#0b5394" if row in best else "0.75",
    )
    if row in best:
        labels.setdefault(place, [row.method]).append(row.attention)
for place, (method, *mechanisms) in labels.items():
    text = f"{method}\n({' or '.join(mechanisms)})"
    axis.annotate(text, place, (6, 8), textcoords="offset points", fontsize=7)
axis.set(xlim=(0.6, 4e4), ylim=(0.6, 2000))
axis.set(xscale="log", yscale="log", xlabel="layers", ylabel="heads in a block")
axis.set_title("Logarithmic regime, 64 frames, tol 1e-6")
plt.show()

# %% [markdown]
# Each of the constructions on the frontier is a different trade: one layer with a head per
# eigenmode, a handful of layers with a head per frequency, hundreds of layers with a single head.
# For longer sequences, whose eigenmodes are too many to keep, the two layers with heads for the
# ends take the place of the one. They compute the same function:

# %%
for row in best:
    model = build(row.plan)
    print(f"{row.method:16}{row.attention:14}measured error {verify(model).worst:.1e}")

# %% [markdown]
# ## Condition numbers, for the record
#
# The number of layers of the plain iterations follows the condition number of $A_t$, which grows
# with the length in the slow regimes and does not in the fast one.

# %%
print(f"{'frames':>8}" + "".join(f"{name:>14}" for name in REGIMES))
for frames in lengths:
    kappas = [
        enclose(kernel, int(frames), np.eye(1)).condition_number(0.01)
        for kernel, _ in REGIMES.values()
    ]
    print(f"{frames:>8}" + "".join(f"{kappa:>14.0f}" for kappa in kappas))
