"""Measure every number that the README states, and draw its figure.

python notebooks/readme.py           rewrite the README's example output, table and figure
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from pathlib import Path

import numpy as np
import torch

from constructions import build, verify
from proofs_check import certify
from unroll import Exponential, GaussianProcess, Logarithmic, Polynomial, make_plan
from unroll.refusals import DepthError

README = Path(__file__).resolve().parent.parent / "README.md"
FIGURE = Path(__file__).resolve().parent / "readme.png"
TOL = 1e-6
KERNELS = {
    "exponential, ν = 1": Exponential(8.0),
    "polynomial, p = 2": Polynomial(8.0, 2.0),
    "logarithmic, q = 1": Logarithmic(8.0, 1.0),
}
HEADER = (
    "| regime (ℓ = 8) | κ | gradient, ReLU | Chebyshev, softmax | Chebyshev, ALiBi "
    "| preconditioned | boundary | spectral | proved | measured |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def problem(kernel: object) -> GaussianProcess:
    """64 frames, 4 channels, eigenvalues of the spatial covariance from 0.5 to 2."""
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    return GaussianProcess(kernel, 64, basis @ np.diag([0.5, 1.0, 1.5, 2.0]) @ basis.T)


def row(name: str) -> str:
    """One line of the table: layers x heads of six constructions, the bound that is proved of
    Chebyshev with softmax, and the largest error measured over the five that are built.
    """
    gp = problem(KERNELS[name])
    try:
        depth = make_plan(gp, method="gradient", tol=TOL).layers
    except DepthError as refusal:
        depth = refusal.depth
    paper = f"{depth} × {make_plan(gp, attention='relu', tol=TOL).heads}"
    ways = [
        {"attention": "softmax"},
        {"attention": "alibi"},
        {"method": "preconditioned"},
        {"method": "boundary"},
        {"method": "spectral"},
    ]
    plans = [make_plan(gp, tol=TOL, **way) for way in ways]
    errors = [verify(build(plan), samples=2).worst for plan in plans]
    kappa = f"{plans[0].spectrum.condition_number(plans[0].t_min):.0f}"
    cells = [name, kappa, paper, *(f"{plan.layers} × {plan.heads}" for plan in plans)]
    cells += [f"{certify(plans[0]).bound:.2g}", f"{max(errors):.2g}"]
    return f"| {' | '.join(cells)} |"


def example(text: str) -> str:
    """Run the README's first Python block and return what it prints."""
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code.group(1), str(README), "exec"), {})
    return printed.getvalue()


def speed() -> str:
    """From the stored benchmark: seconds of the fastest general solver over ours, d = 1."""
    sys.path.insert(0, str(README.parent))
    from benchmarks.storage import load
    from benchmarks.tables import summary

    stored = load(README.parent / "benchmarks" / "results" / "quick.json")
    rows = [row for row in summary(stored).rows if "d = 1," in row[0] and "general" in row[1]]
    sizes = summary(stored).header[2:]
    lines = [f"| score at a new t, set-up included | {' | '.join(sizes)} |"]
    lines.append("|---|" + "---|" * len(sizes))
    lines += [f"| {row[0].split(', ℓ')[0]} | {' | '.join(row[2:])} |" for row in rows]
    return "\n".join(lines)


def architectures() -> str:
    """From the stored experiment: errors of all models, the best first."""
    from constructions.learned.experiments.run import saved

    rows = saved("architectures").rows
    cells = [f"{row['root'].mean:.2f} ± {row['root'].half:.2f}" for row in rows]
    header = f"| {' | '.join(row['model'] for row in rows)} |"
    return "\n".join([header, "|" + "---|" * len(rows), f"| {' | '.join(cells)} |"])


def between(text: str, mark: str, new: str) -> str:
    """``text`` with what stands between two comment marks replaced."""
    pattern = rf"(<!-- {mark} -->\n).*?(<!-- end {mark} -->)"
    return re.sub(pattern, lambda found: f"{found[1]}{new}\n{found[2]}", text, flags=re.DOTALL)


def figure(path: Path) -> None:
    """Attention beside the covariance, and the error after each block beside its bound."""
    import matplotlib.pyplot as plt

    gp = problem(KERNELS["polynomial, p = 2"])
    model = build(gp, tol=TOL)
    page, axes = plt.subplots(
        1, 3, figsize=(11, 3.2), layout="constrained", width_ratios=[1, 1, 1.5]
    )
    pattern = model.attention_matrix(0, 0)[:, : gp.frames] * model.plan.lowering.normalizer
    for axis, matrix, title in (
        (axes[0], gp.temporal_cov, "temporal covariance Γ"),
        (axes[1], pattern, "attention head × Z"),
    ):
        axis.imshow(matrix, cmap="Blues", vmin=0, vmax=1)
        axis.set_title(title, loc="left", fontsize=10)
        axis.set(xlabel="key frame", ylabel="query frame")
    for name, color in zip(KERNELS, ("#0b5394", "#d55e00", "#009e73"), strict=True):
        model = build(problem(KERNELS[name]), tol=TOL)
        t, v = model.plan.t_min, model.plan.gp.sample_noisy(16, model.plan.t_min, rng=0)
        s = model.plan.gp.score(v, t)
        errors = [
            np.linalg.norm(x.numpy() - s) / np.linalg.norm(s)
            for x in model.iterates(torch.as_tensor(v), t)
        ]
        depth = np.arange(1, len(errors) + 1)
        kappa = model.plan.spectrum.condition_number(t)
        axes[2].semilogy(depth, errors, color=color, label=name)
        axes[2].semilogy(
            depth, [model.plan.method.rate(kappa, k) for k in depth], "--", color=color
        )
    axes[2].set_title(
        "score error after each block, and its bound (dashed)", loc="left", fontsize=10
    )
    axes[2].set(xlabel="block", ylabel="relative error at t = 0.01")
    axes[2].spines[["top", "right"]].set_visible(False)
    axes[2].legend(frameon=False, fontsize=8)
    page.savefig(path, dpi=130)
    plt.close(page)


def main() -> None:
    """Rewrite README and figure."""
    torch.set_num_threads(1)
    text = README.read_text(encoding="utf-8")
    text = between(text, "example", "```\n" + example(text) + "```")
    text = between(text, "numbers", "\n".join([HEADER, *map(row, KERNELS)]))
    text = between(text, "speed", speed())
    text = between(text, "architectures", architectures())
    figure(FIGURE)
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
