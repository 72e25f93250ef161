r"""Why a sampler's output is not the data: one law per cause, each a step further from the data.

The chain, from the data to what is actually returned:

=================  =================================================================================
law                what it is
=================  =================================================================================
data               N(M, Gamma (x) Sigma)
early stopping     the exact law at t_min (denoised, where the sampler denoises)
start              the exact reverse process in continuous time, started from N(start_mean, I) at
                   t_max: reverse diffusion for stochastic samplers, else the probability flow
discretisation     the sampler, driven by the closed-form score
score              the sampler, driven by the model
=================  =================================================================================

The cause named in a row is the change from the row above. How contributions add up:

* Wasserstein: the distance of consecutive laws. By the triangle inequality the distance of the data
  from the output is *at most* their sum.
* Kullback-Leibler: the signed change of KL(data | law). The changes add up to KL(data | output)
  *exactly*; a negative one undoes part of what came before. KL is no metric, so no sum of distances
  of consecutive laws would bound it.

Another order of the causes gives other numbers; this one charges each cause with what it adds to
an otherwise exact pipeline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from numpy.typing import ArrayLike

from unroll.distribution.affine_score import AffineScore
from unroll.distribution.basis import Process
from unroll.distribution.divergences import covariance_error, kl_divergence, wasserstein
from unroll.distribution.law import Law
from unroll.distribution.process import data_law, noisy_law, reverse_law
from unroll.distribution.propagation import push, sampler_law
from unroll.errors import ArgumentError
from unroll.samplers.stage import Sampler

__all__ = ["Causes", "split_causes"]


@dataclass(frozen=True, eq=False)
class Causes:
    """The chain of laws and what each cause contributes.

    Attributes
    ----------
    laws : dict of str to Law
        Keys as in the module's table, in order. Without a model there is no ``"score"``.
    wasserstein : dict of str to float
        Distance from the law before, by cause; in units of the data.
    kl : dict of str to float
        Signed change of KL(data | law) in nats, by cause; NaN where the data's covariance is
        singular to float64 precision.
    total_wasserstein, total_kl : float
        Distance of the data from the last law.
    covariance_error : float
        ``|C - C_data|_F / |C_data|_F`` of the last law.
    """

    laws: dict[str, Law]
    wasserstein: dict[str, float]
    kl: dict[str, float]
    total_wasserstein: float
    total_kl: float
    covariance_error: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready numbers; NaN is given as None."""
        return {
            "wasserstein": self.wasserstein,
            "kl": {name: _finite(value) for name, value in self.kl.items()},
            "total_wasserstein": self.total_wasserstein,
            "total_kl": _finite(self.total_kl),
            "covariance_error": self.covariance_error,
        }

    def __str__(self) -> str:
        rows = [f"{'cause':<16} {'Wasserstein':>12} {'KL (signed)':>12}"]
        rows += [f"{c:<16} {w:>12.3e} {self.kl[c]:>12.3e}" for c, w in self.wasserstein.items()]
        rows.append(f"{'together':<16} {self.total_wasserstein:>12.3e} {self.total_kl:>12.3e}")
        return "\n".join(rows)


def split_causes(
    process: Process,
    sampler: Sampler,
    score: AffineScore | None = None,
    *,
    start_mean: ArrayLike | None = None,
) -> Causes:
    """Split the error of a sampler's output into its causes.

    Parameters
    ----------
    process : GaussianProcess or ConditionalProcess
        The data.
    sampler : Sampler
        From `unroll.samplers.make_sampler`.
    score : AffineScore, optional
        The model; without one the chain ends at the discretisation.
    start_mean : array that broadcasts to (frames, channels), optional
        Mean of the start.
    """
    if score is not None and (score.frames, score.channels) != (process.frames, process.channels):
        condition = f"is for ({score.frames}, {score.channels}), not for the process"
        raise ArgumentError("score", score, condition, "give a score of sequences of one shape")
    t_max, t_min = sampler.times[0], sampler.times[-1]
    dynamics = "sde" if sampler.stochastic else "ode"
    stopped = noisy_law(process, t_min)
    started = reverse_law(process, t_max, t_min, dynamics=dynamics, start_mean=start_mean)
    if sampler.last is not None:
        stopped, started = (push(sampler.last, law, process) for law in (stopped, started))
    laws: dict[str, Law] = {
        "data": data_law(process),
        "early stopping": stopped,
        "start": started,
        "discretisation": sampler_law(sampler, process, start_mean=start_mean),
    }
    if score is not None:
        laws["score"] = sampler_law(sampler, score, start_mean=start_mean)
    names = list(laws)
    divergences = {name: _divergence(laws["data"], law) for name, law in laws.items()}
    pairs = list(pairwise(names))
    return Causes(
        laws=laws,
        wasserstein={after: wasserstein(laws[before], laws[after]) for before, after in pairs},
        kl={after: divergences[after] - divergences[before] for before, after in pairs},
        total_wasserstein=wasserstein(laws["data"], laws[names[-1]]),
        total_kl=divergences[names[-1]],
        covariance_error=covariance_error(laws["data"], laws[names[-1]]),
    )


def _divergence(data: Law, law: Law) -> float:
    if law is data:
        return 0.0
    try:
        return kl_divergence(data, law)
    except ArgumentError:
        return math.nan


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
