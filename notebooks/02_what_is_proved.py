# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # What is proved
#
# [The first notebook](01_a_transformer_written_by_hand.ipynb) built a transformer and measured its
# error. Measuring looks at samples. Here is why the error stays below the promise for *every*
# diffusion time and for all the parameter values at once, and how a saved model is certified by a
# reader who trusts nobody.

# %%
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown
from safetensors.torch import load_file, save_file

from constructions import build, verify
from proofs_check import CertificateError, audit, certify, lemmas, prove
from proofs_check.theorems.formulas import COLUMNS, reference_rows, scaling_rows
from unroll import Exponential, GaussianProcess, Logarithmic, Polynomial, make_plan

torch.set_num_threads(1)
plt.rcParams.update({"figure.dpi": 110, "axes.spines.top": False, "axes.spines.right": False})

# %% [markdown]
# ## A lemma is a claim with a proof that runs
#
# Each file in `proofs_check/lemmas` holds one claim. Its proof is a list of steps, each discharged
# by a machine for *all* admissible parameter values, or labelled *cited*. A polynomial step is
# discharged a second time, by another prover.

# %%
lemma = lemmas.get("chebyshev")
print(lemma.doc.split("Proof\n")[0])
for step in lemma.check().steps:
    print(f"{step.status:16} {step.sentence}")

# %% [markdown]
# A proof that cannot fail proves nothing. With each lemma come wrong variants, a constant too small
# or an assumption dropped, and the same machinery must refuse them.

# %%
for variant in lemma.wrong_variants:
    rejection = lemma.reject(variant)
    print(f"{'refused' if rejection.rejected else 'ACCEPTED':9} {variant.name}")

# %% [markdown]
# ## A theorem composes lemmas
#
# One theorem for each decay regime says how many heads and layers suffice. Slow decay is where
# truncation breaks: for a logarithmic kernel no bandwidth that grows slower than the sequence
# works, and that is a theorem too.

# %%
report = prove("logarithmic")
for line in str(report).splitlines()[:6]:
    print(line)
print(f"... and {len(report.reports) - 6} more lemmas")

# %% [markdown]
# What the three theorems say, side by side: how the sufficient sizes grow with the number of
# frames $N$, the length scale $\ell$ and the tolerance $\varepsilon$ ($w\varepsilon$ is the share
# for a band of lags, $\tau$ that for exponentials). The first row is the shape of the paper's
# Theorem 1. A softmax head with a sink is one head throughout.

# %%
rows = scaling_rows()
header = "| regime | " + " | ".join(COLUMNS.values()) + " |"
lines = [header, "|---" * (1 + len(COLUMNS)) + "|"]
for row in rows:
    entries = " | ".join(f"${row.latex(column)}$" for column in COLUMNS)
    lines.append(f"| {row.regime}, ${row.condition}$ | {entries} |")
Markdown("\n".join(lines))

# %% [markdown]
# And as numbers, for 1024 frames, $\ell = 8$, $t \ge 0.01$ and a tolerance of $10^{-6}$: what the
# theorems guarantee from elementary formulas alone. A plan, which may look at the kernel, needs
# less.

# %%
header = "| kernel | bandwidth | exponentials | κ | gradient descent | Chebyshev |"
lines = [header, "|---|---|---|---|---|---|"]
lines += ["| " + " | ".join(row) + " |" for row in reference_rows()]
Markdown("\n".join(lines))

# %% [markdown]
# ## From a theorem to a number
#
# `certify` evaluates the bound for one plan: in ball arithmetic, rounded outward, uniformly over
# the range of t by subdivision. One term for each cause.

# %%
spatial_cov = np.array([[1.0, 0.6], [0.6, 2.0]])
gp = GaussianProcess(Polynomial(8.0, 2.0), frames=64, spatial_cov=spatial_cov)
print(certify(make_plan(gp, tol=1e-6)))
print()
print(certify(make_plan(gp, attention="relu", tol=1e-3)))

# %% [markdown]
# How much does the bound give away? Below, plans of growing depth for three regimes: the bound, and
# the error measured at the hardest diffusion time.

# %%
figure, axis = plt.subplots(figsize=(8, 3.6), layout="constrained")
for kernel, color in (
    (Exponential(8.0), "#0b5394"),
    (Polynomial(8.0, 2.0), "#d55e00"),
    (Logarithmic(8.0, 1.0), "#009e73"),
):
    process = GaussianProcess(kernel, 32, spatial_cov)
    depths, bounds, measured = [], [], []
    for tol in np.geomspace(0.3, 1e-9, 8):
        model = build(process, tol=tol)
        depths.append(model.plan.depth)
        bounds.append(certify(model.plan).bound)
        measured.append(verify(model, times=[model.plan.t_min], samples=32).worst)
    axis.semilogy(depths, bounds, "--", color=color, lw=1)
    axis.semilogy(depths, measured, "o-", color=color, ms=4, label=kernel.regime)
    ratio = np.array(bounds) / measured
    print(f"{kernel.regime:12} bound / measured: {ratio.min():.2f} to {ratio.max():.2f}")
axis.set(xlabel="layers", ylabel="relative error")
axis.set_title("Certified bound (dashed) and measured error", loc="left")
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# ## The audit trusts nobody
#
# A certificate for a plan says nothing about the file on disk. `audit` reads the saved weights with
# an interpreter of its own, encloses what every block computes, and adds the distance from what it
# should compute to the bound, as one more term.

# %%
folder = Path(tempfile.mkdtemp()) / "model"
build(gp, tol=1e-6).save(folder)
print(audit(folder))

# %% [markdown]
# Now somebody changes one weight in 54,000 by one part in a thousand.

# %%
weights = load_file(folder / "model.safetensors")
weights["blocks.111.attention.output"][0, 1, 1] *= 1.001  # writes s_even[1]
save_file(weights, folder / "model.safetensors")
try:
    print(audit(folder))
except CertificateError as refusal:
    print(refusal)

# %% [markdown]
# Or claims that the same weights serve another problem:

# %%
build(gp, tol=1e-6).save(folder)
description = json.loads((folder / "model.json").read_text())
description["plan"]["problem"]["kernel"]["length_scale"] = 8.01
(folder / "model.json").write_text(json.dumps(description))
try:
    print(audit(folder))
except CertificateError as refusal:
    print(refusal)

# %% [markdown]
# ## What must you trust?
#
# Everything, in one table: how each step of each lemma was discharged.

# %%
everything = prove()
counts = everything.counts
rows = [f"| {status} | {count} |" for status, count in counts.items() if count]
Markdown("\n".join(["| discharged by | steps |", "|---|---|", *rows]))
