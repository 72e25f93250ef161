"""The demo's report: what was done, in words, tables and figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from unroll.cli.demo.models import Built
from unroll.cli.demo.study import Study
from unroll.report import Block, Figure, Formula, Heading, Items, Table, Text

__all__ = ["document"]


def document(studies: Sequence[Study]) -> list[Block]:
    """The whole report."""
    blocks: list[Block] = [
        Heading("Transformers written by hand, on real data", 1),
        Text(
            "A Gaussian process is fitted to real sequences. From its kernel the weights of a "
            "transformer are written down, without training, so that it returns the score of the "
            "noisy sequences for every diffusion time; it is measured against the closed form, "
            "and sampled with."
        ),
        Items([_summary(study) for study in studies]),
        Heading("What is computed"),
        Text(
            "A sequence has $N$ frames of $d$ channels. Its covariance is $Γ ⊗ Σ$: temporal "
            "kernel $Γ_{ij} = γ(|i − j|)$, spatial covariance $Σ$. Noise is added as "
            "$V = α_{t} X + σ_{t} Z$ with $α_{t} = e^{−t/2}$ and $σ_{t}^{2} = 1 − e^{−t}$, "
            "so that $V$ has covariance $A_{t} = α_{t}^{2} Γ ⊗ Σ + σ_{t}^{2} I$ and the score is"
        ),
        Formula("s_{t}(V) = − A_{t}^{−1} (V − α_{t} M)"),
        Text(
            "Every block of the transformer makes one step of an iteration for this linear "
            "system, for gradient descent"
        ),
        Formula("s_{k+1} = s_{k} − η(t) · ( α_{t}^{2} Γ s_{k} Σ + σ_{t}^{2} s_{k} + V − α_{t} M )"),
        Text(
            "Attention contributes $Γ s Σ$, the feed-forward layer the rest, the step sizes come "
            "in as gates. The error is relative and root mean square, "
            "$(E‖ŝ − s‖^{2} / E‖s‖^{2})^{½}$ under $V$ at diffusion time $t$; `tol` is a promise "
            "for every $t$ in the model's range. With eigenvalues of $A_{t}$ in $[m, L]$ and "
            "$κ = L/m$, gradient descent has error at most $((κ − 1)/(κ + 1))^{K}$ after $K$ "
            "blocks, Chebyshev at most $2ρ^{K}/(1 + ρ^{2K})$ with $ρ = (√κ − 1)/(√κ + 1)$."
        ),
    ]
    for study in studies:
        blocks += _section(study)
    return [*blocks, *_again(studies)]


def _summary(study: Study) -> str:
    main = study.pick("chebyshev", "softmax")
    sampled = study.sampled
    return (
        f"**{study.data.title}** ({study.data.frames} frames x {len(study.data.channels)} "
        f"channels): the {study.report.chosen.regime} regime fits best. {main.plan.depth} blocks "
        f"with one softmax head each reach a relative score error of "
        f"{main.verification.worst:.1e} (planned {main.plan.budget.total:.1e}). Samples drawn "
        f"with it differ from the closed form's by {sampled.score_path:.0e} (relative rms, same "
        f"noise); the sampler itself is off by {sampled.sampler_path:.0e}."
    )


def _section(study: Study) -> list[Block]:
    return [
        Heading(study.data.title),
        *_data(study),
        Heading("Fit", 3),
        *_fit(study),
        Heading("Models", 3),
        *_models(study),
        Heading("Samples", 3),
        *_samples(study),
    ]


def _data(study: Study) -> list[Block]:
    data = study.data
    filled = f" {data.filled} missing frame was interpolated." if data.filled else ""
    return [
        Text(
            f"{len(data.recorded)} sequences of {data.frames} frames (one per "
            f"{data.frame_unit}), channels {_and(data.channels)}; {data.source}.{filled} "
            f"{len(data.train)} sequences are fitted, {len(data.test)} held out. The seasonal "
            "cycle was fitted to the former only and subtracted; the rest is in units of its "
            f"standard deviation ({_and([f'{s:.3g} {data.unit}' for s in data.scale])})."
        ),
        Text(data.caveat),
    ]


def _fit(study: Study) -> list[Block]:
    rows = []
    for candidate in study.report.candidates:
        outside = study.held_out[candidate.regime]
        chosen = candidate is study.report.chosen
        values = [f"{k} {v:.4g}" for k, v in candidate.kernel.to_dict().items() if k != "regime"]
        rows.append(
            [
                f"**{candidate.regime}**" if chosen else candidate.regime,
                ", ".join(values).replace("_", " "),
                f"{candidate.log_likelihood:.1f}",
                f"{candidate.bic:.1f}",
                f"{outside.mean:.3f}",
                "chosen" if chosen else f"{outside.behind:+.3f} ± {outside.error:.3f}",
            ]
        )
    notes = [
        f"The {candidate.regime} fit stops with its {sentence}: the data do not ask for this "
        "regime, and its best member is close to an exponential."
        for candidate in study.report.candidates
        for sentence in candidate.at_bound
    ]
    return [
        Table(
            ["regime", "parameters", "log-likelihood", "BIC", "held out", "behind the chosen"],
            rows,
            "Maximum likelihood of every regime, in nats; the smallest BIC is chosen. Held out: "
            "mean log-likelihood of a sequence no fit has seen, and how far the regime is behind "
            "the chosen one (± one standard error; negative: ahead).",
            left=2,
        ),
        *(Text(note) for note in notes),
        Text(f"Spatial covariance of the chosen fit: Σ = {_matrix(study.gp.spatial_cov)}."),
        Figure(
            _path(study, "autocovariance"),
            "Empirical autocorrelation of the training sequences, per channel, and the fitted "
            "kernels. Maximum likelihood weighs short lags most: they decide the eigenvalues.",
        ),
    ]


def _models(study: Study) -> list[Block]:
    rows = [_model_row(built) for built in study.built]
    refusals = {built.refused: built for built in study.built if built.refused}
    notes = [
        f"For the whole range the planner refuses {built.plan.method_name} descent: `{reason}`. "
        f"Here it gets the longest range it can serve, t ≥ {built.plan.t_min:g}."
        for reason, built in list(refusals.items())[:1]
    ]
    shown = list(study.layer_errors)
    return [
        Table(
            [
                "model",
                "range of t",
                "layers",
                "heads",
                "weights",
                "planned",
                "measured",
                "built in",
            ],
            rows,
            "Planned is the bound computed before building, measured the worst relative score "
            "error over 52 diffusion times (4 sequences each), built in the seconds from plan to "
            "module. Every block was also compared with its reference iterate.",
        ),
        *(Text(note) for note in notes),
        Figure(
            _path(study, "convergence"),
            f"Error of the iterate after each block (bands; no sampling noise) and the "
            f"theoretical rate (dashes), at t = {shown[0]:g}, the smallest that both models "
            f"serve, and t = {shown[-1]:g}. The floor is float64 rounding.",
        ),
        Figure(
            _path(study, "attention"),
            "Attention patterns, read from the running models (above), and what they add up to "
            "(below). The softmax head's last column is its sink, orange where off scale: it makes "
            "the denominator of every row the same.",
        ),
    ]


def _model_row(built: Built) -> list[str]:
    plan = built.plan
    return [
        f"{built.name}, tol {plan.tol:g}",
        f"{plan.t_min:g} … {plan.t_max:g}",
        str(plan.depth),
        str(plan.heads),
        f"{built.summary.parameters:,}",
        f"{plan.budget.total:.2e}",
        f"{built.verification.worst:.2e}" + ("" if built.verification.passed else " FAILED"),
        f"{built.seconds:.2f} s",
    ]


def _samples(study: Study) -> list[Block]:
    sampled, data = study.sampled, study.data
    plan = study.pick("chebyshev", "softmax").plan
    names = {
        "exact flow": "exact flow (chance alone)",
        "closed form": "sampler, closed-form score",
        "transformer": "sampler, transformer's score",
    }
    rows = [
        [
            names[name],
            *(
                f"{ratio:.3f} ± {error:.3f}"
                for ratio, error in zip(found.variance_ratio, found.variance_error, strict=True)
            ),
            f"{found.covariance_error:.3f}",
            *(f"{p:.2f}" for p in found.p_values),
            f"{found.whitened_p_value:.2f}",
        ]
        for name, found in sampled.comparisons.items()
    ]
    chance, spread = sampled.chance
    return [
        Text(
            f"{len(sampled.samples)} sequences, drawn by the probability-flow sampler (Heun, "
            f"{sampled.steps} steps from t = {plan.t_max:g} to {plan.t_min:g}) with the score of "
            f"the `chebyshev, softmax` transformer. The same noise also goes through the same "
            "sampler with the closed-form score, and through the exact flow, so that the three "
            "rows differ by errors of sampler and score and not by chance."
        ),
        Table(
            [
                "samples from",
                *(f"variance, {_name(c)}" for c in data.channels),
                "covariance error",
                *(f"p, {_name(c)}" for c in data.channels),
                "p, whitened",
            ],
            rows,
            "Variance over fitted variance, ± the standard error of exact samples. Covariance "
            "error: relative Frobenius distance from $Γ ⊗ Σ$; exact samples of this size show "
            f"{chance:.3f} ± {spread:.3f} by chance. p: Kolmogorov-Smirnov test of the middle "
            "frame against its fitted marginal, and of all whitened values against the standard "
            "normal.",
        ),
        Table(
            ["without chance", "covariance", "path"],
            [
                [
                    "sampler (closed-form score against exact)",
                    f"{sampled.sampler_error:.1e}",
                    f"{sampled.sampler_path:.1e}",
                ],
                [
                    "score (transformer against closed form)",
                    f"{sampled.score_error:.1e}",
                    f"{sampled.score_path:.1e}",
                ],
            ],
            "The sampler is an affine map of its noise; the map is read off the samples (residual "
            f"{sampled.map_residual:.0e}), and with it their exact covariance. Covariance: "
            "relative Frobenius distance. Path: rms difference of the sequences, relative.",
        ),
        Figure(
            _path(study, "samples"),
            f"Held-out sequences and samples, in {data.unit} away from the seasonal cycle, and "
            "the distribution of all their values.",
        ),
        Figure(
            _path(study, "covariance"),
            "Covariance of the fit and of the samples; their difference in standard errors; and "
            "averaged by lag. Neighbouring entries share their noise.",
        ),
    ]


def _again(studies: Sequence[Study]) -> list[Block]:
    name = studies[0].data.name
    path = studies[0].pick("chebyshev", "softmax").path
    return [
        Heading("To go on from here"),
        Items(
            [
                f"`unroll plan {name}/gp.json --tol 1e-6`: what other methods and accuracies cost",
                f"`unroll verify {name}/{path}`: measure a saved model again",
                f"`unroll sample {name}/{path} -n 100 --out samples.npy`: more samples",
                "`unroll fit DATA.csv`: your own sequences",
            ]
        ),
        Text("All numbers of this report are in `numbers.json`."),
    ]


def _matrix(rows: Iterable[Iterable[float]]) -> str:
    return "[" + ", ".join("[" + ", ".join(f"{x:.3f}" for x in row) + "]" for row in rows) + "]"


def _path(study: Study, figure: str) -> str:
    return f"{study.data.name}/{figure}.png"


def _name(channel: str) -> str:
    return channel.replace("_", " ").title()


def _and(words: Sequence[str]) -> str:
    words = [_name(word) if word.islower() else word for word in words]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
